"""F18: little memory, and bodies far beyond what is read."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.service import Service, memory_kb
from tests.fault.tools import needs
from tests.fault.traffic import BROKEN, RECOVERY_S, survived, traffic
from tests.small import small_models

BODY = bytes(20_000_000)
N_BODIES = 60
MEMORY = 400_000_000  # bytes a process may ask for, with stacks of 1 MB
MOST_GROWTH_MB = 100


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path / "home", small_models(tmp_path))
    yield running
    running.close()


def send_too_much(service: Service, number: int) -> int:
    """The status, BROKEN where the connection ended first; every other body comes in chunks."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    headers = {"Authorization": f"Bearer {service.key}", "Content-Type": "application/json"}
    parts = (BODY[at : at + 1_000_000] for at in range(0, len(BODY), 1_000_000))
    with suppress(OSError, http.client.HTTPException):
        body = BODY if number % 2 else parts
        connection.request("POST", "/v1/decisions", body, headers, encode_chunked=not number % 2)
    try:
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return BROKEN
    finally:
        connection.close()


@pytest.mark.faults("F18", within_s=150)
def test_bodies_of_20_mb_within_little_memory(
    service: Service, measured: Callable[[str], None]
) -> None:
    needs("prlimit")
    service.start("prlimit", f"--data={MEMORY}", "--stack=1000000")
    with traffic(service, n_clients=2) as load:
        time.sleep(2)
        workers = service.workers()
        before = {pid: memory_kb(pid) for pid in workers}
        with ThreadPoolExecutor(8) as callers:
            statuses = Counter(callers.map(lambda n: send_too_much(service, n), range(N_BODIES)))
        ended = time.monotonic()
        time.sleep(2)
    assert set(statuses) <= {413, 503, BROKEN}
    assert service.workers() == workers, "a worker died"
    growth = max(memory_kb(pid) - before[pid] for pid in workers) // 1024
    assert growth <= MOST_GROWTH_MB
    assert load.first_answer_after(ended) <= RECOVERY_S
    said = survived(service, load)
    measured(
        f"{N_BODIES} bodies: {statuses[413]} refused with 413, {statuses[BROKEN]} cut off; workers "
        f"grew by {growth} MB at most and none died; {said}"
    )
