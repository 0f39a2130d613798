"""Sample: a table scored by a card, and the parts it falls into. No part names a person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count, pairwise
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
# The age of a person: not business_age_months, mortgage_yuan or 企业年龄.
AGE = re.compile(r"^(applicant_)?age(_years)?\Z|^(申请人|借款人)?年龄", re.IGNORECASE)
AGE_STARTS = (0, 26, 36, 46, 56, 66)  # the bands of the county's employment statistics, in years
MOST_NUMBERS = 12  # different numbers that are levels; more are banded
N_BANDS = 4
MOST_PERIODS = 12
MONTH = re.compile(r"(19[0-9]{2}|20[0-9]{2}|2100)-?(0[1-9]|1[0-2])")  # 202311 or 2023-11

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
    _refuse_id_numbers(values, name)
    if kind_of(values) == "number":
        found = numbers(values)
        if len(np.unique(found[~np.isnan(found)])) > MOST_NUMBERS:
            return _without_small(*_banded(found, is_age=AGE.search(name) is not None))
    return _levels(values, name, most=MOST_LEVELS)


def by_village(values: pd.Series[Any], name: str) -> Labels:
    """The villages in order of code, with their names where the county has them."""
    _refuse_id_numbers(values, name)
    known = {d.code: f"{d.code} {d.name}" for d in divisions()}
    at, order = _levels(values, name, most=MOST_VILLAGES)
    return at, [known.get(code, code) for code in order]


def _refuse_id_numbers(values: pd.Series[Any], name: str) -> None:
    if holds_id_numbers(values):
        raise TableRefused(
            f"Column {name} holds what look like ID numbers. Take them out, or group by another."
        )


def _levels(values: pd.Series[Any], name: str, *, most: int) -> Labels:
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
    """Periods, earliest first and at most twelve: months, quarters of dates, runs of numbers.

    Raises:
        TableRefused: neither dates nor numbers.

    >>> by_period(pd.Series([202311, 202401]), "month")[1]
    ['2023-11', '2023-12', '2024-01']
    """
    months = _months(values)
    if months is not None:
        return _periods_of_months(months, widths=(1, 3, 6))
    dates = _dates(values)
    if dates is not None:
        months = (dates.dt.year * 12 + dates.dt.month - 1).to_numpy(np.float64, na_value=np.nan)
        return _periods_of_months(months, widths=(3, 6))
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


def _months(values: pd.Series[Any]) -> NDArray[np.float64] | None:
    """Months since the year 0, NaN for not known; None where a value is no month."""
    found = words(values)
    month_of: dict[str | None, float] = {None: np.nan}
    for word in set(found) - {None}:
        month = MONTH.fullmatch(word or "")
        if month is None:
            return None
        month_of[word] = int(month[1]) * 12 + int(month[2]) - 1
    return np.array([month_of[word] for word in found], dtype=np.float64)


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


def _periods_of_months(months: NDArray[np.float64], *, widths: Sequence[int]) -> Labels:
    """The shortest periods of these widths, or of whole years, of which twelve are enough."""
    if np.isnan(months).all():
        return np.full(len(months), -1, dtype=np.intp), []
    earliest, latest = int(np.nanmin(months)), int(np.nanmax(months))
    width = next(
        w
        for w in chain(widths, count(12, 12))
        if latest // w - earliest // w < MOST_PERIODS  # blocks begin on a multiple of their width
    )
    first, last = earliest // width, latest // width
    at = np.where(np.isnan(months), -1, months // width - first).astype(np.intp)
    return at, [_name_of_period(block * width, width) for block in range(first, last + 1)]


def _name_of_period(start: int, width: int) -> str:
    """Of the `width` months from `start` on.

    >>> [_name_of_period(2023 * 12 + 6, width) for width in (1, 3, 6)]
    ['2023-07', '2023-Q3', '2023-H2']
    >>> [_name_of_period(2022 * 12, width) for width in (12, 24)]
    ['2022', '2022–2023']
    """
    year, month = divmod(start, 12)
    if width > 12:
        return f"{year}–{year + width // 12 - 1}"
    parts = {1: f"-{month + 1:02}", 3: f"-Q{month // 3 + 1}", 6: f"-H{month // 6 + 1}", 12: ""}
    return f"{year}{parts[width]}"
