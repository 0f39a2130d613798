"""The parts of a sample: ages, periods and ID numbers are told from what only looks like them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from loansvc.errors import TableRefused
from loansvc.training.table import words
from loansvc.training.validation.sample import MOST_PERIODS, by_level, by_period
from loansvc.training.validation.swap import holds_id_numbers, swap_columns
from tests.unit.test_training_validation_report import CARD_OF_PEOPLE, checked, people

ID = "11010519491231002X"
AGE_BANDS = ["below 26", "26 to below 36", "36 to below 46", "46 to below 56", "56 to below 66",
             "66 and more"]  # fmt: skip


def series(*values: Any) -> pd.Series[Any]:
    return pd.Series(list(values), dtype=object)


# --- ages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["age", "age_years", "Age_Years", "applicant_age", "年龄",
                                  "年龄(岁)", "申请人年龄"])  # fmt: skip
def test_ages_are_in_the_bands_of_the_county(name: str) -> None:
    assert by_level(pd.Series(np.arange(18, 78).repeat(10)), name)[1] == AGE_BANDS


@pytest.mark.parametrize(
    "name",
    ["mortgage_yuan", "business_age_months", "wage", "age_of_business", "village_average",
     "企业年龄"],
)  # fmt: skip
def test_what_only_has_age_in_its_name_is_in_bands_of_its_own(name: str) -> None:
    values = pd.Series(np.arange(1_000, 1_400) * 100)
    assert by_level(values, name)[1] == [
        "below 109975", "109975 to below 119950", "119950 to below 129925", "129925 and more",
    ]  # fmt: skip


def test_a_field_called_age_does_not_make_its_column_one() -> None:
    frame = people(800, seed=3).assign(months=np.arange(800))
    report = checked(frame, protected={"age": "months"}, n_resamples=50)
    assert report.protected.fields[0].levels[0].name == "below 199.75"


# --- ID numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(series("N/A", *[ID] * 20), True, id="one N/A among them"),
        pytest.param(series(*["farmer"] * 500, ID), True, id="one below row 200"),
        pytest.param(series("a", ID.lower()), True, id="a small x"),
        pytest.param(series("a", f" {ID} "), True, id="with blanks"),
        pytest.param(series("a", f"{ID}（王）"), True, id="with a name behind it"),
        pytest.param(series("a", "110105491231002"), True, id="of 15 digits, before 1999"),
        pytest.param(pd.Series([110105194912310021, 1]), True, id="as numbers"),
        pytest.param(pd.Series(["a", ID], dtype="category"), True, id="as categories"),
        pytest.param(series("340521102200", None), False, id="village codes"),
        pytest.param(series("91340521MA2TXXXX0X"), False, id="a company's code"),
        pytest.param(pd.Series([0.123456789012345, 1.5]), False, id="decimals"),
        pytest.param(series(None, np.nan), False, id="nothing"),
    ],
)
def test_one_id_number_anywhere_makes_a_column_of_them(values: Any, expected: bool) -> None:
    assert holds_id_numbers(values) is expected


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(series(*["a"] * 300, *[ID] * 20), id="texts"),
        pytest.param(pd.Series(np.arange(110105194912310021, 110105194912310421)), id="numbers"),
    ],
)
def test_groups_by_id_numbers_are_refused_wherever_they_stand(values: Any) -> None:
    with pytest.raises(TableRefused, match="ID numbers"):
        by_level(values, "group")


def test_only_cells_that_are_id_numbers_are_swapped() -> None:
    """A number of 15 digits, a word and an empty cell stay as they are."""
    other: list[Any] = ["110105491231002", "N/A", None]
    frame = people(300, seed=1)
    frame["id_number"] = [*[ID] * 297, *other]
    scored = RecordingCard()
    found = swap_columns(scored, frame, scored.score(frame), {"id": "id_number"}, seed=1)  # type: ignore[arg-type]
    assert [s.how for s in found] == ["left out", "permuted", "sex digits", "birth place digits"]
    by_sex, by_place = scored.seen[-2:]
    assert by_sex == ["110105194912310038"] * 297 + other
    assert {str(n)[:6] for n in by_place[:297]} == {"540102"}
    assert by_place[297:] == other


def test_a_column_of_old_id_numbers_gets_no_proof_by_digits() -> None:
    """Nothing in it would be changed: "same answer" would prove nothing."""
    frame = people(50, seed=1).assign(id_number="110105491231002")
    found = swap_columns(
        CARD_OF_PEOPLE, frame, CARD_OF_PEOPLE.score(frame), {"id": "id_number"}, seed=1
    )
    assert [s.how for s in found] == ["left out", "permuted"]


def test_a_field_not_compared_because_it_holds_id_numbers_is_named() -> None:
    frame = people(400, seed=1)
    frame.loc[350, "sex"] = ID
    report = checked(frame, protected=["sex", "age_years"], n_resamples=50)
    assert [f.field for f in report.protected.fields] == ["age_years"]
    assert [f.gravity for f in report.findings if f.en.startswith("sex holds ID numbers")] == [
        "note"
    ]
    assert ID not in report.to_html()


class RecordingCard:
    """A card that keeps the ID numbers it was shown."""

    names = CARD_OF_PEOPLE.names

    def __init__(self) -> None:
        self.seen: list[list[Any]] = []

    def score(self, frame: pd.DataFrame) -> Any:
        """The scores of the real card."""
        if "id_number" in frame:
            self.seen.append(words(frame["id_number"]))
        return CARD_OF_PEOPLE.score(frame)


# --- periods ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pd.Series([202311, 202312, 202401]), id="whole numbers"),
        pytest.param(pd.Series([202311.0, 202312.0, 202401.0]), id="floats"),
        pytest.param(series("202311", "202312", "202401"), id="YYYYMM"),
        pytest.param(series("2023-11", "2023-12", "2024-01"), id="YYYY-MM"),
        pytest.param(pd.Series(["2023-11", "2023-12", "2024-01"], dtype="category"), id="category"),
    ],
)
def test_months_follow_each_other_over_the_new_year(values: Any) -> None:
    at, names = by_period(values, "month")
    assert at.tolist() == [0, 1, 2]
    assert names == ["2023-11", "2023-12", "2024-01"]


def test_a_month_not_known_is_in_no_period() -> None:
    at, names = by_period(pd.Series([202402, np.nan, 202312]), "month")
    assert at.tolist() == [2, -1, 0]
    assert names == ["2023-12", "2024-01", "2024-02"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([202400, 202401], ["202400", "202401"], id="month 00"),
        pytest.param([202312, 202313], ["202312", "202313"], id="month 13"),
        pytest.param([189912, 190001], None, id="a year before 1900"),
        pytest.param([210012, 210101], None, id="a year after 2100"),
        pytest.param([0, 1, 2], ["0", "1", "2"], id="a counter"),
    ],
)
def test_whole_numbers_that_are_no_months_are_runs(values: list[int], expected: Any) -> None:
    names = by_period(pd.Series(values), "month")[1]
    assert names == expected if expected else names[0].startswith(str(values[0]))


def test_words_that_are_no_months_are_refused() -> None:
    with pytest.raises(TableRefused, match="dates or numbers"):
        by_period(series("202313", "202401"), "month")


@pytest.mark.parametrize(
    ("first", "n_months", "expected"),
    [
        pytest.param("2023-01", 12, ["2023-01", "2023-12"], id="a year by months"),
        pytest.param("2023-01", 13, ["2023-Q1", "2024-Q1"], id="13 months by quarters"),
        pytest.param("2021-03", 36, ["2021-H1", "2024-H1"], id="36 months that touch 13 quarters"),
        pytest.param("2018-04", 72, ["2018", "2024"], id="72 months that touch 13 half-years"),
        pytest.param("2012-01", 144, ["2012", "2023"], id="twelve years"),
        pytest.param("2011-07", 144, ["2010–2011", "2022–2023"], id="144 months, 13 years"),
        pytest.param("1990-01", 400, ["1989–1991", "2022–2024"], id="33 years"),
    ],
)
def test_there_are_never_more_than_twelve_periods(
    first: str, n_months: int, expected: list[str]
) -> None:
    months = pd.date_range(first, periods=n_months, freq="MS")
    at, names = by_period(pd.Series(months.year * 100 + months.month), "month")
    assert [names[0], names[-1]] == expected
    assert len(names) == at.max() + 1 <= MOST_PERIODS


@pytest.mark.parametrize("first", ["2020-01-05", "2020-04-05", "2020-07-05", "2020-10-05"])
def test_dates_have_at_most_twelve_periods_from_any_quarter_on(first: str) -> None:
    dates = pd.Series([pd.Timestamp(first) + pd.DateOffset(months=3 * i) for i in range(60)])
    for n in range(1, 61):
        at, names = by_period(dates.head(n), "day")
        assert len(names) == at.max() + 1 <= MOST_PERIODS
