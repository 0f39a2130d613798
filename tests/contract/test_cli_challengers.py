"""publish --role challenger, editions, challengers, and the key under which people are shared."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc.lending import Lending
from loansvc.underwriting import Underwriting
from tests.shell import run
from tests.small import (
    CARD,
    TODAY,
    Clock,
    a_fact,
    an_application,
    publish_rival,
    small_models,
    small_underwriting,
)

Shell = Callable[..., tuple[int, str, str]]
DRAWN_ON = TODAY + timedelta(days=1)
YEAR_LATER = "2027-11-25"  # the day after the window


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return small_models(tmp_path)


@pytest.fixture
def shell(
    models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    return lambda *arguments: run(capfd, monkeypatch, *arguments)


def a_draft(tmp_path: Path, **changes: Any) -> Path:
    draft = tmp_path / "draft.json"
    draft.write_text(json.dumps({**CARD, "product": "credit_loan", "base_points": 560, **changes}))
    return draft


def publish(shell: Shell, draft: Path, *terms: str) -> tuple[int, str, str]:
    return shell("publish", draft, "--approver", "me", "--role", "challenger", *terms)


# --- publishing ---------------------------------------------------------------------------------


def test_end_and_share_are_published_and_listed(shell: Shell, tmp_path: Path) -> None:
    terms = ("--until", "2027-06-30", "--share", "10")
    status, out, _ = publish(shell, a_draft(tmp_path), *terms)
    assert status == 0
    assert "challenger  until 2027-06-30   decides 10 %   buckets from" in out
    listed = shell("editions", "--on", "2027-06-30")[1]
    assert "until 2027-06-30   decides 10 %" in listed
    data = json.loads(shell("editions", "--on", "2027-06-30", "--json")[1])["data"]
    [challenger] = [e for e in data if e["role"] == "challenger"]
    assert (challenger["until"], challenger["share_percent"]) == ("2027-06-30", 10)
    assert "challenger" not in shell("editions", "--on", "2027-07-01")[1]


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        (("--until", "2026-06-30"), "before its first day 2026-07-01"),
        (("--share", "41"), "51 percent on 2026-07-01, and 50 is the most. Ask for 40 at most"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(
    shell: Shell, models: Path, tmp_path: Path, terms: tuple[str, ...], says: str
) -> None:
    publish_rival(models, tmp_path, base_points=570, share_percent=10)
    status, out, err = publish(shell, a_draft(tmp_path), *terms)
    assert (status, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1


def test_a_publication_is_an_entry_with_end_and_share(shell: Shell, tmp_path: Path) -> None:
    small_underwriting(tmp_path, models=tmp_path / "models")
    publish(shell, a_draft(tmp_path), "--until", "2027-06-30", "--share", "10")
    assert "until 2027-06-30 · share_percent 10" in shell("audit")[1]
    assert shell("ledger", "verify")[0] == 0


def test_the_key_by_which_people_are_shared_is_not_retired(
    shell: Shell, models: Path, tmp_path: Path
) -> None:
    """Else whom a challenger has decided on would be decided on by the champion the next time."""
    publish_rival(models, tmp_path, share_percent=10)
    root = small_underwriting(tmp_path, models=models)
    root.decide(an_application(), client="bank")
    assert shell("vault", "rotate", "pseudonym")[0] == 0
    status, _, err = shell("vault", "retire", "pseudonym", "1")
    assert status == 1
    assert "decides 10 percent of them. End its share first: loansvc publish" in err
    status, _, _ = publish(shell, tmp_path / "rival.json", "--valid-from", str(date.today()))  # noqa: DTZ011
    assert status == 0
    assert shell("vault", "retire", "pseudonym", "1")[0] == 0


# --- the report ---------------------------------------------------------------------------------


def decided(root: Underwriting, n: int) -> None:
    """n small loans, half of them of young businesses; every third goes bad within a year."""
    clock = root.clock
    assert isinstance(clock, Clock)
    for number in range(n):
        age = "2022-04-01" if number % 2 else "2024-12-01"
        application = an_application(
            number, application_id=f"a{number}", loan__amount_yuan=20_000, business__started_on=age
        )
        root.decide(application, client="bank")
    lending = Lending(root)
    clock.forward(1)
    for number in range(n):
        fact = a_fact("disbursed", 20_000, on=DRAWN_ON)
        lending.record(f"a{number}", fact, client="bank")
    clock.forward(200)
    for number in range(0, n, 3):
        fact = a_fact("days_past_due", days=95, on=root.today())
        lending.record(f"a{number}", fact, client="bank")


@pytest.fixture
def watched(models: Path, tmp_path: Path) -> str:
    """A challenger that only shadows, 40 decisions and their loans; its digest."""
    digest = publish_rival(models, tmp_path, base_points=500)
    decided(small_underwriting(tmp_path, models=models, clock=Clock()), 40)
    return digest


@pytest.mark.usefixtures("watched")
def test_the_report_adds_up(shell: Shell, watched: str) -> None:
    body = json.loads(shell("challengers", "--to", YEAR_LATER, "--json")[1])
    [one] = body["challengers"]
    assert one["challenger"]["digest"] == watched
    assert (one["decisions"], one["decided_by_challenger"]) == (40, 0)
    assert sum(map(sum, one["moves"])) == 40
    flips = {(f["champion"], f["challenger"]): f["n"] for f in one["flips"]}
    assert flips == {("approve", "refer"): 20, ("approve", "decline"): 20}
    assert one["flips"][0]["share"] == {"value": 0.5, "low": 0.351995, "high": 0.648005}
    assert one["by_champion"]["approved_yuan"] == 40 * 20_000
    assert one["by_challenger"]["approved_yuan"] == 0
    assert [sum(one[s]["grades"].values()) for s in ("by_champion", "by_challenger")] == [40, 40]
    assert (one["loans"], one["bad"]) == (40, 14)
    assert one["gini"]["difference"]["value"] == 0
    calibration = one["by_champion"]["calibration"]
    assert [sum(row[k] for row in calibration) for k in ("loans", "bad")] == [40, 14]
    assert one["verdict"]["says"] == "promote", "a third bad, as only the challenger expects"


@pytest.mark.usefixtures("watched")
def test_before_a_year_is_over_nothing_is_known_of_loans(shell: Shell) -> None:
    body = json.loads(shell("challengers", "--to", "2027-11-24", "--json")[1])
    [one] = body["challengers"]
    assert (one["decisions"], one["loans"], one["gini"]) == (40, 0, None)
    assert one["verdict"]["says"] == "keep watching"


@pytest.mark.usefixtures("watched")
def test_it_is_told_in_both_languages_and_as_a_page(shell: Shell, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    out = shell("challengers", "--to", YEAR_LATER, "--html", page)[1]
    assert "Promote: the challenger's PDs were nearer to what happened" in out
    assert "approve -> decline" in out
    zh = shell("challengers", "--to", YEAR_LATER, "--zh")[1]
    assert "建议晋升" in zh
    assert "批准→不予批准" in zh
    assert "Promote" not in zh
    shown = page.read_text("utf-8")
    assert "建议晋升" in shown
    assert "Promote: the challenger&#x27;s PDs" in shown
    assert "<script" not in shown


def test_a_challenger_that_has_met_nobody_is_shown(
    shell: Shell, models: Path, tmp_path: Path
) -> None:
    small_underwriting(tmp_path, models=models)
    assert "There is no challenger." in shell("challengers")[1]
    publish_rival(models, tmp_path)
    out = shell("challengers", "--product", "credit_loan", "--to", "2026-12-01")[1]
    assert "judged by both             0" in out
    assert "no loan has a known end yet" in out
    assert "There is no challenger." in shell("challengers", "--product", "fast_loan")[1]


def test_days_the_wrong_way_round_are_wrong_usage(shell: Shell, tmp_path: Path) -> None:
    small_underwriting(tmp_path, models=tmp_path / "models")
    assert shell("challengers", "--from", "2026-12-02", "--to", "2026-12-01")[0] == 2
