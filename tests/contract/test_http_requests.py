"""What holds for every request: media type, methods, request id, problem shape, and silence."""

from __future__ import annotations

import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from loansvc.errors import LedgerDamaged
from loansvc.web.logs import json_lines
from tests.contract.conftest import Api, is_problem
from tests.contract.test_http_decisions import SECURITY_HEADERS
from tests.small import a_document

MARKED = "340521198812304813"  # a good ID number, and not one of the examples


@pytest.mark.parametrize(
    "content_type",
    [
        "", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data",
        "application/problem+json", "application/jsonx", "application/json; charset=gbk",
        "application/json; charset=utf-16", "application/*", "json",
    ],
)  # fmt: skip
@pytest.mark.parametrize("to", ["/v1/decisions", "/v1/previews"])
def test_another_media_type_is_refused(shared: Api, to: str, content_type: str) -> None:
    response = shared.post(a_document(1), to=to, content_type=content_type)
    is_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", 'application/json;charset="UTF-8"', "Application/JSON"],
)
def test_json_may_be_declared_in_several_ways(shared: Api, content_type: str) -> None:
    response = shared.post(a_document(1), to="/v1/previews", content_type=content_type)
    assert response.status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "aes128gcm"])
def test_an_encoded_body_is_refused(shared: Api, coding: str) -> None:
    """Whatever it holds: JSON that says it is gzip is not read as JSON."""
    coded = {"Content-Encoding": coding}
    response = shared.post(a_document(1), to="/v1/previews", headers=coded)
    is_problem(response, 415, "unsupported_media_type")
    plain = {"Content-Encoding": "Identity"}
    assert shared.post(a_document(1), to="/v1/previews", headers=plain).status_code == 200


@pytest.mark.parametrize("application_id", [".", "..", "...", "-1", ":", "_"])
def test_an_id_that_a_path_would_lose_is_refused(shared: Api, application_id: str) -> None:
    """`/v1/decisions/../explanation` is another path to every client that tidies its paths."""
    document = a_document(1) | {"application_id": application_id}
    is_problem(shared.post(document, to="/v1/previews"), 422, "invalid_application")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_a_method_that_is_not_taken_is_named_with_those_that_are(shared: Api, method: str) -> None:
    response = shared.call(method, "/v1/previews")
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    if method != "HEAD":
        is_problem(response, 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/decisions", {"GET", "HEAD", "POST"}),
        ("/v1/decisions/a", {"GET", "HEAD"}),
        ("/healthz", {"GET", "HEAD"}),
        ("/docs", {"GET", "HEAD"}),
    ],
)
def test_allow_lists_what_an_address_takes(shared: Api, path: str, allowed: set[str]) -> None:
    response = shared.call("DELETE", path)
    assert {m.strip() for m in response.headers["Allow"].split(",")} == allowed


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/v1/decisions", "/v1/products", "/v1/decisions/absent", "/openapi.json", "/docs"],
)
def test_head_is_get_without_a_body(shared: Api, path: str) -> None:
    headers = {"X-Request-Id": "same"}
    head, get = shared.call("HEAD", path, headers=headers), shared.get(path, headers=headers)
    assert head.data == b""
    assert (head.status_code, list(head.headers)) == (get.status_code, list(get.headers))


