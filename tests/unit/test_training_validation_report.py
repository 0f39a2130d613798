"""The report: planted problems are found, clean data raise no grave finding, nobody is named."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from loansvc.errors import TableRefused
from loansvc.training.card import Card
from loansvc.training.records import application_records
from loansvc.training.synthetic import generate
from loansvc.training.validation import ValidationReport, swap_records, validate
from loansvc.training.validation.findings import GRAVE, LOOK
from tests.small import CARD

NUMBER, WORD = {"type": "number"}, {"type": "word"}
# base 560; x adds -25, 0 or 25 points, job 0 or 15: the PD is what outcomes are drawn from.
DOCUMENT: dict[str, Any] = {
    "kind": "scorecard", "table": "people", "target": "bad", "reference": "test",
    "statement": "A card for tests.", "base_points": 560,
    "characteristics": {
        "x": NUMBER | {
            "direction": -1,
            "bins": [
                {"to": 0, "points": -25}, {"from": 0, "to": 1, "points": 0},
                {"from": 1, "points": 25}, {"state": "missing", "points": -5},
            ],
        },
        "job": WORD | {
            "words": ["clerk", "farmer"],
            "bins": [
                {"words": ["clerk"], "points": 15}, {"words": ["farmer"], "points": 0},
                {"state": "missing", "points": 0}, {"state": "unseen", "points": 0},
            ],
        },
    },
}  # fmt: skip
CARD_OF_PEOPLE = Card.of(DOCUMENT)


def people(n: int, *, seed: int) -> pd.DataFrame:
    """Cases whose outcome is drawn from the card's own PD: the card is right."""
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(n) < 0.05, np.nan, rng.normal(0.4, 1, n))
    frame = pd.DataFrame({"x": x, "job": rng.choice(["clerk", "farmer"], n)})
    return frame.assign(
        bad=(rng.random(n) < CARD_OF_PEOPLE.pd(frame)).astype(int),
        month=rng.integers(0, 6, n),
        village=rng.choice(["340521102200", "340521102201", "340521103200"], n),
        group=rng.choice(["a", "b", "c"], n),
        sex=rng.choice(["f", "m"], n),
        age_years=rng.integers(18, 70, n),
        id_number=[f"340521{y}0101{s:03d}X" for y, s in
                   zip(rng.integers(1960, 2000, n), rng.integers(0, 999, n), strict=True)],
    )  # fmt: skip


def checked(frame: Any, **more: Any) -> ValidationReport:
    asked: dict[str, Any] = {
        "target": "bad", "time": "month", "village": "village", "groups": ["group"],
        "protected": {"sex": "sex", "age": "age_years", "ID number": "id_number"},
        "cutoff": 560, "n_resamples": 200,
    }  # fmt: skip
    return validate(CARD_OF_PEOPLE, frame, **(asked | more))


def named(report: ValidationReport, part: str) -> list[str]:
    return [f.en for f in report.findings if f.part == part and f.gravity in {GRAVE, LOOK}]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return people(6_000, seed=11)


@pytest.fixture(scope="module")
def clean(frame: pd.DataFrame) -> ValidationReport:
    return checked(
        frame, reference=people(4_000, seed=12), knockouts={"no job": frame["job"] == "farmer"}
    )


def test_a_right_card_on_clean_data_gets_no_finding_to_answer(clean: ValidationReport) -> None:
    """And still no "passed"."""
    assert [f.en for f in clean.findings if f.gravity in {GRAVE, LOOK}] == []
    assert "no proof" in clean.verdict.en
    assert "并不证明" in clean.verdict.zh
    assert "pass" not in clean.verdict.en.lower()


def test_clean_data_seldom_raise_grave_findings() -> None:
    """A right card in 30 draws; each kind of check errs in at most one of twenty."""
    reports = [
        checked(people(2_500, seed=100 + i), reference=people(2_000, seed=200 + i), n_resamples=100)
        for i in range(30)
    ]
    assert sum(r.verdict.n_grave > 0 for r in reports) <= 4
    shifted = [any("Shifted" in f.en for f in r.findings) for r in reports]
    assert sum(shifted) <= 7  # two families of 5 percent


