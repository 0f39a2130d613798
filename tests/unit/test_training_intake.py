"""Every bad input is named, with what to do about it; what is only strange is a warning."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loansvc.training.intake import Findings, inspect

N = 2_000


def table(**changes: Any) -> pd.DataFrame:
    """A plain good table: two numbers, one word, one in five bad."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "age": rng.integers(20, 70, N),
            "income": rng.lognormal(10, 1, N),
            "job": rng.choice(["clerk", "smith"], N),
            "bad": (rng.random(N) < 0.2).astype(int),
        }
    )
    return frame.assign(**changes)


def only(found: Findings, level: str, column: str, *words: str) -> None:
    [finding] = found
    assert (finding.level, finding.column) == (level, column)
    assert all(word in finding.text for word in words), finding.text


def outcome() -> np.ndarray:
    return np.asarray(table()["bad"])


def test_nothing_is_found_in_a_good_table() -> None:
    assert inspect(table(), "bad") == []


def test_a_target_with_other_values_names_up_to_five() -> None:
    found = inspect(table(bad=np.arange(N) % 5), "bad")
    only(found, "error", "bad", "holds 0, 1, 2, 3, 4.", "Make it so")


def test_many_values_of_a_target_are_counted_not_shown() -> None:
    """They may be amounts, or numbers of persons."""
    found = inspect(table(bad=np.arange(N) % 8), "bad")
    only(found, "error", "bad", "holds 8 values", "Make it so")


@pytest.mark.parametrize("number", ["34052119900307{:04d}", "1391234{:04d}"])
def test_numbers_of_persons_stop_the_training(number: str) -> None:
    """However often each is there: none may come into a card."""
    customers = [number.format(i % 100) for i in range(N)]
    only(inspect(table(customer=customers), "bad"), "error", "customer", "persons", "Leave it out")


