"""POST /v1/erasures: one person's key destroyed, told in counts and nowhere else."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from loansvc.identifiers import holds_id_number
from tests.contract.conftest import Api, is_problem
from tests.databases import over_both
from tests.small import TODAY, a_document

TO = "/v1/erasures"
ID_NUMBER = a_document(1)["applicant"]["id_number"]
VILLAGE = "340521197501010179"  # somebody's number where a village belongs
NAME = a_document(1)["application_id"]
ASKED = {"id_number": ID_NUMBER, "reason": "withdrawn", "reference": "E-1", "approver": "officer"}


@pytest.fixture
def admin(api: Api) -> str:
    return api.new_key("operator", ("admin",))


@over_both
def test_an_erased_decision_is_gone_and_says_so(api: Api, admin: str) -> None:
    assert api.post(a_document(1)).status_code == 201
    answer = api.post(ASKED, to=TO, key=admin)
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["decisions"], body["offers_lapsed"], body["reference"]) == (1, 1, "E-1")
    for path in ("", "/explanation", "/replay", "/outcomes"):
        is_problem(api.get(f"/v1/decisions/{NAME}{path}"), 410, "erased")
    is_problem(api.post(a_document(1)), 410, "erased")
    report = {"reference": "D-1", "kind": "disbursed", "on": TODAY.isoformat(), "amount_yuan": 1}
    outcome = api.new_key("bank", ("outcome",))
    is_problem(api.post(report, to=f"/v1/decisions/{NAME}/outcomes", key=outcome), 410, "erased")
    assert api.get("/v1/decisions").get_json()["data"] == []


def test_another_client_learns_nothing_of_it(api: Api, admin: str) -> None:
    api.post(a_document(1))
    api.post(ASKED, to=TO, key=admin)
    is_problem(api.get(f"/v1/decisions/{NAME}", key=api.new_key("other")), 404, "not_found")


@over_both
def test_again_the_answer_is_the_same(api: Api, admin: str) -> None:
    api.post(a_document(1))
    first, again = (api.post(ASKED, to=TO, key=admin) for _ in range(2))
    assert (again.status_code, again.data) == (first.status_code, first.data)


def test_somebody_nobody_knows_is_erased_already(api: Api, admin: str) -> None:
    body = api.post(ASKED, to=TO, key=admin).get_json()
    assert (body["decisions"], body["erasure_id"], body["ledger"]) == (0, None, None)


@over_both
def test_a_loan_outstanding_refuses_it(api: Api, admin: str) -> None:
    api.post(a_document(1))
    report = {"reference": "D-1", "kind": "disbursed", "on": TODAY.isoformat(), "amount_yuan": 1000}
    outcome = api.new_key("bank", ("outcome",))
    api.post(report, to=f"/v1/decisions/{NAME}/outcomes", key=outcome)
    body = is_problem(api.post(ASKED, to=TO, key=admin), 409, "loan_outstanding")
    assert "then erase" in body["detail"]
    assert api.get(f"/v1/decisions/{NAME}").status_code == 200


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"id_number": "1"}, "/id_number", "id_number_form"),
        ({"id_number": 1}, "/id_number", "wrong_form"),
        ({"reason": "because"}, "/reason", "not_a_choice"),
        ({"reference": ""}, "/reference", "wrong_form"),
        ({"reference": f"of {ID_NUMBER}"}, "/reference", "personal_number"),
        ({"approver": "operator"}, "/approver", "same_person"),
        ({"note": "x"}, "/note", "unknown_field"),
    ],
)
def test_every_field_is_checked_and_none_quoted(
    api: Api, admin: str, changes: dict[str, Any], pointer: str, code: str
) -> None:
    answer = api.post({**ASKED, **changes}, to=TO, key=admin)
    body = is_problem(answer, 422, "invalid_erasure")
    assert [(e["pointer"], e["code"]) for e in body["errors"]] == [(pointer, code)]
    assert ID_NUMBER not in answer.text


@over_both
def test_no_id_number_is_answered_or_logged(
    api: Api, admin: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Over a varied run: good, again, refused, wrong, unknown, erased."""
    caplog.set_level(logging.DEBUG)
    answers = [
        api.post(a_document(1)), api.post(a_document(1)),
        api.post(a_document(1, loan__term_months=1)),
        api.post({**a_document(2), "applicant": {"id_number": ID_NUMBER}}),
        api.post(ASKED, to=TO, key=admin), api.post(ASKED, to=TO, key=admin),
        api.post({**ASKED, "id_number": ID_NUMBER[:17] + "0"}, to=TO, key=admin),
        api.post(a_document(1)), api.get(f"/v1/decisions/{NAME}"), api.post(ASKED, to=TO),
        api.get(f"/v1/decisions?village={VILLAGE}"), api.get(f"/v1/villages/{ID_NUMBER}"),
    ]  # fmt: skip
    told = caplog.text + "".join(answer.text for answer in answers)
    assert [one for one in (ID_NUMBER, ID_NUMBER[:17], VILLAGE) if one in told] == []
    assert not holds_id_number(told)
    assert admin not in told


def test_an_id_number_gets_into_no_address_and_no_request_id(api: Api) -> None:
    """Both would stay: one in the chain and in logs of proxies, the other in ours."""
    refused = api.post(a_document(1, application_id=f"A-{ID_NUMBER}"))
    body = is_problem(refused, 422, "invalid_application")
    assert [(e["pointer"], e["code"]) for e in body["errors"]] == [
        ("/application_id", "personal_number")
    ]
    real = "11010519491231002X"
    assert api.get("/healthz", headers={"X-Request-Id": real}).headers["X-Request-Id"] != real
    serial = "202611230000170001234"
    assert api.get("/healthz", headers={"X-Request-Id": serial}).headers["X-Request-Id"] == serial
