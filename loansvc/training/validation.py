"""Validation: how well scores tell bad from good, and whether their PD is right.

Scales:
    auc     0.5 to 1: the chance that a bad case scores below a good one
    ks      0 to 1: the largest gap between the two distributions of scores
    brier   mean squared error of the PD, lower is better
    slope   of ln(bad / good) on the predicted one: 1 is right, below 1 too extreme
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from loansvc.scorecard import pd_ppm
from loansvc.training.compact import Calibration

N_RESAMPLES = 200  # for the interval of the AUC
# The master scale: PD at most 0.50, 0.99, 1.96, 3.85, 7.41 and 13.8 percent (DOMAIN 5).
GRADE_FLOORS = {
    "R1": 640, "R2": 620, "R3": 600, "R4": 580, "R5": 560, "R6": 540, "R7": -10_000,
}  # fmt: skip
NEWTON_STEPS = 25  # it converges in about six


@dataclass(frozen=True, slots=True)
class Figures:
    """What a card reaches on cases it was not trained on, beside the best that can be reached."""

    n: int
    n_bad: int
    auc: float
    auc_low: float  # 95 percent interval, bootstrap
    auc_high: float
    oracle_auc: float  # of the true log-odds of the same cases, from the characteristics alone
    ks: float
    brier: float
    calibration_slope: float


@dataclass(frozen=True, slots=True)
class GradeFigures:
    """One grade on the hold-out: how many, how many bad, and what the card expected."""

    grade: str
    n: int
    n_bad: int
    mean_pd: float
    bad_rate_low: float  # 95 percent Jeffreys interval
    bad_rate_high: float


def figures(
    scores: NDArray[np.float64],
    is_bad: NDArray[np.bool_],
    *,
    true_log_odds_bad: NDArray[np.float64],
    seed: int,
) -> Figures:
    """The figures of whole-point scores, with a bootstrap interval drawn with this seed."""
    pd_12m = pd_of(scores)
    low, high = auc_interval(scores, is_bad, seed=seed)
    return Figures(
        n=len(scores),
        n_bad=int(is_bad.sum()),
        auc=auc(scores, is_bad),
        auc_low=low,
        auc_high=high,
        oracle_auc=auc(-true_log_odds_bad, is_bad),
        ks=ks(scores, is_bad),
        brier=float(np.mean((pd_12m - is_bad) ** 2)),
        calibration_slope=fit_calibration(np.log(pd_12m / (1 - pd_12m)), is_bad).slope,
    )


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


def pd_of(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The PD of each whole-point score, by the card's own rule."""
    return np.array([pd_ppm(int(score)) for score in scores]) / 1e6


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


def out_of_fold(
    predict: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]],
    is_bad: NDArray[np.bool_],
    *,
    n_folds: int,
    seed: int,
) -> NDArray[np.float64]:
    """A prediction for each case by a model that has not seen it.

    `predict(train, rest)` trains on the one and predicts the other; folds keep the share of bad.
    """
    out: NDArray[Any] = np.full(len(is_bad), np.nan)
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for train, rest in folds.split(is_bad, is_bad):
        out[rest] = predict(train, rest)
    return out
