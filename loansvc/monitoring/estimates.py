"""Estimates: shares and the order of scores, with their intervals. Plain Python, no clock.

Every interval is of 95 percent. Scores are higher for safer cases.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from loansvc.metrics import wilson

Z_95 = 1.959964  # of a normal distribution, two-sided
FEWEST_OF_A_CLASS = 10  # fewer bad, or good, cases say nothing about an order; as a validation asks


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval."""

    value: float
    low: float
    high: float


def share(k: int, n: int) -> Estimate | None:
    """`k` of `n`, by Wilson's score interval; None of nothing.

    >>> share(0, 0) is None, share(3, 3).high
    (True, 1.0)
    """
    return Estimate(k / n, *wilson(k, n)) if n else None


@dataclass(frozen=True, slots=True)
class Ginis:
    """How well two cards order the same cases, and by how much the second does so better."""

    first: Estimate
    second: Estimate
    difference: Estimate


def ginis(first: Sequence[int], second: Sequence[int], is_bad: Sequence[bool]) -> Ginis | None:
    """Gini (twice the AUC, less 1) of two scores of the same cases, paired; None of too few.

    A pair with equal scores counts half. Source: DeLong, DeLong and Clarke-Pearson 1988
    (Biometrics 44:837); both variances are of the placements of bad and of good cases.
    """
    n_bad = sum(is_bad)
    if min(n_bad, len(is_bad) - n_bad) < FEWEST_OF_A_CLASS:
        return None
    a, b = (_placements(scores, is_bad) for scores in (first, second))
    less = tuple(
        [y - x for x, y in zip(one, other, strict=True)] for one, other in zip(a, b, strict=True)
    )
    return Ginis(
        _gini(a, mean=2 * _mean(a[0]) - 1),
        _gini(b, mean=2 * _mean(b[0]) - 1),
        _gini(less, mean=2 * _mean(less[0])),
    )


def _placements(scores: Sequence[int], is_bad: Sequence[bool]) -> tuple[list[float], list[float]]:
    """For each bad case the share of good ones above it, for each good case of bad ones below."""
    bad = sorted(s for s, b in zip(scores, is_bad, strict=True) if b)
    good = sorted(s for s, b in zip(scores, is_bad, strict=True) if not b)
    above, below = [], []
    for score, is_bad_one in zip(scores, is_bad, strict=True):
        others = good if is_bad_one else bad
        under = (bisect_left(others, score) + bisect_right(others, score)) / 2 / len(others)
        if is_bad_one:
            above.append(1 - under)
        else:
            below.append(under)
    return above, below


def _gini(placements: Sequence[Sequence[float]], *, mean: float) -> Estimate:
    error = sqrt(sum(_variance(part) / len(part) for part in placements))
    spread = 2 * Z_95 * error
    return Estimate(mean, max(mean - spread, -2.0), min(mean + spread, 2.0))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    middle = _mean(values)
    return sum((v - middle) ** 2 for v in values) / (len(values) - 1)
