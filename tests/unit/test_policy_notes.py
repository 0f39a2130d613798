"""What `policy check` says may have been overlooked in a draft, and what it leaves in peace."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loansvc.editions import Reader, read_head
from loansvc.policy import Policy
from loansvc.policy.document import read_policy
from loansvc.policy.notes import notes
from loansvc.registry import read_document
from tests.small import POLICY

FILES = sorted((Path(__file__).parents[2] / "models" / "policies").rglob("*.toml"))


def read(change: Callable[[dict[str, Any]], Any] = lambda _: None) -> Policy:
    """The small policy, changed."""
    document = tomllib.loads(POLICY.replace("PRODUCT", "credit_loan"))
    change(document)
    with Reader(document, file="small.toml") as reader:
        return read_policy(reader, read_head(reader))


BEFORE = read()


def texts_of(policy: Policy) -> list[str]:
    return [note.text for note in notes(policy, policy)]


@pytest.mark.parametrize(
    ("bound", "zh", "en"),
    [
        pytest.param(89, "没有90天及以上的逾期", "No arrears of 90 days", id="the first beyond it"),
        pytest.param(60, "期限不超过5年", "At most 5 years", id="months told in years"),
        pytest.param(
            500_000, "合计不超过50万元", "At most 500,000 yuan", id="in tens of thousands"
        ),
        pytest.param(55, "不超过五成五", "Little more than half", id="in words"),
        pytest.param(0, "近24个月没有逾期", "Nothing overdue in 24 months", id="none"),
        pytest.param(30, "近24个月不超过30天", "30 days in 24 months", id="beside another number"),
    ],
)
def test_a_text_that_says_the_bound_is_left_in_peace(bound: int, zh: str, en: str) -> None:
    def change(document: dict[str, Any]) -> None:
        document["rule"][1] |= {"requires": {"max_days_past_due_24m": {"at_most": bound}}}
        document["rule"][1] |= {"zh": zh, "en": en}

    assert texts_of(read(change)) == []


def test_a_text_that_says_another_number_is_noted_in_its_language() -> None:
    def change(document: dict[str, Any]) -> None:
        document["rule"][1] |= {"requires": {"max_days_past_due_24m": {"at_most": 59}}}
        document["rule"][1] |= {"zh": "近24个月没有60天及以上的逾期"}

    assert texts_of(read(change)) == [
        "asks for <= 59, but its en says: No arrears of 90 days or more in the last 24 months"
    ]


def test_a_reason_that_says_another_number_is_noted() -> None:
    def change(document: dict[str, Any]) -> None:
        document["rule"][1] |= {
            "not_met_zh": "有90天及以上的逾期",
            "not_met_en": "Arrears of 60 days",
        }

    assert texts_of(read(change)) == ["asks for <= 89, but its not_met_en says: Arrears of 60 days"]


@pytest.mark.parametrize(("unrated", "is_noted"), [(80, False), (81, True)])
def test_an_unrated_village_above_a_rated_one_is_noted(unrated: int, is_noted: bool) -> None:
    policy = read(lambda d: d["limit_factor_percent"]["R1"].update(unrated=unrated))
    assert bool(texts_of(policy)) is is_noted


def with_examples(*ages: int) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["rule"][0] |= {"requires": {"age_years": {"at_least": 21}}}
        document["rule"][0] |= {"zh": "年满21周岁", "en": "21 or older"}
        for age in ages:
            outcome = "approve" if age >= 21 else "decline"
            document["example"].append(
                {"says": "x", "given": {"age_years": age}, "expect": {"outcome": outcome}}
            )

    return change


@pytest.mark.parametrize(
    ("ages", "missing"),
    [
        pytest.param((), "= 20 and none 21", id="neither side"),
        pytest.param((21,), "= 20;", id="one side"),
        pytest.param((20, 21), None, id="both sides"),
    ],
)
def test_a_new_bound_without_examples_on_both_sides_is_noted(
    ages: tuple[int, ...], missing: str | None
) -> None:
    found = [note.text for note in notes(read(with_examples(*ages)), BEFORE)]
    assert len(found) == (missing is not None)
    assert all(missing in text for text in found if missing)


def test_a_bound_of_the_policy_before_is_not_noted_again() -> None:
    policy = read(with_examples())
    assert notes(policy, policy) == ()


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name} {p.stem}")
def test_no_shipped_policy_says_another_number_than_it_asks_for(path: Path) -> None:
    policy = read_document(path)[1]
    assert notes(policy, policy) == ()
