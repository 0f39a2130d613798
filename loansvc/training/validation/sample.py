"""Sample: a table scored by a card, and the parts it falls into. No part names a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.errors import TableRefused
from loansvc.training import columns
from loansvc.training.card import Card
from loansvc.training.divisions import divisions
from loansvc.training.table import as_frame, kind_of, numbers, words
from loansvc.training.validation.swap import holds_id_numbers

MOST_LEVELS = 60  # of a group: a column with more is no grouping
MOST_VILLAGES = 2_000
FEWEST_SHOWN = 10  # a smaller part could be a known person: such parts are shown together
TOGETHER, NOT_KNOWN = "others (fewer than 10 cases each)", "not known"
AGE_STARTS = (0, 26, 36, 46, 56, 66)  # the bands of the county's employment statistics, in years
MOST_NUMBERS = 12  # different numbers that are levels; more are banded
N_BANDS = 4
MOST_PERIODS = 12

Labels = tuple[NDArray[np.intp], list[str]]  # the place of every row, and the names in order


@dataclass(frozen=True, slots=True)
class Sample:
    """The table, its scores, and its outcomes. `is_bad` is False where `known` is."""

    frame: pd.DataFrame
    scores: NDArray[np.int64]
    expected: NDArray[np.float64]  # the card's PD
    slots: tuple[NDArray[np.intp], ...]  # one line for each characteristic of the card
    known: NDArray[np.bool_]
    is_bad: NDArray[np.bool_]

    @classmethod
    def of(cls, card: Card, data: Any, target: str | None) -> Sample:
        """Score the table and read its outcomes.

        Raises:
            TableRefused: a column is not there or not of its kind; the table is empty.
        """
        frame = as_frame(data).reset_index(drop=True)
        if frame.empty:
            raise TableRefused("The table has no rows. Give at least one case.")
        scores = card.score(frame)
        slots = tuple(columns.slots(c, frame) for c in card.scorecard.characteristics)
        known, is_bad = _outcomes(frame, target)
        return cls(frame, scores, columns.pd_of(scores), slots, known, is_bad)

    def column(self, name: str) -> pd.Series[Any]:
        """A column that somebody named.

        Raises:
            TableRefused: there is none.
        """
        if name not in self.frame.columns:
            raise TableRefused(f"Column {name} is missing. Add it, or leave its check out.")
        return self.frame[name]


def _outcomes(
    frame: pd.DataFrame, target: str | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the outcome is known, and where it is bad: 1 or true bad, 0 or false good."""
    if target is None:
        return np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    if target not in frame.columns:
        raise TableRefused(f"Column {target} is missing; it is to hold the outcomes. Add it.")
    values = numbers(frame[target])
    known = ~np.isnan(values)
    if not np.isin(values[known], (0, 1)).all():
        raise TableRefused(
            f"Column {target} must hold 1 (or true) for bad, 0 (or false) for good, "
            "and nothing where the outcome is not known."
        )
    return known, values == 1


def truth_of(values: pd.Series[Any], name: str) -> NDArray[np.bool_]:
    """A column of yes and no; not known is no.

    Raises:
        TableRefused: it holds something else.
    """
    found = numbers(values)
    if not np.isin(found[~np.isnan(found)], (0, 1)).all():
        raise TableRefused(f"Column {name} must hold 1 or 0, true or false.")
    return np.asarray(found == 1)


# --- parts --------------------------------------------------------------------------------------


def by_level(values: pd.Series[Any], name: str) -> Labels:
    """The levels of a group or protected field; numbers in bands, ages in those of the county.

    Raises:
        TableRefused: it has too many levels, or holds ID numbers.
    """
    if kind_of(values) == "number":
        found = numbers(values)
        if len(np.unique(found[~np.isnan(found)])) > MOST_NUMBERS:
            return _without_small(*_banded(found, is_age="age" in name.lower() or "年龄" in name))
    return _levels(values, name, most=MOST_LEVELS)


def by_village(values: pd.Series[Any], name: str) -> Labels:
    """The villages in order of code, with their names where the county has them."""
    known = {d.code: f"{d.code} {d.name}" for d in divisions()}
    at, order = _levels(values, name, most=MOST_VILLAGES)
    return at, [known.get(code, code) for code in order]


