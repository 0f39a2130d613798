"""Export: one card said again in other formats, each from its tables and giving the same points.

`sql`, `pmml`, `onnx_model`, `excel` and `bundle` each have one public function of a `Card`, and it
is pure: no file, no clock. What each format can and cannot say stands in docs/exports.md. Numbers
are compared as float64 everywhere, as they are where a table is scored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain

from loansvc.errors import TableRefused
from loansvc.scorecard import Number, Scorecard, ScoredCharacteristic

# Below and above these scores the PD stays at its first and last part per million.
LOWEST_PD_SCORE, HIGHEST_PD_SCORE = 0, 1200


def reachable(card: Scorecard) -> tuple[int, int]:
    """The lowest and the highest score that the card can give."""
    points = [[b.points for b in c.bins] for c in card.characteristics]
    points += [list(chain.from_iterable(p.points)) for p in card.pairs]
    return card.base_points + sum(map(min, points)), card.base_points + sum(map(max, points))


def slots_in_order(of: ScoredCharacteristic) -> Iterator[tuple[str, int]]:
    """Every bin, as ("missing", "values", "words", "range" or "unseen", its place).

    In an order in which the first that fits is the right one: not known, special codes, words,
    numbers from left to right, and words never seen.
    """
    yield "missing", of.missing
    for kind in ("values", "words"):
        yield from ((kind, i) for i, b in enumerate(of.bins) if getattr(b, kind))
    if of.described.words:
        yield "unseen", of.unseen
    else:
        yield from (("range", i) for i in range(len(of.cuts) + 1))


def as_doubles(values: Collection[Number]) -> list[float]:
    """The numbers as float64, as which they are compared."""
    return [float(v) for v in values]


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with `_` behind it until no other has it, in upper or lower case.

    >>> free_name("score", ["Score", "score_"])
    'score__'
    """
    folded = {t.casefold() for t in taken}
    while name.casefold() in folded:
        name += "_"
    return name


def check_fits(card: Scorecard, *, format_: str, also: str = "\0") -> None:
    """No name, word or statement holds a character the format cannot hold.

    Raises:
        TableRefused: naming the characteristic.
    """
    if any(char in also for char in card.statement):
        raise TableRefused(
            f"The card's statement holds a control character, which {format_} cannot hold. "
            "Take it out."
        )
    for characteristic in card.characteristics:
        described = characteristic.described
        texts = (characteristic.name, *described.words, described.zh, described.en)
        if any(char in also for text in texts for char in text or ""):
            raise TableRefused(
                f"Characteristic {characteristic.name!r}: its name or one of its words holds a "
                f"control character, which {format_} cannot hold. Rename it in the table."
            )
