"""The newest shipped scorecards: how they were made is stated in full, and a reviewer saw them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loansvc.application import PRODUCTS
from loansvc.provenance import missing_from

FOLDER = Path(__file__).parents[2] / "models" / "scorecards"


@pytest.fixture(params=PRODUCTS)
def training(request: pytest.FixtureRequest) -> dict[str, Any]:
    newest = max((FOLDER / request.param).glob("*.json"))
    manifest: dict[str, Any] = json.loads(newest.read_text(encoding="utf-8"))["training"]
    return manifest


def test_manifest_is_complete(training: dict[str, Any]) -> None:
    """So they could be published again."""
    assert missing_from(training) == []


def test_no_grave_finding_stands_in_the_validation(training: dict[str, Any]) -> None:
    """And the verdict says on how many cases."""
    verdict = training["validation"]["verdict"]
    assert verdict["n_grave"] == 0
    assert f"{training['held_out']['n_bad']} of them bad" in verdict["en"]


def test_tables_equal_the_model(training: dict[str, Any]) -> None:
    """Parity below a billionth, and the largest move of a case in points is stated."""
    assert training["agreement"]["parity_bound_log_odds"] <= 1e-9
    assert training["agreement"]["largest_points"] < 8
