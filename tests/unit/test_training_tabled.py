"""Two-way tables on a card: printed, read, scored alike, and never against a direction."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loansvc.training import AdditiveBoostingScorecard, Card
from loansvc.training.intake import TableWarning
from loansvc.training.table import UnfitTable

pytestmark = pytest.mark.filterwarnings("ignore::loansvc.training.intake.TableWarning")
N = 3_000


def people() -> tuple[pd.DataFrame, np.ndarray]:
    """Old smiths are bad, and so are young clerks: neither age nor job alone says much."""
    rng = np.random.default_rng(1)
    age, job = rng.integers(20, 70, N).astype(float), rng.choice(["clerk", "smith"], N)
    use = rng.integers(0, 100, N).astype(float)
    index = np.where((age > 45) == (job == "smith"), 1.2, -1.2) + 0.01 * use
    age[rng.random(N) < 0.05] = -1
    use[rng.random(N) < 0.05] = np.nan
    is_bad = rng.random(N) < 1 / (1 + np.exp(1.5 - index))
    frame = pd.DataFrame({"age": age, "job": job.astype(object), "use": use})
    return frame, is_bad.astype(int)


@pytest.fixture(scope="module")
def fitted() -> Any:
    frame, y = people()
    return AdditiveBoostingScorecard(
        pairs=2, n_bags=2, max_iter=100, special_codes={"age": [-1]}, monotone={"use": 1}
    ).fit(frame, y)


def test_what_belongs_together_is_found_and_is_worth_it(fitted: Any) -> None:
    pair = fitted.card_.document["pairs"][0]
    assert {pair["rows"]["name"], pair["columns"]["name"]} == {"age", "job"}
    assert fitted.tabled_.test.is_worth_it
    plain = AdditiveBoostingScorecard(n_bags=2, max_iter=100).fit(*people())
    frame, y = people()
    assert log_loss(fitted, frame, y) < log_loss(plain, frame, y) - 0.05


def log_loss(fitted: Any, frame: pd.DataFrame, y: np.ndarray) -> float:
    p = fitted.predict_proba(frame)[:, 1]
    return float(-np.mean(np.where(y == 1, np.log(p), np.log(1 - p))))


def test_rows_score_as_columns_do(fitted: Any) -> None:
    """Also a word never seen, a code, and nothing known."""
    frame, _ = people()
    odd = pd.DataFrame(
        {"age": [np.nan, -1.0, 30.0], "job": [None, "astronaut", "astronaut"], "use": [1.0] * 3}
    )
    frame = pd.concat([frame[:300], odd], ignore_index=True)
    card = Card.of(fitted.compile().card.document)
    values = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    rows = [dict(zip(frame.columns, row, strict=True)) for row in values]
    assert [card.scorecard.score(row) for row in rows] == card.score(frame).tolist()


def test_stated_difference_is_the_largest_there_is(fitted: Any) -> None:
    frame, _ = people()
    model = 487.1229 - 28.8539 * fitted.model_log_odds_bad(frame)
    difference = np.abs(fitted.card_.score(frame) - model).max()
    assert fitted.compile().largest_difference_points == pytest.approx(difference, abs=0.002)


def test_no_step_goes_against_a_direction_whatever_else_is_known(fitted: Any) -> None:
    for age in (25.0, 60.0, -1.0, None):
        for job in ("clerk", "smith", None, "astronaut"):
            scores = [
                fitted.card_.scorecard.score({"age": age, "job": job, "use": float(use)})
                for use in range(100)
            ]
            assert all(b <= a for a, b in pairwise(scores))


def test_axes_are_small_enough_to_print(fitted: Any) -> None:
    for pair in fitted.card_.document["pairs"]:
        for axis in (pair["rows"], pair["columns"]):
            known = [b for b in axis["bins"] if not {"state", "values"} & set(b)]
            assert len(known) <= 8


def test_more_tables_than_a_document_holds_are_refused() -> None:
    with pytest.raises(UnfitTable, match="pairs must be from 0 to 20"):
        AdditiveBoostingScorecard(pairs=21).fit(*people())


def test_tables_that_are_not_worth_it_are_not_kept() -> None:
    """The test is told, and the card is the additive one."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"a": rng.normal(size=900), "b": rng.normal(size=900)})
    y = (rng.random(900) < 1 / (1 + np.exp(1.5 - frame["a"]))).astype(int)
    with pytest.warns(TableWarning, match="not worth it. The card has none"):
        fitted = AdditiveBoostingScorecard(pairs=1, max_iter=40).fit(frame, y)
    assert fitted.card_.scorecard.pairs == ()
    assert fitted.card_.digest == AdditiveBoostingScorecard(max_iter=40).fit(frame, y).card_.digest
    assert not fitted.pair_test_.is_worth_it
