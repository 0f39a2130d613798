"""Variants of one person: told to the operators from the sixth on, refused above twenty a day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from loansvc.application import CATALOGUE, MODEL_CHARACTERISTICS
from loansvc.registry import Registry
from loansvc.settings import Settings, shipped
from loansvc.web import create_app
from loansvc.web.checkpointing import checkpoints_made
from tests.contract.conftest import Api, is_problem
from tests.databases import over_both
from tests.e2e.service import wait_for
from tests.small import QIFANG, TODAY, a_document

UNNOTICED, MOST = 5, 20  # as the settings are


@pytest.fixture
def bank(tmp_path: Path, models: Path) -> Iterator[Api]:
    """A service with its plain settings."""
    service = Api(tmp_path, models)
    service.app = create_app(service.root)
    yield service
    service.close()


def a_variant(number: int, application: int = 1, **changes: Any) -> dict[str, Any]:
    """The same person with another income, under another application_id."""
    document = a_document(
        application, applicant__household_income_12m_yuan=50_000 + 1_000 * number, **changes
    )
    return document | {"application_id": f"A-{number}"}


def preview(api: Api, document: dict[str, Any], **kwargs: Any) -> int:
    return api.post(document, to="/v1/previews", **kwargs).status_code


def told(api: Api) -> list[dict[str, Any]]:
    """What the ledger says of probing."""
    with api.root.ledger.reading() as reading:
        entries = [(e.outcome, e.client, p) for e, p in reading.all_recorded()]
    return [{**payload, "client": c} for outcome, c, payload in entries if outcome == "probing"]


@pytest.mark.parametrize("to", ["/v1/decisions", "/v1/previews"])
@over_both
def test_above_twenty_variants_a_new_one_is_refused_and_an_old_one_is_not(
    bank: Api, to: str
) -> None:
    good = 201 if to == "/v1/decisions" else 200
    for number in range(MOST):
        assert bank.post(a_variant(number), to=to).status_code == good
    refused = bank.post(a_variant(MOST), to=to)
    is_problem(refused, 429, "probing_limit")
    assert 0 < int(refused.headers["Retry-After"]) <= 86_405
    assert bank.post(a_variant(3), to=to).status_code == 200
    assert bank.post(a_variant(3) | {"application_id": "B"}, to=to).status_code == good
    assert bank.post(a_document(2), to=to).status_code == good  # of another person


@over_both
def test_decisions_and_previews_count_together_and_once(bank: Api) -> None:
    for number in range(MOST // 2):
        assert preview(bank, a_variant(number)) == 200
        assert bank.post(a_variant(number)).status_code == 201
    for number in range(MOST // 2, MOST):
        assert preview(bank, a_variant(number)) == 200
    is_problem(bank.post(a_variant(MOST)), 429, "probing_limit")


@over_both
def test_a_refused_decision_leaves_nothing(bank: Api) -> None:
    for number in range(MOST):
        preview(bank, a_variant(number))
    is_problem(bank.post(a_variant(MOST)), 429, "probing_limit")
    assert bank.get("/v1/decisions").get_json()["data"] == []
    bank.now += timedelta(hours=25)
    assert bank.post(a_variant(MOST)).status_code == 201


def test_one_applicant_under_many_ids_is_one_variant(bank: Api) -> None:
    for number in range(40):
        assert bank.post(a_document(1) | {"application_id": f"A-{number}"}).status_code == 201
    assert told(bank) == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"applicant__village_code": QIFANG}, id="another village"),
        pytest.param({"applicant__aml_listed": None}, id="what only a policy reads"),
        pytest.param({"consent__consent_id": "C-2"}, id="another consent"),
    ],
)
def test_what_no_model_reads_makes_no_variant(bank: Api, changes: dict[str, Any]) -> None:
    for number in range(MOST):
        preview(bank, a_variant(number))
    assert preview(bank, a_variant(1, **changes)) == 200


@over_both
def test_another_client_has_a_count_of_its_own(bank: Api) -> None:
    for number in range(MOST):
        preview(bank, a_variant(number))
    assert preview(bank, a_variant(MOST), key=bank.new_key("other")) == 200
    assert preview(bank, a_variant(MOST)) == 429


@over_both
def test_after_a_day_variants_are_forgotten(bank: Api) -> None:
    for number in range(MOST):
        preview(bank, a_variant(number))
        bank.now += timedelta(minutes=1)
    bank.now += timedelta(hours=23, minutes=39)
    assert preview(bank, a_variant(MOST)) == 429
    bank.now += timedelta(minutes=2, seconds=1)  # the oldest two are more than a day old
    assert [preview(bank, a_variant(MOST + n)) for n in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("second", [0, 31])
def test_marks_of_the_day_before_are_gone_within_a_minute(bank: Api, second: int) -> None:
    """Whether anybody asks then or not."""
    preview(bank, a_variant(0))
    bank.now = bank.now.replace(second=second) + timedelta(hours=30)
    preview(bank, a_variant(1))
    with checkpoints_made(bank.root.ledger, lambda: bank.now, look_seconds=0.01):
        wait_for("one mark to be left", lambda: n_marks(bank) == 1)


def n_marks(bank: Api) -> int:
    with bank.root.ledger.snapshot() as connection:
        return int(connection.execute(text("SELECT count(*) FROM variant")).scalar_one())


@pytest.mark.parametrize("to", ["/v1/decisions", "/v1/previews"])
@over_both
def test_the_sixth_variant_is_told_once_for_good_and_names_nobody(
    bank: Api, to: str, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(UNNOTICED):
        bank.post(a_variant(number), to=to)
    assert told(bank) == []
    for number in range(UNNOTICED, MOST):
        bank.post(a_variant(number), to=to)
    assert told(bank) == [{"by": "loansvc", "client": "bank", "variants": UNNOTICED + 1}]
    assert "client bank tried 6 variants of one person" in caplog.text
    assert a_document(1)["applicant"]["id_number"] not in caplog.text
    assert bank.root.ledger.verify()[1] == []


def test_a_flag_changes_no_answer(bank: Api) -> None:
    for number in range(UNNOTICED + 2):
        bank.post(a_variant(number))
        replay = bank.get(f"/v1/decisions/A-{number}/replay").get_json()
        assert replay["identical"] is True


def test_the_bounds_are_settings(bank: Api) -> None:
    bank.app = create_app(bank.root, Settings(probing_flag=1, probing_limit=2))
    assert [preview(bank, a_variant(n)) for n in range(3)] == [200, 200, 429]
    assert [t["variants"] for t in told(bank)] == [2]


def test_nothing_of_a_person_is_kept_in_clear_or_to_be_joined(bank: Api) -> None:
    for key in (None, bank.new_key("other")):
        bank.post(a_variant(1), to="/v1/previews", key=key)
    bank.post(a_variant(1) | {"application_id": "X"})
    with bank.root.ledger.snapshot() as connection:
        rows = connection.execute(text("SELECT client, person, mark FROM variant")).all()
        subjects = connection.execute(text("SELECT pseudonym FROM subject")).scalars().all()
    assert len({row.person for row in rows}) == len({row.mark for row in rows}) == 2
    assert not {row.person for row in rows} & set(subjects)
    assert a_variant(1)["applicant"]["id_number"] not in str(rows)


class Extractor:
    """Finds every edge of a card by halving, from the score alone: one question at a time."""

    def __init__(self, score: Callable[[dict[str, Any]], int]) -> None:
        self.score = score
        self.asked: set[tuple[tuple[str, Any], ...]] = set()

    def ask(self, name: str, value: int) -> int:
        self.asked.add(((name, value),))
        return self.score({name: value})

    def edges(self, name: str, low: int, high: int) -> list[int]:
        """The edges in a range. One whose sides score alike is missed, which only saves work."""
        if high - low <= 1:
            return [high] if self.ask(name, low) != self.ask(name, high) else []
        if self.ask(name, low) == self.ask(name, high):
            return []
        middle = (low + high) // 2
        return [*self.edges(name, low, middle), *self.edges(name, middle, high)]


def test_reading_a_card_off_by_its_edges_takes_ten_days_and_more() -> None:
    """The numbers of the shipped card alone, each over a range that a grown-up would try."""
    registry = Registry.open(shipped("models"))
    card = registry.in_force("credit_loan", TODAY).scorecard.content
    empty = dict.fromkeys(MODEL_CHARACTERISTICS)
    extractor = Extractor(lambda given: card.score(empty | given))
    n_found = 0
    for one in card.characteristics:
        row = CATALOGUE[one.name]
        if row.low is not None and row.high is not None:
            most = min(row.high, 2_000_000 if row.unit == "yuan" else 500)
            n_found += len(extractor.edges(one.name, row.low, most))
    assert n_found > 15
    assert len(extractor.asked) > 10 * MOST


@over_both
def test_what_was_tried_of_an_erased_person_is_forgotten(bank: Api) -> None:
    other = bank.new_key("other")
    for number in range(3):
        assert bank.post(a_variant(number)).status_code == 201
        assert preview(bank, a_variant(number), key=other) == 200
    assert bank.post(a_document(2)).status_code == 201
    erasure = {
        "id_number": a_document(1)["applicant"]["id_number"], "reason": "withdrawn",
        "reference": "E-1", "approver": "somebody else",
    }  # fmt: skip
    admin = bank.new_key("county", ("admin",))
    assert bank.post(erasure, to="/v1/erasures", key=admin).status_code == 200
    with bank.root.ledger.snapshot() as connection:
        clients = connection.execute(text("SELECT client FROM variant")).scalars().all()
    assert clients == ["bank"]  # what it tried of the other person
