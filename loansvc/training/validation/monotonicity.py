"""Monotonicity: whether points keep the direction the catalogue gives, and whether data agree.

Bad rates here are of one characteristic alone: another that goes with it can turn them. So a
contradiction is a question to a reviewer, not a proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loansvc.scorecard import Bin, ScoredCharacteristic
from loansvc.training.validation.estimate import ALPHA, NOT_ENOUGH, newcombe
from loansvc.training.validation.segments import FEWEST_CASES

FEWEST_BAD = 5  # in two neighbours together
AGREES, CONTRADICTED = "agrees", "contradicted"


@dataclass(frozen=True, slots=True)
class Turn:
    """Two neighbouring bins whose bad rates go against the direction, beyond chance."""

    left: str
    right: str
    left_rate: float
    right_rate: float


@dataclass(frozen=True, slots=True)
class Direction:
    """A directed characteristic. `points_keep` False: its points turn, which no card may."""

    name: str
    direction: int
    points_keep: bool
    n_compared: int  # pairs of neighbouring bins with enough cases
    turns: tuple[Turn, ...]
    verdict: str


def directions(
    characteristics: Sequence[ScoredCharacteristic],
    slots: Sequence[NDArray[np.intp]],
    is_bad: NDArray[np.bool_],
) -> tuple[Direction, ...]:
    """Each directed characteristic; turns are judged at 5 percent for the card as a whole."""
    counted = [
        (of, *_counts(of, at, is_bad))
        for of, at in zip(characteristics, slots, strict=True)
        if of.described.direction
    ]
    n_tests = sum(len(_compared(of, n, bad)) for of, n, bad in counted)
    return tuple(_direction(of, n, bad, alpha=ALPHA / max(n_tests, 1)) for of, n, bad in counted)


def _counts(
    of: ScoredCharacteristic, at: NDArray[np.intp], is_bad: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[Any]]:
    size = len(of.bins)
    return np.bincount(at, minlength=size), np.bincount(at[is_bad], minlength=size)


def in_order(of: ScoredCharacteristic) -> list[int]:
    """The places of its plain bins, from the lowest value (or first word) to the highest."""
    if of.described.words:
        places = [of.slot_of(word) for word in of.described.words]
        return list(dict.fromkeys(places))
    return list(range(len(of.cuts) + 1))


def _compared(
    of: ScoredCharacteristic, n: NDArray[Any], bad: NDArray[Any]
) -> list[tuple[int, int]]:
    """Neighbours that both have enough cases, and together enough bad ones."""
    enough = [i for i in in_order(of) if n[i] >= FEWEST_CASES]
    return [(i, j) for i, j in pairwise(enough) if bad[i] + bad[j] >= FEWEST_BAD]


def _direction(
    of: ScoredCharacteristic, n: NDArray[Any], bad: NDArray[Any], *, alpha: float
) -> Direction:
    sign, points = of.described.direction, [of.bins[i].points for i in in_order(of)]
    pairs, turns = _compared(of, n, bad), []
    for i, j in pairs:
        # One-sided at `alpha`: only a step against the direction counts.
        step = newcombe(int(bad[j]), int(n[j]), int(bad[i]), int(n[i]), alpha=2 * alpha)
        if (step.high < 0) if sign > 0 else (step.low > 0):
            rates = float(bad[i] / n[i]), float(bad[j] / n[j])
            turns.append(Turn(bin_name(of.bins[i]), bin_name(of.bins[j]), *rates))
    keeps = all(sign * (right - left) <= 0 for left, right in pairwise(points))
    verdict = (CONTRADICTED if turns else AGREES) if pairs else NOT_ENOUGH
    return Direction(of.name, sign, keeps, len(pairs), tuple(turns), verdict)


def bin_name(bin_: Bin) -> str:
    """What a bin holds, briefly.

    >>> bin_name(Bin(0, 12, 36)), bin_name(Bin(0, None, 12)), bin_name(Bin(0, words=("A", "B")))
    ('12 to below 36', 'below 12', 'A, B')
    """
    if bin_.state:
        return {"missing": "not known", "unseen": "never seen in training"}[bin_.state]
    if bin_.words or bin_.values:
        return ", ".join(map(str, (*bin_.words, *bin_.values)))
    if bin_.start is None:
        return "any" if bin_.end is None else f"below {bin_.end:,}"
    return (
        f"{bin_.start:,} and more" if bin_.end is None else f"{bin_.start:,} to below {bin_.end:,}"
    )
