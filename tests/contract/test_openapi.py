"""The contract: valid OpenAPI 3.1 and true of every answer; see e2e/ for generated requests."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from json import loads
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from werkzeug.test import TestResponse

from loansvc.application import PRODUCTS
from loansvc.editions import to_text
from loansvc.ledger.endpoints import add as add_endpoint
from loansvc.ledger.outbox import EVENTS
from tests.contract.conftest import Api
from tests.databases import sql
from tests.small import (
    CARD,
    TODAY,
    WANGTAN,
    a_document,
    a_worker,
    all_worked,
    lines_of,
    publish_text,
    small_models,
    with_fund,
)

NAME = "EXAMPLE-20261123-credit_loan-000001"
BATCHES, NDJSON = "/v1/batches", "application/x-ndjson"
OUTCOMES = f"/v1/decisions/{NAME}/outcomes"
A_REPORT = {"reference": "D-1", "kind": "disbursed", "on": TODAY.isoformat(), "amount_yuan": 1000}
OF_ONE = f"/v1/decisions/{NAME}"
A_REVIEW = {"reference": "V-1", "asked_by": "officer", "reason": "officer_doubts", "note": "n"}
AN_OVERRIDE = {"reference": "O-1", "outcome": "approve", "reason": "facts_verified"}
A_DISPUTE = {"reference": "X-1", "kind": "lodged", "about": "other", "on": TODAY.isoformat()}


@pytest.fixture(scope="module")
def document(shared: Api) -> dict[str, Any]:
    body: dict[str, Any] = shared.get("/openapi.json", key="").get_json()
    return body


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Api]:
    """A service with a decision of each outcome, its ids those of the contract's examples."""
    service = Api(tmp_path_factory.mktemp("filled"), models)
    made: list[tuple[str, dict[str, Any]]] = [
        ("credit_loan", {}),
        ("talent_loan", {"consent__scopes": ["income"]}),
        ("fast_loan", {"loan__purpose": "property"}),
        ("online_loan", {"business": None, "credit_report": None, "credentials": None}),
    ]
    for number, (product, changes) in enumerate(made, start=1):
        assert service.post(a_document(number, product, **changes)).status_code == 201
    scopes = ("decide", "read", "outcome", "review", "admin")
    service.key, second = service.new_key("bank", scopes), service.new_key("bank", scopes)
    assert service.post(A_REPORT, to=OUTCOMES).status_code == 201
    assert service.post(A_REVIEW, to=f"{OF_ONE}/reviews").status_code == 201
    assert service.post(A_DISPUTE, to=f"{OF_ONE}/disputes").status_code == 201
    referred = "/v1/decisions/EXAMPLE-20261123-talent_loan-000002"
    assert service.post(A_REVIEW, to=f"{referred}/reviews").status_code == 201
    override = service.post(AN_OVERRIDE, to=f"{referred}/override", key=second)
    assert override.status_code == 201
    with_fund(service.root, 1_000_000)
    sent = lines_of(a_document(1), a_document(80), {})
    to = "/v1/batches?batch_id=B-1"
    assert service.post(to=to, body=sent, content_type=NDJSON).status_code == 202
    assert all_worked(a_worker(service.root)) == 2
    yield service
    service.close()


