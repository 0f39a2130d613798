"""Discrimination: how well scores tell bad from good, as a whole, by period, and at best.

Scales:
    auc     0.5 to 1: the chance that a bad case scores below a good one; gini = 2 auc - 1
    ks      0 to 1: the largest gap between the two distributions of scores
    brier, log_loss     errors of the PD, lower is better
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm
from sklearn.metrics import roc_auc_score

from loansvc.training.validation.counts import Counts, area, brier, largest_gap, log_loss
from loansvc.training.validation.estimate import Estimate, of_draws
from loansvc.training.validation.segments import Segment

N_RESAMPLES = 200  # for the interval of the AUC in a card's manifest
FEWEST_OF_A_CLASS = 10  # fewer bad, or good, cases say nothing about an order
PAIRED_RESAMPLES = 200  # each sorts out 100,000 rows; the interval moves by a twentieth of itself


def auc(scores: NDArray[np.float64], is_bad: NDArray[np.bool_]) -> float:
    """The area under the ROC curve of scores, of which higher is safer.

    >>> auc(np.array([580.0, 600.0, 620.0]), np.array([True, False, False]))
    1.0
    """
    return float(roc_auc_score(is_bad, -scores))


def auc_interval(
    scores: NDArray[np.float64], is_bad: NDArray[np.bool_], *, seed: int
) -> tuple[float, float]:
    """The 95 percent interval of the AUC; good and bad cases are drawn anew apart."""
    rng = np.random.default_rng(seed)
    bad, good = scores[is_bad], scores[~is_bad]
    known = np.repeat([True, False], [len(bad), len(good)])
    drawn = [
        auc(np.concatenate([rng.choice(bad, len(bad)), rng.choice(good, len(good))]), known)
        for _ in range(N_RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def ks(scores: NDArray[np.float64], is_bad: NDArray[np.bool_]) -> float:
    """The largest gap between the shares of bad and of good cases up to a score.

    >>> ks(np.array([580.0, 600.0, 600.0, 620.0]), np.array([True, True, False, False]))
    0.5
    """
    at = np.unique(scores)
    bad = np.searchsorted(np.sort(scores[is_bad]), at, side="right") / is_bad.sum()
    good = np.searchsorted(np.sort(scores[~is_bad]), at, side="right") / (~is_bad).sum()
    return float((bad - good).max())


# --- of a sample --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Discrimination:
    """The figures of the whole sample. `development`: the AUC on the reference sample."""

    auc: Estimate
    gini: Estimate
    ks: Estimate
    brier: Estimate
    brier_of_bad_rate: float  # of whoever gives everybody the bad rate: what a card must be below
    log_loss: Estimate
    development: Estimate | None = None


def has_both(counts: Counts) -> bool:
    """Whether there are enough good and bad cases to speak of an order."""
    return min(int(counts.n_bad), int(counts.n - counts.n_bad)) >= FEWEST_OF_A_CLASS


def discrimination(
    counts: Counts, drawn: Counts, *, development: Estimate | None = None
) -> Discrimination | None:
    """The figures with bootstrap intervals; None when a class has too few cases."""
    if not has_both(counts):
        return None
    areas = area(drawn)
    found = of_draws(area(counts), areas)
    rate = float(counts.n_bad / counts.n)
    return Discrimination(
        auc=found,
        gini=Estimate(*(2 * v - 1 for v in (found.value, found.low, found.high))),
        ks=of_draws(largest_gap(counts), largest_gap(drawn)),
        brier=of_draws(brier(counts), brier(drawn)),
        brier_of_bad_rate=rate * (1 - rate),
        log_loss=of_draws(log_loss(counts), log_loss(drawn)),
        development=development,
    )


def auc_of(
    scores: NDArray[Any], is_bad: NDArray[np.bool_], *, n_resamples: int, seed: int
) -> Estimate | None:
    """The AUC with its bootstrap interval; None when a class has too few cases."""
    counts = Counts.of(scores, is_bad)
    if not has_both(counts):
        return None
    drawn = counts.resamples(n_resamples, np.random.default_rng(seed))
    return of_draws(area(counts), area(drawn))


# --- out of time --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutOfTime:
    """The sample by period, earliest first.

    `trend_p`: chance of such a trend of the bad rate if there is none (Cochran-Armitage);
    `drift_p`: the same of bad cases against those expected by the card; `auc_p`: of AUCs so far
    apart if the card orders every period alike.
    """

    column: str
    periods: tuple[Segment, ...]
    trend_p: float | None
    drift_p: float | None
    auc_p: float | None


def out_of_time(column: str, periods: Sequence[Segment]) -> OutOfTime:
    """The periods and the three tests of what changes along them."""
    n, bad, expected = (
        np.array([getattr(p, name) for p in periods], dtype=np.float64)
        for name in ("n", "n_bad", "expected_bad")
    )
    rate = bad.sum() / n.sum() if n.sum() else 0.0
    return OutOfTime(
        column=column,
        periods=tuple(periods),
        trend_p=_trend_p(n, bad - n * rate, n * rate * (1 - rate)),
        drift_p=_trend_p(n, bad - expected, np.array([p.variance for p in periods])),
        auc_p=_same_auc_p(periods),
    )


def _trend_p(n: NDArray[Any], surplus: NDArray[Any], variance: NDArray[Any]) -> float | None:
    """Two-sided chance of such a trend of surplus bad cases along the periods."""
    if len(n) < 3 or variance.sum() <= 0:
        return None
    at = np.arange(len(n)) - np.average(np.arange(len(n)), weights=variance)
    spread = np.sqrt((variance * at**2).sum())
    return float(2 * norm.sf(abs((at * surplus).sum()) / spread)) if spread else None


def _same_auc_p(periods: Sequence[Segment]) -> float | None:
    """Chance of AUCs so far apart if all are one (Cochran's Q on the bootstrap errors)."""
    known = [p.auc for p in periods if p.auc is not None and p.auc.high > p.auc.low]
    if len(known) < 2:
        return None
    values = np.array([a.value for a in known])
    weights = np.array([(2 * norm.ppf(0.975) / (a.high - a.low)) ** 2 for a in known])
    q = (weights * (values - np.average(values, weights=weights)) ** 2).sum()
    return float(chi2.sf(q, len(known) - 1))


# --- the distance to the oracle -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OracleDistance:
    """AUC of the true log-odds less AUC of the card, on the same cases (paired resamples)."""

    oracle_auc: float
    card_auc: float
    distance: Estimate


def oracle_distance(
    scores: NDArray[Any], true_log_odds_bad: NDArray[np.float64], is_bad: NDArray[np.bool_],
    *, n_resamples: int, seed: int,
) -> OracleDistance | None:  # fmt: skip
    """How much order the card leaves; None when a class has too few cases."""
    if min(int(is_bad.sum()), int((~is_bad).sum())) < FEWEST_OF_A_CLASS:
        return None
    rng = np.random.default_rng(seed)
    places = [_places(np.asarray(scores)), _places(-true_log_odds_bad)]
    everybody = np.ones(len(is_bad), dtype=np.int64)
    card, oracle = (_area_of_rows(at, is_bad, everybody) for at in places)
    drawn = np.empty(min(n_resamples, PAIRED_RESAMPLES))
    for i in range(len(drawn)):
        times = np.bincount(rng.integers(0, len(is_bad), len(is_bad)), minlength=len(is_bad))
        one, other = (_area_of_rows(at, is_bad, times) for at in places)
        drawn[i] = other - one
    return OracleDistance(oracle, card, of_draws(oracle - card, drawn))


def _places(values: NDArray[Any]) -> NDArray[np.intp]:
    return np.unique(values, return_inverse=True)[1]


def _area_of_rows(
    at: NDArray[np.intp], is_bad: NDArray[np.bool_], times: NDArray[np.int64]
) -> float:
    """The AUC with row i taken `times[i]` times; `at` is its place, worst first."""
    size = int(at.max()) + 1
    bad = np.bincount(at[is_bad], weights=times[is_bad], minlength=size)
    everybody = np.bincount(at, weights=times, minlength=size)
    return float(area(Counts(np.arange(size), everybody - bad, bad)))