def _levels(values: pd.Series[Any], name: str, *, most: int) -> Labels:
    if holds_id_numbers(values):
        raise TableRefused(f"Column {name} holds ID numbers. Group by something else.")
    codes, found = pd.factorize(values, use_na_sentinel=True)
    if len(found) > most:
        raise TableRefused(
            f"Column {name} has {len(found)} levels; at most {most} make a group. Group it first."
        )
    named = [str(w) for w in words(pd.Series(found, dtype=object))]
    order = sorted(range(len(named)), key=lambda i: named[i])
    place = np.empty(len(named) + 1, dtype=np.intp)
    place[order], place[-1] = np.arange(len(named)), len(named)
    return _without_small(place[codes], [*(named[i] for i in order), NOT_KNOWN])


def _banded(found: NDArray[np.float64], *, is_age: bool) -> Labels:
    known = found[~np.isnan(found)]
    shares = np.linspace(0, 1, N_BANDS + 1)[1:-1]
    cuts = AGE_STARTS[1:] if is_age else np.unique(np.quantile(known, shares)).tolist()
    between = [f"{a:g} to below {b:g}" for a, b in pairwise(cuts)]
    names = [f"below {cuts[0]:g}", *between, f"{cuts[-1]:g} and more", NOT_KNOWN]
    at = np.searchsorted(np.asarray(cuts), found, side="right")
    at[np.isnan(found)] = len(cuts) + 1
    return at, names


def _without_small(at: NDArray[np.intp], order: Sequence[str]) -> Labels:
    """Empty levels dropped; those of fewer than ten cases together, or left out if still few."""
    sizes = np.bincount(at, minlength=len(order))
    small = (sizes > 0) & (sizes < FEWEST_SHOWN)
    kept = np.flatnonzero(sizes >= FEWEST_SHOWN)
    place = np.full(len(order), -1, dtype=np.intp)
    place[kept] = np.arange(len(kept))
    names = [order[int(i)] for i in kept]
    if sizes[small].sum() >= FEWEST_SHOWN:
        place[small] = len(names)
        names.append(TOGETHER)
    return place[at], names


# --- periods ------------------------------------------------------------------------------------


def by_period(values: pd.Series[Any], name: str) -> Labels:
    """Periods, earliest first: quarters of dates, whole numbers in up to twelve equal runs.

    Raises:
        TableRefused: neither dates nor numbers.
    """
    dates = _dates(values)
    if dates is not None:
        return _periods_of_dates(dates)
    if kind_of(values) != "number":
        raise TableRefused(f"Column {name} must hold dates or numbers, to be a time.")
    found = numbers(values)
    if np.isnan(found).all():
        return np.full(len(found), -1, dtype=np.intp), []
    first, last = float(np.nanmin(found)), float(np.nanmax(found))
    width = max(1, int(np.ceil((last - first + 1) / MOST_PERIODS)))
    at = np.where(np.isnan(found), -1, (found - first) // width).astype(np.intp)
    starts = [first + width * i for i in range(int(at.max()) + 1)]
    if width == 1:
        return at, [f"{s:g}" for s in starts]
    return at, [f"{s:g}–{min(s + width - 1, last):g}" for s in starts]


def _dates(values: pd.Series[Any]) -> pd.Series[Any] | None:
    if pd.api.types.is_datetime64_any_dtype(values):
        return values
    kind = kind_of(values)
    if kind not in {"date", "word"}:
        return None
    try:
        return pd.to_datetime(values.astype(object), format=None if kind == "date" else "ISO8601")
    except (ValueError, TypeError):
        return None


def _periods_of_dates(dates: pd.Series[Any]) -> Labels:
    """Quarters; half-years or years where there are more than twelve of them."""
    quarter = (dates.dt.year * 4 + dates.dt.quarter - 1).to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isnan(quarter).all():
        return np.full(len(quarter), -1, dtype=np.intp), []
    spread = np.nanmax(quarter) - np.nanmin(quarter)
    width = next((w for w in (1, 2) if spread // w < MOST_PERIODS), 4)
    block = quarter // width
    first, last = int(np.nanmin(block)), int(np.nanmax(block))
    at = np.where(np.isnan(block), -1, block - first).astype(np.intp)
    names = []
    for start in range(first * width, (last + 1) * width, width):
        part = {1: f"-Q{start % 4 + 1}", 2: f"-H{start % 4 // 2 + 1}", 4: ""}[width]
        names.append(f"{start // 4}{part}")
    return at, names
