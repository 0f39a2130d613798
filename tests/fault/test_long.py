"""Long runs: what leaks only after minutes, and two versions of the program on one ledger.

`pytest -m slow tests/fault/test_long.py -s` prints what was measured.
"""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.service import Service, memory_kb
from tests.fault.traffic import BROKEN, survived, traffic
from tests.load import Load, closed_load, open_load
from tests.small import small_models

pytestmark = [pytest.mark.fault, pytest.mark.slow]
RATE_PER_S = 28  # 0.3 of the capacity that docs/reliability.md has for a ledger on disk
HUPS_AT, KILLS_AT = (60, 120, 180), (90, 150)
# The last workers then fill what has a bound, SQLite's pages of each connection first of all, and
# have four minutes to show what they lose.
TURBULENT_S, FILLING_S, STEADY_S, EVERY_S = 190, 50, 240, 5.0
MOST_DESCRIPTORS, MOST_KB_PER_10_000 = 5, 1024
SIDE_BY_SIDE_S = 300


@dataclass(frozen=True)
class Sample:
    """The service at one moment: since when, decided so far, and its master and workers."""

    at_s: float
    n_decided: int
    n_descriptors: int
    memory_kb: int


@contextmanager
def sampled(service: Service, load: Load) -> Iterator[list[Sample]]:
    """Looks at the service every few seconds while the block runs."""
    found, over, started = list[Sample](), threading.Event(), time.monotonic()

    def look() -> None:
        while not over.wait(EVERY_S):
            with suppress(OSError, LookupError):  # one of them has just ended
                pids = [service.pid, *service.workers()]
                n_descriptors = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
                held_kb, at_s = sum(map(memory_kb, pids)), time.monotonic() - started
                found.append(Sample(at_s, len(load.answers), n_descriptors, held_kb))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def at(seconds: float, act: object, *arguments: object) -> threading.Timer:
    """Does something after so many seconds."""
    timer = threading.Timer(seconds, act, arguments)  # type: ignore[arg-type]
    timer.start()
    return timer


def test_eight_minutes_of_load_reloads_and_kills_leak_nothing(tmp_path: Path) -> None:
    """L10: 0.3 of the capacity, three HUPs, two workers killed."""
    with ExitStack() as after:
        service = Service(tmp_path / "home", small_models(tmp_path)).start()
        after.callback(service.close)
        load = Load(service.port, service.key, keep_alive=False)
        for seconds in HUPS_AT:
            after.callback(at(seconds, os.kill, service.pid, signal.SIGHUP).cancel)
        for seconds in KILLS_AT:
            kill = at(seconds, lambda: os.kill(service.workers()[0], signal.SIGKILL))
            after.callback(kill.cancel)
        began_at = time.monotonic()
        with sampled(service, load) as samples:
            open_load(load, per_s=RATE_PER_S, seconds=TURBULENT_S, n_clients=8)
            with closed_load(load, n_clients=8, first=100_000):
                time.sleep(FILLING_S)
            steady_from = time.monotonic() - began_at
            open_load(load, per_s=RATE_PER_S, seconds=STEADY_S, n_clients=8, first=200_000)
        load.settle(load.unanswered())
        said = survived(service, load)
    last = [s for s in samples if s.at_s >= steady_from]
    descriptors = [
        statistics.median(s.n_descriptors for s in part) for part in (last[:12], last[-12:])
    ]
    slope, _ = statistics.linear_regression(
        [s.n_decided for s in last], [s.memory_kb for s in last]
    )
    print(
        f"\n{said}; descriptors {descriptors[0]:.0f} and {descriptors[1]:.0f}; "
        f"{slope * 10_000 / 1024:+.2f} MB per 10,000 decisions of the last "
        f"{last[-1].n_decided - last[0].n_decided}: {last[0].memory_kb // 1024} to "
        f"{last[-1].memory_kb // 1024} MB"
    )
    assert abs(descriptors[1] - descriptors[0]) <= MOST_DESCRIPTORS
    assert slope * 10_000 <= MOST_KB_PER_10_000


def test_two_versions_side_by_side_write_one_chain(service: Service, tmp_path: Path) -> None:
    """D7, as while one machine after the other is given the new version.

    LOANSVC_TEST_OTHER names the tree of another version; else both are of this one.
    """
    url = service.environment["LOANSVC_DATABASE_URL"]
    other = Service(
        service.home, service.models, LOANSVC_DATABASE_URL=url, PYTHONSAFEPATH="1",
        PYTHONPATH=os.environ.get("LOANSVC_TEST_OTHER", str(Path.cwd())),
    )  # fmt: skip
    other.log_to(tmp_path / "other.log")
    with closing(other.start()):
        with (
            traffic(service, n_clients=4) as ours,
            traffic(other, n_clients=4, first=500_000) as theirs,
        ):
            time.sleep(SIDE_BY_SIDE_S)
        said = survived(service, ours, theirs)
    print(f"\n{urlsplit(url).scheme}: {len(ours.answers)} and {len(theirs.answers)} of {said}")
    assert min(len(ours.answers), len(theirs.answers)) > SIDE_BY_SIDE_S
    assert ours.count()[BROKEN] == theirs.count()[BROKEN] == 0
