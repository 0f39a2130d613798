"""Slots: the bins of a card in an order for whoever says the card again in another form."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain

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
