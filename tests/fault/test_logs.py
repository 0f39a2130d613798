"""F20: nobody can take what the service logs, and it goes on deciding."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.service import N_WORKERS, Service, wait_for
from tests.fault.traffic import survived, traffic
from tests.small import small_models

N_LINES = 4000  # of some 100 bytes: a pipe holds 65,536, each of two workers 1,000 lines
MOST_S = 5.0  # for any answer; 2 are meant, on a machine that does nothing else


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path / "home", small_models(tmp_path))
    yield running
    running.close()


def make_it_log(service: Service, n_lines: int) -> None:
    """What is not HTTP is a line of the log each."""
    for _ in range(n_lines):
        with socket.create_connection(("127.0.0.1", service.port), 5) as connection:
            connection.sendall(b"no http\r\n\r\n")
            with suppress(OSError):
                connection.recv(4096)


def goes_on(service: Service) -> str:
    """A worker killed and started again beside decisions, and lines, before and after."""
    with traffic(service, n_clients=4) as load:
        make_it_log(service, N_LINES // 4)
        os.kill(service.workers()[0], signal.SIGKILL)
        wait_for("a new worker", lambda: len(service.workers()) == N_WORKERS)
        make_it_log(service, N_LINES)
        time.sleep(1)
    slowest = max(a.seconds for a in load.attempts)
    assert slowest < MOST_S, "somebody waited for the log"
    return f"{survived(service, load)}, slowest answer {slowest:.1f} s"


@pytest.mark.faults("F20", within_s=120)
def test_a_log_that_nobody_reads(
    service: Service, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    """As `serve | reader` with a reader that was stopped; later it reads on."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        service.log_to(pipe)
        service.start()
        said = goes_on(service)
        until, read = time.monotonic() + 20, b""
        while b"lines of the log were not written" not in read:
            assert time.monotonic() < until, read[-500:]
            with suppress(BlockingIOError):
                read += os.read(reader, 65_536)
    finally:
        os.close(reader)
    measured(f"reader stopped: {said}; once it reads, it is told how many lines are missing")


@pytest.mark.faults("F20", within_s=120)
def test_a_log_whose_disk_is_full(
    service: Service, small_disk: Path, measured: Callable[[str], None]
) -> None:
    service.log_to(small_disk / "log")
    with suppress(OSError), (small_disk / "ballast").open("wb") as ballast:
        while True:
            ballast.write(bytes(4096))
            ballast.flush()
    service.start()
    measured(f"disk full: {goes_on(service)}")
