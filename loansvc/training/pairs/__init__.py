"""Pairs: a few two-way tables on top of an additive card, small enough to print.

    fit_pairs     tables of at most 8 x 8 groups, and what the additive lines change beside them
    whole_points  the printed card: whole points that never go against a declared direction

`pairs.worth` tests whether they are worth it, on cases that neither chose nor fitted them.

Where a direction is declared, each line and each table keeps it by itself. That loses nothing: a
sum that never turns, whatever the other characteristics say, can always be shared out so that no
part of it turns. It is also why rounding cannot break it. So a table may take over a part of a
line, and the line keeps the rest.

Scales: ln(bad / good), higher is riskier; `whole_points` alone speaks of points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loansvc.training.compact import POINTS_PER_LOG_ODDS
from loansvc.training.pairs.order import Order, neutral_apart, never_turning, within
from loansvc.training.pairs.search import (
    Axis,
    Cases,
    Found,
    Groups,
    Values,
    join,
    probability,
    search,
    sums_by,
)

Codes = NDArray[np.int64]  # (n, d) slots

MOST_CELLS = 8
LEAST_CASES = 30  # fewer in a row or column apart say nothing of their own
N_BAGS = 4

# Of the refit. Its cases are six parts their own outcome and four parts what the bags say of them:
# bags alone cost 0.002 in AUC on hmeq and on SBA, outcomes alone the same on SBA.
TRUST_IN_OUTCOMES = 0.6
RIDGE_OF_TABLES, RIDGE_OF_LINES = 5.0, 10.0  # in units of information, about 25 and 50 cases
NEWTON_STEPS, SWEEPS = 5, 3


@dataclass(frozen=True, slots=True)
class PairTable:
    """What to add: `log_odds[rows[slot of the first], columns[slot of the second]]`."""

    first: int
    second: int
    rows: Groups
    columns: Groups
    log_odds: Values
    n: NDArray[np.int64]
    n_bad: NDArray[np.int64]

    def log_odds_bad(self, codes: Codes) -> Values:
        """What the table adds to each row of slots."""
        return np.asarray(self.log_odds.ravel()[self.cells(codes)])

    def cells(self, codes: Codes) -> Groups:
        """The cell of each row of slots, counted row by row."""
        rows, columns = self.rows[codes[:, self.first]], self.columns[codes[:, self.second]]
        return np.asarray(rows * self.log_odds.shape[1] + columns)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Tables, and what is to be added beside them: to each line by slot, and to the base.

    Each table has mean 0 over the cases, weighted as they are.
    """

    tables: tuple[PairTable, ...]
    lines: tuple[Values, ...]
    base: float

    def log_odds_bad(self, codes: Codes) -> Values:
        """What all of it adds to each row of slots."""
        total = np.full(len(codes), self.base)
        for line, column in zip(self.lines, codes.T, strict=True):
            total += line[column]
        for table in self.tables:
            total += table.log_odds_bad(codes)
        return total


@dataclass(frozen=True, slots=True)
class Additive:
    """The card that tables are added to: ln(bad / good) in sample and out of fold.

    The steps of its printed bins are the steps of `lines`, by slot; they keep their bins.
    """

    base: float
    lines: tuple[Values, ...]
    out_of_fold: Values

    def log_odds_bad(self, codes: Codes) -> Values:
        """ln(bad / good) of each row of slots, in sample."""
        total = np.full(len(codes), self.base)
        for line, column in zip(self.lines, codes.T, strict=True):
            total += line[column]
        return total


