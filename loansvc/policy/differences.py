"""Differences: what one policy says otherwise than another, a sentence for each, in zh and en.

Works on policies that were read, so that what is written in another way but means the same is no
difference. Rules and caps are matched by id, rows by what they are for, periods by their days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeAlias

from loansvc.policy import Policy
from loansvc.policy.changes import (
    ADDED,
    CHANGED,
    REMOVED,
    Change,
    changed,
    kept_text,
    limit_text,
    over_lpr_text,
    period_text,
    price_text,
    resourced,
    reworded,
    row_changes,
    tier_text,
)
from loansvc.policy.rules import SCORE_GRADES, VILLAGE_RATINGS, Clause, Rule
from loansvc.policy.terms import Cap
from loansvc.policy.wording import (
    LIABILITY_TEXTS,
    OUTCOME_TEXTS,
    STAGE_TEXTS,
    Text,
    bound_text,
    condition_text,
    issuers_text,
    percent_of_bp_text,
    test_text,
    when_text,
    word_text,
)
from loansvc.reasons import quantity

PARTS = {
    "head": ("概况", "head"),
    "vouching": ("证明出具部门", "vouching"),
    "rules": ("规则", "rules"),
    "score": ("分数线与等级", "cut-off and grades"),
    "limits": ("额度", "limits"),
    "prices": ("利率与贴息", "prices and subsidies"),
    "guarantee": ("担保", "guarantee"),
    "fund": ("担保基金", "fund"),
    "budget": ("变更限度", "change budget"),
    "sources": ("依据", "sources"),
    "other": ("其他", "other"),
}
TABLES = {
    "vouching": ("证明出具部门", "Who vouches for what"),
    "cutoff": ("分数线", "The cut-off"),
    "limit": ("额度的取整与下限", "Rounding and minimum of limits"),
    "limit_factor_percent": ("额度系数矩阵", "The matrix of limits"),
    "price": ("利率上限", "The highest rate"),
    "guarantee": ("保证方式", "The form of the guarantee"),
    "fund": ("担保基金限额", "The fund's caps"),
    "change_budget": ("变更限度", "The change budget"),
}
NOT_COMPARED = (
    "example_facts",
    "examples",
    "to_verify",
    "clauses",
)  # `clauses`: by what they stand in
NONE: Text = ("无", "none")
Telling: TypeAlias = Callable[[Any], Text]


def differences(before: Policy, after: Policy) -> tuple[Change, ...]:
    """Every difference, part by part; none for policies that say the same.

    The days from which they hold are the editions', not the policies', and are not told here.
    """
    found = [change for part in _PARTS for change in part(before, after)]
    if not found and _compared(before) != _compared(after):
        found.append(
            Change(
                "other", "", CHANGED, "两者有本版本无法用文字说明的差异，请比较文件",
                "They differ in what this version has no words for; compare the files",
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda change: list(PARTS).index(change.part)))


def _compared(policy: Policy) -> list[Any]:
    names = [f.name for f in fields(policy) if f.name not in NOT_COMPARED]
    return [getattr(policy, name) for name in names]


# --- single figures -----------------------------------------------------------------------------


def _unit(unit: str) -> Telling:
    return lambda n: NONE if n is None else quantity(n, unit)


def _plain(value: Any) -> Text:
    return str(value), str(value)


def _points(n: int) -> Text:
    return f"{n}分", f"{n} points"


# Field of a policy: its part, its place in the file, what it is, how its value is said.
FIGURES: Mapping[str, tuple[str, str, Text, Telling]] = {
    "product": ("head", "product", ("产品", "Product"), _plain),
    "review_by": ("head", "review_by", ("复审日期", "To be reviewed by"), _plain),
    "statement": ("head", "statement", ("声明", "Statement"), lambda s: (s.strip(), s.strip())),
    "approve_at_least": (
        "score", "cutoff.approve_at_least", ("批准所需的最低分", "Score for an approval"), _points),
    "refer_at_least": (
        "score", "cutoff.refer_at_least", ("转人工所需的最低分", "Score for a referral"), _points),
    "round_down_to_yuan": (
        "limits", "limit.round_down_to_yuan", ("额度取整到", "Limits are rounded down to"),
        _unit("yuan")),
    "minimum_yuan": (
        "limits", "limit.minimum_yuan", ("最低贷款额", "Smallest loan"), _unit("yuan")),
    "reassess_every_months": (
        "limits", "limit.reassess_every_months", ("额度复评周期", "Limits are looked at every"),
        _unit("months")),
    "most_spread_bp": (
        "prices", "price.most_spread_bp", ("利率上限", "Highest rate"), over_lpr_text),
    "lgd_percent": (
        "guarantee", "guarantee.lgd_percent", ("违约损失率", "Loss given default"),
        _unit("percent")),
    "liability": (
        "guarantee", "guarantee.liability", ("保证方式", "Form of the guarantee"),
        lambda word: LIABILITY_TEXTS[word]),
    "liability_period_months": (
        "guarantee", "guarantee.liability_period_months", ("保证期间", "Period of the guarantee"),
        _unit("months")),
}  # fmt: skip
PLACES = {"fund_caps": "fund", "change_budget": "change_budget"}
TABLE_FIGURES: Mapping[str, tuple[Text, Telling]] = {
    "multiple": (("基金放大倍数上限", "The fund's multiple of its capital, at most"), _plain),
    "single_client_percent": (
        ("单户担保占基金比例上限", "Share of the fund for one client, at most"), _unit("percent")),
    "compensation_rate_cap_bp": (
        ("代偿率上限", "Compensation rate, at most"), percent_of_bp_text),
    "related_percent": (
        ("关联方合计占基金比例上限", "Share of the fund for related parties, at most"),
        _unit("percent")),
    "most_flips_percent": (
        ("结论变化的比例上限", "Answers that may change, at most"), _unit("percent")),
    "most_limit_change_percent": (
        ("额度合计变化上限", "Change of all limits, at most"), _unit("percent")),
    "most_expected_loss_change_percent": (
        ("预期损失变化上限", "Change of the expected loss, at most"), _unit("percent")),
    "most_fund_use_change_percent": (
        ("基金占用变化上限", "Change of the use of the fund, at most"), _unit("percent")),
    "most_interest_change_percent": (
        ("年利息变化上限", "Change of a year's interest, at most"), _unit("percent")),
    "least_decisions": (("所需的最少历史决定数", "Decisions needed to judge it"), _plain),
}  # fmt: skip


def _figures(before: Policy, after: Policy) -> Iterator[Change]:
    titles = ((p.title_zh, p.title_en) for p in (before, after))
    yield from reworded("head", "title", ("名称", "The title"), *titles)
    for field, (part, place, what, telling) in FIGURES.items():
        was, now = getattr(before, field), getattr(after, field)
        if was != now:
            yield changed(part, place, what, telling(now), telling(was))


def _tables(before: Policy, after: Policy) -> Iterator[Change]:
    """Figures of the tables that a policy holds as one: the fund's caps, the change budget."""
    for part, table in (("fund", "fund_caps"), ("budget", "change_budget")):
        old, new = getattr(before, table), getattr(after, table)
        for field in (f.name for f in fields(new) if f.name != "clause"):
            was, now = getattr(old, field), getattr(new, field)
            if was != now:
                what, telling = TABLE_FIGURES.get(field, (_plain(field), _plain))
                place = f"{PLACES[table]}.{field}"
                yield changed(part, place, what, telling(now), telling(was))


