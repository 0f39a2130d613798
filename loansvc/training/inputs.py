"""Inputs: what a caller says of the columns of any table, and how each of them is cut into cells.

A table whose columns are all of the CATALOGUE is cut as a product's is: edges an officer would
say, the catalogue's words and directions. Any other is cut by its own quantiles and levels.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from loansvc.application import MODEL_CHARACTERISTICS
from loansvc.training.cells import Input, catalogued
from loansvc.training.compact import LEAST_CASES, least_cases
from loansvc.training.edges import Number, edges_of
from loansvc.training.table import UnfitTable, kind_of, numbers, words

RARE_SHARE = 0.03  # a level under 3 percent and under LEAST_CASES joins the others that are
SHOWN = 10  # columns, in a refusal
# What fewer cases share may tell who they are: such words are not printed, and score as unseen.
LEAST_PRINTED, FEW_ROWS = 10, 200  # of so few rows every word is printed
MOST_WORDS = 40  # of more levels, the less frequent join the others; a document has 50 bins


@dataclass(frozen=True, slots=True)
class Said:
    """What the caller says of columns, by name."""

    monotone: Mapping[str, int] = field(default_factory=dict)
    special_codes: Mapping[str, tuple[Number, ...]] = field(default_factory=dict)
    categorical: frozenset[str] = frozenset()
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        *,
        monotone: Any = None,
        special_codes: Any = None,
        categorical: Any = None,
        orders: Any = None,
    ) -> Said:
        """From mappings, or lists as scikit-learn takes them.

        >>> Said.of(["a", "b"], monotone=[0, -1], special_codes=[-9]).monotone
        {'a': 0, 'b': -1}

        Raises:
            UnfitTable: a column that is not there, or a direction that is none.
        """
        said = cls(
            monotone=_by_name(monotone, names, "monotone"),
            special_codes=_codes(special_codes, names),
            categorical=frozenset(_names(categorical, names)),
            orders={k: tuple(map(str, v)) for k, v in dict(orders or {}).items()},
        )
        given = {
            "monotone": said.monotone, "orders": said.orders, "categorical": said.categorical,
        }  # fmt: skip
        if isinstance(special_codes, Mapping):
            given["special_codes"] = said.special_codes
        for word, about in given.items():
            check_known(about, names, word)
        for name, direction in said.monotone.items():
            if direction not in (-1, 0, 1):
                raise UnfitTable(
                    f"monotone: {name} must be -1 (risk falls), 0 (free) or +1 (risk rises)."
                )
        return said


def check_known(asked: Iterable[str], names: Iterable[str], word: str) -> None:
    """Every name asked for is a column.

    Raises:
        UnfitTable: names the one that is not, and what was meant, if that is near.
    """
    names = list(names)
    for name in asked:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
            hint = f" Did you mean {near[0]}?" if near else f" There are: {shown}."
            raise UnfitTable(f"{word}: {name} is not a column of the table.{hint}")


def _by_name(given: Any, names: Sequence[str], word: str) -> dict[str, int]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {str(k): int(v) for k, v in given.items()}
    found = [int(v) for v in given]
    if len(found) != len(names):
        raise UnfitTable(f"{word}: lists {len(found)} values, but the table has {len(names)}.")
    return dict(zip(names, found, strict=True))


def _codes(given: Any, names: Sequence[str]) -> dict[str, tuple[Number, ...]]:
    if given is None:
        return {}
    by_name = given if isinstance(given, Mapping) else dict.fromkeys(names, given)
    try:
        return {k: tuple(dict.fromkeys(_code(c) for c in codes)) for k, codes in by_name.items()}
    except (TypeError, ValueError):
        raise UnfitTable("special_codes: give lists of numbers, such as [-1, -9].") from None


def _code(value: Any) -> Number:
    number = float(value)
    return int(number) if number.is_integer() else number


def _names(given: Any, names: Sequence[str]) -> list[str]:
    """Names, places, or a mask."""
    found = list(given) if given is not None else []
    if found and all(isinstance(v, bool | np.bool_) for v in found):
        return [n for n, is_in in zip(names, found, strict=True) if is_in]
    return [v if isinstance(v, str) else names[int(v)] for v in found]


def inputs_of(frame: pd.DataFrame, said: Said) -> tuple[Input, ...]:
    """The inputs of a card of this table, in order of name."""
    return tuple(_input(name, frame, said) for name in sorted(frame.columns))


def is_catalogued(names: Iterable[str]) -> bool:
    """Whether all columns are characteristics of the CATALOGUE that a model may use."""
    return set(names) <= set(MODEL_CHARACTERISTICS)


def is_word(values: pd.Series[Any], said: Said) -> bool:
    """Whether a column is one of words: said to be, or by its type."""
    name = values.name
    return name in said.categorical or name in said.orders or kind_of(values) == "word"


def _input(name: str, frame: pd.DataFrame, said: Said) -> Input:
    values, direction = frame[name], said.monotone.get(name, 0)
    is_said = name in said.special_codes or name in said.categorical or name in said.orders
    if is_catalogued(frame.columns) and not is_said:
        of = catalogued(name, values)
        strangers = set(words(values)) - {*of.words, None} if of.words else set()
        if strangers:
            raise UnfitTable(
                f"Column {name} holds {len(strangers)} words that the CATALOGUE does not have. "
                f"Write them as {', '.join(of.words)}, or rename the column."
            )
        return replace(of, direction=said.monotone.get(name, of.direction))
    if is_word(values, said):
        return _of_words(name, values, direction, said.orders.get(name))
    found = numbers(values)
    found = found[~np.isnan(found)]
    codes = said.special_codes.get(name, ())
    codes = tuple(c for c in codes if (found == c).any())
    ordinary = found[~np.isin(found, codes)]
    edges = edges_of(ordinary) if len(ordinary) else ()
    return Input(name, direction, edges=edges, codes=codes, own=True)


def _of_words(
    name: str, values: pd.Series[Any], direction: int, order: tuple[str, ...] | None
) -> Input:
    counts = pd.Series(words(values), dtype=object).value_counts()
    if order is not None:
        n_strangers = len(set(counts.index) - set(order))
        if n_strangers:
            raise UnfitTable(
                f"orders: {name} also has {n_strangers} words that stand in no place. "
                "Give each of its words a place in the order."
            )
        return Input(name, direction, words=order, in_order=True, own=True)
    if direction:
        raise UnfitTable(
            f"monotone: {name} holds words. Say their order (orders, or [order] in the file), "
            "or leave its direction free."
        )
    n_rows = len(values)
    least = min(RARE_SHARE * n_rows, least_cases(n_rows)) if n_rows >= LEAST_CASES else 0
    frequent = [word for word, n in counts.items() if n >= least][:MOST_WORDS]
    rare = sorted(set(counts.index) - set(frequent))
    if n_rows >= FEW_ROWS:
        printed = tuple(word for word in rare if counts[word] >= LEAST_PRINTED)
    else:
        printed = tuple(rare)
    kept = tuple(sorted(map(str, frequent)))
    return Input(name, 0, words=kept, rare=printed, others=bool(rare), own=True)
