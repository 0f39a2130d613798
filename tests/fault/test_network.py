"""F19, F21: descriptors run out, and answers are lost on the way."""

from __future__ import annotations

import http.client
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.e2e.service import Answer, Service, an_example
from tests.fault.tools import needs
from tests.fault.traffic import BROKEN, N_CLIENTS, RECOVERY_S, ledger_holds, survived, traffic
from tests.small import small_models

N_CUTS = 1000
N_IDLE = 200


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path / "home", small_models(tmp_path))
    yield running
    running.close()


class Cutter:
    """A proxy that passes each request on and cuts both ends after a little while, at random."""

    def __init__(self, port: int) -> None:
        self._to, self._chance = port, random.Random(20261126)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.n_cut = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                wait_s = self._chance.choice([0.0, self._chance.uniform(0, 0.02), 0.05])
                threading.Thread(target=self._pass_on, args=(near, wait_s), daemon=True).start()

    def _pass_on(self, near: socket.socket, wait_s: float) -> None:
        with near, socket.create_connection(("127.0.0.1", self._to)) as far:
            head, _, body = _until(near, b"\r\n\r\n").partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            while len(body) < length:
                body += near.recv(65_536)
            far.sendall(head + b"\r\n\r\n" + body)
            time.sleep(wait_s)
            for one in (near, far):  # a reset, not a polite end
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.n_cut += 1

    def close(self) -> None:
        self._listener.close()


def _until(connection: socket.socket, mark: bytes) -> bytes:
    data = b""
    while mark not in data:
        data += connection.recv(65_536)
    return data


@pytest.mark.faults("F21", within_s=150)
def test_answers_that_never_arrive_double_nothing(
    service: Service, measured: Callable[[str], None]
) -> None:
    """Each application is sent once into the cutter, then again until it is answered."""
    service.start()
    cutter = Cutter(service.port)

    def send(number: int) -> tuple[int, Answer]:
        connection = http.client.HTTPConnection("127.0.0.1", cutter.port, timeout=10)
        headers = {"Authorization": f"Bearer {service.key}", "Content-Type": "application/json"}
        body = json.dumps(an_example(number))
        with suppress(OSError, http.client.HTTPException):
            connection.request("POST", "/v1/decisions", body, headers)
            connection.getresponse()
        connection.close()
        answer = service.post(an_example(number))
        while answer.status == 503:
            assert "Retry-After" in answer.headers
            time.sleep(0.05)
            answer = service.post(an_example(number))
        return number, answer

    with ThreadPoolExecutor(N_CLIENTS) as clients:
        answers = dict(clients.map(send, range(N_CUTS)))
    cutter.close()
    statuses = [answer.status for answer in answers.values()]
    assert set(statuses) == {200, 201}
    assert cutter.n_cut == N_CUTS
    ledger_holds(service, answers, n_entries=N_CUTS)
    measured(f"{N_CUTS} cut, {N_CUTS} decisions, 0 lost, 0 doubled; {statuses.count(200)} had been "
             "decided before the cut")  # fmt: skip


@pytest.mark.faults("F19", within_s=120)
def test_two_hundred_idle_connections_and_64_files(
    service: Service, measured: Callable[[str], None]
) -> None:
    needs("prlimit")
    service.start("prlimit", "--nofile=64")
    with traffic(service, n_clients=2) as load:
        time.sleep(1)
        with ExitStack() as idle:
            for _ in range(N_IDLE):
                with suppress(OSError):  # refused is as good
                    idle.enter_context(socket.create_connection(("127.0.0.1", service.port), 1))
            pressed_at = time.monotonic()
            time.sleep(6)
        released_at = time.monotonic()
        time.sleep(RECOVERY_S + 3)
    meanwhile = len(load.answered(pressed_at, released_at))
    recovery_s = load.first_answer_after(released_at)
    assert recovery_s <= RECOVERY_S
    said = survived(service, load)
    measured(f"{said}; {meanwhile} decided meanwhile, the next {recovery_s:.1f} s after release "
             f"({load.count()[BROKEN]} connections ended)")  # fmt: skip
