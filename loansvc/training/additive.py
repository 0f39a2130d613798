"""Additive: trained models without interactions, and the tables they are equal to.

Bagged boosted trees in which no two characteristics meet in one tree, so the log-odds are a sum of
one function a characteristic: "no_interactions". `collapse` reads these functions off, slot by
slot, from this or any other additive model, and `check_parity` holds the tables against it. Bags
are the gain; leaves, rates and regularisation hardly matter once several are averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from loansvc.training.cells import Input, Slots, counts_by_slot

PARAMETERS: dict[str, Any] = {
    "learning_rate": 0.12,
    "max_iter": 3000,  # early stopping ends long before
    "max_leaf_nodes": 3,
    "l2_regularization": 1.0,
    "max_features": 0.3,
    "early_stopping": True,  # said aloud: the default switches on at 10,001 rows
    "n_iter_no_change": 20,
    "interaction_cst": "no_interactions",
}
LEAF_SHARE, LEAF_ROWS = 0.01, 20  # a leaf holds 1 percent of the rows, and at least 20
PARITY = 1e-9  # in log-odds


class Additive(Protocol):
    """A trained model whose log-odds are a sum of one function a characteristic."""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Its characteristics, in the order of the columns of slots."""

    def log_odds_bad(self, slots: Slots) -> NDArray[np.float64]:
        """ln(bad / good) of each row of slots, before calibration, shape `(n_rows,)`."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A base, and one entry a slot of each characteristic, in log-odds."""

    base: float
    entries: tuple[NDArray[np.float64], ...]

    def log_odds_bad(self, slots: Slots) -> NDArray[np.float64]:
        """ln(bad / good) of each row of slots, shape `(n_rows,)`."""
        total = np.full(len(slots), self.base)
        for entries, column in zip(self.entries, slots.T, strict=True):
            total += entries[column]
        return total


@dataclass(frozen=True, slots=True)
class AdditiveModel:
    """The trained model: the mean of its bags."""

    inputs: tuple[Input, ...]
    bags: tuple[HistGradientBoostingClassifier, ...]

    def log_odds_bad(self, slots: Slots) -> NDArray[np.float64]:
        """ln(bad / good) of each row of slots, before calibration, shape `(n_rows,)`."""
        columns = model_columns(slots, self.inputs)
        with threadpool_limits(1):
            return np.asarray(np.mean([b.decision_function(columns) for b in self.bags], axis=0))


@dataclass(frozen=True, slots=True)
class Table:
    """One characteristic of the model: ln(bad / good) by slot, and how many cases stood there."""

    input: Input
    entries: NDArray[np.float64]  # (n_slots,)
    counts: NDArray[np.int64]
    bads: NDArray[np.int64]
    information: NDArray[np.float64] | None = None  # sum of p (1 - p) by slot, where bins want it

    @property
    def n(self) -> NDArray[np.int64]:
        """Cases by cell."""
        return self.counts[: self.input.n_cells]

    @property
    def n_missing(self) -> int:
        """Cases of "not known"."""
        return int(self.counts[-1])


@dataclass(frozen=True, slots=True)
class Tables:
    """The whole model as tables: `base` and one entry a characteristic add up to its log-odds."""

    base: float
    tables: tuple[Table, ...]

    def log_odds_bad(self, slots: Slots) -> NDArray[np.float64]:
        """The same as the model's, within PARITY."""
        return Sum(self.base, tuple(t.entries for t in self.tables)).log_odds_bad(slots)


def model_columns(slots: Slots, inputs: Sequence[Input]) -> NDArray[np.float64]:
    """The columns scikit-learn sees: one a characteristic, NaN for "not known".

    A characteristic with special codes has two, so that a code can stand outside the order: the
    cell with NaN for all codes, and a category that says which code, or that the value is ordinary.

    >>> age = Input("age", -1, edges=(12,), codes=(-9,))
    >>> model_columns(np.array([[0], [1], [2], [3]], dtype=np.int32), [age]).tolist()
    [[0.0, 1.0], [1.0, 1.0], [nan, 0.0], [nan, nan]]
    """
    columns = []
    for of, column in zip(inputs, slots.T, strict=True):
        columns.append(np.where(column < of.n_cells, column, np.nan))
        if of.codes:
            which = np.where(column < of.n_cells, len(of.codes), column - of.n_cells)
            columns.append(np.where(column == of.missing, np.nan, which))
    return np.column_stack(columns)


