"""Rows a second of a portfolio on Spark, in one task and in one for each file; nothing is written.

Run: PYTHONPATH=. .venv-spark/bin/python -m tests.bench.portfolio_on_spark FOLDER
FOLDER holds two parquet files of the same size.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import date
from pathlib import Path

from loansvc.portfolio.spark import score, session_of
from loansvc.registry import Registry
from loansvc.settings import shipped

ON = date(2026, 12, 5)
N_ROUNDS = 3  # the first one waits for Java's compiler


def main(folder: str) -> None:
    session = session_of("local[2]")
    registry = Registry.open(shipped("models"))
    editions = registry.in_force("credit_loan", ON)
    n_rows = session.read.parquet(folder).count()
    largest = max(path.stat().st_size for path in Path(folder).glob("*.parquet"))
    session.conf.set("spark.sql.files.openCostInBytes", "0")
    session.conf.set("spark.sql.files.minPartitionNum", "1")
    process = session._jvm.java.lang.ProcessHandle.current().pid()
    for only_score in (True, False):
        for _ in range(N_ROUNDS):
            for most in (largest, 100 * largest):
                session.conf.set("spark.sql.files.maxPartitionBytes", str(most))
                frame = session.read.parquet(folder)
                answers = score(
                    frame, editions, village_codes=registry.village_codes, on=ON,
                    keys=("application_id",), only_score=only_score,
                )  # fmt: skip
                wall, cpu = time.perf_counter(), cpu_seconds(process)
                answers.write.format("noop").mode("overwrite").save()
                wall, cpu = time.perf_counter() - wall, cpu_seconds(process) - cpu
                print(f"{'score' if only_score else 'decision':<10}"
                      f"{frame.rdd.getNumPartitions()} tasks {n_rows / wall:>10,.0f} rows/s"
                      f"{n_rows / cpu:>10,.0f} rows/CPU s", flush=True)  # fmt: skip
    session.stop()


def cpu_seconds(process: int) -> float:
    """What a process has used so far, from /proc."""
    used = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(sys.argv[1])
