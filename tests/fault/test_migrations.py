"""The ledger's tables taken back and brought up again under load, and killed on the way."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from loansvc.ledger import Ledger, stores
from loansvc.ledger.migrating import take_back
from tests import databases
from tests.e2e.service import PATIENCE_S, Answer, Service, an_example
from tests.unit.test_ledger import append

pytestmark = pytest.mark.fault
ROUNDS = 1
EARLIEST = "0002"
KILLED = """
import os, pathlib, signal, sys
sys.path.insert(0, {root!r})
from sqlalchemy import Engine, event
from loansvc.ledger import Ledger
from loansvc.ledger.migrating import take_back
url, home, at, back = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
n = 0
def dies(*_):
    global n
    n += 1
    if n == at:
        os.kill(os.getpid(), signal.SIGKILL)
event.listen(Engine, "before_cursor_execute", dies)
event.listen(Engine, "commit", dies)
if back:
    take_back(url, back, busy_timeout_ms=2000)
else:
    Ledger.open(url, home=home, create=True)
"""


def test_tables_go_back_and_forth_under_load(service: Service) -> None:
    """Every answer is a decision or "try again"; afterwards each decision is there, as answered."""
    over = threading.Event()
    answers: dict[int, Answer] = {}
    refused: list[int] = []

    def send(lane: int) -> None:
        number = lane * 1000
        while not over.is_set():
            with suppress(OSError, http.client.HTTPException):
                answer = service.post(an_example(number))
                if answer.status == 503:
                    refused.append(number)
                else:
                    answers[number] = answer
                    number += 1
            time.sleep(0.02)

    lanes = [threading.Thread(target=send, args=(lane,)) for lane in range(4)]
    for lane in lanes:
        lane.start()
    for _ in range(ROUNDS):
        until_done(service, "ledger", "downgrade", EARLIEST, "--yes")
        until_done(service, "ledger", "upgrade")
        enough = len(answers) + 8
        until = time.monotonic() + PATIENCE_S
        while len(answers) < enough:
            assert time.monotonic() < until, "no decisions after the upgrade"
            time.sleep(0.05)
    over.set()
    for lane in lanes:
        lane.join(PATIENCE_S)
    assert {answer.status for answer in answers.values()} <= {200, 201}
    verified = json.loads(service.run("ledger", "verify", "--json").stdout)
    assert verified["problems"] == []
    for number, answer in answers.items():
        again = service.post(an_example(number))
        assert (again.status, again.body) == (200, answer.body)
    assert "Traceback" not in service.log().replace(
        "Traceback (most recent call last):\n  File", ""
    )


def until_done(service: Service, *arguments: str) -> None:
    """Tables that somebody holds are asked for again, as the refusal says."""
    until = time.monotonic() + PATIENCE_S
    while (done := service.run(*arguments)).returncode != 0:
        assert time.monotonic() < until, done.stderr
        assert "less busy" in done.stderr or "cannot be reached" in done.stderr, done.stderr


@pytest.mark.parametrize("back", [EARLIEST, ""], ids=["down", "up"])
def test_a_migration_killed_at_any_statement_is_finished_by_the_next(
    both_databases: str, tmp_path: Path, back: str
) -> None:
    url = databases.url_of(tmp_path)
    ledger = Ledger.open(url, home=tmp_path, create=True)
    for number in (1, 2, 3):
        append(ledger, number)
    ledger._engine.dispose()
    entries = databases.sql(tmp_path, "SELECT * FROM entry ORDER BY sequence")
    newest = stores.revisions()[0]
    before, after = (newest, EARLIEST) if back else (EARLIEST, newest)
    if not back:
        take_back(url, EARLIEST, busy_timeout_ms=2000)
    code = KILLED.format(root=str(Path(__file__).parents[2]))
    for at in range(1, 10_000, step()):
        arguments = [sys.executable, "-c", code, url, str(tmp_path), str(at), back]
        killed = subprocess.run(arguments, check=False, timeout=PATIENCE_S)
        [(version,)] = databases.sql(tmp_path, "SELECT version_num FROM alembic_version")
        assert version in (before, after)
        if version == after:
            break
        assert killed.returncode != 0
        assert databases.sql(tmp_path, "SELECT * FROM entry ORDER BY sequence") == entries
    assert Ledger.open(url, home=tmp_path, create=True).verify() == (3, [])


def step() -> int:
    """Every statement where there is time, else every seventh."""
    return 1 if os.environ.get("LOANSVC_TEST_EVERY") else 7