def _grades(before: Policy, after: Policy) -> Iterator[Change]:
    floors = dict(before.grade_floors)
    for grade, floor in after.grade_floors:
        if floor != floors[grade]:
            what = f"{grade}级最低分", f"Lowest score of grade {grade}"
            yield changed("score", f"grade.{grade}", what, _points(floor), _points(floors[grade]))


def _matrix(before: Policy, after: Policy) -> Iterator[Change]:
    """A sentence for each score grade, its cells in the order of the village ratings."""
    for grade in SCORE_GRADES:
        was, now = before.factor_percent[grade], after.factor_percent[grade]
        cells = [r for r in VILLAGE_RATINGS if was[r] != now[r]]
        if cells:
            zh = "，".join(f"{word_text(r)[0]} {now[r]}%（原为{was[r]}%）" for r in cells)
            en = ", ".join(f"{word_text(r)[1]} {now[r]} % (was {was[r]} %)" for r in cells)
            yield Change(
                "limits", f"limit_factor_percent.{grade}", CHANGED,
                f"评分等级{grade}按村信用等级的额度系数：{zh}",
                f"Part of the base limit for score grade {grade} by village rating: {en}",
            )  # fmt: skip


def _vouching(before: Policy, after: Policy) -> Iterator[Change]:
    for kind in dict.fromkeys((*before.vouching, *after.vouching)):
        was, now = (p.vouching.get(kind, frozenset()) for p in (before, after))
        if was != now:
            zh, en = word_text(kind)
            what = f"可出具“{zh}”证明的部门", f'Who vouches for "{en}"'
            yield changed(
                "vouching", f"vouching.{kind}", what, issuers_text(now), issuers_text(was)
            )


