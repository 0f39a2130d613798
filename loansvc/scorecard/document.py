"""The document of a scorecard: read key by key, complete, in range and monotone, or refused.

A product's card (`read_scorecard`) names characteristics of the CATALOGUE and nothing else. A card
of another table (`own=True`) says of each characteristic what it is, may have special codes and
decimal cuts, and may have two-way tables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from loansvc.application import CATALOGUE
from loansvc.editions import Reader
from loansvc.scorecard import (
    Bin,
    DefaultDefinition,
    Described,
    Number,
    Scorecard,
    ScoredCharacteristic,
    ScoredPair,
)
from loansvc.scorecard import scored as scored_

MOST_POINTS = 300  # 10 in log-odds at 28.85 points each: more is a broken card
MOST_BINS = 50
MOST_CUT = 1e300  # so that a number beside it is a double still
LOWEST, HIGHEST = -(10**12), 10**12
MOST_PAIRS = 20


def read_scorecard(reader: Reader, *, own: bool = False) -> Scorecard:
    """The card in a document, its bins complete, in range, and monotone where a direction is known.

    Raises:
        EditionRefused: naming the characteristic and the bin.
    """
    table = reader.table("characteristics")
    names = table.keys()
    if not names:
        reader.refuse("characteristics", "names none; a card scores at least one")
    characteristics = tuple(_read_characteristic(table, name, own=own) for name in sorted(names))
    if "pairs" in reader and not own:
        reader.refuse("pairs", "stand in no product's card: no reason could name their cells")
    card = Scorecard(
        base_points=reader.integer("base_points", low=-10_000, high=10_000),
        characteristics=characteristics,
        synthetic=reader.truth("synthetic", default=False),
        statement=reader.text("statement"),
        pairs=tuple(_read_pair(r, characteristics) for r in reader.tables("pairs")),
        default=_read_default(reader) if "default" in reader else DefaultDefinition(),
    )
    if "training" in reader:
        reader.value("training")  # the manifest of how it was made: read by people, not by scoring
    for characteristic in card.characteristics:
        _check_direction(characteristic, card.pairs, reader)
    _check_golden(card, reader)
    return card


def _read_default(reader: Reader) -> DefaultDefinition:
    """What the card calls bad, where it says so; the others mean 90 days within 12 months."""
    with reader.table("default") as default:
        return DefaultDefinition(
            window_months=default.integer("window_months", low=1, high=60),
            days_past_due=default.integer("days_past_due", low=31, high=360, default=90),
        )


def _read_characteristic(table: Reader, name: str, *, own: bool) -> ScoredCharacteristic:
    row = None if own else CATALOGUE.get(name)
    if not own and (row is None or row.use not in ("model", "both")):
        table.refuse(name, "is not a characteristic that a scorecard may use; see the CATALOGUE")
    with table.table(name) as characteristic:
        described = _read_described(characteristic, name) if own else Described.from_catalogue(name)
        is_word = bool(described.words)
        bins = _read_bins(characteristic, is_word=is_word, own=own)
        plain = [b for b in bins if not b.state and not b.values]
        if is_word:
            _check_words(plain, described, characteristic)
        else:
            _check_line(plain, characteristic)
        return scored_(described, bins)


def _read_described(reader: Reader, name: str) -> Described:
    """What a card of another table says of its characteristic."""
    is_word = reader.word("type", ("number", "word")) == "word"
    words: tuple[str, ...] = ()
    if is_word:
        listed = reader.value("words")
        if not isinstance(listed, list) or not listed or any(type(w) is not str for w in listed):
            reader.refuse("words", "must be a list of texts, the levels of the characteristic")
        words = tuple(listed)
    return Described(
        name=name,
        words=words,
        direction=reader.integer("direction", low=-1, high=1, default=0),
        zh=reader.text("zh", default=name),
        en=reader.text("en", default=name),
        own=True,
    )


def _read_bins(
    reader: Reader, *, is_word: bool, own: bool, with_points: bool = True
) -> tuple[Bin, ...]:
    """Plain bins, then those of special codes, then the states."""
    bins = tuple(
        _read_bin(r, own=own, with_points=with_points) for r in reader.tables("bins", at_least=2)
    )
    if len(bins) > MOST_BINS:
        reader.refuse("bins", f"has more than {MOST_BINS} bins")
    states = [b.state for b in bins if b.state]
    wanted = ["missing", "unseen"] if is_word else ["missing"]
    if states != wanted or any(b.state for b in bins[: -len(wanted)]):
        reader.refuse("bins", f"must end with the bins {' and '.join(wanted)}")
    is_special = [bool(b.values) for b in bins[: -len(wanted)]]
    if is_special != sorted(is_special):
        reader.refuse("bins", "must name special codes after the bins of ordinary values")
    codes = [v for b in bins for v in b.values]
    if len(set(codes)) != len(codes) or (codes and is_word):
        reader.refuse("bins", "names a special code twice, or one of a characteristic of words")
    return bins


def _read_bin(reader: Reader, *, own: bool, with_points: bool) -> Bin:
    with reader:
        kinds = [k for k in ("words", "values", "state") if k in reader]
        if len(kinds) > 1 or (kinds and ("from" in reader or "to" in reader)):
            reader.refuse(kinds[0], "stands alone: a bin has from and to, or words, or one state")
        n = reader.integer("n", low=0, high=HIGHEST, default=0)
        reader.integer("n_bad", low=0, high=n, default=0)  # for the reviewer
        limit = MOST_POINTS if with_points else 0
        return Bin(
            points=reader.integer(
                "points", low=-limit, high=limit, default=None if with_points else 0
            ),
            start=_read_cut(reader, "from", own=own) if "from" in reader else None,
            end=_read_cut(reader, "to", own=own) if "to" in reader else None,
            words=_read_words(reader) if "words" in reader else (),
            values=_read_codes(reader) if own and "values" in reader else (),
            state=reader.word("state", ("missing", "unseen")) if "state" in reader else "",
            n=n,
        )


def _read_cut(reader: Reader, key: str, *, own: bool) -> Number:
    if own:
        cut = reader.number(key, low=-MOST_CUT, high=MOST_CUT)
        if float(cut) != cut:
            reader.refuse(key, "is no float64; beyond 2^53 not every whole number is")
        return cut
    return reader.integer(key, low=LOWEST, high=HIGHEST)


def _read_words(reader: Reader) -> tuple[str, ...]:
    words = reader.value("words")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        reader.refuse("words", "must be a list of texts, those of this bin")
    return tuple(words)


def _read_codes(reader: Reader) -> tuple[Number, ...]:
    codes = reader.value("values")
    if not isinstance(codes, list) or not codes or not all(map(_is_number, codes)):
        reader.refuse("values", "must be a list of numbers, the special codes of this bin")
    if any(float(code) != code for code in codes):
        reader.refuse("values", "holds what is no float64; beyond 2^53 not every whole number is")
    return tuple(codes)


def _check_line(bins: list[Bin], reader: Reader) -> None:
    """The bins cover all numbers, without gap or overlap."""
    if not bins or bins[0].start is not None or bins[-1].end is not None:
        reader.refuse("bins", "must be open below in the first bin and above in the last")
    for left, right in pairwise(bins):
        if left.end is None or left.end != right.start:
            reader.refuse("bins", f"has a gap or an overlap between {left.end} and {right.start}")
        if left.start is not None and left.start >= left.end:
            reader.refuse("bins", f"has a bin from {left.start} to {left.end}")
    if any(b.words for b in bins):
        reader.refuse("bins", "has words, but the characteristic is a number")


def _check_words(bins: list[Bin], of: Described, reader: Reader) -> None:
    """Every word stands in one bin."""
    listed = [w for b in bins for w in b.words]
    if sorted(listed) != sorted(of.words):
        reader.refuse("bins", f"must list each of {', '.join(of.words)} in exactly one bin")
    if any(b.start is not None or b.end is not None for b in bins):
        reader.refuse("bins", "has numbers, but the characteristic is a word")


# --- two-way tables -----------------------------------------------------------------------------


def _read_pair(reader: Reader, scored: Sequence[ScoredCharacteristic]) -> ScoredPair:
    with reader:
        rows, columns = (_read_axis(reader, key, scored) for key in ("rows", "columns"))
        if rows.name == columns.name:
            reader.refuse("columns.name", "is the same characteristic as that of the rows")
        return ScoredPair(rows, columns, _read_points(reader, rows, columns))


def _read_axis(
    reader: Reader, key: str, scored: Sequence[ScoredCharacteristic]
) -> ScoredCharacteristic:
    with reader.table(key) as axis:
        name = axis.text("name")
        described = next((c.described for c in scored if c.name == name), None)
        if described is None:
            axis.refuse("name", "is not one of the card's characteristics")
        bins = _read_bins(axis, is_word=bool(described.words), own=True, with_points=False)
        plain = [b for b in bins if not b.state and not b.values]
        if described.words:
            _check_words(plain, described, axis)
        else:
            _check_line(plain, axis)
        return scored_(described, bins)


def _read_points(
    reader: Reader, rows: ScoredCharacteristic, columns: ScoredCharacteristic
) -> tuple[tuple[int, ...], ...]:
    points, shape = reader.value("points"), (len(rows.bins), len(columns.bins))
    rows_ = points if isinstance(points, list) else []
    if [len(row) if isinstance(row, list) else -1 for row in rows_] != [shape[1]] * shape[0]:
        reader.refuse("points", f"must be {shape[0]} lists of {shape[1]} whole numbers")
    if any(type(p) is not int or abs(p) > MOST_POINTS for row in points for p in row):
        reader.refuse("points", f"must be whole numbers from -{MOST_POINTS} to {MOST_POINTS}")
    return tuple(map(tuple, points))


# --- what holds for the whole card ---------------------------------------------------------------


def _check_direction(of: ScoredCharacteristic, pairs: Sequence[ScoredPair], reader: Reader) -> None:
    """Where a direction is known, no step along the characteristic goes against it.

    With two-way tables: whatever the others say, so each table's worst step is added up.
    """
    direction = of.described.direction
    if not direction:
        return
    axes = [p for p in pairs if of.name in (p.rows.name, p.columns.name)]
    for low, high in pairwise(_places(of, axes)):
        step = direction * (of.bin_of(high).points - of.bin_of(low).points)
        step += sum(max(direction * s for s in _steps(p, of.name, low, high)) for p in axes)
        if step > 0:
            word = "fall" if direction > 0 else "rise"
            reader.refuse(
                f"characteristics.{of.name}.bins",
                f"must not turn: points of {of.name} may only {word}",
            )


def _places(of: ScoredCharacteristic, axes: Sequence[ScoredPair]) -> list[Number | str]:
    """One value in each step of the characteristic, in order, over all tables that cut it."""
    if of.described.words:
        return list(of.described.words)
    cuts = {*of.cuts, *(c for p in axes for a in (p.rows, p.columns) if a.name == of.name
                        for c in a.cuts)}  # fmt: skip
    # On a cut that is a special code, the next number stands for what is ordinary there.
    return [-math.inf, *(math.nextafter(c, math.inf) if c in of.index else c for c in sorted(cuts))]


def _steps(pair: ScoredPair, name: str, low: Number | str, high: Number | str) -> Iterator[int]:
    """What a step along one axis changes, for every slot of the other."""
    if pair.rows.name == name:
        before, after = (pair.points[pair.rows.slot_of(v)] for v in (low, high))
        return (b - a for a, b in zip(before, after, strict=True))
    left, right = (pair.columns.slot_of(v) for v in (low, high))
    return (row[right] - row[left] for row in pair.points)


def _is_value(value: object) -> bool:
    """Whether a characteristic may be this: a number, a word, None."""
    return value is None or isinstance(value, str) or _is_number(value)


def _is_number(value: object) -> bool:
    """Whether it is a number within the bounds of cuts; true and false are none."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and -MOST_CUT <= value <= MOST_CUT
    )


def _check_golden(card: Scorecard, reader: Reader) -> None:
    """The cases recorded when the card was made still score the same."""
    names = [c.name for c in card.characteristics]
    for case in reader.tables("golden"):
        with case:
            values = case.value("values")
            if not isinstance(values, list) or len(values) != len(names):
                case.refuse("values", f"must list the {len(names)} characteristics in order")
            if not all(map(_is_value, values)):
                case.refuse("values", "must be numbers, words, or null where it is not known")
            expected = case.integer("score", low=-10_000, high=10_000)
            score = card.score(dict(zip(names, values, strict=True)))
            if score != expected:
                case.refuse("score", f"is {expected}, but the card gives {score}")
