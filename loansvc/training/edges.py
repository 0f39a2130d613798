"""Edges: where a number may be cut, so that a person would say it.

Of a CATALOGUE characteristic the edges are fixed by its unit (36 months, 50,000 yuan). Of any other
column they follow its quantiles, moved a little to the roundest number that splits it alike. A
value on an edge belongs to the right: an edge reads "36 and more".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Number: TypeAlias = int | float

_YUAN_STEPS = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80)
OFFICER_EDGES: Mapping[str, tuple[int, ...]] = {
    "count": (*range(1, 11), 12, 15, 20, 25, 30, 50, 100),
    "level": (1, 2, 3, 4),
    "days": (1, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180),
    "months": (1, 3, *range(6, 25, 3), 30, 36, 48, 60, 72, 84, 96, 120, 144, 180, 240, 300, 360),
    "percent": (1, *range(5, 100, 5), 100, 120, 150, 200, 250, 300, 400, 500),
    "yuan": (1, *(step * 10**power for power in (2, 3, 4, 5, 6) for step in _YUAN_STEPS)),
}
MOST_CELLS = 64  # finer cells change nothing in AUC
ROWS_A_CELL = 25  # fewer say nothing of their own: 64 cells of a thousand rows cost 0.004 in AUC
LEAST_CELLS = 16  # of ever so few rows
MOVE_SHARE = 0.25  # an edge may move by a quarter of a cell's rows to be rounder
DIGITS = 17  # a float64 has no more


def edges_of(values: NDArray[np.float64], *, most: int = MOST_CELLS) -> tuple[Number, ...]:
    """Edges inside the values, which hold no NaN: of at most `most` cells, fewer of few rows.

    Few different values: one cell each. Else cells of about equal size; a value that alone fills
    a cell has it to itself.

    >>> edges_of(np.array([0.0, 0.0, 1.0, 7.5, 30.0]))
    (1, 5, 20)
    """
    most = min(most, max(LEAST_CELLS, len(values) // ROWS_A_CELL))
    found, counts = np.unique(values, return_counts=True)
    if len(found) <= most:
        starts = np.arange(1, len(found))
        return tuple(roundest(found[i - 1], found[i]) for i in starts)
    starts = _starts(counts, most)
    while len(starts) >= most:  # heavy values near each other leave small cells between them
        starts = np.delete(starts, np.argmin(np.add.reduceat(counts, starts)))
    between = (starts[:-1] + starts[1:] - 1) // 2  # edges may not move past each other
    move = MOVE_SHARE * counts.sum() / most
    before = np.concatenate([[0], np.cumsum(counts)])[:-1]  # rows below each value
    first = np.searchsorted(before, before[starts] - move, side="left")
    last = np.searchsorted(before, before[starts] + move, side="right") - 1
    first = np.maximum(first, np.concatenate([[1], between + 1]))
    last = np.minimum(last, np.concatenate([between, [len(found) - 1]]))
    return tuple(roundest(found[f - 1], found[t]) for f, t in zip(first, last, strict=True))


def _starts(counts: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The place of the first value of every cell but the first."""
    heavy = counts * most >= counts.sum()
    light_rows = int(counts[~heavy].sum())
    size = light_rows / max(4, most - 2 * int(heavy.sum()))
    starts, rows = [], 0.0
    for place, (count, alone) in enumerate(zip(counts.tolist(), heavy.tolist(), strict=True)):
        if place and (alone or heavy[place - 1] or rows + count / 2 > size):
            starts.append(place)
            rows = 0.0
        rows += 0 if alone else count
    return np.array(starts, dtype=np.int64)


def roundest(low: float, high: float) -> Number:
    """The number in `low < number <= high` that is a multiple of the largest 1, 2 or 5 x 10^k.

    >>> [roundest(*span) for span in ((3.0, 4.0), (17.2, 23.9), (0.1234, 0.1311), (-2.0, 3.0))]
    [4, 20, 0.13, 0]
    """
    if low < 0 <= high:
        return 0
    power = math.ceil(math.log10(max(abs(low), abs(high))))
    for exponent in range(power, power - DIGITS, -1):
        for step in (10, 5, 2):
            # Counted in steps of 10^(exponent - 1), so that the decimal is exact.
            found = _multiple(low, high, step, exponent - 1)
            if found is not None:
                return found
    return _plain(float(high))


def _multiple(low: float, high: float, step: int, exponent: int) -> Number | None:
    unit = 10.0**exponent
    middle = round((low + high) / 2 / unit / step)
    for times in (middle, middle + 1, middle - 1):
        value = float(f"{times * step}e{exponent}")
        if low < value <= high:
            return _plain(value)
    return None


def _plain(value: float) -> Number:
    """Whole numbers as such."""
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
