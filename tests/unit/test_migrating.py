"""Tables brought to this version and back: every entry stays, whatever the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loansvc.errors import LedgerUnavailable, SetupRefused
from loansvc.ledger import Ledger, stores
from loansvc.ledger.migrating import losses, take_back
from loansvc.underwriting import Underwriting
from tests import databases
from tests.shell import run
from tests.small import a_fact, an_application, small_underwriting, with_fund

PATIENCE_MS = 500
RELEASED = list(reversed(stores.revisions()))
LASTING = ("entry", "payload", "subject", "subject_key", "keyring", "chain_head", "commitment",
           "fund_account", "related")  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, models: Path, both_databases: str) -> Underwriting:
    """Three decisions, a drawn loan and a fund."""
    made = small_underwriting(tmp_path, models=models)
    lending = with_fund(made, 1_000_000)
    made_on = [made.decide(an_application(n), client="bank")[0].application for n in (1, 2, 3)]
    lending.record(made_on[-1].application_id, a_fact("disbursed", 100_000), client="bank")
    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def what_counts(home: Path) -> dict[str, list[Any]]:
    """Every row but those that a version before this one did not have."""
    rows = databases.everything(home)
    return {name: rows[name] for name in LASTING}


def reopened(home: Path, **given: Any) -> Ledger:
    return Ledger.open(databases.url_of(home), home=home, **given)


@pytest.mark.parametrize("revision", RELEASED[:-1])
def test_a_ledger_of_every_version_is_brought_to_this_one(
    root: Underwriting, home: Path, revision: str
) -> None:
    before = what_counts(home)
    root.ledger._engine.dispose()
    take_back(databases.url_of(home), revision, busy_timeout_ms=PATIENCE_MS)
    assert databases.sql(home, "SELECT version_num FROM alembic_version") == [(revision,)]
    assert databases.sql(home, "SELECT count(*) FROM entry") == [(5,)]
    with pytest.raises(SetupRefused, match="loansvc ledger upgrade"):
        reopened(home)
    upgraded = reopened(home, create=True)
    assert what_counts(home) == before
    assert upgraded.verify() == (5, [])


@pytest.mark.parametrize("revision", ["0000", "base", "head", "", RELEASED[-1]])
def test_what_is_no_earlier_version_is_refused(
    root: Underwriting, home: Path, revision: str
) -> None:
    with pytest.raises(SetupRefused, match="no version before that"):
        losses(databases.url_of(home), revision, busy_timeout_ms=PATIENCE_MS)


def test_nothing_is_taken_back_before_it_is_asked_for(
    root: Underwriting,
    home: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOANSVC_HOME", str(home))
    monkeypatch.setenv("LOANSVC_DATABASE_URL", databases.url_of(home))
    status, out, err = run(capfd, monkeypatch, "ledger", "downgrade", "0001")
    assert status == 1
    assert "0003   Checkpoints" in out
    assert "0002   What the entries add up to" in out
    assert "0001 " not in out
    assert "loansvc ledger downgrade 0001 --yes" in err
    root.ledger.verify()
    assert run(capfd, monkeypatch, "ledger", "downgrade", "0001", "--yes")[0] == 0
    assert databases.sql(home, "SELECT version_num FROM alembic_version") == [("0001",)]
    assert run(capfd, monkeypatch, "ledger", "upgrade")[0] == 0
    assert root.ledger.verify() == (5, [])


def test_a_ledger_somebody_holds_is_taken_back_later(root: Underwriting, home: Path) -> None:
    with (
        root.ledger.transaction(),
        pytest.raises(SetupRefused, match="when it is less busy") as refused,
    ):
        take_back(databases.url_of(home), "0002", busy_timeout_ms=PATIENCE_MS)
    assert "not-a-secret" not in str(refused.value)
    assert root.ledger.verify() == (5, [])


def test_a_service_goes_on_after_the_tables_went_back_and_forth(
    root: Underwriting, home: Path
) -> None:
    """What its connections prepared before fits again, at the latest at the second try."""
    name = root.decide(an_application(1), client="bank")[0].entry.application_id
    for _ in range(8):  # the driver prepares what it sends often
        root.find(name, client="bank")
    databases.sql(home, *narrower(home))
    seen = []
    for _ in range(3):
        try:
            seen.append(root.find(name, client="bank").entry.sequence)
        except LedgerUnavailable:
            seen.append(0)
    assert seen[1:] == [2, 2]


def narrower(home: Path) -> list[str]:
    """A column of another length, as an earlier version had it."""
    if databases.url_of(home).startswith("sqlite"):
        return []
    return ["ALTER TABLE entry ALTER COLUMN decision_id TYPE varchar(80)"]
