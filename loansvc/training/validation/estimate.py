"""Estimate: a figure with the interval it may lie in, and how each kind of interval is made.

Scales:
    level   0.95 throughout: the share of samples whose interval holds the true figure
    share   0 to 1; n cases of which k are meant
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm

LEVEL = 0.95
ALPHA = 1 - LEVEL
SURE = 0.01  # what one test of the whole sample must reach: a report has half a dozen of them
NOT_ENOUGH = "not enough data"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 percent interval."""

    value: float
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether the interval holds the value."""
        return self.low <= value <= self.high

    def is_far_from(self, value: float) -> bool:
        """Whether it is further from the value than chance goes in one sample of a hundred."""
        error = (self.high - self.low) / (2 * float(norm.isf(ALPHA / 2)))
        return abs(self.value - value) > float(norm.isf(SURE / 2)) * error


def wilson(k: int, n: int, *, alpha: float = ALPHA) -> Estimate:
    """A share by Wilson's score interval.

    Source: Wilson 1927; Newcombe 1998 (Stat. Med. 17:857), method 3.

    >>> found = wilson(81, 263)
    >>> round(found.low, 4), round(found.high, 4)
    (0.2553, 0.3662)
    """
    z2, p = float(norm.isf(alpha / 2)) ** 2, k / n
    centre, spread = p + z2 / (2 * n), np.sqrt(z2 * (p * (1 - p) + z2 / (4 * n)) / n)
    low, high = (centre - spread) / (1 + z2 / n), (centre + spread) / (1 + z2 / n)
    return Estimate(p, max(float(low), 0.0) if k else 0.0, min(float(high), 1.0) if k < n else 1.0)


def newcombe(k1: int, n1: int, k2: int, n2: int, *, alpha: float = ALPHA) -> Estimate:
    """The first share less the second, by Newcombe's hybrid of two Wilson intervals.

    Source: Newcombe 1998 (Stat. Med. 17:873), method 10.

    >>> found = newcombe(56, 70, 48, 80)
    >>> round(found.low, 4), round(found.high, 4)
    (0.0524, 0.3339)
    """
    a, b = wilson(k1, n1, alpha=alpha), wilson(k2, n2, alpha=alpha)
    difference = a.value - b.value
    down = np.hypot(a.value - a.low, b.high - b.value)
    up = np.hypot(a.high - a.value, b.value - b.low)
    return Estimate(difference, float(difference - down), float(difference + up))


def ratio(k1: int, n1: int, k2: int, n2: int) -> Estimate | None:
    """The first share over the second, from two Wilson intervals; None where the second is 0.

    Source: Donner and Zou 2012 (Stat. Methods Med. Res. 21:347), MOVER-R.
    """
    if not k2:
        return None
    a, b = wilson(k1, n1), wilson(k2, n2)
    p, q = a.value, b.value
    low = p * q - np.sqrt(
        max((p * q) ** 2 - a.low * b.high * (2 * p - a.low) * (2 * q - b.high), 0)
    )
    high = p * q + np.sqrt(
        max((p * q) ** 2 - a.high * b.low * (2 * p - a.high) * (2 * q - b.low), 0)
    )
    low, high = low / (b.high * (2 * q - b.high)), high / (b.low * (2 * q - b.low))
    return Estimate(p / q, float(max(low, 0.0)), float(high)) if 2 * q > b.high else None


def jeffreys(k: int, n: int) -> Estimate | None:
    """A share by the Jeffreys interval, Beta(k + 1/2, n - k + 1/2); None of no case.

    Source: Brown, Cai and DasGupta 2001 (Stat. Sci. 16:101); for PD by grade: ECB 2019,
    instructions for reporting the validation results of internal models, section 2.5.3.1.
    """
    if not n:
        return None
    low, high = beta.ppf([ALPHA / 2, 1 - ALPHA / 2], k + 0.5, n - k + 0.5)
    return Estimate(k / n, float(low) if k else 0.0, float(high) if k < n else 1.0)


def observed_to_expected(k: int, n: int, expected: float) -> Estimate | None:
    """Bad cases over those expected: the Jeffreys interval of their share, over the mean PD."""
    found = jeffreys(k, n)
    if found is None or expected <= 0:
        return None
    return Estimate(*(n * v / expected for v in (found.value, found.low, found.high)))


def p_of_share(k: int, n: int, share: float) -> float:
    """Two-sided chance of k bad cases so far from a PD: where it lies in Beta(k + ½, n - k + ½)."""
    below = float(beta.cdf(share, k + 0.5, n - k + 0.5))
    return min(1.0, 2 * min(below, 1 - below))


def of_draws(value: float, draws: NDArray[Any]) -> Estimate:
    """A figure with the middle 95 percent of its resamples; those undefined are left out."""
    low, high = np.nanquantile(draws, [ALPHA / 2, 1 - ALPHA / 2])
    return Estimate(float(value), float(low), float(high))
