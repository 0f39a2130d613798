"""Connections: many at once, or kept open through a reload or a stop; none is cut."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from loansvc.settings import WORKERS
from tests.e2e.service import PATIENCE_S, Service
from tests.load import DECIDED, Load, an_application, closed_load, ledger_holds
from tests.small import small_models

N_CLIENTS, N_RELOADS, EVERY_S = 16, 4, 3.0
N_CONNECTS, ROUNDS = 500, 4


@pytest.fixture(params=WORKERS)
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    models = small_models(tmp_path)
    running = Service(tmp_path / "home", models, LOANSVC_WORKER=request.param).start()
    yield running
    running.close()


@pytest.mark.faults(within_s=120)
def test_four_reloads_lose_nothing_and_break_no_connection(
    service: Service, capsys: pytest.CaptureFixture
) -> None:
    with closed_load(Load(service.port, service.key), n_clients=N_CLIENTS) as load:
        for _ in range(N_RELOADS):
            time.sleep(EVERY_S)
            os.kill(service.pid, signal.SIGHUP)
        time.sleep(EVERY_S)
    assert load.count().keys() <= DECIDED | {503}
    assert (load.wrong, load.given_up) == ([], [])
    ledger_holds(service, load.answers, n_entries=len(load.answers))
    with capsys.disabled():
        print(f"\n{N_RELOADS} reloads, {N_CLIENTS} kept alive: {len(load.answers)} decisions, "
              f"p99 {load.percentile_ms(99):.0f} ms")  # fmt: skip


@pytest.mark.faults(within_s=120)
def test_five_hundred_connect_at_once_and_none_is_reset(
    service: Service, capsys: pytest.CaptureFixture
) -> None:
    """With room for 128 in the queue of connections, the kernel reset a fifth of them."""
    load = Load(service.port, service.key, keep_alive=False)
    with ThreadPoolExecutor(N_CONNECTS) as clients:
        for first in range(0, ROUNDS * N_CONNECTS, N_CONNECTS):
            start = threading.Barrier(N_CONNECTS)

            def one(number: int, start: threading.Barrier = start) -> None:
                start.wait()
                load.once(load.line(), number)

            list(clients.map(one, range(first, first + N_CONNECTS)))
    assert load.count().keys() <= DECIDED | {503}
    assert load.wrong == []
    with capsys.disabled():
        print(f"\n{ROUNDS} times {N_CONNECTS} connect at once: {dict(load.count())}, slowest "
              f"{load.percentile_ms(100, load.count()):.0f} ms")  # fmt: skip


@pytest.mark.faults(within_s=120)
def test_who_was_being_read_when_it_stops_is_answered(service: Service) -> None:
    """Half of the request before the stop, half of it after."""
    body = an_application(1)
    head = (
        f"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    lines = [socket.create_connection(("127.0.0.1", service.port), PATIENCE_S) for _ in range(2)]
    half_header, half_body = (closing(line) for line in lines)
    with half_header as first, half_body as second:
        first.sendall(head[:50])
        second.sendall(head + body[:50])
        time.sleep(0.5)
        os.kill(service.pid, signal.SIGTERM)
        time.sleep(0.5)
        first.sendall(head[50:] + body)
        second.sendall(body[50:])
        for line in (first, second):
            response = http.client.HTTPResponse(line)
            response.begin()
            assert response.status in DECIDED
            assert response.getheader("Connection") == "close"
    assert service.stop() == 0
