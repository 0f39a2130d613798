"""The figures of `metrics` beside those of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from loansvc import metrics

counts = st.integers(0, 400)


@given(st.floats(0.001, 300), st.integers(1, 60))
def test_the_tail_of_chi_square(x: float, degrees: int) -> None:
    assert metrics.chi_square_tail(x, degrees) == pytest.approx(
        stats.chi2.sf(x, degrees), rel=1e-9, abs=1e-300
    )


@given(st.integers(2, 50), st.floats(1e-6, 0.5))
def test_the_critical_psi_has_that_chance(n_bins: int, alpha: float) -> None:
    found = metrics.critical_psi(n_bins, 500, 20_000, alpha=alpha)
    assert metrics.chance_of_psi(found, n_bins, 500, 20_000) == pytest.approx(alpha, rel=1e-5)
    expected = stats.chi2.isf(alpha, n_bins - 1) * (1 / 500 + 1 / 20_000)
    assert found == pytest.approx(expected, rel=1e-6)


@given(counts, counts, counts, counts)
def test_two_shares_by_fisher(k: int, rest: int, k_then: int, rest_then: int) -> None:
    n, n_then = k + rest, k_then + rest_then
    both = stats.hypergeom(n + n_then, k + k_then, n)
    expected = min(1.0, 2 * min(both.cdf(k), both.sf(k - 1)))
    found = metrics.chance_of_two_shares(k, n, k_then, n_then)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(counts, counts, st.floats(0.001, 0.999))
def test_one_share_by_the_binomial(k: int, rest: int, share: float) -> None:
    n = k + rest
    expected = min(1.0, 2 * min(stats.binom.cdf(k, n, share), stats.binom.sf(k - 1, n, share)))
    assert metrics.chance_of_share(k, n, share) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_step_by_step(chances: list[float]) -> None:
    """A chance is below alpha when it and every smaller one pass their own step."""
    adjusted, alpha = metrics.holm(chances), 0.05
    rejected = set()
    for rank, i in enumerate(np.argsort(chances, kind="stable")):
        if chances[i] * (len(chances) - rank) >= alpha:
            break
        rejected.add(int(i))
    assert {i for i, p in enumerate(adjusted) if p < alpha} == rejected


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=12), st.sampled_from([5.0, 10.0]))
def test_no_case_is_lost_with_rare_bins(bins: list[tuple[int, int]], fewest: float) -> None:
    now, then = ([b[i] for b in bins] for i in (0, 1))
    if not sum(now) or not sum(then):
        return
    a, b = metrics.without_rare(now, then, fewest=fewest)
    assert (sum(a), sum(b)) == (sum(now), sum(then))
    smaller, both = min(sum(now), sum(then)), sum(now) + sum(then)
    expected = [(x + y) * smaller / both for x, y in zip(a, b, strict=True)]
    assert len(a) == 1 or all(e >= fewest - 1e-9 for e in expected)
