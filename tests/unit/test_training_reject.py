"""Reject inference on the synthetic county, where the outcomes of the rejected are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from loansvc.training import reject
from loansvc.training.reject import Predict, RejectBand, infer, of_estimator
from loansvc.training.synthetic import Population, generate

NUMBERS = (
    "max_days_past_due_24m", "active_loans", "card_utilisation_percent", "business_age_months",
    "household_income_12m_yuan", "enquiries_6m", "revenue_12m_yuan",
)  # fmt: skip
BOOSTED = of_estimator(
    lambda: HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=8, early_stopping=False, random_state=1
    )
)


def applicants(n: int, seed: int) -> tuple[Population, pd.DataFrame]:
    """Everybody who applied long enough ago, with what the old rule saw and more."""
    people = generate(n, seed=seed)
    people = people.take(people.truth["matured"].to_numpy())
    return people, people.frame[list(NUMBERS)]


def inferred(n: int = 24_000, seed: int = 1, **changes: Any) -> RejectBand:
    people, frame = applicants(n, seed)
    truth = people.truth["is_bad"].to_numpy()
    accepted = people.truth["accepted"].to_numpy()
    arguments: dict[str, Any] = {"fit": BOOSTED, "truth": truth} | changes
    return infer(frame, np.where(accepted, truth, False), accepted, **arguments)


@pytest.fixture(scope="module")
def shown() -> RejectBand:
    fresh, frame = applicants(20_000, 99)
    return inferred(check=(frame, fresh.truth["is_bad"].to_numpy()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_true_bad_rate_through_the_door_lies_in_the_band(seed: int) -> None:
    """Here the old rule saw what the characteristics show, so the assumptions span the truth."""
    found = inferred(seed=seed)
    assert found.true_door_bad_rate is not None
    assert found.true_rejected_bad_rate is not None
    assert found.band().holds(found.true_door_bad_rate)
    assert found.band("rejected_bad_rate").holds(found.true_rejected_bad_rate)
    assert not found.band().holds(found.accepted_bad_rate)


def test_the_truth_need_not_lie_in_the_band_and_the_docs_say_so(shown: RejectBand) -> None:
    """An old rule that saw more than is on file: the rejected are worse than any assumption."""
    people, frame = applicants(24_000, 1)
    truth = people.truth["is_bad"].to_numpy()
    rng = np.random.default_rng(1)
    accepted = ~truth & (rng.random(len(truth)) < 0.7) | (rng.random(len(truth)) < 0.05)
    found = infer(frame, truth, accepted, fit=BOOSTED, truth=truth)
    assert found.true_door_bad_rate is not None
    assert not found.band().holds(found.true_door_bad_rate)
    for text in (reject.__doc__, reject.CAVEAT, shown._repr_html_(), shown.to_dict()["caveat"]):
        assert text is not None
        assert "The truth need not lie in it" in text.replace("\n", " ")
    assert "need not hold the truth" in str(RejectBand.__doc__)


def test_every_assumption_is_shown(shown: RejectBand) -> None:
    assert [(row.method, row.factor) for row in shown.rows] == [
        ("accepted only", None), ("augmentation", None), ("parcelling", 1.0), ("parcelling", 1.5),
        ("parcelling", 2.0), ("parcelling", 3.0),
    ]  # fmt: skip
    rates = [row.rejected_bad_rate for row in shown.rows if row.method == "parcelling"]
    assert rates == sorted(rates)
    for row in shown.rows:
        n_bad = row.rejected_bad_rate * shown.n_rejected + (
            shown.accepted_bad_rate * shown.n_accepted
        )
        assert row.door_bad_rate == pytest.approx(n_bad / (shown.n_accepted + shown.n_rejected))


def test_a_band_is_never_one_number(shown: RejectBand) -> None:
    for of in ("door_bad_rate", "rejected_bad_rate", "auc_door"):
        assert shown.band(of).low < shown.band(of).high
    for factors in ([2.0], [2.0, 2.0], [], [0.5, 2.0]):
        with pytest.raises(ValueError, match="factors must be at least two"):
            inferred(n=2_000, factors=factors)


def test_the_models_sort_those_through_the_door(shown: RejectBand) -> None:
    assert all(row.auc_door is not None and 0.65 < row.auc_door < 0.82 for row in shown.rows)
    with pytest.raises(ValueError, match="give `check`"):
        inferred(n=4_000).band("auc_door")


def test_the_table_shows_the_band_and_the_truth(shown: RejectBand) -> None:
    html, band = shown._repr_html_(), shown.band()
    assert f"{100 * band.low:.2f} % to {100 * band.high:.2f} %" in html
    assert "parcelling, 1.5 times as bad" in html
    assert "truth (synthetic only)" in html
    assert "truth (synthetic" not in inferred(n=4_000, truth=None)._repr_html_()


def test_everything_is_plain_values(shown: RejectBand) -> None:
    document = json.loads(json.dumps(shown.to_dict()))
    assert document["bands"]["door_bad_rate"] == {
        "low": shown.band().low, "high": shown.band().high,
    }  # fmt: skip
    assert len(document["rows"]) == 6
    assert set(document["bands"]) == {"door_bad_rate", "rejected_bad_rate", "auc_door"}


# --- on paper -----------------------------------------------------------------------------------


def constant(x: pd.DataFrame, y: np.ndarray, weight: np.ndarray) -> Predict:
    """A model that knows only the weighted bad rate."""
    rate = float(y @ weight / weight.sum())
    return lambda frame: np.full(len(frame), rate)


def paper(**changes: Any) -> RejectBand:
    """Safe: 300 accepted, 3 bad, 100 rejected; risky: 200 accepted, 20 bad, 400 rejected."""
    score = np.repeat([620, 620, 560, 560], [300, 100, 200, 400])
    accepted = np.repeat([True, False, True, False], [300, 100, 200, 400])
    is_bad = np.zeros(1000, dtype=bool)
    is_bad[:3] = is_bad[400:420] = True
    arguments: dict[str, Any] = {"fit": constant, "scores": score, "factors": (1.0, 2.0)} | changes
    return infer(pd.DataFrame({"score": score}), is_bad, accepted, **arguments)


def test_rates_can_be_counted_on_paper() -> None:
    only, augmented, once, twice = (row.rejected_bad_rate for row in paper().rows)
    assert only == pytest.approx(23 / 500)
    assert augmented == pytest.approx((400 * 0.01 + 600 * 0.10) / 1000)
    assert once == pytest.approx((100 * 0.01 + 400 * 0.10) / 500)
    assert twice == pytest.approx(2 * once)
    assert paper().rows[3].door_bad_rate == pytest.approx((23 + 82) / 1000)


def test_more_than_all_cannot_be_bad() -> None:
    assert paper(factors=(1.0, 100.0)).rows[3].rejected_bad_rate == 1.0


def test_the_outcomes_of_the_rejected_are_never_looked_at() -> None:
    people, frame = applicants(6_000, 5)
    accepted, truth = (people.truth[k].to_numpy() for k in ("accepted", "is_bad"))
    hidden = np.where(accepted, truth, np.nan)
    both = [infer(frame, y, accepted, fit=BOOSTED) for y in (truth.astype(float), hidden)]
    assert both[0] == both[1]


def test_the_parts_of_a_rejected_case_add_up_to_one() -> None:
    """Nothing is drawn: the same every time, and no weight is lost."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def spy(x: pd.DataFrame, y: np.ndarray, weight: np.ndarray) -> Predict:
        seen.append((y, weight))
        return constant(x, y, weight)

    assert paper(fit=spy) == paper()
    outcome, weight = seen[-1]  # parcelling, twice as bad
    assert weight.sum() == pytest.approx(1000)
    assert weight[outcome == 1].sum() == pytest.approx(23 + 82)


