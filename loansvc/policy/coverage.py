"""Coverage: what the generated cases reach in a policy, and what none of them reaches and why.

A policy that was read is whole and in order by the checks of `order`; this tries it on cases, as a
second look by other means. What no case reaches is told, not refused: it may be meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from loansvc.policy import Judgement, Policy
from loansvc.policy.cases import NEVER_UNKNOWN, Case, Facts, cases_of, judged, score_of
from loansvc.policy.order import ORDERED, values_to_try
from loansvc.policy.rules import (
    DATE_FACTS,
    OUTCOMES,
    SCORE_GRADES,
    VILLAGE_RATINGS,
    Rule,
    Test,
    all_hold,
    fact_range,
)
from loansvc.policy.terms import LEAST_BANK_PERCENT, Row

# What is to be reached, and what it is called where it is counted.
KINDS = {
    "rule": "rules met, not met and not known",
    "outcome": "outcomes",
    "grade": "grades",
    "limit_row": "limit rows",
    "cell": "cells of the matrix",
    "cap": "caps in use",
    "price_row": "price rows",
    "subsidy": "subsidy periods",
    "tier": "guarantee rows",
}


@dataclass(frozen=True, slots=True)
class Reached:
    """How many of one kind some case reaches, of how many there are."""

    kind: str
    reached: int
    of: int


@dataclass(frozen=True, slots=True)
class Missed:
    """What no case reaches, and what to do about it."""

    place: str
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What came of trying a policy on its generated cases.

    `thresholds`: bounds of numbers and days, floors and cut-offs, tried on both sides;
    `word_tests`: tests of words tried with a word inside and one outside. `broken`: where a worse
    case fares better, or shares do not add up; a policy with one is not to be published.
    """

    n_cases: int
    thresholds: Reached
    word_tests: Reached
    reached: tuple[Reached, ...]
    missed: tuple[Missed, ...]
    broken: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return asdict(self)


def coverage(policy: Policy, *, first_day: date) -> Coverage:
    """Try a policy on its cases (`cases.cases_of`), none of them before its first day."""
    cases = cases_of(policy, first_day=first_day)
    judgements = [judged(policy, case.facts) for case in cases]
    both = zip(cases, judgements, strict=True)
    hit = {item for case, judgement in both for item in _items_of(policy, case, judgement)}
    wanted = list(dict.fromkeys(_wanted(policy)))
    missed = [item for item in wanted if item not in hit]
    count: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    for kind, place in dict.fromkeys(item[:2] for item in wanted):
        count[kind].append(not any(item[:2] == (kind, place) for item in missed))
    thresholds, word_tests = _tried(policy, cases, first_day)
    return Coverage(
        n_cases=len(cases),
        thresholds=thresholds,
        word_tests=word_tests,
        reached=tuple(Reached(k, sum(found), len(found)) for k, found in count.items() if found),
        missed=tuple(Missed(item[1], item[2], _why(policy, item, first_day)) for item in missed),
        broken=tuple(dict.fromkeys(_broken(policy, cases, judgements))),
    )


# --- what there is to reach ---------------------------------------------------------------------

Item = tuple[str, str, str]  # kind, place, what of it
RESULTS = {True: "met", False: "not_met", None: "unknown"}
MERITS = ("outcome", "limit", "rate", "tier")


def _wanted(policy: Policy) -> Iterator[Item]:
    for rule in policy.rules:
        yield from (("rule", rule.id, result) for result in _possible(rule))
    yield from (("outcome", outcome, "given") for outcome in OUTCOMES)
    yield from (("grade", grade, "given") for grade in SCORE_GRADES)
    yield from (("limit_row", f"limit_row[{i}]", "read") for i in range(len(policy.limit_rows)))
    for grade in SCORE_GRADES:
        yield from (("cell", f"{grade}.{rating}", "read") for rating in VILLAGE_RATINGS)
    yield from (("cap", cap.id, "lowers a limit") for cap in policy.caps)
    yield from (("price_row", f"price_row[{i}]", "read") for i in range(len(policy.price_rows)))
    yield from (("subsidy", f"subsidy[{i}]", "paid") for i in range(len(policy.subsidies)))
    for i, row in enumerate(policy.tier_rows):
        yield "tier", f"tier[{i}] {row.tier}", "read"


