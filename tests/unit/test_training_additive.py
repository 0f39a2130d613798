"""The trained model is a sum of tables, and never turns against the catalogue's direction."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from loansvc.application import CATALOGUE
from loansvc.training.additive import (
    PARITY,
    AdditiveModel,
    Tables,
    check_parity,
    collapse,
    fit_folds,
)
from loansvc.training.cells import encode, inputs_for
from loansvc.training.edges import OFFICER_EDGES
from loansvc.training.synthetic import Population, generate

SEED = 3


@pytest.fixture(scope="module")
def people() -> Population:
    return generate(9_000, seed=SEED).with_known_outcome()


def fitted(people: Population) -> AdditiveModel:
    inputs, is_bad = inputs_for(people.frame), people.truth["is_bad"].to_numpy()
    folds = list(StratifiedKFold(3, shuffle=True, random_state=SEED).split(is_bad, is_bad))
    return fit_folds(encode(people.frame, inputs), is_bad, inputs, folds, seed=SEED)


@pytest.fixture(scope="module")
def model(people: Population) -> AdditiveModel:
    return fitted(people)


@pytest.fixture(scope="module")
def tables(people: Population, model: AdditiveModel) -> Tables:
    cells = encode(people.frame, model.inputs)
    return collapse(model, cells, people.truth["is_bad"].to_numpy())


def test_tables_equal_the_model_on_every_cell(
    people: Population, model: AdditiveModel, tables: Tables
) -> None:
    """On real rows, and on rows that mix every edge, "not known" and words never seen."""
    assert check_parity(model, tables, encode(people.frame, model.inputs), seed=SEED) < PARITY


def test_parity_check_notices_a_wrong_table(
    people: Population, model: AdditiveModel, tables: Tables
) -> None:
    """One entry off by a millionth is found."""
    entries = tables.tables[0].entries
    entries[0] += 1e-6
    try:
        with pytest.raises(AssertionError, match="not additive"):
            check_parity(model, tables, encode(people.frame, model.inputs), seed=SEED)
    finally:
        entries[0] -= 1e-6


def test_model_never_turns_where_a_direction_is_declared(tables: Tables) -> None:
    """Risk rises with arrears, falls with revenue, rises from AAA to D."""
    for table in tables.tables:
        steps = table.input.direction * np.diff(table.entries[: table.input.n_cells])
        assert steps.min() >= -1e-9


def test_every_case_is_counted_once_in_each_table(people: Population, tables: Tables) -> None:
    """Counts and bad counts add up."""
    n, n_bad = len(people.frame), people.truth["is_bad"].sum()
    for table in tables.tables:
        assert table.counts.sum() == n
        assert table.bads.sum() == n_bad


def test_same_seed_trains_the_same_model(people: Population, model: AdditiveModel) -> None:
    """Bit for bit."""
    cells = encode(people.frame, model.inputs)
    again = fitted(people)
    assert (again.log_odds_bad(cells) == model.log_odds_bad(cells)).all()


def test_edges_exist_for_the_unit_of_every_number() -> None:
    """Ascending, without repetition."""
    units = {
        row.unit for row in CATALOGUE.values() if not row.words and row.use in ("model", "both")
    }
    assert units <= set(OFFICER_EDGES)
    for edges in OFFICER_EDGES.values():
        assert list(edges) == sorted(set(edges))
