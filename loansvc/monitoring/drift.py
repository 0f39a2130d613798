"""Drift: whether those who apply now are like those before, on the bins of the card itself.

Held side by side are sums: how many stood in each bin, had each score, came from each village. All
tests of a run share one alpha (Holm): where nothing changed, at most alpha of runs show a shift.
The change of the mean score is split by characteristic and village in fractions, so that it adds up
to the last digit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from loansvc.decision import Case
from loansvc.metrics import (
    chance_of_psi,
    chance_of_two_shares,
    critical_psi,
    holm,
    psi,
    without_rare,
)
from loansvc.scorecard import Scorecard

# Of a run of 26 characteristics, too. With 5, some 6 percent of the runs on 100 cases that nothing
# had changed showed drift in place of 5 (tests/unit/test_monitoring_drift.py).
FEWEST_EXPECTED = 10.0
SCORE_BANDS = 10  # of equally many cases of the reference
SCORE, CHARACTERISTIC, MISSING, APPROVAL = "score", "characteristic", "missing", "approval"


@dataclass(slots=True)
class Sums:
    """People one card scored: how many there were in each bin, with each score, of each village.

    `bins`: by characteristic, a number for each bin; `points`: by characteristic, in all.
    `scores` and the villages are empty, where the card's own training is meant.
    """

    bins: dict[str, list[int]] = field(default_factory=dict)
    points: Counter[str] = field(default_factory=Counter)
    base_points: int = 0
    n: int = 0
    approved: int = 0
    scores: Counter[int] = field(default_factory=Counter)
    villages: Counter[str] = field(default_factory=Counter)
    village_points: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, card: Scorecard, *, approved: bool) -> None:
        """Count one person."""
        self.base_points = card.base_points
        self.n += 1
        self.approved += approved
        self.scores[case.score] += 1
        self.villages[case.standing.code] += 1
        self.village_points[case.standing.code] += case.standing.points
        for one, bin_ in zip(card.characteristics, case.bins, strict=True):
            counts = self.bins.setdefault(one.name, [0] * len(one.bins))
            counts[one.slot_of(case.values[one.name])] += 1
            self.points[one.name] += bin_.points

    def mean_points(self, name: str) -> Fraction:
        """Mean points of a characteristic."""
        return Fraction(self.points[name], sum(self.bins[name])) if name in self.bins else ZERO

    @property
    def mean_score(self) -> Fraction:
        """The mean score; without the village where none is known."""
        points = sum((self.mean_points(name) for name in self.bins), ZERO)
        return self.base_points + points + sum(map(self.mean_of_village, self.villages), ZERO)

    def mean_of_village(self, code: str) -> Fraction:
        """What the points of a village add to the mean score of all."""
        return Fraction(self.village_points[code], self.n) if self.n else ZERO


ZERO = Fraction()


def of_training(card: Scorecard) -> Sums | None:
    """The people a card was trained on, as far as it states them; None where it does not."""
    bins = {c.name: [b.n for b in c.bins] for c in card.characteristics}
    if not all(map(sum, bins.values())):
        return None
    points = {c.name: sum(b.n * b.points for b in c.bins) for c in card.characteristics}
    return Sums(bins=bins, points=Counter(points), base_points=card.base_points,
                n=max(map(sum, bins.values())))  # fmt: skip


# --- tests ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One distribution now and then. `chance`: of so much or more, if nothing changed.

    `adjusted`: that chance beside all tests of the run. `psi` and `critical` (at alpha, for this
    test alone) of a score or characteristic, `share` and `share_then` of a share of the people.
    `is_over`: more than chance, and enough to matter.
    """

    kind: str
    name: str
    chance: float
    adjusted: float = 1.0
    psi: float | None = None
    critical: float | None = None
    share: float | None = None
    share_then: float | None = None
    is_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`alpha` for all tests of a run together, and what is too little to matter.

    `least_psi`; `least_points`: percentage points of a share. `fewest`: cases, on either side.
    """

    alpha: float
    least_psi: float
    least_points: float
    fewest: int


def comparisons(now: Sums, then: Sums, card: Scorecard, bounds: Bounds) -> Iterator[Comparison]:
    """The tests of one month against the reference; none of too few cases."""
    if min(now.n, then.n) < bounds.fewest:
        return
    if then.scores:
        yield _of_counts(SCORE, SCORE, *_bands(now.scores, then.scores), bounds)
        yield _of_share(APPROVAL, APPROVAL, (now.approved, now.n), (then.approved, then.n))
    for one in card.characteristics:
        a, b = now.bins[one.name], then.bins[one.name]
        yield _of_counts(CHARACTERISTIC, one.name, a, b, bounds)
        yield _of_share(MISSING, one.name, (a[one.missing], sum(a)), (b[one.missing], sum(b)))


def _bands(now: Mapping[int, int], then: Mapping[int, int]) -> tuple[list[int], list[int]]:
    """Counts in bands of equally many cases then; equal scores share one."""
    below, cuts = 0, list[int]()
    for score in sorted(then):
        if below * SCORE_BANDS >= (len(cuts) + 1) * sum(then.values()):
            cuts.append(score)
        below += then[score]

    def counted(scores: Mapping[int, int]) -> list[int]:
        counts = [0] * (len(cuts) + 1)
        for score, n in scores.items():
            counts[bisect_right(cuts, score)] += n
        return counts

    return counted(now), counted(then)


def _of_counts(
    kind: str, name: str, now: Sequence[int], then: Sequence[int], bounds: Bounds
) -> Comparison:
    n, n_then = sum(now), sum(then)
    a, b = without_rare(now, then, fewest=FEWEST_EXPECTED)
    if len(a) < 2:
        return Comparison(kind=kind, name=name, chance=1.0, psi=0.0)
    found = psi(a, b)
    return Comparison(
        kind=kind, name=name, psi=found, chance=chance_of_psi(found, len(a), n, n_then),
        critical=critical_psi(len(a), n, n_then, alpha=bounds.alpha),
    )  # fmt: skip


def _of_share(kind: str, name: str, now: tuple[int, int], then: tuple[int, int]) -> Comparison:
    return Comparison(
        kind=kind, name=name, chance=chance_of_two_shares(*now, *then),
        share=now[0] / now[1], share_then=then[0] / then[1],
    )  # fmt: skip


def judged(tests: Sequence[Comparison], bounds: Bounds) -> list[Comparison]:
    """The same tests beside one another: which are over."""
    adjusted = holm([test.chance for test in tests])
    return [
        replace(test, adjusted=chance, is_over=chance < bounds.alpha and _matters(test, bounds))
        for test, chance in zip(tests, adjusted, strict=True)
    ]


def _matters(test: Comparison, bounds: Bounds) -> bool:
    if test.psi is not None:
        return test.psi >= bounds.least_psi
    assert test.share is not None
    assert test.share_then is not None
    return 100 * abs(test.share - test.share_then) >= bounds.least_points


# --- what moved the mean score --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The mean score now and then, and what moved it: the parts add up to the change exactly.

    `base`: of the cards, where they are two; `characteristics` and `villages`: points by name and
    code. Where the reference knows no villages, now is without their points, too.
    """

    now: Fraction
    then: Fraction
    base: Fraction
    characteristics: Mapping[str, Fraction]
    villages: Mapping[str, Fraction]

    @property
    def change(self) -> Fraction:
        """How far the mean score moved."""
        return self.now - self.then


def move(now: Sums, then: Sums) -> Move:
    """What moved the mean score; each part is a mean now less the mean then.

    Of one card it is the sum over bins of (share now - share then) x points; of a village, its
    share of the people times its points, now less then.
    """
    if not then.villages:
        now = replace(now, villages=Counter(), village_points=Counter())
    return Move(
        now=now.mean_score,
        then=then.mean_score,
        base=Fraction(now.base_points - then.base_points),
        characteristics={
            name: now.mean_points(name) - then.mean_points(name)
            for name in _either(now.bins, then.bins)
        },
        villages={
            code: now.mean_of_village(code) - then.mean_of_village(code)
            for code in _either(now.villages, then.villages)
        },
    )


def _either(now: Iterable[str], then: Iterable[str]) -> list[str]:
    return sorted({*now, *then})