def _items_of(policy: Policy, case: Case, judgement: Judgement) -> Iterator[Item]:
    """What one case reached."""
    yield from (("rule", f.rule.id, f.result) for f in judgement.findings)
    yield "outcome", judgement.outcome, "given"
    yield "grade", judgement.grade, "given"
    yield "cell", f"{judgement.grade}.{case.facts['village_rating']}", "read"
    limit, price, tier = judgement.limit, judgement.price, judgement.tier
    yield "limit_row", f"limit_row[{_position(limit.row, policy.limit_rows)}]", "read"
    if limit.bound_by is not None:
        yield "cap", limit.bound_by.id, "lowers a limit"
    yield "price_row", f"price_row[{_position(price.row, policy.price_rows)}]", "read"
    yield "subsidy", f"subsidy[{_position(price.subsidy, policy.subsidies)}]", "paid"
    yield "tier", f"tier[{_position(tier, policy.tier_rows)}] {tier.tier}", "read"


def _position(row: Any, rows: Sequence[Any]) -> int:
    return next(i for i, other in enumerate(rows) if other is row)


def _possible(rule: Rule) -> list[str]:
    """The results a rule can have, by what its fact can be where its `when` asks for it too.

    A number is never found below 0: a rule that asks for "at least 0" asks that it is known.
    """
    test = rule.requires
    beside = [other for other in rule.when if other.fact == test.fact]
    holds = set()
    for value in values_to_try(test.fact, [test, *beside]):
        facts = {test.fact: value}
        if (value is not None or test.fact not in NEVER_UNKNOWN) and all_hold(beside, facts):
            holds.add(test.holds(facts))
    return [RESULTS[h] for h in (True, False, None) if h in holds]


# --- why it is not reached ----------------------------------------------------------------------


def _why(policy: Policy, item: Item, first_day: date) -> str:
    """What keeps every case away, and what to do."""
    kind, place, what = item
    if kind == "outcome":
        if place == "approve":
            return "let [example_facts] describe a case that is approved; the cases start from it"
        return "no clause asks for it in any case; see whether that is meant"
    if kind == "cap":
        cap = next(c for c in policy.caps if c.id == place)
        highest = _highest_limit_yuan(policy)
        if cap.percent_of is None and cap.less is None and cap.yuan >= highest:
            return f"the tables give at most {highest:,} yuan before caps; lower it or remove it"
        return "it is never below the limit of the tables where it applies; lower it or remove it"
    ended = _ended(policy, kind, place, first_day)
    if ended is not None:
        return f"its days end on {ended}, before the policy's first day {first_day}; leave it out"
    if kind == "rule":
        return f"no case its `when` applies to is {what}; change `when`, or see that it is meant"
    return "a row above takes every case it is for; remove it, narrow a row above, or move it up"


def _highest_limit_yuan(policy: Policy) -> int:
    factor = max(max(row.values()) for row in policy.factor_percent.values())
    return max(row.base_yuan for row in policy.limit_rows) * factor // 100


def _ended(policy: Policy, kind: str, place: str, first_day: date) -> date | None:
    """The last day of a clause that had ended before the policy began."""
    if kind == "subsidy":
        last = policy.subsidies[_number(place)].last_day
        return last if last is not None and last < first_day else None
    whens: dict[str, tuple[Test, ...]] = {rule.id: rule.when for rule in policy.rules}
    tables: tuple[Sequence[Row], ...] = (policy.limit_rows, policy.price_rows, policy.tier_rows)
    for key, rows in zip(("limit_row", "price_row", "tier"), tables, strict=True):
        whens |= {f"{key}[{i}]": row.when for i, row in enumerate(rows)}
    for test in whens.get(place.partition(" ")[0], ()):
        last_day = test.at_most
        if isinstance(last_day, date) and last_day < first_day:
            return last_day
    return None


def _number(place: str) -> int:
    return int(place.partition("[")[2].partition("]")[0])


# --- both sides ---------------------------------------------------------------------------------