# --- rules and caps -----------------------------------------------------------------------------


def _rules(before: Policy, after: Policy) -> Iterator[Change]:
    old = {rule.id: rule for rule in before.rules}
    new = {rule.id: rule for rule in after.rules}
    for rule in after.rules:
        if rule.id in old:
            yield from _rule(old[rule.id], rule)
        else:
            zh, en = _whole_rule(rule)
            yield Change("rules", rule.id, ADDED, f"新增{rule.id}：{zh}", f"{rule.id} is new: {en}")
    for rule in before.rules:
        if rule.id not in new:
            zh, en = _whole_rule(rule)
            yield Change(
                "rules", rule.id, REMOVED, f"取消{rule.id}：{zh}", f"{rule.id} is gone: {en}"
            )
    yield from _order("rules", "rule", ("规则", "Rules"), list(old), list(new))
    first = [i for i in new if i in old and new[i].not_met_zh and not old[i].not_met_zh]
    if first:
        yield Change(
            "rules", "not_met", CHANGED, f"{'、'.join(first)}首次写明未满足时的情形",
            f"{', '.join(first)}: what is so where not met is told in words of its own",
        )  # fmt: skip


def _whole_rule(rule: Rule) -> Text:
    """A rule in one sentence, for one that is new or gone."""
    ask, when = test_text(rule.requires), when_text(rule.when)
    not_met, unknown = OUTCOME_TEXTS[rule.otherwise], OUTCOME_TEXTS[rule.if_unknown]
    stage = STAGE_TEXTS[rule.stage]
    when_en = f", for {'cases where ' if rule.when else ''}{when[1]}"
    return (
        f"{rule.zh}。{stage[0]}，适用于{when[0]}；要求{ask[0]}；未满足：{not_met[0]}；未知：{unknown[0]}",
        f"{rule.en}. It is a{'n' * (stage[1][0] == 'e')} {stage[1]}{when_en}: asks that {ask[1]}; "
        f"not met: {not_met[1]}; not known: {unknown[1]}",
    )


def _rule(was: Rule, now: Rule) -> Iterator[Change]:
    name = (now.id, now.id)
    if was.requires != now.requires:
        ask = test_text(now.requires)
        same_fact = was.requires.fact == now.requires.fact
        before = condition_text(was.requires) if same_fact else test_text(was.requires)
        before_en = before[1].removeprefix("is ")
        kept_zh, kept_en = kept_text(was, now)
        yield Change(
            "rules", f"{now.id}.requires", CHANGED,
            f"{now.id}要求{ask[0]}（原为{before[0]}）{kept_zh}",
            f"{now.id} asks that {ask[1]} (was {before_en}){kept_en}",
        )  # fmt: skip
    if set(was.when) != set(now.when):
        what = f"{now.id}适用于", f"{now.id} applies to"
        yield changed("rules", f"{now.id}.when", what, when_text(now.when), when_text(was.when))
    for key, texts, what in (
        ("stage", STAGE_TEXTS, (f"{now.id}的类别", f"{now.id} is of kind")),
        ("otherwise", OUTCOME_TEXTS, (f"{now.id}未满足时", f"{now.id}, where not met")),
        ("if_unknown", OUTCOME_TEXTS, (f"{now.id}信息未知时", f"{now.id}, where not known")),
    ):
        if getattr(was, key) != getattr(now, key):
            texts_of = texts[getattr(now, key)], texts[getattr(was, key)]
            yield changed("rules", f"{now.id}.{key}", what, *texts_of)
    yield from reworded("rules", now.id, name, (was.zh, was.en), (now.zh, now.en))
    if was.not_met_zh and now.not_met_zh:  # said for the first time: told once for all rules
        not_met = f"{now.id}未满足时", f"{now.id}, where not met,"
        yield from reworded(
            "rules", f"{now.id}.not_met", not_met,
            (was.not_met_zh, was.not_met_en), (now.not_met_zh, now.not_met_en),
        )  # fmt: skip
    yield from resourced(now.id, name, was.clause, now.clause)