def errors_of(document: dict[str, Any], schema: dict[str, Any], instance: Any) -> list[str]:
    """What of the instance does not fit a schema of the document."""
    whole = {**schema, "components": document["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return [f"{e.instance_path}: {e.message}" for e in validator.iter_errors(instance)]


def errors_of_answer(document: dict[str, Any], path: str, method: str, r: TestResponse) -> Any:
    """What of an answer does not fit the contract of its operation."""
    responses = document["paths"][path][method]["responses"]
    response = responses.get(str(r.status_code), {"status": "is not in the contract"})
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[-1]]
    [(media_type, content)] = response["content"].items()
    assert r.content_type == media_type
    if media_type == NDJSON:
        of_a_line = content["x-schema-of-a-line"]
        return [e for x in r.text.splitlines() for e in errors_of(document, of_a_line, loads(x))]
    return errors_of(document, content["schema"], r.get_json())


def test_a_preview_is_described_with_what_it_may_ask_for(document: dict[str, Any]) -> None:
    """The words that a reader of /docs sees, and an example that is answered."""
    operation = document["paths"]["/v1/previews"]["post"]
    for part in ("editions.on", "editions.role", "recorded nowhere", "scope `decide`"):
        assert part in operation["description"]
    asked = document["components"]["schemas"]["Preview"]["properties"]["editions"]["properties"]
    assert all(field["description"] for field in asked.values())


def test_the_examples_of_a_preview_are_answered(
    document: dict[str, Any], tmp_path: Path, models: Path
) -> None:
    content = document["paths"]["/v1/previews"]["post"]["requestBody"]["content"]
    examples = content["application/json"]["examples"]
    service = Api(tmp_path, models)
    for name, on in (("approve", "2026-11-23"), ("another day", "2026-12-24")):
        answer = service.post(examples[name]["value"], to="/v1/previews")
        assert (answer.status_code, answer.get_json()["applied_on"]) == (200, on)
    service.close()


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(copy.deepcopy(document)).validate()


def test_every_schema_is_json_schema(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


def test_every_operation_has_an_id_of_its_own(document: dict[str, Any]) -> None:
    ids = [o["operationId"] for methods in document["paths"].values() for o in methods.values()]
    assert len(ids) == len(set(ids))


def test_nobody_needs_a_key_to_read_the_contract(shared: Api) -> None:
    assert shared.get("/openapi.json", key="").status_code == 200


def test_objects_of_the_application_are_closed(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in (
        "Application", "Applicant", "Credential", "Business", "CreditReport", "Loan", "Consent",
        "Preview", "Outcome", "Review", "Override", "Dispute",
    ):  # fmt: skip
        assert schemas[name]["additionalProperties"] is False


def test_there_is_an_example_of_every_outcome(document: dict[str, Any]) -> None:
    created = document["paths"]["/v1/decisions"]["post"]["responses"]["201"]
    examples = created["content"]["application/json"]["examples"]
    assert {name: e["value"]["outcome"] for name, e in examples.items()} == {
        "approve": "approve",
        "refer": "refer",
        "decline": "decline",
    }
    for example in examples.values():
        schema = created["content"]["application/json"]["schema"]
        assert errors_of(document, schema, example["value"]) == []


@pytest.mark.parametrize("status", [409, 422])
def test_there_is_an_example_of_the_refusal(document: dict[str, Any], status: int) -> None:
    refusal = document["components"]["responses"][f"Refusal{status}"]
    content = refusal["content"]["application/problem+json"]
    assert content["example"]["status"] == status
    assert errors_of(document, content["schema"], content["example"]) == []


def test_the_example_applications_fit_their_schema_and_are_answered_as_shown(
    document: dict[str, Any], api: Api
) -> None:
    post = document["paths"]["/v1/decisions"]["post"]
    content = post["requestBody"]["content"]["application/json"]
    shown = post["responses"]["201"]["content"]["application/json"]["examples"]
    assert set(content["examples"]) == {"approve", "refer", "decline"}
    for name, example in content["examples"].items():
        assert errors_of(document, content["schema"], example["value"]) == []
        body = api.post(example["value"], to="/v1/previews").get_json()
        assert body == {
            k: v for k, v in shown[name]["value"].items() if k not in ("decision_id", "ledger")
        }


@pytest.mark.parametrize("product", PRODUCTS)
def test_an_application_of_every_product_fits_the_schema(
    document: dict[str, Any], product: str
) -> None:
    schema = {"$ref": "#/components/schemas/Application"}
    assert errors_of(document, schema, a_document(1, product)) == []


def test_every_answer_to_a_reader_fits_its_schema(document: dict[str, Any], filled: Api) -> None:
    values = {"code": [WANGTAN, "340521103200", "340521999999"], "application_id": [], "digest": []}
    values["batch_id"] = ["B-1", "B-2"]
    values["application_id"] = [f"EXAMPLE-20261123-credit_loan-00000{n}" for n in range(1, 6)]
    values["digest"] = [e.digest for e in filled.root.registry.editions] + ["sha256:0"]
    seen = set()
    for path, methods in document["paths"].items():
        if "get" not in methods:
            continue
        [name] = [n for n in values if f"{{{n}}}" in path] or [""]
        for value in values.get(name, [""]):
            response = filled.get(path.replace(f"{{{name}}}", value) if name else path)
            assert errors_of_answer(document, path, "get", response) == [], path
            seen.add((path, response.status_code))
    assert {path for path, status in seen if status == 200} == {
        path for path, methods in document["paths"].items() if "get" in methods
    }


@pytest.mark.parametrize(
    ("path", "method", "kwargs", "status"),
    [
        ("/v1/decisions", "post", {"json": a_document(1)}, 200),
        ("/v1/decisions", "post", {"json": a_document(77)}, 201),
        ("/v1/decisions", "post", {"json": a_document(1, loan__term_months=6)}, 409),
        ("/v1/decisions", "post", {"json": {}}, 422),
        ("/v1/decisions", "post", {"data": b"{", "content_type": "application/json"}, 400),
        ("/v1/decisions", "post", {"data": b"{}", "content_type": "text/plain"}, 415),
        ("/v1/decisions", "post",
         {"data": b" " * 70_000, "content_type": "application/json"}, 413),
        ("/v1/decisions", "post", {"json": {}, "key": "x"}, 401),
        (BATCHES, "post", {"data": lines_of(a_document(81)), "content_type": NDJSON}, 202),
        (f"{BATCHES}?batch_id=B-1", "post",
         {"data": lines_of(a_document(1)), "content_type": NDJSON}, 409),
        (BATCHES, "post", {"data": b"\n", "content_type": NDJSON}, 422),
        (BATCHES, "post", {"data": b"{}", "content_type": "application/json"}, 415),
        (f"{BATCHES}?batch_id=%20", "post", {"data": b"{}", "content_type": NDJSON}, 400),
        (f"{BATCHES}/B-1/cancel", "post", {}, 409),
        (OUTCOMES, "post", {"json": A_REPORT}, 200),
        (OUTCOMES, "post", {"json": {**A_REPORT, "amount_yuan": 2}}, 409),
        (OUTCOMES, "post", {"json": {**A_REPORT, "reference": "D-2"}}, 409),
        (OUTCOMES, "post", {"json": {**A_REPORT, "days": 1}}, 422),
        (OUTCOMES, "post", {"json": []}, 422),
        (f"{OF_ONE}/reviews", "post", {"json": A_REVIEW}, 200),
        (f"{OF_ONE}/reviews", "post", {"json": {**A_REVIEW, "reference": "V-2"}}, 409),
        (f"{OF_ONE}/reviews", "post", {"json": {}}, 422),
        (f"{OF_ONE}/override", "post", {"json": AN_OVERRIDE}, 403),
        (f"{OF_ONE}/override", "post", {"json": {**AN_OVERRIDE, "offer": 1}}, 422),
        (f"{OF_ONE}/disputes", "post", {"json": A_DISPUTE}, 200),
        (f"{OF_ONE}/disputes", "post", {"json": {**A_DISPUTE, "reference": "2"}}, 409),
        ("/v1/reviews", "get", {"query_string": {"state": "closed"}}, 200),
        ("/v1/reviews", "get", {"query_string": {"state": "x"}}, 400),
        ("/v1/decisions", "get", {"query_string": {"state": "reviewed"}}, 200),
        ("/v1/decisions", "get", {"query_string": {"limit": "0"}}, 400),
        ("/v1/previews", "post", {"json": a_document(1)}, 200),
        ("/v1/previews", "post", {"json": a_document(1, consent__scopes=[])}, 200),
        ("/v1/previews", "post", {"json": []}, 422),
        ("/v1/products", "get", {"query_string": {"on": "2020-01-01"}}, 422),
    ],
)  # fmt: skip
def test_an_answer_fits_its_schema(
    document: dict[str, Any], filled: Api, path: str, method: str, kwargs: Any, status: int
) -> None:
    response = filled.call(method.upper(), path, **kwargs)
    assert response.status_code == status
    of = path.replace(NAME, "{application_id}").replace("B-1/", "{batch_id}/").partition("?")[0]
    assert errors_of_answer(document, of, method, response) == []


def test_a_publication_with_a_reason_fits_its_schema_and_tells_it(
    document: dict[str, Any], tmp_path: Path
) -> None:
    models = small_models(tmp_path)
    card = to_text({**CARD, "product": "credit_loan", "valid_from": "2026-12-01"})
    publish_text(models, tmp_path / "c.json", card, reason="通知3号", measure=lambda *_: "0 change")
    service = Api(tmp_path, models)
    digest = service.root.registry.editions[-1].digest
    for path in ("/v1/editions", "/v1/editions/{digest}"):
        answer = service.get(path.replace("{digest}", digest))
        assert errors_of_answer(document, path, "get", answer) == []
        body = answer.get_json()
        edition = body["data"][0] if "data" in body else body
        assert (edition["reason"], edition["impact"]) == ("通知3号", "0 change")
    service.close()


def test_a_webhook_is_described_with_an_example_that_fits(document: dict[str, Any]) -> None:
    assert set(document["webhooks"]) == set(EVENTS)
    for event, methods in document["webhooks"].items():
        content = methods["post"]["requestBody"]["content"]["application/json"]
        assert errors_of(document, content["schema"], content["example"]) == []
        assert content["example"]["type"] == event
        jsonschema_rs.meta.validate(content["schema"])


def test_what_the_outbox_holds_fits_the_contract(
    document: dict[str, Any], tmp_path: Path, models: Path
) -> None:
    """A review closed and a batch finished over HTTP; publications: test_cli_webhooks."""
    service = Api(tmp_path, models)
    says: dict[str, Any] = {"now": service.now, "entry_id": "adm_1", "by": "O. Perator"}
    url = "https://bank.example.cn/"
    add_endpoint(service.root.ledger, client="bank", url=url, events=EVENTS, **says)
    scopes = ("decide", "review")
    service.key, second = service.new_key("bank", scopes), service.new_key("bank", scopes)
    service.post(a_document(1, consent__scopes=["income"]))
    service.post(A_REVIEW, to=f"{OF_ONE}/reviews")
    assert service.post(AN_OVERRIDE, to=f"{OF_ONE}/override", key=second).status_code == 201
    sent = lines_of(a_document(80))
    service.post(to="/v1/batches?batch_id=B-1", body=sent, content_type=NDJSON)
    all_worked(a_worker(service.root))
    bodies = [loads(row[0]) for row in sql(service.root.ledger.home, "SELECT body FROM outbox")]
    assert {body["type"] for body in bodies} == {"review.closed", "batch.finished"}
    for body in bodies:
        described = document["webhooks"][body["type"]]["post"]["requestBody"]
        assert errors_of(document, described["content"]["application/json"]["schema"], body) == []
    service.close()