def _tried(policy: Policy, cases: Sequence[Case], first_day: date) -> tuple[Reached, Reached]:
    """How many bounds, and how many lists of words, are tried on both sides where there are two."""
    seen: dict[str, set[Any]] = {}
    for case in cases:
        for fact, value in case.facts.items():
            seen.setdefault(fact, set()).add(value)
    seen["grade"] = {policy.grade_for(score) for score in seen["score"]}
    floors = {floor for _, floor in policy.grade_floors[:-1]}
    edges = floors | {policy.approve_at_least, policy.refer_at_least}
    sides: set[tuple[str, Any, Any]] = {("score", edge - 1, edge) for edge in edges}
    words: set[tuple[str, frozenset[str]]] = set()
    both_words: set[tuple[str, frozenset[str]]] = set()
    for test in _tests_of(policy):
        sides.update(_sides(test, first_day))
        if test.words is not None:
            tried = [{test.fact: v} for v in seen.get(test.fact, ())]
            possible = [{test.fact: v} for v in values_to_try(test.fact, [test])]
            for cases_of_it, found in ((tried, both_words), (possible, words)):
                if {True, False} <= {test.holds(facts) for facts in cases_of_it}:
                    found.add((test.fact, test.words))
    both = [{a, b} <= seen.get(fact, set()) for fact, a, b in sides]
    return (
        Reached("threshold", sum(both), len(both)),
        Reached("word_test", len(both_words), len(words)),
    )


def _sides(test: Test, first_day: date) -> Iterator[tuple[str, Any, Any]]:
    """The last value on one side of each bound and the first on the other, if both can come up."""
    one: Any = timedelta(days=1) if test.fact in DATE_FACTS else 1
    bounds: list[tuple[Any, Any]] = []
    if test.at_least is not None:
        bounds.append((test.at_least - one, test.at_least))
    if test.at_most is not None:
        bounds.append((test.at_most, test.at_most + one))
    low, high = (first_day, date.max) if test.fact in DATE_FACTS else fact_range(test.fact)
    yield from ((test.fact, a, b) for a, b in bounds if low <= a and b <= high)


def _tests_of(policy: Policy) -> Iterator[Test]:
    for rule in policy.rules:
        yield rule.requires
        yield from rule.when
    tables: tuple[Sequence[Row], ...] = (
        policy.caps, policy.limit_rows, policy.price_rows, policy.tier_rows,
    )  # fmt: skip
    for rows in tables:
        for row in rows:
            yield from row.when
    for period in policy.subsidies:
        yield period.days


# --- what must hold -----------------------------------------------------------------------------


def _broken(
    policy: Policy, cases: Sequence[Case], judgements: Sequence[Judgement]
) -> Iterator[str]:
    """Shares that do not add up, and neighbours of which the worse one fares better."""
    for case, judgement in zip(cases, judgements, strict=True):
        tier = judgement.tier
        shares = tier.shares_percent
        place = f"tier[{_position(tier, policy.tier_rows)}]"
        if sum(shares.values()) != 100:
            yield f"{place}: shares sum to {sum(shares.values())}; they must sum to 100"
        if shares["bank"] < LEAST_BANK_PERCENT:
            yield f"{place}: the bank bears {shares['bank']} %; it must bear {LEAST_BANK_PERCENT}"
        mine = _merit(policy, judgement)
        for fact, better, worse, facts in _worse(policy, case.facts):
            theirs = _merit(policy, judged(policy, facts))
            for what, a, b in zip(MERITS, mine, theirs, strict=True):
                if b < a:
                    yield (
                        f"{case.place}: {fact} {worse} gets a better {what} than {better}; "
                        f"let no clause that asks for {fact} favour the worse"
                    )


def _merit(policy: Policy, judgement: Judgement) -> tuple[int, int, int, int]:
    """The less the better, in the order of MERITS."""
    return (
        OUTCOMES.index(judgement.outcome),
        -judgement.limit.limit_yuan,
        judgement.price.rate_bp,
        _position(judgement.tier, policy.tier_rows),
    )


def _worse(policy: Policy, facts: Facts) -> Iterator[tuple[str, Any, Any, Facts]]:
    """Neighbours that are worse in one fact alone: the fact, its value here and there, theirs."""
    score = facts["score"]
    floors = (score_of(policy, grade) for grade in SCORE_GRADES)
    below = [floor for floor in floors if floor < score]
    for lower in dict.fromkeys((score - 1, *below[:1])):
        yield "score", score, lower, {**facts, "score": lower}
    for fact, order in ORDERED.items():
        for better, worse in pairwise(order):
            if fact in facts and facts[fact] == better:
                yield fact, better, worse, {**facts, fact: worse}
