"""A portfolio on Spark says what `decide` and DuckDB say, and loses nothing with a worker.

Run: make test-spark. The cluster is one master and two workers, all on 127.0.0.1.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from loansvc.application import PRODUCTS
from loansvc.decision import Editions
from loansvc.errors import TableRefused
from loansvc.registry import Registry
from loansvc.settings import shipped
from tests.portfolio_rows import Row, agree, answers_in, arrow, decided, rows_of, scored

pytestmark = pytest.mark.spark
ON = date(2026, 12, 5)
LOOPBACK = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "127.0.0.1"}
FEW = "spark.sql.shuffle.partitions"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.open(shipped("models"))


@pytest.fixture(scope="module")
def editions(registry: Registry) -> Editions:
    return registry.in_force("credit_loan", ON)


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    from loansvc.portfolio.spark import session_of

    with pytest.MonkeyPatch.context() as patch:
        for name, value in LOOPBACK.items():
            patch.setenv(name, value)
        session = session_of("local[2]")
        session.conf.set(FEW, "2")
        yield session
        session.stop()


def a_file(folder: Path, registry: Registry, editions: Editions, n: int, **table: Any) -> list[Row]:
    rows = list(rows_of(editions, registry.village_codes, n=n, seed=71, on=ON))
    pq.write_table(arrow(rows), folder / "in.parquet", **table)
    return rows


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_row_is_what_decide_and_duckdb_say(
    registry: Registry, session: Any, product: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not known, edges, least and most of each column; floats to the last bit, reasons in order."""
    from loansvc.portfolio import spark

    editions, codes = registry.in_force(product, ON), registry.village_codes
    rows = a_file(tmp_path, registry, editions, 800)
    spark.run(
        session, str(tmp_path / "in.parquet"), str(tmp_path / "out"), editions,
        village_codes=codes, on=ON,
    )  # fmt: skip
    found = answers_in(tmp_path / "out")
    scored(tmp_path / "in.parquet", tmp_path / "duckdb", editions, codes, ON)
    assert found == answers_in(tmp_path / "duckdb")
    agree(found, rows, (decided(row, editions, on=ON, patch=monkeypatch) for row in rows))


def test_the_same_rows_are_rejected_for_the_same_reasons(
    registry: Registry, editions: Editions, session: Any, tmp_path: Path
) -> None:
    from loansvc.portfolio import spark

    rows = list(rows_of(editions, registry.village_codes, n=40, seed=72, on=ON))
    wrong: list[Row] = [
        {"amount_yuan": None}, {"amount_yuan": 0}, {"purpose": "gambling"},
        {"term_months": 400}, {"village_code": "340521999200"}, {"village_code": None},
        {"purpose": "working_capital\n"}, {"amount_yuan": 2**62}, {"loan_start": date(2020, 1, 1)},
    ]  # fmt: skip
    rows = [row | wrong[i] if i < len(wrong) else row for i, row in enumerate(rows)]
    pq.write_table(arrow(rows), tmp_path / "in.parquet")
    asked: dict[str, Any] = {"village_codes": registry.village_codes, "on": ON}
    summary = spark.run(
        session, str(tmp_path / "in.parquet"), str(tmp_path / "out"), editions, **asked
    )
    scored(tmp_path / "in.parquet", tmp_path / "duckdb", editions, registry.village_codes, ON)
    (path,) = (tmp_path / "out.rejects").glob("*.csv")
    columns = ["row", "field", "code", "detail"]
    told = pa_csv.read_csv(path).select(columns).to_pylist()
    duckdb = pa_csv.read_csv(tmp_path / "duckdb" / "part-00000.rejects.csv")
    wanted = duckdb.select(columns).to_pylist()
    assert sorted(map(str, told)) == sorted(map(str, wanted))
    assert (summary.rows, summary.rejected) == (len(rows) - len(wrong), len(wrong))
    with pytest.raises(TableRefused, match="there already"):
        spark.run(session, str(tmp_path / "in.parquet"), str(tmp_path / "out"), editions, **asked)
    frame = session.read.parquet(str(tmp_path / "in.parquet"))
    flaws = spark.rejected(frame, editions, keys=("application_id",), **asked).collect()
    assert {flaw["application_id"] for flaw in flaws} == {f"R-{i}" for i in range(len(wrong))}


def test_a_job_of_a_bank_gives_a_frame_and_gets_one(
    registry: Registry, editions: Editions, session: Any, tmp_path: Path
) -> None:
    """Reals, texts and columns that are not there; no row number; nothing of Python in the plan."""
    from loansvc.portfolio.spark import score

    a_file(tmp_path, registry, editions, 50)
    frame = session.read.parquet(str(tmp_path / "in.parquet")).drop("household_grade", "education")
    asked: dict[str, Any] = {"village_codes": registry.village_codes, "on": ON}
    answers = score(frame, editions, keys=("application_id",), **asked)
    assert answers.columns[:3] == ["application_id", "score", "pd_12m"]
    plan = answers._jdf.queryExecution().executedPlan().toString()
    assert "Python" not in plan
    assert "BroadcastHashJoin" in plan
    want = sorted(map(str, answers.collect()))
    texts = frame.selectExpr(
        "* EXCEPT (amount_yuan, term_months, loan_start)",
        "CAST(amount_yuan AS DECIMAL(20,2)) AS amount_yuan",
        "CAST(term_months AS STRING) AS term_months", "CAST(loan_start AS STRING) AS loan_start",
    )  # fmt: skip
    again = score(texts, editions, keys=("application_id",), **asked)
    assert sorted(map(str, again.collect())) == want


