"""Many decisions at once against a fund that is nearly full: it is never overdrawn."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.service import PATIENCE_S, Answer, Service, an_example, wait_for
from tests.fault.tools import begun_together
from tests.load import until_answered
from tests.small import an_application, publish_caps, small_models, small_underwriting, with_fund

pytestmark = pytest.mark.fault
SHARE = 48_000  # 40 % of 120,000
ROOM = 20  # shares that the fund can carry
CAPITAL = SHARE * ROOM  # with a multiple of 1
N_APPLICATIONS = 60
N_CLIENTS = 8


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One client may take up two shares (10 %), related parties three (15 %)."""
    folder = tmp_path_factory.mktemp("small")
    models = small_models(folder)
    publish_caps(models, folder, multiple=1, single_client_percent=10, related_percent=15)
    return models


@pytest.fixture
def service(tmp_path: Path, models: Path) -> Iterator[Service]:
    running = Service(tmp_path / "home", models, LOANSVC_BUSY_TIMEOUT_MS="5000").start()
    stated = running.run(
        "fund", "set", "--capital", str(CAPITAL), "--reference", "test", "--approver", "test"
    )
    assert stated.returncode == 0, stated.stderr
    yield running
    running.close()


def rows(service: Service, sql: str) -> list[Any]:
    with closing(sqlite3.connect(service.home / "ledger.db")) as connection:
        return connection.execute(sql).fetchall()


def outcome_of(answer: Answer) -> tuple[str, tuple[str, ...]]:
    """The outcome, and the caps that bound."""
    body = answer.json()
    return body["outcome"], tuple(r["code"] for r in body["reasons"] if r["kind"] == "fund")


def never_overdrawn(service: Service, *, n_entries: int, held: int) -> None:
    verified = service.run("ledger", "verify", "--json")
    with_demo_key = n_entries + 1
    assert json.loads(verified.stdout) == {"entries": with_demo_key, "problems": []}
    assert rows(service, "SELECT sum(fund_yuan) FROM commitment") == [(held,)]
    assert rows(service, "SELECT reserved_yuan, drawn_yuan FROM fund_account") == [(held, 0)]


def test_killed_workers_never_overdraw_the_fund(service: Service) -> None:
    """Sixty people at once for twenty places, workers killed with -9 in between."""
    turn, chance, answered, n_killed = threading.Lock(), random.Random(20261123), 0, 0

    def send(number: int) -> Answer:
        nonlocal answered, n_killed
        answer = until_answered(service, an_example(number))
        with turn:
            answered += 1
            if answered % 12 == 0:
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(wait_for("a worker", service.workers)), signal.SIGKILL)
                    n_killed += 1
        return answer

    with ThreadPoolExecutor(N_CLIENTS) as clients:
        found = [outcome_of(answer) for answer in clients.map(send, range(N_APPLICATIONS))]
    assert n_killed >= 3
    assert found.count(("approve", ())) == ROOM
    assert found.count(("refer", ("F01",))) == N_APPLICATIONS - ROOM
    never_overdrawn(service, n_entries=N_APPLICATIONS + 1, held=ROOM * SHARE)


def test_one_person_at_many_desks_at_once_is_held_to_the_single_cap(service: Service) -> None:
    start = threading.Barrier(N_CLIENTS)

    def send(number: int) -> Answer:
        document = {**an_example(1), "application_id": f"same-{number}"}
        start.wait()
        return until_answered(service, document)

    with ThreadPoolExecutor(N_CLIENTS) as desks:
        found = [outcome_of(answer) for answer in desks.map(send, range(N_CLIENTS))]
    assert sorted(found) == [("approve", ())] * 2 + [("refer", ("F02",))] * (N_CLIENTS - 2)
    never_overdrawn(service, n_entries=N_CLIENTS + 1, held=2 * SHARE)


def test_people_of_one_firm_at_once_are_held_to_the_related_cap(service: Service) -> None:
    firm = an_example(1)["business"]["uscc"]
    start = threading.Barrier(N_CLIENTS)

    def send(number: int) -> Answer:
        document = an_example(number)
        document["business"]["uscc"] = firm
        start.wait()
        return until_answered(service, document)

    with ThreadPoolExecutor(N_CLIENTS) as desks:
        found = [outcome_of(answer) for answer in desks.map(send, range(N_CLIENTS))]
    assert sorted(found) == [("approve", ())] * 3 + [("refer", ("F04",))] * (N_CLIENTS - 3)
    never_overdrawn(service, n_entries=N_CLIENTS + 1, held=3 * SHARE)


def test_threads_of_one_process_never_overdraw_the_fund(tmp_path: Path, models: Path) -> None:
    root = small_underwriting(tmp_path, models=models)
    lending = with_fund(root, CAPITAL)
    start = threading.Barrier(N_CLIENTS)

    def decide(thread: int) -> list[str]:
        start.wait()
        numbers = range(thread, N_APPLICATIONS, N_CLIENTS)
        return [
            root.decide(an_application(n), client="bank")[0].decision["outcome"] for n in numbers
        ]

    with ThreadPoolExecutor(N_CLIENTS) as threads:
        found = [outcome for part in threads.map(decide, range(N_CLIENTS)) for outcome in part]
    assert found.count("approve") == ROOM
    assert lending.fund()["guaranteed_yuan"] == CAPITAL
    assert root.ledger.verify() == (N_APPLICATIONS + 1, [])


WRITER = """
import sys, pathlib
sys.path.insert(0, {root!r})
from tests.small import NOON, an_application
from loansvc.ledger import Ledger
from loansvc.registry import Registry
from loansvc.underwriting import Underwriting
home, models, first = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
ledger = Ledger.open(f"sqlite:///{{home / 'ledger.db'}}", home=home, busy_timeout_ms=20000)
root = Underwriting(Registry.open(models), ledger, clock=lambda: NOON)
print("ready", flush=True)
sys.stdin.readline()
for number in range(first, first + 20):
    recorded, _ = root.decide(an_application(number), client="bank")
    print(recorded.decision["outcome"], flush=True)
"""


def test_processes_at_once_never_overdraw_the_fund_even_if_one_is_killed(
    tmp_path: Path, models: Path
) -> None:
    """Three processes of twenty; the third is killed with -9 after its fifth answer."""
    root = small_underwriting(tmp_path, models=models)
    lending = with_fund(root, CAPITAL)
    code = WRITER.format(root=str(Path(__file__).parents[2]))
    writers = begun_together(
        code, [[str(tmp_path / "home"), str(models), str(first)] for first in (0, 20, 40)]
    )
    killed = writers[2]
    assert killed.stdout is not None
    for _ in range(5):
        killed.stdout.readline()
    killed.kill()
    said = [writer.communicate(timeout=PATIENCE_S)[0].split() for writer in writers]
    assert [len(answers) for answers in said[:2]] == [20, 20]
    assert lending.fund()["guaranteed_yuan"] == CAPITAL
    n_entries, problems = root.ledger.verify()
    assert problems == []
    assert 1 + 45 <= n_entries <= 1 + N_APPLICATIONS
