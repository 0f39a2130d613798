"""Both estimators keep scikit-learn's contract, and predict what their card prints."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from loansvc.application import MODEL_CHARACTERISTICS
from loansvc.editions import to_text
from loansvc.registry import read_document
from loansvc.training import AdditiveBoostingScorecard, Card, WoeLogisticScorecard
from loansvc.training.additive import PARITY
from loansvc.training.blend import Blend
from loansvc.training.intake import TableWarning
from loansvc.training.synthetic import generate
from loansvc.training.table import UnfitTable
from loansvc.training.woe import WoeModel

pytestmark = pytest.mark.filterwarnings("ignore::loansvc.training.intake.TableWarning")
BOTH = pytest.mark.parametrize(
    "estimator", [AdditiveBoostingScorecard(), WoeLogisticScorecard()], ids=["boosting", "woe"]
)


def people(n: int = 1_500, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """Age safe when high, use of credit risky with -1 and -9 as codes, three jobs, one rare."""
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 70, n).astype(float)
    use = np.round(rng.beta(2, 3, n), 3)
    use = np.where(rng.random(n) < 0.1, -1.0, np.where(rng.random(n) < 0.05, -9.0, use))
    job = rng.choice(["clerk", "smith", "baker"], n, p=[0.5, 0.45, 0.05]).astype(object)
    job[rng.random(n) < 0.05] = None
    index = -0.04 * (age - 45) + 2 * np.maximum(use, 0) + 0.5 * (job == "smith") + (use == -1)
    age[rng.random(n) < 0.05] = np.nan
    is_bad = rng.random(n) < 1 / (1 + np.exp(-(index - 2)))
    return pd.DataFrame({"age": age, "use": use, "job": job}), is_bad.astype(int)


CODES = {"use": [-1, -9]}
QUICK: dict[str, Any] = {"n_bags": 2, "max_iter": 100}


@pytest.mark.parametrize(
    "estimator",
    [AdditiveBoostingScorecard(**QUICK), WoeLogisticScorecard()],
    ids=["boosting", "woe"],
)
def test_scikit_learn_finds_nothing_to_complain_of(estimator: Any) -> None:
    check_estimator(estimator, on_skip=None)


@BOTH
def test_card_predicts_what_the_estimator_predicts(estimator: Any) -> None:
    """Whole points and their PD, read back from its text."""
    frame, y = people()
    fitted = clone(estimator).set_params(special_codes=CODES).fit(frame, y)
    compiled = fitted.compile(reference="test", table="people", target="bad")
    card = Card.of(compiled.card.document)
    assert (fitted.predict_proba(frame)[:, 1] == card.pd(frame)).all()
    assert compiled.largest_table_difference < PARITY
    assert ((fitted.predict(frame) == 1) == (card.pd(frame) > 0.5)).all()
    row = dict(zip(frame.columns, frame.iloc[3], strict=True))
    assert card.scorecard.score(row) == card.score(frame)[3]


@BOTH
def test_stated_difference_is_the_largest_there_is(estimator: Any) -> None:
    """Between the card and the trained model, over the training rows."""
    frame, y = people()
    fitted = clone(estimator).set_params(special_codes=CODES).fit(frame, y)
    card = fitted.compile(reference="test").card
    model = 487.1229 - 28.8539 * fitted.model_log_odds_bad(frame)
    stated = fitted.compile(reference="test")
    difference = np.abs(card.score(frame) - model).max()
    assert stated.largest_difference_points == pytest.approx(difference, abs=0.002)
    parts = stated.agreement
    assert parts["largest_points"] <= (
        parts["largest_compaction_points"] + parts["largest_rounding_points"] + 0.002
    )


@pytest.mark.parametrize("as_table", [pl.from_pandas, lambda f: f.convert_dtypes()])
def test_any_kind_of_frame_trains_the_same_card(as_table: Any) -> None:
    frame, y = people()
    one, two = (WoeLogisticScorecard().fit(t, y) for t in (frame, as_table(frame)))
    assert one.card_.digest == two.card_.digest
    assert (one.predict_proba(frame) == two.predict_proba(as_table(frame))).all()
    assert two.feature_names_in_.tolist() == ["age", "use", "job"]


def test_a_matrix_of_words_and_numbers_trains_too() -> None:
    frame, y = people()
    named = WoeLogisticScorecard().fit(frame.set_axis(["x0", "x1", "x2"], axis=1), y)
    matrix = WoeLogisticScorecard().fit(frame.to_numpy(dtype=object), y)
    assert named.card_.digest == matrix.card_.digest


@pytest.mark.parametrize("kind", [lambda: AdditiveBoostingScorecard(**QUICK), WoeLogisticScorecard])
def test_card_does_not_depend_on_the_order_of_rows_or_columns(kind: Any) -> None:
    frame, y = people()
    order = np.random.default_rng(3).permutation(len(frame))
    mixed = frame.iloc[order][["job", "age", "use"]]
    assert kind().fit(frame, y).card_.digest == kind().fit(mixed, y[order]).card_.digest


@pytest.mark.parametrize("kind", [lambda: AdditiveBoostingScorecard(**QUICK), WoeLogisticScorecard])
def test_whole_weights_count_as_so_many_rows(kind: Any) -> None:
    frame, y = people(800)
    weights = np.random.default_rng(4).integers(0, 4, len(frame))
    repeated = kind().fit(frame.loc[frame.index.repeat(weights)], y.repeat(weights))
    assert kind().fit(frame, y, sample_weight=weights).card_.digest == repeated.card_.digest


def test_other_weights_shift_the_card() -> None:
    """Twice a half is one; bad cases that weigh more make everybody worse."""
    frame, y = people()
    kind = AdditiveBoostingScorecard(**QUICK)
    plain = kind.fit(frame, y).predict_proba(frame)[:, 1].mean()
    heavy = (
        kind.fit(frame, y, sample_weight=np.where(y == 1, 1.5, 0.5))
        .predict_proba(frame)[:, 1]
        .mean()
    )
    assert heavy > plain + 0.1


@BOTH
def test_a_code_has_its_own_bin_outside_the_order(estimator: Any) -> None:
    frame, y = people(4_000)
    fitted = (
        clone(estimator)
        .set_params(special_codes=CODES, monotone={"use": 1, "age": -1})
        .fit(frame, y)
    )
    bins = fitted.card_.document["characteristics"]["use"]["bins"]
    assert [b["values"] for b in bins if "values" in b] == [[-1], [-9]]
    ordinary = [b["points"] for b in bins if "from" in b or "to" in b]
    assert ordinary == sorted(ordinary, reverse=True)
    points = {b["values"][0]: b["points"] for b in bins if "values" in b}
    assert points[-1] < points[-9]  # riskier, though -1 lies below every ordinary value


@BOTH
def test_words_follow_the_order_that_is_given(estimator: Any) -> None:
    frame, y = people()
    order = {"job": ["baker", "clerk", "smith"]}
    fitted = clone(estimator).set_params(orders=order, monotone={"job": -1}).fit(frame, y)
    scores = (
        fitted.card_.score(frame.assign(job="baker")),
        fitted.card_.score(frame.assign(job="smith")),
    )
    assert (scores[0] <= scores[1]).all()


def test_a_word_never_seen_is_neutral() -> None:
    frame, y = people()
    fitted = WoeLogisticScorecard().fit(frame, y)
    job = next(c for c in fitted.card_.scorecard.characteristics if c.name == "job")
    known = [b for b in job.bins if b.words]
    mean = sum(b.points * b.n for b in known) / sum(b.n for b in known)
    assert job.bin_of("astronaut").points == pytest.approx(mean, abs=1)


def test_numbers_may_be_taken_as_names() -> None:
    frame, y = people()
    frame["branch"] = np.random.default_rng(1).integers(1, 5, len(frame))
    fitted = WoeLogisticScorecard(categorical=["branch"]).fit(frame, y)
    assert fitted.card_.document["characteristics"]["branch"]["words"] == ["1", "2", "3", "4"]


def test_prior_shift_moves_the_mean_to_the_population() -> None:
    frame, y = people(4_000)
    fitted = WoeLogisticScorecard(population_bad_rate=0.02).fit(frame, y)
    good = y == 0
    weights = np.where(good, 0.98 / good.mean(), 0.02 / (1 - good.mean()))
    mean = np.average(fitted.predict_proba(frame)[:, 1], weights=weights)
    assert mean == pytest.approx(0.02, abs=0.003)


@pytest.mark.parametrize(("n_bad", "kind"), [(29, WoeModel), (30, Blend)])
def test_below_thirty_bad_cases_there_is_the_regression_alone(n_bad: int, kind: type) -> None:
    frame, y = people(3_000)
    rows = np.concatenate([np.flatnonzero(y == 1)[:n_bad], np.flatnonzero(y == 0)[:600]])
    fitted = AdditiveBoostingScorecard(**QUICK).fit(frame.iloc[rows], y[rows])
    assert isinstance(fitted.model_, kind)


@BOTH
def test_bins_are_no_more_than_asked_for(estimator: Any) -> None:
    frame, y = people()
    fitted = clone(estimator).set_params(max_bins=4).fit(frame, y)
    for of in fitted.card_.document["characteristics"].values():
        known = [b for b in of["bins"] if "state" not in b]
        assert len(known) <= 4


def test_a_column_that_says_nothing_is_left_out() -> None:
    frame, y = people()
    with pytest.warns(TableWarning, match="same in every row"):
        fitted = WoeLogisticScorecard().fit(frame.assign(same=1), y)
    assert "same" not in fitted.card_.names
    assert len(fitted.predict(frame.assign(same=2))) == len(frame)


@pytest.mark.parametrize(
    ("parameters", "changes", "message"),
    [
        pytest.param({}, {"age": np.inf}, "age is infinite in row 1", id="infinite"),
        pytest.param({}, {"age": pd.Timestamp(2026, 1, 1)}, "holds dates", id="dates"),
        pytest.param({"monotone": {"agee": 1}}, {}, "Did you mean age", id="unknown column"),
        pytest.param({"max_bins": 1}, {}, "from 2 to 40", id="max_bins"),
        pytest.param({"population_bad_rate": 1.5}, {}, "between 0 and 1", id="rate"),
    ],
)
def test_what_cannot_be_trained_on_is_a_value_error(
    parameters: dict, changes: dict, message: str
) -> None:
    frame, y = people(200)
    with pytest.raises(UnfitTable, match=message):
        WoeLogisticScorecard(**parameters).fit(frame.assign(**changes), y)


# --- a product's card ---------------------------------------------------------------------------


def county() -> tuple[pd.DataFrame, np.ndarray]:
    known = generate(6_000, seed=5).with_known_outcome()
    return known.frame[list(MODEL_CHARACTERISTICS)], known.truth["is_bad"].to_numpy()


@BOTH
def test_a_product_s_card_is_read_by_the_service(estimator: Any, tmp_path: Any) -> None:
    """Whole cuts of its unit, the catalogue's directions, and every word in a bin."""
    frame, y = county()
    compiled = (
        clone(estimator)
        .fit(frame, y)
        .compile(
            reference="test", product="credit_loan", valid_from=date(2026, 9, 1), synthetic=True
        )
    )
    path = compiled.card.write(tmp_path / "card.json")
    head, content = read_document(path)
    assert head.product == "credit_loan"
    assert content == compiled.card.scorecard
    assert len(compiled.card.names) == 26
    assert to_text(compiled.card.document) == path.read_text("utf-8")


