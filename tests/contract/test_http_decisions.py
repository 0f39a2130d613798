"""POST /v1/decisions and /v1/previews: one application_id, one decision, one body."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from loansvc.application import PRODUCTS
from tests.contract.conftest import Api, is_problem
from tests.small import QIFANG, SHIQIAO, WANGTAN, a_document

pytestmark = pytest.mark.usefixtures("both_databases")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def test_a_new_application_is_decided_and_recorded(api: Api) -> None:
    response = api.post(a_document(1))
    body = response.get_json()
    assert response.status_code == 201
    assert response.headers["Location"] == "/v1/decisions/EXAMPLE-20261123-credit_loan-000001"
    assert "Idempotent-Replayed" not in response.headers
    assert (body["outcome"], body["score"], body["grade"]) == ("approve", 626, "R2")
    assert body["ledger"]["sequence"] == 2  # after the entry of the key
    assert body["decided_at"] == "2026-11-23T12:00:00.000+08:00"


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_product_is_decided(api: Api, product: str) -> None:
    assert api.post(a_document(1, product)).get_json()["product"] == product


def test_the_same_application_again_gives_the_same_bytes(api: Api) -> None:
    first = api.post(a_document(1))
    again = api.post(a_document(1))
    assert (again.status_code, again.data) == (200, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert api.root.ledger.verify() == (2, [])  # its key and it


def test_reading_gives_the_same_bytes_as_deciding(api: Api) -> None:
    first = api.post(a_document(1))
    assert api.get("/v1/decisions/EXAMPLE-20261123-credit_loan-000001").data == first.data


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"loan__amount_yuan": 119_999}, id="another amount"),
        pytest.param({"applicant__dependants": None}, id="a field that is not known any more"),
        pytest.param({"applied_on": "2026-11-22"}, id="another day"),
        pytest.param({"consent__scopes": ["credit_report"]}, id="other scopes"),
        pytest.param({"product": "fast_loan"}, id="another product"),
    ],
)
def test_the_same_id_with_other_content_is_refused(api: Api, changes: dict[str, Any]) -> None:
    first = a_document(1)
    api.post(first)
    again = a_document(1, **changes) | {"application_id": first["application_id"]}
    is_problem(api.post(again), 409, "application_id_reused")
    assert api.root.ledger.verify() == (2, [])  # its key and it


def test_null_and_absent_mean_the_same(api: Api) -> None:
    absent = a_document(
        1, applicant__education=..., credentials=..., business=..., credit_report=...
    )
    null = a_document(1, applicant__education=None, credentials=None, business=None)
    null["credit_report"] = None
    first = api.post(absent)
    again = api.post(null)
    assert (again.status_code, again.data) == (200, first.data)


def test_a_retry_next_day_with_applied_on_left_out_is_the_same_application(api: Api) -> None:
    document = a_document(1, applied_on=...)
    first = api.post(document)
    api.now += timedelta(days=1)
    again = api.post(document)
    assert first.get_json()["applied_on"] == "2026-11-23"
    assert (again.status_code, again.data) == (200, first.data)


def test_a_retry_of_a_day_that_can_no_longer_be_recorded_still_gives_the_decision(api: Api) -> None:
    first = api.post(a_document(1))
    api.now += timedelta(days=200)
    again = api.post(a_document(1), key=api.new_key("bank"))
    assert (again.status_code, again.data) == (200, first.data)


def test_another_client_may_use_the_same_id(api: Api) -> None:
    mine = api.post(a_document(1)).get_json()
    theirs = api.post(a_document(1), key=api.new_key("other"))
    assert theirs.status_code == 201
    assert theirs.get_json()["decision_id"] != mine["decision_id"]


def test_order_of_keys_and_spaces_do_not_make_another_application(api: Api) -> None:
    first = api.post(a_document(1))
    document = dict(reversed(a_document(1).items()))
    again = api.post(body=json.dumps(document, indent=3, ensure_ascii=True))
    assert (again.status_code, again.data) == (200, first.data)


@pytest.mark.parametrize(
    ("days_back", "status"),
    [
        pytest.param(0, 201, id="today"),
        pytest.param(90, 201, id="the last day that counts"),
        pytest.param(91, 422, id="the day before"),
    ],
)
def test_a_decision_is_recorded_at_most_90_days_late(api: Api, days_back: int, status: int) -> None:
    on = api.root.today() - timedelta(days=days_back)
    document = a_document(1, applied_on=on.isoformat(), credit_report=None)
    document["consent"]["given_on"] = on.isoformat()
    document["credentials"] = None
    response = api.post(document)
    assert response.status_code == status
    if status == 422:
        body = is_problem(response, 422, "invalid_application")
        assert [(e["pointer"], e["code"]) for e in body["errors"]] == [
            ("/applied_on", "too_far_back")
        ]


@pytest.mark.parametrize(
    ("village", "score", "rating"),
    [
        pytest.param(WANGTAN, 626, "AA", id="rated AA"),
        pytest.param(QIFANG, 612, "B", id="rated B"),
        pytest.param(SHIQIAO, 620, "unrated", id="unrated is unknown, not bad"),
    ],
)
def test_the_village_adds_its_points(api: Api, village: str, score: int, rating: str) -> None:
    body = api.post(a_document(1, applicant__village_code=village)).get_json()
    assert (body["score"], body["village"]["rating"]) == (score, rating)


def test_without_consent_to_automated_decision_a_person_decides(api: Api) -> None:
    scopes = ["credit_report", "income", "public_records"]
    body = api.post(a_document(1, consent__scopes=scopes)).get_json()
    assert body["outcome"] == "refer"
    assert body["reasons"][0]["code"] == "A01"


def test_without_that_consent_a_knock_out_is_referred_too(api: Api) -> None:
    document = a_document(
        1, consent__scopes=["credit_report"], credit_report__max_days_past_due_24m=200
    )
    assert api.post(document).get_json()["outcome"] == "refer"


def test_a_scope_that_is_absent_makes_its_inputs_not_known(api: Api) -> None:
    scopes = ["income", "public_records", "automated_decision"]
    body = api.post(a_document(1, consent__scopes=scopes)).get_json()
    assert body["score"] == 616  # arrears: 0 points for "missing" in place of 10
    assert "CONSENT_CREDIT_REPORT" in [w["code"] for w in body["warnings"]]


def test_a_decline_is_an_answer(api: Api) -> None:
    response = api.post(a_document(1, loan__purpose="securities"))
    body = response.get_json()
    assert response.status_code == 201
    assert (body["outcome"], body["offer"], body["guarantee"]) == ("decline", None, None)
    assert body["reasons"][0]["code"] == "R01"


def test_earlier_approvals_of_the_person_count_whatever_the_client(api: Api) -> None:
    other = api.new_key("other")
    for number in range(3):
        api.post(a_document(1, application_id=f"A-{number}", loan__amount_yuan=10_000), key=other)
    body = api.post(a_document(1, application_id="A-4")).get_json()
    assert (body["outcome"], body["reasons"][0]["code"]) == ("decline", "K02")


def test_explanation_adds_up_to_the_score(api: Api) -> None:
    decided = api.post(a_document(1)).get_json()
    explained = api.get("/v1/decisions/EXAMPLE-20261123-credit_loan-000001/explanation").get_json()
    score = explained["score"]
    parts = sum(line["points"] for line in score["characteristics"])
    assert score["base_points"] + parts + score["village"]["points"] == decided["score"]
    assert score["total"] == decided["score"]
    assert explained["reasons"] == decided["reasons"]


def test_explanation_says_what_would_change_the_answer(api: Api) -> None:
    """The limit is 135,000: in words, in figures, and with no promise."""
    api.post(a_document(1, loan__amount_yuan=200_000))
    explained = api.get("/v1/decisions/EXAMPLE-20261123-credit_loan-000001/explanation").get_json()
    assert explained["what_would_change"] == [
        {
            "outcome": "approve",
            "changes": [
                {
                    "fact": "amount_yuan", "from": 200_000, "to": 135_000,
                    "zh": "将申请金额由200,000元改为135,000元",
                    "en": "Ask for 135,000 yuan instead of 200,000",
                }
            ],
            "zh": "将申请金额由200,000元改为135,000元：结果变为批准",
            "en": "Ask for 135,000 yuan instead of 200,000: the answer becomes approve",
        }
    ]  # fmt: skip
    assert "不构成承诺" in explained["what_would_change_note"]["zh"]
    assert "no promise" in explained["what_would_change_note"]["en"]


def test_explanation_of_an_approval_needs_no_change(api: Api) -> None:
    api.post(a_document(1))
    explained = api.get("/v1/decisions/EXAMPLE-20261123-credit_loan-000001/explanation").get_json()
    assert explained["what_would_change"] == []
    assert explained["what_would_change_note"]["en"] == "Approved: nothing needs to change."


def test_replay_is_identical(api: Api) -> None:
    api.post(a_document(1))
    replayed = api.get("/v1/decisions/EXAMPLE-20261123-credit_loan-000001/replay").get_json()
    assert (replayed["identical"], replayed["differences"]) == (True, [])


def test_a_preview_is_the_decision_without_its_place(api: Api) -> None:
    preview = api.post(a_document(1), to="/v1/previews")
    decision = api.post(a_document(1)).get_json()
    assert preview.status_code == 200
    assert preview.get_json() == {
        k: v for k, v in decision.items() if k not in ("decision_id", "ledger")
    }


def test_a_preview_is_recorded_nowhere(api: Api) -> None:
    api.post(a_document(1), to="/v1/previews")
    assert api.root.ledger.verify() == (1, [])  # the key alone
    assert api.get("/v1/decisions/EXAMPLE-20261123-credit_loan-000001").status_code == 404


@pytest.mark.parametrize("editions", [None, {}, {"on": None, "role": None}])
def test_a_preview_takes_empty_editions_for_those_in_force(api: Api, editions: Any) -> None:
    assert api.post(a_document(1) | {"editions": editions}, to="/v1/previews").status_code == 200


def test_a_preview_of_another_day_names_that_day(api: Api) -> None:
    document = a_document(1) | {"editions": {"on": "2027-01-05"}}
    assert api.post(document, to="/v1/previews").get_json()["applied_on"] == "2027-01-05"


def test_a_preview_of_the_last_day_of_the_calendar_is_answered(api: Api) -> None:
    document = a_document(1) | {"editions": {"on": "9999-12-31"}}
    assert api.post(document, to="/v1/previews").status_code == 200


@pytest.mark.parametrize(
    ("editions", "pointer", "code"),
    [
        pytest.param({"on": "tomorrow"}, "/editions/on", "not_a_date", id="no date"),
        pytest.param({"role": "hero"}, "/editions/role", "not_a_choice", id="no role"),
        pytest.param({"off": 1}, "/editions/off", "unknown_field", id="unknown"),
        pytest.param([], "/editions", "not_an_object", id="a list"),
        pytest.param("", "/editions", "not_an_object", id="a text"),
        pytest.param(False, "/editions", "not_an_object", id="false"),
    ],
)
def test_wrong_editions_of_a_preview_are_refused(
    api: Api, editions: Any, pointer: str, code: str
) -> None:
    response = api.post(a_document(1) | {"editions": editions}, to="/v1/previews")
    [error] = is_problem(response, 422, "invalid_application")["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


@pytest.mark.parametrize(
    "editions",
    [
        pytest.param({"role": "challenger"}, id="there is no challenger"),
        pytest.param({"on": "2026-06-30"}, id="the day before the first edition"),
    ],
)
def test_a_preview_under_editions_that_are_not_there_is_refused(api: Api, editions: Any) -> None:
    response = api.post(a_document(1) | {"editions": editions}, to="/v1/previews")
    is_problem(response, 422, "no_edition_in_force")


def test_editions_are_no_field_of_a_decision(api: Api) -> None:
    response = api.post(a_document(1) | {"editions": {"on": "2026-11-01"}})
    [error] = is_problem(response, 422, "invalid_application")["errors"]
    assert (error["pointer"], error["code"]) == ("/editions", "unknown_field")


@pytest.mark.parametrize("to", ["/v1/decisions", "/v1/previews"])
def test_answers_carry_the_security_headers_and_are_not_kept(api: Api, to: str) -> None:
    headers = api.post(a_document(1), to=to).headers
    assert {name: headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert headers["Cache-Control"] == "no-store"