def test_a_shifted_characteristic_is_named(frame: pd.DataFrame) -> None:
    moved = frame.assign(x=frame["x"] + 0.7)
    report = checked(moved, reference=frame)
    assert any("the score" in t for t in named(report, "stability"))
    assert any("PSI of x " in f.en for f in report.findings)
    assert not any("PSI of job" in f.en for f in report.findings)


def test_a_miscalibrated_grade_is_named(frame: pd.DataFrame) -> None:
    scores = CARD_OF_PEOPLE.score(frame)
    grade = (scores >= 560) & (scores < 580)
    worse = frame.assign(bad=np.where(grade & (np.arange(len(frame)) % 9 == 0), 1, frame["bad"]))
    assert any(t.startswith("Grade R5") for t in named(checked(worse), "calibration"))


def test_a_group_that_pays_worse_than_its_pd_is_grave(frame: pd.DataFrame) -> None:
    hit = (frame["group"] == "b") & (np.arange(len(frame)) % 10 == 0)
    report = checked(frame.assign(bad=np.where(hit, 1, frame["bad"])))
    assert [f.gravity for f in report.findings if f.en.startswith("group b:")] == [GRAVE]
    assert not any(t.startswith(("group a", "group c")) for t in named(report, "groups"))


def test_a_gap_between_the_sexes_is_found_though_the_card_does_not_read_sex(
    frame: pd.DataFrame,
) -> None:
    """Women here are farmers: the job tells the sex, and costs them approvals."""
    sex = np.where(frame["job"] == "farmer", "f", "m")
    report = checked(frame.assign(sex=sex), cutoff=575)
    assert any("sex" in t for t in named(report, "fairness"))
    assert any(t.startswith("job tells sex") for t in named(report, "protected"))
    assert all(s.n_changed == 0 for s in report.protected.swaps)


def test_a_card_that_scores_sex_is_grave() -> None:
    document = json.loads(json.dumps(DOCUMENT))
    characteristics = document["characteristics"]
    characteristics["sex"] = characteristics.pop("job") | {"words": ["f", "m"]}
    for bin_, word in zip(characteristics["sex"]["bins"], ["f", "m"], strict=False):
        bin_["words"] = [word]
    report = validate(Card.of(document), people(500, seed=1), target="bad", protected=["sex"])
    assert report.protected.sensitive_names == ("sex",)
    assert report.findings[0].gravity == GRAVE
    assert [s.how for s in report.protected.swaps if s.n_changed] == ["permuted"]


def test_whole_applications_score_the_same_with_another_sex_and_birth_place() -> None:
    """From the application on, not only from the columns."""
    card = Card.of(CARD | {"product": "credit_loan"})
    people_ = generate(40, seed=3).frame
    records = list(
        application_records(people_, product="credit_loan", applied_on=date(2026, 7, 1), seed=3)
    )
    found = swap_records(card, records)
    assert [s.n for s in found] == [40, 40]
    assert [s.n_changed for s in found] == [0, 0]
    rows: Any = people_.to_dict("records")
    assert len({card.scorecard.score(row) for row in rows}) > 1


def test_bad_rates_that_turn_are_told(frame: pd.DataFrame) -> None:
    """Outcomes drawn the other way round along x."""
    rng = np.random.default_rng(2)
    turned = frame.assign(bad=(rng.random(len(frame)) < np.where(frame["x"] > 1, 0.3, 0.02)) * 1)
    report = checked(turned)
    assert report.monotonicity[0].verdict == "contradicted"
    assert report.monotonicity[0].points_keep
    assert any(t.startswith("Bad rates of x") for t in named(report, "monotonicity"))


def test_periods_that_get_worse_are_told(frame: pd.DataFrame) -> None:
    rng = np.random.default_rng(4)
    late = frame["month"].to_numpy() * 0.02 > rng.random(len(frame))
    report = checked(frame.assign(bad=np.maximum(frame["bad"], late)))
    assert any("drift" in t for t in named(report, "time"))
    assert report.out_of_time is not None
    assert [p.name for p in report.out_of_time.periods] == ["0", "1", "2", "3", "4", "5"]


