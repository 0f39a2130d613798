"""Editions of earlier years come from the newest ones, and nothing in them is invented twice."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loansvc.training.earlier import base_rate_document, dated_back, earlier_registers, parted
from tests.small import CARD

NEWEST: dict[str, Any] = {"villages": []}


@given(st.integers(0, 10**9), st.lists(st.floats(0.01, 100), min_size=1, max_size=30))
def test_parts_add_up_to_the_total(total: int, shares: list[float]) -> None:
    parts = parted(total, shares)
    assert sum(parts) == total
    exact = [total * share / sum(shares) for share in shares]
    assert all(abs(part - e) <= 1 for part, e in zip(parts, exact, strict=True))


def test_the_same_registers_are_made_again() -> None:
    assert earlier_registers(NEWEST) == earlier_registers(NEWEST)


def test_the_last_one_takes_over_what_the_newest_says_was_assessed_before() -> None:
    line = {"code": "340521102200", "rating": "A", "assessed_on": "2025-01-20", "evidence": {}}
    last = earlier_registers({"villages": [line]})[-1]
    [found] = [v for v in last["villages"] if v["code"] == line["code"]]
    assert {k: found[k] for k in line} == line


@pytest.mark.parametrize("assessed_on", ["2025-05-02", "2026-03-31"])
def test_nothing_of_a_later_day_stands_in_it(assessed_on: str) -> None:
    line = {"code": "340521102200", "rating": "D", "assessed_on": assessed_on, "evidence": {}}
    last = earlier_registers({"villages": [line]})[-1]
    assert "D" not in {v["rating"] for v in last["villages"]}


def test_a_card_dated_back_changes_no_bin() -> None:
    card = {**CARD, "product": "credit_loan"}
    found = dated_back(card, date(2019, 8, 1))
    changed = {key for key in card if found[key] != card[key]}
    assert changed == {"valid_from", "reference", "statement", "training"}
    assert card["training"] == CARD["training"]


def test_the_base_rate_holds_from_the_first_day_of_any_product() -> None:
    document = base_rate_document()
    assert (document["valid_from"], len(document["quotes"])) == ("2019-08-01", 1)
