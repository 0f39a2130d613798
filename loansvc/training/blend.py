"""Blend: the recipe of a card.

Several additive models on the same cells, weighed against each other on predictions out of fold,
and read off as one sum of tables:

    smooth    neighbouring cells differ little (`smooth`)
    around    the same, around the WoE regression: believed until the data speak against it
    woe       weight of evidence (`woe`)
    boosted   five bags of boosted trees, one a fold (`additive`)

Few cases lean on the smooth ones, many on the boosted ones; a ridge holds the weights to that, and
the data say the rest. The weights need not add up to 1: they are the calibration, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.model_selection import StratifiedKFold

from loansvc.training import additive, smooth, woe
from loansvc.training.additive import Additive, Table, Tables, check_parity, collapse, sum_of
from loansvc.training.cells import Input, Slots, sums_by_slot
from loansvc.training.compact import Calibration

Rows = NDArray[np.int64]
Values = NDArray[np.float64]

N_FOLDS = 5
SLOPE_LOW, SLOPE_HIGH = 0.8, 1.25  # a recalibration outside says that something is wrong
FEW = 30  # with fewer bad (or good) cases there is the WoE regression and nothing else
MEMBERS = ("smooth", "around", "woe", "boosted")
WOE_SHARE = 0.03  # of the rows in a bin of the WoE member
STACK_RIDGE = 60.0  # as if that many cases had said the weights are the prior's
HALF_WAY = 400.0  # bad cases at which the prior is half the one of few and half the one of many
PRIOR_OF_FEW = np.array([0.0, 0.5, 0.5, 0.0])
PRIOR_OF_MANY = np.array([1 / 3, 1 / 3, 0.0, 1 / 3])


@dataclass(frozen=True, slots=True)
class Blend:
    """The trained model: its members, each times its share."""

    inputs: tuple[Input, ...]
    members: tuple[Additive, ...]
    shares: Values

    def log_odds_bad(self, slots: Slots) -> Values:
        """ln(bad / good) of each row of slots, without the intercept, shape `(n_rows,)`."""
        return np.asarray(
            sum(
                share * member.log_odds_bad(slots)
                for member, share in zip(self.members, self.shares, strict=True)
                if share > 0
            )
            + np.zeros(len(slots))
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, the tables it is equal to, and how its log-odds become those of the population."""

    model: Additive
    tables: Tables
    calibration: Calibration
    parity: float  # largest difference between the two, in log-odds
    out_of_fold: Values  # calibrated ln(bad / good) of each row by models that have not seen it
    n_iter: int

    @property
    def slope(self) -> float:
        """Of the calibration; of a blend, what the shares of its members add up to."""
        if isinstance(self.model, Blend):
            return float(self.model.shares.sum())
        return self.calibration.slope


def fit_blend(
    slots: Slots,
    is_bad: NDArray[np.bool_],
    inputs: Sequence[Input],
    *,
    seed: int,
    weights: Values | None = None,
    n_folds: int = N_FOLDS,
    max_iter: int = additive.PARAMETERS["max_iter"],
    on_bag: Callable[[], None] = lambda: None,
) -> Trained:
    """Train all members, and weigh them."""
    folds = _folds(is_bad, n_folds, seed)
    part = _Part(slots, is_bad, tuple(inputs), weights)
    plain = part.smooth()
    evidence = part.woe()
    around = part.smooth(around=sum_of(evidence))
    boosted = additive.fit_folds(
        slots, is_bad, inputs, folds, seed=seed, weights=weights, max_iter=max_iter, on_bag=on_bag
    )
    unseen = np.empty((len(slots), len(MEMBERS)))
    columns = additive.model_columns(slots, inputs)
    for bag, (train, rest) in zip(boosted.bags, folds, strict=True):
        inner = part.rows(train)
        inner_woe = sum_of(inner.woe())
        unseen[rest] = np.column_stack(
            [
                inner.smooth(like=plain).log_odds_bad(slots[rest]),
                inner.smooth(like=around, around=inner_woe).log_odds_bad(slots[rest]),
                inner_woe.log_odds_bad(slots[rest]),
                bag.decision_function(columns[rest]),
            ]
        )
        on_bag()
    intercept, shares = stack(unseen, is_bad, prior=_prior(is_bad), weights=weights)
    members = (plain, around, evidence, boosted)
    return _trained(
        Blend(tuple(inputs), members, shares), Calibration(intercept, 1.0), part,
        intercept + unseen @ shares, seed=seed, n_iter=max(int(b.n_iter_) for b in boosted.bags),
    )  # fmt: skip


