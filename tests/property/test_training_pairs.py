"""What holds for every card with tables: no step goes against a declared direction."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loansvc.training.pairs import Axis, PairTable, WholePoints, whole_points
from loansvc.training.pairs.order import Order, isotonic, within

axes = st.builds(
    Axis,
    n_cells=st.integers(1, 7),
    n_apart=st.integers(1, 3),
    direction=st.sampled_from((-1, 0, 1)),
)
seeds = st.integers(0, 2**32 - 1)


def a_card(
    of: list[Axis], seed: int, n_tables: int
) -> tuple[list[NDArray[np.float64]], list[PairTable]]:
    """Any lines and any tables, in any number of groups, some cells empty."""
    rng = np.random.default_rng(seed)
    lines = [rng.normal(scale=20, size=axis.n_slots) for axis in of]
    tables = []
    for _ in range(n_tables):
        a, b = rng.choice(len(of), 2, replace=False)
        rows, columns = _groups(of[a], rng), _groups(of[b], rng)
        shape = (rows.max() + 1, columns.max() + 1)
        n = rng.integers(0, 50, shape) * (rng.random(shape) < 0.7)
        log_odds = rng.normal(size=shape) * rng.choice([0.02, 1.0])
        tables.append(PairTable(int(a), int(b), rows, columns, log_odds, n, n // 3))
    return lines, tables


def _groups(of: Axis, rng: np.random.Generator) -> NDArray[np.int64]:
    cells = np.cumsum(np.append(0, rng.integers(0, 2, of.n_cells - 1)))
    return np.append(cells, cells.max() + 1 + np.arange(of.n_apart))


def worst_step(of: list[Axis], tables: list[PairTable], card: WholePoints, j: int) -> int:
    """The worst over all steps, as the document checks it: each table's own worst, added up."""
    worst = 0
    for cell in range(of[j].n_cells - 1):
        step = of[j].direction * int(card.lines[j][cell + 1] - card.lines[j][cell])
        for table, points in zip(tables, card.tables, strict=True):
            if table.first == j:
                along = points[table.rows[cell + 1]] - points[table.rows[cell]]
            elif table.second == j:
                along = points[:, table.columns[cell + 1]] - points[:, table.columns[cell]]
            else:
                continue
            step += int((of[j].direction * along).max())
        worst = max(worst, step)
    return worst


@given(st.lists(axes, min_size=2, max_size=4), seeds, st.integers(0, 4))
def test_no_step_goes_against_a_direction(of: list[Axis], seed: int, n_tables: int) -> None:
    """Whatever lines and tables were: risk up means points down, for every slot of the others."""
    lines, tables = a_card(of, seed, n_tables)
    card = whole_points(lines, tables, of)
    for j in range(len(of)):
        assert worst_step(of, tables, card, j) == 0


@given(st.lists(axes, min_size=2, max_size=4), seeds)
def test_what_has_no_direction_is_only_rounded(of: list[Axis], seed: int) -> None:
    """Half a point at most."""
    free = [Axis(axis.n_cells, axis.n_apart) for axis in of]
    lines, tables = a_card(free, seed, 2)
    card = whole_points(lines, tables, free)
    assert all(np.abs(p - v).max() <= 0.5 for p, v in zip(card.lines, lines, strict=True))


@given(seeds, st.integers(1, 9))
def test_isotonic_never_falls_and_keeps_the_mean(seed: int, size: int) -> None:
    """The nearest line in order has the same weighted mean."""
    rng = np.random.default_rng(seed)
    values, weight = rng.normal(size=(3, size)), rng.uniform(0.1, 5, (3, size))
    found = isotonic(values, weight)
    assert (np.diff(found) >= 0).all()
    np.testing.assert_allclose((found * weight).sum(1), (values * weight).sum(1))


@given(seeds, st.sampled_from((-1, 0, 1)), st.sampled_from((-1, 0, 1)))
def test_a_table_in_order_stays(seed: int, down: int, across: int) -> None:
    """Projecting twice is projecting once."""
    rng = np.random.default_rng(seed)
    order = Order(down, 4, across, 3)
    weight = rng.uniform(0.1, 5, (5, 5))
    once = within(rng.normal(size=(5, 5)), weight, order)
    np.testing.assert_allclose(within(once, weight, order), once, atol=1e-6)
