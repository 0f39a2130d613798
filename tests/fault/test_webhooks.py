"""kill -9 of the worker at any point: no message is lost, and its id stays."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.e2e.service import Service, an_example, wait_for
from tests.e2e.test_batches import WorkerProcess, send
from tests.small import lines_of
from tests.webhooks import Received, Receiver, receiver

pytestmark = pytest.mark.fault
N_MESSAGES, KILLS = 60, 3


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def a_worker(service: Service) -> WorkerProcess:
    """One that holds what it works on for a second: what follows is the same, and sooner."""
    return WorkerProcess(service, lease_ms=1_000)


def add(service: Service, url: str) -> None:
    assert service.run("webhooks", "add", "demo", url).returncode == 0


def standing(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(service.run("webhooks", "list", "--json").stdout)["data"][0]
    return found


def has_come(there: Receiver, n_messages: int) -> bool:
    return len(there.came) >= n_messages


def test_a_message_that_was_taken_before_the_kill_comes_again_under_its_id(
    service: Service, there: Receiver
) -> None:
    """The receiver has it, and the worker is killed before it hears so."""
    add(service, there.url)
    killed = a_worker(service)

    def kills(_: Received) -> None:
        killed.signal(signal.SIGKILL)

    there.answer = kills
    try:
        assert send(service, lines_of(an_example(1)), "B-1").status == 202
        wait_for("the message", lambda: there.came)
        killed.ended()
    finally:
        killed.close()
    assert standing(service)["waiting"] == 1
    there.answer = lambda _: (204, {})
    other = a_worker(service)
    try:
        wait_for("the same again", lambda: len(there.came) == 2)
        wait_for("it to be over", lambda: standing(service)["waiting"] == 0)
        other.signal(signal.SIGTERM)
        assert other.ended()[0] == 0
    finally:
        other.close()
    first, again = there.came
    assert first.message_id == again.message_id
    assert first.body == again.body
    assert json.loads(first.body)["data"] == {"batch_id": "B-1"}


def test_workers_killed_at_any_point_lose_no_message(service: Service, there: Receiver) -> None:
    """Batches of one row that is refused: each ends, and is told of, as it comes."""
    chance = random.Random(20261127)
    add(service, there.url)
    names = [f"B-{number}" for number in range(N_MESSAGES)]
    for name in names:
        assert send(service, lines_of({}), name).status == 202
    for _ in range(KILLS):
        worker = a_worker(service)
        try:
            more = len(there.came) + 1
            wait_for("a message", partial(has_come, there, more))
            time.sleep(chance.uniform(0, 0.1))
            worker.signal(signal.SIGKILL)
        finally:
            worker.close()
    last = a_worker(service)
    try:
        wait_for("every message", lambda: standing(service)["waiting"] == 0)
    finally:
        last.close()
    told = [json.loads(one.body)["data"]["batch_id"] for one in there.came]
    assert set(told) == set(names)
    assert len(set(there.ids())) == N_MESSAGES
    assert len(told) <= N_MESSAGES + KILLS, "again only what was on its way at a kill"
