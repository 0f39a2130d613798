"""For any data: tables equal the model, rows score as columns, and nothing turns."""

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loansvc.training import AdditiveBoostingScorecard, WoeLogisticScorecard
from loansvc.training.additive import PARITY
from loansvc.training.intake import TableWarning

SIZES = st.integers(40, 300)
KINDS = st.sampled_from([WoeLogisticScorecard, AdditiveBoostingScorecard])
QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
WORDS = np.array(["a", "b", "c", None], dtype=object)


@st.composite
def tables(draw: Any) -> tuple[pd.DataFrame, np.ndarray]:
    """Two numbers, one with codes, and a word; anything may be missing; both outcomes occur."""
    n, seed = draw(SIZES), draw(st.integers(0, 10**6))
    scale, strength = draw(st.sampled_from([1e-6, 1.0, 1e9])), draw(st.floats(-3, 3))
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n) * scale)
    z = rng.choice([0.0, 1.0, 2.0, 3.5, -9.0], n)
    is_bad = rng.random(n) < 1 / (1 + np.exp(-strength * np.nan_to_num(x / scale) + 0.3))
    is_bad[:2] = False, True
    return pd.DataFrame({"x": x, "z": z, "w": rng.choice(WORDS, n)}), is_bad.astype(int)


def fitted(kind: Any, frame: pd.DataFrame, y: np.ndarray, **parameters: Any) -> Any:
    if kind is AdditiveBoostingScorecard:
        parameters |= {"n_bags": 2, "max_iter": 30}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableWarning)
        return kind(special_codes={"z": [-9]}, **parameters).fit(frame, y)


@QUICK
@given(tables(), KINDS)
def test_compiled_tables_are_the_model(table: Any, kind: Any) -> None:
    """Before bins and rounding there is no difference; after them, none beyond what is stated."""
    frame, y = table
    compiled = fitted(kind, frame, y).compile()
    assert compiled.largest_table_difference < PARITY
    stated = compiled.agreement
    assert stated["largest_rounding_points"] <= stated["rounding_bound_points"] + 0.001


@QUICK
@given(tables(), KINDS)
def test_a_row_scores_as_its_column_does(table: Any, kind: Any) -> None:
    frame, y = table
    card = fitted(kind, frame, y).card_
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    assert [card.scorecard.score(row) for row in rows] == card.score(frame).tolist()


@QUICK
@given(tables(), KINDS, st.sampled_from([-1, 1]))
def test_points_never_turn_against_a_direction(table: Any, kind: Any, direction: int) -> None:
    """Whatever the data say; special codes stand outside."""
    frame, y = table
    card = fitted(kind, frame, y, monotone={"x": direction, "z": direction}).card_
    for name, values in {"x": sorted(frame["x"].dropna()), "z": [0.0, 1.0, 2.0, 3.5]}.items():
        of = next(c for c in card.scorecard.characteristics if c.name == name)
        points = [of.bin_of(float(v)).points for v in values]
        assert all(direction * (b - a) <= 0 for a, b in pairwise(points))


@QUICK
@given(tables(), KINDS, st.integers(0, 1_000))
def test_scores_do_not_depend_on_the_order_of_rows(table: Any, kind: Any, seed: int) -> None:
    frame, y = table
    order = np.random.default_rng(seed).permutation(len(frame))
    one, two = fitted(kind, frame, y), fitted(kind, frame.iloc[order], y[order])
    assert one.card_.digest == two.card_.digest
    assert (one.card_.score(frame)[order] == two.card_.score(frame.iloc[order])).all()


@QUICK
@given(tables())
def test_a_column_that_says_nothing_changes_no_score(table: Any) -> None:
    """A column that says nothing changes no score."""
    frame, y = table
    one, two = (fitted(WoeLogisticScorecard, t, y) for t in (frame, frame.assign(same=1.0)))
    assert (one.card_.score(frame) == two.card_.score(frame)).all()
