"""Obstacles: what keeps a case from a better outcome, and where along a lever anything can change.

Both only save decisions. What they leave out cannot change the outcome; what they let through is
decided again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import Any

from loansvc.decision import Case, Editions
from loansvc.policy import OUTCOMES, Judgement, Policy, Test, judge
from loansvc.policy.terms import Row
from loansvc.remedies.lever import Lever, Setting
from loansvc.scorecard import Scorecard

EVERY_STEP = 12  # a lever with no more steps than this is tried at each of them


def good_enough(outcome: str, target: str) -> bool:
    """Whether an outcome is the target or better."""
    return OUTCOMES.index(outcome) <= OUTCOMES.index(target)


def score_asked(policy: Policy, target: str) -> int:
    """The least score at which the cut-off lets the target be."""
    return policy.approve_at_least if target == "approve" else policy.refer_at_least


# --- what stands in the way -----------------------------------------------------------------------


def most_points(case: Case, card: Scorecard, moved: Set[str]) -> int:
    """Points gained if each of these characteristics stood in its best bin: the most there is."""
    return sum(
        max(b.points for b in characteristic.bins) - bin_.points
        for characteristic, bin_ in zip(card.characteristics, case.bins, strict=True)
        if characteristic.name in moved
    )


def could(case: Case, policy: Policy, target: str, moved: Set[str], most: int) -> bool:
    """False only where these facts, and at most so many points more, cannot bring the target.

    A better score never worsens anything (`policy/order.py`): what still stands in the way at the
    best score within reach does so at every lower one.
    """
    if case.score + most < score_asked(policy, target):
        return False
    reached = moved | {"grade"} if most > 0 else moved
    if any(reached.isdisjoint(facts) for facts in _obstacles(case.judgement, policy, target)):
        return False
    if most <= 0:
        return True
    lpr_bp = case.judgement.price.lpr_bp
    best = judge(policy, case.facts, score=case.score + most, lpr_bp=lpr_bp, fund=case.fund)
    return not any(moved.isdisjoint(facts) for facts in _obstacles(best, policy, target))


def _obstacles(judgement: Judgement, policy: Policy, target: str) -> Iterator[Set[str]]:
    """For each thing but the cut-off that asks for less: the facts of which one must move."""
    for finding in judgement.findings:
        if not good_enough(finding.outcome, target):
            yield _facts((finding.rule.requires, *finding.rule.when))
    if target != "approve":
        return
    if judgement.below_minimum:
        yield {"amount_yuan"}
    # A grade without any limit is none "above the limit", but 0 is below every amount.
    if judgement.above_limit or judgement.limit.limit_yuan == 0:
        caps = {f for cap in policy.caps for f in (cap.percent_of, cap.less) if f is not None}
        rows: tuple[Row, ...] = (*policy.limit_rows, *policy.caps)
        tests = [test for row in rows for test in row.when]
        yield {"amount_yuan", "grade", "village_rating"} | caps | _facts(tests)
    if judgement.tier.tier == "GX":
        yield {"amount_yuan"} | _facts(t for row in policy.tier_rows for t in row.when)


def _facts(tests: Iterable[Test]) -> set[str]:
    return {test.fact for test in tests}


def settled(judgement: Judgement, target: str) -> bool:
    """Whether all but limit and guarantee is good enough: those two alone go yuan by yuan."""
    asked = [judgement.score_outcome, *(f.outcome for f in judgement.findings)]
    return not judgement.below_minimum and all(good_enough(outcome, target) for outcome in asked)


# --- where anything can change --------------------------------------------------------------------


def edges_of(editions: Editions) -> dict[str, list[int]]:
    """By fact, every whole number at which a bin of the card or a test of the policy begins.

    Prices are left out: no outcome depends on them.
    """
    policy = editions.policy.content
    found: dict[str, set[int]] = {"amount_yuan": {policy.minimum_yuan}}
    for characteristic in editions.scorecard.content.characteristics:
        edges = found.setdefault(characteristic.name, set())
        edges.update(int(cut) for cut in characteristic.cuts)
        codes = [int(code) for code in characteristic.index if not isinstance(code, str)]
        edges.update(edge for code in codes for edge in (code, code + 1))
    rows: tuple[Row, ...] = (*policy.limit_rows, *policy.caps, *policy.tier_rows, *policy.rules)
    tests = [test for row in rows for test in row.when]
    for test in (*tests, *(rule.requires for rule in policy.rules)):
        edges = found.setdefault(test.fact, set())
        if isinstance(test.at_least, int):
            edges.add(test.at_least)
        if isinstance(test.at_most, int):
            edges.add(test.at_most + 1)
    return {fact: sorted(edges) for fact, edges in found.items() if edges}


def stretches(
    lever: Lever, setting: Setting, steps: Sequence[Any], edges: Mapping[str, Sequence[int]]
) -> list[range]:
    """The steps of a lever in stretches within which no bin and no test changes, in order.

    Found by halving: a fact that follows a lever goes one way, so that between two steps with the
    same place among its edges there is none with another.
    """
    if len(steps) <= EVERY_STEP:
        return [range(i, i + 1) for i in range(len(steps))]
    facts = [name for name in lever.moves if name in edges]

    def places(step: int) -> list[int]:
        values = lever.move(setting, steps[step]).values(facts)
        return [_place(values[name], edges[name]) for name in facts]

    def split(low: int, at_low: list[int], high: int, at_high: list[int]) -> Iterator[int]:
        """Every step after `low`, up to `high`, at which some place changes."""
        if at_low == at_high:
            return
        if high - low == 1:
            yield high
            return
        middle = (low + high) // 2
        at_middle = places(middle)
        yield from split(low, at_low, middle, at_middle)
        yield from split(middle, at_middle, high, at_high)

    last = len(steps) - 1
    starts = [0, *split(0, places(0), last, places(last)), len(steps)]
    return [range(a, b) for a, b in pairwise(starts)]


def _place(value: int | None, edges: Sequence[int]) -> int:
    """How many edges lie at or below the value; one that is not known has a place of its own."""
    return -1 if value is None else bisect_right(edges, value)