def fit_folds(
    slots: Slots,
    is_bad: NDArray[np.bool_],
    inputs: Sequence[Input],
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    *,
    seed: int,
    weights: NDArray[np.float64] | None = None,
    max_iter: int = PARAMETERS["max_iter"],
    on_bag: Callable[[], None] = lambda: None,
) -> AdditiveModel:
    """One bag a fold: trained on the rest of the rows, stopped by the fold.

    So each row has a bag that did not train on it, and nothing is fitted twice.
    """
    columns, bags = model_columns(slots, inputs), []
    for bag, (train, rest) in enumerate(folds):
        model = _booster(inputs, len(train), seed + bag, max_iter)
        with threadpool_limits(1):
            model.fit(
                columns[train], is_bad[train], X_val=columns[rest], y_val=is_bad[rest],
                sample_weight=None if weights is None else weights[train],
                sample_weight_val=None if weights is None else weights[rest],
            )  # fmt: skip
        bags.append(model)
        on_bag()
    return AdditiveModel(tuple(inputs), tuple(bags))


def _booster(
    inputs: Sequence[Input], n_rows: int, seed: int, max_iter: int
) -> HistGradientBoostingClassifier:
    kinds = [kind for i in inputs for kind in _kinds(i)]
    return HistGradientBoostingClassifier(
        **PARAMETERS | {"max_iter": max_iter},
        min_samples_leaf=max(LEAF_ROWS, int(LEAF_SHARE * n_rows)),
        monotonic_cst=[direction for direction, _ in kinds],
        categorical_features=[is_category for _, is_category in kinds],
        random_state=seed,
    )


def _kinds(of: Input) -> list[tuple[int, bool]]:
    """Direction, and whether it is a category, of each column of a characteristic."""
    return [(of.direction, not of.ordered), *([(0, True)] if of.codes else [])]


def sum_of(model: Additive) -> Sum:
    """The sum the model is equal to.

    A row with nothing known is the base. What one known slot changes there, it changes everywhere,
    because the model adds up characteristic by characteristic.
    """
    nothing_known = np.array([i.missing for i in model.inputs], dtype=np.int32)
    rows = [nothing_known]
    for column, of in enumerate(model.inputs):
        for slot in range(of.missing):
            row = nothing_known.copy()
            row[column] = slot
            rows.append(row)
    base, *entries = model.log_odds_bad(np.array(rows))
    parts = np.split(np.array(entries), np.cumsum([i.missing for i in model.inputs])[:-1])
    return Sum(float(base), tuple(np.append(part - base, 0.0) for part in parts))


def collapse(model: Additive, slots: Slots, is_bad: NDArray[np.bool_]) -> Tables:
    """The tables the model is equal to, with the cases of its training data in each slot."""
    found = sum_of(model)
    return Tables(
        found.base,
        tuple(
            Table(of, entries, counts_by_slot(of, column), counts_by_slot(of, column[is_bad]))
            for of, entries, column in zip(model.inputs, found.entries, slots.T, strict=True)
        ),
    )


def check_parity(model: Additive, tables: Tables, slots: Slots, *, seed: int) -> float:
    """The largest difference between model and tables, in log-odds; asserts it is below PARITY.

    On the rows given, and on made-up ones that mix every slot of every characteristic, so every
    edge and code, with "not known"; a word never seen falls where "not known" falls.
    """
    rng = np.random.default_rng(seed)
    most = max(i.n_slots for i in model.inputs)
    mixed = np.column_stack([rng.permutation(4 * most) % i.n_slots for i in model.inputs])
    rows = np.vstack([slots, mixed.astype(np.int32)])
    largest = float(np.abs(model.log_odds_bad(rows) - tables.log_odds_bad(rows)).max())
    assert largest < PARITY, f"tables and model differ by {largest}: the model is not additive"
    return largest
