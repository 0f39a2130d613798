"""What the service can do in a second, and what becomes of it when it is asked for more.

Run: make bench. The load and the service share the machine; figures of one run can be compared,
those of two runs cannot. Nothing here asserts a time: what is asserted is that no decision is lost
or doubled, that no connection breaks, and that every refusal says when to come back. L5 (one client
above its quota) is measured with access, L7 (a batch beside) in test_batch_speed.py.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.service import Answer, Service
from tests.fault.test_slow_clients import Slow
from tests.load import (
    BROKEN,
    DECIDED,
    Load,
    an_application,
    ledger_holds,
    open_load,
)
from tests.small import small_models

pytestmark = pytest.mark.bench
FIRST_PER_S, STEP, STEP_S = 60.0, 1.25, 3.0
TRIES = 2  # at each rate: the machine has other work too
BOUND_MS = 100.0  # p99 of what still counts as capacity
N_CLIENTS = 128  # more than the service has places for, in both workers together
OVERLOAD_S, SPIKE_S, CALM_S = 12.0, 5.0, 4.0
HEADS = (
    "asked/s", "decided/s", "p50 ms", "p99 ms",
    "503", "503 p50 ms", "503 p99 ms", "broken", "RSS MB",
)  # fmt: skip
N_CONNECTS, N_SAME, ROUNDS_SAME = 500, 50, 10


class Bench:
    """One service, the numbers not yet sent, and what was decided so far."""

    def __init__(self, service: Service, say: Callable[[str], None]) -> None:
        self.service, self.say = service, say
        self.loads: list[Load] = []
        self._next = 0

    def send(self, per_s: float, seconds: float, *, n_clients: int = N_CLIENTS) -> Load:
        """Applications at a rate; whatever is refused is sent again when the table is done."""
        bodies = {self._next + i: an_application(self._next + i)
                  for i in range(round(per_s * seconds))}  # fmt: skip
        load = Load(self.service.port, self.service.key, body_of=bodies.__getitem__)
        self.loads.append(load)
        first, self._next = self._next, self._next + len(bodies)
        return open_load(load, per_s=per_s, seconds=seconds, n_clients=n_clients, first=first)

    def row(self, name: str, load: Load, per_s: float, seconds: float) -> None:
        """A line of the table."""
        count = load.count()
        figures = (
            per_s, sum(count[status] for status in DECIDED) / seconds,
            load.percentile_ms(50), load.percentile_ms(99), count[503],
            load.percentile_ms(50, {503}), load.percentile_ms(99, {503}), count[BROKEN],
            rss_mb(self.service),
        )  # fmt: skip
        self.say(f"{name:<18}" + "".join(f"{figure:>11.0f}" for figure in figures))

    def check(self) -> None:
        """Nothing lost, nothing doubled, no connection broken, no refusal without a when."""
        answers: dict[int, Answer] = {}
        for load in self.loads:
            assert load.count()[BROKEN] == 0
            load.settle(load.unanswered())
            assert (load.wrong, load.given_up) == ([], [])
            answers |= load.answers
        ledger_holds(self.service, answers, n_entries=len(answers))


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture) -> Iterator[Bench]:
    def say(text: str) -> None:
        with capsys.disabled():
            print(text)

    service = Service(tmp_path / "home", small_models(tmp_path)).start()
    try:
        yield Bench(service, say)
    finally:
        service.close()


def rss_mb(service: Service) -> float:
    """What the workers hold of the machine's memory."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in service.workers())
    return pages * 4096 / 1e6


def in_order(count: Counter[int]) -> dict[int, int]:
    """Statuses and how often each came."""
    return dict(sorted(count.items()))


