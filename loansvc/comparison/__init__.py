"""Comparison: two cards side by side, bin by bin, on the cuts of both. Reads no file and no clock.

Works on the documents, so that it sees what a reviewer sees: points, cases, and the figures of the
manifest. `page` says it again in HTML.

A characteristic that only one card scores counts 0 points in the other. `least` and `most` are the
extremes of "after less before" over every combination of values, likely or not.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from loansvc.application import CATALOGUE
from loansvc.reasons import WORD_TEXTS

Number: TypeAlias = int | float
Document: TypeAlias = Mapping[str, Any]
Bins: TypeAlias = Sequence[Mapping[str, Any]]

SAME, POINTS, BINS, ADDED, DROPPED, RETYPED = (
    "same", "points changed", "bins moved", "added", "dropped", "another type",
)  # fmt: skip
STATES = {"missing": "not known", "unseen": "never seen in training"}
# What to show of the manifests: a label, where it stands, whether more is better (None: neither).
FIGURES = (
    ("loans trained on", "data.n", None),
    ("of them bad", "data.n_bad", None),
    ("loans held out", "held_out.n", None),
    ("AUC held out", "held_out.auc", True),
    ("AUC held out, from", "held_out.auc_low", None),
    ("AUC held out, to", "held_out.auc_high", None),
    ("KS", "held_out.ks", True),
    ("Brier", "held_out.brier", False),
    ("calibration slope", "held_out.calibration_slope", None),
    ("AUC through the door", "through_the_door.auc", True),
)


@dataclass(frozen=True, slots=True)
class Side:
    """What a card says of itself. `characteristics`: how many it scores."""

    name: str
    product: str
    valid_from: str
    reference: str
    synthetic: bool
    base_points: int
    characteristics: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of both manifests; None where a manifest does not give it."""

    label: str
    before: Number | None
    after: Number | None
    more_is_better: bool | None


@dataclass(frozen=True, slots=True)
class Line:
    """Values that stand in one bin of each card. Points None: the card does not score them."""

    value: str
    before: int | None
    after: int | None

    @property
    def change(self) -> int:
        """Points after less points before."""
        return (self.after or 0) - (self.before or 0)


