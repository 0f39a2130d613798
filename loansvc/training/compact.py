"""Compact: from the model's exact tables to a few bins of whole points.

Three steps, kept side by side so that what each one loses can be measured:

    exact       the model's own entry on the scale of points, cell by cell
    compacted   neighbouring cells joined into bins by weighted least squares
    points      whole points: at most half a point from `compacted`

Points are centred: a characteristic whose every applicant is average has 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loansvc.scorecard import ODDS, POINTS_TO_DOUBLE, SCORE_AT_ODDS
from loansvc.training.additive import Table, Tables, positions
from loansvc.training.cells import Input

POINTS_PER_LOG_ODDS = POINTS_TO_DOUBLE / math.log(2)  # 28.85
SCORE_AT_EVEN_ODDS = SCORE_AT_ODDS - POINTS_PER_LOG_ODDS * math.log(ODDS)  # 487.12
MOST_BINS = 8
# Half a leaf of the trees: 3 percent moved the worst score by 28 to 32 points, 1 percent by 6 to
# 12, half a percent by 5 to 6; AUC through the door within 0.0013 (synthetic, 20,000 loans).
LEAST_SHARE = 0.005
LEAST_CASES = 30  # fewer say nothing of their own: they join their neighbours, or are neutral
# Rare high values of these are the strongest bins there are, so LEAST_CASES alone binds them.
RARE_BUT_STRONG = ("max_days_past_due_24m", "enquiries_6m")
MOST_BINS_OF_RARE = 12


@dataclass(frozen=True, slots=True)
class Calibration:
    """ln(bad / good) = intercept + slope x the model's own; fitted on scores out of fold."""

    intercept: float
    slope: float

    def score(self, log_odds_bad: Any) -> Any:
        """The score, not rounded, of the model's own ln(bad / good).

        >>> round(Calibration(0.0, 1.0).score(-math.log(50)), 6)
        600.0
        """
        return SCORE_AT_EVEN_ODDS - POINTS_PER_LOG_ODDS * (
            self.intercept + self.slope * log_odds_bad
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One characteristic in its three steps, by cell, "not known" last.

    `neutral` is the mean over all that is known: what "not known" gets when too few cases tell,
    and what a word never seen gets.
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

    def scores(self, cells: NDArray[np.float64], step: str) -> NDArray[np.float64]:
        """The score of each row in one of the steps: exact, compacted, points."""
        entries = (
            getattr(line, step)[positions(column, line.input)]
            for line, column in zip(self.lines, cells.T, strict=True)
        )
        base = self.base_points if step == "points" else self.base
        return sum(entries, start=np.full(len(cells), float(base)))

    @property
    def rounding_bound_points(self) -> float:
        """The most that rounding can move any score whatever: every characteristic at its worst."""
        worst = [float(np.abs(line.points - line.compacted).max()) for line in self.lines]
        return abs(self.base_points - self.base) + sum(worst)


def to_lines(tables: Tables, calibration: Calibration) -> Lines:
    """The card in its three steps.

    The printed base also takes up the mean of all rounding, so that the average score stays.
    """
    lines = tuple(_line(table, calibration.slope) for table in tables.tables)
    means = sum(_mean(np.append(t.log_odds_bad, t.missing), t) for t in tables.tables)
    base = float(calibration.score(tables.base + means))
    lost = sum(_mean(line.compacted - line.points, line.table) for line in lines)
    return Lines(base, round(base + lost), lines)


def _mean(entries: NDArray[np.float64], table: Table) -> float:
    weights = np.append(table.n, table.n_missing)
    return float(entries @ weights / weights.sum())


def _line(table: Table, slope: float) -> Line:
    entries = np.append(table.log_odds_bad, table.missing)
    exact = -POINTS_PER_LOG_ODDS * slope * (entries - _mean(entries, table))
    n_known = int(table.n.sum())
    neutral = float(exact[:-1] @ table.n / n_known) if n_known else 0.0
    join = _joined if table.input.ordered else _words
    known = join(exact[:-1], table, neutral)
    missing = exact[-1] if table.n_missing >= LEAST_CASES else neutral
    compacted = np.append(known, missing)
    # Half up, so that equal entries stay equal and rising entries never fall.
    points = np.floor(compacted + 0.5).astype(np.int64)
    return Line(table, exact, compacted, points, math.floor(neutral + 0.5))


def _words(exact: NDArray[np.float64], table: Table, neutral: float) -> NDArray[np.float64]:
    """Words without order: each its own points, neutral where too few cases tell."""
    return np.where(table.n >= LEAST_CASES, exact, neutral)


def _joined(exact: NDArray[np.float64], table: Table, neutral: float) -> NDArray[np.float64]:
    """Cells in order: the mean of the bin they were joined into."""
    n_rows = int(table.n.sum()) + table.n_missing
    rare = table.input.name in RARE_BUT_STRONG
    starts = best_bins(
        exact,
        table.n,
        most=MOST_BINS_OF_RARE if rare else MOST_BINS,
        least=LEAST_CASES if rare else max(LEAST_CASES, LEAST_SHARE * n_rows),
    )
    if table.n.sum() == 0:
        return np.full(len(exact), neutral)
    sizes = np.diff([*starts, len(exact)])
    means = np.add.reduceat(exact * table.n, starts) / np.add.reduceat(table.n, starts)
    return np.repeat(means, sizes)


def best_bins(
    values: NDArray[np.float64], weights: NDArray[np.int64], *, most: int, least: float
) -> list[int]:
    """The first cell of each bin: at most `most` bins of at least `least` cases each.

    Exact weighted least squares by dynamic programming over the last bin. Where no cut leaves
    enough cases on both sides, there is one bin.

    >>> best_bins(np.array([0.0, 0.1, 5.0, 5.1]), np.array([9, 9, 9, 9]), most=2, least=5)
    [0, 2]
    """
    size = len(values)
    cost = _costs(values, weights, least)
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
    values: NDArray[np.float64], weights: NDArray[np.int64], least: float
) -> NDArray[np.float64]:
    """The loss of one bin from cell i to cell j, infinite where it holds too few cases."""
    sums = [np.concatenate([[0.0], np.cumsum(weights * values**p)]) for p in (0, 1, 2)]
    w, wx, wxx = (s[None, 1:] - s[:-1, None] for s in sums)
    loss = wxx - wx**2 / np.where(w > 0, w, 1)
    return np.where((w >= least) & (w > 0), np.maximum(loss, 0), np.inf)