@pytest.mark.parametrize("given", ["a", "0-9_A.z", "x" * 64])
@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/decisions/absent"])
def test_the_request_id_is_given_back(shared: Api, path: str, given: str) -> None:
    assert shared.get(path, headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize(
    "given", ["", " ", "x" * 65, "a b", "a/b", 'a"b', "<script>", "é", "\u00b2", "a;b", "{}"]
)
def test_an_odd_request_id_is_replaced(shared: Api, given: str) -> None:
    answered = shared.get("/nowhere", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{16}", answered)


def test_two_requests_have_two_ids(shared: Api) -> None:
    assert len({shared.get("/healthz").headers["X-Request-Id"] for _ in range(10)}) == 10


@pytest.mark.parametrize(
    "path",
    [
        "/", "/nowhere", "/v1", "/v1/nowhere", "/v2/decisions", "/v1/decisions/a/nowhere", "/docs/",
        "/v1//decisions", "//v1/decisions", "/v1/decisions/%2e%2e/%2e%2e/etc/passwd",
        "/docs/assets/..%2f..%2f..%2f__init__.py", "/docs/assets/nowhere.js", "/%00", "/%ff",
        "/v1/villages/%F0%9F", "/v1/editions/sha256:0", "/v1/editions/..%2Feditions.lock",
        "/v1/villages/340521999999",
    ],
)  # fmt: skip
def test_an_address_with_nothing_behind_it_is_a_problem(shared: Api, path: str) -> None:
    is_problem(shared.get(path), 404, "not_found")


@pytest.mark.parametrize("application_id", ["%00", "%ff", "a%0ab", "'", "%F0%9F%98%80", "a" * 5000])
def test_an_application_id_of_any_form_is_just_not_there(shared: Api, application_id: str) -> None:
    is_problem(shared.get(f"/v1/decisions/{application_id}"), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/nowhere", 404), ("/docs", 200), ("/openapi.json", 200), ("/v1/x", 404)],
)
def test_every_answer_carries_the_security_headers(shared: Api, path: str, status: int) -> None:
    response = shared.get(path)
    assert response.status_code == status
    for name in set(SECURITY_HEADERS) - {"Content-Security-Policy"}:
        assert response.headers[name] == SECURITY_HEADERS[name]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_our_own_mistake_is_a_problem_that_tells_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the inside of the service")

    monkeypatch.setattr(api.root.registry, "in_force", broken)
    caplog.handler.setFormatter(json_lines())
    response = api.post(a_document(1))
    body = is_problem(response, 500, "internal_error")
    assert "inside" not in response.text
    assert "Traceback" not in response.text
    line = json.loads(caplog.text)
    assert (line["level"], line["request_id"]) == ("error", body["request_id"])
    assert line["exception"].endswith("RuntimeError: the inside of the service")
    assert api.root.ledger.verify() == (1, [])  # the key alone


def test_after_our_own_mistake_the_next_request_is_answered(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("loansvc.ledger.entries.entry_hash", lambda _: 1 / 0)
        assert api.post(a_document(1)).status_code == 500
    assert api.post(a_document(1)).status_code == 201


def test_a_damaged_record_is_a_problem(api: Api) -> None:
    api.post(a_document(1))
    with api.root.ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE payload SET sealed = zeroblob(100)")
    response = api.get("/v1/decisions/EXAMPLE-20261123-credit_loan-000001")
    is_problem(response, 500, LedgerDamaged.code)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_without_its_database_the_service_says_try_again(api: Api, what: str) -> None:
    lose_database(api, what)
    for response in (
        api.post(a_document(1)),
        api.get("/v1/decisions"),
        api.get("/v1/products"),  # the key cannot be looked up
        api.get("/readyz"),
    ):
        is_problem(response, 503, "ledger_unavailable")
        assert 1 <= int(response.headers["Retry-After"]) <= 5


@pytest.mark.parametrize("what", ["file", "folder"])
def test_without_its_database_the_service_is_alive(api: Api, what: str) -> None:
    lose_database(api, what)
    assert api.get("/healthz").get_json() == {"status": "ok"}
    assert api.get("/version").status_code == 200


def lose_database(api: Api, what: str) -> None:
    home = _home(api)
    api.root.ledger._engine.dispose()
    if what == "folder":
        shutil.rmtree(home)
        return
    for path in home.glob("ledger.db*"):
        path.unlink()


def _home(api: Api) -> Path:
    database = api.root.ledger._engine.url.database
    assert database is not None
    return Path(database).parent


REFUSALS = [
    pytest.param({"loan__amount_yuan": MARKED}, id="a number of a person in a wrong field"),
    pytest.param({"applicant__id_number": MARKED[:-1] + "9"}, id="a wrong check character"),
    pytest.param({"applicant__id_number": MARKED + "7"}, id="a digit too many"),
    pytest.param({"applicant__id_number": [MARKED]}, id="in a list"),
    pytest.param({"applicant__village_code": MARKED}, id="as a village"),
    pytest.param({"consent__scopes": [MARKED]}, id="as a scope"),
    pytest.param({"application_id": f"{MARKED} "}, id="in the serial number"),
    pytest.param({"applied_on": MARKED}, id="as a day"),
    pytest.param({MARKED: MARKED}, id="as a key"),
    pytest.param({f"consent__{MARKED}": 1}, id="as a key inside"),
    pytest.param({"business": MARKED}, id="in place of an object"),
    pytest.param({"business__industry": MARKED}, id="as an industry"),
]  # fmt: skip


@pytest.mark.parametrize("changes", REFUSALS)
def test_nothing_that_was_sent_comes_back_in_a_refusal_or_stands_in_the_log(
    shared: Api, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    response = shared.post(a_document(1, **{"applicant__id_number": MARKED, **changes}))
    is_problem(response, 422, "invalid_application")
    assert_silent(response, caplog)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f'{{"id": "{MARKED}"', id="broken JSON"),
        pytest.param(f'{{"{MARKED}": 1, "{MARKED}": 2}}', id="a key twice"),
        pytest.param(f"{MARKED}00", id="a long number"),
        pytest.param(f'"{MARKED}\\ud800"', id="half a surrogate"),
        pytest.param(f"{MARKED}e999", id="a number that is not finite"),
        pytest.param(f'"{MARKED}"'.encode("utf-16"), id="UTF-16"),
        pytest.param("[" * 9 + MARKED, id="deep"),
    ],
)
def test_nothing_of_a_body_that_cannot_be_read_comes_back(
    shared: Api, caplog: pytest.LogCaptureFixture, body: bytes | str
) -> None:
    caplog.set_level(logging.DEBUG)
    response = shared.post(body=body)
    is_problem(response, 400, response.get_json()["code"])
    assert_silent(response, caplog)


@pytest.mark.parametrize(
    "path",
    [
        "/{}", "/v1//{}", "/v1/decisions/{}", "/v1/decisions/{}/replay", "/v1/decisions/{}/x",
        "/v1/villages/{}", "/v1/editions/{}", "/v1/decisions?village={}", "/v1/decisions?{}=1",
        "/v1/decisions?from={}", "/v1/products?on={}", "/docs/assets/{}",
        "/v1/decisions?limit=1&limit={}",
    ],
)  # fmt: skip
def test_nothing_of_an_address_comes_back(
    shared: Api, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.DEBUG)
    response = shared.get(path.format(MARKED))
    assert response.status_code in (400, 404)
    assert_silent(response, caplog)


def test_a_conflict_tells_nothing_of_either_application(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.post(a_document(1, applicant__id_number=MARKED))
    response = api.post(a_document(1, applicant__id_number=MARKED, loan__term_months=12))
    is_problem(response, 409, "application_id_reused")
    assert_silent(response, caplog)


def test_a_decision_leaves_nothing_of_the_person_in_log_or_database_file(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    response = api.post(a_document(1, applicant__id_number=MARKED))
    assert response.status_code == 201
    assert_silent(response, caplog)
    files = b"".join(path.read_bytes() for path in _home(api).glob("ledger.db*"))
    assert MARKED.encode() not in files
    assert "王潭村".encode() not in files


def test_the_key_stands_in_no_log_and_no_file(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api.post(a_document(1))
    secret = api.key.split("_", 2)[2]
    assert secret not in caplog.text
    files = b"".join(path.read_bytes() for path in _home(api).glob("ledger.db*"))
    assert secret.encode() not in files


def assert_silent(response: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The marked number is nowhere that a stranger could read."""
    assert MARKED[:17] not in response.text
    assert MARKED[:17] not in str(response.headers)
    assert MARKED[:17] not in caplog.text
