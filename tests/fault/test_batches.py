"""kill -9, a freeze, two workers at once: no row of a batch is lost, doubled or out of order."""

from __future__ import annotations

import itertools
import json
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import postgres
from tests.e2e.service import Service, an_example
from tests.e2e.test_batches import WorkerProcess, results, send, standing
from tests.fault.traffic import traffic
from tests.small import lines_of

pytestmark = pytest.mark.fault
N_ROWS = 150
PATIENCE_S = 180.0
FIRST = 500_000  # beyond the applications of the traffic
N_WRONG = len(range(7, N_ROWS, 50))
KILLS = 3
ENTRIES = "SELECT application_id FROM entry WHERE kind = 'decision' ORDER BY sequence"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def service(request: pytest.FixtureRequest, tmp_path: Path, models: Path) -> Iterator[Service]:
    settings = {}
    if request.param == "postgresql":
        name = f"batches_{random.randrange(10**9)}"
        settings["LOANSVC_DATABASE_URL"] = postgres.shared().new(name)
    running = Service(tmp_path / "home", models, **settings).start()
    yield running
    running.close()


def a_worker(service: Service) -> WorkerProcess:
    """One that holds a batch for a second, not for ten: what follows is the same, and sooner."""
    return WorkerProcess(service, lease_ms=1_000)


def documents() -> list[Any]:
    """Applications, among them some twice, with other content, and wrong ones."""
    found = [an_example(FIRST + number) for number in range(N_ROWS)]
    for number in range(20, N_ROWS, 20):
        found[number] = json.loads(json.dumps(found[number - 5]))
    for number in range(30, N_ROWS, 30):
        found[number]["application_id"] = found[number - 3]["application_id"]
    for number in range(7, N_ROWS, 50):
        found[number]["loan"]["term_months"] = 0
    return found


def decided(service: Service) -> list[str]:
    """The application of every decision, in order."""
    if url := service.environment.get("LOANSVC_DATABASE_URL"):
        with psycopg.connect(url) as server:
            return [row[0] for row in server.execute(ENTRIES)]
    with closing(sqlite3.connect(service.home / "ledger.db")) as connection:
        return [row[0] for row in connection.execute(ENTRIES)]


def holds(service: Service, sent: list[Any]) -> None:
    """Each row is over once, as it would be alone, in order, in a ledger that verifies."""
    found = results(service, "B-1")
    assert [one["row"] for one in found] == list(range(1, len(sent) + 1))
    statuses = Counter(one["status"] for one in found)
    assert (statuses[422], statuses[201] + statuses[200] + statuses[409]) == (
        N_WRONG,
        N_ROWS - N_WRONG,
    )
    ours = {document["application_id"] for document in sent}
    entries = [name for name in decided(service) if name in ours]
    new = [one["application_id"] for one in found if one["status"] == 201]
    assert entries == new, "one decision each, in the order of the rows"
    assert len(set(entries)) == len(entries)
    for document, one in zip(sent[:50], found[:50], strict=True):
        if one["status"] == 201:
            again = service.post(document)
            assert (again.status, again.json()) == (200, one["decision"])
    counts = standing(service, "B-1")["counts"]
    assert sum(counts.values()) == N_ROWS
    verified = service.run("ledger", "verify", "--json")
    assert json.loads(verified.stdout)["problems"] == [], verified.stdout


def in_the_end(holds: Callable[[], bool]) -> None:
    """Wait until it is so: a lease ends, and the machine may have other things to do."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)


def more_than(service: Service, n_rows: int) -> None:
    """Wait until so many rows are over."""
    in_the_end(lambda: standing(service, "B-1")["rows_over"] > n_rows)


def are_done(service: Service, *batch_ids: str) -> bool:
    return all(standing(service, batch_id)["state"] == "done" for batch_id in batch_ids)


def finished(service: Service) -> bool:
    return are_done(service, "B-1")


@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_a_worker_killed_at_any_point_loses_and_doubles_nothing(
    service: Service, seed: int
) -> None:
    """kill -9 of each of three workers after a random while, beside traffic; then one ends it."""
    chance, sent = random.Random(20261126 + seed), documents()
    assert send(service, lines_of(*sent), "B-1").status == 202
    killed = 0
    with traffic(service, n_clients=2) as load:
        for _ in range(KILLS):
            worker = a_worker(service)
            try:
                more_than(service, standing(service, "B-1")["rows_over"])
                time.sleep(chance.uniform(0, 0.3))
                worker.signal(signal.SIGKILL)
                killed += 1
            finally:
                worker.close()
            if finished(service):
                break
    assert killed
    last = a_worker(service)
    try:
        # Work in any case: a worker that finds none could be told to end before it heeds signals.
        assert send(service, lines_of(an_example(FIRST + N_ROWS)), "B-2").status == 202
        in_the_end(lambda: are_done(service, "B-1", "B-2"))
        last.signal(signal.SIGTERM)
        assert last.ended()[0] == 0
    finally:
        last.close()
    holds(service, sent)
    assert load.wrong == []


@pytest.mark.slow
def test_a_worker_that_wakes_after_its_batch_was_taken_over_does_nothing_twice(
    service: Service,
) -> None:
    """Frozen for longer than it may hold the batch, in whatever it was about.

    But for a transaction on SQLite: there nobody writes until it wakes or is killed.
    """
    sent = documents()
    assert send(service, lines_of(*sent), "B-1").status == 202
    frozen, other = a_worker(service), None
    try:
        more_than(service, 20)
        for number in itertools.count():
            frozen.signal(signal.SIGSTOP)
            if service.post(an_example(number)).status == 201:
                break
            frozen.signal(signal.SIGCONT)
            time.sleep(0.01)
        before = standing(service, "B-1")["rows_over"]
        other = a_worker(service)
        more_than(service, before + 20)
        frozen.signal(signal.SIGCONT)
        in_the_end(lambda: finished(service))
    finally:
        frozen.signal(signal.SIGCONT)
        frozen.close()
        if other is not None:
            other.close()
    holds(service, sent)


def test_two_workers_share_what_waits(service: Service) -> None:
    sent = documents()
    others = [lines_of(*(an_example(FIRST + n + k * 1000) for n in range(40))) for k in (1, 2)]
    assert send(service, lines_of(*sent), "B-1").status == 202
    for number, body in enumerate(others, start=2):
        assert send(service, body, f"B-{number}").status == 202
    workers = [a_worker(service) for _ in range(2)]
    try:
        in_the_end(lambda: are_done(service, "B-1", "B-2", "B-3"))
    finally:
        for worker in workers:
            worker.close()
    holds(service, sent)


def test_a_service_killed_while_a_batch_comes_in_keeps_all_or_nothing_of_it(
    service: Service,
) -> None:
    """And the same sent again is taken."""
    sent = lines_of(*(an_example(FIRST + n) for n in range(1000)))
    pieces = [sent[i : i + 50_000] for i in range(0, len(sent), 50_000)]

    def slowly() -> Iterator[bytes]:
        for number, piece in enumerate(pieces):
            if number == len(pieces) // 2:
                in_the_end(lambda: standing(service, "B-1").get("rows", 0) > 0)
                service.kill()
            yield piece

    with pytest.raises((OSError, ValueError)):
        send(service, slowly(), "B-1")
    service.start()
    assert standing(service, "B-1")["state"] == "receiving"
    assert service.run("worker", "--once").returncode == 0
    assert decided(service) == []
    taken = send(service, sent, "B-1")
    assert (taken.status, taken.json()["rows"]) == (202, 1000)
