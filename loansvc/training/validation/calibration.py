"""Calibration: whether the PD of a card is right, as a whole and by grade.

Scales:
    slope      of ln(bad / good) on the predicted one: 1 is right, below 1 too extreme
    intercept  with that slope; `in_the_large` is the one with slope 1: above 0, too many bad
    ece        mean distance of bad rate and PD over ten groups of scores, 0 to 1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, chi2, norm

from loansvc.training.columns import pd_of
from loansvc.training.compact import Calibration
from loansvc.training.validation.counts import Counts
from loansvc.training.validation.estimate import Estimate, observed_to_expected, of_draws
from loansvc.training.validation.segments import Segment, segments

# The master scale: PD at most 0.50, 0.99, 1.96, 3.85, 7.41 and 13.8 percent (DOMAIN 5).
GRADE_FLOORS = {
    "R1": 640, "R2": 620, "R3": 600, "R4": 580, "R5": 560, "R6": 540, "R7": -10_000,
}  # fmt: skip
NEWTON_STEPS = 25  # it converges in about six
N_GROUPS = 10  # Hosmer and Lemeshow's own number
FEWEST_BAD = 10  # as for the order: fewer do not carry two coefficients


@dataclass(frozen=True, slots=True)
class GradeFigures:
    """One grade on the hold-out: how many, how many bad, and what the card expected."""

    grade: str
    n: int
    n_bad: int
    mean_pd: float
    bad_rate_low: float  # 95 percent Jeffreys interval
    bad_rate_high: float


def fit_calibration(log_odds_bad: NDArray[np.float64], is_bad: NDArray[np.bool_]) -> Calibration:
    """Intercept and slope of the logistic regression on one predictor, by Newton's method."""
    X = np.column_stack([np.ones(len(log_odds_bad)), log_odds_bad])
    weights = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-X @ weights))
        step = np.linalg.solve((X.T * (p * (1 - p))) @ X, X.T @ (is_bad - p))
        weights = weights + step
        if np.abs(step).max() < 1e-10:  # far below what a point shows
            break
    return Calibration(intercept=float(weights[0]), slope=float(weights[1]))


def by_grade(scores: NDArray[np.float64], is_bad: NDArray[np.bool_]) -> list[GradeFigures]:
    """Cases and bad cases by grade, R1 first, with the interval the bad rate may lie in."""
    pd_12m, rows, ceiling = pd_of(scores), [], np.inf
    for grade, floor in GRADE_FLOORS.items():
        here = (scores >= floor) & (scores < ceiling)
        ceiling = floor
        n, n_bad = int(here.sum()), int(is_bad[here].sum())
        low, high = beta.ppf([0.025, 0.975], n_bad + 0.5, n - n_bad + 0.5)
        mean_pd = float(pd_12m[here].mean()) if n else 0.0
        rows.append(GradeFigures(grade, n, n_bad, mean_pd, float(low), float(high)))
    return rows


def grades(
    scores: NDArray[Any], pd: NDArray[np.float64], is_bad: NDArray[np.bool_]
) -> tuple[Segment, ...]:
    """Each grade with its verdict, R1 first."""
    rising = list(GRADE_FLOORS.values())[-2::-1]  # the last has no floor
    places = len(rising) - np.searchsorted(rising, np.asarray(scores), side="right")
    return segments(places, list(GRADE_FLOORS), pd, is_bad)


# --- of a sample --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CalibrationFigures:
    """Whether the PD is right as a whole. `ece_by_chance`: what a right card would show here.

    `hosmer_lemeshow_p`, `spiegelhalter_p`: chance of such a distance if every PD is right.
    """

    observed_to_expected: Estimate
    in_the_large: Estimate
    intercept: Estimate
    slope: Estimate
    ece: float
    ece_by_chance: float
    n_groups: int
    hosmer_lemeshow: float
    hosmer_lemeshow_p: float
    spiegelhalter_z: float
    spiegelhalter_p: float


