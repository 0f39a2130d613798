"""Bins of greatest information value whose bad rate never turns, and a regression on them."""

from itertools import combinations

import numpy as np
import pytest

from loansvc.training.cells import Input
from loansvc.training.woe import FREE, best_bins, evidence_of, fit, information_value


def value_of(n: np.ndarray, n_bad: np.ndarray, starts: list[int], least: float, d: int) -> float:
    """The information value, or -1 where these bins are not allowed."""
    cases, bads = np.add.reduceat(n, starts), np.add.reduceat(n_bad, starts)
    turns = d and (np.diff(bads / cases) * d < -1e-12).any()
    return -1.0 if (cases < least).any() or turns else information_value(cases, bads)


@pytest.mark.parametrize("direction", [1, -1, FREE])
@pytest.mark.parametrize("seed", range(20))
def test_no_other_bins_have_more_information(seed: int, direction: int) -> None:
    """Against every way to cut nine cells."""
    rng = np.random.default_rng(seed)
    n = rng.integers(5, 60, 9).astype(float)
    n_bad = rng.binomial(n.astype(int), rng.random(9) * 0.6).astype(float)
    found = best_bins(n, n_bad, most=4, least=40, direction=direction)
    options = [[0, *cuts] for k in range(4) for cuts in combinations(range(1, 9), k)]
    best = max(value_of(n, n_bad, o, 40, direction) for o in options)
    assert value_of(n, n_bad, found, 40, direction) == pytest.approx(best)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        pytest.param([0.1, 0.1, 0.3, 0.3], [0, 2], id="rising"),
        pytest.param([0.3, 0.3, 0.1, 0.1], [0, 2], id="falling"),
        pytest.param([0.3, 0.05, 0.05, 0.3], [0, 1, 3], id="bent, and plainly so"),
        pytest.param([0.2, 0.2, 0.2, 0.2], [0], id="level"),
    ],
)
def test_shape_is_read_from_the_data(rates: list[float], expected: list[int]) -> None:
    n = np.full(4, 1_000.0)
    assert best_bins(n, n * rates, most=4, least=100) == expected


def test_codes_and_missing_have_evidence_of_their_own_or_none() -> None:
    """The code stands 40 times, missing 5 times."""
    of = Input("x", 1, edges=(1,), codes=(-1,))
    slots = np.repeat([0, 1, 2, 3], [500, 500, 40, 5]).astype(np.int32)
    is_bad = np.concatenate([np.arange(500) < 50, np.arange(500) < 150, [True] * 40, [True] * 5])
    woe, _ = evidence_of(of, slots, is_bad)
    assert woe[0] < woe[1] < woe[2]
    assert woe[3] == 0


def test_a_characteristic_whose_weight_would_turn_is_left_out() -> None:
    """Its points would contradict its own bins."""
    rng = np.random.default_rng(1)
    strong = rng.integers(0, 8, 4_000)
    echo = np.clip(strong + rng.integers(-1, 2, 4_000), 0, 7)
    is_bad = rng.random(4_000) < 1 / (1 + np.exp(-(1.2 * strong - 0.5 * echo - 3)))
    inputs = [Input(name, 1, edges=tuple(range(1, 8)), own=True) for name in ("echo", "strong")]
    model = fit(np.column_stack([echo, strong]).astype(np.int32), is_bad, inputs)
    assert model.used.tolist() == [False, True]
    assert (model.regression.coef_ > 0).all()