def test_a_chance_of_being_accepted_may_come_from_a_model_of_the_old_rule() -> None:
    accepted = np.repeat([True, False, True, False], [300, 100, 200, 400])
    given = paper(p_accepted=np.where(accepted, 0.5, 0.0))
    assert given.rows[1].rejected_bad_rate == pytest.approx(23 / 500)


def test_rejected_cases_without_accepted_neighbours_are_counted() -> None:
    score = np.concatenate([np.linspace(600, 700, 900), np.linspace(400, 500, 100)])
    accepted = score >= 600
    is_bad = np.zeros(1000, dtype=bool)
    is_bad[:9] = True
    found = infer(pd.DataFrame({"s": score}), is_bad, accepted, fit=constant, scores=score)
    assert found.n_thin == 100
    assert "100 of the rejected stand where fewer than 100 were accepted" in found._repr_html_()


def test_an_estimator_needs_only_fit_and_predict_proba() -> None:
    people, frame = applicants(6_000, 5)
    accepted, truth = (people.truth[k].to_numpy() for k in ("accepted", "is_bad"))
    scaled = pd.DataFrame(np.log1p(frame.fillna(0)))
    make: Callable[[], Any] = lambda: LogisticRegression(max_iter=200)  # noqa: E731
    found = infer(scaled, truth, accepted, fit=of_estimator(make))
    assert found.band().low > found.accepted_bad_rate


@pytest.mark.parametrize(
    ("accepted", "says"),
    [
        pytest.param(np.ones(200, dtype=bool), "needs rejected cases", id="nobody rejected"),
        pytest.param(np.arange(200) < 50, "at least 100 accepted", id="too few accepted"),
        pytest.param(np.ones(200), "true or false", id="not a mask"),
        pytest.param(np.ones(9, dtype=bool), "for each row", id="another length"),
    ],
)
def test_what_cannot_be_inferred_from_is_refused(accepted: np.ndarray, says: str) -> None:
    frame = pd.DataFrame({"x": np.zeros(200)})
    with pytest.raises(ValueError, match=says):
        infer(frame, np.zeros(200), accepted, fit=constant)
