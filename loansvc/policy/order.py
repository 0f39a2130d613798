"""Order: what must hold between the clauses of a policy, checked once when it is read.

Merit: a better score grade, village rating, household grade or talent tier never worsens an
outcome, limit, rate or tier, so that `judge` need not think of it. Reach: every row can be the
first that fits and every rule can be the one that speaks; what is never read is a mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import combinations, pairwise, product
from typing import Any

from loansvc.application import GRADES, TALENT_TIERS
from loansvc.editions import Reader
from loansvc.policy import Policy
from loansvc.policy.rules import (
    DATE_FACTS,
    SCORE_GRADES,
    Rule,
    Test,
    all_hold,
    fact_range,
    fact_words,
    find,
)
from loansvc.policy.terms import first_match

# Facts with an order of merit, best first. "unrated" and "unknown" stand outside the order.
ORDERED = {
    "grade": SCORE_GRADES,
    "village_rating": GRADES,
    "household_grade": GRADES,
    "talent_tier": TALENT_TIERS,
}


MUST_ADMIT_BETTER = "must admit every grade better than one it admits; add "


def check_rule(rule: Rule, earlier: Sequence[Rule], table: Reader) -> None:
    """A rule asks for better values only, can ask for something, and says what no other says."""
    if any(rule.id == other.id for other in earlier):
        table.refuse("id", f"{rule.id} is used twice; give this rule an id of its own")
    for other in earlier:
        if (rule.requires, set(rule.when)) == (other.requires, set(other.when)):
            table.refuse("requires", f"asks the same of the same cases as {other.id}; keep one")
    if not closed(rule.requires, upward=True):
        table.refuse("requires", f"{MUST_ADMIT_BETTER}{missing([rule.requires], upward=True)}")
    if not all(closed(test, upward=False) for test in rule.when):
        table.refuse(
            "when",
            "must apply to every grade worse than one it applies to; "
            f"add {missing(rule.when, upward=False)}",
        )
    tests = [rule.requires, *rule.when]
    if all(find(rule, facts).outcome == "approve" for facts in representative_facts(tests)):
        table.refuse(
            "requires", "is met by every case it applies to, so the rule never speaks; remove it"
        )


def closed(test: Test, *, upward: bool) -> bool:
    """Whether a test on an ordered fact admits all that is better (worse) than what it admits."""
    order = ORDERED.get(test.fact)
    if order is None:
        return True
    admits = [word in (test.words or ()) for word in (order if upward else order[::-1])]
    return admits == sorted(admits, reverse=True)


def missing(tests: Iterable[Test], *, upward: bool) -> str:
    """The words that the first test which is not closed lacks, to be added."""
    test = next(t for t in tests if not closed(t, upward=upward))
    order = ORDERED[test.fact] if upward else ORDERED[test.fact][::-1]
    last = max(i for i, word in enumerate(order) if word in (test.words or ()))
    lacking = [word for word in order[:last] if word not in (test.words or ())]
    return f"{', '.join(lacking)} to {test.fact}"


def check_rows(rows: Sequence[Any], reader: Reader, key: str) -> None:
    """The last row is for everyone, and every row before it is the first that fits for someone."""
    if rows[-1].when:
        reader.refuse(
            key,
            "must end with a row for everyone, without `when`, `from` and `until`, or it leaves "
            "a gap; add one at the end",
        )
    if any(not row.when for row in rows[:-1]):
        reader.refuse(
            key,
            "has a row without `when` before the last, and rows after it are never read; "
            "move it to the end or give it a `when`",
        )
    reached = _reached(rows)
    for i in range(len(rows)):
        if i not in reached:
            reader.refuse(
                f"{key}[{i}]",
                "is never read: every case it is for is taken by a row above it; "
                "remove it, narrow a row above, or move it up",
            )


def _reached(rows: Sequence[Any]) -> set[int]:
    """The rows that are the first to fit for someone.

    Which rows fit is kept as one bit a row, fact by fact: the facts of a ladder have too many
    combinations to try each.
    """
    fitting = {(1 << len(rows)) - 1}
    for fact in {test.fact for row in rows for test in row.when}:
        of_fact = [[test for test in row.when if test.fact == fact] for row in rows]
        values = _representatives(fact, [test for tests in of_fact for test in tests])
        ways = {
            sum(1 << i for i, tests in enumerate(of_fact) if all_hold(tuple(tests), {fact: value}))
            for value in values
        }
        fitting = {before & way for before in fitting for way in ways}
    return {(bits & -bits).bit_length() - 1 for bits in fitting}  # the lowest bit: the first row


def check_order(policy: Policy, reader: Reader) -> None:
    """Along each ordered fact, the limit never rises and the spread never falls as it worsens."""
    tables: tuple[tuple[str, Any, str, int], ...] = (
        ("limit_row", policy.limit_rows, "base_yuan", 1),
        ("price_row", policy.price_rows, "spread_bp", -1),
    )
    for key, rows, figure, sign in tables:
        tests = [test for row in rows for test in row.when]
        for fact, order in ORDERED.items():
            if not any(test.fact == fact for test in tests):
                continue
            for facts in representative_facts([t for t in tests if t.fact != fact]):
                found = [first_match(rows, {**facts, fact: word}) for word in order]
                for (better, above), (worse, below) in pairwise(zip(order, found, strict=True)):
                    a, b = getattr(above, figure), getattr(below, figure)
                    if sign * (a - b) < 0:
                        place, worse_place = (_place(key, rows, row) for row in (above, below))
                        more, less = ("lower", "raise") if sign > 0 else ("raise", "lower")
                        reader.refuse(
                            key,
                            f"gives {fact} {worse} a better {figure} than {better}: {worse_place} "
                            f"{b} against {place} {a}; {more} that of {worse_place}, or {less} "
                            f"that of {place}",
                        )


def _place(key: str, rows: Sequence[Any], row: Any) -> str:
    return f"{key}[{next(i for i, other in enumerate(rows) if other is row)}]"


def representative_facts(tests: Sequence[Test]) -> list[dict[str, Any]]:
    """One value of each fact for every way in which the tests can tell its values apart.

    >>> adult = Test("age_years", at_least=18)
    >>> sorted(str(facts["age_years"]) for facts in representative_facts([adult]))
    ['17', '19', 'None']
    """
    facts = sorted({t.fact for t in tests})
    choices = [_representatives(fact, [t for t in tests if t.fact == fact]) for fact in facts]
    return [dict(zip(facts, combination, strict=True)) for combination in product(*choices)]


def _representatives(fact: str, tests: list[Test]) -> list[Any]:
    told_apart = {tuple(t.holds({fact: c}) for t in tests): c for c in values_to_try(fact, tests)}
    return list(told_apart.values())


def values_to_try(fact: str, tests: Sequence[Test]) -> list[Any]:
    """Each bound of the tests and one step to either side, each word; first None, not known.

    Only what the fact can be: nothing below 0 for a number of days, say. A day is always known.

    >>> values_to_try("age_years", [Test("age_years", at_least=18)])
    [None, 17, 18, 19]
    """
    words = fact_words(fact)
    ends: list[Any] = [e for t in tests for e in (t.at_least, t.at_most) if e is not None]
    if fact in DATE_FACTS:
        return sorted({e + timedelta(days=d) for e in ends for d in (-1, 0, 1)})
    if fact == "groups":  # one may belong to several groups, or to none
        asked = sorted({w for t in tests for w in t.words or () if w in words})
        return [None, *(h for n in range(len(asked) + 1) for h in combinations(asked, n))]
    if words:
        return [None, *words]
    low, high = fact_range(fact)
    beside = sorted({e + d for e in ends for d in (-1, 0, 1) if low <= e + d <= high})
    return [None, *(beside or [low])]