def fit_pairs(
    codes: Codes,
    is_bad: NDArray[np.bool_],
    axes: Sequence[Axis],
    additive: Additive,
    *,
    k: int,
    seed: int,
    weights: Values | None = None,
    most_cells: int = MOST_CELLS,
    n_bags: int = N_BAGS,
) -> Pairs:
    """The `k` best tables, fewer if fewer say anything, and the changes beside them."""
    cases = Cases(
        codes,
        is_bad.astype(np.float64),
        np.ones(len(codes)) if weights is None else weights,
        additive.out_of_fold,
    )

    def refitted(found: Sequence[Found]) -> Pairs:
        tables = [_as_table(join(f, axes, most_cells), cases) for f in found]
        return _refit(tables, additive, cases, axes)

    def settle(found: list[Found]) -> list[Found]:
        return [_as_found(table, cases) for table in refitted(found).tables]

    found = search(cases, axes, additive.lines, k=k, n_bags=n_bags, seed=seed, settle=settle)
    if not found:
        return Pairs((), tuple(np.zeros(len(line)) for line in additive.lines), 0.0)
    return refitted(found)


def _as_table(found: Found, cases: Cases) -> PairTable:
    """With the number of cases in its cells."""
    nothing = np.zeros(found.log_odds.shape, dtype=np.int64)
    table = PairTable(
        found.first, found.second, found.rows, found.columns, found.log_odds, nothing, nothing
    )
    ones = np.ones(len(cases.is_bad))
    n, n_bad = sums_by(table.cells(cases.codes), nothing.shape, ones, cases.is_bad)
    return replace(table, n=n.astype(np.int64), n_bad=n_bad.astype(np.int64))


def _as_found(table: PairTable, cases: Cases) -> Found:
    p = probability(cases.offset)
    [information] = sums_by(
        table.cells(cases.codes), table.log_odds.shape, cases.weights * p * (1 - p)
    )
    return Found(table.first, table.second, table.rows, table.columns, table.log_odds, information)


# --- the refit: all lines and tables once more, together -----------------------------------------


@dataclass(slots=True)
class _Part:
    """A line (one column) or a table while it is refitted, and the cell of each case."""

    cells: Groups
    values: Values
    order: Order
    prior: Values
    ridge: Values

    def moved(self, curvature: Values, wanted: Values) -> Values:
        """The step of each case when this part alone takes up what is wanted, as it may."""
        n, pull = sums_by(self.cells, self.values.shape, curvature, curvature * wanted)
        weight = n + self.ridge
        best = (n * self.values + pull + self.ridge * self.prior) / weight
        before, self.values = self.values, within(best, weight, self.order)
        return np.asarray((self.values - before).ravel()[self.cells])


def _refit(
    tables: Sequence[PairTable], additive: Additive, cases: Cases, axes: Sequence[Axis]
) -> Pairs:
    """Newton's method on the penalised likelihood, part by part, each within its direction."""
    bins = [_bins(line, axis) for line, axis in zip(additive.lines, axes, strict=True)]
    columns = zip(additive.lines, bins, cases.codes.T, axes, strict=True)
    parts = [_line_part(*of_line) for of_line in columns]
    parts += [_table_part(table, cases.codes, axes) for table in tables]
    base = additive.base
    total = base + np.sum([part.values.ravel()[part.cells] for part in parts], axis=0)
    target = probability(total) + TRUST_IN_OUTCOMES * (cases.is_bad - probability(total))
    for _ in range(NEWTON_STEPS):
        p = probability(total)
        curvature = cases.weights * np.maximum(p * (1 - p), 1e-6)
        wanted = cases.weights * (target - p) / curvature
        for _ in range(SWEEPS):
            shift = float(curvature @ wanted / curvature.sum())
            base, total, wanted = base + shift, total + shift, wanted - shift
            for part in parts:
                step = part.moved(curvature, wanted)
                total, wanted = total + step, wanted - step
    return _finished(tables, parts, bins, additive, base, cases)


def _bins(line: Values, axis: Axis) -> Groups:
    """The bin of each slot: cells of the same step, in order or not; those apart by themselves.

    >>> _bins(np.array([0.5, 0.5, 0.1, 0.5, 0.5]), Axis(n_cells=4)).tolist()
    [0, 0, 1, 2, 3]
    """
    cells = line[: axis.n_cells]
    if axis.ordered:
        found = np.cumsum(np.diff(cells, prepend=cells[:1]) != 0)
    else:
        found = np.unique(cells, return_inverse=True)[1]
    return np.append(found, found.max() + 1 + np.arange(axis.n_apart))