def test_a_product_s_card_of_another_table_is_refused() -> None:
    frame, y = people()
    fitted = WoeLogisticScorecard().fit(frame, y)
    with pytest.raises(UnfitTable, match=r"no card of product credit_loan.*characteristics\.age"):
        fitted.compile(reference="x", product="credit_loan", valid_from=date(2026, 9, 1))
    with pytest.raises(UnfitTable, match="first day"):
        fitted.compile(reference="x", product="credit_loan")


def test_golden_cases_hold_every_side_of_every_edge() -> None:
    """And every code, nothing known, and words never seen."""
    frame, y = people()
    document = WoeLogisticScorecard(special_codes=CODES).fit(frame, y).card_.document
    cases = [dict(zip(["age", "job", "use"], c["values"], strict=True)) for c in document["golden"]]
    assert len(cases) >= 60
    assert cases[0] == {"age": None, "job": None, "use": None}
    assert cases[1]["job"] == "never_seen"
    held = {c["use"] for c in cases}
    cuts = {b["to"] for b in document["characteristics"]["use"]["bins"] if "to" in b}
    assert held >= cuts | {float(np.nextafter(c, -np.inf)) for c in cuts} | {-1, -9}


def test_words_of_few_cases_are_not_printed_and_score_as_unseen() -> None:
    """Who they are could be told from them; the model takes both alike."""
    rng = np.random.default_rng(4)
    branch = np.array([f"b{i}" for i in rng.integers(0, 4, 900)] + [f"rare {i}" for i in range(60)])
    y = (rng.random(960) < np.where(np.char.startswith(branch, "rare"), 0.6, 0.2)).astype(int)
    frame = pd.DataFrame({"branch": branch, "age": rng.integers(20, 60, 960)})
    fitted = AdditiveBoostingScorecard(max_iter=30).fit(frame, y)
    text = fitted.card_.text()
    assert "rare 1" not in text
    assert "b3" in text
    stranger = pd.DataFrame({"branch": ["rare 7", "never seen"], "age": [40.0, 40.0]})
    assert len(set(fitted.score_points(stranger))) == 1
    assert fitted.score_points(stranger)[0] < fitted.score_points(stranger.assign(branch="b0"))[0]


def test_foreign_words_of_a_catalogue_column_are_refused() -> None:
    """Trained on as not known, they would score as never seen."""
    frame = pd.DataFrame({"education": ["Bachelor", "none"] * 100})
    with pytest.raises(UnfitTable, match="Column education holds 2 words"):
        AdditiveBoostingScorecard().fit(frame, np.arange(200) % 2)


def test_which_word_is_the_bad_outcome_is_said() -> None:
    frame = pd.DataFrame({"x": np.arange(200) % 7})
    with pytest.warns(TableWarning, match="good is taken for the bad outcome"):
        WoeLogisticScorecard().fit(frame, np.array(["bad", "good"] * 100))


def test_few_bad_cases_are_said_in_a_notebook_too() -> None:
    frame = pd.DataFrame({"x": np.arange(200) % 7})
    with pytest.warns(TableWarning, match="Only 20 bad cases"):
        WoeLogisticScorecard().fit(frame, (np.arange(200) % 10 == 0).astype(int))
