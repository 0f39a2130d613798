"""A portfolio beside a copy of the same parquet file by the same engine, in CPU and wall time.

Run: make bench. They take turns, so that a busy machine slows all; nothing here asserts a time.
`BENCH_ROWS=10000000 make bench` takes more rows than the million that is usual.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from loansvc.registry import Registry
from loansvc.settings import shipped
from tests.portfolio_rows import arrow, rows_of

pytestmark = pytest.mark.bench
ON = date(2026, 12, 5)
N_ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
N_DRAWN = 50_000  # different rows; the file repeats them
N_ROUNDS = 3
MEMORY = "1GB"
COPY = """
import duckdb, sys
connection = duckdb.connect()
connection.execute("SET threads = 2; SET memory_limit = '874MiB'")
connection.execute(f"COPY (SELECT * FROM '{sys.argv[1]}') TO '{sys.argv[2]}' (FORMAT parquet)")
"""


def test_a_portfolio_beside_a_copy_of_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    given, out = tmp_path / "in.parquet", tmp_path / "out"
    a_portfolio(given)
    loansvc = [sys.executable, "-m", "loansvc", "portfolio", "score", str(given), str(out),
               "--on", ON.isoformat(), "--memory", MEMORY]  # fmt: skip
    kinds = {
        "copy of the file": [sys.executable, "-c", COPY, str(given), str(tmp_path / "copy")],
        "score and grade": [*loansvc, "--columns", "score"],
        "whole decision": [*loansvc, "--columns", "decision"],
    }
    taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name in kinds}
    for _ in range(N_ROUNDS):
        for name, command in kinds.items():
            shutil.rmtree(out, ignore_errors=True)
            taken[name].append(measured(command))
    with capsys.disabled():
        print(f"\n\nPortfolio of {N_ROWS:,} rows, parquet to parquet, 2 threads, ceiling {MEMORY}")
        print(f"{'':<20}{'rows/s':>12}{'s':>8}{'CPU s':>8}{'MiB':>7}{'of the copy':>13}")
        floor = statistics.median(wall for wall, _, _ in taken["copy of the file"])
        for name, runs in taken.items():
            wall, cpu = (statistics.median(run[i] for run in runs) for i in (0, 1))
            most = max(run[2] for run in runs)
            print(f"{name:<20}{N_ROWS / wall:>12,.0f}{wall:>8.1f}{cpu:>8.1f}{most:>7}"
                  f"{wall / floor:>13.2f}")  # fmt: skip


def a_portfolio(path: Path) -> None:
    """So many rows, the columns of a table that a bank would give, in groups of the usual size."""
    registry = Registry.open(shipped("models"))
    editions = registry.in_force("credit_loan", ON)
    drawn = arrow(list(rows_of(editions, registry.village_codes, n=N_DRAWN, seed=1, on=ON)))
    drawn = drawn.drop_columns(["groups"])
    rows = path.with_name("drawn.parquet")
    pq.write_table(drawn, rows)
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT * EXCLUDE (file_row_number, n)"
            f" REPLACE ('P-' || (n * {N_DRAWN} + file_row_number) AS application_id)"
            f" FROM read_parquet('{rows}', file_row_number = true), range({N_ROWS // N_DRAWN}) t(n)"
            f") TO '{path}' (FORMAT parquet)"
        )


def measured(command: Sequence[str]) -> tuple[float, float, int]:
    """Seconds by the wall and of CPU, and the most memory in MiB, of a program of its own."""
    started = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    most = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            with suppress(OSError, IndexError):  # it has just ended
                status = Path(f"/proc/{process.pid}/status").read_text()
                most = max(most, int(status.partition("VmHWM:")[2].split()[0] or 0))
            time.sleep(0.02)
    wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 0, command
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, most // 1024
