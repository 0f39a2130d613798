"""The trained model is a sum of tables, and never turns against the catalogue's direction."""

import numpy as np
import pandas as pd
import pytest

from loansvc.application import CATALOGUE
from loansvc.training.additive import PARITY, AdditiveModel, Tables, check_parity, collapse, fit
from loansvc.training.cells import OFFICER_EDGES, Input, encode, inputs_for
from loansvc.training.synthetic import Population, generate

SEED = 3


@pytest.fixture(scope="module")
def people() -> Population:
    return generate(9_000, seed=SEED).with_known_outcome()


@pytest.fixture(scope="module")
def model(people: Population) -> AdditiveModel:
    inputs = inputs_for(people.frame)
    return fit(encode(people.frame, inputs), people.truth["is_bad"].to_numpy(), inputs, seed=SEED)


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
    entries = tables.tables[0].log_odds_bad
    entries[0] += 1e-6
    try:
        with pytest.raises(AssertionError, match="not additive"):
            check_parity(model, tables, encode(people.frame, model.inputs), seed=SEED)
    finally:
        entries[0] -= 1e-6


def test_model_never_turns_where_a_direction_is_declared(tables: Tables) -> None:
    """Risk rises with arrears, falls with revenue, rises from AAA to D."""
    for table in tables.tables:
        steps = table.input.direction * np.diff(table.log_odds_bad)
        assert steps.min() >= -1e-9


def test_every_case_is_counted_once_in_each_table(people: Population, tables: Tables) -> None:
    """Counts and bad counts add up."""
    n, n_bad = len(people.frame), people.truth["is_bad"].sum()
    for table in tables.tables:
        assert table.n.sum() + table.n_missing == n
        assert table.n_bad.sum() + table.n_bad_missing == n_bad


def test_same_seed_trains_the_same_model(people: Population, model: AdditiveModel) -> None:
    """Bit for bit."""
    cells = encode(people.frame, model.inputs)
    again = fit(cells, people.truth["is_bad"].to_numpy(), model.inputs, seed=SEED)
    assert (again.log_odds_bad(cells) == model.log_odds_bad(cells)).all()


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        pytest.param(0, 0.0, id="below the first edge"),
        pytest.param(11, 0.0, id="the last number before an edge"),
        pytest.param(12, 1.0, id="a value on an edge belongs to the right"),
        pytest.param(10_000, 2.0, id="far above the last"),
        pytest.param(None, np.nan, id="not known"),
    ],
)
def test_number_falls_into_its_cell(value: int | None, cell: float) -> None:
    """As `Bin` says: start <= value < end."""
    of = Input("business_age_months", -1, edges=(12, 36))
    np.testing.assert_equal(of.cells(pd.Series([value], dtype="float64"))[0], cell)


@pytest.mark.parametrize("word", ["never_seen", None])
def test_word_never_seen_is_not_known_to_the_model(word: str | None) -> None:
    """The card has a bin of its own for it."""
    of = Input("entity", 0, words=("household", "cooperative"))
    assert np.isnan(of.cells(pd.Series([word], dtype=object))).all()


def test_edges_exist_for_the_unit_of_every_number() -> None:
    """Ascending, without repetition."""
    units = {
        row.unit for row in CATALOGUE.values() if not row.words and row.use in ("model", "both")
    }
    assert units <= set(OFFICER_EDGES)
    for edges in OFFICER_EDGES.values():
        assert list(edges) == sorted(set(edges))
