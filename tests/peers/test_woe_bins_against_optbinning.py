"""Our bins beside optbinning's, as an oracle: as much information in as many bins, and monotone.

Runs in the environment of requirements/peers.txt: `make test-peers`.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loansvc.training.inputs import Said, inputs_of
from loansvc.training.woe import MOST_BINS, best_bins, information_value

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

LEAST_SHARE = 0.05  # as optbinning has it
AS_GOOD = 0.97
STEPS = {10: 0.30, 25: 0.18, 40: 0.08, 50: 0.03}  # below each of these, the bad rate


def stepped(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers below 50 whose bad rate falls in three steps."""
    x = rng.integers(0, 50, n)
    rate = np.select([x < cut for cut in STEPS], list(STEPS.values()))
    return x.astype(float), rng.random(n) < rate


def german_like(rng: np.random.Generator, n: int = 1_000) -> dict[str, tuple[np.ndarray, Any]]:
    """Three numbers as in a small bank's file: skewed, noisy, with a weak trend."""
    duration = rng.choice([6, 9, 12, 15, 18, 24, 30, 36, 48, 60], n).astype(float)
    amount = np.round(np.exp(rng.normal(7.8, 0.8, n)))
    age = np.clip(np.round(rng.normal(35, 11, n)), 19, 75)
    index = 0.03 * duration + 0.0001 * amount - 0.02 * age
    is_bad = rng.random(n) < 1 / (1 + np.exp(-(index - index.mean() - 0.9)))
    return {k: (v, is_bad) for k, v in {"duration": duration, "amount": amount, "age": age}.items()}


def cell_of(x: np.ndarray, cut_by: np.ndarray) -> np.ndarray:
    """The place of each value between the edges that training would draw."""
    [of] = inputs_of(pd.DataFrame({"x": cut_by}), Said())
    return of.slots(pd.Series(x))


def ours(x: np.ndarray, is_bad: np.ndarray, most: int) -> tuple[list[float], np.ndarray]:
    """Our cuts, and the place of every row, as the better of rising and falling."""
    [of] = inputs_of(pd.DataFrame({"x": x}), Said())
    slots = of.slots(pd.Series(x))
    n, n_bad = (np.bincount(s, minlength=of.n_cells).astype(float) for s in (slots, slots[is_bad]))
    options = [
        best_bins(n, n_bad, most=most, least=LEAST_SHARE * len(x), direction=d) for d in (1, -1)
    ]
    starts = max(options, key=lambda s: value(n, n_bad, s))
    return [float(of.edges[s - 1]) for s in starts[1:]], np.searchsorted(
        starts, slots, side="right"
    ) - 1


def value(n: np.ndarray, n_bad: np.ndarray, starts: list[int]) -> float:
    return information_value(np.add.reduceat(n, starts), np.add.reduceat(n_bad, starts))


def theirs(x: np.ndarray, is_bad: np.ndarray, most: int) -> tuple[list[float], np.ndarray]:
    """optbinning's cuts, either rising or falling, and the place of every row."""
    from optbinning import OptimalBinning

    found = OptimalBinning(
        "x", monotonic_trend="auto_asc_desc", max_n_bins=most, min_bin_size=LEAST_SHARE
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found.fit(x, is_bad.astype(int))
    return list(found.splits), np.searchsorted(found.splits, x, side="right")


def figures(place: np.ndarray, is_bad: np.ndarray) -> tuple[float, np.ndarray]:
    """Information value, and the bad rate of each bin from left to right."""
    n, n_bad = np.bincount(place).astype(float), np.bincount(place[is_bad]).astype(float)
    return information_value(n, n_bad), n_bad / n


def is_monotone(rates: np.ndarray) -> bool:
    steps = np.diff(rates)
    return bool((steps >= 0).all() or (steps <= 0).all())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["duration", "amount", "age"])
@pytest.mark.parametrize("most", [4, MOST_BINS])
def test_as_much_information_in_as_many_bins(name: str, most: int, seed: int) -> None:
    """Of the same steps: an amount is told in our 64 cells, which are all different values."""
    x, is_bad = german_like(np.random.default_rng(seed))[name]
    x = cell_of(x, x).astype(float)
    [(_, our), (_, their)] = [f(x, is_bad, most) for f in (ours, theirs)]
    (our_value, our_rates), (their_value, their_rates) = (
        figures(place, is_bad) for place in (our, their)
    )
    assert is_monotone(our_rates)
    assert is_monotone(their_rates)
    assert our_value >= AS_GOOD * their_value


def test_cells_of_round_edges_lose_little_on_new_cases() -> None:
    """Theirs may cut an amount anywhere; of a thousand rows ours has forty cells: 95 percent.

    On fresh cases of the same kind, the mean over twenty samples.
    """
    fresh, is_bad = german_like(np.random.default_rng(99), 100_000)["amount"]
    values = []
    for seed in range(20):
        x, y = german_like(np.random.default_rng(seed))["amount"]
        cuts = (f(x, y, MOST_BINS)[0] for f in (ours, theirs))
        values.append([figures(np.searchsorted(c, fresh, side="right"), is_bad)[0] for c in cuts])
    our, their = np.mean(values, axis=0)
    assert our >= 0.94 * their


@pytest.mark.parametrize("seed", range(5))
def test_steps_of_the_truth_are_found_where_they_are(seed: int) -> None:
    x, is_bad = stepped(np.random.default_rng(seed), 100_000)
    (our_cuts, our), (their_cuts, their) = (f(x, is_bad, 4) for f in (ours, theirs))
    assert our_cuts == [10, 25, 40]
    # A cut of theirs stands between two whole numbers, ours on the second.
    assert np.ceil(their_cuts).tolist() == our_cuts
    assert (our == their).all()
