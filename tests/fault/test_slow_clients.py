"""Callers that send half a request, or a byte a second: the others are answered all the same."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from loansvc.settings import WORKERS
from tests.e2e.proxy import Proxy, needs_nginx
from tests.e2e.service import Service, an_example, wait_for
from tests.small import small_models

PATIENCE_OF_A_VALID_CALLER_S = 5.0  # who holds a place for longer than the deadlines fails it
LET_GO_S = 20.0  # twice the longest deadline
HALF = {
    "headers": b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nContent-Type: appl",
    "body": b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b'Content-Length: 1000\r\n\r\n{"application_id": ',
}


@pytest.fixture(scope="module", params=WORKERS)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("slow")
    made = Service(folder / "home", small_models(folder), LOANSVC_WORKER=request.param).start()
    yield made
    made.close()


class Slow:
    """Callers that hold their connections open."""

    def __init__(self, port: int, n: int, kind: str) -> None:
        self._sockets = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(n)]
        self._drips = kind == "drip"
        self.send(HALF["body" if self._drips else kind])

    def send(self, data: bytes) -> None:
        for connection in self._sockets:
            with suppress(OSError):
                connection.sendall(data)

    def drip(self) -> None:
        """One more byte from each, where they drip."""
        if self._drips:
            self.send(b" ")

    def n_open(self) -> int:
        """How many the service has not let go."""
        n_open = 0
        for connection in self._sockets:
            connection.setblocking(False)
            try:
                while connection.recv(4096):
                    pass
            except BlockingIOError:
                n_open += 1
            except OSError:
                pass
        return n_open

    def close(self) -> None:
        for connection in self._sockets:
            connection.close()


def waits_of_valid_callers(port: int, key: str, slow: Slow, *, n: int, first: int) -> list[float]:
    """How long each of some decisions took, in seconds, while the slow ones hold on."""
    taken = []
    for number in range(first, first + n):
        slow.drip()
        started = time.monotonic()
        connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=PATIENCE_OF_A_VALID_CALLER_S
        )
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/decisions", json.dumps(an_example(number)), headers)
        assert connection.getresponse().status in (200, 201)
        connection.close()
        taken.append(time.monotonic() - started)
        time.sleep(0.2)
    return taken


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["headers", "body", "drip"])
@pytest.mark.parametrize("n", [40, 400])
def test_slow_callers_keep_nobody_waiting_and_are_let_go(
    service: Service, n: int, kind: str, capsys: pytest.CaptureFixture
) -> None:
    """More than there are threads: they hold connections, and nothing else."""
    started = time.monotonic()
    with closing(Slow(service.port, n, kind)) as slow:
        time.sleep(0.3)  # until all were accepted
        taken = waits_of_valid_callers(service.port, service.key, slow, n=5, first=1)

        def all_gone() -> bool:
            slow.drip()
            time.sleep(0.3)
            return slow.n_open() == 0

        wait_for("the slow ones to be let go", all_gone)
    assert time.monotonic() - started < LET_GO_S
    with capsys.disabled():
        print(f"\n{n} slow ({kind}), no proxy: slowest valid answer {max(taken):.2f} s")


@pytest.mark.faults
@needs_nginx
@pytest.mark.parametrize("kind", ["headers", "body", "drip"])
def test_behind_the_shipped_proxy_four_hundred_slow_callers_are_not_noticed(
    service: Service, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture
) -> None:
    proxy = Proxy(tmp_path / "nginx", service.port)
    try:
        with closing(Slow(proxy.port, 400, kind)) as slow:
            taken = waits_of_valid_callers(proxy.port, service.key, slow, n=6, first=100)
    finally:
        proxy.close()
    with capsys.disabled():
        print(f"\n400 slow ({kind}), behind nginx: slowest valid answer {max(taken):.2f} s")


@needs_nginx
@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n", 413,
                     id="a body too long"),
        pytest.param(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, id="address"),
        pytest.param(b"GARBAGE\r\n\r\n", 400, id="no HTTP"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400,
                     id="an encoding that it does not know"),
        pytest.param(b"GET /%6detrics/ HTTP/1.1\r\nHost: x\r\n\r\n", 403, id="metrics"),
        pytest.param(b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 400, id="another HTTP"),
    ],
)  # fmt: skip
def test_what_the_proxy_refuses_is_a_problem_document_too(
    service: Service, tmp_path: Path, request_bytes: bytes, status: int
) -> None:
    proxy = Proxy(tmp_path / "nginx", service.port)
    try:
        with socket.create_connection(("127.0.0.1", proxy.port), 5) as connection:
            connection.sendall(request_bytes)
            response = http.client.HTTPResponse(connection)
            response.begin()
            body = json.loads(response.read())
            response.close()
    finally:
        proxy.close()
    assert (response.status, body["status"]) == (status, status)
    assert response.getheader("Content-Type") == "application/problem+json"
    assert response.getheader("Server") == "nginx"
    assert set(body) == {"type", "title", "status", "code", "detail", "request_id"}


@needs_nginx
def test_without_the_service_the_proxy_says_so_and_when_to_come_back(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path / "nginx", 1)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        body = json.loads(response.read())
        connection.close()
    finally:
        proxy.close()
    assert (response.status, body["code"]) == (503, "unavailable")
    assert response.getheader("Retry-After") == "2"
