"""Sheet: all that a policy asks for and gives, part by part, as a loan officer reads it.

Each line is told in Chinese and English, in the words in which `differences` tells a change. What
only a writer of policies needs, the examples and the change budget, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from loansvc.policy import GRAVE, Policy
from loansvc.policy.changes import (
    cases_text,
    limit_text,
    period_text,
    price_text,
    tier_text,
)
from loansvc.policy.differences import FIGURES, PARTS, TABLE_FIGURES
from loansvc.policy.rules import (
    DATE_FACTS,
    SCORE_GRADES,
    VILLAGE_RATINGS,
    Clause,
    Rule,
    Test,
    fact_label,
)
from loansvc.policy.terms import LimitRow, PriceRow, Subsidy, TierRow
from loansvc.policy.wording import (
    OUTCOME_TEXTS,
    Text,
    bound_text,
    issuers_text,
    when_text,
    word_text,
)
from loansvc.reasons import PLAIN_REASONS

STAGES = {
    "eligibility": ("谁可以申请（准入条件）", "who may borrow (eligibility)"),
    "knock_out": ("哪些情形不予批准（否决规则）", "what refuses (knock-outs)"),
    "referral": ("哪些情形转人工（转人工规则）", "what goes to a person (referrals)"),
}
PASSES = ("视为满足", "counts as met")  # what `approve` means of one rule among others
# What sends a case to a person under every policy: reasons of the program, not of the document.
ALWAYS_REFERRED = ("A01", "L01", "L02", "G01")
NOT_STATED = {  # which day stands in for one that the application does not state
    "loan_start": ("未载明的，以申请日为准", "where not stated, the day of application"),
    "guarantee_start": (
        "未载明的，以贷款发放日为准",
        "where not stated, the first day of the loan",
    ),
}
CELL = 6  # characters of a cell of the matrix, "100" and two blanks at least

RowType = TypeVar("RowType", LimitRow, PriceRow, TierRow, Subsidy)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the sheet: its title and its lines, those under another indented by two."""

    title: Text
    lines: tuple[Text, ...]


def sheet(policy: Policy) -> tuple[Part, ...]:
    """Every part of a policy that has something to say, in the order of a loan's way."""
    parts = [
        *((title, _rules(policy, stage)) for stage, title in STAGES.items()),
        (("哪些部门的证明有效", "whose credentials count"), _vouching(policy)),
        (PARTS["score"], _score(policy)),
        (PARTS["limits"], _limits(policy)),
        (PARTS["prices"], _prices(policy)),
        (PARTS["guarantee"], _guarantee(policy)),
        (PARTS["fund"], _fund(policy)),
        (("条款所依的日期", "days by which clauses hold"), _days(policy)),
    ]
    told = [Part(title, tuple(lines)) for title, lines in parts]
    return tuple(part for part in told if part.lines)


def statement_text(policy: Policy) -> Text:
    """What a policy says of itself: its lines in each language, or all where it has but one.

    A line with a Chinese character is taken for Chinese.
    """
    lines = policy.statement.strip().splitlines()
    zh = [line for line in lines if any("\u4e00" <= c <= "\u9fff" for c in line)]
    en = [line for line in lines if line not in zh]
    return "\n".join(zh or lines), "\n".join(en or lines)


# --- who ----------------------------------------------------------------------------------------


def _rules(policy: Policy, stage: str) -> Iterator[Text]:
    for rule in policy.rules:
        if rule.stage == stage:
            yield f"{rule.id}  {rule.zh}", f"{rule.id}  {rule.en}"
            yield _consequence(rule)
            yield _source(rule.clause)
    if stage == "referral":
        asked = {rule.requires.fact for rule in policy.rules}
        for code in (*ALWAYS_REFERRED, *(("P01",) if set(GRAVE) - asked else ())):
            _, zh, en = PLAIN_REASONS[code]
            yield f"{code}  {zh}", f"{code}  {en}"


