"""The command line: a person's decision, and disputes with their clock."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from loansvc.ledger import keys
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting, now
from loansvc.web import create_app
from tests.contract.test_cli import NAME, Shell, document, home, models, one_line, shell
from tests.databases import over_both

__all__ = ["home", "models", "shell"]  # fixtures

ASK = ("review", NAME, "referred", "--reference", "V-1", "--by", "A. Asker")
APPROVE = ("override", NAME, "approve", "--reason", "facts_verified", "--reference", "O-1")
LODGE = ("dispute", NAME, "--about", "credit_report", "--by", "A. Asker", "--reference")


@pytest.fixture
def referral(shell: Shell, tmp_path: Path) -> str:
    """The id of an application that the machine referred, of the client bank."""
    asked = document()
    asked["consent"]["scopes"].remove("automated_decision")
    path = tmp_path / "application.json"
    path.write_text(json.dumps(asked), "utf-8")
    assert shell("decide", str(path), "--client", "bank")[1].startswith("refer")
    return NAME


@over_both
def test_two_people_make_a_decision(shell: Shell, referral: str) -> None:
    said = "The case was referred to a person"
    assert shell(*ASK) == (0, f"asked   {referral}   {said}\n", "")
    assert shell(*ASK) == (0, f"asked   {referral}   {said}   (recorded before)\n", "")
    assert shell("reviews")[1] == (
        f"{now().date()}  refer -> open        {referral}   {said}\n1 open reviews\n"
    )
    one_line(shell(*APPROVE, "--by", "a. asker"), "may not be the one who decides")
    status, out, _ = shell(*APPROVE, "--by", "D. Decider", "--amount", "80000")
    assert status == 0
    assert out.startswith(f"approve   {referral}   80,000 yuan   24 months   rate 3.85 %   tier G1")
    assert shell("reviews")[1] == "0 open reviews\n"
    assert "refer -> approve" in shell("reviews", "--state", "closed")[1]
    assert shell("ledger", "verify")[1] == "verified   3 entries\n"


@pytest.mark.parametrize("verb", ["show", "explain"])
def test_what_people_did_stands_below_the_decision(shell: Shell, referral: str, verb: str) -> None:
    before = shell(verb, referral)[1]
    shell(*ASK, "--note", "at the counter")
    shell(*APPROVE, "--by", "D. Decider")
    shell(*LODGE, "X-1", "lodged")
    out = shell(verb, referral)[1]
    today, due = now().date(), now().date() + timedelta(days=20)
    assert out.startswith(before)
    assert out.removeprefix(before).splitlines() == [
        f"  {today}  review asked for by a credit officer: The case was referred to a person "
        "(at the counter)",
        f"  {today}  a person decided: approve: Facts that were not known or in doubt have been "
        "verified",
        "    120,000 yuan   24 months   rate 3.85 %   tier G1",
        f"  {today}  disputed: the credit report, answer due {due}",
    ]
    assert (
        f"{today}  人工决定：批准：已核实系统未知或存疑的事实" in shell(verb, referral, "--zh")[1]
    )


@over_both
def test_overdue_disputes_are_listed_and_told_by_the_status(
    shell: Shell, referral: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell("disputes", "--overdue") == (0, "0 overdue disputes\n", "")
    today = now().date()
    status, out, _ = shell(*LODGE, "X-1", "lodged")
    due = today + timedelta(days=20)
    assert (status, out) == (0, f"lodged   {referral}   the credit report on {today}, due {due}\n")
    line = f"bank   {referral}   the credit report, lodged {today}\n"
    assert shell("disputes") == (0, f"due {due}          {line}1 open disputes\n", "")
    assert shell("disputes", "--overdue")[0] == 0
    later = now() + timedelta(days=21)
    monkeypatch.setattr(Underwriting, "today", lambda _: later.date())
    assert shell("disputes", "--overdue") == (
        1, f"due {due}  OVERDUE {line}1 overdue disputes\n", "",
    )  # fmt: skip
    assert shell("disputes", "--overdue", "--client", "other")[0] == 0


@over_both
def test_json_is_the_body_of_the_api(shell: Shell, referral: str) -> None:
    root = Underwriting.open(Settings.from_environment())
    token = keys.create(
        root.ledger, client="bank", scopes=("read", "review"), now=now(),
        expires_at=now() + timedelta(days=1),
    )[1]  # fmt: skip
    client, headers = create_app(root).test_client(), {"Authorization": f"Bearer {token}"}
    of = f"/v1/decisions/{referral}"
    sent = {"reference": "V-1", "asked_by": "officer", "reason": "referred"}
    out = shell(*ASK, "--json")[1]
    assert client.post(f"{of}/reviews", headers=headers, json=sent).text == out
    out = shell(*APPROVE, "--by", "D. Decider", "--json")[1]
    sent = {"reference": "O-1", "outcome": "approve", "reason": "facts_verified"}
    assert client.post(f"{of}/override", headers=headers, json=sent).text == out
    assert client.get(of, headers=headers).text == shell("show", referral, "--json")[1]
    path = f"{of}/explanation"
    assert client.get(path, headers=headers).text == shell("explain", referral, "--json")[1]
    listed = json.loads(shell("reviews", "--state", "all", "--json")[1])
    assert client.get("/v1/reviews", headers=headers).get_json()["data"] == listed["data"]
    root.ledger._engine.dispose()


def test_nobody_acts_without_a_name(shell: Shell, referral: str) -> None:
    one_line(shell(*ASK[:-1], "  "), "Say who you are: --by NAME")
    assert shell(*ASK[:-2])[0] == 2


def test_a_note_is_held_to_the_same_rule_as_over_http(shell: Shell, referral: str) -> None:
    status, _, err = shell(*ASK, "--note", "call 13812345678")
    assert status == 1
    assert "/note" in err
    assert "13812345678" not in err
