"""The command line: what became of a loan, and the guarantee fund."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from loansvc.ledger import keys
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting, now
from loansvc.web import create_app
from tests.contract.test_cli import (
    NAME,
    Shell,
    document,
    file,
    home,
    models,
    one_line,
    shell,
)

__all__ = ["file", "home", "models", "shell"]  # fixtures

SET = ("fund", "set", "--capital", "1000000", "--reference", "balance of the bank",
       "--approver", "A. Approver")  # fmt: skip


@pytest.fixture
def loan(shell: Shell, file: Path) -> str:
    """The id of an approved application of the client bank, the fund's capital stated."""
    assert shell(*SET)[0] == 0
    assert shell("decide", str(file), "--client", "bank")[0] == 0
    return NAME


def test_a_report_is_recorded_once(shell: Shell, loan: str) -> None:
    report = ("outcome", loan, "disbursed", "--amount", "100000", "--reference", "D-1")
    first, again = shell(*report), shell(*report)
    line = f"{now().date()}  disbursed          100,000 yuan  D-1\n"
    assert first == (0, f"recorded   {line}", "")
    assert again == (0, f"recorded before   {line}", "")
    status, out, _ = shell("outcomes", loan)
    assert status == 0
    assert out == (
        f"drawn   {loan}   outstanding 100,000 yuan   fund 40,000 yuan   claims 0 yuan\n  {line}"
    )


def test_days_past_due_are_reported_in_days(shell: Shell, loan: str) -> None:
    shell("outcome", loan, "disbursed", "--amount", "100000", "--reference", "D-1")
    _, out, _ = shell("outcome", loan, "days_past_due", "--days", "31", "--reference", "P-1")
    assert out == f"recorded   {now().date()}  days_past_due           31 days  P-1\n"


def test_a_report_names_the_one_that_it_corrects(shell: Shell, loan: str) -> None:
    shell("outcome", loan, "disbursed", "--amount", "100000", "--reference", "D-1")
    shell("outcome", loan, "days_past_due", "--days", "95", "--reference", "P-1")
    wrong = ("outcome", loan, "withdrawn", "--corrects", "P-1", "--reference", "W-1")
    line = f"{now().date()}  withdrawn                        W-1  corrects P-1\n"
    assert shell(*wrong) == (0, f"recorded   {line}", "")
    assert shell.json("outcomes", loan)["loan"]["overdue"] is False


def test_json_is_the_body_of_the_api(shell: Shell, loan: str) -> None:
    root = Underwriting.open(Settings.from_environment())
    token = keys.create(
        root.ledger, client="bank", scopes=("read", "outcome"), now=now(),
        expires_at=now() + timedelta(days=1),
    )[1]  # fmt: skip
    client, headers = create_app(root).test_client(), {"Authorization": f"Bearer {token}"}
    report = ("outcome", loan, "disbursed", "--amount", "1", "--reference", "D-1", "--json")
    _, out, _ = shell(*report)
    same = {"reference": "D-1", "kind": "disbursed", "on": str(now().date()), "amount_yuan": 1}
    path = f"/v1/decisions/{loan}/outcomes"
    assert client.post(path, headers=headers, json=same).text == out
    assert client.get(path, headers=headers).text == shell("outcomes", loan, "--json")[1]
    status, body = json.loads(shell("fund", "status", "--json")[1]), None
    body = client.get("/v1/fund", headers=headers).get_json()
    assert {**status, "as_of": None} == {**body, "as_of": None}
    root.ledger._engine.dispose()


def test_a_report_that_cannot_be_is_one_line(shell: Shell, loan: str) -> None:
    one_line(shell("outcome", loan, "balance", "--amount", "1", "--reference", "B"),
             "not disbursed yet")  # fmt: skip
    one_line(shell("outcome", "none", "repaid", "--reference", "B"), "no decision")


def test_a_report_with_a_wrong_field_names_it_on_a_line_of_its_own(shell: Shell, loan: str) -> None:
    result = shell("outcome", loan, "repaid", "--amount", "1", "--reference", "B")
    assert result == (
        1, "",
        "loansvc: Some fields need correcting.\n  /amount_yuan  Is not part of this kind.\n",
    )  # fmt: skip


def test_a_decline_has_no_loan(shell: Shell, file: Path) -> None:
    file.write_text(json.dumps(document(purpose="securities")))
    shell("decide", str(file))
    assert shell("outcomes", NAME)[1] == f"no loan   {NAME}   the decision is no approval\n"


def test_the_state_of_the_fund_is_shown(shell: Shell, loan: str) -> None:
    status, out, err = shell("fund", "status")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"capital 1,000,000 yuan on {now().date()} (balance of the bank)",
        "              0 yuan  claims paid since: compensation rate 0.00 %",
        "      1,000,000 yuan  capital left",
        "         48,000 yuan  reserved for open offers",
        "              0 yuan  share of loans drawn",
        *(
            f"  {product:<12} 10 x: 9,952,000 yuan free, one client 100,000 yuan"
            for product in ("credit_loan", "talent_loan", "fast_loan", "online_loan")
        ),
    ]


def test_without_a_capital_the_caps_are_said_not_to_be_tested(shell: Shell) -> None:
    shell("ledger", "upgrade")
    assert shell("fund", "status")[1].startswith("No capital is stated: caps are not tested.")


def test_a_statement_lists_every_movement(shell: Shell, loan: str) -> None:
    shell("outcome", loan, "disbursed", "--amount", "100000", "--reference", "D-1")
    status, out, _ = shell("fund", "statement", "--from", "2026-01-01")
    assert status == 0
    rows = [line.split("  ")[1].strip() for line in out.splitlines()[2:-1]]
    assert rows == ["capital stated", "reserved for an offer", "loan drawn"]
    sums = [part.strip() for part in out.splitlines()[-1].removeprefix("closing").split("yuan")]
    assert sums == ["1,000,000", "0", "40,000", ""]
    found = shell.json("fund", "statement", "--from", "2026-01-01")
    assert found["closing"]["guaranteed_yuan"] == 40_000


@pytest.mark.parametrize(
    "arguments",
    [
        ("fund", "set", "--capital", "-1", "--reference", "r", "--approver", "a"),
        ("fund", "set", "--capital", "1"),
        ("fund", "statement"),
        ("outcome", "x", "lost", "--reference", "r"),
        ("outcome", "x", "repaid"),
    ],
)
def test_wrong_usage_is_exit_2(shell: Shell, arguments: tuple[str, ...]) -> None:
    status, out, err = shell(*arguments)
    assert (status, out) == (2, "")
    assert "Usage:" in err


def test_what_follows_from_the_entries_is_worked_out_anew(
    shell: Shell, loan: str, home: Path
) -> None:
    with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
        connection.execute("UPDATE fund_account SET reserved_yuan = 0")
    status, out, err = shell("ledger", "verify")
    assert (status, out) == (1, "entry 2: the fund's account is not what the entries add up to\n")
    assert err.endswith("loansvc ledger rebuild\n")
    assert shell("ledger", "rebuild") == (0, "rebuilt   from 2 entries\n", "")
    assert shell("ledger", "verify") == (0, "verified   2 entries\n", "")


def test_a_capital_to_come_is_refused(shell: Shell) -> None:
    tomorrow = now().date() + timedelta(days=1)
    one_line(shell(*SET, "--on", str(tomorrow)), "must not be after today")
