"""Counts: good and bad cases by score, from which every figure of a whole-point card follows.

A card gives a few hundred different scores, and the PD is a table of the score. So a resample of
100,000 cases is a draw of counts, and no case is sorted twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loansvc.training.columns import pd_of


@dataclass(frozen=True, slots=True)
class Counts:
    """Different scores, ascending, and how many good and bad cases had each.

    `good` and `bad` are `(..., n_scores)`: one line of counts, or one for each resample.
    """

    scores: NDArray[np.int64]
    good: NDArray[np.int64]
    bad: NDArray[np.int64]

    @classmethod
    def of(cls, scores: NDArray[Any], is_bad: NDArray[np.bool_]) -> Counts:
        """Of these cases."""
        known, at = np.unique(np.asarray(scores, dtype=np.int64), return_inverse=True)
        size = len(known)
        bad = np.bincount(at[is_bad], minlength=size)
        return cls(known, np.bincount(at, minlength=size) - bad, bad)

    def resamples(self, n_resamples: int, rng: np.random.Generator) -> Counts:
        """So many samples of as many cases, drawn with replacement."""
        both = np.concatenate([self.good, self.bad])
        drawn = rng.multinomial(both.sum(), both / both.sum(), size=n_resamples)
        return Counts(self.scores, drawn[:, : len(self.scores)], drawn[:, len(self.scores) :])

    @property
    def n(self) -> Any:
        """All cases."""
        return self.good.sum(axis=-1) + self.bad.sum(axis=-1)

    @property
    def n_bad(self) -> Any:
        """The bad ones."""
        return self.bad.sum(axis=-1)

    @property
    def pd(self) -> NDArray[np.float64]:
        """The card's PD of each score."""
        return pd_of(self.scores)

    @property
    def log_odds_bad(self) -> NDArray[np.float64]:
        """ln(bad / good) as the card says, of each score."""
        pd = self.pd
        return np.asarray(np.log(pd / (1 - pd)))


def area(counts: Counts) -> Any:
    """The AUC: the chance that a bad case scores below a good one, ties half. NaN of one class.

    >>> of = Counts.of(np.array([580, 600, 600, 620]), np.array([True, True, False, False]))
    >>> float(area(of))
    0.875
    """
    good, bad = counts.good, counts.bad
    not_below = good.sum(axis=-1, keepdims=True) - np.cumsum(good, axis=-1) + 0.5 * good
    pairs = good.sum(axis=-1) * bad.sum(axis=-1).astype(np.float64)
    return _over((bad * not_below).sum(axis=-1), pairs)


def largest_gap(counts: Counts) -> Any:
    """The KS: the largest gap between the shares of bad and of good cases up to a score."""
    bad = _over(np.cumsum(counts.bad, axis=-1), counts.bad.sum(axis=-1, keepdims=True))
    good = _over(np.cumsum(counts.good, axis=-1), counts.good.sum(axis=-1, keepdims=True))
    return (bad - good).max(axis=-1)


def brier(counts: Counts) -> Any:
    """The mean squared error of the PD."""
    pd = counts.pd
    return (counts.bad @ (1 - pd) ** 2 + counts.good @ pd**2) / counts.n


def log_loss(counts: Counts) -> Any:
    """The mean of -ln(what the card gave to what happened)."""
    pd = counts.pd
    return -(counts.bad @ np.log(pd) + counts.good @ np.log1p(-pd)) / counts.n


def _over(part: Any, whole: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return part / whole
