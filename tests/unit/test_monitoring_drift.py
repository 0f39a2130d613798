"""Drift is found where there is some, and at most one run in twenty cries without any."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from loansvc.monitoring.drift import (
    Bounds,
    Comparison,
    Sums,
    comparisons,
    judged,
    move,
    of_training,
)
from loansvc.registry import Registry
from loansvc.scorecard import Scorecard
from tests.small import TODAY

BOUNDS = Bounds(alpha=0.05, least_psi=0.01, least_points=5.0, fewest=100)
SHIPPED = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def card() -> Scorecard:
    """The shipped card of the credit loan: 26 characteristics, 20,141 training cases."""
    found: Scorecard = Registry.open(SHIPPED).in_force("credit_loan", TODAY).scorecard.content
    return found


def people(
    card: Scorecard,
    n: int,
    chance: np.random.Generator,
    shares: dict[str, list[float]] | None = None,
) -> Sums:
    """A month of n people like those of the training, some characteristics otherwise spread."""
    found = Sums(base_points=card.base_points, n=n)
    for one in card.characteristics:
        then = np.array([b.n for b in one.bins], dtype=float)
        drawn = chance.multinomial(n, (shares or {}).get(one.name, then / then.sum()))
        found.bins[one.name] = drawn.tolist()
        found.points[one.name] = sum(
            int(k) * b.points for k, b in zip(drawn, one.bins, strict=True)
        )
    return found


def of_ledger(card: Scorecard, n: int, chance: np.random.Generator) -> Sums:
    """The same with scores and approvals, as days of a ledger have them."""
    found = people(card, n, chance)
    found.scores = Counter(np.rint(chance.normal(590, 30, n)).astype(int).tolist())
    found.approved = int(chance.binomial(n, 0.3))
    return found


def over(card: Scorecard, now: Sums, then: Sums | None = None) -> list[Comparison]:
    then = then or of_training(card)
    assert then is not None
    tests = judged(list(comparisons(now, then, card, BOUNDS)), BOUNDS)
    return [test for test in tests if test.is_over]


@pytest.mark.parametrize("n", [100, 500, 5_000])
def test_no_drift_is_an_alarm_in_one_run_of_twenty_at_most(card: Scorecard, n: int) -> None:
    """Of 200 months in which nothing changed; 10 are 5 percent."""
    chance = np.random.default_rng(n)
    runs = 200
    alarms = sum(bool(over(card, people(card, n, chance))) for _ in range(runs))
    assert alarms <= 0.05 * runs


@pytest.mark.parametrize("n", [100, 500])
def test_nor_beside_days_of_the_ledger(card: Scorecard, n: int) -> None:
    """Three months of reference, scores and approvals compared, too."""
    chance = np.random.default_rng(n)
    runs = 150
    pairs = ((of_ledger(card, n, chance), of_ledger(card, 3 * n, chance)) for _ in range(runs))
    assert sum(bool(over(card, now, then)) for now, then in pairs) <= 0.05 * runs


def shifted(card: Scorecard, name: str, slot: int, to: float) -> dict[str, list[float]]:
    """The shares of a characteristic when one bin has that share, the others as before."""
    one = next(c for c in card.characteristics if c.name == name)
    shares = [b.n / sum(b.n for b in one.bins) for b in one.bins]
    rest = (1 - to) / (1 - shares[slot])
    return {name: [to if i == slot else s * rest for i, s in enumerate(shares)]}


def found_in(card: Scorecard, n: int, shares: dict[str, list[float]], *, runs: int = 50) -> float:
    """The share of runs in which the characteristic that shifted is over."""
    [name], chance = shares, np.random.default_rng(n)
    months = (people(card, n, chance, shares) for _ in range(runs))
    return sum(any(t.name == name for t in over(card, now)) for now in months) / runs


@pytest.mark.parametrize(
    ("n", "least", "most"),
    [
        pytest.param(100, 0.0, 0.3, id="100 cases say little"),
        pytest.param(500, 0.8, 1.0, id="500 find it"),
        pytest.param(5_000, 1.0, 1.0, id="5,000 find it always"),
    ],
)
def test_a_real_shift_is_found(card: Scorecard, n: int, least: float, most: float) -> None:
    """The share of those with 2 enquiries goes from 20 to 30 percent."""
    shares = shifted(card, "enquiries_6m", 2, 0.30)
    assert least <= found_in(card, n, shares) <= most


def test_what_is_sure_and_too_little_to_matter_is_no_alarm(card: Scorecard) -> None:
    """From 34 to 37 percent in 50,000: far beyond chance, and a PSI below 0.01."""
    now = people(card, 50_000, np.random.default_rng(1), shifted(card, "active_loans", 1, 0.37))
    then = of_training(card)
    assert then is not None
    tests = judged(list(comparisons(now, then, card, BOUNDS)), BOUNDS)
    [loans] = [t for t in tests if (t.kind, t.name) == ("characteristic", "active_loans")]
    assert (loans.adjusted < 0.001, loans.is_over) == (True, False)


def test_a_source_that_stops_is_found_among_100(card: Scorecard) -> None:
    """A characteristic that was always known and no longer is, in 40 of 100."""
    one = next(c for c in card.characteristics if c.name == "business_age_months")
    assert one.bins[one.missing].n == 0
    shares = shifted(card, one.name, one.missing, 0.4)
    found = over(card, people(card, 100, np.random.default_rng(3), shares))
    assert {(t.kind, t.name) for t in found} >= {("missing", one.name)}


def test_too_few_cases_are_not_compared(card: Scorecard) -> None:
    then = of_training(card)
    assert then is not None
    now = people(card, 99, np.random.default_rng(1))
    assert list(comparisons(now, then, card, BOUNDS)) == []


def test_the_parts_add_up_to_the_change_exactly(card: Scorecard) -> None:
    then = of_training(card)
    assert then is not None
    now = people(card, 777, np.random.default_rng(5), shifted(card, "active_loans", 1, 0.44))
    found = move(now, then)
    assert isinstance(found.change, Fraction)
    assert found.base + sum(found.characteristics.values()) == found.change != 0
    [loans] = [c for c in card.characteristics if c.name == "active_loans"]
    by_bin = sum(
        (Fraction(a, 777) - Fraction(b, then.n)) * bin_.points
        for a, b, bin_ in zip(
            now.bins["active_loans"], then.bins["active_loans"], loans.bins, strict=True
        )
    )
    assert found.characteristics["active_loans"] == by_bin
