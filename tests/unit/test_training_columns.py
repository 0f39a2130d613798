"""A card of any table: the same points row by row and as columns, or a refusal by name."""

import copy
import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from loansvc.errors import EditionRefused, TableRefused
from loansvc.training.card import Card

# base 500; age 20 -> -10, age 50 -> +10, age -1 -> +3; job clerk -> +5; the pair: old clerks +7
DOCUMENT: dict[str, Any] = {
    "kind": "scorecard",
    "table": "people",
    "target": "bad",
    "reference": "test",
    "statement": "A card for tests.",
    "base_points": 500,
    "characteristics": {
        "age": {
            "type": "number",
            "direction": -1,
            "bins": [
                {"to": 24.5, "points": -10},
                {"from": 24.5, "to": 40, "points": 0},
                {"from": 40, "points": 10},
                {"values": [-1, -2], "points": 3},
                {"state": "missing", "points": -4},
            ],
        },
        "job": {
            "type": "word",
            "words": ["clerk", "3"],
            "bins": [
                {"words": ["clerk"], "points": 5},
                {"words": ["3"], "points": -5},
                {"state": "missing", "points": 1},
                {"state": "unseen", "points": 0},
            ],
        },
    },
    "pairs": [
        {
            "rows": {
                "name": "age",
                "bins": [{"to": 40}, {"from": 40}, {"values": [-1]}, {"state": "missing"}],
            },
            "columns": {
                "name": "job",
                "bins": [
                    {"words": ["clerk", "3"]},
                    {"state": "missing"},
                    {"state": "unseen"},
                ],
            },
            "points": [[0, 0, 0], [7, 0, 0], [2, 0, 0], [0, 0, -9]],
        }
    ],
}
ROWS: list[tuple[Any, Any, int]] = [
    (20, "clerk", 500 - 10 + 5),
    (math.nextafter(24.5, 0), "clerk", 500 - 10 + 5),
    (24.5, "clerk", 500 + 0 + 5),
    (40, "clerk", 500 + 10 + 5 + 7),
    (40, "3", 500 + 10 - 5 + 7),
    (-1, "clerk", 500 + 3 + 5 + 2),
    (-2, "clerk", 500 + 3 + 5 + 0),
    (-3, None, 500 - 10 + 1),
    (None, "never", 500 - 4 + 0 - 9),
    (math.nan, None, 500 - 4 + 1),
]
EXPECTED = [score for *_, score in ROWS]


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": np.array([math.nan if a is None else a for a, _, _ in ROWS]),
            "job": pd.Series([j for _, j, _ in ROWS], dtype=object),
        }
    )


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    *to, last = (int(p) if p.isdigit() else p for p in path.split("."))
    table: Any = document
    for key in to:
        table = table[key]
    table[last] = value
    return document


def test_rows_score_as_on_paper() -> None:
    card = Card.of(DOCUMENT)
    assert [card.scorecard.score({"age": a, "job": j}) for a, j, _ in ROWS] == EXPECTED


@pytest.mark.parametrize("as_table", [lambda f: f, pl.from_pandas], ids=["pandas", "polars"])
def test_columns_score_as_rows_do(as_table: Any) -> None:
    assert Card.of(DOCUMENT).score(as_table(frame())).tolist() == EXPECTED


def test_levels_may_come_as_numbers_or_categories() -> None:
    card = Card.of(DOCUMENT)
    assert card.score(pd.DataFrame({"age": [50, 50], "job": [3.0, None]})).tolist() == [512, 511]
    categories = pd.DataFrame({"age": [50], "job": pd.Categorical(["clerk"])})
    assert card.score(categories).tolist() == [522]


def test_whole_numbers_beyond_float64_score_alike_by_row_and_column() -> None:
    document = changed("characteristics.age.bins.1.to", 2**53 + 4)
    document["characteristics"]["age"]["bins"][2]["from"] = 2**53 + 4
    card, age = Card.of(document), 2**53 + 3  # as float64 it is 2**53 + 4
    row = card.scorecard.score({"age": age, "job": None})
    assert card.score(pd.DataFrame({"age": [age], "job": [None]})).tolist() == [row] == [511]


def test_it_is_read_back_as_it_was_written(tmp_path: Any) -> None:
    card = Card.of(DOCUMENT)
    again = Card.read(card.write(tmp_path / "card.json"))
    assert (again.digest, again.scorecard) == (card.digest, card.scorecard)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param({"age": [1.0]}, "job is missing", id="no column"),
        pytest.param({"age": [math.inf], "job": ["x"]}, "age is infinite in row 1", id="inf"),
        pytest.param({"age": ["old"], "job": ["x"]}, "age holds text", id="text for a number"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_name(table: Any, message: str) -> None:
    with pytest.raises(TableRefused, match=message):
        Card.of(DOCUMENT).score(pd.DataFrame(table))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param("characteristics.age.bins.0.to", "x", "must be a number", id="cut"),
        pytest.param("characteristics.age.bins.0.to", 2**53 + 1, "no float64", id="too exact"),
        pytest.param("characteristics.age.bins.3.values", [], "list of numbers", id="codes"),
        pytest.param("characteristics.age.bins.3.values", [1, 1], "special code twice", id="twice"),
        pytest.param("characteristics.age.bins.2.points", -1, "may only rise", id="turns"),
        pytest.param("pairs.0.points.1.0", -11, "may only rise", id="the table turns it"),
        pytest.param("pairs.0.points", [[0]], "4 lists of 3", id="shape"),
        pytest.param("pairs.0.rows.name", "job", "must end with the bins", id="one axis twice"),
        pytest.param("pairs.0.rows.name", "cars", "not one of the card's", id="unknown axis"),
        pytest.param("characteristics.job.words", ["clerk"], "exactly one bin", id="words"),
    ],
)
def test_a_document_that_is_wrong_is_refused_by_name(path: str, value: Any, message: str) -> None:
    with pytest.raises(EditionRefused, match=message):
        Card.of(changed(path, value))


def test_points_of_a_table_may_bend_what_the_other_axis_allows() -> None:
    """The step of 10 at 40 years may lose up to 10 in the table, not more."""
    assert Card.of(changed("pairs.0.points.1.0", -10)).scorecard.pairs[0].points[1][0] == -10
