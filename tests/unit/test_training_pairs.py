"""Pairs are found where two characteristics say more together, and nowhere else."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from loansvc.training.pairs import (
    Additive,
    Axis,
    Pairs,
    fit_pairs,
    whole_points,
)
from loansvc.training.pairs.order import Order, neutral_apart, within
from loansvc.training.pairs.search import probability
from loansvc.training.pairs.worth import PairTest, pair_test

AXES = (
    Axis(n_cells=20, direction=1),
    Axis(n_cells=12, n_apart=2),
    Axis(n_cells=5, n_apart=2, ordered=False),
    Axis(n_cells=15, direction=-1),
)
N_CASES = 3_000
STEEP = np.linspace(-1, 1, 20)
Case = tuple[NDArray[np.int64], NDArray[np.bool_], Additive]


@cache
def cases(interaction: float) -> Case:
    """Cases of a known additive card, and of characteristics 0 and 1 together, if at all.

    Late cells of 1 make 0 steeper. A slot of 2 is rare: the word never seen.
    """
    rng = np.random.default_rng(3)
    codes = np.column_stack([rng.integers(0, a.n_slots, N_CASES) for a in AXES])
    codes[:, 2] = np.where(rng.random(N_CASES) < 0.002, 6, rng.integers(0, 6, N_CASES))
    lines = tuple(np.zeros(a.n_slots) for a in AXES)
    lines[0][:20] = STEEP
    base = float(-1)
    known = base + lines[0][codes[:, 0]]
    together = np.sign(codes[:, 1] - 5.5) * np.append(STEEP, 0.0)[codes[:, 0]]
    is_bad = rng.random(N_CASES) < probability(known + interaction * together)
    return codes, is_bad, Additive(base, lines, known)


@cache
def fitted(interaction: float, k: int = 2) -> Pairs:
    codes, is_bad, additive = cases(interaction)
    return fit_pairs(codes, is_bad, AXES, additive, k=k, seed=1, n_bags=2)


@cache
def measured(interaction: float) -> PairTest:
    codes, is_bad, additive = cases(interaction)

    def known(rows: NDArray[np.int64]) -> Additive:
        return replace(additive, out_of_fold=additive.out_of_fold[rows])

    return pair_test(codes, is_bad, AXES, known, k=2, seed=1)


def test_a_planted_interaction_is_found_and_kept() -> None:
    """It is the first table, and its corners differ the way they were made."""
    table = fitted(0.9).tables[0]
    assert {table.first, table.second} == {0, 1}
    early, late = table.log_odds[:, table.columns[0]], table.log_odds[:, table.columns[11]]
    rise_early, rise_late = (m[table.rows[19]] - m[table.rows[0]] for m in (early, late))
    assert rise_late - rise_early > 1


def test_what_a_planted_interaction_gains_is_measured() -> None:
    """On cases that neither chose nor fitted the tables."""
    test = measured(0.9)
    assert test.is_worth_it
    assert test.auc_with > test.auc_without + 2 * test.auc_gain_se
    assert test.sentence.endswith("fitted them: worth it.")


def test_where_nothing_is_planted_nothing_is_offered() -> None:
    """What chance looks like in sample does not hold out of it."""
    test = measured(0.0)
    assert not test.is_worth_it
    assert abs(test.log_loss_gain) < 0.005
    assert "not worth it" in test.sentence


def test_log_odds_of_the_test_are_those_it_was_measured_by() -> None:
    """So that the card can be calibrated on them."""
    _, is_bad, additive = cases(0.9)
    losses = [
        float(np.mean(np.logaddexp(0, f) - is_bad * f))
        for f in (additive.out_of_fold, measured(0.9).log_odds_bad)
    ]
    assert losses[0] - losses[1] == pytest.approx(measured(0.9).log_loss_gain)


def test_the_same_seed_gives_the_same_tables() -> None:
    """To the last digit."""
    codes, is_bad, additive = cases(0.9)
    again = fit_pairs(codes, is_bad, AXES, additive, k=2, seed=1, n_bags=2)
    for a, b in zip(fitted(0.9).tables, again.tables, strict=True):
        assert (a.first, a.second) == (b.first, b.second)
        np.testing.assert_array_equal(a.log_odds, b.log_odds)


def test_tables_are_small_enough_to_print() -> None:
    """At most 8 x 8 groups, and one for each slot apart; runs of cells where they have an order."""
    for table in fitted(0.9, k=6).tables:
        for of, groups, size in zip(
            (table.first, table.second), (table.rows, table.columns), table.n.shape, strict=True
        ):
            axis = AXES[of]
            ordinary = groups[: axis.n_cells]
            assert len(groups) == axis.n_slots
            assert set(groups) == set(range(size))
            assert ordinary.max() < 8
            assert groups[axis.n_cells :].tolist() == list(range(size - axis.n_apart, size))
            assert not axis.ordered or (np.diff(ordinary) >= 0).all()


def test_cells_say_how_many_stand_in_them() -> None:
    """All cases, and all bad ones."""
    codes, is_bad, _ = cases(0.9)
    for table in fitted(0.9).tables:
        assert table.n.sum() == len(codes)
        assert table.n_bad.sum() == is_bad.sum()
        assert (table.n_bad <= table.n).all()


def test_tables_are_centred() -> None:
    """The average case gets nothing."""
    for table in fitted(0.9).tables:
        assert (table.log_odds * table.n).sum() == pytest.approx(0, abs=1e-6)


def test_lines_and_tables_keep_their_directions() -> None:
    """Before rounding, so that rounding has nothing to repair."""
    _, _, additive = cases(0.9)
    pairs = fitted(0.9, k=6)
    for axis, line, change in zip(AXES, additive.lines, pairs.lines, strict=True):
        assert (axis.direction * np.diff((line + change)[: axis.n_cells]) >= -1e-9).all()
    for table in pairs.tables:
        for of, groups, m in (
            (table.first, table.rows, table.log_odds),
            (table.second, table.columns, table.log_odds.T),
        ):
            steps = np.diff(m[groups[: AXES[of].n_cells]], axis=0)
            assert (AXES[of].direction * steps >= -1e-9).all()


def test_bins_of_the_additive_card_stay() -> None:
    """Cells of one bin get the same change."""
    codes, is_bad, additive = cases(0.9)
    coarse = np.append(np.repeat([-0.8, 0.0, 0.8], [7, 6, 7]), 0.0)
    additive = Additive(additive.base, (coarse, *additive.lines[1:]), additive.out_of_fold)
    change = fit_pairs(codes, is_bad, AXES, additive, k=1, seed=1, n_bags=1).lines[0]
    assert len(set(change[:7])) == len(set(change[7:13])) == len(set(change[13:20])) == 1


def test_whole_points_are_near_the_fitted_ones() -> None:
    """Half a point: where all is in order, nothing else is changed."""
    _, _, additive = cases(0.9)
    pairs = fitted(0.9)
    lines = [-28.85 * (a + b) for a, b in zip(additive.lines, pairs.lines, strict=True)]
    found = whole_points(lines, pairs.tables, AXES)
    for table, points in zip(pairs.tables, found.tables, strict=True):
        assert np.abs(points + 20 / np.log(2) * table.log_odds).max() < 0.51
    for line, points in zip(lines, found.lines, strict=True):
        assert np.abs(points - line).max() < 0.51


def test_no_cell_of_too_few_cases_apart_has_a_say() -> None:
    """A column that five cases tell of is the average of the others."""
    values = np.array([[1.0, 3.0, 50.0], [5.0, 7.0, -50.0]])
    n = np.array([[100, 100, 2], [100, 100, 3]])
    found = neutral_apart(values, n, Order(0, 2, 0, 2), least=30)
    assert found.tolist() == [[1.0, 3.0, 2.0], [5.0, 7.0, 6.0]]


def test_weights_count() -> None:
    """An interaction of cases without weight is not there."""
    codes, is_bad, additive = cases(0.9)
    rng = np.random.default_rng(5)
    dull = rng.random(N_CASES) < probability(additive.out_of_fold)
    pairs = fit_pairs(
        np.vstack([codes, codes]), np.append(is_bad, dull), AXES,
        Additive(additive.base, additive.lines, np.tile(additive.out_of_fold, 2)),
        k=1, seed=1, n_bags=1, weights=np.repeat([1e-9, 1.0], N_CASES),
    )  # fmt: skip
    added = pairs.log_odds_bad(codes)
    assert added.std() < 0.5 * fitted(0.9).log_odds_bad(codes).std()


def test_one_characteristic_has_no_pair() -> None:
    """Then there is nothing to add."""
    codes, is_bad, additive = cases(0.9)
    alone = Additive(additive.base, additive.lines[:1], additive.out_of_fold)
    pairs = fit_pairs(codes[:, :1], is_bad, AXES[:1], alone, k=3, seed=1)
    assert pairs.tables == ()
    assert not pairs.log_odds_bad(codes[:, :1]).any()


def test_projection_on_two_directions_is_the_nearest() -> None:
    """No small step that keeps both directions comes nearer."""
    rng = np.random.default_rng(1)
    values, weight = rng.normal(size=(4, 4)), rng.uniform(0.5, 2, (4, 4))
    order = Order(1, 3, -1, 3)
    found = within(values, weight, order)
    loss = float((weight * (found - values) ** 2).sum())
    for _ in range(200):
        other = within(found + rng.normal(scale=0.05, size=(4, 4)), weight, order)
        assert float((weight * (other - values) ** 2).sum()) > loss - 1e-3
