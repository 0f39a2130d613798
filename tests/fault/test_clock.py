"""F16: the clock jumps under a running service; the ledger is in order by index all the same."""

from __future__ import annotations

import http.client
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc.underwriting import now
from loansvc.web.examples import example_application
from tests.e2e.service import Answer, Service
from tests.fault.traffic import PATIENCE_S
from tests.small import small_models

LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
             "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1")  # fmt: skip


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """The file that says by how much the service's clock is wrong."""
    path = tmp_path / "clock"
    path.write_text("+0\n", "ascii")
    return path


@pytest.fixture
def service(tmp_path: Path, clock: Path) -> Iterator[Service]:
    library = next((path for path in LIBRARIES if Path(path).exists()), None)
    if library is None:
        pytest.skip("no libfaketime")
    running = Service(tmp_path / "home", small_models(tmp_path))
    # A zone with summer time: the county's day does not depend on it.
    running.environment |= {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(clock),
                            "FAKETIME_NO_CACHE": "1", "TZ": "America/New_York"}  # fmt: skip
    running.start()
    yield running
    running.close()


def until_answered(service: Service, document: Any) -> Answer:
    """libfaketime moves the monotonic clock too, so a jump may cost workers and 503s."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with suppress(OSError, http.client.HTTPException):
            answer = service.post(document, timeout_s=8)
            if answer.status != 503:
                return answer
        time.sleep(0.1)
    raise AssertionError("not answered in time")


@pytest.mark.faults("F16", within_s=200)
def test_jumps_of_the_clock(service: Service, clock: Path, measured: Callable[[str], None]) -> None:
    answers: dict[int, Answer] = {}

    def on(days: int, number: int) -> tuple[int, str]:
        """What an application of the day that the service takes for today is answered."""
        clock.write_text(f"{days * 86_400:+d}\n", "ascii")
        today = (now() + timedelta(days=days)).date()
        document = example_application("credit_loan", today=today, number=number)
        answer = until_answered(service, {**document, "application_id": name(number)})
        if answer.status == 201:
            answers[number] = answer
        return answer.status, answer.json().get("code", "")

    def name(number: int) -> str:
        return f"clock-{number}"

    assert on(0, 1) == (201, "")
    assert on(1, 2) == (201, "")
    assert on(-2, 3) == (201, "")
    assert on(-400, 4) == (422, "no_edition_in_force")
    assert on(30 * 365, 5) == (401, "unauthenticated")  # its key has expired
    assert on(0, 6) == (201, "")
    decided_at = recorded(service)
    assert [at[:10] for at in decided_at] != sorted(at[:10] for at in decided_at)
    assert {datetime.fromisoformat(at).utcoffset() for at in decided_at} == {timedelta(hours=8)}
    verified = service.run("ledger", "verify", "--json")
    of_all = {"entries": 1 + len(answers), "problems": []}  # the first made the demo key
    assert json.loads(verified.stdout) == of_all
    for number, answer in answers.items():
        again = service.get(f"/v1/decisions/{name(number)}")
        assert (again.status, again.body) == (200, answer.body)
    measured(
        "a day on and 2 days back: recorded as told, in order by index; 400 days back: refused, no "
        "edition; 30 years on: refused, the key has expired; set right: as before"
    )


def recorded(service: Service) -> list[str]:
    """The times of the entries, in their order in the ledger."""
    with closing(sqlite3.connect(service.home / "ledger.db")) as connection:
        rows = connection.execute("SELECT sequence, decided_at FROM entry ORDER BY 1").fetchall()
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    return [row[1] for row in rows]
