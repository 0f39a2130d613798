"""Changes: one sentence for each thing in which two policies differ, and the rows of their tables.

Rows are matched by the cases they are for, then by what they say. What a row is for decides
together with the rows above it: a new row is told with the row it is tried before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from loansvc.policy.rules import Clause, Rule, Test
from loansvc.policy.terms import LimitRow, PriceRow, Subsidy, TierRow
from loansvc.policy.wording import (
    COUNTER_GUARANTEE_TEXTS,
    SHARER_TEXTS,
    Text,
    percent_of_bp_text,
    when_text,
)
from loansvc.reasons import quantity

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: part of the policy, place in the newer file (older if it is gone), kind."""

    part: str
    place: str
    kind: str
    zh: str
    en: str


RowType = TypeVar("RowType", LimitRow, PriceRow, TierRow, Subsidy)


def changed(part: str, place: str, what: Text, now: Text, was: Text) -> Change:
    """Something that is now otherwise.

    >>> changed("fund", "fund.multiple", ("倍数", "Multiple"), ("12", "12"), ("10", "10")).en
    'Multiple: 12 (was 10)'
    """
    return Change(
        part,
        place,
        CHANGED,
        f"{what[0]}：{now[0]}（原为{was[0]}）",
        f"{what[1]}: {now[1]} (was {was[1]})",
    )


def reworded(
    part: str, place: str, name: Text, before: tuple[str, str], after: tuple[str, str]
) -> Iterator[Change]:
    """Another text for people, in either language: each is told as it stands."""
    if before != after:
        yield Change(
            part, place, CHANGED,
            f"{name[0]}的表述改为“{after[0]}”（原为“{before[0]}”）"
            if before[0] != after[0] else f"{name[0]}的英文表述改为“{after[1]}”",
            f'{name[1]} reads "{after[1]}" (was "{before[1]}")'
            if before[1] != after[1] else f'{name[1]} reads in Chinese "{after[0]}"',
        )  # fmt: skip


def kept_text(before: Rule, after: Rule) -> Text:
    """What to add where a rule asks something else and a text of it does not: people read the old.

    Nothing where all texts were changed.
    """
    if (before.zh, before.en) == (after.zh, after.en):
        return f"；表述未改：“{after.zh}”", f'; its text is unchanged: "{after.en}"'
    if after.not_met_zh and before.not_met_zh == after.not_met_zh:
        return (
            f"；未满足时的表述未改：“{after.not_met_zh}”",
            f'; what it says where not met is unchanged: "{after.not_met_en}"',
        )
    return "", ""


def resourced(place: str, name: Text, before: Clause, after: Clause) -> Iterator[Change]:
    """Another source, another grade of it, or another need to have it verified."""
    zh, en = [], []
    if before.reference != after.reference:
        zh.append(f"依据为“{after.zh}”（原为“{before.zh}”）")
        en.append(f'rests on "{after.reference}" (was "{before.reference}")')
    elif before.reference_zh and before.zh != after.zh:
        zh.append(f"依据的中文表述为“{after.zh}”（原为“{before.zh}”）")
        en.append(f'names its source in Chinese as "{after.zh}"')
    if before.source_grade != after.source_grade:
        zh.append(f"来源等级为{after.source_grade}（原为{before.source_grade}）")
        en.append(f"has source grade {after.source_grade} (was {before.source_grade})")
    if before.verify != after.verify:
        zh.append("须待核实" if after.verify else "已无须核实")
        en.append("is to be verified" if after.verify else "need not be verified any more")
    if zh:
        yield Change(
            "sources", place, CHANGED, f"{name[0]}：{'；'.join(zh)}", f"{name[1]} {', '.join(en)}"
        )


# --- rows ---------------------------------------------------------------------------------------


def row_changes(
    part: str,
    key: str,
    what: Text,
    before: Sequence[RowType],
    after: Sequence[RowType],
    figure: Callable[[RowType], Text],
    short: Callable[[RowType], Text] | None = None,
) -> Iterator[Change]:
    """Rows that say something else, are for other cases, are new, gone, or tried in other order.

    `figure` is all that a row says, `short` what it is called where only its cases change.
    """
    pairs, gone, new = _matched(before, after, figure)
    for i, j in pairs:
        old, row, place = before[i], after[j], f"{key}[{j}]"
        name = _name(what, row, after)
        if figure(old) != figure(row):
            yield changed(part, place, name, figure(row), figure(old))
        if set(old.when) != set(row.when):
            yield _moved(part, place, what, (short or figure)(row), old.when, row.when)
        yield from resourced(place, name, old.clause, row.clause)
    for i in gone:
        (name_zh, name_en), (zh, en) = _name(what, before[i], before), figure(before[i])
        yield Change(
            part, f"{key}[{i}]", REMOVED, f"取消{name_zh}：{zh}", f"{name_en} is gone: {en}"
        )
    for j in new:
        (name_zh, name_en), (zh, en) = _name(what, after[j], after), figure(after[j])
        next_zh, next_en = _next(after, j)
        yield Change(
            part, f"{key}[{j}]", ADDED, f"新增{name_zh}：{zh}{next_zh}",
            f"{name_en} is new: {en}{next_en}",
        )  # fmt: skip
    if [i for i, _ in pairs] != sorted(i for i, _ in pairs):
        names = [cases_text(after[j], after) for _, j in pairs]
        yield Change(
            part, key, CHANGED, f"{what[0]}改按以下次序适用：{'；'.join(zh for zh, _ in names)}",
            f"{what[1]}: tried in another order, now {'; '.join(en for _, en in names)}",
        )  # fmt: skip


