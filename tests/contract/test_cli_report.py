"""`loansvc report`: a period as text, JSON, CSV and a page."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc.monitoring.reading import last_decided, n_decided
from loansvc.underwriting import SHANGHAI
from tests.shell import run as shell_run
from tests.small import WANGTAN, an_application, small_models, small_underwriting

MIDNIGHT = datetime(2026, 11, 23, 0, 0, tzinfo=SHANGHAI)
PERIOD = ("--from", "2026-11-23", "--to", "2026-11-23")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_models(tmp_path_factory.mktemp("small"))


@pytest.fixture
def shell(
    models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))

    def run(*arguments: str) -> tuple[int, str, str]:
        return shell_run(capfd, monkeypatch, "report", *arguments)

    return run


@pytest.fixture
def ledger(tmp_path: Path, models: Path) -> None:
    """Four people of two clients, at the edges of 23 November in county time."""
    at = [MIDNIGHT]
    root = small_underwriting(tmp_path, models=models, clock=lambda: at[0])
    moments = (
        MIDNIGHT, MIDNIGHT + timedelta(hours=23, minutes=59, seconds=59, milliseconds=999),
        MIDNIGHT + timedelta(days=1), MIDNIGHT - timedelta(milliseconds=1),
    )  # fmt: skip
    for number, moment in enumerate(moments):
        at[0] = moment
        root.decide(
            an_application(number, applied_on="2026-11-20"), client="bank" if number else "other"
        )
    root.ledger._engine.dispose()


def in_json(shell: Any, *arguments: str) -> Any:
    status, out, err = shell(*arguments, "--json")
    assert (status, err) == (0, "")
    return json.loads(out)


@pytest.mark.usefixtures("ledger")
def test_first_and_last_day_count_to_their_ends_for_every_client(shell: Any) -> None:
    assert in_json(shell, *PERIOD)["total"]["applications"] == 2
    assert in_json(shell, "--from", "2026-11-22", "--to", "2026-11-24")["total"] == {
        "applications": 4, "approved": 4, "referred": 0, "declined": 0,
        "approval_rate_percent": 100.0, "asked_yuan": 480_000, "approved_yuan": 480_000,
        "by_person": 0, "finally_approved": 4, "finally_declined": 0,
        "finally_approved_yuan": 480_000,
        "guaranteed_yuan": 384_000, "guaranteed_share_percent": 80.0,
        "local_guarantor_yuan": 192_000, "subsidy_yuan": 0, "expected_loss_yuan": 2_320,
        "expected_loss_bank_yuan": 464,
    }  # fmt: skip


def test_an_entry_that_is_no_decision_is_not_read(shell: Any, tmp_path: Path, models: Path) -> None:
    """Of the same product and day, of a kind with a payload that no report could read."""
    root = small_underwriting(tmp_path, models=models, clock=lambda: MIDNIGHT)
    decided, _ = root.decide(an_application(1, applied_on="2026-11-20"), client="bank")
    columns = asdict(decided.entry)
    for name in ("sequence", "subject_ref", "payload_digest", "previous_hash", "hash"):
        del columns[name]
    with root.ledger.writing() as ledger:
        subject = ledger.subject_for(an_application(1).applicant.id_number)
        ledger.append(subject, {}, **{**columns, "kind": "note", "decision_id": "another"})
    assert n_decided(root, "credit_loan", most=10) == 1
    assert [one.entry for one in last_decided(root, "credit_loan", 10)] == [decided.entry]
    root.ledger._engine.dispose()
    assert in_json(shell, *PERIOD)["total"]["applications"] == 1


@pytest.mark.usefixtures("ledger")
def test_an_empty_period_is_an_answer_with_zeros(shell: Any) -> None:
    body = in_json(shell, "--from", "2025-01-01", "--to", "2025-12-31")
    assert body["total"]["applications"] == 0
    assert body["total"]["approval_rate_percent"] is None
    assert {r["key"]: r["applications"] for r in body["by"]["product"]["rows"]} == {
        "credit_loan": 0, "talent_loan": 0, "fast_loan": 0, "online_loan": 0,
    }  # fmt: skip


@pytest.mark.usefixtures("ledger")
def test_a_village_of_two_people_is_hidden_unless_asked_for(shell: Any) -> None:
    [row] = in_json(shell, *PERIOD)["by"]["village"]["rows"]
    assert (row["key"], row["suppressed"], row["approved_yuan"]) == (WANGTAN, True, None)
    [row] = in_json(shell, *PERIOD, "--all-cells")["by"]["village"]["rows"]
    assert (row["suppressed"], row["approved_yuan"]) == (False, 240_000)
    # The village, their group and the department that vouched for it.
    assert "show the number of applications alone: 3 rows here" in shell(*PERIOD)[1]
    assert "do not pass them on" in shell(*PERIOD, "--all-cells")[1]


@pytest.mark.usefixtures("ledger")
def test_the_text_has_every_dimension_and_says_how_the_subsidy_is_computed(shell: Any) -> None:
    status, out, err = shell(*PERIOD)
    assert (status, err) == (0, "")
    assert out.startswith("Decided from 2026-11-23 to 2026-11-23: 2\n")
    for part in ("product", "group", "department that vouched", "village", "month"):
        assert f"\nBy {part}" in out
    assert "subsidy in basis points / 10,000" in out


@pytest.mark.usefixtures("ledger")
def test_csv_and_page_are_written_beside_the_text(shell: Any, tmp_path: Path) -> None:
    table, page = tmp_path / "new" / "r.csv", tmp_path / "new" / "r.html"
    _, out, _ = shell(*PERIOD, "--csv", str(table), "--html", str(page))
    assert out.endswith(f"{table}\n{page}\n")
    with table.open(encoding="utf-8-sig", newline="") as file:
        total = next(r for r in csv.DictReader(file) if r["dimension"] == "total")
    assert (total["key"], total["applications"]) == ("2026-11-23/2026-11-23", "2")
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert {p.name for p in table.parent.iterdir()} == {"r.csv", "r.html"}


@pytest.mark.usefixtures("ledger")
def test_nobody_is_named(shell: Any, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    _, out, _ = shell(*PERIOD, "--all-cells", "--html", str(page), "--json")
    person = an_application(0)
    for said in (out, page.read_text("utf-8")):
        assert person.applicant.id_number not in said
        assert person.application_id not in said


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--from", "2026-11-24", "--to", "2026-11-23"), id="ends before it starts"),
        pytest.param(("--from", "2026-11-24"), id="no end"),
        pytest.param(("--from", "yesterday", "--to", "2026-11-23"), id="no day"),
    ],
)
def test_wrong_usage_is_exit_2(shell: Any, arguments: tuple[str, ...]) -> None:
    status, out, err = shell(*arguments)
    assert (status, out) == (2, "")
    assert "Usage:" in err


@pytest.mark.parametrize(
    ("until", "says"),
    [
        pytest.param(
            "2026-11-31", "2026-11-31 is a day that does not exist: 2026-11 has 30 days", id="day"
        ),
        pytest.param("2027-02-29", "the last is 2027-02-28.", id="no leap year"),
        pytest.param("2026-13-01", "months go from 01 to 12.", id="month"),
        pytest.param("2026-11-00", "2026-11-00 is a day that does not exist", id="day 0"),
        pytest.param("0000-01-01", "years go from 0001.", id="year 0"),
        pytest.param("30.11.2026", "YYYY-MM-DD, such as 2026-11-30.", id="written otherwise"),
    ],
)
def test_a_day_that_does_not_exist_is_said_as_such(shell: Any, until: str, says: str) -> None:
    status, out, err = shell("--from", "2026-11-01", "--to", until)
    assert (status, out) == (2, "")
    assert says in err


@pytest.mark.usefixtures("ledger")
def test_the_29th_of_february_of_a_leap_year_is_a_day(shell: Any) -> None:
    body = in_json(shell, "--from", "2024-02-29", "--to", "2024-02-29")
    assert body["to"] == "2024-02-29"


def test_without_a_ledger_the_refusal_says_how_to_make_one(shell: Any, tmp_path: Path) -> None:
    status, out, err = shell(*PERIOD, "--csv", str(tmp_path / "r.csv"))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "There is no ledger at" in err
    assert not (tmp_path / "r.csv").exists()
