"""Segments: bad cases against those the card expected, in each part of a sample.

A verdict is given at 5 percent for all parts of one kind together (Bonferroni), so that a right
card is faulted in one report of twenty, not in one village of twenty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from loansvc.training.validation.estimate import (
    ALPHA,
    NOT_ENOUGH,
    Estimate,
    jeffreys,
    observed_to_expected,
    p_of_share,
)

FEWEST_CASES = 30  # as for a bin of the card
FEWEST_BAD = 3.0  # expected: with fewer, no bad case at all is no surprise (chance above 5 %)
AS_EXPECTED, MORE_BAD, FEWER_BAD = (
    "as expected",
    "more bad than expected",
    "fewer bad than expected",
)


@dataclass(frozen=True, slots=True)
class Segment:
    """One part: how many, how many bad, and what the card expected.

    `n` counts cases whose outcome is known. `auc` None: too few cases of a class, or not asked.
    """

    name: str
    n: int
    n_bad: int
    expected_bad: float
    variance: float  # of the bad cases, if the card is right
    bad_rate: Estimate | None
    mean_pd: float | None
    observed_to_expected: Estimate | None
    p: float | None
    verdict: str
    auc: Estimate | None = None


def segment_of(name: str, pd: NDArray[np.float64], is_bad: NDArray[np.bool_]) -> Segment:
    """One part before it is judged beside the others."""
    n, n_bad, expected = len(pd), int(is_bad.sum()), float(pd.sum())
    return Segment(
        name=name,
        n=n,
        n_bad=n_bad,
        expected_bad=expected,
        variance=float((pd * (1 - pd)).sum()),
        bad_rate=jeffreys(n_bad, n),
        mean_pd=expected / n if n else None,
        observed_to_expected=observed_to_expected(n_bad, n, expected),
        p=p_of_share(n_bad, n, expected / n) if has_enough(n, expected) else None,
        verdict=NOT_ENOUGH,
    )


def has_enough(n: int, expected_bad: float) -> bool:
    """Whether a part is large enough to judge. What happened has no say in that."""
    return n >= FEWEST_CASES and expected_bad >= FEWEST_BAD


def judged(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """The parts with their verdicts, each at its share of 5 percent."""
    listed = list(segments)
    n_tests = sum(s.p is not None for s in listed)
    return tuple(replace(s, verdict=_verdict(s, n_tests)) for s in listed)


def _verdict(of: Segment, n_tests: int) -> str:
    if of.p is None:
        return NOT_ENOUGH
    if of.p * n_tests >= ALPHA:
        return AS_EXPECTED
    return MORE_BAD if of.n_bad > of.expected_bad else FEWER_BAD


@dataclass(frozen=True, slots=True)
class Spread:
    """How far parts are apart once their common level is taken out.

    `p`: chance of that if the card is right up to one level; `sd`: between parts, in log-odds, by
    moments (DerSimonian and Laird's), 0 where chance alone gives as much.
    """

    chi2: float
    degrees: int
    p: float
    sd: float


def spread_of(parts: Iterable[Segment]) -> Spread | None:
    """Of the parts with enough data; None of fewer than two."""
    enough = [s for s in parts if s.p is not None and s.expected_bad > 0]
    bad, expected, variance = (
        np.array([getattr(s, name) for s in enough], dtype=np.float64)
        for name in ("n_bad", "expected_bad", "variance")
    )
    if len(enough) < 2 or not bad.sum():
        return None
    level = bad.sum() / expected.sum()
    statistic = float(((bad - level * expected) ** 2 / (level * variance)).sum())
    degrees = len(enough) - 1
    weight = level * variance
    room = weight.sum() - (weight**2).sum() / weight.sum()
    sd = float(np.sqrt(max(0.0, statistic - degrees) / room))
    return Spread(statistic, degrees, float(chi2.sf(statistic, degrees)), sd)


def segments(
    labels: NDArray[Any], order: Sequence[str], pd: NDArray[np.float64], is_bad: NDArray[np.bool_]
) -> tuple[Segment, ...]:
    """Each part in this order. `labels` are places in `order`; -1 belongs to none."""
    by_label = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[by_label], np.arange(len(order) + 1))
    rows = [by_label[starts[i] : starts[i + 1]] for i in range(len(order))]
    return judged(segment_of(n, pd[at], is_bad[at]) for n, at in zip(order, rows, strict=True))