def test_a_column_of_names_is_left_out_though_they_repeat() -> None:
    """Most rows hold a word that fewer than ten others have."""
    found = inspect(table(customer=[f"n{i % (N // 4)}" for i in range(N)]), "bad")
    only(found, "warning", "customer", "like a name")
    assert found.dropped == ["customer"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param([1.0, None] * (N // 2), "missing in 1,000 of 2,000", id="missing"),
        pytest.param([0] * N, "one class only", id="one class"),
        pytest.param(["no", "yes"] * (N // 2), "holds no, yes", id="words"),
    ],
)
def test_a_target_that_cannot_be_trained_on(values: list, words: str) -> None:
    found = inspect(table(bad=values), "bad")
    assert words in found.errors[0].text


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        pytest.param([7] * N, "warning", ["same in every row", "left out"], id="constant"),
        pytest.param([np.nan] * N, "warning", ["never known"], id="all missing"),
        pytest.param([1, "a"] * (N // 2), "error", ["numbers and text"], id="mixed types"),
        pytest.param([*map(str, range(N - 1)), "x"], "error", ["numbers and text"], id="stray"),
        pytest.param([1.0, np.inf] * (N // 2), "error", ["infinite in row 2"], id="infinite"),
        pytest.param([date(2026, 1, 1)] * N, "error", ["dates", "number instead"], id="dates"),
        pytest.param(["2026-01-01", "2026-02-01"] * (N // 2), "error", ["dates"], id="days"),
        pytest.param([f"id{i}" for i in range(N)], "warning", ["2,000 different"], id="ID"),
        pytest.param(np.arange(N) + 5, "warning", ["counts the rows"], id="row number"),
    ],
)
def test_a_column_is_told_by_name(changes: Any, level: str, words: list[str]) -> None:
    only(inspect(table(odd=pd.Series(changes)), "bad"), level, "odd", "odd", *words)


def test_twins_are_told_once() -> None:
    only(inspect(table(years=table()["age"]), "bad"), "warning", "years", "age and years", "same")


def test_a_name_that_stands_twice_is_an_error() -> None:
    frame = pd.concat([table(), table()[["age"]]], axis=1)
    only(inspect(frame, "bad"), "error", "age", "2 times", "Rename")


@pytest.mark.parametrize(
    ("leak", "says"),
    [
        pytest.param(lambda y: y * 10.0, "AUC 1.00", id="the outcome itself"),
        pytest.param(lambda y: -5.0 * y, "AUC 1.00", id="turned around"),
        pytest.param(lambda y: np.where(y, np.nan, 3.0), "AUC 1.00", id="by being missing"),
        pytest.param(
            lambda y: np.where(y, 5.0, np.tile([1.0, 9.0], N // 2)), "AUC 1.00", id="in the middle"
        ),
        pytest.param(lambda y: np.where(y, "late", "paid"), "AUC 1.00", id="as a word"),
    ],
)
def test_a_leak_is_told_whatever_its_shape(leak: Any, says: str) -> None:
    found = inspect(table(after=leak(outcome())), "bad")
    only(found, "warning", "after", says, "suspected leak", "--exclude after")


def test_a_strong_column_is_told_as_strong() -> None:
    noise = np.random.default_rng(2).normal(size=N)
    only(inspect(table(x=outcome() + 1.1 * noise), "bad"), "warning", "x", "suspiciously strong")


@pytest.mark.parametrize(("n_bad", "level"), [(9, "error"), (49, "warning")])
def test_few_bad_cases(n_bad: int, level: str) -> None:
    only(inspect(table(bad=np.arange(N) < n_bad), "bad"), level, "", f"Only {n_bad} bad cases")


def test_fifty_bad_cases_are_enough_to_say_nothing() -> None:
    assert inspect(table(bad=(np.arange(N) % 40 == 7)), "bad") == []


@pytest.mark.parametrize("code", [-1, -9, 99_999])
def test_a_likely_special_code_is_hinted_at(code: int) -> None:
    age = np.where(outcome() == 1, np.where(np.arange(N) % 3 == 0, code, 30), table()["age"])
    found = [f for f in inspect(table(age=age), "bad") if "--special" in f.text]
    only(Findings(found), "warning", "age", f"--special age={code}")
    said = inspect(table(age=age), "bad", special_codes={"age": [code]})
    assert [f for f in said if "--special" in f.text] == []


def test_a_number_that_is_part_of_the_range_is_no_code() -> None:
    assert inspect(table(score=np.arange(N) % 120), "bad") == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param({"exclude": ["agee"]}, "exclude: agee is not a column", id="exclude"),
        pytest.param({"exclude": ["bad"]}, "target itself", id="the target"),
        pytest.param({"monotone": {"agee": 1}}, "Did you mean age", id="monotone"),
        pytest.param({"special_codes": {"agee": [1]}}, "special_codes: agee", id="special"),
        pytest.param({"orders": {"agee": ["a"]}}, "orders: agee", id="order"),
        pytest.param({"categorical": ["agee"]}, "categorical: agee", id="categorical"),
    ],
)
def test_an_unknown_column_is_an_error(said: dict, words: str) -> None:
    assert words in inspect(table(), "bad", **said).errors[0].text


def test_an_unknown_target_is_an_error() -> None:
    only(inspect(table(), "badd"), "error", "badd", "Did you mean bad?")


def test_several_errors_are_told_at_once() -> None:
    frame = table(bad=np.arange(N) % 3, odd=[1.0, np.inf] * (N // 2))
    assert [f.column for f in inspect(frame, "bad").errors] == ["bad", "odd"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param([f"¥{1000 + i:,}" for i in range(N)], "Give plain numbers", id="money"),
        pytest.param([f"{i % 90}.5%" for i in range(N)], "Give plain numbers", id="percent"),
        pytest.param([20240101 + i % 28 for i in range(N)], "holds dates", id="days as numbers"),
    ],
)
def test_numbers_in_disguise_stop_the_training(values: list, words: str) -> None:
    """Taken as words or amounts, they would say nothing."""
    only(inspect(table(amount=values), "bad"), "error", "amount", words)


def test_amounts_that_are_no_days_are_numbers() -> None:
    assert inspect(table(amount=[20_240_000 + 7 * i % 999 for i in range(N)]), "bad") == []
