"""The newest shipped scorecards: how they were made is stated in full, and a reviewer saw them."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from loansvc.application import PRODUCTS
from loansvc.provenance import missing_from
from loansvc.registry import Registry
from loansvc.settings import shipped

MODELS = shipped("models")


@pytest.fixture(params=PRODUCTS)
def training(request: pytest.FixtureRequest) -> dict[str, Any]:
    edition = Registry.open(MODELS).in_force(request.param, date(2026, 12, 1)).scorecard
    document = json.loads((MODELS / edition.path).read_text(encoding="utf-8"))
    manifest: dict[str, Any] = document["training"]
    return manifest


def test_manifest_is_complete(training: dict[str, Any]) -> None:
    """So they could be published again."""
    assert missing_from(training) == []


def test_no_grave_finding_stands_in_the_validation(training: dict[str, Any]) -> None:
    """And the verdict says on how many cases."""
    verdict = training["validation"]["verdict"]
    assert verdict["n_grave"] == 0
    assert f"{training['held_out']['n_bad']} of them bad" in verdict["en"]


def test_card_is_near_its_model(training: dict[str, Any]) -> None:
    """By less than 8 points for any case laid aside."""
    assert training["agreement"]["largest_points"] < 8