def _caps(before: Policy, after: Policy) -> Iterator[Change]:
    old, new = ({cap.id: cap for cap in p.caps} for p in (before, after))
    for cap in after.caps:
        was = old.get(cap.id)
        name = f"上限{cap.id}", f"Cap {cap.id}"
        if was is None:
            zh, en = _whole_cap(cap)
            yield Change(
                "limits", cap.id, ADDED, f"新增上限{cap.id}：{zh}", f"{name[1]} is new: {en}"
            )
            continue
        if bound_text(was) != bound_text(cap):
            yield changed("limits", cap.id, name, bound_text(cap), bound_text(was))
        if set(was.when) != set(cap.when):
            what = f"上限{cap.id}适用于", f"Cap {cap.id} applies to"
            yield changed("limits", cap.id, what, when_text(cap.when), when_text(was.when))
        yield from reworded("limits", cap.id, name, (was.zh, was.en), (cap.zh, cap.en))
        yield from resourced(cap.id, name, was.clause, cap.clause)
    for cap in before.caps:
        if cap.id not in new:
            zh, en = _whole_cap(cap)
            yield Change(
                "limits", cap.id, REMOVED, f"取消上限{cap.id}：{zh}", f"Cap {cap.id} is gone: {en}"
            )
    yield from _order("limits", "cap", ("上限", "Caps"), list(old), list(new))


def _whole_cap(cap: Cap) -> Text:
    bound, when = bound_text(cap), when_text(cap.when)
    for_whom = f"for {'cases where ' if cap.when else ''}{when[1]}"
    return f"{cap.zh}。{bound[0]}，适用于{when[0]}", f"{cap.en}. {bound[1]}, {for_whom}"


def _order(
    part: str, place: str, what: Text, old: Sequence[str], new: Sequence[str]
) -> Iterator[Change]:
    """The order in which reasons are told, and in which the first of equal caps is named."""
    before, after = [i for i in old if i in new], [i for i in new if i in old]
    if before != after:
        texts = ("、".join(after), ", ".join(after)), ("、".join(before), ", ".join(before))
        yield changed(part, place, (f"{what[0]}的次序", f"{what[1]} in the order"), *texts)


# --- tables -------------------------------------------------------------------------------------


def _rows(before: Policy, after: Policy) -> Iterator[Change]:
    yield from row_changes(
        "limits", "limit_row", ("基础额度", "Base limit"), before.limit_rows, after.limit_rows,
        limit_text,
    )  # fmt: skip
    yield from row_changes(
        "prices", "price_row", ("利率", "Rate"), before.price_rows, after.price_rows, price_text
    )
    yield from row_changes(
        "guarantee", "tier", ("担保层级", "Guarantee"), before.tier_rows, after.tier_rows,
        tier_text, lambda row: (row.tier, row.tier),
    )  # fmt: skip
    old, new = before.subsidies, after.subsidies
    of_prices = dict(after.clauses).get("price")  # where a policy older than periods has them
    for change in row_changes("prices", "subsidy", ("贴息", "Subsidy"), old, new, period_text):
        if change.part != "sources" or any(period.clause != of_prices for period in new):
            yield change
    names = {period.when: (period.zh, period.en) for period in old}
    for i, period in enumerate(new):
        now = period.zh, period.en
        name = f"贴息（{when_text(period.when)[0]}）", f"Subsidy for {when_text(period.when)[1]}"
        yield from reworded("prices", f"subsidy[{i}]", name, names.get(period.when, now), now)


def _sources(before: Policy, after: Policy) -> Iterator[Change]:
    """Sources of whole tables; those of rules, caps and rows are told beside them."""
    old, new = _table_clauses(before), _table_clauses(after)
    for place in new:
        if place in old:
            name = TABLES.get(place, (place, place))
            yield from resourced(place, name, old[place], new[place])


def _table_clauses(policy: Policy) -> dict[str, Clause]:
    ids = {rule.id for rule in policy.rules} | {cap.id for cap in policy.caps}
    return {p: clause for p, clause in policy.clauses if p not in ids and "[" not in p}


_PARTS = (_figures, _vouching, _rules, _grades, _rows, _matrix, _caps, _tables, _sources)
