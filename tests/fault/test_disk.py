"""F6 to F9, F17: the disk is full, slow, failing, locked by others, or read-only."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import median

import pytest

from tests.e2e.service import Service, an_example, wait_for
from tests.fault.tools import needs, needs_root
from tests.fault.traffic import RECOVERY_S, survived, traffic

MEGABYTE = 1 << 20
BALLAST_MB = 64  # of 80; what is left holds some seconds of load, and so does the ballast


@pytest.fixture
def service(tmp_path: Path, models: Path) -> Iterator[Service]:
    running = Service(tmp_path / "home", models)
    yield running
    running.close()


@pytest.mark.faults("F6", within_s=120)
def test_a_full_disk_is_try_again_until_there_is_room(
    small_disk: Path, models: Path, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(BALLAST_MB * MEGABYTE))
    service = Service(small_disk / "home", models)
    service.log_to(tmp_path / "log")
    try:
        service.start()
        with traffic(service) as load:
            wait_for("the disk to be full", lambda: load.count()[503] > 50)
            first = an_example(next(iter(load.answers)))["application_id"]
            asked_at = time.monotonic()
            for path in ("/healthz", f"/v1/decisions/{first}", "/readyz"):
                assert service.get(path).status == 200, path
            read_s = time.monotonic() - asked_at
            ballast.unlink()
            freed_at = time.monotonic()
            time.sleep(3)
        recovery_s = load.first_answer_after(freed_at)
        assert recovery_s <= RECOVERY_S
        said = survived(service, load)
    finally:
        service.close()
    measured(f"{said}; meanwhile three reads and probes in {read_s:.2f} s; decides again "
             f"{recovery_s:.1f} s after there is room, without a restart")  # fmt: skip


@contextmanager
def injected(service: Service, injection: str) -> Iterator[None]:
    """strace on every worker, which does that to its system calls."""
    needs("strace")
    kind = injection.partition(":")[0]
    pids = [part for pid in service.workers() for part in ("-p", str(pid))]
    tracer = subprocess.Popen(
        ["strace", "-f", "-q", "-o", "/dev/null", "-e", f"trace={kind}", "-e",
         f"inject={injection}", *pids],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for("every worker to be traced", lambda: all(map(_traced, service.workers())))
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            tracer.wait(10)
        tracer.kill()


def _traced(pid: int) -> bool:
    with suppress(OSError):
        return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text("ascii")
    return False


@pytest.mark.faults("F7", within_s=120)
def test_a_slow_disk_is_try_again_and_no_pile(
    service: Service, measured: Callable[[str], None]
) -> None:
    """Many clients, so that those who find no place are told so at once.

    The tracer alone slows every thread: liveness is measured under it with a quick disk as well.
    """
    service.environment |= {"LOANSVC_CONCURRENCY": "4", "LOANSVC_QUEUE": "4"}
    service.start()
    with traffic(service, n_clients=32) as load:
        with injected(service, "fdatasync:delay_enter=1"):
            quick = probed(service, 6)
        with injected(service, "fdatasync:delay_enter=1500000"):
            slow = probed(service, 12)
    refused = sorted(a.seconds for a in load.attempts if a.status == 503)
    assert refused, "nobody was told to come back"
    said = survived(service, load)
    slowest = max(a.seconds for a in load.attempts)
    assert slowest < 8, "piled up"
    measured(f"{said}; slowest answer of any kind {slowest:.1f} s, median refusal "
             f"{refused[len(refused) // 2] * 1000:.0f} ms; liveness, median and slowest, "
             f"{median(slow):.0f} and {max(slow):.0f} ms, under the tracer with a quick disk "
             f"{median(quick):.0f} and {max(quick):.0f} ms")  # fmt: skip


def probed(service: Service, seconds: float) -> list[float]:
    """How long each answer of liveness took for a while, in ms."""
    taken: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        asked_at = time.monotonic()
        assert service.get("/healthz").status == 200
        taken.append((time.monotonic() - asked_at) * 1000)
        time.sleep(0.2)
    return taken


@pytest.mark.faults("F8", within_s=120)
def test_after_a_sync_that_failed_nothing_is_acknowledged(
    service: Service, measured: Callable[[str], None]
) -> None:
    service.start()
    with traffic(service) as load:
        time.sleep(2)
        with injected(service, "fdatasync:error=EIO"):
            time.sleep(1)  # what was under way before the tracer came is answered by now
            failing_from = time.monotonic()
            time.sleep(4)
            failing_until = time.monotonic()
        ended = time.monotonic()
        time.sleep(RECOVERY_S)
    new = {a.number for a in load.answered(failing_from, failing_until) if a.status == 201}
    assert new == set(), "acknowledged without a sync"
    recovery_s = load.first_answer_after(ended)
    assert recovery_s <= RECOVERY_S
    measured(f"{survived(service, load)}; 0 acknowledged in 4 s; decides again after "
             f"{recovery_s:.1f} s")  # fmt: skip


@pytest.mark.faults("F9", within_s=90)
def test_another_writer_for_ten_seconds(service: Service, measured: Callable[[str], None]) -> None:
    service.start()
    with traffic(service) as load:
        time.sleep(1)
        with closing(sqlite3.connect(service.home / "ledger.db")) as other:
            other.isolation_level = None
            wait_for("the lock", lambda: _locks(other))
            locked_at = time.monotonic()
            time.sleep(10)
            other.execute("ROLLBACK")
            ended = time.monotonic()
        time.sleep(2)
    slowest = max(a.seconds for a in load.attempts if a.status == 503)
    assert slowest < 5, "beyond the busy limit"
    assert load.answered(locked_at + 0.5, ended) == []
    recovery_s = load.first_answer_after(ended)
    assert recovery_s <= RECOVERY_S
    measured(f"{survived(service, load)}; slowest 503 {slowest:.1f} s; decides again after "
             f"{recovery_s:.1f} s")  # fmt: skip


def _locks(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


READ_ONLY = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
awk '{ print $5 }' /proc/self/mountinfo | while read -r place; do
  case "$place" in
    "$1"|/dev/*|/proc*|/sys*) ;;
    *) mount -o remount,bind,ro "$place" ;;
  esac
done
! touch /tmp/must-not-be-there 2>/dev/null
shift
exec "$@"
"""


@pytest.mark.faults("F17", within_s=90)
def test_only_the_folder_of_the_ledger_need_be_writable(
    service: Service, measured: Callable[[str], None]
) -> None:
    needs_root()
    needs("unshare", "mount", "awk")
    service.home.mkdir()
    inside = ("unshare", "--mount", "sh", "-c", READ_ONLY, "sh")
    service.start(*inside, str(service.home))
    with traffic(service, n_clients=2) as load:
        time.sleep(3)
    said = survived(service, load)
    assert set(load.count()) == {201}, service.log()
    service.stop()
    other = service.home.with_name("other")
    other.mkdir()
    service.environment["LOANSVC_HOME"] = str(service.home.with_name("missing"))
    refused = subprocess.run(
        [*inside, str(other), *service.command], env=service.environment, text=True,
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "Read-only file system" in refused.stderr
    measured(f"{said}; with nothing writable: exit 1, one line")