@dataclass(frozen=True, slots=True)
class Difference:
    """One characteristic, or one two-way table, in both cards.

    `rows` and `columns` are the labels of a two-way table, whose lines go row by row.
    """

    name: str
    label: str
    state: str
    lines: tuple[Line, ...]
    least: int
    most: int
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def largest(self) -> int:
        """The largest change of any value, whichever way."""
        return max(abs(self.least), abs(self.most))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two cards side by side.

    `least` and `most`: how far the score of any applicant can fall or rise from the first card to
    the second. `exact` False: they are bounds, which no applicant need reach (two-way tables).
    """

    before: Side
    after: Side
    figures: tuple[Figure, ...]
    differences: tuple[Difference, ...]
    least: int
    most: int
    exact: bool

    @property
    def changed(self) -> tuple[Difference, ...]:
        """Characteristics that are not the same, the largest change first."""
        found = [d for d in self.differences if d.state != SAME]
        return tuple(sorted(found, key=lambda d: (-d.largest, d.name)))

    @property
    def same(self) -> tuple[Difference, ...]:
        """Characteristics with the same bins and points."""
        return tuple(d for d in self.differences if d.state == SAME)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        found = asdict(self)
        for difference in found["differences"]:
            for line in difference["lines"]:
                line["change"] = (line["after"] or 0) - (line["before"] or 0)
        return found

    def _repr_html_(self) -> str:
        from loansvc.comparison.page import body

        return body(self)


def compare(
    before: Document, after: Document, *, names: tuple[str, str] = ("A", "B")
) -> Comparison:
    """How the second card differs from the first. Both documents have been read and are sound."""
    one, other = before["characteristics"], after["characteristics"]
    pairs = _pairs(before), _pairs(after)
    differences = [
        *(_difference(n, one.get(n), other.get(n)) for n in sorted({*one, *other})),
        *(_pair_difference(n, *(p.get(n) for p in pairs)) for n in sorted({*pairs[0], *pairs[1]})),
    ]
    base = after["base_points"] - before["base_points"]
    return Comparison(
        before=_side(before, names[0]),
        after=_side(after, names[1]),
        figures=tuple(_figures(before, after)),
        differences=tuple(differences),
        least=base + sum(d.least for d in differences),
        most=base + sum(d.most for d in differences),
        exact=not any(d.rows or d.state == RETYPED for d in differences),
    )


def _side(document: Document, name: str) -> Side:
    return Side(
        name=name,
        product=document.get("product", document.get("table", "")),
        valid_from=str(document.get("valid_from", "")),
        reference=document.get("reference", ""),
        synthetic=document.get("synthetic", False),
        base_points=document["base_points"],
        characteristics=len(document["characteristics"]),
    )


def _figures(before: Document, after: Document) -> Iterator[Figure]:
    """Those that at least one manifest gives as a number."""
    for label, path, more_is_better in FIGURES:
        found = [_number_at(document.get("training"), path) for document in (before, after)]
        if found != [None, None]:
            yield Figure(label, found[0], found[1], more_is_better)


def _number_at(manifest: Any, path: str) -> Number | None:
    value = manifest
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if type(value) in (int, float) else None


# --- one characteristic -------------------------------------------------------------------------


def _difference(name: str, before: Document | None, after: Document | None) -> Difference:
    documents = [d for d in (before, after) if d is not None]
    label, own = _label(name, documents[-1]), "type" in documents[-1]
    tables = [_Table.of(d["bins"]) for d in documents]
    if len({t.is_word for t in tables}) > 1:
        return _retyped(name, label, tables[0], tables[1])
    sides = [None if d is None else _Table.of(d["bins"]) for d in (before, after)]
    lines = tuple(
        Line(cell.label, *(None if t is None else t.points[t.slot(cell)] for t in sides))
        for cell in _cells(tables, own=own)
    )
    told_apart = [t.told_apart() for t in tables]
    state = _state(before, after, lines, moved=told_apart[0] != told_apart[-1])
    return _with_extremes(name, label, state, lines)


def _state(before: Any, after: Any, lines: Sequence[Line], *, moved: bool) -> str:
    if before is None:
        return ADDED
    if after is None:
        return DROPPED
    if moved:
        return BINS
    return POINTS if any(line.change for line in lines) else SAME


def _with_extremes(
    name: str, label: str, state: str, lines: tuple[Line, ...], **labels: tuple[str, ...]
) -> Difference:
    changes = [line.change for line in lines]
    return Difference(name, label, state, lines, min(changes), max(changes), **labels)


def _retyped(name: str, label: str, before: _Table, after: _Table) -> Difference:
    """Words in one card, numbers in the other: no value stands beside another."""
    lines = (
        *(Line(c.label, before.points[before.slot(c)], None) for c in _cells([before], own=True)),
        *(Line(c.label, None, after.points[after.slot(c)]) for c in _cells([after], own=True)),
    )
    least = min(after.points) - max(before.points)
    return Difference(name, label, RETYPED, lines, least, max(after.points) - min(before.points))


def _label(name: str, of: Document) -> str:
    """What people call it: of the card itself, else of the CATALOGUE."""
    row = None if "type" in of else CATALOGUE.get(name)
    if row is None:  # a card of another table describes its own
        texts, unit = [of.get("zh", name), of.get("en", name)], of.get("unit", "")
    else:
        texts, unit = [row.zh, row.en], "" if row.words else row.unit
    found = " ".join(dict.fromkeys(texts))
    return f"{found}, {unit}" if unit else found


# --- bins ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cell:
    """Values that neither card tells apart; `value` stands for them, unless it is a state."""

    label: str
    value: Number | str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class _Table:
    """The bins of one characteristic, or of one axis, with what finds the bin of a value."""

    cuts: tuple[Number, ...]
    line: tuple[int, ...]  # where the bins between the cuts stand among all bins
    index: Mapping[Number | str, int]  # of words, and of special codes
    states: Mapping[str, int]
    points: tuple[int, ...]

    @classmethod
    def of(cls, bins: Bins) -> _Table:
        line = [i for i, b in enumerate(bins) if not {"words", "values", "state"} & set(b)]
        return cls(
            cuts=tuple(bins[i]["to"] for i in line if "to" in bins[i]),
            line=tuple(line),
            index={v: i for i, b in enumerate(bins) for key in ("words", "values")
                   for v in b.get(key, ())},
            states={b["state"]: i for i, b in enumerate(bins) if "state" in b},
            points=tuple(b.get("points", 0) for b in bins),
        )  # fmt: skip

    @property
    def is_word(self) -> bool:
        return not self.line

    def told_apart(self) -> object:
        """Which values stand together, whatever their points and their order in print."""
        groups: dict[int, set[Number | str]] = {}
        for value, i in self.index.items():
            groups.setdefault(i, set()).add(value)
        return self.cuts, {frozenset(group) for group in groups.values()}, set(self.states)

    def slot(self, cell: _Cell) -> int:
        """Where the bin that holds the cell stands among all bins."""
        if cell.state:
            return self.states.get(cell.state, self.states["missing"])
        if cell.value in self.index:
            return self.index[cell.value]
        if isinstance(cell.value, str):
            return self.states.get("unseen", self.states["missing"])
        return self.line[bisect_right(self.cuts, cell.value)]


def _cells(tables: Sequence[_Table], *, own: bool) -> list[_Cell]:
    """The cells of all these tables together, in printed order: values, special codes, states."""
    values = dict.fromkeys(v for t in tables for v in t.index)
    words = [v for v in values if isinstance(v, str)]
    codes = sorted(v for v in values if not isinstance(v, str))
    cells = [_Cell(word if own else _told(word), word) for word in words]
    if not tables[0].is_word:
        cuts = sorted({c for t in tables for c in t.cuts})
        cells += [
            # On a cut that is a special code, the next number stands for what is ordinary there.
            _Cell(_range(low, high), math.nextafter(low, math.inf) if low in codes else low)
            for low, high in pairwise([-math.inf, *cuts, math.inf])
        ]
    cells += [_Cell(f"code {code:,}", code) for code in codes]
    seen = {state for t in tables for state in t.states}
    return [*cells, *(_Cell(text, state=state) for state, text in STATES.items() if state in seen)]


def _told(word: str) -> str:
    return " ".join(dict.fromkeys(WORD_TEXTS.get(word, (word,))))


def _range(low: Number, high: Number) -> str:
    """What lies between two cuts, in words.

    >>> _range(-math.inf, 12), _range(12, 36.5), _range(36.5, math.inf)
    ('below 12', '12 to below 36.5', '36.5 and more')
    """
    if low == -math.inf:
        return "any" if high == math.inf else f"below {high:,}"
    return f"{low:,} and more" if high == math.inf else f"{low:,} to below {high:,}"


# --- two-way tables -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pair:
    """A two-way table, its axes in order of name, so that a turned one is the same."""

    axes: tuple[_Table, _Table]
    points: tuple[tuple[int, ...], ...]

    def at(self, row: _Cell, column: _Cell) -> int:
        return self.points[self.axes[0].slot(row)][self.axes[1].slot(column)]


def _pairs(document: Document) -> dict[str, _Pair]:
    found = {}
    for pair in document.get("pairs", ()):
        axes, points = [pair["rows"], pair["columns"]], pair["points"]
        if axes[0]["name"] > axes[1]["name"]:
            axes, points = axes[::-1], list(zip(*points, strict=True))
        tables = _Table.of(axes[0]["bins"]), _Table.of(axes[1]["bins"])
        name = f"{axes[0]['name']} x {axes[1]['name']}"
        found[name] = _Pair(tables, tuple(tuple(row) for row in points))
    return found


def _pair_difference(name: str, before: _Pair | None, after: _Pair | None) -> Difference:
    there = [p for p in (before, after) if p is not None]
    rows, columns = (_cells([p.axes[axis] for p in there], own=True) for axis in (0, 1))
    lines = tuple(
        Line(
            f"{r.label} x {c.label}", *(None if p is None else p.at(r, c) for p in (before, after))
        )
        for r in rows
        for c in columns
    )
    told_apart = [[axis.told_apart() for axis in p.axes] for p in there]
    state = _state(before, after, lines, moved=told_apart[0] != told_apart[-1])
    labels = {"rows": tuple(r.label for r in rows), "columns": tuple(c.label for c in columns)}
    return _with_extremes(name, name, state, lines, **labels)
