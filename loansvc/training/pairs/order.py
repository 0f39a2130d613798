"""Order: the directions of a line or a table, and the nearest one that keeps them.

The first rows and columns of a matrix are ordinary cells in their order; those after stand apart
(special codes, "not known") and are bound by nothing along their own axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loansvc.training.pairs.search import Values

PROJECTIONS = 30  # on either axis in turn; what is left is cut off, and is below a tenth of a point


@dataclass(frozen=True, slots=True)
class Order:
    """Which way a matrix may go: down its first `n_rows`, and across its first `n_columns`."""

    down: int
    n_rows: int
    across: int = 0
    n_columns: int = 0


def within(values: Values, weight: Values, order: Order) -> Values:
    """The nearest matrix that keeps its directions, by weighted least squares.

    Along both axes: by projecting on either in turn (Dykstra's algorithm).
    """
    if not (order.down and order.across):
        values = _down(values, weight, order.down, order.n_rows)
        return _down(values.T, weight.T, order.across, order.n_columns).T
    found, left, right = values, np.zeros_like(values), np.zeros_like(values)
    for _ in range(PROJECTIONS):
        half = _down(found + left, weight, order.down, order.n_rows)
        left = found + left - half
        whole = _down((half + right).T, weight.T, order.across, order.n_columns).T
        right = half + right - whole
        is_settled = np.abs(whole - found).max() < 1e-6
        found = whole
        if is_settled:
            break
    return never_turning(found, order)


def _down(values: Values, weight: Values, direction: int, n_rows: int) -> Values:
    if not direction or n_rows < 2:
        return values
    found = values.copy()
    found[:n_rows] = direction * isotonic(direction * values[:n_rows].T, weight[:n_rows].T).T
    return found


def never_turning(values: Values, order: Order) -> Values:
    """Where it turns, the highest so far along the direction: exact, and a matrix in order stays.

    >>> never_turning(np.array([[1.0, 2.0], [0.0, 3.0]]), Order(1, 2)).tolist()
    [[1.0, 2.0], [1.0, 3.0]]
    """
    found = values.copy()
    for view, direction, n in (
        (found, order.down, order.n_rows),
        (found.T, order.across, order.n_columns),
    ):
        if direction:
            view[:n] = direction * np.maximum.accumulate(direction * view[:n], axis=0)
    return found


def isotonic(values: Values, weight: Values) -> Values:
    """The nearest to each row that never falls, by weighted least squares (the min-max formula).

    >>> isotonic(np.array([[1.0, 3.0, 2.0]]), np.ones((1, 3))).tolist()
    [[1.0, 2.5, 2.5]]
    """
    size = values.shape[1]
    w, wx = (np.pad(v.cumsum(axis=1), ((0, 0), (1, 0))) for v in (weight, weight * values))
    first, last = np.triu_indices(size)
    means = np.full((len(values), size, size), np.inf)
    means[:, first, last] = (wx[:, last + 1] - wx[:, first]) / (w[:, last + 1] - w[:, first])
    lowest = np.minimum.accumulate(means[:, :, ::-1], axis=2)[:, :, ::-1]
    above, below = np.tril_indices(size, -1)
    lowest[:, above, below] = -np.inf
    return np.asarray(lowest.max(axis=1))


def neutral_apart(values: Values, n: NDArray[np.int64], order: Order, *, least: int) -> Values:
    """Rows and columns apart that fewer than `least` cases tell of are as the others on average."""
    found = values.copy()
    for view, counts, n_cells in ((found, n, order.n_rows), (found.T, n.T, order.n_columns)):
        of_row = counts.sum(axis=1)
        is_few = (of_row < least) & (np.arange(len(of_row)) >= n_cells)
        if is_few.any() and of_row[~is_few].sum():
            # The same weights in every column, so that a direction across holds here, too.
            view[is_few] = np.average(view[~is_few], axis=0, weights=of_row[~is_few])
    return found