def calibration(counts: Counts, drawn: Counts) -> CalibrationFigures | None:
    """The figures with bootstrap intervals; None with too few cases of a class."""
    n_bad = int(counts.n_bad)
    if min(n_bad, int(counts.n) - n_bad) < FEWEST_BAD or len(counts.scores) < 2:
        return None
    (intercept, slope), lines = _line(counts)[0], _line(drawn)
    alone = _line(counts, slope=1.0)[0, 0], _line(drawn, slope=1.0)[:, 0]
    expected = float((counts.good + counts.bad) @ counts.pd)
    ratio = observed_to_expected(n_bad, int(counts.n), expected)
    assert ratio is not None, "a PD is above 0"
    z = spiegelhalter(counts)
    groups = _groups(counts)
    statistic = hosmer_lemeshow(groups)
    ece, by_chance = _ece(groups)
    return CalibrationFigures(
        observed_to_expected=ratio,
        in_the_large=of_draws(*alone),
        intercept=of_draws(intercept, lines[:, 0]),
        slope=of_draws(slope, lines[:, 1]),
        ece=ece,
        ece_by_chance=by_chance,
        n_groups=groups.shape[1],
        hosmer_lemeshow=statistic,
        hosmer_lemeshow_p=float(chi2.sf(statistic, groups.shape[1])),
        spiegelhalter_z=z,
        spiegelhalter_p=float(2 * norm.sf(abs(z))),
    )


def _line(counts: Counts, *, slope: float | None = None) -> NDArray[np.float64]:
    """Intercept and slope of each line of counts, `(n_lines, 2)`; with `slope` it is kept."""
    x, bad = counts.log_odds_bad, np.atleast_2d(counts.bad).astype(np.float64)
    n = bad + np.atleast_2d(counts.good)
    found = np.zeros((len(bad), 2))
    found[:, 1] = 1.0 if slope is None else slope
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-np.clip(found[:, :1] + found[:, 1:] * x, -50, 50)))
        surplus, weight = bad - n * p, n * p * (1 - p)
        a, b, d = weight.sum(axis=1), weight @ x, weight @ x**2
        u, v = surplus.sum(axis=1), surplus @ x
        step = np.zeros_like(found)
        if slope is None:
            determinant = np.maximum(a * d - b * b, 1e-12)
            step = np.column_stack([d * u - b * v, a * v - b * u]) / determinant[:, None]
        else:
            step[:, 0] = u / np.maximum(a, 1e-12)
        found += np.clip(step, -5, 5)  # a resample whose classes do not overlap has no end
        if np.abs(step).max() < 1e-9:
            break
    return found


def spiegelhalter(counts: Counts) -> float:
    """Spiegelhalter's z of the Brier score: standard normal if every PD is right.

    Source: Spiegelhalter 1986 (Stat. Med. 5:421).
    """
    pd, n = counts.pd, counts.good + counts.bad
    spread = np.sqrt((n * (1 - 2 * pd) ** 2 * pd * (1 - pd)).sum())
    return float(((counts.bad - n * pd) * (1 - 2 * pd)).sum() / spread)


def _groups(counts: Counts) -> NDArray[np.float64]:
    """Up to ten groups of neighbouring scores, about as many cases each: n, bad, expected, var."""
    n, pd = counts.good + counts.bad, counts.pd
    middle = np.cumsum(n) - n / 2
    at = np.minimum((N_GROUPS * middle / n.sum()).astype(int), N_GROUPS - 1)
    parts = (n, counts.bad, n * pd, n * pd * (1 - pd))
    table = np.array([np.bincount(at, weights=part, minlength=N_GROUPS) for part in parts])
    return np.asarray(table[:, table[0] > 0])


def hosmer_lemeshow(groups: NDArray[np.float64]) -> float:
    """Hosmer and Lemeshow's statistic; chi-square with as many degrees as groups.

    As many, not two fewer: the PD was not fitted on these cases.
    """
    _, bad, expected, variance = groups
    return float(((bad - expected) ** 2 / variance).sum())


def _ece(groups: NDArray[np.float64]) -> tuple[float, float]:
    """The calibration error, and its mean if the card is right: sqrt(2 variance / pi) a group."""
    n, bad, expected, variance = groups
    chance = np.sqrt(2 * variance / np.pi)
    return float(np.abs(bad - expected).sum() / n.sum()), float(chance.sum() / n.sum())