def _moved(
    part: str, place: str, what: Text, short: Text, was: Sequence[Test], now: Sequence[Test]
) -> Change:
    """A row that says the same of other cases: those of now, and the tests that were otherwise."""
    zh, en = when_text(now)
    dropped = [test for test in was if test not in now]
    was_zh, was_en = when_text(dropped) if dropped else ("没有这一限定", "without that")
    return Change(
        part, place, CHANGED, f"{what[0]}（{short[0]}）适用于{zh}（原为{was_zh}）",
        f"{what[1]} ({short[1]}) is for {'cases where ' if now else ''}{en} (was {was_en})",
    )  # fmt: skip


def _matched(
    before: Sequence[RowType], after: Sequence[RowType], figure: Callable[[RowType], Text]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pairs of positions in order of the second, what is left of the first, of the second."""
    pairs: list[tuple[int, int]] = []
    gone, new = list(range(len(before))), list(range(len(after)))
    tellings: tuple[Callable[[RowType], Any], ...] = (lambda row: frozenset(row.when), figure)
    for telling in tellings:
        for j in list(new):
            same = [i for i in gone if telling(before[i]) == telling(after[j])]
            if same:
                pairs.append((same[0], j))
                gone.remove(same[0])
                new.remove(j)
    return sorted(pairs, key=lambda pair: pair[1]), gone, new


def cases_text(row: Any, rows: Sequence[Any]) -> Text:
    """The cases of a row; the last of several is for those that no other takes."""
    return when_text(row.when) if row.when or len(rows) == 1 else ("其余情形", "everyone else")


def _name(what: Text, row: Any, rows: Sequence[Any]) -> Text:
    zh, en = cases_text(row, rows)
    return f"{what[0]}（{zh}）", f"{what[1]} for {'cases where ' if row.when else ''}{en}"


def _next(rows: Sequence[Any], j: int) -> Text:
    """Before which row a new one is tried."""
    if j + 1 == len(rows):
        return "", ""
    zh, en = cases_text(rows[j + 1], rows)
    where = "cases where " if rows[j + 1].when else ""
    return f"；先于“{zh}”适用", f"; tried before the row for {where}{en}"


# --- what a row says ----------------------------------------------------------------------------


def limit_text(row: LimitRow) -> Text:
    """The limit before factor and caps."""
    return with_others(quantity(row.base_yuan, "yuan"), row, "base_yuan")


def price_text(row: PriceRow) -> Text:
    """The spread over LPR."""
    return with_others(over_lpr_text(row.spread_bp), row, "spread_bp")


# Keys that a row may do without, and what they are called.
MORE: Mapping[str, tuple[Text, Callable[[int], Text]]] = {
    "compensation_rate_cap_bp": (("代偿率上限", "compensation rate at most"), percent_of_bp_text),
}


def with_others(text: Text, row: Any, *told: str) -> Text:
    """A text and what else a row has, by its key where there are no words: nothing goes untold."""
    zh, en = text
    for name in (f.name for f in fields(row) if f.name not in ("when", "clause", *told)):
        value = getattr(row, name)
        if value is not None:
            what, telling = MORE.get(name, ((name, name), lambda v: (str(v), str(v))))
            zh, en = f"{zh}；{what[0]}{telling(value)[0]}", f"{en}; {what[1]} {telling(value)[1]}"
    return zh, en


def over_lpr_text(spread_bp: int) -> Text:
    """A rate against LPR.

    >>> over_lpr_text(85), over_lpr_text(-150)
    (('LPR+85BP', 'LPR + 85 bp'), ('LPR-150BP', 'LPR - 150 bp'))
    """
    sign = "-" if spread_bp < 0 else "+"
    return f"LPR{sign}{abs(spread_bp)}BP", f"LPR {sign} {abs(spread_bp)} bp"


def period_text(subsidy: Subsidy) -> Text:
    """What the state pays of the interest."""
    if subsidy.borrower_over_lpr_bp is not None:
        zh, en = over_lpr_text(subsidy.borrower_over_lpr_bp)
        return f"借款人承担{zh}，其余由财政承担", f"the borrower pays {en}, the state the rest"
    if subsidy.percent_of_rate == 0:
        return "财政不贴息", "the state pays none of the interest"
    percent = subsidy.percent_of_rate
    return f"财政承担利息的{percent}%", f"the state pays {percent} % of the interest"


def tier_text(row: TierRow) -> Text:
    """Tier, who bears which share of a loss, and the counter-guarantee."""
    shares = [(*SHARER_TEXTS[s], n) for s, n in row.shares_percent.items() if n]
    zh, en = COUNTER_GUARANTEE_TEXTS[row.counter_guarantee]
    text = (
        f"{row.tier}，" + "、".join(f"{name}{n}%" for name, _, n in shares) + f"，{zh}",
        f"{row.tier}, " + ", ".join(f"{name} {n} %" for _, name, n in shares)
        + f"; {en[0].lower()}{en[1:]}",
    )  # fmt: skip
    return with_others(text, row, "tier", "shares_percent", "counter_guarantee")
