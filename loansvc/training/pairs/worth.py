"""Worth: what two-way tables gain on cases that neither chose nor fitted them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from loansvc.training.pairs import Additive, Axis, Codes, fit_pairs
from loansvc.training.pairs.search import Values, log_loss

N_FOLDS, N_TEST_BAGS = 4, 2
LEAST_STANDARD_ERRORS = 2.0  # a smaller gain may be chance


@dataclass(frozen=True, slots=True)
class PairTest:
    """What tables gain on cases that neither chose nor fitted them, with standard errors."""

    n_tables: int
    log_loss_gain: float
    log_loss_gain_se: float
    auc_without: float
    auc_with: float
    auc_gain_se: float
    log_odds_bad: Values  # ln(bad / good) of every case with tables, out of fold

    @property
    def is_worth_it(self) -> bool:
        """Whether the log-loss falls by more than two standard errors."""
        return self.log_loss_gain > LEAST_STANDARD_ERRORS * self.log_loss_gain_se

    @property
    def sentence(self) -> str:
        """For the report."""
        return (
            f"Up to {self.n_tables} two-way tables change the log-loss by "
            f"{-self.log_loss_gain:+.4f} (standard error {self.log_loss_gain_se:.4f}) and the AUC "
            f"from {self.auc_without:.4f} to {self.auc_with:.4f} (standard error of the change "
            f"{self.auc_gain_se:.4f}) on cases that neither chose nor fitted them: "
            f"{'worth it' if self.is_worth_it else 'not worth it'}."
        )


def pair_test(
    codes: Codes,
    is_bad: NDArray[np.bool_],
    axes: Sequence[Axis],
    train: Callable[[NDArray[np.int64]], Additive],
    *,
    k: int,
    seed: int,
    weights: Values | None = None,
    n_folds: int = N_FOLDS,
) -> PairTest:
    """Additive card and pairs are made anew without each fold, and measured on it.

    `train` makes the additive card of some rows. One card of all rows would not do, nor would its
    log-odds out of fold: they know the outcomes of the fold that is measured, and lean away from
    them in every cell, which hides about half of the gain on hmeq and on SBA.
    """
    w = np.ones(len(codes)) if weights is None else weights
    without, found = np.empty(len(codes)), np.empty(len(codes))
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for rows, rest in folds.split(codes, is_bad):
        additive = train(rows)
        pairs = fit_pairs(
            codes[rows], is_bad[rows], axes, additive,
            k=k, seed=seed, weights=w[rows], n_bags=N_TEST_BAGS,
        )  # fmt: skip
        without[rest] = additive.log_odds_bad(codes[rest])
        found[rest] = without[rest] + pairs.log_odds_bad(codes[rest])
    y = is_bad.astype(np.float64)
    gain = log_loss(y, without) - log_loss(y, found)
    mean = float(np.average(gain, weights=w))
    return PairTest(
        n_tables=k,
        log_loss_gain=mean,
        log_loss_gain_se=float(np.sqrt((w**2 * (gain - mean) ** 2).sum()) / w.sum()),
        auc_without=float(roc_auc_score(is_bad, without)),
        auc_with=float(roc_auc_score(is_bad, found)),
        auc_gain_se=_auc_gain_se(is_bad, without, found),
        log_odds_bad=found,
    )


def _auc_gain_se(is_bad: NDArray[np.bool_], before: Values, after: Values) -> float:
    """The standard error of the difference of two AUC on the same cases (DeLong 1988)."""
    bad, good = (
        _share_below(after[of], after[than]) - _share_below(before[of], before[than])
        for of, than in ((is_bad, ~is_bad), (~is_bad, is_bad))
    )
    return float(np.sqrt(bad.var(ddof=1) / len(bad) + good.var(ddof=1) / len(good)))


def _share_below(of: Values, than: Values) -> Values:
    """The share of `than` below each of these, ties half."""
    ordered = np.sort(than)
    places = np.searchsorted(ordered, of, "left") + np.searchsorted(ordered, of, "right")
    return np.asarray(places / (2 * len(than)))