def test_what_is_no_parquet_is_refused(editions: Editions, session: Any, tmp_path: Path) -> None:
    from loansvc.portfolio.spark import run

    with pytest.raises(TableRefused, match="finds no parquet"):
        run(session, str(tmp_path / "no"), str(tmp_path / "out"), editions,
            village_codes=(), on=ON)  # fmt: skip


# --- a cluster -----------------------------------------------------------------------------------


def a_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Cluster:
    """A master and two workers of one core each, and the Java processes that they start."""

    def __init__(self, folder: Path) -> None:
        import pyspark

        self.folder, self.home = folder, Path(pyspark.__file__).parent
        self.port = a_free_port()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.master = f"spark://127.0.0.1:{self.port}"
        deploy = "org.apache.spark.deploy"
        self._start(f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(self.port),
                    "--webui-port", "0")  # fmt: skip
        self._wait_for("Master", "I have been elected leader")
        self.workers = [
            self._start(f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--webui-port", "0",
                        "--cores", "1", "--memory", "1g", "--work-dir", str(folder / f"w{i}"),
                        self.master)
            for i in range(2)
        ]  # fmt: skip
        for i in (1, 2):
            self._wait_for(f"Worker{i}", "Successfully registered with master")

    def _start(self, java: str, *arguments: str) -> subprocess.Popen[bytes]:
        number = len(self.processes)
        name = f"Worker{number}" if number else "Master"
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [self.home / "bin" / "spark-class", java, *arguments],
                env=os.environ | LOOPBACK | {"SPARK_HOME": str(self.home)},
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def _wait_for(self, name: str, said: str) -> None:
        until = time.monotonic() + 60
        while said not in (self.folder / f"{name}.log").read_text("utf-8"):
            assert time.monotonic() < until, (self.folder / f"{name}.log").read_text("utf-8")
            time.sleep(0.1)

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """The worker and its executor, at once, as when a machine loses power."""
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                self.kill(process)


@contextmanager
def a_cluster(folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(folder)
    try:
        yield cluster
    finally:
        cluster.stop()


def test_one_of_two_workers_killed_in_the_middle_loses_nothing(
    registry: Registry, editions: Editions, tmp_path: Path
) -> None:
    """The command line on a standalone cluster; the answers are those of DuckDB."""
    rows = a_file(tmp_path, registry, editions, 500)
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    table = pq.read_table(tmp_path / "in.parquet")
    n_files = 24
    for i in range(n_files):
        pq.write_table(table, given / f"{i:02}.parquet")
    settings = tmp_path / "conf"
    settings.mkdir()
    (settings / "spark-defaults.conf").write_text(
        "spark.driver.host 127.0.0.1\nspark.executor.memory 512m\n"
        "spark.sql.files.maxPartitionBytes 1000000\nspark.sql.files.openCostInBytes 1000000\n"
    )
    with a_cluster(tmp_path) as cluster:
        command = [sys.executable, "-m", "loansvc", "portfolio", "score", "--engine", "spark",
                   "--master", cluster.master, "--columns", "score", "--on", ON.isoformat(),
                   "--json", str(given), str(out)]  # fmt: skip
        job = subprocess.Popen(
            command, env=os.environ | LOOPBACK | {"SPARK_CONF_DIR": str(settings)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            wait_until_some_are_written(out, job)
            cluster.kill(cluster.workers[0])
            still_running = not (out / "_SUCCESS").exists()
            said, errors = job.communicate(timeout=180)
        finally:
            job.terminate()
    assert job.returncode == 0, errors.decode()
    assert still_running
    assert json.loads(said)["rows"] == n_files * len(rows)
    assert "ExecutorLost" in errors.decode() or "Lost executor" in errors.decode()
    codes = registry.village_codes
    scored(tmp_path / "in.parquet", tmp_path / "duckdb", editions, codes, ON, only_score=True)
    wanted = sorted(map(str, answers_in(tmp_path / "duckdb")))
    found = sorted(map(str, answers_in(out)))
    assert found == sorted(wanted * n_files)


def wait_until_some_are_written(out: Path, job: subprocess.Popen[bytes]) -> None:
    """Parts of the answer lie there, of both workers, and not yet all."""
    until = time.monotonic() + 180
    while len(list(out.glob("_temporary/0/task_*"))) < 2:
        assert job.poll() is None, job.communicate()[1].decode()
        assert time.monotonic() < until
        time.sleep(0.05)
