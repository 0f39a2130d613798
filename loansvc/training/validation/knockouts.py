"""Knock-outs: rules that decline by themselves, beside the score. What does the score add?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loansvc.training.validation.discrimination import auc_of
from loansvc.training.validation.estimate import Estimate, jeffreys, newcombe, wilson
from loansvc.training.validation.segments import FEWEST_CASES


@dataclass(frozen=True, slots=True)
class Rule:
    """One knock-out: whom it declines, and how many of them the score would decline too."""

    name: str
    n_declined: int
    n_below_cutoff: int
    share_below_cutoff: Estimate | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One of four: declined by a rule or not, below the cut-off or not."""

    knocked_out: bool
    below_cutoff: bool
    n: int
    n_known: int
    n_bad: int
    bad_rate: Estimate | None


@dataclass(frozen=True, slots=True)
class Overlap:
    """The rules, the four cells, and what the score adds to the rules.

    `added_bad_rate`: among those no rule declines, bad rate below the cut-off less that above.
    `auc_of_rest`: how well the score orders those no rule declines.
    """

    rules: tuple[Rule, ...]
    cells: tuple[Cell, ...]
    added_bad_rate: Estimate | None
    auc_of_rest: Estimate | None


def overlap(
    rules: Mapping[str, NDArray[np.bool_]],
    scores: NDArray[Any],
    *,
    cutoff: int,
    known: NDArray[np.bool_],
    is_bad: NDArray[np.bool_],
    n_resamples: int,
    seed: int,
) -> Overlap:
    """Rules and cut-off side by side; `is_bad` counts only where the outcome is known."""
    below = scores < cutoff
    out = np.logical_or.reduce(list(rules.values()))
    cells = tuple(
        _cell(k, b, (out == k) & (below == b), known, is_bad)
        for k in (True, False)
        for b in (True, False)
    )
    rest = ~out & known
    return Overlap(
        rules=tuple(_rule(name, mask, below) for name, mask in rules.items()),
        cells=cells,
        added_bad_rate=_added(*cells[2:]),
        auc_of_rest=auc_of(scores[rest], is_bad[rest], n_resamples=n_resamples, seed=seed),
    )


def _rule(name: str, mask: NDArray[np.bool_], below: NDArray[np.bool_]) -> Rule:
    n, both = int(mask.sum()), int((mask & below).sum())
    return Rule(name, n, both, wilson(both, n) if n >= FEWEST_CASES else None)


def _cell(
    knocked_out: bool, below: bool, here: NDArray[np.bool_], known: NDArray[np.bool_],
    is_bad: NDArray[np.bool_],
) -> Cell:  # fmt: skip
    n_known, n_bad = int((here & known).sum()), int((here & known & is_bad).sum())
    rate = jeffreys(n_bad, n_known) if n_known >= FEWEST_CASES else None
    return Cell(knocked_out, below, int(here.sum()), n_known, n_bad, rate)


def _added(below: Cell, above: Cell) -> Estimate | None:
    if min(below.n_known, above.n_known) < FEWEST_CASES:
        return None
    return newcombe(below.n_bad, below.n_known, above.n_bad, above.n_known)
