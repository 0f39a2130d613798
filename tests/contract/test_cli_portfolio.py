"""`loansvc portfolio score`: what it prints, and how it says no."""

from __future__ import annotations

import builtins
import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from loansvc.registry import Registry
from tests.portfolio_rows import GOOD, arrow
from tests.shell import run
from tests.small import publish_rival, small_models

ROW = {"application_id": "A-1", "village_code": "340521102200", **GOOD}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    pq.write_table(arrow([ROW, {**ROW, "purpose": "gambling"}]), tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


def test_what_is_printed(
    table: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = table.parent / "out"
    status, said, _ = run(capfd, monkeypatch, "portfolio", "score", table, out, "--on",
                          "2026-12-05")  # fmt: skip
    assert status == 0
    first, missing, under = said.splitlines()
    assert first == f"1 scored   1 rejected   {out}"
    assert missing.startswith("  no such column, so known of nobody: guarantee_start, loan_start,")
    assert under == (
        "  under scorecard 2026-12-01 · villages 2026-12-01 · policy 2026-11-26 · rates 2019-08-20"
    )


def test_a_share_of_a_challenger_is_left_out_and_told(
    table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    models = small_models(tmp_path)
    publish_rival(models, tmp_path, share_percent=10)
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    out = table.parent / "out.csv"
    _, said, _ = run(capfd, monkeypatch, "portfolio", "score", table, out, "--on", "2026-12-05")
    assert said.endswith("  all by the champion; challengers decide 10 % of recorded applicants\n")
    _, given, _ = run(capfd, monkeypatch, "portfolio", "score", table, out, "--on", "2026-12-05",
                      "--again", "--json")  # fmt: skip
    champion = Registry.open(models).in_force("credit_loan", date(2026, 12, 5)).scorecard
    assert json.loads(given)["editions"]["scorecard"]["digest"] == champion.digest


def test_as_json(
    table: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, said, _ = run(capfd, monkeypatch, "portfolio", "score", table, table.parent / "out.csv",
                     "--columns", "score", "--on", "2026-12-05", "--json")  # fmt: skip
    document = json.loads(said)
    assert (document["rows"], document["rejected"], document["parts"]) == (1, 1, 1)
    assert document["editions"]["scorecard"]["digest"].startswith("sha256:")
    assert (
        (table.parent / "out.csv").read_text().startswith("application_id,row,score,pd_12m,grade")
    )


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        pytest.param(["--on", "2019-07-01"], 1, "is in force on 2019-07-01", id="too early"),
        pytest.param(["--memory", "1MB"], 1, "Give 300MB or more", id="too little memory"),
        pytest.param(["--key", "nobody"], 1, "Column 'nobody' is not in the table", id="no key"),
        pytest.param(["--product", "gift"], 2, "is not one of", id="no product"),
    ],
)
def test_refusals_are_one_line(
    table: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], status: int, says: str,
) -> None:  # fmt: skip
    out = table.parent / "out"
    given = ["--on", date(2026, 12, 5).isoformat(), *arguments]
    left, _, err = run(capfd, monkeypatch, "portfolio", "score", table, out, *given)
    assert left == status
    assert says in err
    assert "Traceback" not in err


def test_an_install_that_only_serves_says_what_lacks(
    table: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "loansvc.portfolio.run":
            raise ModuleNotFoundError("No module named 'duckdb'", name="duckdb")
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    status, _, err = run(capfd, monkeypatch, "portfolio", "score", table, table.parent / "out")
    assert status == 1
    assert "pip install 'loansvc[portfolio]'" in err


@pytest.mark.parametrize(
    ("engine", "given"),
    [
        pytest.param("spark", ("--memory", "4GB"), id="memory of Spark's"),
        pytest.param("spark", ("--threads", "8"), id="threads of Spark's"),
        pytest.param("duckdb", ("--master", "local[4]"), id="no master"),
    ],
)
def test_what_the_engine_would_not_heed_is_refused(
    table: Path, engine: str, given: tuple[str, str], capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    status, _, said = run(
        capfd, monkeypatch, "portfolio", "score", table, "out", "--engine", engine, *given
    )
    assert status == 2
    assert f"{given[0]} means nothing with --engine {engine}. Leave it out." in said
