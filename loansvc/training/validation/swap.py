"""Swap: the same cases with another sex, birth place or group, scored again.

`swap_columns` changes columns of a table; `swap_records` changes the ID number inside whole
applications, derives the characteristics again and scores them: the proof that covers the way
from the application to the card, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.application import characteristics, from_record
from loansvc.identifiers import id_check_character
from loansvc.training.card import Card
from loansvc.training.table import words
from loansvc.training.validation.fairness import OTHER_ANSWER, SAME_ANSWER, Swap

ELSEWHERE = ("540102", "654002")  # Lhasa and Yining: area digits that speak of ethnicity
SEX_DIGIT = 16  # odd: male (GB 11643)
ID_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]", re.ASCII)
# To be hidden: one inside a text, too, and those of 15 digits from before 1999. Not decimals.
LIKE_ID_NUMBER = re.compile(
    r"(?<![0-9A-Za-z.])([0-9]{17}[0-9Xx]|[0-9]{15})(?![0-9A-Za-z])", re.ASCII
)
# Fields that no card may score, by any part of their name (PIPL art. 24 and 28, DOMAIN 7).
SENSITIVE = re.compile(
    r"(^|_)(sex|gender|male|female|birth\w*|ethnic\w*|nationality|minzu|hukou|religio\w*|"
    r"marital|married|marriage|disab\w*|illness|disease|health|pregnan\w*)(_|$)|^age(_|$)|"
    "性别|民族|年龄|出生|籍贯|户籍|户口|宗教|婚|残疾|疾病",
    re.IGNORECASE,
)


def sensitive_names(names: Iterable[str]) -> tuple[str, ...]:
    """Those that name a field no card may score.

    >>> sensitive_names(["business_age_months", "age_years", "applicant_sex", "性别"])
    ('age_years', 'applicant_sex', '性别')
    """
    return tuple(name for name in names if SENSITIVE.search(name))


def holds_id_numbers(values: pd.Series[Any]) -> bool:
    """Whether any value looks like a resident ID number: such a column is never shown.

    >>> holds_id_numbers(pd.Series(["N/A", "11010519491231002X"]))
    True
    """
    return any(LIKE_ID_NUMBER.search(word) for word in set(words(values)) if word is not None)


def swapped_id(number: str, *, what: str) -> str:
    """An ID number of the other sex, or of another birth place; its check character is right.

    >>> swapped_id("11010519491231002X", what="sex")
    '110105194912310038'
    """
    digits = number[:17]
    if what == "sex":
        digits = digits[:SEX_DIGIT] + str(int(digits[SEX_DIGIT]) ^ 1)
    else:
        digits = next(place for place in ELSEWHERE if place != digits[:6]) + digits[6:]
    return digits + id_check_character(digits)


def swap_columns(
    card: Card, frame: pd.DataFrame, scores: NDArray[np.int64], fields: Mapping[str, str],
    *, seed: int,
) -> tuple[Swap, ...]:  # fmt: skip
    """Each protected column left out, and permuted; ID numbers with other digits."""
    read = set(card.names)
    rng = np.random.default_rng(seed)
    found = []
    for field, column in fields.items():
        changed = list(_changed(frame, column, rng, scored=column in read))
        found += [_swap(field, how, column in read, scores, card.score(f)) for how, f in changed]
    return tuple(found)


def _changed(
    frame: pd.DataFrame, column: str, rng: np.random.Generator, *, scored: bool
) -> Iterator[tuple[str, pd.DataFrame]]:
    if not scored:
        yield "left out", frame.drop(columns=column)
    mixed = frame[column].iloc[rng.permutation(len(frame))].set_axis(frame.index)
    yield "permuted", frame.assign(**{column: mixed})
    found = words(frame[column])
    swapped = {w for w in found if w is not None and ID_NUMBER.fullmatch(w)}
    if swapped:  # else nothing would be changed, and the same answer would prove nothing
        for what in ("sex", "birth place"):
            cells = zip(found, frame[column].tolist(), strict=True)
            new = [swapped_id(w, what=what) if w in swapped else cell for w, cell in cells]
            changed = pd.Series(new, index=frame.index, dtype=object)
            yield f"{what} digits", frame.assign(**{column: changed})


def _swap(
    field: str, how: str, scored: bool, before: NDArray[np.int64], after: NDArray[np.int64]
) -> Swap:
    change = np.abs(after - before)
    n_changed = int((change > 0).sum())
    return Swap(
        field=field,
        how=how,
        scored=scored,
        n=len(before),
        n_changed=n_changed,
        largest_change=int(change.max()) if len(change) else 0,
        verdict=OTHER_ANSWER if n_changed else SAME_ANSWER,
    )


def swap_records(card: Card, records: Iterable[Mapping[str, Any]]) -> tuple[Swap, ...]:
    """Whole applications of a product with the digits for sex and birth place changed."""
    before: list[int] = []
    after: dict[str, list[int]] = {"sex": [], "birth place": []}
    for record in records:
        before.append(_score(card, record))
        for what, scores in after.items():
            other = deepcopy(dict(record))
            other["applicant"]["id_number"] = swapped_id(
                record["applicant"]["id_number"], what=what
            )
            scores.append(_score(card, other))
    first = np.array(before, dtype=np.int64)
    return tuple(
        _swap(
            "id_number", f"{what} digits, from the application on", False, first, np.array(scores)
        )
        for what, scores in after.items()
    )


def _score(card: Card, record: Mapping[str, Any]) -> int:
    return card.scorecard.score(characteristics(from_record(record)))
