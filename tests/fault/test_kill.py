"""Pulling the plug: whatever dies, nothing that was answered is lost, and nothing is doubled."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from loansvc.settings import WORKERS
from tests.e2e.service import PATIENCE_S, Answer, Service, an_example, wait_for
from tests.fault.tools import begun_together
from tests.load import ledger_holds, until_answered

pytestmark = pytest.mark.fault
N_APPLICATIONS = 300
N_CLIENTS = 8
KILL_EVERY = 50  # answers


@pytest.fixture(params=WORKERS)
def service(request: pytest.FixtureRequest, tmp_path: Path, models: Path) -> Iterator[Service]:
    settings = {"LOANSVC_BUSY_TIMEOUT_MS": "1000", "LOANSVC_WORKER": request.param}
    running = Service(tmp_path / "home", models, **settings).start()
    yield running
    running.close()


def test_killed_workers_lose_and_double_nothing(service: Service) -> None:
    """kill -9 of a random worker after every fifty answers, eight clients sending all the while."""
    answered, n_killed, chance = itertools.count(1), 0, random.Random(20261123)
    turn = threading.Lock()

    def send(number: int) -> Answer:
        nonlocal n_killed
        answer = until_answered(service, an_example(number))
        with turn:
            if next(answered) % KILL_EVERY == 0:
                alive = wait_for("a worker to kill", service.workers)
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(alive), signal.SIGKILL)
                    n_killed += 1
        return answer

    with ThreadPoolExecutor(N_CLIENTS) as clients:
        answers = dict(enumerate(clients.map(send, range(N_APPLICATIONS))))
    assert n_killed >= 5
    assert {answer.status for answer in answers.values()} <= {200, 201}
    ledger_holds(service, answers, n_entries=N_APPLICATIONS)


def test_a_killed_service_loses_and_doubles_nothing(service: Service) -> None:
    """kill -9 of master and workers in the middle of the load, and a start on what is left."""
    answers: dict[int, Answer] = {}
    half = threading.Event()

    def send(number: int) -> None:
        answers[number] = until_answered(service, an_example(number))
        if len(answers) == 50:
            half.set()

    with ThreadPoolExecutor(N_CLIENTS) as clients:
        sent = [clients.submit(send, number) for number in range(100)]
        assert half.wait(PATIENCE_S)
        service.kill()
        service.start()
        for one in sent:
            one.result()
    ledger_holds(service, answers, n_entries=len(answers))


def test_callers_who_leave_before_the_answer_find_one_decision(service: Service) -> None:
    """The connection is cut after the request was sent, a hundred times."""
    for number in range(100):
        body = json.dumps(an_example(number)).encode()
        head = (
            f"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", service.port)) as connection:
            connection.sendall(head.encode() + body)
    answers = {number: until_answered(service, an_example(number)) for number in range(100)}
    ledger_holds(service, answers, n_entries=len(answers))
    assert "Traceback" not in service.log()


def test_twenty_callers_with_one_id_get_one_decision(service: Service) -> None:
    """The same bytes for all, one 201, nineteen 200."""
    for number in range(5):
        start = threading.Barrier(20)

        def send(_: int, number: int = number, start: threading.Barrier = start) -> Answer:
            start.wait()
            return service.post(an_example(number))

        with ThreadPoolExecutor(20) as callers:
            answers = list(callers.map(send, range(20)))
        assert sorted(a.status for a in answers) == [200] * 19 + [201]
        assert len({a.body for a in answers}) == 1
    assert json.loads(service.run("ledger", "verify", "--json").stdout)["entries"] == 6


def test_one_id_with_two_contents_is_one_decision_and_refusals(service: Service) -> None:
    start = threading.Barrier(20)

    def send(i: int) -> Answer:
        document = an_example(1)
        document["loan"]["term_months"] = 12 + i % 2
        start.wait()
        return service.post(document)

    with ThreadPoolExecutor(20) as callers:
        answers = list(callers.map(send, range(20)))
    assert sorted(a.status for a in answers) == [200] * 9 + [201] + [409] * 10
    assert len({a.body for a in answers if a.status != 409}) == 1


WRITER = """
import sys, pathlib
sys.path.insert(0, {root!r})
from tests.small import NOON, an_application
from loansvc.ledger import Ledger
from loansvc.registry import Registry
from loansvc.underwriting import Underwriting
home, models, client = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
ledger = Ledger.open(f"sqlite:///{{home / 'ledger.db'}}", home=home, busy_timeout_ms=20000)
root = Underwriting(Registry.open(models), ledger, clock=lambda: NOON)
print("ready", flush=True)
sys.stdin.readline()
for number in range(50):
    root.decide(an_application(number), client=client)
"""


def test_processes_that_write_at_once_make_one_chain_without_a_gap(
    service: Service, models: Path
) -> None:
    code = WRITER.format(root=str(Path(__file__).parents[2]))
    writers = begun_together(
        code, [[str(service.home), str(models), f"client-{i}"] for i in range(3)]
    )
    for number in range(50):
        until_answered(service, an_example(number))
    for writer in writers:
        writer.communicate(timeout=PATIENCE_S)
        assert writer.returncode == 0
    verified = json.loads(service.run("ledger", "verify", "--json").stdout)
    assert verified == {"entries": 201, "problems": []}


def test_a_ledger_locked_by_another_writer_is_try_again_within_the_busy_limit(
    service: Service,
) -> None:
    """The limit is one second here; reading goes on meanwhile."""
    assert service.post(an_example(1)).status == 201
    with closing(sqlite3.connect(service.home / "ledger.db")) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        answer = service.post(an_example(2))
        waited = time.monotonic() - started
        assert (answer.status, answer.json()["code"]) == (503, "ledger_unavailable")
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
        assert 0.9 < waited < 2
        name = an_example(1)["application_id"]
        assert service.get(f"/v1/decisions/{name}").status == 200
        assert service.get("/readyz").status == 200
        other.execute("ROLLBACK")
    assert service.post(an_example(2)).status == 201


def test_a_ledger_that_stays_locked_is_try_again_for_everybody_in_time(service: Service) -> None:
    """Who queues behind one that waits may wait as long again, and no longer."""
    with closing(sqlite3.connect(service.home / "ledger.db")) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with ThreadPoolExecutor(16) as callers:
            answers = list(callers.map(lambda n: service.post(an_example(n)), range(16)))
        assert time.monotonic() - started < 3
        assert {a.status for a in answers} == {503}
        other.execute("ROLLBACK")
    assert json.loads(service.run("ledger", "verify", "--json").stdout)["entries"] == 1
