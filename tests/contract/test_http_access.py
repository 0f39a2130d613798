"""Who may call what: every address by every scope, and nobody reads another client's decisions."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from loansvc.ledger import keys
from loansvc.ledger.keys import SCOPES
from loansvc.settings import Settings
from loansvc.web import create_app
from loansvc.web.limits import WRONG_TRIES
from tests.contract.conftest import Api, is_problem
from tests.small import TODAY, WANGTAN, a_document

PROXY = "10.0.0.1"
OPEN = {"/healthz", "/readyz", "/version"}
OPERATIONS_OF_ONE = (
    "/v1/decisions/{}",
    "/v1/decisions/{}/explanation",
    "/v1/decisions/{}/replay",
    "/v1/decisions/{}/outcomes",
    "/v1/decisions/{}/disputes",
    "/v1/decisions/{}/receipt",
)
A_REPORT = {"reference": "D-1", "kind": "disbursed", "on": TODAY.isoformat(), "amount_yuan": 1000}
OF_A_DECISION: dict[str, Any] = {  # what is sent to an address below that of a decision
    "outcomes": A_REPORT,
    "reviews": {"reference": "V-1", "asked_by": "officer", "reason": "officer_doubts"},
    "override": {"reference": "O-1", "outcome": "approve", "reason": "confirmed"},
    "disputes": {"reference": "X-1", "kind": "lodged", "about": "other", "on": TODAY.isoformat()},
}
AN_ERASURE = {
    "id_number": "11010519491231002X", "reason": "withdrawn", "reference": "E-1",
    "approver": "somebody else",
}  # fmt: skip


A_BATCH = "B-1"


def send_batch(api: Api, *numbers: int, key: str | None = None, batch_id: str = "") -> TestResponse:
    lines = "\n".join(json.dumps(a_document(number)) for number in numbers)
    query = f"?batch_id={batch_id}" if batch_id else ""
    return api.post(
        to=f"/v1/batches{query}", body=lines, content_type="application/x-ndjson", key=key
    )


def operations(api: Api) -> list[tuple[str, str, str | None, dict[str, Any]]]:
    """Method, address, scope and definition of every operation of the contract."""
    found = []
    for path, methods in api.get("/openapi.json").get_json()["paths"].items():
        for method, operation in methods.items():
            named = re.search(r"scope `([a-z]+)`", operation.get("description", ""))
            found.append((method.upper(), path, named[1] if named else None, operation))
    return found


def address(api: Api, path: str) -> str:
    """The path with values for which there is something."""
    digest = api.root.registry.editions[0].digest
    return path.format(
        application_id=a_document(1)["application_id"],
        code=WANGTAN,
        digest=digest,
        batch_id=A_BATCH,
    )


def call(api: Api, method: str, path: str, key: str) -> int:
    if (method, path) == ("POST", "/v1/batches"):
        return send_batch(api, 1, key=key).status_code
    if path.endswith("/cancel"):
        return api.call(method, address(api, path), key=key).status_code
    bodies = {**OF_A_DECISION, "erasures": AN_ERASURE}
    document = bodies.get(path.rpartition("/")[2]) or a_document(1)
    kwargs: dict[str, Any] = {"json": document} if method == "POST" else {}
    return api.call(method, address(api, path), key=key, **kwargs).status_code


def test_every_address_outside_the_probes_names_its_scope(shared: Api) -> None:
    unnamed = {path for _, path, scope, _ in operations(shared) if scope is None}
    assert unnamed == OPEN


def test_every_address_of_the_app_is_in_the_contract(shared: Api) -> None:
    """So that the table below cannot forget a new one. Pages for people are no part of it."""
    pages = {"/openapi.json", "/docs", "/docs/start.js", "/docs/assets/{name}"}
    for_operators = {"/metrics"}
    in_app = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in shared.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    in_contract = {(method, path) for method, path, _, _ in operations(shared)}
    of_the_api = {pair for pair in in_app if not pair[1].startswith("/console/")}
    assert {pair for pair in of_the_api if pair[1] not in pages | for_operators} == in_contract


def test_a_key_opens_what_its_scope_says_and_nothing_else(api: Api) -> None:
    api.post(a_document(1))
    send_batch(api, 1, 2, batch_id=A_BATCH)
    for name, sent in OF_A_DECISION.items():
        key = api.new_key("bank", SCOPES, holder=name)  # whoever asks does not decide
        to = address(api, f"/v1/decisions/{{application_id}}/{name}")
        assert api.post(sent, to=to, key=key).status_code == 201
    by_scope = {scope: api.new_key("bank", (scope,)) for scope in SCOPES}
    surprises = []
    for method, path, needed, _ in operations(api):
        for scope, key in by_scope.items():
            status = call(api, method, path, key)
            expected = {200, 202} if needed in (None, scope) else {403}
            if status not in expected:
                surprises.append((method, path, scope, status))
    assert surprises == []


def test_all_other_scopes_together_do_not_open_an_address(api: Api) -> None:
    all_but = {one: api.new_key("bank", tuple(s for s in SCOPES if s != one)) for one in SCOPES}
    for method, path, needed, _ in operations(api):
        if needed is not None:
            assert call(api, method, path, all_but[needed]) == 403, path


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("Bearer", id="no token"),
        pytest.param("Bearer lsk_", id="half a token"),
        pytest.param("Bearer lsk_0123456789ab_" + "A" * 43, id="an unknown key"),
        pytest.param("Basic bHNrOng=", id="another scheme"),
        pytest.param("Bearer lsk_' OR 1=1 --", id="a query"),
        pytest.param("Bearer \u00b2\u00b3", id="not ASCII"),
        pytest.param("Bearer " + "A" * 5000, id="very long"),
    ],
)
def test_without_a_valid_key_every_address_asks_for_one(
    shared: Api, authorization: str | None
) -> None:
    for number, (method, path, needed, _) in enumerate(operations(shared)):
        if needed is None:
            continue
        headers = {} if authorization is None else {"Authorization": authorization}
        response = shared.call(
            method, address(shared, path), key="", headers=headers,
            environ_overrides={"REMOTE_ADDR": f"10.0.0.{number}"},  # each address its first try
        )  # fmt: skip
        is_problem(response, 401, "unauthenticated")
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="loansvc"'


def test_a_token_with_one_character_changed_is_refused(shared: Api) -> None:
    key = shared.key[:-1] + ("A" if shared.key[-1] != "A" else "B")
    is_problem(shared.get("/v1/decisions", key=key), 401, "unauthenticated")


def test_the_scheme_may_be_written_in_any_case(shared: Api) -> None:
    headers = {"Authorization": f"bearer {shared.key}"}
    assert shared.get("/v1/decisions", key="", headers=headers).status_code == 200


def test_a_revoked_key_is_refused_a_second_later(api: Api) -> None:
    key = api.new_key("bank")
    assert api.get("/v1/decisions", key=key).status_code == 200
    keys.revoke(api.root.ledger, key.split("_")[1], now=api.now)
    time.sleep(keys.KNOWN_S)
    is_problem(api.get("/v1/decisions", key=key), 401, "unauthenticated")


def test_a_key_is_refused_from_the_moment_it_expires(api: Api) -> None:
    key = api.new_key("bank", expires_at=api.now + timedelta(hours=1))
    api.now += timedelta(minutes=59)
    assert api.get("/v1/decisions", key=key).status_code == 200
    api.now += timedelta(minutes=1)
    is_problem(api.get("/v1/decisions", key=key), 401, "unauthenticated")


@pytest.mark.parametrize("path", OPERATIONS_OF_ONE)
def test_a_foreign_decision_is_as_if_it_were_not_there(api: Api, path: str) -> None:
    api.post(a_document(1), key=api.new_key("other"))
    headers = {"X-Request-Id": "same"}
    foreign = api.get(path.format("EXAMPLE-20261123-credit_loan-000001"), headers=headers)
    absent = api.get(path.format("EXAMPLE-20261123-credit_loan-000002"), headers=headers)
    is_problem(foreign, 404, "not_found")
    assert foreign.data == absent.data
    assert list(foreign.headers) == list(absent.headers)


def test_a_list_holds_only_the_callers_own_decisions(api: Api) -> None:
    other = api.new_key("other")
    for number in range(1, 5):
        api.post(a_document(number), key=other if number % 2 else None)
    found = [d["application_id"][-1] for d in api.get("/v1/decisions").get_json()["data"]]
    assert found == ["4", "2"]


def test_a_cursor_of_another_client_opens_nothing(api: Api) -> None:
    other = api.new_key("other")
    for number in range(1, 5):
        api.post(a_document(number), key=other)
    cursor = api.get("/v1/decisions?limit=2", key=other).get_json()["next"]
    body = api.get(f"/v1/decisions?cursor={cursor}").get_json()
    assert body == {"data": [], "has_more": False, "next": None}


def test_a_key_sent_in_the_query_opens_nothing(shared: Api) -> None:
    response = shared.get(f"/v1/decisions?access_token={shared.key}", key="")
    is_problem(response, 401, "unauthenticated")


def test_the_quota_is_told_and_kept(api: Api) -> None:
    api.app = create_app(api.root, Settings(rate_limit=6, workers=2))
    answers = [api.get("/v1/fund") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"client";q=6;w=60'
    assert answers[0].headers["RateLimit"] == '"client";r=4'
    assert re.fullmatch(r'"client";r=0;t=[0-9]+', answers[3].headers["RateLimit"])
    is_problem(answers[3], 429, "quota_exceeded")
    assert 50 <= int(answers[3].headers["Retry-After"]) <= 65
    other = api.get("/v1/fund", key=api.new_key("other"))
    assert other.status_code == 200
    assert "RateLimit" not in api.get("/healthz", key="").headers


def test_a_guesser_is_held_off_and_a_right_key_let_in(api: Api) -> None:
    """Whoever sends no key, or none of the right form, guesses nothing."""
    for sent in ("", "x", "lsk_", "a.b"):
        for _ in range(30):
            assert api.get("/v1/fund", key=sent).status_code == 401
    guesses = [f"lsk_{number:012x}_{'A' * 43}" for number in range(100)]
    found = [api.get("/v1/fund", key=guess).status_code for guess in guesses]
    assert found == [401] * WRONG_TRIES + [429] * (100 - WRONG_TRIES)
    refused = api.get("/v1/fund", key=guesses[0])
    is_problem(refused, 429, "too_many_tries")
    assert 50 <= int(refused.headers["Retry-After"]) <= 65
    assert api.get("/v1/fund").status_code == 200


@pytest.mark.parametrize(
    ("peer", "said", "status"),
    [
        pytest.param(PROXY, "9.9.9.9, 192.0.2.1", 429, id="the one who guessed"),
        pytest.param(PROXY, "192.0.2.1, 192.0.2.2", 401, id="who only says so"),
        pytest.param(PROXY, "2001:DB8::1", 401, id="a neighbour"),
        pytest.param(PROXY, "", 401, id="the proxy itself"),
        pytest.param(PROXY, "somebody", 401, id="no address"),
        pytest.param("10.0.0.2", "192.0.2.1", 401, id="not from the proxy"),
    ],
)
def test_behind_the_proxy_a_guesser_is_known_by_what_the_proxy_wrote(
    api: Api, peer: str, said: str, status: int
) -> None:
    api.app = create_app(api.root, Settings(proxy=PROXY))

    def guess(peer: str, said: str) -> int:
        return api.get(
            "/v1/fund", key=f"lsk_{'0' * 12}_{'A' * 43}", headers={"X-Forwarded-For": said},
            environ_base={"REMOTE_ADDR": peer},
        ).status_code  # fmt: skip

    found = [guess(PROXY, f"198.51.100.{number}, 192.0.2.1") for number in range(WRONG_TRIES + 1)]
    assert found == [401] * WRONG_TRIES + [429]
    assert guess(peer, said) == status


def test_the_shipped_proxy_writes_whom_it_serves() -> None:
    """And not what the caller sent, which would be taken over by $proxy_add_x_forwarded_for."""
    shipped = (Path(__file__).parents[2] / "deploy" / "nginx.conf").read_text()
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in shipped


def test_a_revoked_key_is_a_wrong_one(api: Api) -> None:
    key = api.new_key("bank")
    keys.revoke(api.root.ledger, key.split("_")[1], now=api.now)
    found = {api.get("/v1/fund", key=key).status_code for _ in range(WRONG_TRIES + 1)}
    assert found == {401, 429}


# --- two clients ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Api]:
    """A service with 30 decisions of each of two banks, some under the same application_id."""
    service = Api(tmp_path_factory.mktemp("two"), models)
    service.other = service.new_key("other", SCOPES)
    service.key = service.new_key("bank", SCOPES)
    for number in range(30):
        for key, name in ((service.key, "MINE"), (service.other, "THEIRS")):
            document = a_document(number) | {"application_id": f"{name}-{number}"}
            assert service.post(document, key=key).status_code == 201
    for number in range(3):
        assert service.post(a_document(number)).status_code == 201
        assert service.post(a_document(number + 50), key=service.other).status_code == 201
    yield service
    service.close()


def sent(method: str, path: str) -> dict[str, Any]:
    """What goes with a call on an address below that of a decision."""
    return {"json": OF_A_DECISION[path.rpartition("/")[2]]} if method == "POST" else {}


def all_but_the_counter(answer: TestResponse) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers if name != "RateLimit"]


def test_no_address_tells_a_client_anything_of_another(two: Api) -> None:
    """Every operation that takes an application_id, with every id of the other bank."""
    theirs = two.get("/v1/decisions?limit=100", key=two.other).get_json()["data"]
    marks = {d["decision_id"] for d in theirs} | {d["ledger"]["hash"] for d in theirs}
    names = [d["application_id"] for d in theirs if d["application_id"].startswith("THEIRS")]
    assert (len(marks), len(names)) == (66, 30)
    headers = {"X-Request-Id": "same"}
    for method, path, needed, _ in operations(two):
        if needed is None or "{application_id}" not in path:
            continue
        for name in names:
            absent = name.replace("THEIRS", "NOBODY")
            answers = [
                two.call(method, path.format(application_id=one), headers=headers,
                         **sent(method, path))
                for one in (name, absent)
            ]  # fmt: skip
            assert {a.status_code for a in answers} == {404}, (method, path)
            assert answers[0].data == answers[1].data
            assert all_but_the_counter(answers[0]) == all_but_the_counter(answers[1])


def test_no_address_tells_a_client_of_a_batch_of_another(two: Api) -> None:
    """Not even that there is one: every operation on it, and the list."""
    assert send_batch(two, 90, key=two.other, batch_id="THEIRS").status_code == 202
    headers = {"X-Request-Id": "same"}
    for method, path, _, _ in operations(two):
        if "{batch_id}" in path:
            foreign, absent = (
                two.call(method, path.format(batch_id=one), headers=headers)
                for one in ("THEIRS", "NOBODYS")
            )
            is_problem(foreign, 404, "not_found")
            assert foreign.data == absent.data
            assert all_but_the_counter(foreign) == all_but_the_counter(absent)
    assert two.get("/v1/batches").get_json()["data"] == []
    mine = send_batch(two, 91, batch_id="THEIRS")
    assert mine.status_code == 202, "one id at two banks is two batches"
    assert len(two.get("/v1/batches", key=two.other).get_json()["data"]) == 1


def test_lists_cursors_and_filters_give_only_ones_own(two: Api) -> None:
    for key, other in ((two.key, "THEIRS"), (two.other, "MINE")):
        found, cursor = 0, ""
        while True:
            body = two.get(f"/v1/decisions?limit=7{cursor}", key=key).get_json()
            assert other not in str(body)
            found += len(body["data"])
            if not body["has_more"]:
                break
            cursor = f"&cursor={body['next']}"
        assert found == 33
        for query in (f"village={WANGTAN}", "outcome=approve", "product=credit_loan"):
            assert other not in two.get(f"/v1/decisions?limit=100&{query}", key=key).text


def test_a_cursor_anywhere_shows_no_more_than_ones_own(two: Api) -> None:
    for cursor in range(1, 75):
        body = two.get(f"/v1/decisions?limit=100&cursor={cursor}").get_json()
        assert "THEIRS" not in str(body)


def test_the_same_id_at_two_banks_is_two_decisions(two: Api) -> None:
    """And each replays its own."""
    shared = a_document(60) | {"application_id": "SAME"}
    bodies = [two.post(shared, key=key).get_json() for key in (two.key, two.other)]
    assert bodies[0]["decision_id"] != bodies[1]["decision_id"]
    for key, body in zip((two.key, two.other), bodies, strict=True):
        again = two.post(shared, key=key)
        assert (again.status_code, again.get_json()) == (200, body)


def test_what_all_share_says_nothing_of_one_client(two: Api) -> None:
    """Register, products and editions are published; the fund is told as sums of everybody."""
    for method, path, needed, _ in operations(two):
        if method == "GET" and needed == "read" and not re.search("_id}|batches", path):
            mine = two.call(method, address(two, path), key=two.key)
            theirs = two.call(method, address(two, path), key=two.other)
            if path != "/v1/decisions":
                assert _without_time(mine.get_json()) == _without_time(theirs.get_json()), path


def _without_time(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ("as_of", "request_id")}


def test_the_contract_names_each_scope_once_in_words_and_once_for_machines(shared: Api) -> None:
    for _, path, scope, operation in operations(shared):
        assert operation.get("x-scope") == scope, path
        assert (operation.get("security") == []) == (scope is None), path
