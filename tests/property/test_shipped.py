"""The shipped editions, on thousands of synthetic applications of the county."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from loansvc.application import PRODUCTS, Application, from_record, to_record
from loansvc.decision import Editions, Exposure, decide, weigh
from loansvc.explanation import lines_of
from loansvc.identifiers import id_check_character
from loansvc.policy import OUTCOMES
from loansvc.registry import Registry
from loansvc.remedies import LEVERS, Way, ways
from loansvc.remedies.lever import Setting
from loansvc.settings import shipped
from loansvc.training.records import application_records
from loansvc.training.synthetic import generate
from loansvc.web.examples import example_application
from loansvc.web.schemas import load_application

ON = date(2026, 11, 23)
N_EACH = 2_500  # of four products: ten thousand in all


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.open(shipped("models"))


def some_applications(registry: Registry, product: str, n: int) -> Iterator[Application]:
    """Applications as a bank would send them, read by the service's own loader."""
    frame = generate(n, seed=20_261_123, product=product).frame
    for record in application_records(frame, product=product, applied_on=ON, seed=11):
        yield load_application(record, today=ON, village_codes=registry.village_codes)


@pytest.mark.parametrize("product", PRODUCTS)
def test_explanations_add_up_and_replay_is_identical(registry: Registry, product: str) -> None:
    """10,000 applications over the four products; every outcome occurs."""
    editions = registry.in_force(product, ON)
    outcomes = set()
    for application in some_applications(registry, product, N_EACH):
        decision = decide(application, editions, Exposure())
        outcomes.add(decision.outcome)
        score = lines_of(application, editions, Exposure(), decision)["score"]
        points = [line["points"] for line in score["characteristics"]]
        assert score["base_points"] + sum(points) + score["village"]["points"] == decision.score
        recorded = from_record(json.loads(json.dumps(to_record(application))))
        assert decide(recorded, editions, Exposure()) == decision
    assert outcomes == {"approve", "refer", "decline"}


@pytest.mark.parametrize("product", PRODUCTS)
def test_swapping_sex_in_the_id_number_changes_no_decision(
    registry: Registry, product: str
) -> None:
    """The sequence number is odd for men and even for women; nothing reads it."""
    editions = registry.in_force(product, ON)
    for application in some_applications(registry, product, 300):
        number = application.applicant.id_number
        digits = number[:16] + str((int(number[16]) + 1) % 10)
        applicant = replace(application.applicant, id_number=digits + id_check_character(digits))
        swapped = replace(application, applicant=applicant)
        assert decide(swapped, editions, Exposure()) == decide(application, editions, Exposure())


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_example_is_approved(registry: Registry, product: str) -> None:
    """What `loansvc example` prints, on any day of the year to come."""
    for on in (ON, date(2026, 12, 31), date(2027, 2, 28), date(2027, 6, 30)):
        document = example_application(product, today=on, number=on.toordinal() % 1_000_000)
        application = load_application(document, today=on, village_codes=registry.village_codes)
        decision = decide(application, registry.in_force(product, on), Exposure())
        assert decision.outcome == "approve", decision.reasons


def test_the_contract_example_gets_its_figures(registry: Registry) -> None:
    """Limit 150,000 x 90 %, LPR + 85, and who bears what, from the policies' sources."""
    document = example_application("credit_loan", today=ON, number=1)
    application = load_application(document, today=ON, village_codes=registry.village_codes)
    editions: Editions = registry.in_force("credit_loan", ON)
    decision = decide(application, editions, Exposure())
    assert decision.offer is not None
    assert decision.guarantee is not None
    assert (decision.offer.limit_yuan, decision.offer.rate_bp) == (135_000, 385)
    assert decision.guarantee.tier == "G1"
    assert decision.guarantee.shares_percent == {
        "bank": 20, "local_guarantor": 40, "provincial_reguarantor": 30, "national_fund": 0,
        "government": 10,
    }  # fmt: skip


def test_every_village_of_the_county_is_registered(registry: Registry) -> None:
    assert len(registry.village_codes) == 154
    assert "340521400498" not in registry.village_codes
    assert registry.in_force("credit_loan", ON).villages.content.synthetic


def test_synthetic_data_are_called_synthetic(registry: Registry) -> None:
    for product in PRODUCTS:
        card = registry.in_force(product, ON).scorecard.content
        assert card.synthetic
        assert "synthetic" in card.statement
        assert "合成" in card.statement


def settings_short_of(way: Way, start: Setting, lot: random.Random) -> Iterator[Setting]:
    """The way without one of its changes, with one a step shorter, with one twenty times less."""
    levers = {lever.name: lever for lever in LEVERS}
    for change in way.changes:
        setting = start
        for other in way.changes:
            if other is not change:
                setting = levers[other.fact].move(setting, other.after)
        yield setting
        lever = levers[change.fact]
        steps = lever.steps(setting)
        reached = steps.index(change.after)
        if reached:
            yield lever.move(setting, steps[reached - 1])
            for _ in range(20):
                yield lever.move(setting, steps[lot.randrange(reached)])


@pytest.mark.parametrize("product", PRODUCTS)
def test_less_than_a_way_asks_for_does_not_suffice(registry: Registry, product: str) -> None:
    """Ways of real size, which cannot be tried step by step: the last step decides."""
    editions, lot, n_ways = registry.in_force(product, ON), random.Random(20_261_123), 0
    for application in some_applications(registry, product, 300):
        start = Setting(weigh(application, editions, Exposure()).application, editions)
        for way in ways(application, editions, Exposure()):
            n_ways += 1
            for short in settings_short_of(way, start, lot):
                outcome = decide(short.application, short.editions, Exposure()).outcome
                assert OUTCOMES.index(outcome) > OUTCOMES.index(way.outcome), way.changes
    assert n_ways > 50
