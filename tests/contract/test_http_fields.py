"""Every field rule of the application: where it points, which code, and all errors at once."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from loansvc.identifiers import ID_CHECK_CHARACTERS, ID_WEIGHTS
from tests.contract.conftest import Api, is_problem
from tests.small import a_document


def id_number(digits17: str) -> str:
    """The number with its right check character."""
    total = sum(w * int(d) for w, d in zip(ID_WEIGHTS, digits17, strict=True))
    return digits17 + ID_CHECK_CHARACTERS[total % 11]


def a_credential(**changes: Any) -> dict[str, Any]:
    good = {"kind": "graduate", "issuer": "hrss", "number": "1", "issued_on": "2024-01-01"}
    return {k: v for k, v in (good | changes).items() if v is not ...}


def with_value(pointer: str, value: Any) -> dict[str, Any]:
    """The plain valid application with one place changed; `...` removes it."""
    document = copy.deepcopy(a_document(1))
    *steps, last = [int(s) if s.isdigit() else s for s in pointer.strip("/").split("/")]
    place: Any = document
    for step in steps:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


WHOLES = {  # pointer: lowest, highest
    "/applicant/household_income_12m_yuan": (0, 10**10),
    "/applicant/household_debt_service_12m_yuan": (0, 10**10),
    "/applicant/dependants": (0, 30),
    "/business/employees": (0, 100_000),
    "/business/new_hires_12m": (0, 3),  # at most the employees
    "/business/revenue_12m_yuan": (90_000, 10**10),  # at least the online part of it
    "/business/online_revenue_12m_yuan": (0, 310_000),  # at most the whole
    "/business/social_insurance_months_24m": (0, 24),
    "/credit_report/max_days_past_due_24m": (0, 10_000),
    "/credit_report/days_past_due_now": (0, 0),  # at most the longest in 24 months
    "/credit_report/active_loans": (0, 1000),
    "/credit_report/outstanding_yuan": (10_000, 10**10),
    "/credit_report/unsecured_outstanding_yuan": (0, 40_000),
    "/credit_report/enquiries_6m": (0, 1000),
    "/credit_report/months_since_first_credit": (0, 1200),
    "/credit_report/card_utilisation_percent": (0, 500),
    "/credit_report/guarantees_given_yuan": (0, 10**10),
    "/loan/amount_yuan": (1, 10**10),
    "/loan/term_months": (1, 360),
}
PARTS_OF_WHOLES = {
    "/business/new_hires_12m", "/business/online_revenue_12m_yuan",
    "/credit_report/days_past_due_now", "/credit_report/unsecured_outstanding_yuan",
}  # fmt: skip
WHOLES_OF_PARTS = {
    "/business/revenue_12m_yuan": "/business/online_revenue_12m_yuan",
    "/credit_report/outstanding_yuan": "/credit_report/unsecured_outstanding_yuan",
}
WORDS = {
    "/product": "car_loan",
    "/applicant/household_grade": "AAAA",
    "/applicant/education": "school",
    "/credentials/0/kind": "pilot",
    "/credentials/0/issuer": "police",
    "/credentials/0/level": "world",
    "/business/entity": "bank",
    "/loan/purpose": "fun",
    "/loan/repayment": "never",
}
DAYS = {  # pointer: code of a day after the application
    "/applied_on": "in_the_future",
    "/credentials/0/issued_on": "after_application",
    "/credentials/2/expires_on": None,
    "/business/started_on": "after_application",
    "/credit_report/reported_on": "after_application",
    "/consent/given_on": "after_application",
    "/loan/starts_on": None,
    "/loan/guarantee_starts_on": None,
}
TEXTS = {  # pointer: longest
    "/applicant/id_number": 18,
    "/applicant/village_code": 12,
    "/credentials/0/number": 64,
    "/business/uscc": 18,
    "/business/industry": 5,
    "/consent/consent_id": 64,
}
REQUIRED = (
    "/application_id", "/product", "/applicant", "/applicant/id_number", "/applicant/village_code",
    "/credentials/0/kind", "/credentials/0/issuer", "/credentials/0/number",
    "/credentials/0/issued_on", "/credit_report/reported_on", "/loan", "/loan/amount_yuan",
    "/loan/term_months", "/loan/purpose", "/loan/repayment", "/consent", "/consent/consent_id",
    "/consent/given_on", "/consent/scopes",
)  # fmt: skip
OBJECTS = ("/applicant", "/credentials/1", "/business", "/credit_report", "/loan", "/consent")

TRUTHS = (
    "/applicant/dishonest_debtor", "/applicant/aml_listed", "/credit_report/repair_applied",
)  # fmt: skip
PARTY = "11010519491231002X"
NO_PARTIES: list[Any] = ["", 5, None, {}, "340521199003072317", "92340521MA2N00022X", "x" * 18]

NO_WHOLES: list[Any] = [
    "5", 5.0, 5.7, 1e3, True, False, "５", [], {}, "1_000", " 5", "",
]  # fmt: skip
NO_DAYS: list[Any] = [
    "", "20261101", "2026-W47-1", "2026-02-30", "2026-2-3", "2026-11-01T00:00:00", "２０２６-11-01",
    "٢٠٢٦-11-01", "2026-11-01\n", " 2026-11-01", "0000-01-01", "2026/11/01", 20261101, True, [], {},
]  # fmt: skip
NO_TEXTS: list[Any] = ["", 5, True, [], {}, "x" * 65, "a\n", "a\u0000b", "\u202e", "\u200b"]
NO_WORDS: list[Any] = ["", "x", 1, True, [], {}, ["hrss"]]
NO_OBJECTS: list[Any] = [[], "x", 5, True, ""]
NO_LISTS: list[Any] = [{}, "x", 5, True, ""]
NO_TRUTHS: list[Any] = ["true", "yes", "on", 1, 0, "", [], {}]
NO_IDS: list[Any] = [
    "", "a" * 65, "a b", "a/b", "a\n", "é", "编号", "a%", "a\u0000", "Ａ", 5, [], {},
]  # fmt: skip
NO_SCOPES: list[Any] = ["all", 5, None, [], {}]
ABSENT: list[Any] = [..., None]

CASES: list[tuple[str, Any, str, str]] = [  # place, value sent, pointer, code
    *((p, low - 1, WHOLES_OF_PARTS.get(p, p), "more_than_whole" if p in WHOLES_OF_PARTS
       else "out_of_range") for p, (low, _) in WHOLES.items()),
    *((p, high + 1, p, "more_than_whole" if p in PARTS_OF_WHOLES else "out_of_range")
      for p, (_, high) in WHOLES.items()),
    *((p, wrong, p, "not_an_integer") for p in WHOLES for wrong in NO_WHOLES),
    *((p, 10**18, p, "out_of_range") for p in WHOLES),
    *((p, word, p, "not_a_choice") for p, word in WORDS.items()),
    *((p, wrong, p, "not_a_choice") for p in WORDS for wrong in NO_WORDS),
    *((p, wrong, p, "not_a_date") for p in DAYS for wrong in NO_DAYS),
    *((p, "1949-12-31", p, "out_of_range") for p in DAYS),
    *((p, "2026-11-24", p, code) for p, code in DAYS.items() if code),
    *((p, wrong, p, "wrong_form") for p in TEXTS for wrong in NO_TEXTS),
    *((p, "x" * (longest + 1), p, "wrong_form") for p, longest in TEXTS.items()),
    *((p, gone, p, "required") for p in REQUIRED for gone in ABSENT),
    *((p, wrong, p, "not_an_object") for p in OBJECTS for wrong in NO_OBJECTS),
    ("/credentials/1", None, "/credentials/1", "required"),
    *((f"{p}/surprise", 1, f"{p}/surprise", "unknown_field") for p in ("", *OBJECTS)),
    # the caller's serial number
    *(("/application_id", wrong, "/application_id", "wrong_form") for wrong in NO_IDS),
    # GB 11643
    *(("/applicant/id_number", wrong, "/applicant/id_number", code) for wrong, code in (
        ("340521900307231", "id_number_form"),
        ("34052119900307231x", "id_number_form"),
        ("３40521199003072316", "id_number_form"),
        ("34052119900307231٣", "id_number_form"),
        ("34052119900307 316", "id_number_form"),
        ("340521199003072317", "id_number_checksum"),
        (id_number("34052119900230231"), "id_number_birth_date"),
        (id_number("34052118991231231"), "id_number_birth_date"),
        (id_number("34052120261124231"), "id_number_birth_date"),
        (id_number("34052100000307231"), "id_number_birth_date"),
        ("340521199003072316\n", "wrong_form"),
    )),
    # the register's code table
    *(("/applicant/village_code", wrong, "/applicant/village_code", code) for wrong, code in (
        ("34052110220", "village_code_form"),
        ("34052110220X", "village_code_form"),
        ("34052110220０", "village_code_form"),
        ("340522102200", "village_outside_county"),
        ("340521400498", "village_virtual"),
        ("340521999999", "village_unknown"),
    )),
    # GB 32100 and GB/T 4754
    *(("/business/uscc", wrong, "/business/uscc", code) for wrong, code in (
        ("92340521MA2N00022", "uscc_form"),
        ("92340521MA2N00022w", "uscc_form"),
        ("92340521MA2NO0022W", "uscc_form"),
        ("92340521MA2N00022X", "uscc_checksum"),
    )),
    *(("/business/industry", wrong, "/business/industry", code) for wrong, code in (
        ("a0412", "industry_form"), ("0412", "industry_form"), ("A0", "industry_form"),
        ("A041２", "industry_form"), ("U0412", "industry_form"), ("B0412", "industry_letter"),
        ("A06", "industry_letter"),
    )),
    # true and false
    *((p, wrong, p, "not_a_boolean") for p in TRUTHS for wrong in NO_TRUTHS),
    # related parties: ID numbers and social credit codes
    *(("/applicant/related_parties", wrong, "/applicant/related_parties", "not_a_list")
      for wrong in NO_LISTS),
    ("/applicant/related_parties", [PARTY] * 2, "/applicant/related_parties", "twice"),
    ("/applicant/related_parties", [id_number(f"34052119900307{n:03d}") for n in range(11)],
     "/applicant/related_parties", "not_a_list"),
    *(("/applicant/related_parties", [PARTY, wrong], "/applicant/related_parties/1", "wrong_form")
      for wrong in NO_PARTIES),
    # the loan's days
    ("/loan/starts_on", "2026-11-22", "/loan/starts_on", "before_application"),
    ("/loan/guarantee_starts_on", "2026-11-22", "/loan/guarantee_starts_on", "before_application"),
    ("/loan/starts_on", "2027-11-25", "/loan/starts_on", "too_far_ahead"),
    ("/loan/guarantee_starts_on", "2027-11-25", "/loan/guarantee_starts_on", "too_far_ahead"),
    # credentials
    *(("/credentials", wrong, "/credentials", "not_a_list") for wrong in NO_LISTS),
    ("/credentials", [a_credential()] * 51, "/credentials", "not_a_list"),
    ("/credentials/2/expires_on", "2020-01-01", "/credentials/2/expires_on", "before_issue"),
    # scopes
    *(("/consent/scopes", wrong, "/consent/scopes", "not_a_list") for wrong in NO_LISTS),
    ("/consent/scopes", ["income"] * 2, "/consent/scopes", "twice"),
    *(("/consent/scopes", ["income", wrong], "/consent/scopes/1", "not_a_choice")
      for wrong in NO_SCOPES),
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value", "pointer", "code"),
    [
        pytest.param(*case, id=f"{case[0]} {str(case[1])[:20]!a} {i}")
        for i, case in enumerate(CASES)
    ],
)
def test_a_wrong_field_is_named_with_its_code(
    shared: Api, place: str, value: Any, pointer: str, code: str
) -> None:
    body = is_problem(shared.post(with_value(place, value)), 422, "invalid_application")
    assert [(e["pointer"], e["code"]) for e in body["errors"]] == [(pointer, code)]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *((p, low) for p, (low, _) in WHOLES.items()),
        *((p, high) for p, (_, high) in WHOLES.items()),
        *((p, None) for p in (*WHOLES, *WORDS, *DAYS, *TEXTS) if p not in REQUIRED),
        *((p, None) for p in ("/credentials", "/business", "/credit_report")),
        *((p, {}) for p in ("/business",)),
        ("/credentials", []),
        ("/credentials", [a_credential()] * 50),
        ("/consent/scopes", []),
        ("/application_id", "A-Za.z0_9:-"),
        ("/application_id", "a" * 64),
        ("/applicant/id_number", "11010519491231002X"),
        ("/applicant/id_number", id_number("81000019900101123")),
        ("/applicant/id_number", id_number("34052120000229123")),
        ("/business/uscc", "91350100M000100Y43"),
        ("/business/industry", "A04"),
        ("/credentials/2/expires_on", "9999-12-31"),
        ("/consent/consent_id", "编号·𠮷"),
        *((p, None) for p in TRUTHS),
        ("/applicant/related_parties", []),
        ("/applicant/related_parties", [PARTY, "91350100M000100Y43"]),
        ("/loan/starts_on", "2027-11-24"),
        ("/loan/guarantee_starts_on", "2026-11-23"),
    ],
)  # fmt: skip
def test_a_value_on_the_edge_is_good(shared: Api, place: str, value: Any) -> None:
    response = shared.post(with_value(place, value), to="/v1/previews")
    assert response.status_code == 200, response.get_json()


def test_the_tables_above_hold_every_field_of_the_contract(shared: Api) -> None:
    """So that a new field cannot be forgotten."""
    schemas = shared.get("/openapi.json").get_json()["components"]["schemas"]
    tested = {re.sub(r"/\d+", "", pointer) for _, _, pointer, _ in CASES}
    assert names(schemas, "Application") == {p for p in tested if not p.endswith("/surprise")}


def names(schemas: dict[str, Any], name: str, above: str = "") -> set[str]:
    """The pointer of every property, list positions left out."""
    found = set()
    for key, schema in schemas[name]["properties"].items():
        found.add(f"{above}/{key}")
        for ref in references(schema):
            found |= names(schemas, ref.rsplit("/", 1)[-1], f"{above}/{key}")
    return found


def references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        here = [schema["$ref"]] if "$ref" in schema else []
        return here + [r for part in schema.values() for r in references(part)]
    if isinstance(schema, list):
        return [r for part in schema for r in references(part)]
    return []


@pytest.mark.parametrize("body", ["[]", "5", "null", '"x"', "true", "[{}]"])
def test_a_document_that_is_no_object_is_refused(shared: Api, body: str) -> None:
    for to in ("/v1/decisions", "/v1/previews"):
        problem = is_problem(shared.post(to=to, body=body), 422, "invalid_application")
        assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [("", "not_an_object")]


def test_an_empty_object_is_told_all_that_is_required(shared: Api) -> None:
    body = is_problem(shared.post({}), 422, "invalid_application")
    assert {(e["pointer"], e["code"]) for e in body["errors"]} == {
        (f"/{name}", "required")
        for name in ("application_id", "product", "applicant", "loan", "consent")
    }


def test_all_errors_come_at_once(shared: Api) -> None:
    """Of form, of identifiers, of days and between fields, in every part."""
    document = a_document(
        1,
        applicant__id_number="340521199003072317",
        applicant__village_code="340521400498",
        applicant__dependants="2",
        business__uscc="92340521MA2N00022X",
        business__online_revenue_12m_yuan=310_001,
        credit_report__reported_on="2026-11-24",
        loan__amount_yuan=True,
        consent__scopes=["everything"],
        surprise=1,
    )
    document["product"] = "car_loan"
    body = is_problem(shared.post(document), 422, "invalid_application")
    assert {(e["pointer"], e["code"]) for e in body["errors"]} == {
        ("/product", "not_a_choice"),
        ("/applicant/id_number", "id_number_checksum"),
        ("/applicant/village_code", "village_virtual"),
        ("/applicant/dependants", "not_an_integer"),
        ("/business/uscc", "uscc_checksum"),
        ("/business/online_revenue_12m_yuan", "more_than_whole"),
        ("/credit_report/reported_on", "after_application"),
        ("/loan/amount_yuan", "not_an_integer"),
        ("/consent/scopes/0", "not_a_choice"),
        ("/surprise", "unknown_field"),
    }


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("business__online_revenue_12m_yuan", "business__revenue_12m_yuan"),
        ("business__new_hires_12m", "business__employees"),
        ("credit_report__unsecured_outstanding_yuan", "credit_report__outstanding_yuan"),
        ("credit_report__days_past_due_now", "credit_report__max_days_past_due_24m"),
    ],
)
def test_a_part_that_is_more_than_its_whole_names_the_whole(
    shared: Api, part: str, whole: str
) -> None:
    changes: dict[str, Any] = {part: 2, whole: 1}
    document = a_document(1, **changes)
    errors = is_problem(shared.post(document), 422, "invalid_application")["errors"]
    [detail] = [e["detail"] for e in errors if e["pointer"] == f"/{part.replace('__', '/')}"]
    assert re.match(rf"Must not be more than {whole.partition('__')[2]}[.:]", detail)


def test_dates_are_held_against_the_day_of_application_not_today(shared: Api) -> None:
    document = a_document(1, applied_on="2026-11-01", credentials=None)
    body = is_problem(shared.post(document), 422, "invalid_application")
    assert {e["pointer"] for e in body["errors"]} == {
        "/credit_report/reported_on",
        "/consent/given_on",
    }


def test_a_day_before_there_was_any_pilot_is_refused(shared: Api) -> None:
    document = a_document(1, applied_on="2019-07-31", credentials=None, credit_report=None)
    document["business"]["started_on"] = document["consent"]["given_on"] = "2019-07-31"
    [error] = is_problem(shared.post(document), 422, "invalid_application")["errors"]
    assert (error["pointer"], error["code"]) == ("/applied_on", "out_of_range")


@pytest.mark.parametrize("key", ["", "340521199003072316", "a b", "~", "a/b", "é", "A", "x" * 200])
def test_a_key_that_is_no_name_is_refused_without_being_repeated(shared: Api, key: str) -> None:
    response = shared.post(a_document(1) | {key: 1})
    [error] = is_problem(response, 422, "invalid_application")["errors"]
    assert (error["pointer"], error["code"]) == ("", "unknown_field")


def test_a_refused_application_leaves_no_trace(api: Api) -> None:
    api.post(a_document(1, loan__amount_yuan=0))
    assert api.root.ledger.verify() == (1, [])  # the key alone
    assert api.post(a_document(1)).status_code == 201


def test_errors_are_in_the_order_of_the_document(shared: Api) -> None:
    body = shared.post(json.loads("{}")).get_json()
    assert [e["pointer"] for e in body["errors"]] == [
        "/application_id",
        "/product",
        "/applicant",
        "/loan",
        "/consent",
    ]
