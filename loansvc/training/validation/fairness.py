"""Fairness: approvals at the cut-off, by protected fields that serve this check and nothing else.

    approval ratio       approval rate of a level over that of the reference level (the largest)
    opportunity gap      share approved among those who proved good, less that of the reference

Four fifths is a convention (US Uniform Guidelines 1978, section 4D), not a Chinese rule; here it
says which ratios a reviewer must look at. PIPL art. 24 asks for fairness without a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loansvc.training.validation.estimate import (
    ALPHA,
    NOT_ENOUGH,
    Estimate,
    newcombe,
    ratio,
    wilson,
)

FEWEST_CASES = 30  # of a level, and of its good cases
FOUR_FIFTHS = 0.8
GAP_THAT_COUNTS = 0.05  # of opportunity: one good applicant in twenty; a convention of this report
REFERENCE = "reference level"
OUTSIDE, MAYBE_OUTSIDE, WITHIN = (
    "outside four fifths", "may be outside four fifths", "within four fifths",
)  # fmt: skip
GAP, SMALL_GAP, NO_GAP = "gap", "small gap", "no gap shown"
SAME_ANSWER, OTHER_ANSWER = "no score changes", "scores change"


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a protected field. `n_good`: cases with a known, good outcome."""

    name: str
    n: int
    n_approved: int
    approval: Estimate | None
    approval_ratio: Estimate | None
    ratio_verdict: str
    n_good: int
    opportunity: Estimate | None
    opportunity_gap: Estimate | None
    gap_verdict: str


@dataclass(frozen=True, slots=True)
class Proxy:
    """The characteristic that tells most of a protected field; Cramér's V from 0 to 1."""

    characteristic: str
    cramers_v: float


@dataclass(frozen=True, slots=True)
class Swap:
    """What happened to the scores when a protected field was changed, and nothing else.

    `how`: left out, permuted among the cases, or the digits of an ID number that were changed.
    """

    field: str
    how: str
    scored: bool  # whether the card reads the field
    n: int
    n_changed: int
    largest_change: int  # points
    verdict: str


@dataclass(frozen=True, slots=True)
class Fairness:
    """One protected field. `levels` empty: no cut-off was given, or nothing can be compared."""

    field: str
    reference: str
    levels: tuple[Level, ...]
    proxy: Proxy | None


def fairness(
    field: str,
    labels: NDArray[Any],
    order: Sequence[str],
    *,
    approved: NDArray[np.bool_],
    is_good: NDArray[np.bool_],
    proxy: Proxy | None,
) -> Fairness:
    """Approvals of each level beside the largest one; `labels` are places in `order`."""
    counts = [_counts(labels == i, approved, is_good) for i in range(len(order))]
    if not counts:
        return Fairness(field, "", (), proxy)
    largest = max(range(len(counts)), key=lambda i: counts[i][0])
    n_tests = max(sum(c[2] >= FEWEST_CASES for c in counts) - 1, 1)
    levels = [_level(name, counts[i], counts[largest], n_tests) for i, name in enumerate(order)]
    levels[largest] = replace(
        levels[largest], approval_ratio=None, ratio_verdict=REFERENCE, opportunity_gap=None,
        gap_verdict=REFERENCE,
    )  # fmt: skip
    return Fairness(field, order[largest], tuple(levels), proxy)


def _counts(
    here: NDArray[np.bool_], approved: NDArray[np.bool_], is_good: NDArray[np.bool_]
) -> tuple[int, int, int, int]:
    """Cases, approved, good, good and approved."""
    approved_and_good = here & approved & is_good
    n_here, n_approved, n_good, n_both = (
        int(mask.sum()) for mask in (here, here & approved, here & is_good, approved_and_good)
    )
    return n_here, n_approved, n_good, n_both


def _level(
    name: str, of: tuple[int, int, int, int], against: tuple[int, int, int, int], n_tests: int
) -> Level:
    n, k, n_good, k_good = of
    enough = min(n, against[0]) >= FEWEST_CASES
    enough_good = min(n_good, against[2]) >= FEWEST_CASES
    found = ratio(k, n, against[1], against[0]) if enough else None
    gap = newcombe(k_good, n_good, against[3], against[2]) if enough_good else None
    strict = (
        newcombe(k_good, n_good, against[3], against[2], alpha=ALPHA / n_tests)
        if enough_good
        else None
    )
    return Level(
        name=name,
        n=n,
        n_approved=k,
        approval=wilson(k, n) if enough else None,
        approval_ratio=found,
        ratio_verdict=_ratio_verdict(found),
        n_good=n_good,
        opportunity=wilson(k_good, n_good) if enough_good else None,
        opportunity_gap=gap,
        gap_verdict=_gap_verdict(strict),
    )


def _ratio_verdict(found: Estimate | None) -> str:
    """Either side may be the one treated worse, so four fifths binds both ways."""
    if found is None:
        return NOT_ENOUGH
    if found.high < FOUR_FIFTHS or found.low > 1 / FOUR_FIFTHS:
        return OUTSIDE
    if FOUR_FIFTHS <= found.value <= 1 / FOUR_FIFTHS:
        return WITHIN
    return MAYBE_OUTSIDE


def _gap_verdict(found: Estimate | None) -> str:
    if found is None:
        return NOT_ENOUGH
    if found.holds(0.0):
        return NO_GAP
    return GAP if abs(found.value) >= GAP_THAT_COUNTS else SMALL_GAP


def cramers_v(a: NDArray[Any], b: NDArray[Any]) -> float:
    """How far one division tells another, 0 to 1, with Bergsma's correction for small samples.

    Source: Bergsma 2013 (J. Korean Stat. Soc. 42:323).
    """
    table = np.bincount(a * (int(b.max()) + 1) + b, minlength=(a.max() + 1) * (b.max() + 1))
    table = table.reshape(int(a.max()) + 1, -1).astype(np.float64)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    n, (r, k) = table.sum(), table.shape
    if min(r, k) < 2 or n < 2:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi2 = ((table - expected) ** 2 / expected).sum() / n
    phi2 = max(0.0, phi2 - (r - 1) * (k - 1) / (n - 1))
    r, k = r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)
    return float(np.sqrt(phi2 / min(r - 1, k - 1)))
