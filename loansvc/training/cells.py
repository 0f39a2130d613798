"""Cells: the small steps in which a characteristic may move the trained model.

The model never sees a raw number. A number falls into a cell between two edges an officer would
say (36 months, 50,000 yuan), a word has a cell of its own, "not known" is NaN. So every edge of
the finished card is one the model itself has seen, and its tables are read off cell by cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.application import CATALOGUE, MODEL_CHARACTERISTICS

# Edges by unit: a value on an edge belongs to the right, so an edge reads "36 months and more".
_YUAN_STEPS = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80)
OFFICER_EDGES: Mapping[str, tuple[int, ...]] = {
    "count": (*range(1, 11), 12, 15, 20, 25, 30, 50, 100),
    "level": (1, 2, 3, 4),
    "days": (1, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180),
    "months": (1, 3, *range(6, 25, 3), 30, 36, 48, 60, 72, 84, 96, 120, 144, 180, 240, 300, 360),
    "percent": (1, *range(5, 100, 5), 100, 120, 150, 200, 250, 300, 400, 500),
    "yuan": (1, *(step * 10**power for power in (2, 3, 4, 5, 6) for step in _YUAN_STEPS)),
}


@dataclass(frozen=True, slots=True)
class Input:
    """One characteristic as the model sees it.

    `edges` for a number, `words` for a word. `direction` as in the catalogue: +1 risk grows along
    the cells, -1 it falls, 0 free. A word with a direction is a rank, one without is a category.
    """

    name: str
    direction: int
    edges: tuple[int, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def n_cells(self) -> int:
        """How many cells there are beside "not known"."""
        return len(self.words) or len(self.edges) + 1

    @property
    def ordered(self) -> bool:
        """Whether neighbouring cells may be joined."""
        return not self.words or self.direction != 0

    def cells(self, values: pd.Series[Any]) -> NDArray[np.float64]:
        """The cell of each value; NaN for not known, and for a word that is not in the catalogue.

        >>> age = Input("business_age_months", -1, edges=(12, 36))
        >>> age.cells(pd.Series([11, 12, 500, None])).tolist()
        [0.0, 1.0, 2.0, nan]
        """
        if self.words:
            index: dict[Any, float] = {word: float(i) for i, word in enumerate(self.words)}
            return np.array([index.get(v, np.nan) for v in values.tolist()], dtype=np.float64)
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        found = np.searchsorted(self.edges, numbers, side="right").astype(np.float64)
        return np.where(np.isnan(numbers), np.nan, found)


def inputs_for(frame: pd.DataFrame) -> tuple[Input, ...]:
    """The inputs of a card: words from the catalogue, edges inside the values of this frame."""
    return tuple(_input_for(name, frame[name]) for name in sorted(MODEL_CHARACTERISTICS))


def _input_for(name: str, values: pd.Series[Any]) -> Input:
    row = CATALOGUE[name]
    if row.words:
        return Input(name, row.direction, words=row.words)
    low, high = values.min(), values.max()  # NaN for a column never known: then no edge is left
    return Input(
        name, row.direction, edges=tuple(e for e in OFFICER_EDGES[row.unit] if low < e <= high)
    )


def encode(frame: pd.DataFrame, inputs: Sequence[Input]) -> NDArray[np.float64]:
    """The cell of every value, `(n_applications, n_inputs)`, columns in the order of `inputs`."""
    return np.column_stack([i.cells(frame[i.name]) for i in inputs])
