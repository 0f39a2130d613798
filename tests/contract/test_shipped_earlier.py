"""The shipped editions of earlier years can be made again, and say what they are.

Figures are literal on purpose.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from loansvc.application import PRODUCTS
from loansvc.editions import Edition, in_force
from loansvc.provenance import missing_from
from loansvc.registry import Registry
from loansvc.scorecard import Scorecard
from loansvc.settings import shipped
from loansvc.standards import Standard, rate
from loansvc.training.earlier import FIRST_DAYS, earlier_editions
from loansvc.villages import Register

MODELS = shipped("models")
REGISTRY = Registry.open(MODELS)
PILOT = date(2020, 9, 28)
REGISTERS: dict[date, Edition[Register]] = {
    e.valid_from: e for e in REGISTRY.editions
    if e.kind == "villages" and e.valid_from < date(2026, 7, 1)
}  # fmt: skip
[STANDARD] = [e.content for e in REGISTRY.editions if isinstance(e.content, Standard)]


def one(kind: str, product: str, on: date) -> Edition[Any]:
    return in_force(REGISTRY.editions, kind=kind, product=product, role="champion", on=on)


def test_they_are_made_again_to_the_byte() -> None:
    """From the cards and the register of 2026-12-01."""
    cards = {
        product: json.loads((MODELS / f"scorecards/{product}/2026-12-01.json").read_text("utf-8"))
        for product in PRODUCTS
    }
    register = json.loads((MODELS / "villages/2026-12-01.json").read_text("utf-8"))
    made = list(earlier_editions(cards, register))
    assert len(made) == 14
    for place, text in made:
        assert (MODELS / place).read_text("utf-8") == text, place


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_product_has_card_register_and_rates_from_its_first_day(product: str) -> None:
    first_day = FIRST_DAYS[product]
    for kind, of in (("scorecard", product), ("villages", "county"), ("rates", "county")):
        assert one(kind, of, first_day).valid_from <= first_day


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_card_dated_back_scores_as_the_card_it_is_of_and_says_so(product: str) -> None:
    edition, of = (one("scorecard", product, on) for on in (FIRST_DAYS[product], date(2026, 12, 1)))
    card: Scorecard = edition.content
    assert (card.base_points, card.characteristics) == (
        of.content.base_points, of.content.characteristics,
    )  # fmt: skip
    assert card.synthetic
    assert "没有据此作出任何决定" in card.statement
    assert "no decision was made under it" in card.statement
    assert of.digest[7:19] in edition.head.reference
    document = json.loads((MODELS / edition.path).read_text("utf-8"))
    assert missing_from(document["training"]) == []
    assert document["training"]["governance"]["limits"][-1].startswith("Dated back: ")


def test_there_are_five_registers_and_each_says_what_it_is() -> None:
    assert [str(day) for day in sorted(REGISTERS)] == [
        "2019-08-01", "2020-09-28", "2021-05-01", "2023-05-01", "2025-05-01",
    ]  # fmt: skip
    for edition in REGISTERS.values():
        register = edition.content
        assert register.synthetic
        assert "当时没有据此作出任何决定" in register.statement
        assert "no decision was made under it" in register.statement
        assert len(register.villages) == 154
        assert {(v.points, v.credibility_percent) for v in register.villages.values()} == {(0, 0)}


def test_the_pilot_adds_up_to_what_was_published() -> None:
    """DOMAIN 2.1: 12 villages of two towns, all AAA."""
    rated = [v for v in REGISTERS[PILOT].content.villages.values() if v.rating != "unrated"]
    assert Counter((v.town, v.rating) for v in rated) == {
        ("护河镇", "AAA"): 5, ("乌溪镇", "AAA"): 7,
    }  # fmt: skip
    totals = Counter[str]()
    for village in rated:
        totals.update({k: n for k, n in village.evidence.items() if k != "as_of"})
    assert totals["households_rated"] == 13_404
    assert totals["households_a_plus"] == 12_158
    assert totals["borrowers"] == 781
    assert totals["balance_yuan"] == 56_623_000
    assert round(1000 * 13_404 / totals["households_total"]) == 923


def test_before_the_pilot_no_village_is_rated() -> None:
    first = REGISTERS[date(2019, 8, 1)].content
    assert {v.rating for v in first.villages.values()} == {"unrated"}


@pytest.mark.parametrize("day", sorted(REGISTERS), ids=str)
def test_every_rating_is_what_the_standard_gives_its_evidence(day: date) -> None:
    """That of 2026; there was none in those years."""
    for village in REGISTERS[day].content.villages.values():
        if village.rating != "unrated":
            assert rate(village.evidence, STANDARD).rating == village.rating, village.name


def test_no_rating_lapses_between_two_rounds() -> None:
    """But for two villages that the round of 2026 had not reached in time."""
    lapsed = set()
    days = sorted(REGISTERS)
    for day, end in zip(days[1:], [*days[2:], date(2026, 7, 1)], strict=True):
        register = REGISTERS[day].content
        for code, village in register.villages.items():
            last = register.standing(code, end - timedelta(days=1)).state
            if village.rating != "unrated" and last != "rated":
                lapsed.add((str(day), village.name, last))
    assert lapsed == {("2025-05-01", "三里村", "expired"), ("2025-05-01", "普济村", "grace")}


def test_what_was_assessed_before_a_round_is_not_assessed_anew_after_it() -> None:
    """The days of assessment of a village are in order through all registers."""
    registers = sorted(
        (e for e in REGISTRY.editions if e.kind == "villages"), key=lambda e: e.valid_from
    )
    for code in REGISTRY.village_codes:
        found = [e.content.villages[code].assessed_on or date.min for e in registers]
        assert found == sorted(found), code
