"""The examples of docs/explanations.md are real."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loansvc.decision import Exposure, decide
from loansvc.registry import Registry
from loansvc.remedies import LEVERS, ways
from loansvc.settings import shipped
from loansvc.web.examples import example_application
from loansvc.web.schemas import load_application

PAGE = (Path(__file__).parents[2] / "docs" / "explanations.md").read_text("utf-8")
ON = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("part", "changes", "n_ways"),
    [
        pytest.param("loan", {"amount_yuan": 150_000}, 3, id="above the limit"),
        pytest.param(
            "applicant", {"household_debt_service_12m_yuan": 60_000}, 2, id="too much debt service"
        ),
    ],
)
def test_an_example_of_the_page_is_what_the_shipped_editions_give(
    part: str, changes: dict[str, Any], n_ways: int
) -> None:
    registry = Registry.open(shipped("models"))
    document = example_application("credit_loan", today=ON, number=1)
    document[part] |= changes
    application = load_application(document, today=ON, village_codes=registry.village_codes)
    editions = registry.in_force("credit_loan", ON)
    decision = decide(application, editions, Exposure())
    assert f"{decision.outcome}   {decision.score} points   grade {decision.grade}" in PAGE
    told = [way.to_document()["en"] for way in ways(application, editions, Exposure())]
    assert len(told) == n_ways
    assert "    " + "\n    ".join(told) in PAGE


def test_the_page_names_every_lever() -> None:
    assert [lever.name for lever in LEVERS if f"`{lever.name}`" not in PAGE] == []
