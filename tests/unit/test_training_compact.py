"""Cells become bins by least squares, bins become whole points, and nothing turns on the way."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from loansvc.training.additive import Table, Tables
from loansvc.training.cells import Input
from loansvc.training.compact import Calibration, Line, best_bins, to_lines

AS_IT_IS = Calibration(intercept=0.0, slope=1.0)
AGE = Input("business_age_months", -1, edges=(12, 36, 60))
PURPOSE = Input("purpose", 0, words=("working_capital", "planting", "consumption"))


def table(of: Input, entries: list[float], n: list[int], n_missing: int) -> Table:
    counts = np.array([*n, n_missing])
    return Table(of, np.array([*entries, 0.0]), counts, np.zeros_like(counts))


def line(of: Input, entries: list[float], n: list[int], *, n_missing: int = 100) -> Line:
    tables = Tables(0.0, (table(of, entries, n, n_missing),))
    return to_lines(tables, AS_IT_IS).lines[0]


def loss(values: NDArray, weights: NDArray, starts: list[int]) -> float:
    parts = zip(np.split(values, starts[1:]), np.split(weights, starts[1:]), strict=True)
    return sum(float(w @ (v - np.average(v, weights=w)) ** 2) for v, w in parts)


@pytest.mark.parametrize("seed", range(20))
def test_best_bins_lose_no_more_than_any_other(seed: int) -> None:
    """Against every way to cut ten cells."""
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=10), rng.integers(1, 50, 10)
    found = best_bins(values, weights, most=4, least=40)
    allowed = [
        [0, *cuts]
        for k in range(4)
        for cuts in combinations(range(1, 10), k)
        if all(part.sum() >= 40 for part in np.split(weights, cuts))
    ]
    best = min(loss(values, weights, starts) for starts in allowed)
    assert loss(values, weights, found) == pytest.approx(best)


@pytest.mark.parametrize(
    ("weights", "least"),
    [
        pytest.param([10, 10, 10], 100, id="all together are too few"),
        pytest.param([0, 0, 0], 1, id="there is none at all"),
        pytest.param([20, 0, 0], 15, id="only one cell holds any"),
    ],
)
def test_too_few_cases_leave_one_bin(weights: list[int], least: int) -> None:
    """A bin that nobody stands in is none."""
    assert best_bins(np.array([1.0, 2.0, 3.0]), np.array(weights), most=3, least=least) == [0]


def test_empty_cells_join_a_neighbour() -> None:
    """A grade never seen takes the points of the worst one seen."""
    grade = Input("household_grade", 1, words=("AAA", "AA", "A", "B", "C", "D"))
    points = line(grade, [0.0, 0.2, 0.4, 0.6, 0.8, 0.8], [50, 50, 50, 50, 50, 0]).points
    assert points[5] == points[4] < points[3]


def test_points_never_turn_where_the_table_does_not() -> None:
    """Joining and rounding keep the order."""
    entries = np.sort(np.random.default_rng(1).normal(size=31))[::-1]
    of = Input("revenue_12m_yuan", -1, edges=tuple(range(1, 31)))
    points = line(of, list(entries), [40] * 31).points[:-1]
    assert (np.diff(points) >= 0).all()


@pytest.mark.parametrize(
    ("n_missing", "is_neutral"),
    [pytest.param(29, True, id="29 do not tell"), pytest.param(30, False, id="30 do")],
)
def test_not_known_is_neutral_when_too_few_tell(n_missing: int, is_neutral: bool) -> None:
    """Neutral is the mean over all that is known."""
    age = line(AGE, [2.0, 2.0, 2.0, 2.0], [100, 100, 100, 100], n_missing=n_missing)
    assert (age.points[-1] == age.points[0]) == is_neutral


def test_word_never_trained_on_is_neutral() -> None:
    """A barred purpose gets the mean of the others."""
    purpose = line(PURPOSE, [0.0, 1.0, 5.0], [100, 100, 0], n_missing=0)
    neutral = round(float(np.mean(purpose.exact[:2])))
    assert purpose.points[2] == purpose.neutral == neutral


def test_average_points_of_a_characteristic_are_zero() -> None:
    """Up to rounding: the base is the score of an average applicant."""
    age = line(AGE, [1.0, 0.5, 0.0, -0.5], [100, 200, 300, 400], n_missing=0)
    assert np.average(age.exact[:-1], weights=age.table.n) == pytest.approx(0)


def test_rounding_moves_no_score_by_more_than_the_bound() -> None:
    """Every combination of cells of two characteristics."""
    tables = Tables(
        -3.0,
        (
            table(AGE, [0.91, 0.37, 0.12, -0.33], [100, 200, 300, 400], 0),
            table(PURPOSE, [0.0, 0.21, 0.0], [500, 500, 0], 0),
        ),
    )
    lines = to_lines(tables, AS_IT_IS)
    cells = np.array([[a, b] for a in range(5) for b in range(4)])
    moved = np.abs(lines.scores(cells, "points") - lines.scores(cells, "compacted"))
    assert moved.max() <= lines.rounding_bound_points + 1e-9
    assert lines.rounding_bound_points <= 0.5 * 2 + 0.5 * 3  # two lines; a base that makes up
