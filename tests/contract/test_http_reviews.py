"""A person's decision and disputes, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from loansvc.ledger import keys
from tests.contract.conftest import Api, is_problem
from tests.databases import over_both
from tests.small import TODAY, a_document, with_fund

NAME = "EXAMPLE-20261123-credit_loan-000001"
DECISION = f"/v1/decisions/{NAME}"
REVIEWS, OVERRIDE, DISPUTES = (f"{DECISION}/{n}" for n in ("reviews", "override", "disputes"))
ALL = ("decide", "read", "review", "outcome")
NO_CONSENT: dict[str, Any] = {"consent__scopes": ["credit_report", "income", "public_records"]}


def a_review(**changes: Any) -> dict[str, Any]:
    return {"reference": "V-1", "asked_by": "officer", "reason": "referred", **changes}


def an_override(**changes: Any) -> dict[str, Any]:
    return {"reference": "O-1", "outcome": "approve", "reason": "facts_verified", **changes}


def a_dispute(**changes: Any) -> dict[str, Any]:
    return {
        "reference": "X-1", "kind": "lodged", "about": "credit_report", "on": TODAY.isoformat(),
        **changes,
    }  # fmt: skip


@pytest.fixture
def bank(api: Api) -> Api:
    api.key = api.new_key("bank", ALL)
    assert api.post(a_document(1, **NO_CONSENT)).get_json()["outcome"] == "refer"
    return api


@pytest.fixture
def second(bank: Api) -> str:
    """The key of another person at the same bank."""
    return bank.new_key("bank", ALL)


@over_both
def test_a_review_is_created_once(bank: Api) -> None:
    first, again = bank.post(a_review(), to=REVIEWS), bank.post(a_review(), to=REVIEWS)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.data == again.data
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    body = first.get_json()
    assert body["review_id"].startswith("rev_")
    assert body["application_id"] == NAME
    is_problem(bank.post(a_review(reference="V-2"), to=REVIEWS), 409, "already_reviewed")


@over_both
def test_an_override_is_created_once_by_another_person(bank: Api, second: str) -> None:
    bank.post(a_review(), to=REVIEWS)
    is_problem(bank.post(an_override(), to=OVERRIDE), 403, "four_eyes")
    first = bank.post(an_override(), to=OVERRIDE, key=second)
    again = bank.post(an_override(), to=OVERRIDE, key=second)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.data == again.data
    assert first.get_json()["terms"]["offer"]["amount_yuan"] == 120_000
    error = is_problem(
        bank.post(an_override(reference="O-2"), to=OVERRIDE, key=second), 409, "already_overridden"
    )
    assert "errors" not in error


def test_two_keys_of_one_holder_are_one_person(bank: Api) -> None:
    tokens = [
        keys.create(
            bank.root.ledger, client="bank", scopes=ALL, now=bank.now, holder=holder,
            expires_at=bank.now + timedelta(days=1),
        )[1]
        for holder in ("A. Officer", "a. officer", "B. Officer")
    ]  # fmt: skip
    bank.post(a_review(), to=REVIEWS, key=tokens[0])
    is_problem(bank.post(an_override(), to=OVERRIDE, key=tokens[1]), 403, "four_eyes")
    assert bank.post(an_override(), to=OVERRIDE, key=tokens[2]).status_code == 201


@over_both
def test_the_first_answer_is_replayed_byte_for_byte_whatever_people_did(
    bank: Api, second: str
) -> None:
    first = bank.post(a_document(1, **NO_CONSENT))
    bank.post(a_review(), to=REVIEWS)
    bank.post(an_override(), to=OVERRIDE, key=second)
    bank.post(a_dispute(), to=DISPUTES)
    again = bank.post(a_document(1, **NO_CONSENT))
    assert (again.status_code, again.data) == (200, first.data)


@over_both
def test_what_people_did_stands_everywhere_beside_the_decision(bank: Api, second: str) -> None:
    plain = bank.get(DECISION).get_json()
    assert not {"review", "override", "dispute"} & plain.keys()
    bank.post(a_review(note="asked at the counter"), to=REVIEWS)
    bank.post(a_dispute(), to=DISPUTES)
    bank.post(an_override(), to=OVERRIDE, key=second)
    shown = bank.get(DECISION).get_json()
    assert {k: shown[k] for k in plain} == plain
    assert shown["review"]["note"] == "asked at the counter"
    acts = {k: shown[k] for k in ("review", "override", "dispute")}
    [row] = bank.get("/v1/decisions").get_json()["data"]
    explanation = bank.get(f"{DECISION}/explanation").get_json()
    assert row == shown
    assert {k: explanation[k] for k in acts} == acts
    assert bank.get(f"{DECISION}/replay").get_json()["identical"]


@over_both
def test_the_list_filters_by_what_became_of_a_decision(bank: Api, second: str) -> None:
    bank.post(a_document(2))
    bank.post(a_review(), to=REVIEWS)

    def names(query: str) -> list[str]:
        data = bank.get(f"/v1/decisions?{query}").get_json()["data"]
        return [d["application_id"] for d in data]

    assert names("state=in_review") == [NAME]
    assert names("final_outcome=refer") == [NAME]
    bank.post(an_override(), to=OVERRIDE, key=second)
    assert names("state=reviewed") == [NAME]
    assert len(names("final_outcome=approve")) == 2
    assert len(names("outcome=approve")) == 1
    is_problem(bank.get("/v1/decisions?state=open"), 400, "invalid_query")


@over_both
def test_the_queue_is_of_this_client_and_paged(bank: Api) -> None:
    other = bank.new_key("other", ALL)
    for number in range(2, 5):
        document = a_document(number)
        bank.post(document)
        bank.post(a_review(), to=f"/v1/decisions/{document['application_id']}/reviews")
    first = bank.get("/v1/reviews?state=open&limit=2").get_json()
    rest = bank.get(f"/v1/reviews?state=open&limit=2&cursor={first['next']}").get_json()
    found = [r["application_id"][-1] for r in first["data"] + rest["data"]]
    assert (found, rest["has_more"]) == (["4", "3", "2"], False)
    assert bank.get("/v1/reviews", key=other).get_json()["data"] == []
    assert bank.get(f"/v1/reviews?cursor={first['next']}", key=other).get_json()["data"] == []
    assert bank.get("/v1/reviews?state=closed").get_json()["data"] == []


def test_the_queue_needs_a_state_that_there_is(bank: Api) -> None:
    is_problem(bank.get("/v1/reviews?state=lost"), 400, "invalid_query")


@over_both
def test_a_dispute_is_marked_and_listed(bank: Api) -> None:
    first, again = bank.post(a_dispute(), to=DISPUTES), bank.post(a_dispute(), to=DISPUTES)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.data == again.data
    assert first.get_json()["due_on"] == "2026-12-13"
    bank.now += timedelta(days=21)
    assert bank.get(DECISION).get_json()["dispute"]["overdue"]
    late = (TODAY + timedelta(days=21)).isoformat()
    answered = a_dispute(reference="X-2", kind="upheld", on=late)
    assert bank.post(answered, to=DISPUTES).status_code == 201
    assert "dispute" not in bank.get(DECISION).get_json()
    kinds = [d["kind"]["code"] for d in bank.get(DISPUTES).get_json()["data"]]
    assert kinds == ["lodged", "upheld"]


def test_an_approval_by_a_person_can_be_drawn(bank: Api, second: str) -> None:
    with_fund(bank.root, 1_000_000)
    report = {"reference": "D-1", "kind": "disbursed", "on": TODAY.isoformat(), "amount_yuan": 1}
    to = f"{DECISION}/outcomes"
    is_problem(bank.post(report, to=to), 409, "not_approved")
    bank.post(a_review(), to=REVIEWS)
    bank.post(an_override(), to=OVERRIDE, key=second)
    assert bank.get("/v1/fund").get_json()["reserved_yuan"] == 48_000
    assert bank.post(report, to=to).status_code == 201
    assert bank.get(to).get_json()["loan"]["state"] == "drawn"


@pytest.mark.parametrize(
    ("path", "body", "pointers"),
    [
        (REVIEWS, {}, {"/reference", "/asked_by", "/reason"}),
        (REVIEWS, a_review(reason="because"), {"/reason"}),
        (REVIEWS, a_review(asked_by="nobody"), {"/asked_by"}),
        (REVIEWS, a_review(reference=""), {"/reference"}),
        (REVIEWS, a_review(reference="r" * 65), {"/reference"}),
        (REVIEWS, a_review(note="n" * 201), {"/note"}),
        (REVIEWS, a_review(note="13812345678"), {"/note"}),
        (REVIEWS, a_review(by="me"), {"/by"}),
        (REVIEWS, [], {""}),
        (OVERRIDE, an_override(outcome="refer"), {"/outcome"}),
        (OVERRIDE, an_override(reason="repayment_doubtful"), {"/reason"}),
        (OVERRIDE, an_override(offer={"amount_yuan": 0}), {"/offer/amount_yuan"}),
        (OVERRIDE, an_override(offer={"amount_yuan": "1"}), {"/offer/amount_yuan"}),
        (OVERRIDE, an_override(offer={"rate_bp": 1}), {"/offer/rate_bp"}),
        (OVERRIDE, an_override(offer=[]), {"/offer"}),
        (OVERRIDE, an_override(guarantee={}), {"/guarantee"}),
        (DISPUTES, a_dispute(kind="lost", about="all"), {"/kind", "/about"}),
        (DISPUTES, a_dispute(on="2026-11-31"), {"/on"}),
        (DISPUTES, a_dispute(on="2026-11-24"), {"/on"}),
    ],
)
def test_fields_that_need_correcting_are_all_named_and_nothing_stays(
    bank: Api, second: str, path: str, body: Any, pointers: set[str]
) -> None:
    if path == OVERRIDE:
        bank.post(a_review(), to=REVIEWS)
    before = bank.root.ledger.verify()
    refusal = is_problem(bank.post(body, to=path, key=second), 422, "invalid_review")
    assert {e["pointer"] for e in refusal["errors"]} == pointers
    assert bank.root.ledger.verify() == before


def test_a_refusal_by_the_rules_names_them_and_no_value(bank: Api, second: str) -> None:
    document = a_document(2, loan__purpose="securities")
    bank.post(document)
    of = f"/v1/decisions/{document['application_id']}"
    bank.post(a_review(), to=f"{of}/reviews")
    refusal = is_problem(
        bank.post(an_override(), to=f"{of}/override", key=second), 409, "rules_stand"
    )
    assert [e["code"] for e in refusal["errors"]] == ["R01"]
    assert "corrected facts" in refusal["detail"]


def test_a_foreign_decision_is_as_if_it_were_not_there(bank: Api) -> None:
    other = bank.new_key("other", ALL)
    headers = {"X-Request-Id": "same"}
    absent = DECISION[:-1] + "7"
    for name, body in (
        ("reviews", a_review()), ("override", an_override()), ("disputes", a_dispute()),
    ):  # fmt: skip
        foreign = bank.post(body, to=f"{DECISION}/{name}", key=other, headers=headers)
        is_problem(foreign, 404, "not_found")
        none = bank.post(body, to=f"{absent}/{name}", key=other, headers=headers)
        assert (foreign.data, list(foreign.headers)) == (none.data, list(none.headers))
    is_problem(bank.get(DISPUTES, key=other), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "schema"),
    [("reviews", "Review"), ("override", "Override"), ("disputes", "Dispute")],
)
def test_the_examples_of_the_contract_are_taken(api: Api, path: str, schema: str) -> None:
    """Whatever they are refused for then, it is not their fields."""
    operation = api.get("/openapi.json").get_json()["paths"][
        f"/v1/decisions/{{application_id}}/{path}"
    ]["post"]
    [content] = operation["requestBody"]["content"].values()
    assert content["schema"] == {"$ref": f"#/components/schemas/{schema}"}
    api.key, api.now = api.new_key("bank", ALL), api.now + timedelta(days=30)
    api.post(a_document(1, applied_on="2026-11-23", **NO_CONSENT))
    second = api.new_key("bank", ALL)
    api.post(a_review(), to=REVIEWS, key=second)
    for name, example in content["examples"].items():
        response = api.post(example["value"], to=f"{DECISION}/{path}")
        assert response.status_code in (200, 201, 409) or name == "confirm", response.get_json()
