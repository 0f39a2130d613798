"""L7: what a worker decides in a second, and what those who are online notice of it.

Run: make bench. Rounds with and without a batch alternate; figures of one run can be compared. What
is asserted is that everything is decided once, not how fast.
"""

from __future__ import annotations

import json
import time
from statistics import median

import pytest

from tests.bench.test_overload import Bench, bench, capacity
from tests.e2e.service import an_example
from tests.e2e.test_batches import WorkerProcess, results, send, standing
from tests.load import DECIDED, Load, closed_load
from tests.small import lines_of

__all__ = ["bench"]
pytestmark = pytest.mark.bench
N_ROWS = 2_000
ROUNDS, ROUND_S = 5, 6.0
FIRST = 500_000  # beyond the applications that are sent one by one


def rows(n: int, first: int = FIRST) -> bytes:
    return lines_of(*(an_example(first + number) for number in range(n)))


def in_the_end(bench: Bench, batch_id: str) -> None:
    while standing(bench.service, batch_id)["state"] != "done":
        time.sleep(0.1)


def test_a_worker_alone(bench: Bench) -> None:
    """Rows a second, beside what clients get who send them one by one."""
    with closed_load(Load(bench.service.port, bench.service.key), n_clients=8) as online:
        time.sleep(ROUND_S)
    online_per_s = len(online.answers) / ROUND_S
    started = time.monotonic()
    assert send(bench.service, rows(N_ROWS), "B-1").status == 202
    taken_s = time.monotonic() - started
    worker = WorkerProcess(bench.service)
    try:
        while not standing(bench.service, "B-1")["rows_over"]:
            time.sleep(0.01)
        started, before = time.monotonic(), standing(bench.service, "B-1")["rows_over"]
        in_the_end(bench, "B-1")
        per_s = (N_ROWS - before) / (time.monotonic() - started)
    finally:
        worker.close()
    assert [one["status"] for one in results(bench.service, "B-1")] == [201] * N_ROWS
    bench.say(
        f"\n\nbatch: taken in {N_ROWS / taken_s:.0f} rows/s; decided {per_s:.0f} rows/s, "
        f"{per_s / online_per_s:.2f} of 8 clients one by one ({online_per_s:.0f}/s)"
    )


def test_beside_who_is_online(bench: Bench) -> None:
    """L7: half of the capacity online, with and without a batch of 10,000 rows."""
    per_s = 0.5 * capacity(bench)
    assert send(bench.service, rows(10_000), "B-1").status == 202
    found: dict[bool, list[Load]] = {False: [], True: []}
    over, before = 0, 0
    for _ in range(ROUNDS):
        for beside in (False, True):
            worker = WorkerProcess(bench.service) if beside else None
            try:
                if beside:
                    before = _after_start(bench)
                found[beside].append(bench.send(per_s, ROUND_S, n_clients=32))
                if beside:
                    over += standing(bench.service, "B-1")["rows_over"] - before
            finally:
                if worker is not None:
                    worker.close()
    p99 = {k: median(load.percentile_ms(99) for load in v) for k, v in found.items()}
    p50 = {k: median(load.percentile_ms(50) for load in v) for k, v in found.items()}
    bench.say(
        f"\nL7 {per_s:.0f}/s online: p50 {p50[False]:.1f} ms, p99 {p99[False]:.0f} ms alone; "
        f"p50 {p50[True]:.1f}, p99 {p99[True]:.0f} beside a batch of {over / ROUNDS / ROUND_S:.0f} "
        f"rows/s: {p99[True] / p99[False]:.2f} times"
    )
    for load in (one for loads in found.values() for one in loads):
        load.settle(load.unanswered())
        assert set(load.count()) <= DECIDED | {503}
        assert (load.wrong, load.given_up) == ([], [])
    verified = bench.service.run("ledger", "verify", "--json")
    assert json.loads(verified.stdout)["problems"] == []


def _after_start(bench: Bench) -> int:
    """How many rows were over when the worker had begun; starting it is no part of the round."""
    before = standing(bench.service, "B-1")["rows_over"]
    while (now := standing(bench.service, "B-1")["rows_over"]) == before:
        time.sleep(0.02)
    return int(now)
