"""publish --role challenger, editions, challengers, and the key under which people are shared."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.shell import run
from tests.small import (
    CARD,
    TODAY,
    an_application,
    publish_rival,
    small_models,
    small_underwriting,
)

Shell = Callable[..., tuple[int, str, str]]
DRAWN_ON = TODAY + timedelta(days=1)
YEAR_LATER = "2027-11-24"


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
