"""Compact: from the model's exact tables to a few bins of whole points.

Three steps, kept side by side so that what each one loses can be measured:

    exact       the model's own entry on the scale of points, cell by cell
    compacted   neighbouring cells joined into bins by weighted least squares
    points      whole points: at most half a point from `compacted`

Points are centred: a characteristic whose every applicant is average has 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loansvc.scorecard import ODDS, POINTS_TO_DOUBLE, SCORE_AT_ODDS
from loansvc.training.additive import Table, Tables
from loansvc.training.cells import Input, Slots

POINTS_PER_LOG_ODDS = POINTS_TO_DOUBLE / math.log(2)  # 28.85
SCORE_AT_EVEN_ODDS = SCORE_AT_ODDS - POINTS_PER_LOG_ODDS * math.log(ODDS)  # 487.12
LEAST_CASES = 30  # fewer say nothing of their own: they join their neighbours, or are neutral
LEAST_OF_FEW = 0.1  # of fewer than 300 rows in all, a tenth must do, so that a small try works


@dataclass(frozen=True, slots=True)
class Limits:
    """How many bins a characteristic may have, and the least share of the rows in one.

    Rare high values of those in `rare` are the strongest bins there are, so LEAST_CASES alone
    binds them, and they may have `most_of_rare`.
    """

    most: int = 8
    # Half a leaf of the trees: 3 percent moved the worst score by 28 to 32 points, 1 percent by 6
    # to 12, half a percent by 5 to 6; AUC through the door within 0.0013 (synthetic, 20,000 loans).
    least_share: float = 0.005
    rare: tuple[str, ...] = ("max_days_past_due_24m", "enquiries_6m")
    most_of_rare: int = 12
    apart_count: bool = False  # whether bins of special codes and "not known" count among `most`


PRODUCT_LIMITS = Limits()


def least_cases(n_rows: int) -> int:
    """How many cases say something of their own, in a table of that many rows.

    >>> [least_cases(n) for n in (20, 200, 300, 100_000)]
    [2, 20, 30, 30]
    """
    return max(1, min(LEAST_CASES, int(LEAST_OF_FEW * n_rows)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """ln(bad / good) = intercept + slope x the model's own; fitted on scores out of fold."""

    intercept: float
    slope: float

    def log_odds_bad(self, log_odds_bad: Any) -> Any:
        """ln(bad / good), calibrated, of the model's own."""
        return self.intercept + self.slope * log_odds_bad

    def score(self, log_odds_bad: Any) -> Any:
        """The score, not rounded, of the model's own ln(bad / good).

        >>> round(Calibration(0.0, 1.0).score(-math.log(50)), 6)
        600.0
        """
        return SCORE_AT_EVEN_ODDS - POINTS_PER_LOG_ODDS * self.log_odds_bad(log_odds_bad)


@dataclass(frozen=True, slots=True)
class Line:
    """One characteristic in its three steps, by slot: cells, special codes, "not known".

    `neutral` is the mean over all that is known: what a code or "not known" gets when too few
    cases tell, and what a word never seen gets.
    """

    table: Table
    exact: NDArray[np.float64]
    compacted: NDArray[np.float64]
    points: NDArray[np.int64]
    neutral: int

    @property
    def input(self) -> Input:
        """The characteristic."""
        return self.table.input


@dataclass(frozen=True, slots=True)
class Lines:
    """The whole card. `base` is exact, `base_points` the whole number that is printed."""

    base: float
    base_points: int
    lines: tuple[Line, ...]

    def scores(self, slots: Slots, step: str) -> NDArray[np.float64]:
        """The score of each row in one of the steps: exact, compacted, points."""
        total = np.full(len(slots), float(self.base_points if step == "points" else self.base))
        for line, column in zip(self.lines, slots.T, strict=True):
            total += getattr(line, step)[column]
        return total

    @property
    def rounding_bound_points(self) -> float:
        """The most that rounding can move any score whatever: every characteristic at its worst."""
        worst = [float(np.abs(line.points - line.compacted).max()) for line in self.lines]
        return abs(self.base_points - self.base) + sum(worst)


def to_lines(tables: Tables, calibration: Calibration, limits: Limits = PRODUCT_LIMITS) -> Lines:
    """The card in its three steps.

    The printed base also takes up the mean of all rounding, so that the average score stays.
    """
    lines = tuple(_line(table, calibration.slope, limits) for table in tables.tables)
    means = sum(_mean(table.entries, table) for table in tables.tables)
    base = float(calibration.score(tables.base + means))
    lost = sum(_mean(line.compacted - line.points, line.table) for line in lines)
    return Lines(base, round(base + lost), lines)


def moved(lines: Lines, log_odds_bad: float) -> Lines:
    """The same card for a population with other odds."""
    base = lines.base - POINTS_PER_LOG_ODDS * log_odds_bad
    printed = lines.base_points - POINTS_PER_LOG_ODDS * log_odds_bad
    return replace(lines, base=base, base_points=round(printed))


