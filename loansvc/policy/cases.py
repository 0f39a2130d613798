"""Cases on which a policy is tried: the facts of its examples, some of them changed.

For every test of every clause: each bound and one step to either side of it, each word, and "not
known", while the other tests of the clause hold. For every row of a table: the case nearest to the
examples that reaches it. For every cell of the matrix: its grade and its rating. Facts are changed
one by one, so a case need not be an applicant who could exist (`amount_yuan` may change without
`unsecured_total_yuan`); a policy must answer it all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from loansvc.policy import Judgement, Policy, judge
from loansvc.policy.examples import ALWAYS_KNOWN
from loansvc.policy.order import values_to_try
from loansvc.policy.rules import DATE_FACTS, SCORE_GRADES, VILLAGE_RATINGS, Test, all_hold
from loansvc.policy.terms import Cap, Row

Facts = Mapping[str, Any]
NEVER_UNKNOWN = (*ALWAYS_KNOWN, *DATE_FACTS, "grade")


@dataclass(frozen=True, slots=True)
class Case:
    """Facts to judge, `score` and `lpr_bp` among them, and the clause they were made for."""

    place: str
    facts: Facts


def cases_of(policy: Policy, *, first_day: date) -> tuple[Case, ...]:
    """Every case a policy is tried on, each of its facts once, none before its first day."""
    found: dict[tuple[Any, ...], Case] = {}
    for case in _Maker(policy, first_day).cases():
        days = [case.facts[fact] for fact in DATE_FACTS]
        if days == sorted(days) and days[0] >= first_day:
            found.setdefault(tuple(sorted(case.facts.items())), case)
    return tuple(found.values())


def score_of(policy: Policy, grade: str) -> int:
    """The lowest score of a grade; for the last, the highest: no score is too low for it."""
    floors = dict(policy.grade_floors)
    return floors[grade] if grade != SCORE_GRADES[-1] else floors[SCORE_GRADES[-2]] - 1


@dataclass(frozen=True, slots=True)
class _Maker:
    policy: Policy
    first_day: date

    @property
    def _plain(self) -> Facts:
        return self.policy.example_facts

    def cases(self) -> Iterator[Case]:
        yield Case("example_facts", self._plain)
        yield from self._scores()
        yield from self._matrix()
        yield from self._rules()
        policy = self.policy
        tables: tuple[tuple[str, Sequence[Row]], ...] = (
            ("limit_row", policy.limit_rows),
            ("price_row", policy.price_rows),
            ("tier", policy.tier_rows),
        )
        for key, rows in tables:
            yield from self._rows(key, rows)
        yield from self._caps()
        yield from self._subsidies()
        yield from self._amounts()

    def _scores(self) -> Iterator[Case]:
        policy = self.policy
        floors = {floor for _, floor in policy.grade_floors[:-1]}
        for edge in sorted({*floors, policy.approve_at_least, policy.refer_at_least}):
            for score in (edge - 1, edge, edge + 1):
                yield Case("grade", {**self._plain, "score": score})

    def _matrix(self) -> Iterator[Case]:
        for grade in SCORE_GRADES:
            for rating in VILLAGE_RATINGS:
                facts = self._set(self._plain, {"grade": grade, "village_rating": rating})
                yield Case(f"limit_factor_percent.{grade}.{rating}", facts)

    def _rules(self) -> Iterator[Case]:
        for rule in self.policy.rules:
            applies = self._holding(self._plain, rule.when)
            yield from self._around(rule.id, applies, (rule.requires,))
            for not_met in self._around(rule.id, applies, (rule.requires,)):
                if rule.requires.holds(self._graded(not_met.facts)) is False:
                    yield from self._around(rule.id, not_met.facts, rule.when)
                    break

    def _rows(self, key: str, rows: Sequence[Row]) -> Iterator[Case]:
        for i, facts in self._reaching(rows).items():
            yield Case(f"{key}[{i}]", facts)
            yield from self._around(f"{key}[{i}]", facts, rows[i].when)

    def _caps(self) -> Iterator[Case]:
        """On and one step beside the figure at which each cap begins to lower a limit."""
        starts = self._reaching(self.policy.limit_rows).values()
        # The largest factor and the smallest above 0: one cap may bind before another does.
        factors = {
            percent: {"grade": grade, "village_rating": rating}
            for grade, row in self.policy.factor_percent.items()
            for rating, percent in row.items()
            if percent
        }
        cells = [{}, *(factors[f] for f in {max(factors), min(factors)})] if factors else [{}]
        for cap in self.policy.caps:
            for start in starts:
                for facts in (self._set(start, cell) for cell in cells):
                    applies = self._holding(facts, cap.when)
                    for change in _about(cap, applies, self._limit(applies)[0]):
                        yield Case(cap.id, {**applies, **change})
            yield from self._around(cap.id, self._holding(self._plain, cap.when), cap.when)

    def _subsidies(self) -> Iterator[Case]:
        for i, period in enumerate(self.policy.subsidies):
            fact = period.days.fact
            for end in filter(None, (period.first_day, period.last_day)):
                for days in (-1, 0, 1):
                    day = end + timedelta(days=days)
                    yield Case(f"subsidy[{i}]", self._set(self._plain, {fact: day}))

    def _amounts(self) -> Iterator[Case]:
        """The limit and the smallest loan, and one yuan beside them."""
        limit_yuan = self._limit(self._plain)[1]
        for edge in {limit_yuan, self.policy.minimum_yuan} - {0}:
            for amount in (edge - 1, edge, edge + 1):
                if amount:
                    yield Case("limit", {**self._plain, "amount_yuan": amount})

    # --- facts ----------------------------------------------------------------------------------

    def _set(self, facts: Facts, changes: Facts) -> dict[str, Any]:
        """The facts with changes: a grade by its score, and no day before the one it follows."""
        changed = {**facts, **changes}
        grade = changed.pop("grade", None)
        if grade and self.policy.grade_for(changed["score"]) != grade:
            changed["score"] = score_of(self.policy, grade)
        for i, fact in enumerate(DATE_FACTS):
            if fact in changes:
                for earlier in DATE_FACTS[:i]:
                    changed[earlier] = min(changed[earlier], changed[fact])
                for later in DATE_FACTS[i + 1 :]:
                    changed[later] = max(changed[later], changed[fact])
        return changed

    def _graded(self, facts: Facts) -> dict[str, Any]:
        return {**facts, "grade": self.policy.grade_for(facts["score"])}

    def _holding(self, facts: Facts, tests: Iterable[Test]) -> dict[str, Any]:
        """The facts, changed only where one of the tests does not hold, to the first that does."""
        found = dict(facts)
        for test in tests:
            if not test.holds(self._graded(found)):
                holding = [v for v in self._values(test) if test.holds({test.fact: v})]
                if holding:  # none: its days had ended before the policy began
                    found = self._set(found, {test.fact: holding[0]})
        return found

    def _values(self, test: Test) -> list[Any]:
        """What to try for one test, without what the fact cannot be in a decision."""
        tried = values_to_try(test.fact, [test])
        if test.fact in DATE_FACTS:  # the first day stands for all days between two bounds
            return [*(day for day in tried if day > self.first_day), self.first_day]
        if test.fact == "groups":  # all combinations would be thousands
            return [held for held in tried if held is None or len(held) <= 1]
        return [v for v in tried if v is not None or test.fact not in NEVER_UNKNOWN]

    def _around(self, place: str, facts: Facts, tests: Iterable[Test]) -> Iterator[Case]:
        for test in tests:
            for value in self._values(test):
                yield Case(place, self._set(facts, {test.fact: value}))
                if test.fact == "groups" and value and facts.get("groups"):
                    both = tuple(dict.fromkeys((*facts["groups"], *value)))
                    yield Case(place, {**facts, "groups": both})

    def _reaching(self, rows: Sequence[Row]) -> dict[int, dict[str, Any]]:
        """For each row that a case can reach, the case with the fewest facts changed.

        Which rows fit is kept as one bit a row, fact by fact, with the cheapest changes that come
        to it: the facts of a ladder have too many combinations to try each.
        """
        every = (1 << len(rows)) - 1
        fitting: dict[int, dict[str, Any]] = {every: {}}
        for fact in sorted({test.fact for row in rows for test in row.when}):
            ways = self._ways(fact, rows)
            found: dict[int, dict[str, Any]] = {}
            for before, changes in fitting.items():
                for way, change in ways.items():
                    fits, both = before & way, changes | change
                    if fits not in found or len(both) < len(found[fits]):
                        found[fits] = both
            fitting = found
        reaching: dict[int, dict[str, Any]] = {}
        for fits, changes in sorted(fitting.items(), key=lambda item: len(item[1])):
            first = (fits & -fits).bit_length() - 1  # the lowest bit: the first row that fits
            reaching.setdefault(first, self._set(self._plain, changes))
        return dict(sorted(reaching.items()))

    def _ways(self, fact: str, rows: Sequence[Row]) -> dict[int, dict[str, Any]]:
        """The sets of rows that values of one fact let fit, each with the change that it takes."""
        of_fact = [[test for test in row.when if test.fact == fact] for row in rows]
        values = values_to_try(fact, [test for tests in of_fact for test in tests])
        if fact in DATE_FACTS:
            values = [day for day in values if day >= self.first_day]
        elif fact in NEVER_UNKNOWN:
            values = [value for value in values if value is not None]
        plain = self._graded(self._plain).get(fact)
        ways: dict[int, dict[str, Any]] = {}
        for value in (plain, *values):
            tried = {fact: value}
            way = sum(1 << i for i, tests in enumerate(of_fact) if all_hold(tests, tried))
            ways.setdefault(way, {} if value == plain else tried)
        return ways

    def _limit(self, facts: Facts) -> tuple[int, int]:
        """The limit before caps and the limit, in yuan."""
        limit = judged(self.policy, facts).limit
        return limit.before_caps_yuan, limit.limit_yuan


def judged(policy: Policy, facts: Facts) -> Judgement:
    """What the policy says of a case; the fund has room."""
    case = dict(facts)
    score, lpr_bp = case.pop("score"), case.pop("lpr_bp")
    return judge(policy, case, score=score, lpr_bp=lpr_bp, fund=None)


def _about(cap: Cap, facts: Facts, limit_yuan: int) -> Iterator[dict[str, Any]]:
    """Changes that put a cap's bound on the limit and one step below and above it."""
    yield {}
    if cap.percent_of == "matrix_limit_yuan":
        base: int | None = limit_yuan
    else:
        base = facts.get(cap.percent_of) if cap.percent_of else 0
    if cap.less is not None:
        yield {cap.less: None}
        room = cap.yuan + cap.percent * (base or 0) // 100 - limit_yuan
        yield from ({cap.less: n} for n in (room - 1, room, room + 1) if n >= 0)
    if cap.percent_of not in (None, "matrix_limit_yuan"):
        assert cap.percent_of is not None
        yield {cap.percent_of: None}
        taken = (facts.get(cap.less) or 0) if cap.less else 0
        enough = -(-100 * (limit_yuan + taken - cap.yuan) // cap.percent)
        yield from ({cap.percent_of: n} for n in (enough - 1, enough, enough + 1) if n >= 0)