def capacity(bench: Bench) -> float:
    """L1: the highest rate at which p99 stays within its bound and nobody is refused."""
    bench.send(FIRST_PER_S, STEP_S)  # warm
    per_s, highest, n_missed = FIRST_PER_S, FIRST_PER_S, 0
    while n_missed < TRIES:
        load = bench.send(per_s, STEP_S)
        bench.row("L1 a step", load, per_s, STEP_S)
        if load.count().keys() <= DECIDED and load.percentile_ms(99) <= BOUND_MS:
            highest, per_s, n_missed = per_s, per_s * STEP, 0
        else:
            n_missed += 1
    return highest


def test_overload(bench: Bench) -> None:
    """L1 to L3: capacity, twice as much, five times as much, and calm again."""
    bench.say(f"\n\n{'':<18}" + "".join(f"{head:>11}" for head in HEADS))
    highest = capacity(bench)
    for name, times, seconds in (
        ("half of capacity", 0.5, CALM_S), ("L2 twice", 2, OVERLOAD_S),
        ("calm again", 0.5, CALM_S), ("L3 five times", 5, SPIKE_S), ("calm again", 0.5, CALM_S),
    ):  # fmt: skip
        with probed(bench.service) as waits:
            load = bench.send(times * highest, seconds)
        bench.row(name, load, times * highest, seconds)
        bench.say(f"    slowest of {len(waits)} healthz {max(waits) * 1000:.0f} ms")
    bench.check()


class probed:  # noqa: N801  # reads as a verb
    """Asks healthz all the while; gives how long each answer took, in seconds."""

    def __init__(self, service: Service) -> None:
        self._service, self._done = service, threading.Event()
        self._waits: list[float] = []
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._done.wait(0.1):
            started = time.monotonic()
            assert self._service.get("/healthz", key="").status == 200
            self._waits.append(time.monotonic() - started)

    def __enter__(self) -> list[float]:
        self._thread.start()
        return self._waits

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def test_many_connect_at_once(bench: Bench) -> None:
    """L4: each with an application of its own, on a connection of its own."""
    load = Load(bench.service.port, bench.service.key, keep_alive=False)
    bench.loads.append(load)
    start = threading.Barrier(N_CONNECTS)

    def one(number: int) -> None:
        start.wait()
        load.once(load.line(), number)

    with ThreadPoolExecutor(N_CONNECTS) as clients:
        list(clients.map(one, range(N_CONNECTS)))
    bench.say(f"\n\nL4 {N_CONNECTS} connect at once: {in_order(load.count())}, slowest "
              f"{load.percentile_ms(100, load.count()):.0f} ms")  # fmt: skip
    bench.check()


def _the_same(number: int, _of: int) -> bytes:
    return an_application(number)


def test_many_with_one_id(bench: Bench) -> None:
    """L6: one decision each round, the same bytes for all who were decided."""
    counts: Counter[int] = Counter()
    for number in range(ROUNDS_SAME):
        load = Load(bench.service.port, bench.service.key, body_of=partial(_the_same, number))
        start = threading.Barrier(N_SAME)

        def one(i: int, load: Load = load, start: threading.Barrier = start) -> None:
            with closing(load.line()) as line:
                start.wait()
                load.until_decided(line, i)

        with ThreadPoolExecutor(N_SAME) as clients:
            list(clients.map(one, range(N_SAME)))
        assert load.count()[201] == 1
        assert len({answer.body for answer in load.answers.values()}) == 1
        counts += load.count()
    bench.say(
        f"\n\nL6 {ROUNDS_SAME} rounds of {N_SAME} with one id: {dict(sorted(counts.items()))}"
    )


def test_slow_clients(bench: Bench) -> None:
    """L8: held by the service itself, and behind the shipped proxy in tests/fault."""
    bench.say("\n")
    for kind in ("headers", "body", "drip"):
        for n_slow in (0, 400):
            with closing(Slow(bench.service.port, n_slow, kind)):
                load = bench.send(20, CALM_S, n_clients=16)
            bench.say(f"L8 {n_slow:>3} slow ({kind}): slowest of {len(load.attempts)} valid "
                      f"{load.percentile_ms(100):.0f} ms")  # fmt: skip
    bench.check()
