"""Faults: each test says which one it makes, has a time limit, and leaves a row of the table."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import FrameType

import pytest

from tests import databases
from tests.e2e.service import Service
from tests.fault import table
from tests.fault.tools import needs, needs_root

AGAIN_S = 5.0  # the alarm repeats, in case something on the way out waits as well
LIMIT_S = 60
DISK_MB = 80


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults-page", help="write the table of faults into this page")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if marker := item.get_closest_marker("faults"):
            item.user_properties.extend(("fault", fault) for fault in marker.args)


@pytest.fixture(autouse=True)
def in_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that hangs fails."""
    marker = request.node.get_closest_marker("faults")
    if marker is None:
        yield
        return
    limit_s = marker.kwargs.get("within_s", LIMIT_S)

    def too_late(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"took longer than its limit of {limit_s} s")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, limit_s, AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def service(tmp_path: Path, models: Path, both_databases: str) -> Iterator[Service]:
    """One that runs, on each kind of database."""
    home = tmp_path / "home"
    url = databases.url_of(home)
    home.mkdir(mode=0o700)
    running = Service(home, models, LOANSVC_DATABASE_URL=url).start()
    yield running
    running.close()


@pytest.fixture
def measured(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes what was measured, for the table."""
    return lambda text: record_property("measured", text)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 80 MB in memory."""
    needs_root()
    needs("mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", str(folder)]
    if subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("no mounts allowed")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    runs = list(_runs(terminalreporter))
    if not runs:
        return
    found = table.rows(runs)
    terminalreporter.section("faults")
    for fault in table.FAULTS:
        if fault in found:
            terminalreporter.write_line(found[fault])
    if page := config.getoption("--faults-page", default=None):
        table.write(Path(page), found, date.today())  # noqa: DTZ011  # the day on this machine


def _runs(reporter: pytest.TerminalReporter) -> Iterator[table.Run]:
    """What every test of a fault came to."""
    for outcome, given in (
        ("passed", "passed"), ("failed", "failed"), ("error", "failed"), ("skipped", "skipped"),
    ):  # fmt: skip
        for report in reporter.stats.get(outcome, ()):
            if not isinstance(report, pytest.TestReport):  # a file that could not be read
                continue
            measured = tuple(str(v) for k, v in report.user_properties if k == "measured")
            because = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
            for name, fault in report.user_properties:
                if name == "fault":
                    yield table.Run(str(fault), given, measured, because.removeprefix("Skipped: "))