def fit_woe(
    slots: Slots,
    is_bad: NDArray[np.bool_],
    inputs: Sequence[Input],
    *,
    seed: int,
    weights: Values | None = None,
    most: int = woe.MOST_BINS,
    least_share: float = woe.LEAST_SHARE,
    n_folds: int = N_FOLDS,
) -> Trained:
    """The WoE regression alone, calibrated out of fold where there are cases enough."""
    part = _Part(slots, is_bad, tuple(inputs), weights, most, least_share)
    model = part.woe()
    calibration, unseen = Calibration(0.0, 1.0), model.log_odds_bad(slots)
    if has_enough(is_bad):
        unseen = np.empty(len(slots))
        for train, rest in _folds(is_bad, n_folds, seed):
            unseen[rest] = part.rows(train).woe().log_odds_bad(slots[rest])
        intercept, [slope] = stack(unseen[:, None], is_bad, prior=np.ones(1), weights=weights)
        calibration = Calibration(intercept, float(slope))
    return _trained(
        model, calibration, part, calibration.log_odds_bad(unseen), seed=seed,
        n_iter=int(model.regression.n_iter_[0]),
    )  # fmt: skip


def has_enough(is_bad: NDArray[np.bool_]) -> bool:
    """Whether there are bad and good cases enough for more than a WoE regression."""
    return bool(min(is_bad.sum(), (~is_bad).sum()) >= FEW)


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows to train on, whole or the rest of a fold."""

    slots: Slots
    is_bad: NDArray[np.bool_]
    inputs: tuple[Input, ...]
    weights: Values | None
    most: int = woe.MOST_BINS
    least_share: float = WOE_SHARE

    def rows(self, at: Rows) -> _Part:
        weights = None if self.weights is None else self.weights[at]
        return replace(self, slots=self.slots[at], is_bad=self.is_bad[at], weights=weights)

    def smooth(self, **how: Any) -> smooth.SmoothModel:
        return smooth.fit(self.slots, self.is_bad, self.inputs, weights=self.weights, **how)

    def woe(self) -> woe.WoeModel:
        return woe.fit(
            self.slots, self.is_bad, self.inputs, weights=self.weights, most=self.most,
            least_share=self.least_share,
        )  # fmt: skip


def _folds(is_bad: NDArray[np.bool_], n_folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    return list(folds.split(is_bad, is_bad))


def _prior(is_bad: NDArray[np.bool_]) -> Values:
    n_rarer = min(is_bad.sum(), (~is_bad).sum())
    of_few = HALF_WAY / (HALF_WAY + n_rarer)
    return np.asarray(of_few * PRIOR_OF_FEW + (1 - of_few) * PRIOR_OF_MANY)


def stack(
    unseen: Values, is_bad: NDArray[np.bool_], *, prior: Values, weights: Values | None = None
) -> tuple[float, Values]:
    """Intercept, and a weight of at least 0 for each column of log-odds, held to the prior."""
    w = np.ones(len(is_bad)) if weights is None else weights

    def loss(z: Values) -> tuple[float, Values]:
        found = z[0] + unseen @ z[1:]
        p = 1 / (1 + np.exp(-np.clip(found, -500, 500)))
        apart = z[1:] - prior
        value = w @ (np.logaddexp(0, found) - is_bad * found) + STACK_RIDGE / 2 * apart @ apart
        wrong = w * (p - is_bad)
        return float(value), np.r_[wrong.sum(), unseen.T @ wrong + STACK_RIDGE * apart]

    bounds = [(None, None)] + [(0.0, None)] * unseen.shape[1]
    found = minimize(loss, np.r_[0.0, prior], jac=True, bounds=bounds, method="L-BFGS-B").x
    return float(found[0]), np.asarray(found[1:])


def _trained(
    model: Additive, calibration: Calibration, part: _Part, unseen: Values, *, seed: int,
    n_iter: int,
) -> Trained:  # fmt: skip
    tables = collapse(model, part.slots, part.is_bad)
    parity = check_parity(model, tables, part.slots, seed=seed)
    p = 1 / (1 + np.exp(-calibration.log_odds_bad(tables.log_odds_bad(part.slots))))
    information = p * (1 - p) * (1.0 if part.weights is None else part.weights)
    weighed: list[Table] = [
        # A slot of no weight at all would have no mean; a billionth of a case changes nothing.
        replace(t, information=sums_by_slot(t.input, column, information) + 1e-9)
        for t, column in zip(tables.tables, part.slots.T, strict=True)
    ]
    tables = replace(tables, tables=tuple(weighed))
    return Trained(model, tables, calibration, parity, unseen, n_iter)


def prior_shift(bad_rate: float, population_bad_rate: float) -> float:
    """What to add to ln(bad / good) where the sample was enriched, for the population.

    >>> round(prior_shift(0.5, 0.2), 3)
    -1.386
    """
    odds, odds_here = (r / (1 - r) for r in (population_bad_rate, bad_rate))
    return float(np.log(odds / odds_here))