def test_knockouts_are_counted_beside_the_cutoff(frame: pd.DataFrame) -> None:
    report = checked(frame.assign(late=frame["x"] < -1), knockouts={"late": "late"})
    below = (CARD_OF_PEOPLE.score(frame) < 560).astype(bool)
    late = (frame["x"] < -1).to_numpy()
    assert report.knockouts is not None
    assert (report.knockouts.rules[0].n_declined, report.knockouts.rules[0].n_below_cutoff) == (
        late.sum(), (late & below).sum(),
    )  # fmt: skip
    assert [c.n for c in report.knockouts.cells] == [
        (late & below).sum(), (late & ~below).sum(), (~late & below).sum(), (~late & ~below).sum(),
    ]  # fmt: skip
    assert report.knockouts.added_bad_rate is not None
    assert report.knockouts.added_bad_rate.low > 0


def test_the_oracle_is_the_synthetic_county_s() -> None:
    county = generate(3_000, seed=8)
    data = county.frame.assign(bad=county.truth["is_bad"], truth=county.truth["log_odds_bad"])
    card = Card.read("models/scorecards/credit_loan/2026-07-01.json")
    report = validate(card, data, target="bad", oracle="truth", n_resamples=100)
    assert report.oracle is not None
    assert report.oracle.distance.low > 0
    assert any(f.part == "oracle" for f in report.findings)
    assert any("synthetic" in f.en for f in report.findings)


# --- not enough data ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"bad": 0}, id="nobody bad"),
        pytest.param({"bad": 1}, id="everybody bad"),
        pytest.param({"bad": np.nan}, id="no outcome known"),
        pytest.param({"month": np.nan, "group": None, "village": None}, id="nothing known of them"),
        pytest.param({"sex": None, "age_years": np.nan}, id="protected fields not known"),
        pytest.param({"x": np.nan, "job": None}, id="nothing to score"),
    ],
)
def test_what_the_data_do_not_carry_is_said_and_does_not_crash(change: dict[str, Any]) -> None:
    frame = people(150, seed=2).assign(**change)
    report = checked(frame, reference=people(50, seed=3), knockouts={"all": frame["x"] < 9})
    assert "not enough data" in json.dumps(report.to_dict())
    assert "数据不足" in report.to_html()
    if "bad" in change:
        assert report.findings[0].en.startswith("Not enough data")


@pytest.mark.parametrize("n", [1, 5])
def test_a_handful_of_cases_gets_an_answer(n: int) -> None:
    report = checked(people(n, seed=2))
    assert report.discrimination is None
    assert report.verdict.n_grave >= 1
    assert report.to_html()


def test_a_period_of_one_class_is_no_obstacle(frame: pd.DataFrame) -> None:
    report = checked(frame.assign(bad=np.where(frame["month"] == 5, 0, frame["bad"])))
    assert report.out_of_time is not None
    assert report.out_of_time.periods[5].auc is None
    assert report.out_of_time.periods[5].verdict == "fewer bad than expected"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(pd.date_range("2024-01-15", periods=600, freq="D").astype(str),
                     ["2024-Q1", "2024-Q2"], id="dates as text"),
        pytest.param(pd.date_range("2018-01-15", periods=600, freq="5D"),
                     ["2018", "2019"], id="nine years"),
        pytest.param(np.arange(600) // 17, ["0–2", "3–5"], id="36 months"),
    ],
)  # fmt: skip
def test_periods_are_named_by_what_they_hold(values: Any, expected: list[str]) -> None:
    report = checked(people(600, seed=5).assign(month=values), n_resamples=100)
    assert report.out_of_time is not None
    assert [p.name for p in report.out_of_time.periods][:2] == expected


# --- what goes out ------------------------------------------------------------------------------


