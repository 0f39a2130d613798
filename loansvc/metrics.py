"""Metrics: how far two distributions lie apart, and whether chance alone would do it.

    PSI = sum over bins of (share now - share then) x ln(share now / share then)

Of people alike, PSI is about chi-square with one degree fewer than bins, times (1 / n now +
1 / n then). Source: Yurdakul and Naranjo 2020 (J. Risk Model Validation 14(4)), after their proof
for fixed bins. So it is held against the size of the samples, never against 0.10 or 0.25 alone.

Scales: shares and chances from 0 to 1; counts are numbers of cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import erfc, exp, fsum, lgamma, log, log1p, sqrt
from statistics import NormalDist

FEWEST_EXPECTED = 5.0  # cases in a bin of the smaller sample, for chi-square (Cochran)
NEGLIGIBLE = 1e-12  # beside what is summed already
SMOOTHING = 0.5  # cases added to every bin, so that no share is 0


def psi(now: Iterable[float], then: Iterable[float]) -> float:
    """The population stability index of two lines of counts, half a case added to every bin.

    >>> round(psi([300, 700], [500, 500]), 3)
    0.169
    """
    a, b = ([n + SMOOTHING for n in counts] for counts in (now, then))
    n_now, n_then = sum(a), sum(b)
    shares = ((x / n_now, y / n_then) for x, y in zip(a, b, strict=True))
    return fsum((x - y) * log(x / y) for x, y in shares)


def without_rare(
    now: Sequence[float], then: Sequence[float], *, fewest: float = FEWEST_EXPECTED
) -> tuple[list[float], list[float]]:
    """The counts with all rare bins as one; a rest that is still rare joins the smallest bin.

    Rare: `fewest` cases or more are not to be expected in it of the smaller sample.

    >>> without_rare([60, 40, 2, 1], [600, 400, 10, 10])
    ([60, 43], [600, 420])
    """
    smaller, both = min(sum(now), sum(then)), sum(now) + sum(then)
    kept: list[tuple[float, float, float]] = []
    rare: list[tuple[float, float, float]] = []
    for a, b in zip(now, then, strict=True):
        expected = (a + b) * smaller / both
        (kept if expected >= fewest else rare).append((expected, a, b))
    if any(a or b for _, a, b in rare):
        rest = _joined(rare)
        if kept and rest[0] < fewest:
            smallest = min(kept)
            kept[kept.index(smallest)] = _joined([smallest, rest])
        else:
            kept.append(rest)
    return [a for _, a, _ in kept], [b for _, _, b in kept]


def _joined(bins: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Bins as one: expected, now and then."""
    return sum(b[0] for b in bins), sum(b[1] for b in bins), sum(b[2] for b in bins)


def chance_of_psi(found: float, n_bins: int, n_now: float, n_then: float) -> float:
    """The chance that samples of one population show that PSI or more.

    >>> round(chance_of_psi(0.093, 10, 200, 2_000), 3)
    0.05
    """
    return chi_square_tail(found / (1 / n_now + 1 / n_then), n_bins - 1)


def critical_psi(n_bins: int, n_now: float, n_then: float, *, alpha: float) -> float:
    """The PSI that samples of one population exceed with chance `alpha`, by halving.

    >>> round(critical_psi(10, 200, 2_000, alpha=0.05), 3)
    0.093
    """
    scale, low, high = 1 / n_now + 1 / n_then, 0.0, 1.0
    while chi_square_tail(high, n_bins - 1) > alpha:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if chi_square_tail(middle, n_bins - 1) > alpha else (low, middle)
    return scale * high


def chi_square_tail(x: float, degrees: int) -> float:
    """The chance that chi-square with so many degrees of freedom is x or more.

    A finite sum, since the degrees are whole. Source: Abramowitz and Stegun 26.4.4 and 26.4.5.

    >>> round(chi_square_tail(3.841459, 1), 6), round(chi_square_tail(16.918978, 9), 6)
    (0.05, 0.05)
    """
    if x <= 0:
        return 1.0
    half = x / 2
    powers = (degrees / 2 - 1 - i for i in range(degrees // 2))
    terms = sum(exp(a * log(half) - half - lgamma(a + 1)) for a in powers)
    return min(1.0, terms + (erfc(sqrt(half)) if degrees % 2 else 0.0))


def holm(chances: Sequence[float]) -> list[float]:
    """The chances held against alpha as if there were one test, whatever depends on what.

    With chance alpha at most is any below alpha where nothing is so. Source: Holm 1979 (Scand. J.
    Statist. 6:65).

    >>> holm([0.01, 0.2, 0.02])
    [0.03, 0.2, 0.04]
    """
    adjusted, most = [0.0] * len(chances), 0.0
    for rank, i in enumerate(sorted(range(len(chances)), key=lambda i: chances[i])):
        most = max(most, min(1.0, (len(chances) - rank) * chances[i]))
        adjusted[i] = most
    return adjusted


def wilson(k: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share of which k of n cases were seen; n is not 0.

    Source: Wilson 1927; Newcombe 1998 (Stat. Med. 17:857), method 3.

    >>> tuple(round(bound, 4) for bound in wilson(81, 263))
    (0.2553, 0.3662)
    """
    z2, p = NormalDist().inv_cdf((1 + level) / 2) ** 2, k / n
    centre, spread = p + z2 / (2 * n), sqrt(z2 * (p * (1 - p) + z2 / (4 * n)) / n)
    low, high = (centre - spread) / (1 + z2 / n), (centre + spread) / (1 + z2 / n)
    return (low if k else 0.0), (high if k < n else 1.0)


def chance_of_share(k: int, n: int, share: float) -> float:
    """Twice the smaller chance of k or fewer, or of k or more, of n cases each with that chance.

    Exact, so that a handful of cases raises no alarm. Source: Clopper and Pearson 1934 (Biometrika
    26:404).

    >>> round(chance_of_share(0, 10, 0.5), 6)
    0.001953
    """
    fewer = sum(_binomial(i, n, share) for i in range(k + 1))
    more = sum(_binomial(i, n, share) for i in range(k, n + 1))
    return min(1.0, 2 * min(fewer, more))


def chance_of_two_shares(k: int, n: int, k_then: int, n_then: int) -> float:
    """Twice the smaller chance of k or fewer, or of k or more, if both had been drawn from one pot.

    Exact, so that it holds for any size and for a share that was 0. Source: Fisher 1935 (J. R.
    Stat. Soc. 98:39).

    >>> round(chance_of_two_shares(3, 3, 0, 3), 6)
    0.1
    """
    all_k = k + k_then
    low, high = max(0, all_k - n_then), min(n, all_k)
    # Away from what is to be expected, where chances fall, until nothing more is added.
    outward = range(k, low - 1, -1) if k * (n + n_then) <= n * all_k else range(k, high + 1)
    ways, found = _log_ways(n + n_then, all_k), 0.0
    for i in outward:
        chance = exp(_log_ways(n, i) + _log_ways(n_then, all_k - i) - ways)
        if chance < NEGLIGIBLE * found:
            break
        found += chance
    return min(1.0, 2 * found)


def _binomial(k: int, n: int, share: float) -> float:
    return exp(_log_ways(n, k) + k * log(share) + (n - k) * log1p(-share))


def _log_ways(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