def _line_part(line: Values, bins: Groups, column: NDArray[np.int64], axis: Axis) -> _Part:
    values = np.zeros((bins.max() + 1, 1))
    values[bins, 0] = line
    ridge = np.full(values.shape, RIDGE_OF_LINES)
    cells = bins[column]
    # What is neutral for want of cases stays where it is.
    is_few = np.bincount(cells, minlength=len(values)) < LEAST_CASES
    ridge[is_few & (np.arange(len(values)) >= len(values) - axis.n_apart)] = 1e9
    return _Part(cells, values, Order(axis.direction, len(values) - axis.n_apart), values, ridge)


def _table_part(table: PairTable, codes: Codes, axes: Sequence[Axis]) -> _Part:
    order = _order(table, axes)
    ridge = np.full(table.log_odds.shape, RIDGE_OF_TABLES)
    return _Part(table.cells(codes), table.log_odds, order, table.log_odds, ridge)


def _order(table: PairTable, axes: Sequence[Axis]) -> Order:
    first, second = axes[table.first], axes[table.second]
    n_rows, n_columns = table.log_odds.shape
    return Order(
        first.direction, n_rows - first.n_apart, second.direction, n_columns - second.n_apart
    )


def _finished(
    tables: Sequence[PairTable],
    parts: Sequence[_Part],
    bins: Sequence[Groups],
    additive: Additive,
    base: float,
    cases: Cases,
) -> Pairs:
    """Changes of lines, and tables with mean 0."""
    lines = tuple(
        part.values[of_slot, 0] - line
        for part, of_slot, line in zip(parts, bins, additive.lines, strict=False)
    )
    finished = []
    for table, part in zip(tables, parts[len(lines) :], strict=True):
        values = neutral_apart(part.values, table.n, part.order, least=LEAST_CASES)
        mean = float(np.average(values.ravel()[part.cells], weights=cases.weights))
        finished.append(replace(table, log_odds=values - mean))
        base += mean
    return Pairs(tuple(finished), lines, base - additive.base)


# --- the printed card ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WholePoints:
    """Points by slot of each line, and by cell of each table; higher is safer."""

    lines: tuple[NDArray[np.int64], ...]
    tables: tuple[NDArray[np.int64], ...]


def whole_points(
    lines: Sequence[Values], tables: Sequence[PairTable], axes: Sequence[Axis]
) -> WholePoints:
    """Whole points of a card. `lines`: in points, with the changes of `Pairs` already in them.

    No step goes against a declared direction, whatever the other characteristics say: each line
    and each table keeps it by itself. Those of `fit_pairs` do so before rounding; others are set
    right here.
    """
    printed_lines, printed_tables = [], []
    for line, axis in zip(lines, axes, strict=True):
        order = Order(-axis.direction, axis.n_cells)
        right = within(line[:, None], np.ones((len(line), 1)), order)
        printed_lines.append(_whole(right, order)[:, 0])
    for table in tables:
        safe = _order(table, axes)
        order = replace(safe, down=-safe.down, across=-safe.across)
        right = within(-POINTS_PER_LOG_ODDS * table.log_odds, table.n.astype(np.float64) + 1, order)
        printed_tables.append(_whole(right, order))
    return WholePoints(tuple(printed_lines), tuple(printed_tables))


def _whole(points: Values, order: Order) -> NDArray[np.int64]:
    """Half up, which keeps every order; a last digit of a float may have turned before."""
    return never_turning(np.floor(points + 0.5), order).astype(np.int64)


__all__ = [
    "Additive",
    "Axis",
    "PairTable",
    "Pairs",
    "WholePoints",
    "fit_pairs",
    "whole_points",
]
