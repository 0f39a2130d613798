"""Held out: the figures of a manifest, and predictions for cases a model has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from loansvc.training.columns import pd_of
from loansvc.training.validation.calibration import fit_calibration
from loansvc.training.validation.discrimination import auc, auc_interval, ks


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
