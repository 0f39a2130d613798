"""Cells: the small steps in which a characteristic may move the trained model.

The model never sees a raw number. A number falls into a cell between two edges an officer would
say (36 months, 50,000 yuan), a word has a cell of its own, a special code and "not known" have a
slot outside the order. So every edge of the finished card is one the model itself has seen, and
its tables are read off slot by slot:

    slots of one characteristic:  its cells, then one a special code, then "not known"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.application import CATALOGUE, MODEL_CHARACTERISTICS
from loansvc.training.edges import OFFICER_EDGES, Number
from loansvc.training.table import numbers, words

Slots = NDArray[np.int32]  # (n_rows, n_inputs)


@dataclass(frozen=True, slots=True)
class Input:
    """One characteristic as the model sees it.

    `edges` for a number, `words` for a word. `others`: rare words, and those never seen, share a
    cell after them; `rare` are those of them that the card may print. `codes` are special values
    of a number. `direction` as in the catalogue: +1 risk grows along the cells, -1
    it falls, 0 free. Words with a direction, or `in_order`, are ranks; others are categories.
    `own`: not as the CATALOGUE has it, so the card describes it.
    """

    name: str
    direction: int
    edges: tuple[Number, ...] = ()
    words: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()
    others: bool = False
    codes: tuple[Number, ...] = ()
    in_order: bool = False
    own: bool = False

    @property
    def is_word(self) -> bool:
        """Whether it is one of words, not a number."""
        return bool(self.words) or self.others

    @property
    def n_cells(self) -> int:
        """How many cells there are beside special codes and "not known"."""
        return len(self.words) + self.others if self.is_word else len(self.edges) + 1

    @property
    def n_slots(self) -> int:
        """Cells, special codes, and "not known", which is the last."""
        return self.n_cells + len(self.codes) + 1

    @property
    def missing(self) -> int:
        """The slot of "not known"."""
        return self.n_slots - 1

    @property
    def ordered(self) -> bool:
        """Whether neighbouring cells may be joined."""
        return not self.is_word or self.direction != 0 or self.in_order

    @property
    def words_by_cell(self) -> list[tuple[str, ...]]:
        """The words of each cell that a card may print."""
        return [(word,) for word in self.words] + ([self.rare] if self.others else [])

    def slots(self, values: pd.Series[Any]) -> NDArray[np.int32]:
        """The slot of each value; a word never seen is one of the others, else "not known".

        >>> age = Input("business_age_months", -1, edges=(12, 36), codes=(-9,))
        >>> age.slots(pd.Series([11, 12, 500, -9, None])).tolist()
        [0, 1, 2, 3, 4]
        """
        if self.is_word:
            return self._slots_of_words(values)
        found = numbers(values)
        at = np.searchsorted(np.array(self.edges, dtype=np.float64), found, side="right")
        for place, code in enumerate(self.codes):
            at[found == code] = self.n_cells + place
        at[np.isnan(found)] = self.missing
        return at.astype(np.int32)

    def _slots_of_words(self, values: pd.Series[Any]) -> NDArray[np.int32]:
        """By level: each different value is looked up once."""
        cell_of = {word: cell for cell, word in enumerate(self.words)}
        stranger = len(self.words) if self.others else self.missing
        codes, levels = pd.factorize(values, use_na_sentinel=True)
        known = words(pd.Series(levels, dtype=object))
        found = [self.missing if w is None else cell_of.get(w, stranger) for w in known]
        return np.array([*found, self.missing], dtype=np.int32)[codes]  # -1: not known


def inputs_for(frame: pd.DataFrame) -> tuple[Input, ...]:
    """The inputs of a product's card: all characteristics of the CATALOGUE a model may use."""
    return tuple(catalogued(name, frame[name]) for name in sorted(MODEL_CHARACTERISTICS))


def catalogued(name: str, values: pd.Series[Any]) -> Input:
    """As the CATALOGUE has it: its words, or the edges of its unit inside these values."""
    row = CATALOGUE[name]
    if row.words:
        return Input(name, row.direction, words=row.words)
    low, high = values.min(), values.max()  # NaN for a column never known: then no edge is left
    return Input(
        name, row.direction, edges=tuple(e for e in OFFICER_EDGES[row.unit] if low < e <= high)
    )


def encode(frame: pd.DataFrame, inputs: Sequence[Input]) -> Slots:
    """The slot of every value, `(n_rows, n_inputs)`, columns in the order of `inputs`."""
    return np.column_stack([i.slots(frame[i.name]) for i in inputs])


def sums_by_slot(
    of: Input, slots: NDArray[np.int32], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The sum of these in each slot of one characteristic."""
    return np.asarray(np.bincount(slots, values, minlength=of.n_slots), dtype=np.float64)


def counts_by_slot(of: Input, slots: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many of these stand in each slot of one characteristic."""
    return np.bincount(slots, minlength=of.n_slots)
