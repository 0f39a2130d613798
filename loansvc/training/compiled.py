"""Compiled: a trained model as a card, the document of any table, and how far the two are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from loansvc.errors import EditionRefused
from loansvc.training.card import Card
from loansvc.training.cells import Input
from loansvc.training.compact import Line, Lines
from loansvc.training.document import N_GOLDEN, REVIEW_AFTER_DAYS, UNSEEN_WORD, bins_of
from loansvc.training.table import UnfitTable

STATEMENT = "Points add up to a score; 600 points are odds of 50:1, 20 more double them."
GOLDEN_SEED = 1


@dataclass(frozen=True, slots=True)
class Compiled:
    """What is printed, and how far it is from what was trained, over the training rows.

    `largest_difference_points`: of any row, between card and model, in points. `agreement`: the
    same step by step, as in the manifest. `largest_table_difference`: between the exact tables and
    the model, in log-odds; training asserts that it is below 1e-9.
    """

    card: Card
    largest_difference_points: float
    agreement: Mapping[str, float]
    largest_table_difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a card says of itself beside its bins. `window_months` None: 12, as of every card."""

    reference: str
    statement: str = STATEMENT
    table: str = "table"
    target: str = "target"
    synthetic: bool = False
    product: str | None = None
    valid_from: date | None = None
    review_by: date | None = None
    window_months: int | None = None


def document_of(
    head: Head, lines: Lines, *, pairs: Sequence[Mapping[str, Any]] = (), training: Any = None
) -> dict[str, Any]:
    """The whole document with its golden cases; reading it back is part of making it.

    Raises:
        UnfitTable: a product's card of a table that is not of the CATALOGUE.
    """
    is_own = head.product is None
    document = _head_of(head) | {
        "base_points": lines.base_points,
        "characteristics": {line.input.name: _characteristic(line, is_own) for line in lines.lines},
    }
    if pairs:
        document["pairs"] = list(pairs)
    if training is not None:
        document["training"] = training
    try:
        card = Card.of(document)
    except EditionRefused as error:
        if is_own:
            raise UnfitTable(
                f"No card can hold it: {error} Look for a column that separates bad from good "
                "completely, and leave it out."
            ) from None
        raise UnfitTable(f"It is no card of product {head.product}: {error}") from None
    names = card.names
    cases = golden_values(sorted(lines.lines, key=lambda line: line.input.name), pairs)
    document["golden"] = [
        {"values": row, "score": card.scorecard.score(dict(zip(names, row, strict=True)))}
        for row in cases
    ]
    Card.of(document)
    return document


def _head_of(head: Head) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": "scorecard", "reference": head.reference, "statement": head.statement,
        "synthetic": head.synthetic,
    }  # fmt: skip
    if head.window_months is not None:
        found["default"] = {"window_months": head.window_months}
    if head.product is None:
        return found | {"table": head.table, "target": head.target}
    if head.valid_from is None:
        raise UnfitTable(f"A card of product {head.product} needs its first day: valid_from.")
    review_by = head.review_by or head.valid_from + timedelta(days=REVIEW_AFTER_DAYS)
    return found | {
        "product": head.product,
        "valid_from": head.valid_from.isoformat(),
        "review_by": review_by.isoformat(),
    }


def _characteristic(line: Line, is_own: bool) -> dict[str, Any]:
    of, bins = line.input, bins_of(line)
    if not is_own:
        return {"bins": bins}
    found: dict[str, Any] = {"type": "word" if of.is_word else "number", "bins": bins}
    if of.direction:
        found["direction"] = of.direction
    if of.is_word:
        found["words"] = [*of.words, *of.rare]
    return found


# --- golden cases -------------------------------------------------------------------------------


def golden_values(
    lines: Sequence[Line], pairs: Sequence[Mapping[str, Any]] = ()
) -> list[list[Any]]:
    """Nothing known; only words never seen; both sides of every edge, every code; made-up rows.

    None is anybody's: each value is drawn by itself.
    """
    nothing: list[Any] = [None] * len(lines)
    unseen = [UNSEEN_WORD if line.input.is_word else None for line in lines]
    sides = [_sides(line, pairs) for line in lines]
    n_rows = max(len(s) for s in sides)
    rows = [[s[row % len(s)] for s in sides] for row in range(n_rows)]
    rng = np.random.default_rng(GOLDEN_SEED)
    n_more = max(0, N_GOLDEN - 2 - n_rows)
    drawn = [[(*s, None)[int(rng.integers(len(s) + 1))] for s in sides] for _ in range(n_more)]
    return [nothing, unseen, *rows, *drawn]


def _sides(line: Line, pairs: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Every word; or the number before and on each edge that is printed, and every code."""
    of = line.input
    if of.is_word:
        return [word for group in of.words_by_cell for word in group[:1]]
    axes = [axis for p in pairs for axis in (p["rows"], p["columns"]) if axis["name"] == of.name]
    printed = [*bins_of(line), *(bin_ for axis in axes for bin_ in axis["bins"])]
    cuts = sorted({bin_["to"] for bin_ in printed if "to" in bin_}) or [0]
    return [value for cut in cuts for value in (_before(cut, of), cut)] + list(of.codes)


def _before(cut: int | float, of: Input) -> int | float:
    if not of.own:
        return cut - 1  # whole numbers
    return float(np.nextafter(cut, -np.inf))
