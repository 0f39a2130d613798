"""Tabled: two-way tables (`pairs`) on top of the lines of an additive card, as they are printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loansvc.training.blend import stack
from loansvc.training.cells import Input, Slots
from loansvc.training.compact import (
    POINTS_PER_LOG_ODDS,
    SCORE_AT_EVEN_ODDS,
    Calibration,
    Line,
    Lines,
)
from loansvc.training.pairs import (
    Additive,
    Axis,
    Pairs,
    PairTable,
    fit_pairs,
    whole_points,
)
from loansvc.training.pairs.worth import PairTest, pair_test

Groups = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tabled:
    """Lines with what the tables change in them; the tables; their whole points; their test.

    `calibration`: of all of it together, from the test's predictions out of fold. It is in `lines`
    and `points`, not in `pairs`.
    """

    lines: Lines
    pairs: Pairs
    points: tuple[NDArray[np.int64], ...]
    test: PairTest
    calibration: Calibration

    def scores(self, slots: Slots, step: str) -> NDArray[np.float64]:
        """What the tables add to the score of each row: `compacted`, or in whole `points`."""
        codes, total = slots.astype(np.int64), np.zeros(len(slots))
        for table, points in zip(self.pairs.tables, self.points, strict=True):
            exact = -POINTS_PER_LOG_ODDS * self.calibration.slope * table.log_odds
            total += (points if step == "points" else exact).ravel()[table.cells(codes)]
        return total

    @property
    def rounding_bound_points(self) -> float:
        """The most that rounding of the tables can move any score."""
        scale = POINTS_PER_LOG_ODDS * self.calibration.slope
        return float(
            sum(
                np.abs(points + scale * table.log_odds).max()
                for table, points in zip(self.pairs.tables, self.points, strict=True)
            )
        )

    def documents(self) -> list[dict[str, Any]]:
        """As the document has them."""
        inputs = [line.input for line in self.lines.lines]
        return [
            _document(inputs, table, points)
            for table, points in zip(self.pairs.tables, self.points, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Untabled:
    """A card before its tables: its lines, and its ln(bad / good) of each row out of fold."""

    lines: Lines
    out_of_fold: NDArray[np.float64]

    def additive(self) -> Additive:
        """As the tables see it."""
        return Additive(
            base=(SCORE_AT_EVEN_ODDS - self.lines.base) / POINTS_PER_LOG_ODDS,
            lines=tuple(-line.compacted / POINTS_PER_LOG_ODDS for line in self.lines.lines),
            out_of_fold=self.out_of_fold,
        )


def with_pairs(
    untabled: Untabled,
    slots: Slots,
    is_bad: NDArray[np.bool_],
    *,
    train: Callable[[NDArray[np.int64]], Untabled],
    k: int,
    seed: int,
    weights: NDArray[np.float64] | None = None,
) -> Tabled:
    """The best `k` tables on top of these lines, and what they are worth on cases not seen.

    `train` makes the card anew from some of the rows, for the test.
    """
    inputs = [line.input for line in untabled.lines.lines]
    axes = [
        Axis(i.n_cells, n_apart=len(i.codes) + 1, ordered=i.ordered, direction=i.direction)
        for i in inputs
    ]
    codes = slots.astype(np.int64)
    pairs = fit_pairs(codes, is_bad, axes, untabled.additive(), k=k, seed=seed, weights=weights)
    test = pair_test(
        codes, is_bad, axes, lambda rows: train(rows).additive(), k=k, seed=seed, weights=weights
    )
    intercept, [slope] = stack(
        test.log_odds_bad[:, None], is_bad, prior=np.ones(1), weights=weights
    )
    calibration = Calibration(intercept, float(slope))
    return _printed(untabled.lines, pairs, axes, slots, test, calibration)


def _printed(
    lines: Lines,
    pairs: Pairs,
    axes: Sequence[Axis],
    slots: Slots,
    test: PairTest,
    calibration: Calibration,
) -> Tabled:
    slope = calibration.slope
    changed = [
        slope * (line.compacted - POINTS_PER_LOG_ODDS * change)
        for line, change in zip(lines.lines, pairs.lines, strict=True)
    ]
    scaled = [replace(table, log_odds=slope * table.log_odds) for table in pairs.tables]
    whole = whole_points(changed, scaled, axes)
    new = [
        _line(line, compacted, points)
        for line, compacted, points in zip(lines.lines, changed, whole.lines, strict=True)
    ]
    log_odds_bad = (SCORE_AT_EVEN_ODDS - lines.base) / POINTS_PER_LOG_ODDS + pairs.base
    base = float(calibration.score(log_odds_bad))
    tabled = Tabled(Lines(base, round(base), tuple(new)), pairs, whole.tables, test, calibration)
    # The printed base also takes up the mean of all rounding, so that the average score stays.
    steps = ("compacted", "points")
    exact, printed = (tabled.lines.scores(slots, s) + tabled.scores(slots, s) for s in steps)
    lost = float((exact - printed).mean())
    return replace(tabled, lines=replace(tabled.lines, base_points=round(base) + round(lost)))


def _line(line: Line, compacted: NDArray[np.float64], points: NDArray[np.int64]) -> Line:
    n, n_cells = line.table.n, line.input.n_cells
    neutral = float(compacted[:n_cells] @ n / n.sum()) if n.sum() else 0.0
    return replace(line, compacted=compacted, points=points, neutral=math.floor(neutral + 0.5))


# --- the document -------------------------------------------------------------------------------


def _document(
    inputs: Sequence[Input], table: PairTable, points: NDArray[np.int64]
) -> dict[str, Any]:
    first, second = inputs[table.first], inputs[table.second]
    for axis, of, groups in ((0, first, table.rows), (1, second, table.columns)):
        points = _with_unseen(points, of, groups, axis)
    return {
        "rows": {"name": first.name, "bins": _bins(first, table.rows)},
        "columns": {"name": second.name, "bins": _bins(second, table.columns)},
        "points": points.tolist(),
    }


def _with_unseen(
    points: NDArray[np.int64], of: Input, groups: Groups, axis: int
) -> NDArray[np.int64]:
    """With a row or column for words never seen: that of the others, or else nothing at all.

    A group of others alone, none of which may be printed, has no other row.
    """
    if not of.is_word:
        return points
    if not of.others:
        return np.pad(points, ((0, 1 - axis), (0, axis)))
    group = int(groups[of.n_cells - 1])
    unseen = np.take(points, [group], axis=axis)
    if not of.rare and (groups[: of.n_cells - 1] != group).all():
        points = np.delete(points, group, axis=axis)
    return np.concatenate([points, unseen], axis=axis)


def _bins(of: Input, groups: Groups) -> list[dict[str, Any]]:
    """The bins of an axis in the order of their groups."""
    n_groups = int(groups[: of.n_cells].max()) + 1
    cells = [np.flatnonzero(groups[: of.n_cells] == g).tolist() for g in range(n_groups)]
    known: list[dict[str, Any]]
    if of.is_word:
        by_cell = of.words_by_cell
        held = [[word for cell in group for word in by_cell[cell]] for group in cells]
        known = [{"words": group} for group in held if group]
    else:
        known = [_range(of, group) for group in cells]
    known += [{"values": [code]} for code in of.codes]
    known += [{"state": "missing"}] + ([{"state": "unseen"}] if of.is_word else [])
    return known


def _range(of: Input, cells: Sequence[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if cells[0] > 0:
        found["from"] = of.edges[cells[0] - 1]
    if cells[-1] < len(of.edges):
        found["to"] = of.edges[cells[-1]]
    return found
