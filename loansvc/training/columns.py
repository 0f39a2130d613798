"""Columns: a card applied to a whole table at once. The same slots and points as row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.errors import TableRefused
from loansvc.scorecard import Scorecard, ScoredCharacteristic, pd_ppm
from loansvc.training.table import as_frame, numbers, words


def scores(card: Scorecard, table: Any) -> NDArray[np.int64]:
    """The score of every row, `(n_rows,)`.

    Raises:
        TableRefused: a column of the card is not there, or not of its kind.
    """
    frame = as_frame(table)
    total = np.full(len(frame), card.base_points, dtype=np.int64)
    for characteristic in card.characteristics:
        total += points_by_slot(characteristic)[slots(characteristic, frame)]
    for pair in card.pairs:
        matrix = np.array(pair.points, dtype=np.int64)
        total += matrix[slots(pair.rows, frame), slots(pair.columns, frame)]
    return total


def slots(of: ScoredCharacteristic, frame: pd.DataFrame) -> NDArray[np.intp]:
    """The place among the bins of every row's value, `(n_rows,)`."""
    if of.name not in frame.columns:
        raise TableRefused(f"Column {of.name} is missing; the card scores it. Add it.")
    column = frame[of.name]
    if of.described.words:
        return _slots_of_words(of, column)
    found = numbers(column)
    at = np.searchsorted(np.array(of.cuts, dtype=np.float64), found, side="right")
    for code, slot in of.index.items():
        at[found == code] = slot
    at[np.isnan(found)] = of.missing
    return at


def _slots_of_words(of: ScoredCharacteristic, column: pd.Series[Any]) -> NDArray[np.intp]:
    """By level: each different value is looked up once."""
    codes, levels = pd.factorize(column, use_na_sentinel=True)
    found = [of.slot_of(word) for word in words(pd.Series(levels, dtype=object))]
    return np.array([*found, of.missing], dtype=np.intp)[codes]  # code -1: not known


def points_by_slot(of: ScoredCharacteristic) -> NDArray[np.int64]:
    """The points of each bin, in printed order."""
    return np.array([b.points for b in of.bins], dtype=np.int64)


def pd_of(score: NDArray[Any]) -> NDArray[np.float64]:
    """The PD of each whole-point score, by the card's own rule.

    >>> pd_of(np.array([600, 640])).tolist()
    [0.019608, 0.004975]
    """
    known, at = np.unique(np.asarray(score, dtype=np.int64), return_inverse=True)
    return np.array([pd_ppm(int(s)) for s in known])[at] / 1e6
