"""A whole ledger moved from one database into another: every row, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from loansvc.errors import LedgerDamaged, SetupRefused
from loansvc.ledger import Ledger
from loansvc.ledger.copying import FLEETING
from tests import databases, postgres
from tests.databases import KINDS, POSTGRESQL, SQLITE
from tests.shell import run
from tests.small import a_fact, an_application, small_underwriting, with_fund
from tests.unit.test_ledger import append

WAYS = [(SQLITE, POSTGRESQL), (POSTGRESQL, SQLITE), (SQLITE, SQLITE), (POSTGRESQL, POSTGRESQL)]


@pytest.fixture
def ledger(tmp_path: Path, models: Path, both_databases: str) -> Ledger:
    """Decisions, a drawn loan, a fund, a key: something in most tables."""
    root = small_underwriting(tmp_path, models=models)
    lending = with_fund(root, 1_000_000)
    decided = [root.decide(an_application(n), client="bank")[0] for n in (1, 2, 3)]
    lending.record(decided[0].entry.application_id, a_fact("disbursed", 100_000), client="bank")
    with root.ledger.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO nonce VALUES ('key', 'nonce', '2026')")
        connection.exec_driver_sql(
            "INSERT INTO client_key VALUES ('id', '银行', 'd', 's', 'c', 'e', NULL, '张三', '', '')"
        )
    return root.ledger


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the ledger and its keys are."""
    return tmp_path / "home"


def place(folder: Path, kind: str) -> tuple[Path, str]:
    """Somewhere for a copy: the home it would be of, and the URL."""
    folder.mkdir(exist_ok=True)
    with databases.using(kind):
        return folder, databases.url_of(folder)


def rows(folder: Path, kind: str) -> dict[str, Any]:
    with databases.using(kind):
        return databases.everything(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_is_copied_and_verifies(
    ledger: Ledger, home: Path, tmp_path: Path, both_databases: str, kind: str
) -> None:
    before = rows(home, both_databases)
    assert before["nonce"]
    folder, url = place(tmp_path / "copy", kind)
    told: list[tuple[int, int]] = []
    assert ledger.copy_to(url, progress=lambda done, of: told.append((done, of))) == 5
    after = rows(folder, kind)
    lasting = {name: found for name, found in before.items() if name not in FLEETING}
    assert after == {**lasting, **{name: [] for name in FLEETING}}
    n_rows = sum(len(found) for found in lasting.values())
    assert told[-1] == (n_rows, n_rows)
    assert Ledger.open(url, home=home).verify() == (5, [])


def test_there_and_back_again_is_the_same(
    ledger: Ledger, home: Path, tmp_path: Path, both_databases: str
) -> None:
    other = POSTGRESQL if both_databases == SQLITE else SQLITE
    there, url = place(tmp_path / "there", other)
    ledger.copy_to(url)
    back, back_url = place(tmp_path / "back", both_databases)
    Ledger.open(url, home=home).copy_to(back_url)
    before = rows(home, both_databases)
    assert rows(back, both_databases) == {**before, **{name: [] for name in FLEETING}}
    assert rows(there, other) == rows(back, both_databases)


def test_the_copy_goes_on_where_it_ends(ledger: Ledger, home: Path, tmp_path: Path) -> None:
    for kind in KINDS:
        _, url = place(tmp_path / kind, kind)
        ledger.copy_to(url)
        copied = Ledger.open(url, home=home)
        assert append(copied, 9).sequence == 6
        with pytest.raises(Exception, match="cannot be reached"), copied.transaction() as writing:
            writing.exec_driver_sql("UPDATE entry SET tier = 'G1'")
        assert copied.verify() == (6, [])


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_with_something_in_it_is_refused(ledger: Ledger, tmp_path: Path, kind: str) -> None:
    folder, url = place(tmp_path / "copy", kind)
    with databases.using(kind):
        databases.sql(folder, "CREATE TABLE mine (id INTEGER)", "INSERT INTO mine VALUES (1)")
    with pytest.raises(SetupRefused, match="something at"):
        ledger.copy_to(url)
    with databases.using(kind):
        assert databases.sql(folder, "SELECT * FROM mine") == [(1,)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [3, 12, 40])
def test_nothing_is_left_of_a_copy_that_failed(
    ledger: Ledger, tmp_path: Path, kind: str, at: int
) -> None:
    folder, url = place(tmp_path / "copy", kind)
    n = 0

    def fails(connection: Any, *_: Any) -> None:
        nonlocal n
        n += connection.engine.url.render_as_string(hide_password=False).endswith(url[-12:])
        if n == at:
            raise KeyboardInterrupt

    event.listen(Engine, "before_cursor_execute", fails)
    try:
        with pytest.raises(KeyboardInterrupt):
            ledger.copy_to(url)
    finally:
        event.remove(Engine, "before_cursor_execute", fails)
    if kind == SQLITE:
        assert list(folder.iterdir()) == []
    else:
        tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        with databases.using(kind):
            assert databases.sql(folder, tables) == [(0,)]
    assert ledger.copy_to(url) == 5


def test_a_ledger_that_was_changed_is_not_copied(
    ledger: Ledger, home: Path, tmp_path: Path
) -> None:
    databases.tampered(home, "UPDATE entry SET tier = 'G4' WHERE sequence = 2")
    for kind in KINDS:
        folder, url = place(tmp_path / kind, kind)
        with pytest.raises(LedgerDamaged, match="entry 2"):
            ledger.copy_to(url)
        assert not (folder / "ledger.db").exists()


def test_a_text_that_is_none_is_not_copied(ledger: Ledger, home: Path, tmp_path: Path) -> None:
    if databases.url_of(home).startswith("postgres"):
        pytest.skip("PostgreSQL holds no such text")
    databases.tampered(home, "UPDATE entry SET tier = CAST(x'ff80' AS TEXT) WHERE sequence = 2")
    for kind in KINDS:
        _, url = place(tmp_path / kind, kind)
        with pytest.raises(LedgerDamaged, match="entry"):
            ledger.copy_to(url)


def test_what_is_recorded_meanwhile_is_not_in_the_copy(
    ledger: Ledger, home: Path, tmp_path: Path
) -> None:
    """One moment of the ledger, whatever happens while it is read."""
    _, url = place(tmp_path / "copy", SQLITE)
    late: list[Any] = []

    def meanwhile(_done: int, _of: int) -> None:
        if not late:
            late.append(append(ledger, 7))

    assert ledger.copy_to(url, progress=meanwhile) == 5
    assert ledger.verify() == (6, [])


@pytest.mark.parametrize("both_databases", [SQLITE], indirect=True)
def test_the_command_says_what_it_did(
    ledger: Ledger,
    home: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOANSVC_HOME", str(home))
    _, url = place(tmp_path / "copy", POSTGRESQL)
    source = f"sqlite:///{home / 'ledger.db'}"
    status, out, _ = run(capfd, monkeypatch, "ledger", "copy", source, url)
    assert (status, out.splitlines()[0]) == (0, "copied and verified   5 entries")
    assert "LOANSVC_DATABASE_URL" in out
    status, out, err = run(capfd, monkeypatch, "ledger", "copy", source, url)
    assert (status, out) == (1, "")
    assert "something at" in err
    wrong = url.replace(postgres.PASSWORD, "wrong-secret")
    status, _, err = run(capfd, monkeypatch, "ledger", "copy", wrong, url)
    assert status == 1
    assert "wrong-secret" not in err