def _mean(entries: NDArray[np.float64], table: Table) -> float:
    return float(entries @ table.counts / table.counts.sum())


def _line(table: Table, slope: float, limits: Limits) -> Line:
    exact = -POINTS_PER_LOG_ODDS * slope * (table.entries - _mean(table.entries, table))
    n_cells, n_known = table.input.n_cells, int(table.n.sum())
    neutral = float(exact[:n_cells] @ table.n / n_known) if n_known else 0.0
    join = _joined if table.input.ordered else _words
    known = join(exact[:n_cells], table, neutral, limits)
    tell = table.counts[n_cells:] >= least_cases(int(table.counts.sum()))
    compacted = np.append(known, np.where(tell, exact[n_cells:], neutral))
    # Half up, so that equal entries stay equal and rising entries never fall.
    points = np.floor(compacted + 0.5).astype(np.int64)
    return Line(table, exact, compacted, points, math.floor(neutral + 0.5))


def _words(
    exact: NDArray[np.float64], table: Table, neutral: float, limits: Limits
) -> NDArray[np.float64]:
    """Words without order: each its own points, neutral where too few cases tell.

    Of a card of another table also joined with those of nearly the same points, if they are many.
    """
    n_rows = int(table.counts.sum())
    found = np.where(table.n >= least_cases(n_rows), exact, neutral)
    if len(found) <= limits.most or not table.input.own:
        return found
    order = np.argsort(found, kind="stable")
    weights = (table.n if table.information is None else table.information[: len(found)])[order]
    starts = best_bins(found[order], weights, most=limits.most, least=1, cases=table.n[order])
    joined = np.empty_like(found)
    joined[order] = _means(found[order], weights, starts)
    return joined


def _joined(
    exact: NDArray[np.float64], table: Table, neutral: float, limits: Limits
) -> NDArray[np.float64]:
    """Cells in order: the mean of the bin they were joined into."""
    if table.n.sum() == 0:
        return np.full(len(exact), neutral)
    n_rows = int(table.counts.sum())
    rare, least = table.input.name in limits.rare, least_cases(n_rows)
    most = limits.most_of_rare if rare else limits.most
    if limits.apart_count:
        most = max(2, most - int((table.counts[table.input.n_cells :] >= least).sum()))
    weights = table.n if table.information is None else table.information[: len(exact)]
    starts = best_bins(
        exact,
        weights,
        most=most,
        least=least if rare else max(least, limits.least_share * n_rows),
        cases=table.n,
    )
    return _means(exact, weights, starts)


def _means(
    values: NDArray[np.float64], weights: NDArray[Any], starts: list[int]
) -> NDArray[np.float64]:
    """Each value replaced by the mean of its bin."""
    sizes = np.diff([*starts, len(values)])
    means = np.add.reduceat(values * weights, starts) / np.add.reduceat(weights, starts)
    return np.repeat(means, sizes)


def best_bins(
    values: NDArray[np.float64],
    weights: NDArray[Any],
    *,
    most: int,
    least: float,
    cases: NDArray[np.int64] | None = None,
) -> list[int]:
    """The first cell of each bin: at most `most` bins of at least `least` cases each.

    `cases`: how many stand in each cell, where `weights` say something else.
    Exact weighted least squares by dynamic programming over the last bin. Where no cut leaves
    enough cases on both sides, there is one bin.

    >>> best_bins(np.array([0.0, 0.1, 5.0, 5.1]), np.array([9, 9, 9, 9]), most=2, least=5)
    [0, 2]
    """
    size = len(values)
    cost = _costs(values, weights, weights if cases is None else cases, least)
    best = [cost[0]]  # best[k][j]: the least cost of cells 0..j in k + 1 bins
    came_from = [np.zeros(size, dtype=np.int64)]
    for _ in range(1, min(most, size)):
        # Row i: the last bin starts at cell i, after the best split of the cells before it.
        options = np.vstack([np.full(size, np.inf), best[-1][:-1, None] + cost[1:]])
        came_from.append(options.argmin(axis=0))
        best.append(options.min(axis=0))
    n_bins = int(np.argmin([b[-1] for b in best]))
    if not np.isfinite(best[n_bins][-1]):
        return [0]
    starts, end = [], size - 1
    for k in range(n_bins, -1, -1):
        starts.append(int(came_from[k][end]))
        end = starts[-1] - 1
    return starts[::-1]


def _costs(
    values: NDArray[np.float64], weights: NDArray[Any], cases: NDArray[Any], least: float
) -> NDArray[np.float64]:
    """The loss of one bin from cell i to cell j, infinite where it holds too few cases."""
    sums = [np.concatenate([[0.0], np.cumsum(weights * values**p)]) for p in (0, 1, 2)]
    n, w, wx, wxx = (
        s[None, 1:] - s[:-1, None] for s in (np.concatenate([[0.0], np.cumsum(cases)]), *sums)
    )
    loss = wxx - wx**2 / np.where(w > 0, w, 1)
    return np.where((n >= least) & (w > 0), np.maximum(loss, 0), np.inf)
