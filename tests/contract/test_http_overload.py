"""More requests than can be worked on: some wait a little, the others are told to come back."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from loansvc.errors import LedgerUnavailable
from loansvc.settings import Settings
from loansvc.web import create_app
from loansvc.web.admission import Admission
from tests.contract.conftest import Api, is_problem

PROXY = "10.0.0.1"


@pytest.fixture
def narrow(tmp_path: Path, models: Path) -> Iterator[Api]:
    """A worker that works on one request, and lets one wait."""
    service = Api(tmp_path, models)
    service.app = create_app(service.root, Settings(concurrency=1, queue=1, proxy=PROXY))
    yield service
    service.close()


class Held:
    """The one place, taken until `free` is called."""

    def __init__(self, api: Api, monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor) -> None:
        self.api, self._inside, self._leave = api, threading.Event(), threading.Event()

        def page(**_: Any) -> tuple[list[Any], None]:
            self._inside.set()
            assert self._leave.wait(10)
            return [], None

        monkeypatch.setattr(api.root, "page", page)
        self.first = pool.submit(api.get, "/v1/decisions")
        assert self._inside.wait(10)

    def free(self) -> None:
        self._leave.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


@pytest.fixture
def held(narrow: Api, monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor) -> Iterator[Held]:
    made = Held(narrow, monkeypatch, pool)
    yield made
    made.free()


def test_who_waits_in_vain_and_who_finds_no_place_are_told_to_come_back(
    held: Held, pool: ThreadPoolExecutor
) -> None:
    others = [pool.submit(held.api.get, "/v1/products") for _ in range(3)]
    for answer in (f.result(10) for f in others):
        is_problem(answer, 503, "overloaded")
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
    held.free()
    assert held.first.result(10).status_code == 200


def test_who_waits_a_little_is_answered(held: Held, pool: ThreadPoolExecutor) -> None:
    second = pool.submit(held.api.get, "/v1/products")
    held.free()
    assert second.result(10).status_code == 200


def test_whoever_waits_goes_before_whoever_comes(pool: ThreadPoolExecutor) -> None:
    """A place that was given back belongs to the one who waits, also before it has woken up."""
    for _ in range(50):
        admission = Admission(n_working=1, n_waiting=1, wait_s=0.05)
        assert admission.take()
        waiting = pool.submit(admission.take)
        while not admission.n_waiting_now:
            pass
        admission.give_back()
        assert not admission.take()
        assert waiting.result(10)


def test_who_is_refused_before_flask_gets_the_same_bytes(
    narrow: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(
        narrow.root, Settings(concurrency=1, queue=1), chance=lambda least, _most: least
    )
    app.extensions["admission"].n_waiting_now = 1

    def answer() -> tuple[int, list[tuple[str, str]], bytes]:
        got = app.test_client().post("/v1/decisions", json={}, headers={"X-Request-Id": "r-1"})
        return got.status_code, list(got.headers), got.data

    with monkeypatch.context() as only_early:
        only_early.setattr(Flask, "wsgi_app", None)
        early = answer()
    monkeypatch.setattr(app, "refuses", lambda _environ: None)
    assert early == answer()
    assert early[0] == 503


PLAIN = {
    "REQUEST_METHOD": "POST", "PATH_INFO": "/v1/decisions", "CONTENT_LENGTH": "1500",
    "HTTP_HOST": "x",
}  # fmt: skip


@pytest.mark.parametrize(
    ("n_waiting_now", "changed", "expected"),
    [
        pytest.param(1, {}, True, id="nobody more may wait"),
        pytest.param(0, {}, False, id="it may wait"),
        pytest.param(1, {"REQUEST_METHOD": "GET"}, False, id="it may be a probe"),
        pytest.param(1, {"PATH_INFO": "/v1/batches/"}, False, id="read as it comes"),
        pytest.param(1, {"CONTENT_LENGTH": "65537"}, False, id="too long, which is 413"),
        pytest.param(1, {"CONTENT_LENGTH": ""}, False, id="in chunks"),
        pytest.param(1, {"HTTP_HOST": None}, False, id="without Host, which is 400"),
        pytest.param(1, {"loansvc.placed": True}, False, id="let in by its server"),
    ],
)
def test_only_what_a_full_service_would_refuse_anyway_is_refused_early(
    n_waiting_now: int, changed: dict[str, Any], expected: bool
) -> None:
    admission = Admission(n_working=1, n_waiting=1)
    admission.n_waiting_now = n_waiting_now
    environ = {name: v for name, v in (PLAIN | changed).items() if v is not None}
    assert admission.refuses(environ) is expected


def test_probes_never_wait(held: Held) -> None:
    for path in ("/healthz", "/readyz", "/version", "/metrics"):
        assert held.api.get(path, key="").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/decisions/none", 404), ("/nowhere", 404), ("/v1/decisions?x=1", 400)]
)
def test_a_refused_request_gives_its_place_back(narrow: Api, path: str, status: int) -> None:
    for _ in range(3):
        assert narrow.get(path).status_code == status
    assert narrow.get("/v1/decisions").status_code == 200


def test_a_mistake_of_ours_gives_its_place_back(
    narrow: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(narrow.root, "page", broken)
        for _ in range(3):
            assert narrow.get("/v1/decisions").status_code == 500
    assert narrow.get("/v1/decisions").status_code == 200


@pytest.mark.parametrize(
    ("start", "peer", "status"),
    [
        pytest.param("t=1000000000.000", PROXY, 503, id="long ago"),
        pytest.param("t=9999999999.000", PROXY, 200, id="its clock is ahead"),
        pytest.param("t=1000000000.000", "10.0.0.2", 200, id="not from the proxy"),
        pytest.param("1000000000.000", PROXY, 200, id="of another form"),
        pytest.param("t=١٠٠٠٠٠٠٠٠٠", PROXY, 200, id="no ASCII digits"),
        pytest.param("", PROXY, 200, id="empty"),
    ],
)
def test_a_request_that_nobody_waits_for_is_not_worked_on(
    narrow: Api, start: str, peer: str, status: int
) -> None:
    response = narrow.call(
        "GET", "/v1/products", headers={"X-Request-Start": start.encode().decode("latin-1")},
        environ_base={"REMOTE_ADDR": peer},
    )  # fmt: skip
    assert response.status_code == status


def test_readiness_is_asked_of_the_ledger_once_a_second(
    narrow: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def check_ready() -> None:
        asked.append(1)
        raise LedgerUnavailable

    monkeypatch.setattr(narrow.root, "check_ready", check_ready)
    for _ in range(20):
        is_problem(narrow.get("/readyz", key=""), 503, "ledger_unavailable")
    assert len(asked) <= 2


def test_a_full_disk_is_one_line_of_the_log_without_the_statement(
    narrow: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    full = sqlite3.OperationalError("database or disk is full\nof a value")

    def page(**_: Any) -> None:
        raise LedgerUnavailable from OperationalError("INSERT", {"value": "of a person"}, full)

    monkeypatch.setattr(narrow.root, "page", page)
    is_problem(narrow.get("/v1/decisions"), 503, "ledger_unavailable")
    [record] = caplog.records
    line = record.getMessage()
    assert line.endswith(": database or disk is full")
    assert record.__dict__["code"] == "ledger_unavailable"
    assert (record.exc_info, "of a" in line) == (None, False)


@pytest.mark.parametrize("drawn", [1, 5])
def test_when_to_come_back_is_drawn(
    narrow: Api, monkeypatch: pytest.MonkeyPatch, drawn: int
) -> None:
    def chance(first: int, last: int) -> int:
        assert (first, last) == (1, 5)
        return drawn

    def page(**_: Any) -> None:
        raise LedgerUnavailable

    narrow.app = create_app(narrow.root, Settings(), chance=chance)
    monkeypatch.setattr(narrow.root, "page", page)
    assert narrow.get("/v1/decisions").headers["Retry-After"] == str(drawn)
