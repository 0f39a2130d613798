"""F1 to F3: workers and the master die or freeze under load, and nothing is lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.service import Service, wait_for
from tests.fault.traffic import BROKEN, N_CLIENTS, RECOVERY_S, survived, traffic

KILLING_S, KILL_EVERY_S = 60.0, 2.0


@pytest.fixture
def service(tmp_path: Path, models: Path) -> Iterator[Service]:
    running = Service(tmp_path / "home", models).start()
    yield running
    running.close()


@pytest.mark.faults("F1", within_s=180)
def test_workers_killed_all_the_time(service: Service, measured: Callable[[str], None]) -> None:
    chance, n_killed = random.Random(20261126), 0
    with traffic(service) as calm:
        time.sleep(5)
    rate_calm = len(calm.answers) / 5
    with traffic(service, first=100_000) as load:
        until = time.monotonic() + KILLING_S
        while time.monotonic() < until:
            time.sleep(KILL_EVERY_S)
            os.kill(chance.choice(wait_for("a worker", service.workers)), signal.SIGKILL)
            n_killed += 1
        ended = time.monotonic()
        time.sleep(RECOVERY_S)
    said = survived(service, calm, load)
    goodput = len(load.answered(until=ended)) / KILLING_S / rate_calm
    assert load.count()[BROKEN] <= n_killed * N_CLIENTS
    assert goodput >= 0.3, "less than the machine's noise explains"
    measured(f"{n_killed} kills in {KILLING_S:.0f} s: {said}; goodput {goodput:.0%} of calm; "
             f"p99 {load.percentile_ms(99):.0f} ms")  # fmt: skip


@pytest.mark.faults("F2", within_s=150)
def test_the_master_killed_under_a_supervisor(
    service: Service, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    """The supervisor is a loop in a shell: systemd's Restart=always in two lines."""
    service.stop()
    script = tmp_path / "supervisor"
    script.write_text('while true; do "$@"; sleep 0.2; done\n', "ascii")
    service.start("sh", str(script))
    with traffic(service) as load:
        time.sleep(3)
        killed_at = time.monotonic()
        os.kill(wait_for("a master", service.master), signal.SIGKILL)
        time.sleep(15)
    said = survived(service, load)
    back_s = load.longest_silence(since=killed_at)
    assert back_s <= 10, "not back in time"
    measured(f"{said}; decides again after {back_s:.1f} s")


@pytest.mark.faults("F3", within_s=200)
@pytest.mark.parametrize("frozen_s", [3.0, 40.0])
def test_a_frozen_worker_doubles_nothing_when_it_wakes(
    service: Service, frozen_s: float, measured: Callable[[str], None]
) -> None:
    """Longer than 30 s without a heartbeat, and the master kills it."""
    with traffic(service) as load:
        time.sleep(3)
        frozen = service.workers()[0]
        os.kill(frozen, signal.SIGSTOP)
        stopped_at = time.monotonic()
        time.sleep(frozen_s)
        with suppress(ProcessLookupError):
            os.kill(frozen, signal.SIGCONT)
        ended = time.monotonic()
        time.sleep(RECOVERY_S + 2)
    said = survived(service, load)
    assert load.first_answer_after(ended) <= RECOVERY_S
    measured(f"{frozen_s:.0f} s: {said}; longest silence for all "
             f"{load.longest_silence(since=stopped_at):.1f} s")  # fmt: skip
