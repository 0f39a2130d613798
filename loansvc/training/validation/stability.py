"""Stability: whether the people now are spread over the card's own bins as the development sample.

    PSI = sum over bins of (share now - share then) x ln(share now / share then)

Its size under no drift depends on how many cases and bins there are, so it is held against what
chance gives, never against 0.10 or 0.25 alone: if nothing shifted, PSI is about chi-square with
one degree fewer than bins, times (1 / n now + 1 / n then). Source: Yurdakul and Naranjo 2020
(J. Risk Model Validation 14(4)), after their proof for fixed bins.

Half a case is added to every bin on both sides, so that no share is 0. Bins in which the smaller
sample would have fewer than five cases are counted as one: the approximation needs five.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from loansvc.training.validation.estimate import ALPHA, NOT_ENOUGH

FEWEST_CASES = 100  # on either side; with 50, a PSI of 0.20 is what no drift gives (DOMAIN 5)
FEWEST_EXPECTED = 5.0  # cases in a bin of the smaller sample, for chi-square (Cochran)
SMOOTHING = 0.5  # cases added to every bin
SCORE_BINS = 10  # of equally many cases of the development sample
SHIFTED, NOT_SHIFTED = "shifted", "not shifted"


@dataclass(frozen=True, slots=True)
class Shift:
    """One distribution now and then. `n_bins`: those left after rare ones are counted as one.

    `critical`: the PSI that chance exceeds in 5 percent of samples, for all rows of one kind
    together. `points`: how far it moved the mean score.
    """

    name: str
    n_bins: int
    psi: float | None
    critical: float | None
    p: float | None
    points: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Stability:
    """The score, and each characteristic on the card's own bins."""

    n_now: int
    n_then: int
    score: Shift
    characteristics: tuple[Shift, ...]


def stability(
    scores: tuple[NDArray[Any], NDArray[Any]],
    slots: Sequence[tuple[str, NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]],
) -> Stability:
    """Of scores now and then, and per characteristic: slots now, slots then, points by slot."""
    now, then = scores
    bins = _by_decile(now, then)
    moved = float(now.mean() - then.mean())
    return Stability(
        n_now=len(now),
        n_then=len(then),
        score=shift("score", *bins, points=moved, n_tests=1),
        characteristics=tuple(_of_slots(*row, n_tests=len(slots)) for row in slots),
    )


def _by_decile(now: NDArray[Any], then: NDArray[Any]) -> list[NDArray[np.int64]]:
    """Counts now and then, in bins of equally many cases then; equal scores share one."""
    inner = np.linspace(0, 1, SCORE_BINS + 1)[1:-1]
    cuts = np.unique(np.quantile(then, inner))
    size = len(cuts) + 1
    return [np.bincount(np.searchsorted(cuts, s, side="right"), minlength=size)
            for s in (now, then)]  # fmt: skip


def _of_slots(
    name: str, now: NDArray[np.intp], then: NDArray[np.intp], points: NDArray[np.int64],
    *, n_tests: int,
) -> Shift:  # fmt: skip
    counts = [np.bincount(s, minlength=len(points)) for s in (now, then)]
    shares = [c / max(c.sum(), 1) for c in counts]
    return shift(name, *counts, points=float((shares[0] - shares[1]) @ points), n_tests=n_tests)


def shift(
    name: str, now: NDArray[Any], then: NDArray[Any], *, points: float = 0.0, n_tests: int = 1
) -> Shift:
    """The PSI of two lines of counts over the same bins, and its verdict."""
    n_now, n_then = int(now.sum()), int(then.sum())
    if min(n_now, n_then) < FEWEST_CASES:
        return Shift(name, 0, None, None, None, points, NOT_ENOUGH)
    now, then = without_rare(now, then)
    if len(now) < 2:
        return Shift(name, len(now), 0.0, None, None, points, NOT_SHIFTED)
    found, scale = psi(now, then), 1 / n_now + 1 / n_then
    degrees = len(now) - 1
    critical = critical_psi(len(now), n_now, n_then, alpha=ALPHA / n_tests)
    verdict = SHIFTED if found > critical else NOT_SHIFTED
    return Shift(
        name, len(now), found, critical, float(chi2.sf(found / scale, degrees)), points, verdict
    )


def psi(now: NDArray[Any], then: NDArray[Any]) -> float:
    """The population stability index of two lines of counts, half a case added to every bin.

    >>> round(psi(np.array([300, 700]), np.array([500, 500])), 3)
    0.169
    """
    a, b = (c + SMOOTHING for c in (now, then))
    a, b = a / a.sum(), b / b.sum()
    return float(((a - b) * np.log(a / b)).sum())


def critical_psi(n_bins: int, n_now: int, n_then: int, *, alpha: float = ALPHA) -> float:
    """The PSI that samples of one population exceed with chance `alpha`.

    >>> round(critical_psi(10, 200, 2_000), 3), round(critical_psi(10, 1_000, 2_000), 3)
    (0.093, 0.025)
    """
    return float(chi2.isf(alpha, n_bins - 1) * (1 / n_now + 1 / n_then))


def without_rare(
    now: NDArray[Any], then: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The counts with all rare bins as one; a rest that is still rare joins the smallest bin."""
    both = np.array([now, then], dtype=np.float64)
    expected = both.sum(axis=0) * min(both.sum(axis=1)) / both.sum()
    rare = expected < FEWEST_EXPECTED
    kept, rest = both[:, ~rare], both[:, rare].sum(axis=1)
    if rest.sum() == 0:
        return kept[0], kept[1]
    if kept.shape[1] and expected[rare].sum() < FEWEST_EXPECTED:
        kept[:, int(np.argmin(expected[~rare]))] += rest
    else:
        kept = np.column_stack([kept, rest])
    return kept[0], kept[1]
