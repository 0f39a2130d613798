"""A card is complete, in range and monotone, or it is refused by name."""

import copy
from typing import Any

import pytest

from loansvc.editions import Reader
from loansvc.errors import EditionRefused
from loansvc.scorecard import Scorecard, pd_ppm
from loansvc.scorecard.document import read_scorecard
from tests.small import CARD


def read(card: dict[str, Any]) -> Scorecard:
    body = {k: v for k, v in card.items() if k not in ("kind", "valid_from", "reference")}
    with Reader(body, file="card.json") as reader:
        return read_scorecard(reader)


def changed(**changes: Any) -> dict[str, Any]:
    card = copy.deepcopy(CARD)
    card.update(changes)
    return card


def with_bins(name: str, bins: list[dict[str, Any]]) -> dict[str, Any]:
    card = copy.deepcopy(CARD)
    card["characteristics"] = {name: {"bins": bins}}
    return card


def plain(*points: int) -> list[dict[str, Any]]:
    """Bins with cuts at 12, 24, … and a neutral bin for missing."""
    cuts = [None, *(12 * (i + 1) for i in range(len(points) - 1)), None]
    bins: list[dict[str, Any]] = []
    for i, p in enumerate(points):
        ends = {"from": cuts[i], "to": cuts[i + 1]}
        bins.append({"points": p, **{k: v for k, v in ends.items() if v is not None}})
    return [*bins, {"state": "missing", "points": 0}]


@pytest.mark.parametrize(
    ("score", "ppm"),
    [(600, 19_608), (580, 38_462), (620, 9_901), (640, 4_975), (560, 74_074), (520, 242_424)],
)
def test_points_are_on_the_stated_scale(score: int, ppm: int) -> None:
    """600 points at 50:1, 20 double the odds; figures of DOMAIN 5."""
    assert pd_ppm(score) == ppm


def test_pd_stays_strictly_between_none_and_all() -> None:
    assert pd_ppm(5000) == 1
    assert pd_ppm(-5000) == 999_999


@pytest.mark.parametrize(
    ("said", "window_months", "days_past_due"),
    [
        pytest.param({}, 12, 90, id="a card that says nothing"),
        pytest.param({"default": {"window_months": 18}}, 18, 90, id="another window"),
        pytest.param({"default": {"window_months": 6, "days_past_due": 60}}, 6, 60, id="both"),
    ],
)
def test_a_card_says_what_it_calls_bad(
    said: dict[str, Any], window_months: int, days_past_due: int
) -> None:
    default = read(changed(**said)).default
    assert (default.window_months, default.days_past_due) == (window_months, days_past_due)


@pytest.mark.parametrize("said", [{}, {"window_months": 0}, {"window_months": 12, "months": 1}])
def test_a_default_that_says_nothing_is_refused(said: dict[str, int]) -> None:
    with pytest.raises(EditionRefused):
        read(changed(default=said))


@pytest.mark.parametrize(
    ("months", "days", "score"),
    [
        pytest.param(55, 0, 580 + 30 + 10, id="old and clean"),
        pytest.param(36, 29, 580 + 30 + 10, id="on the cut belongs above; below it below"),
        pytest.param(35, 30, 580 + 0 - 60, id="one below the cut; on it above"),
        pytest.param(None, None, 580 - 10 + 0, id="nothing known"),
        pytest.param(-1, 10**9, 580 - 40 - 60, id="beyond every cut"),
    ],
)
def test_a_score_is_base_and_one_bin_each(months: int | None, days: int | None, score: int) -> None:
    values = {"business_age_months": months, "max_days_past_due_24m": days}
    assert read(CARD).score(values) == score


def test_a_word_never_seen_has_a_bin_of_its_own() -> None:
    bins = [
        {"words": ["primary", "junior"], "points": -5},
        {"words": ["senior", "technical_college", "university"], "points": 5},
        {"state": "missing", "points": 1},
        {"state": "unseen", "points": 2},
    ]
    card = read(with_bins("education", bins))
    scores = [card.score({"education": v}) - 580 for v in ("junior", "senior", None, "doctorate")]
    assert scores == [-5, 5, 1, 2]


@pytest.mark.parametrize(
    ("card", "says"),
    [
        pytest.param(with_bins("sex", plain(1, 2)), "sex: is not a characteristic", id="sex"),
        pytest.param(with_bins("age_years", plain(1, 2)), "age_years: is not", id="age"),
        pytest.param(with_bins("shoe_size", plain(1, 2)), "shoe_size: is not", id="unknown"),
        pytest.param(with_bins("business_age_months", plain(9, 5)), "may only rise",
                     id="against the direction"),
        pytest.param(with_bins("enquiries_6m", plain(5, 9)), "may only fall", id="risk that falls"),
        pytest.param(with_bins("business_age_months", plain(1, 2)[:-1]), "must end with the bins",
                     id="no bin for missing"),
        pytest.param(with_bins("business_age_months", [{"to": 5, "points": 1},
                     {"from": 6, "points": 2}, {"state": "missing", "points": 0}]),
                     "a gap or an overlap between 5 and 6", id="a gap"),
        pytest.param(with_bins("business_age_months", [{"from": 0, "points": 1},
                     {"state": "missing", "points": 0}]), "open below", id="not open below"),
        pytest.param(with_bins("business_age_months", plain(1, 2.5)), "whole number",  # type: ignore[arg-type]
                     id="half a point"),
        pytest.param(with_bins("business_age_months", plain(1, 301)), "from -300 to 300",
                     id="too many points"),
        pytest.param(with_bins("education", [{"words": ["primary"], "points": 1},
                     {"state": "missing", "points": 0}, {"state": "unseen", "points": 0}]),
                     "must list each of", id="words left out"),
        pytest.param(with_bins("household_grade", [{"words": ["AAA"], "points": 0},
                     {"words": ["AA", "A", "B", "C", "D"], "points": 3},
                     {"state": "missing", "points": 0}, {"state": "unseen", "points": 0}]),
                     "may only fall", id="a worse grade worth more"),
        pytest.param(changed(base_points="580"), "base_points: must be a whole", id="quoted"),
        pytest.param(changed(statement=" "), "statement: must be a text", id="no statement"),
        pytest.param(changed(colour="red"), "colour: is not a key", id="a key nobody knows"),
        pytest.param(changed(characteristics={}), "names none", id="no characteristic"),
        pytest.param(changed(golden=[{"values": [55, 0], "score": 621}]), "the card gives 620",
                     id="a golden case that no longer holds"),
        pytest.param(changed(golden=[{"values": [55], "score": 620}]), "must list the 2",
                     id="a golden case of another card"),
        *(pytest.param(changed(golden=[{"values": [55, value], "score": 620}]),
                       "must be numbers, words", id=f"a golden case of {value!s:.9}")
          for value in ([0], {"a": 0}, True, 10**400)),
    ],
)  # fmt: skip
def test_a_wrong_card_is_refused_at_its_place(card: dict[str, Any], says: str) -> None:
    with pytest.raises(EditionRefused, match=says) as refused:
        read(card)
    assert str(refused.value).startswith("card.json, ")


def test_golden_cases_that_hold_are_taken() -> None:
    assert read(changed(golden=[{"values": [55, 0], "score": 620}])).base_points == 580
