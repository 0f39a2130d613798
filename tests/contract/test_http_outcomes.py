"""What became of a loan, and the fund, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.contract.conftest import Api, is_problem
from tests.small import TODAY, a_document, with_fund

pytestmark = pytest.mark.usefixtures("both_databases")
NAME = "EXAMPLE-20261123-credit_loan-000001"
OUTCOMES = f"/v1/decisions/{NAME}/outcomes"
ALL = ("decide", "read", "outcome")


def a_report(kind: str = "disbursed", amount_yuan: Any = 100_000, **changes: Any) -> dict[str, Any]:
    given = {"reference": f"{kind}-1", "kind": kind, "on": TODAY.isoformat(),
             "amount_yuan": amount_yuan, **changes}  # fmt: skip
    return {name: value for name, value in given.items() if value is not ...}


@pytest.fixture
def bank(api: Api) -> Api:
    """A service with one approval, and a key that may report on it."""
    api.key = api.new_key("bank", ALL)
    assert api.post(a_document(1)).get_json()["outcome"] == "approve"
    return api


def test_a_report_is_created_once(bank: Api) -> None:
    first = bank.post(a_report(), to=OUTCOMES)
    again = bank.post(a_report(), to=OUTCOMES)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.data == again.data
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    body = first.get_json()
    assert body["outcome_id"].startswith("out_")
    decision = bank.get(f"/v1/decisions/{body['application_id']}").get_json()
    assert body["ledger"]["sequence"] > decision["ledger"]["sequence"]
    assert {k: body[k] for k in ("reference", "kind", "on", "amount_yuan")} == a_report()


def test_reports_are_listed_with_where_the_loan_stands(bank: Api) -> None:
    created = bank.post(a_report(), to=OUTCOMES).get_json()
    body = bank.get(OUTCOMES).get_json()
    assert body["data"] == [created]
    loan = body["loan"]
    assert (loan["state"], loan["outstanding_yuan"], loan["fund_yuan"]) == (
        "drawn",
        100_000,
        40_000,
    )


@pytest.mark.parametrize(
    ("report", "status", "code"),
    [
        (a_report(amount_yuan=99_999), 409, "reference_reused"),
        (a_report(reference="other"), 409, "already_disbursed"),
        (a_report("balance", 100_001), 409, "more_than_disbursed"),
        (a_report("claim_paid", 40_001), 409, "more_than_fund_share"),
        (
            a_report("balance", 1, on=(TODAY - timedelta(days=1)).isoformat()),
            409,
            "before_decision",
        ),
        (
            a_report("balance", 1, on=(TODAY + timedelta(days=1)).isoformat()),
            422,
            "invalid_outcome",
        ),
        (a_report("balance", ...), 422, "invalid_outcome"),
        (a_report("repaid"), 422, "invalid_outcome"),
        (a_report("lost", 1), 422, "invalid_outcome"),
        (a_report("balance", "1"), 422, "invalid_outcome"),
        (a_report("balance", 1, reference=""), 422, "invalid_outcome"),
        (a_report("balance", 1, reference="r" * 65), 422, "invalid_outcome"),
        (a_report("balance", 1, note="x"), 422, "invalid_outcome"),
        ([], 422, "invalid_outcome"),
    ],
)
def test_a_report_that_cannot_be_is_refused_and_leaves_nothing(
    bank: Api, report: Any, status: int, code: str
) -> None:
    bank.post(a_report(), to=OUTCOMES)
    body = is_problem(bank.post(report, to=OUTCOMES), status, code)
    assert ("errors" in body) == (status == 422)
    assert len(bank.get(OUTCOMES).get_json()["data"]) == 1


def test_a_report_on_a_decline_is_refused(bank: Api) -> None:
    declined = a_document(2, loan__purpose="securities")
    bank.post(declined)
    to = f"/v1/decisions/{declined['application_id']}/outcomes"
    is_problem(bank.post(a_report(), to=to), 409, "not_approved")


def test_a_report_after_the_lapse_is_refused(bank: Api) -> None:
    bank.now += timedelta(days=30)
    is_problem(bank.post(a_report(), to=OUTCOMES), 409, "offer_lapsed")


def test_a_report_on_a_foreign_decision_is_as_if_it_were_not_there(bank: Api) -> None:
    other = bank.new_key("other", ALL)
    is_problem(bank.post(a_report(), to=OUTCOMES, key=other), 404, "not_found")


def test_a_decision_is_listed_and_read_without_its_reports(bank: Api) -> None:
    """An outcome is an entry of its own kind; the lists of decisions never show it."""
    before = bank.get("/v1/decisions").data
    bank.post(a_report(), to=OUTCOMES)
    assert bank.get("/v1/decisions").data == before
    assert bank.get(f"/v1/decisions/{NAME}/replay").get_json()["identical"]


def test_the_fund_is_shown_as_it_stands(bank: Api) -> None:
    with_fund(bank.root, 1_000_000)
    bank.post(a_report(), to=OUTCOMES)
    bank.post(a_report("claim_paid", 1_000), to=OUTCOMES)
    body = bank.get("/v1/fund").get_json()
    assert body["set"] == {"on": "2026-11-23", "reference": "test",
                           "recorded_at": "2026-11-23T12:00:00.000+08:00"}  # fmt: skip
    assert {k: v for k, v in body.items() if k.endswith(("_yuan", "_bp"))} == {
        "capital_yuan": 1_000_000, "claims_paid_yuan": 1_000, "capital_left_yuan": 999_000,
        "reserved_yuan": 0, "drawn_yuan": 39_000, "guaranteed_yuan": 39_000,
        "compensation_rate_bp": 250,
    }  # fmt: skip
    assert body["caps"][0] | {"policy": None} == {
        "product": "credit_loan", "zh": "测试", "en": "Test", "multiple": 10,
        "most_guaranteed_yuan": 9_990_000,
        "free_yuan": 9_951_000, "single_client_percent": 10, "single_client_yuan": 99_900,
        "related_percent": None, "related_yuan": None, "compensation_rate_cap_bp": 400,
        "within_compensation_rate": True, "policy": None,
    }  # fmt: skip


def test_the_fund_takes_no_query(bank: Api) -> None:
    is_problem(bank.get("/v1/fund?on=2026-01-01"), 400, "invalid_query")


def test_who_approved_the_capital_is_not_told_to_clients(bank: Api) -> None:
    with_fund(bank.root, 1_000_000)
    assert "approver" not in bank.get("/v1/fund").text
