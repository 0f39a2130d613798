"""Stability: whether the people now are spread over the card's own bins as the development sample.

The PSI and what chance gives of it: `loansvc.metrics`. Half a case is added to every bin on both
sides, so that no share is 0. Bins in which the smaller sample would have fewer than five cases are
counted as one: the approximation needs five.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loansvc.metrics import chance_of_psi, critical_psi, psi, without_rare
from loansvc.training.validation.estimate import ALPHA, NOT_ENOUGH

FEWEST_CASES = 100  # on either side; with 50, a PSI of 0.20 is what no drift gives (DOMAIN 5)
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
    kept = without_rare(now.tolist(), then.tolist())
    n_bins = len(kept[0])
    if n_bins < 2:
        return Shift(name, n_bins, 0.0, None, None, points, NOT_SHIFTED)
    found = psi(*kept)
    critical = critical_psi(n_bins, n_now, n_then, alpha=ALPHA / n_tests)
    verdict = SHIFTED if found > critical else NOT_SHIFTED
    chance = chance_of_psi(found, n_bins, n_now, n_then)
    return Shift(name, n_bins, found, critical, chance, points, verdict)
