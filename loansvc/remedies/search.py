"""Search: which levers, by how little, bring a case to a better outcome.

Bins and tests cut the steps of a lever into stretches. Within a stretch only limit and guarantee
can still change, and they give way once: so the first step that is good enough is found exactly, by
deciding again at the ends of stretches and halving one of them. (A cap that takes a share of the
amount asked for itself could give way twice; what is found is then verified, not the nearest.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from loansvc.decision import Case, Exposure, weigh
from loansvc.policy import OUTCOMES, Policy
from loansvc.remedies.lever import Lever, Setting
from loansvc.remedies.levers import LEVERS
from loansvc.remedies.obstacles import (
    could,
    edges_of,
    good_enough,
    most_points,
    score_asked,
    settled,
    stretches,
)
from loansvc.scorecard import Scorecard

MOST_DECISIONS = 1_000  # so that an answer takes tens of milliseconds whatever the case
Moves = tuple[tuple[Lever, Any], ...]


class EnoughTried(Exception):
    """As many decisions were made as an answer may take: no error, the search ends."""


@dataclass(frozen=True, slots=True)
class Track:
    """A lever from where it stands: its steps, in stretches, and the points each gains or costs."""

    steps: Sequence[Any]
    stretches: list[range]
    points: list[int]


@dataclass(slots=True)
class Search:
    """One case that is not approved, and what was worked out about it on the way."""

    start: Setting
    case: Case
    exposure: Exposure
    n_decided: int = 0
    edges: dict[str, list[int]] = field(init=False)
    usable: list[Lever] = field(init=False)
    tracks: dict[str, Track] = field(default_factory=dict)
    moved_once: dict[tuple[str, Any], Case] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.edges = edges_of(self.start.editions)
        given = self.start.application.consent.scopes
        self.usable = [
            lever for lever in LEVERS
            if (lever.scope is None or lever.scope in given) and lever.steps(self.start)
        ]  # fmt: skip

    @property
    def _policy(self) -> Policy:
        return self.start.editions.policy.content

    @property
    def _card(self) -> Scorecard:
        return self.start.editions.scorecard.content

    def run(self) -> Iterator[Moves]:
        """Moves to a better outcome, in the order in which they are listed, no lever twice.

        Raises:
            EnoughTried: the rest would take too long.
        """
        used: set[str] = set()
        for target in OUTCOMES[: OUTCOMES.index(self.case.judgement.outcome)]:
            for moves in self._singles(target, used):
                used.add(moves[0][0].about)
                yield moves
            if used:
                continue  # two changes only where no single one will do
            for moves in self._pairs(target, used):
                used.update(lever.about for lever, _ in moves)
                yield moves

    def _singles(self, target: str, used: set[str]) -> Iterator[Moves]:
        for lever in self.usable:
            if lever.about in used:
                continue
            value = self._smallest(lever, self.start, self.case, target)
            if value is not None:
                yield ((lever, value),)

    # --- one lever --------------------------------------------------------------------------------

    def _smallest(
        self,
        lever: Lever,
        setting: Setting,
        case: Case,
        target: str,
        *,
        beside: Lever | None = None,
    ) -> Any | None:
        """The nearest value of a lever that gives the target or better, or None.

        `beside`: the lever that was moved before, from start to `setting`.
        """
        most = most_points(case, self._card, lever.moves)
        if not could(case, self._policy, target, lever.moves, most):
            return None
        track = self._track(lever, setting, beside)
        most = max(track.points, default=0)
        if not could(case, self._policy, target, lever.moves, most):
            return None
        asked = score_asked(self._policy, target)
        for stretch, points in zip(track.stretches, track.points, strict=True):
            if case.score + points < asked:
                continue
            step = self._first_good(lever, setting, track.steps, stretch, target)
            if step is not None:
                return track.steps[step]
        return None

    def _first_good(
        self, lever: Lever, setting: Setting, steps: Sequence[Any], stretch: range, target: str
    ) -> int | None:
        """The first good step of a stretch."""

        def moved(step: int) -> Case:
            return self._weigh(lever.move(setting, steps[step]))

        def good(step: int) -> bool:
            return good_enough(moved(step).judgement.outcome, target)

        first = moved(stretch[0]).judgement
        if good_enough(first.outcome, target):
            return stretch[0]
        # Only limit and guarantee may still give way, and they do so once along a stretch.
        if len(stretch) == 1 or not settled(first, target) or not good(stretch[-1]):
            return None
        return stretch[bisect_left(stretch, True, key=good)]

    def _track(self, lever: Lever, setting: Setting, beside: Lever | None) -> Track:
        """The same as from the start where the lever moved before moves none of the same facts."""
        apart = beside is None or beside.moves.isdisjoint(lever.moves)
        if apart and lever.name in self.tracks:
            return self.tracks[lever.name]
        steps = lever.steps(setting)
        parts = stretches(lever, setting, steps, self.edges)
        scored = [c for c in self._card.characteristics if c.name in lever.moves]
        track = Track(steps, parts, [0] * len(parts))
        if scored:
            before = _points(scored, setting)
            ends = (lever.move(setting, steps[part[0]]) for part in parts)
            track = Track(steps, parts, [_points(scored, end) - before for end in ends])
        if apart:
            self.tracks[lever.name] = track
        return track

    def _weigh(self, setting: Setting) -> Case:
        if self.n_decided == MOST_DECISIONS:
            raise EnoughTried
        self.n_decided += 1
        return weigh(setting.application, setting.editions, self.exposure)

    # --- two levers -------------------------------------------------------------------------------

    def _pairs(self, target: str, used: set[str]) -> Iterator[Moves]:
        for first, second in combinations(self.usable, 2):
            if first.about == second.about or {first.about, second.about} & used:
                continue
            moved = first.moves | second.moves
            most = most_points(self.case, self._card, moved)
            if not could(self.case, self._policy, target, moved, most):
                continue
            if self._useful(second, first, target) and (moves := self._pair(first, second, target)):
                yield moves

    def _useful(self, lever: Lever, other: Lever, target: str) -> bool:
        """False only where no step of the lever leaves what the other could still put right.

        At the two ends of each stretch: what limit and guarantee hold up at both, they do between.
        """
        if not lever.moves.isdisjoint(other.moves):
            return True
        most = max(self._track(other, self.start, None).points)
        track = self._track(lever, self.start, None)
        return any(
            could(self._moved(lever, track.steps[step]), self._policy, target, other.moves, most)
            for stretch in track.stretches
            for step in dict.fromkeys((stretch[0], stretch[-1]))
        )

    def _moved(self, lever: Lever, value: Any) -> Case:
        """The case with this lever alone moved, weighed once."""
        key = (lever.name, value)
        if key not in self.moved_once:
            self.moved_once[key] = self._weigh(lever.move(self.start, value))
        return self.moved_once[key]

    def _pair(self, first: Lever, second: Lever, target: str) -> Moves | None:
        """The first step of the first beside which one of the second will do; then both settled."""
        track = self._track(first, self.start, None)
        apart = first.moves.isdisjoint(second.moves)
        most = max(self._track(second, self.start, None).points) if apart else None
        asked = score_asked(self._policy, target)
        for stretch, points in zip(track.stretches, track.points, strict=True):
            if most is not None and self.case.score + points + most < asked:
                continue
            for step in dict.fromkeys((stretch[0], stretch[-1])):
                a = track.steps[step]
                setting, case = first.move(self.start, a), self._moved(first, a)
                b = self._smallest(second, setting, case, target, beside=first)
                if b is not None:
                    return self._settle(first, a, second, b, target)
        return None

    def _settle(self, first: Lever, a: Any, second: Lever, b: Any, target: str) -> Moves:
        """Both changes as small as the other allows: each round can only make them smaller."""
        while True:
            before = (a, b)
            a = self._smallest_beside(first, second, b, target)
            b = self._smallest_beside(second, first, a, target)
            if (a, b) == before:
                return ((first, a), (second, b))

    def _smallest_beside(self, lever: Lever, other: Lever, value: Any, target: str) -> Any:
        setting = other.move(self.start, value)
        found = self._smallest(lever, setting, self._weigh(setting), target, beside=other)
        assert found is not None, "what sufficed together suffices again"
        return found


def _points(scored: Sequence[Any], setting: Setting) -> int:
    """The points of these characteristics of the card."""
    values = setting.values([c.name for c in scored])
    return sum(c.bin_of(values[c.name]).points for c in scored)
