"""Edges a person would say, and a slot for every value: cell, special code, or not known."""

import numpy as np
import pandas as pd
import pytest

from loansvc.application import CATALOGUE
from loansvc.training.cells import Input, encode
from loansvc.training.edges import MOST_CELLS, OFFICER_EDGES, edges_of, roundest
from loansvc.training.inputs import Said, inputs_of
from loansvc.training.table import UnfitTable


@pytest.mark.parametrize(
    ("value", "slot"),
    [
        pytest.param(0, 0, id="below the first edge"),
        pytest.param(11, 0, id="the last number before an edge"),
        pytest.param(12, 1, id="a value on an edge belongs to the right"),
        pytest.param(10_000, 2, id="far above the last"),
        pytest.param(-9, 3, id="a special code"),
        pytest.param(-8, 0, id="beside a special code"),
        pytest.param(None, 4, id="not known"),
    ],
)
def test_number_falls_into_its_slot(value: int | None, slot: int) -> None:
    of = Input("business_age_months", -1, edges=(12, 36), codes=(-9,))
    assert of.slots(pd.Series([value], dtype="float64")).tolist() == [slot]


@pytest.mark.parametrize(
    ("word", "slot"), [("a", 0), ("b", 1), ("c", 2), ("d", 2), ("never_seen", 2), (None, 3)]
)
def test_word_falls_into_its_slot(word: str | None, slot: int) -> None:
    """Rare words share the last cell, with those never seen."""
    of = Input("entity", 0, words=("a", "b"), rare=("c",), others=True)
    assert of.slots(pd.Series([word], dtype=object)).tolist() == [slot]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["normal", "heavy", "whole", "few"])
def test_edges_make_cells_none_of_which_is_empty(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = {
        "normal": rng.normal(size=3_000),
        "heavy": np.where(rng.random(3_000) < 0.6, 0.0, rng.lognormal(8, 2, 3_000)),
        "whole": rng.integers(0, 500, 3_000).astype(float),
        "few": rng.choice([0.1, 0.2, 0.30000000000000004, 7.0], 3_000),
    }[kind]
    edges = edges_of(values)
    assert list(edges) == sorted(set(edges))
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    assert counts.min() > 0
    assert len(counts) <= MOST_CELLS


def test_few_different_values_have_a_cell_each() -> None:
    values = np.repeat(np.arange(40.0), 25)
    assert edges_of(values) == tuple(range(1, 40))


def test_few_rows_have_fewer_cells() -> None:
    """A cell of fewer than 25 rows says nothing of its own."""
    assert len(edges_of(np.arange(1_000.0))) == 1_000 // 25 - 1


@pytest.mark.parametrize("seed", range(200))
def test_roundest_lies_between(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.normal(size=2) * 10.0 ** rng.integers(-8, 9))
    assert low < roundest(low, high) <= high
    assert low < roundest(low, np.nextafter(low, np.inf)) <= np.nextafter(low, np.inf)


def test_edges_exist_for_the_unit_of_every_number() -> None:
    """Ascending, without repetition."""
    units = {r.unit for r in CATALOGUE.values() if not r.words and r.use in ("model", "both")}
    assert units <= set(OFFICER_EDGES)
    for edges in OFFICER_EDGES.values():
        assert list(edges) == sorted(set(edges))


def test_rare_levels_become_one_cell_and_are_listed() -> None:
    """But for those so rare that they may tell who somebody is."""
    jobs = ["clerk"] * 900 + ["smith"] * 79 + ["monk"] * 10 + ["bard"] * 10 + ["pope"]
    [job] = inputs_of(pd.DataFrame({"job": jobs}), Said())
    assert (job.words, job.rare, job.others) == (("clerk", "smith"), ("bard", "monk"), True)


def test_a_frame_of_catalogue_columns_is_cut_as_a_product_s() -> None:
    frame = pd.DataFrame({"business_age_months": [1.0, 40.0], "education": ["primary", None]})
    age, education = inputs_of(frame, Said())
    assert age == Input("business_age_months", -1, edges=(3, *OFFICER_EDGES["months"][2:11]))
    assert education.words == CATALOGUE["education"].words
    one_more = inputs_of(frame.assign(x=[1, 2]), Said())
    assert all(i.own for i in one_more)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        pytest.param({"monotone": {"agee": 1}}, "Did you mean age?", id="unknown column"),
        pytest.param({"monotone": {"age": 2}}, "must be -1", id="no direction"),
        pytest.param({"monotone": [1]}, "lists 1 values", id="short list"),
        pytest.param({"special_codes": {"age": ["x"]}}, "lists of numbers", id="no number"),
        pytest.param({"monotone": {"job": 1}}, "Say their order", id="words without order"),
        pytest.param({"orders": {"job": ["a"]}}, "also has 1 words", id="an order that lacks one"),
    ],
)
def test_what_is_said_wrong_is_refused_by_name(said: dict, message: str) -> None:
    frame = pd.DataFrame({"age": [1, 2], "job": ["a", "b"]})
    with pytest.raises(UnfitTable, match=message):
        inputs_of(frame, Said.of(list(frame.columns), **said))


def test_encoding_keeps_the_order_of_inputs() -> None:
    frame = pd.DataFrame({"b": [1.0, 2.0], "a": ["x", "y"]})
    slots = encode(frame, inputs_of(frame, Said()))
    assert slots.tolist() == [[0, 0], [1, 1]]
