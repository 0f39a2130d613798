"""The model card tells people what the manifest says of purpose, assessment, storage, machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loansvc.provenance import NONE_NEEDED
from loansvc.training.report import model_card
from loansvc.training.train import INTENDED_USE, LIMITS

SHIPPED = Path(__file__).parents[2] / "models/scorecards/credit_loan/2026-07-01.json"


@pytest.fixture
def document() -> dict[str, Any]:
    """The shipped card, as if it were trained today."""
    document = json.loads(SHIPPED.read_text("utf-8"))
    document["training"]["data"]["storage"] = "not kept: drawn again from the seed"
    document["training"]["run"]["machine"] = "Linux x86_64"
    document["training"]["governance"] = {
        "impact_assessment_id": NONE_NEEDED, "intended_use": INTENDED_USE, "limits": list(LIMITS),
    }  # fmt: skip
    return dict(document)


def test_a_model_card_says_what_it_is_for_and_what_not(document: dict[str, Any]) -> None:
    text = model_card(document)
    assert f"Intended use: {INTENDED_USE}" in text
    assert f"Impact assessment (PIPL art. 55): {NONE_NEEDED}." in text
    limits = text.partition("## 5. Limits")[2]
    assert all(f"- {limit}" in limits for limit in LIMITS)


def test_a_model_card_says_where_its_data_are_and_on_what_machine_it_was_made(
    document: dict[str, Any],
) -> None:
    text = model_card(document)
    assert "Storage: not kept: drawn again from the seed." in text
    assert "Linux x86_64, Python" in text