def test_no_person_is_in_the_json_nor_on_the_page(
    clean: ValidationReport, frame: pd.DataFrame
) -> None:
    """Groups and counts alone; the ID numbers were changed, and never shown."""
    text = json.dumps(clean.to_dict(), ensure_ascii=False) + clean.to_html()
    assert not re.search(r"[0-9]{17}[0-9X]", text)
    assert not any(number in text for number in frame["id_number"].head(50))
    assert {"permuted", "sex digits", "birth place digits", "left out"} == {
        s.how for s in clean.protected.swaps if s.field == "ID number"
    }


def test_levels_of_a_few_people_are_not_shown_apart(frame: pd.DataFrame) -> None:
    group = np.where(np.arange(len(frame)) < 6, "six", frame["group"])
    group = np.where((np.arange(len(frame)) > 5) & (np.arange(len(frame)) < 13), "seven", group)
    report = checked(frame.assign(group=group))
    names = [s.name for s in report.groups[0].segments]
    assert names == ["a", "b", "c", "others (fewer than 10 cases each)"]


def test_the_json_is_sorted_rounded_and_the_same_again(
    clean: ValidationReport, frame: pd.DataFrame
) -> None:
    found = clean.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert list(found) == sorted(found)
    assert list(found["about"]) == sorted(found["about"])
    assert clean.discrimination is not None
    assert found["discrimination"]["auc"]["value"] == round(clean.discrimination.auc.value, 6)
    again = checked(
        frame, reference=people(4_000, seed=12), knockouts={"no job": frame["job"] == "farmer"}
    )
    assert again.to_dict() == found
    assert again.to_html() == clean.to_html()


def test_the_page_needs_nothing_but_itself(clean: ValidationReport, tmp_path: Any) -> None:
    page = clean.to_html(tmp_path / "deep" / "r.html")
    assert (tmp_path / "deep" / "r.html").read_text("utf-8") == page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "<script" not in page
    assert page.count("<svg") == len(clean.plots()) == 8
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    anchors = re.findall(r'<a href="#([^"]+)"', page)
    assert anchors
    assert set(anchors) <= set(ids)
    assert "340521102200 王潭村" in page


def test_texts_of_the_table_are_escaped(frame: pd.DataFrame) -> None:
    report = checked(frame.assign(group=np.where(frame["group"] == "a", "<b>&", "c")))
    assert "<b>&<" not in report.to_html()
    assert "&lt;b&gt;&amp;" in report.to_html()


def test_a_notebook_shows_the_report_and_a_terminal_its_findings(clean: ValidationReport) -> None:
    assert clean._repr_html_().startswith('<div class="val">')
    assert repr(clean).splitlines()[0] == clean.verdict.en


def test_polars_gives_the_same_report(clean: ValidationReport, frame: pd.DataFrame) -> None:
    found = validate(CARD_OF_PEOPLE, pl.from_pandas(frame), target="bad", n_resamples=200)
    assert found.discrimination is not None
    assert clean.discrimination is not None
    assert found.discrimination.auc == clean.discrimination.auc


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        pytest.param({"target": "default"}, "Column default is missing", id="no target"),
        pytest.param({"target": "age_years"}, "must hold 1", id="a target of ages"),
        pytest.param({"time": "day"}, "Column day is missing", id="no time"),
        pytest.param({"time": "job"}, "dates or numbers", id="a time of words"),
        pytest.param({"groups": ["id_number"]}, "ID numbers", id="groups by ID number"),
        pytest.param({"groups": ["x_"]}, "Column x_ is missing", id="no group"),
        pytest.param({"protected": ["race"]}, "Column race is missing", id="no protected field"),
        pytest.param({"knockouts": {"k": "age_years"}}, "1 or 0", id="a knock-out of ages"),
        pytest.param({"knockouts": {"k": [True]}}, "number of rows", id="a knock-out too short"),
        pytest.param({"knockouts": {"k": "bad"}, "cutoff": None}, "cut-off", id="no cut-off"),
        pytest.param({"oracle": "truth"}, "Column truth is missing", id="no oracle"),
    ],
)
def test_what_cannot_be_checked_is_refused_by_name(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(TableRefused, match=re.escape(says)):
        checked(people(80, seed=1), **asked)


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(TableRefused, match="no rows"):
        checked(people(10, seed=1).iloc[:0])