def _consequence(rule: Rule) -> Text:
    """For whom a rule is, and what follows where it is not met or its fact is not known."""
    zh, en = _for_whom(rule.when)
    not_met = OUTCOME_TEXTS[rule.otherwise]
    unknown = PASSES if rule.if_unknown == "approve" else OUTCOME_TEXTS[rule.if_unknown]
    return _under(
        f"{zh}；未满足：{not_met[0]}；未知：{unknown[0]}",
        f"{en}; not met: {not_met[1]}; not known: {unknown[1]}",
    )


def _for_whom(when: Sequence[Test]) -> Text:
    zh, en = when_text(when)
    return f"适用于{zh}", f"for {'cases where ' if when else ''}{en}"


def _vouching(policy: Policy) -> Iterator[Text]:
    for kind, issuers in policy.vouching.items():
        what, who = word_text(kind), issuers_text(issuers)
        yield f"{what[0]}：{who[0]}", f"{what[1]}: {who[1]}"
    yield from _source_of(policy, "vouching")


# --- score and limits ---------------------------------------------------------------------------


def _score(policy: Policy) -> Iterator[Text]:
    yield from _figures(policy, "approve_at_least", "refer_at_least")
    yield from _source_of(policy, "cutoff")
    for grade, floor in policy.grade_floors[:-1]:
        yield f"{grade}  {floor}分及以上", f"{grade}  {floor} points and more"
    last, (_, floor) = policy.grade_floors[-1][0], policy.grade_floors[-2]
    yield f"{last}  低于{floor}分", f"{last}  below {floor} points"


def _limits(policy: Policy) -> Iterator[Text]:
    yield "基础额度，从上到下，首个适用的为准", "Base limit: from the top, the first row that fits"
    yield from _rows(policy.limit_rows, limit_text)
    yield (
        "乘以评分等级（行）与村信用等级（列）的系数，百分比",
        "times the factor of score grade (row) and village rating (column), in percent",
    )
    yield from _matrix(policy)
    yield from _source_of(policy, "limit_factor_percent")
    if policy.caps:
        yield "上限，以最低者为准", "Caps: the lowest one holds"
    for cap in policy.caps:
        bound, whom = bound_text(cap), _for_whom(cap.when)
        yield _under(f"{cap.id}  {cap.zh}", f"{cap.id}  {cap.en}")
        yield _under(*_under(f"{bound[0]}；{whom[0]}", f"{bound[1]}; {whom[1]}"))
        yield _under(*_source(cap.clause))
    more = ("reassess_every_months",) if policy.reassess_every_months is not None else ()
    yield from _figures(policy, "round_down_to_yuan", "minimum_yuan", *more)
    yield from _source_of(policy, "limit")


def _matrix(policy: Policy) -> Iterator[Text]:
    zh, en = ("".join(f"{word_text(r)[i]:>{CELL}}" for r in VILLAGE_RATINGS[:-1]) for i in (0, 1))
    unrated = word_text(VILLAGE_RATINGS[-1])
    yield _under(f"  {zh}  {unrated[0]}", f"  {en}  {unrated[1]}")
    for grade in SCORE_GRADES:
        *cells, last = (policy.factor_percent[grade][rating] for rating in VILLAGE_RATINGS)
        row = grade + "".join(f"{cell:>{CELL}}" for cell in cells) + f"{last:>{CELL}}"
        yield _under(row, row)


# --- price, guarantee, fund ---------------------------------------------------------------------


def _prices(policy: Policy) -> Iterator[Text]:
    yield "利率，从上到下，首个适用的为准", "Rate: from the top, the first row that fits"
    yield from _rows(policy.price_rows, price_text)
    yield from _figures(policy, "most_spread_bp")
    yield from _source_of(policy, "price")
    yield "贴息", "Subsidy"
    # A policy older than periods has one percentage and no words for it.
    in_words = any(at.startswith("subsidy[") for at, _ in policy.clauses)
    for subsidy in policy.subsidies:
        said, whom = period_text(subsidy), _for_whom(subsidy.when)
        if in_words:
            said = f"{subsidy.zh}：{said[0]}", f"{subsidy.en}: {said[1]}"
        yield _under(*said)
        yield _under(*_under(*whom))
        yield _under(*_source(subsidy.clause))


