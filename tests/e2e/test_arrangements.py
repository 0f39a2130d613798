"""Arrangements: whatever is asked, the asgi worker answers as the threads do, to the byte."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from loansvc.application import PRODUCTS
from tests.e2e.hostile import (
    GENERATORS,
    NO_LIMITS,
    Case,
    Route,
    cases_of,
    framing,
    request_lines,
    routes_of,
)
from tests.e2e.service import Service, an_example
from tests.e2e.test_hostile import send
from tests.small import small_models

# What no two services have in common, and what a connection is told of itself alone.
OWN = re.compile(rb'"(decision_id|decided_at|lapses_at|as_of|hash|request_id)":"[^"]*"')
OWN_HEADERS = {"date", "x-request-id", "ratelimit", "retry-after", "connection"}
# Two parsers read these: that both refuse is asked of each in the other tests of hostile requests.
OF_A_PARSER = (framing, request_lines)
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Service]]:
    """The same service in both arrangements, each with a ledger of its own."""
    folder = tmp_path_factory.mktemp("arrangements")
    models = small_models(folder)
    made = [
        Service(folder / worker, models, LOANSVC_WORKER=worker, **NO_LIMITS).start()
        for worker in ("threads", "asgi")
    ]
    yield made[0], made[1]
    for service in made:
        service.close()


def told(status: int, headers: Any, body: bytes) -> Answer:
    """An answer without what is its own; of what is not HTTP no more than that it was said."""
    if b"/problems/not_http" in body:
        return status, {}, b""
    kept = {name.lower(): value for name, value in headers if name.lower() not in OWN_HEADERS}
    if "allow" in kept:
        kept["allow"] = ", ".join(sorted(kept["allow"].split(", ")))
    return status, kept, OWN.sub(b"", body)


def answer_of(case: Case, service: Service) -> Answer | None:
    raw = send(service, case).raw
    while raw.startswith(b"HTTP/1.1 100"):
        raw = raw.partition(b"\r\n\r\n")[2]
    if not raw:
        return None
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return told(int(first.split()[1]), [line.split(": ", 1) for line in lines], body)


def routes(service: Service) -> list[Route]:
    contract = service.get("/openapi.json", key="").json()
    values: Iterator[dict[str, str]] = iter(lambda: {"application_id": "A", "batch_id": "B"}, None)
    made = routes_of(contract, key=service.key, values=values)
    return [one for one in made if one.template in ("/v1/decisions", "/v1/previews")]


def test_hostile_requests_are_answered_alike(both: tuple[Service, Service]) -> None:
    n_asked, wrong = 0, []
    for pair in zip(*map(routes, both), strict=True):
        for generator in (one for one in GENERATORS if one not in OF_A_PARSER):
            for cases in zip(*(cases_of(generator, route) for route in pair), strict=True):
                expected, found = (answer_of(c, s) for c, s in zip(cases, both, strict=True))
                n_asked += 1
                if found != expected:
                    wrong.append(f"{cases[0].name}: {found}, by threads {expected}")
    assert n_asked > 500
    assert not wrong, "\n".join(wrong[:20])


def requests() -> Iterator[tuple[str, str, Any]]:
    """What a client asks, and what it asks for in vain."""
    yield "GET", "/v1/decisions", None
    for number in range(6):
        for product in PRODUCTS:
            document = an_example(number, product)
            here = f"/v1/decisions/{document['application_id']}"
            yield "GET", here, None
            yield "POST", "/v1/previews", document
            yield "POST", "/v1/decisions", document
            yield "POST", "/v1/decisions", document
            yield "POST", "/v1/decisions", document | {"applied_on": "2026-07-02"}
            for end in ("", "/", "/explanation", "/replay", "%2Freplay"):
                yield "GET", here + end, None
            yield "HEAD", here, None
            yield "DELETE", here, None
            yield "GET", f"{here}/outcomes", None
    for path in (
        "/v1/decisions?limit=3", "/v1/decisions?limit=x", "/v1/decisions?limit=1&limit=2", "/v1",
        "/v1/villages", "/v1/villages/340521102200?on=2026-08-01", "/v1/products", "/v1/editions",
        "/v1/fund", "/v1/reviews", "/v1/batches", "/healthz", "/readyz", "/version", "/docs", "/",
        "/%E5%BC%A0", "//v1/decisions", "/v1//decisions", "/v1/decisions/%00", "/?a=%FF",
    ):  # fmt: skip
        for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
            yield method, path, None
    documents: tuple[Any, ...] = (
        [], {}, None, an_example(7) | {"more": 1}, an_example(8) | {"loan": {}}
    )  # fmt: skip
    for wrong in documents:
        for path in ("/v1/decisions", "/v1/decisions/", "/v1/previews"):
            yield "POST", path, wrong


def asked(service: Service) -> Iterator[Answer]:
    """The answer to each, all on one connection for as long as it is kept."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    with closing(connection):
        for method, path, document in requests():
            body = None if document is None and method != "POST" else json.dumps(document)
            headers = {"Authorization": f"Bearer {service.key}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            yield told(response.status, response.getheaders(), response.read())


def test_ordinary_requests_are_answered_alike(both: tuple[Service, Service]) -> None:
    every = list(requests())
    assert len(every) > 300
    for one, expected, found in zip(every, *map(asked, both), strict=True):
        assert found == expected, one[:2]
