"""`loansvc history`: recorded decisions to a table, and from that table to a card."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from loansvc.application import from_record
from loansvc.ledger.commitments import Fact
from loansvc.lending import Lending
from loansvc.monitoring.history import COLUMNS, FOR_TRAINING
from loansvc.registry import Registry
from loansvc.settings import Settings, shipped
from loansvc.training.records import application_records
from loansvc.training.synthetic import generate
from loansvc.underwriting import SHANGHAI, Underwriting, now
from tests.contract.test_cli import Shell, file, home, models, shell

__all__ = ["file", "home", "models", "shell"]  # fixtures

DAYS = ("--from", "2024-03-01", "--to", "2024-03-01")
N_APPLICATIONS = 240


@pytest.fixture
def past(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Synthetic people decided in 2024 by the shipped editions; every third loan turned bad."""
    monkeypatch.setenv("LOANSVC_MODELS", str(shipped("models")))
    on = date(2024, 3, 1)
    moment = [datetime(2024, 3, 1, 9, tzinfo=SHANGHAI)]
    settings = Settings.from_environment()
    ledger = Underwriting.open(settings, create=True).ledger
    root = Underwriting(Registry.open(shipped("models")), ledger, clock=lambda: moment[0])
    people = generate(N_APPLICATIONS, seed=3).frame
    approved = []
    for record in application_records(people, product="credit_loan", applied_on=on, seed=3):
        recorded, _ = root.decide(from_record(record), client="bank")
        if recorded.decision["outcome"] == "approve":
            approved.append(recorded)
    for kind, days in (("disbursed", 3), ("days_past_due", 200)):
        moment[0] += timedelta(days=days)
        for recorded in approved[:: 1 if kind == "disbursed" else 3]:
            amount = recorded.decision["offer"]["amount_yuan"] if kind == "disbursed" else None
            fact = Fact(reference=kind, kind=kind, on=moment[0].date(), amount_yuan=amount,
                        days=None if amount else 91)  # fmt: skip
            Lending(root).record(recorded.entry.application_id, fact, client="bank")
    ledger.close()


def test_a_card_is_trained_on_what_was_recorded(shell: Shell, past: None, tmp_path: Path) -> None:
    table, card = tmp_path / "table.parquet", tmp_path / "card.json"
    found = shell.json("history", *DAYS, str(table), "--for-training")
    n_bad, n_good = found["by_state"]["bad"], found["by_state"]["good"]
    assert n_bad > 10
    assert n_good > n_bad
    assert found["credit_reports"]["after_repair"] == 0  # it is 2024
    assert list(pd.read_parquet(table).columns) == list(FOR_TRAINING)
    status, out, err = shell(
        "train", "--data", str(table), "--target", "target", "--family", "woe", "--synthetic",
        "--product", "credit_loan", "--valid-from", "2027-01-01", "--reference", "test",
        "--operator", "A. Analyst", "--window-months", "12", "--out", str(card),
    )  # fmt: skip
    assert status == 0, err
    assert f"{n_bad + n_good} cases, {n_bad} bad" in out


def test_a_table_of_both_sides_of_the_repair_says_so(shell: Shell, file: Path) -> None:
    """Reports of before and after it stand in one table only where somebody asks for that."""
    for name, reported_on in (("A", "2025-12-31"), ("B", "2026-01-01")):
        document = json.loads(file.read_text("utf-8")) | {"application_id": name}
        document["credit_report"] |= {"reported_on": reported_on, "repair_applied": False}
        file.write_text(json.dumps(document), "utf-8")
        assert shell("decide", str(file))[0] == 0
    status, out, _ = shell("history", "--from", f"{now().date()}", "--to", f"{now().date()}",
                           str(file.with_suffix(".csv")))  # fmt: skip
    assert status == 0
    assert "Credit reports of before (1) and after (1) the one-time repair" in out


def test_both_formats_say_the_same(shell: Shell, past: None, tmp_path: Path) -> None:
    for name in ("table.csv", "table.parquet"):
        status, out, _ = shell("history", *DAYS, str(tmp_path / name))
        assert (status, out.splitlines()[0].split("   ")[1].split(" ")[0]) == (
            0, str(N_APPLICATIONS),
        )  # fmt: skip
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as opened:
        header, *lines = csv.reader(opened)
    frame = pd.read_parquet(tmp_path / "table.parquet")
    assert header == list(frame.columns) == list(COLUMNS)
    assert [line[0] for line in lines] == frame["decision_id"].tolist()
    assert [line[-1] for line in lines] == [
        "" if pd.isna(target) else f"{target:.0f}" for target in frame["target"]
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--from", "2024-03-01", "table.csv"),
        ("--from", "2024-03-02", "--to", "2024-03-01", "table.csv"),
        (*DAYS, "--as-of", "2024-02-29", "table.csv"),
        (*DAYS, "--as-of", "2999-01-01", "table.csv"),
        (*DAYS, "table.xlsx"),
    ],
)
def test_wrong_usage_is_exit_2(shell: Shell, arguments: tuple[str, ...]) -> None:
    shell("ledger", "upgrade")
    status, out, err = shell("history", *arguments)
    assert (status, out) == (2, "")
    assert "Usage:" in err


def test_a_run_that_fails_leaves_the_table_as_it_was(
    shell: Shell, past: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "table.csv"
    table.write_text("as before\n")
    from loansvc.cli import history

    def broken(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(history.WRITERS, ".csv", broken)
    status, out, err = shell("history", *DAYS, str(table))
    assert (status, out) == (1, "")
    assert "No space left on device" in err
    assert table.read_text() == "as before\n"
    assert [path.name for path in tmp_path.glob("*.csv")] == ["table.csv"]