def _guarantee(policy: Policy) -> Iterator[Text]:
    yield (
        "担保层级，从上到下，首个适用且基金能够承担的为准",
        "Guarantee: from the top, the first tier that fits and that the fund can carry",
    )
    yield from _rows(policy.tier_rows, tier_text)
    yield from _figures(policy, "liability", "liability_period_months", "lgd_percent")
    yield from _source_of(policy, "guarantee")


def _fund(policy: Policy) -> Iterator[Text]:
    caps = policy.fund_caps
    for name in (f.name for f in fields(caps) if f.name != "clause"):
        value = getattr(caps, name)
        if value is not None:
            what, telling = TABLE_FIGURES[name]
            zh, en = telling(value)
            yield f"{what[0]}：{zh}", f"{what[1]}: {en}"
    yield _source(caps.clause)


def _rows(rows: Sequence[RowType], figure: Callable[[RowType], Text]) -> Iterator[Text]:
    """What each row says, the cases that it is for, and its source."""
    for row in rows:
        (zh, en), whom = figure(row), cases_text(row, rows)
        yield _under(zh, en)
        where = "cases where " if row.when else ""
        yield _under(*_under(f"适用于{whom[0]}", f"for {where}{whom[1]}"))
        yield _under(*_source(row.clause))


# --- days ---------------------------------------------------------------------------------------


def _days(policy: Policy) -> Iterator[Text]:
    """Each day by which clauses hold, the day that stands in for it, and those clauses."""
    for day in DATE_FACTS:
        held = [name for name, when in _clauses(policy) if any(test.fact == day for test in when)]
        if not held:
            continue
        label, other = fact_label(day), NOT_STATED.get(day)
        zh = f"{label[0]}{f'（{other[0]}）' if other else ''}"
        en = f"{label[1]}{f' ({other[1]})' if other else ''}"
        names_zh = "、".join(dict.fromkeys(name for name, _ in held))
        names_en = ", ".join(dict.fromkeys(name for _, name in held))
        yield f"{zh}：{names_zh}", f"{en}: {names_en}"


def _clauses(policy: Policy) -> Iterator[tuple[Text, tuple[Test, ...]]]:
    """Every clause that can hold for some days only: what it is called, and its tests."""
    yield from (((rule.id, rule.id), rule.when) for rule in policy.rules)
    yield from (((cap.id, cap.id), cap.when) for cap in policy.caps)
    tables: tuple[tuple[Text, Sequence[Any]], ...] = (
        (("基础额度", "base limit"), policy.limit_rows),
        (("利率", "rate"), policy.price_rows),
        (("贴息", "subsidy"), policy.subsidies),
        (("担保层级", "guarantee"), policy.tier_rows),
    )
    for (zh, en), rows in tables:
        for i, row in enumerate(rows, start=1):
            yield (f"{zh}第{i}行", f"{en} row {i}"), row.when


# --- lines --------------------------------------------------------------------------------------


def _figures(policy: Policy, *names: str) -> Iterator[Text]:
    for name in names:
        _, _, what, telling = FIGURES[name]
        zh, en = telling(getattr(policy, name))
        yield f"{what[0]}：{zh}", f"{what[1]}: {en}"


def _source_of(policy: Policy, place: str) -> Iterator[Text]:
    """The source of a table."""
    yield from (_source(clause) for at, clause in policy.clauses if at == place)


def _source(clause: Clause) -> Text:
    """Where a clause comes from, and whether that is to be confirmed."""
    zh, en = ("（待核实）", " (to be confirmed)") if clause.verify else ("", "")
    zh = "" if "待" in clause.zh and "核实" in clause.zh else zh  # it says so itself
    return _under(f"依据：{clause.zh}{zh}", f"source: {clause.reference}{en}")


def _under(zh: str, en: str) -> Text:
    return f"  {zh}", f"  {en}"
