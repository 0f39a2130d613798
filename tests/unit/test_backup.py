"""A ledger backed up and put back: whole, without its keys, and never an older one unseen."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loansvc.errors import LedgerDamaged, SetupRefused
from loansvc.ledger import Ledger
from loansvc.ledger.backup import Act, Restored, put_back, take
from loansvc.ledger.checkpoints import advance
from loansvc.ledger.older import accept
from tests import databases
from tests.databases import SQLITE
from tests.shell import run
from tests.small import small_underwriting
from tests.unit.test_ledger import append

AT = "2026-11-23T12:00:00.000+08:00"
ACT = Act("A. Operator", AT, "adm_1")
ERASED = '{"subject": "nobody", "entry": "era_1", "at": "2026-11-23"}\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "1"


@pytest.fixture
def ledger(tmp_path: Path, models: Path, both_databases: str) -> Ledger:
    made = small_underwriting(tmp_path, models=models).ledger
    for number in (1, 2, 3):
        append(made, number)
    return made


def taken(ledger: Ledger, folder: Path) -> dict[str, Any]:
    return take(ledger, folder, clock=lambda: AT)


def opened(home: Path, url: str = "", **given: Any) -> Ledger:
    return Ledger.open(url or databases.url_of(home), home=home, **given)


def restored(folder: Path, home: Path, url: str = "", **given: Any) -> Restored:
    return put_back(
        folder, url or databases.url_of(home),
        lambda at: opened(home, at, create=True, older=True), home=home, by=ACT, **given,
    )  # fmt: skip


def older(ledger: Ledger, home: Path, folder: Path) -> None:
    """A backup of three entries, a checkpoint signed over six, and the database lost."""
    taken(ledger, folder)
    for number in (4, 5, 6):
        append(ledger, number)
    advance(ledger, at=AT)
    ledger.close()
    gone(home)


def gone(home: Path) -> None:
    """The database is lost; the folder of the keys is not."""
    if databases.url_of(home).startswith("sqlite"):
        for path in home.glob("ledger.db*"):
            path.unlink()
    else:
        databases.sql(home, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


# --- taking one -----------------------------------------------------------------------------------


def test_a_backup_says_what_is_in_it(ledger: Ledger, home: Path, folder: Path) -> None:
    checkpoint = advance(ledger, at=AT)
    assert checkpoint is not None
    (home / "erasures").write_text("")
    manifest = taken(ledger, folder)
    assert json.loads((folder / "manifest.json").read_text()) == manifest
    with ledger.reading() as reading:
        last = reading.find("bank", "A-3")
    assert last is not None
    assert (manifest["entries"], manifest["last_hash"]) == (3, last.hash)
    assert (manifest["complete_until"], manifest["checkpoint"]) == (AT, checkpoint.note)
    assert sorted(manifest["files"]) == ["checkpoints", "erasures", "ledger.db"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoints", "erasures", "ledger.db", "manifest.json",
    ]  # fmt: skip
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "ledger.db").stat().st_mode & 0o077 == 0


def test_no_key_is_in_a_backup(ledger: Ledger, home: Path, folder: Path) -> None:
    taken(ledger, folder)
    keys = json.loads((home / "vault.json").read_text())
    held = b"".join(path.read_bytes() for path in folder.iterdir())
    secrets = [key for versions in keys.values() if isinstance(versions, dict)
               for key in versions.values()]  # fmt: skip
    assert secrets
    for key in secrets:
        assert str(key).encode() not in held


@pytest.mark.parametrize("place", ["home", "home/backups/1", "home/../home/x"])
def test_a_backup_beside_the_keys_is_refused(
    ledger: Ledger, tmp_path: Path, home: Path, place: str
) -> None:
    with pytest.raises(SetupRefused, match=r"beside the keys|something at"):
        taken(ledger, tmp_path / place)
    assert not (home / "backups").exists()


def test_a_folder_with_something_in_it_is_refused(ledger: Ledger, folder: Path) -> None:
    folder.mkdir(parents=True)
    taken(ledger, folder)  # an empty one will do
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(SetupRefused, match="something at"):
        taken(ledger, folder)
    assert (folder / "manifest.json").read_bytes() == before


def test_a_ledger_that_was_changed_is_not_backed_up(
    ledger: Ledger, home: Path, folder: Path
) -> None:
    databases.tampered(home, "UPDATE entry SET tier = 'G4' WHERE sequence = 2")
    with pytest.raises(LedgerDamaged, match="entry 2"):
        taken(ledger, folder)
    assert list(folder.parent.iterdir()) == []


def test_a_backup_that_cannot_be_written_leaves_nothing(
    ledger: Ledger, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("loansvc.ledger.backup.write_whole", lambda *_, **__: full())
    with pytest.raises(SetupRefused, match="No space left"):
        taken(ledger, folder)
    assert list(folder.parent.iterdir()) == []


# --- putting one back -----------------------------------------------------------------------------


def test_a_lost_ledger_is_put_back(ledger: Ledger, home: Path, folder: Path) -> None:
    taken(ledger, folder)
    before = databases.everything(home)
    ledger.close()
    gone(home)
    found = restored(folder, home)
    assert (found.n_entries, found.complete_until, found.lost) == (3, AT, None)
    after = databases.everything(home)
    for name in ("payload", "subject", "subject_key", "commitment"):
        assert set(before[name]) <= set(after[name]), name
    assert after["entry"][:3] == before["entry"]
    again = opened(home)
    assert again.verify() == (4, [])
    with again.reading() as reading:
        said = [payload for entry, payload in reading.all_recorded() if entry.outcome == "restored"]
    assert said == [{"by": "A. Operator", "complete_until": AT, "lost": []}]
    assert append(again, 5).sequence == 5


@pytest.mark.parametrize("both_databases", [SQLITE], indirect=True)
def test_what_was_there_is_moved_aside(ledger: Ledger, home: Path, folder: Path) -> None:
    taken(ledger, folder)
    append(ledger, 4)
    before = databases.everything(home)["entry"]
    ledger.close()
    found = restored(folder, home)
    assert found.aside == home / "ledger.db.before-20261123T120000"
    kept = opened(home, f"sqlite:///{found.aside}")
    assert kept.verify() == (4, [])
    kept.close()
    assert len(before) == 4
    assert opened(home).verify() == (4, [])  # three, and the note of the restoration


@pytest.mark.parametrize("both_databases", [SQLITE], indirect=True)
def test_a_file_that_is_no_database_is_moved_aside_too(
    ledger: Ledger, home: Path, folder: Path
) -> None:
    taken(ledger, folder)
    ledger.close()
    gone(home)
    (home / "ledger.db").write_bytes(b"no database" * 1000)
    found = restored(folder, home)
    assert found.aside is not None
    assert found.aside.read_bytes().startswith(b"no database")
    assert opened(home).verify() == (4, [])


def test_a_place_in_use_is_refused_and_stays(ledger: Ledger, home: Path, folder: Path) -> None:
    """SQLite: somebody has it open. PostgreSQL: there is something in it."""
    taken(ledger, folder)
    append(ledger, 4)
    with pytest.raises(SetupRefused, match=r"in use|something at"):
        restored(folder, home)
    assert ledger.verify() == (4, [])
    assert [path.name for path in home.iterdir() if "part" in path.name] == []


@pytest.mark.parametrize("kind", databases.KINDS)
def test_a_backup_may_be_put_into_either_database(
    ledger: Ledger, home: Path, folder: Path, tmp_path: Path, kind: str
) -> None:
    taken(ledger, folder)
    (tmp_path / "other").mkdir()
    with databases.using(kind):
        url = databases.url_of(tmp_path / "other")
    restored(folder, home, url)
    assert opened(home, url).verify() == (4, [])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(lambda f: (f / "manifest.json").unlink(), "no whole backup", id="manifest"),
        pytest.param(lambda f: (f / "manifest.json").write_text("{}"), "no whole", id="empty"),
        pytest.param(lambda f: (f / "manifest.json").write_text("["), "no whole", id="cut"),
        pytest.param(lambda f: (f / "ledger.db").unlink(), "missing", id="no database"),
        pytest.param(lambda f: os.truncate(f / "ledger.db", 8192), "not what was", id="half"),
        pytest.param(lambda f: _flip(f / "ledger.db"), "not what was", id="a byte"),
    ],
)
@pytest.mark.parametrize("both_databases", [SQLITE], indirect=True)
def test_a_backup_that_is_not_whole_changes_nothing(
    ledger: Ledger, home: Path, folder: Path, spoil: Callable[[Path], object], says: str
) -> None:
    taken(ledger, folder)
    ledger.close()
    spoil(folder)
    with pytest.raises(SetupRefused, match=says):
        restored(folder, home)
    assert opened(home).verify() == (3, [])
    assert list(home.glob("*before*")) == []


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("both_databases", [SQLITE], indirect=True)
def test_a_backup_of_other_keys_is_refused(
    ledger: Ledger, home: Path, folder: Path, tmp_path: Path
) -> None:
    taken(ledger, folder)
    other = tmp_path / "other"
    opened(other, create=True).close()
    with pytest.raises(SetupRefused, match="not the one this ledger was written with"):
        restored(folder, other)
    assert opened(other).verify() == (0, [])


@pytest.mark.parametrize("both_databases", [SQLITE], indirect=True)
def test_a_backup_cannot_be_put_back_without_the_keys(
    ledger: Ledger, folder: Path, tmp_path: Path
) -> None:
    taken(ledger, folder)
    (tmp_path / "new").mkdir()
    with pytest.raises(SetupRefused, match=r"vault.json is missing"):
        restored(folder, tmp_path / "new")


@pytest.mark.parametrize("both_databases", [SQLITE], indirect=True)
def test_an_older_version_of_the_tables_is_brought_to_this_one(
    ledger: Ledger, home: Path, folder: Path
) -> None:
    from loansvc.ledger.migrating import take_back

    taken(ledger, folder)
    ledger.close()
    take_back(f"sqlite:///{folder / 'ledger.db'}", "0002", busy_timeout_ms=1000)
    manifest = json.loads((folder / "manifest.json").read_text())
    from loansvc.ledger.backup import _digest

    manifest["files"]["ledger.db"] = _digest(folder / "ledger.db")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    restored(folder, home)
    assert opened(home).verify() == (4, [])


# --- an older one ---------------------------------------------------------------------------------


def test_a_ledger_that_lacks_what_was_signed_is_not_opened(
    ledger: Ledger, home: Path, folder: Path
) -> None:
    older(ledger, home, folder)
    with pytest.raises(SetupRefused, match="signed over 6 entries, and it has 0"):
        opened(home, create=True)
    with pytest.raises(SetupRefused, match="older copy"):
        opened(home)
    _, problems = opened(home, older=True).verify()
    assert problems


def test_a_backup_older_than_what_was_signed_needs_a_word(
    ledger: Ledger, home: Path, folder: Path
) -> None:
    older(ledger, home, folder)
    with pytest.raises(SetupRefused, match="entries 4 to 6 are lost"):
        restored(folder, home)
    assert restored(folder, home, accept_loss=True).lost == (4, 6)
    again = opened(home)
    assert again.verify() == (4, [])
    with again.reading() as reading:
        [said] = [p for e, p in reading.all_recorded() if e.kind == "administration"]
    assert said["lost"] == [4, 6]
    assert "\n6\n" in (home / "checkpoints.before-20261123T120000").read_text("utf-8")
    for number in (7, 8, 9):
        append(again, number)
    advance(again, at=AT)
    assert again.verify() == (7, [])
    opened(home)


def test_files_beside_a_ledger_come_back_where_they_were_lost(
    ledger: Ledger, home: Path, folder: Path
) -> None:
    advance(ledger, at=AT)
    (home / "erasures").write_text(ERASED)
    taken(ledger, folder)
    ledger.close()
    gone(home)
    for name in ("checkpoints", "erasures"):
        (home / name).unlink()
    restored(folder, home)
    for name in ("checkpoints", "erasures"):
        assert (home / name).read_bytes() == (folder / name).read_bytes()


def test_newer_files_beside_a_ledger_stay(ledger: Ledger, home: Path, folder: Path) -> None:
    (home / "erasures").write_text("")
    taken(ledger, folder)
    (home / "erasures").write_text(ERASED)
    ledger.close()
    gone(home)
    restored(folder, home)
    assert (home / "erasures").read_text() == ERASED


@pytest.mark.parametrize(
    "text", ["", "\n\n", "no checkpoint at all\n", "loansvc/test\nmany\nAAAA=\nat x\n"]
)
def test_what_is_no_checkpoint_says_nothing(ledger: Ledger, home: Path, text: str) -> None:
    (home / "checkpoints").write_text(text)
    assert ledger.missing() is None


def test_a_checkpoint_that_nobody_signed_keeps_no_ledger_closed(ledger: Ledger, home: Path) -> None:
    """It is told by `verify`, stays as evidence, and hides none that was signed."""
    advance(ledger, at=AT)
    path = home / "checkpoints"
    forged = path.read_text("utf-8").replace("\n3\n", "\n900\n")
    path.write_text(path.read_text("utf-8") + "\n" + forged, "utf-8")
    assert ledger.missing() is None
    opened(home)
    assert "cannot be believed" in ledger.verify()[1][0].what
    append(ledger, 4)
    advance(ledger, at=AT)
    assert forged in path.read_text("utf-8")
    last = ledger.last_kept()
    assert last is not None
    assert last.size == 4


def test_a_backup_waits_until_a_note_is_whole(ledger: Ledger, home: Path, folder: Path) -> None:
    """Of a service that is in the middle of appending one."""
    advance(ledger, at=AT)
    path, is_half = home / "checkpoints", threading.Event()
    note = path.read_bytes()

    def append_slowly() -> None:
        with path.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(note[:150])
            file.flush()
            is_half.set()
            time.sleep(0.3)
            file.write(note[150:])

    writer = threading.Thread(target=append_slowly)
    writer.start()
    is_half.wait()
    taken(ledger, folder)
    writer.join()
    assert (folder / "checkpoints").read_bytes() == note


@pytest.mark.parametrize("cut", [1, 60, 143, 144, 145, 200])
def test_half_a_note_left_by_a_crash_is_no_damage(
    ledger: Ledger, home: Path, folder: Path, cut: int
) -> None:
    """Until the next checkpoint takes it away the ledger verifies, is backed up, and comes back."""
    advance(ledger, at=AT)
    append(ledger, 4)
    advance(ledger, at=AT)
    path = home / "checkpoints"
    path.write_bytes(path.read_bytes()[:-cut])
    assert ledger.verify() == (4, [])
    assert ledger.rebuild() == 4
    taken(ledger, folder)
    ledger.close()
    gone(home)
    restored(folder, home)
    assert opened(home).verify() == (5, [])


def test_accepted_checkpoints_are_kept_aside(home: Path) -> None:
    home.mkdir()
    (home / "checkpoints").write_text("")
    assert accept(home, AT).name == "checkpoints.before-20261123T120000"
    assert not (home / "checkpoints").exists()


# --- the commands ---------------------------------------------------------------------------------


@pytest.mark.parametrize("both_databases", [SQLITE], indirect=True)
def test_the_commands_say_what_they_did(
    ledger: Ledger,
    home: Path,
    folder: Path,
    models: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOANSVC_HOME", str(home))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    status, out, _ = run(capfd, monkeypatch, "ledger", "backup", folder)
    assert (status, out[:34]) == (0, "backed up and verified   3 entries")
    ledger.close()
    status, out, err = run(capfd, monkeypatch, "ledger", "restore", folder)
    assert status == 0, err
    assert "moved aside" in out
    assert "restored and verified   3 entries" in out
    status, _, err = run(capfd, monkeypatch, "ledger", "restore", "--accept")
    assert (status, "Nothing that was signed for lacks" in err) == (1, True)


@pytest.mark.parametrize("both_databases", [SQLITE], indirect=True)
def test_the_shell_is_asked_for_a_word_too(
    ledger: Ledger,
    home: Path,
    folder: Path,
    models: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOANSVC_HOME", str(home))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    older(ledger, home, folder)
    shutil.copy(folder / "ledger.db", home / "ledger.db")
    status, _, err = run(capfd, monkeypatch, "ledger", "restore")
    assert (status, "older copy" in err) == (1, True)
    assert run(capfd, monkeypatch, "keys", "create", "bank")[0] == 1
    assert run(capfd, monkeypatch, "ledger", "verify")[0] == 1
    status, out, _ = run(capfd, monkeypatch, "ledger", "restore", "--accept")
    assert (status, out) == (0, "accepted   entries 4 to 6 are lost\n")
    assert run(capfd, monkeypatch, "keys", "create", "bank")[0] == 0
    assert run(capfd, monkeypatch, "ledger", "verify")[0] == 0


@pytest.mark.parametrize("both_databases", [SQLITE], indirect=True)
def test_an_older_file_put_back_by_hand_is_noticed_at_the_start(
    ledger: Ledger, home: Path, tmp_path: Path
) -> None:
    ledger.close()
    shutil.copy(home / "ledger.db", tmp_path / "old.db")
    again = opened(home)
    append(again, 4)
    advance(again, at=AT)
    again.close()
    for path in home.glob("ledger.db*"):
        path.unlink()
    shutil.copy(tmp_path / "old.db", home / "ledger.db")
    with pytest.raises(SetupRefused, match="older copy"):
        opened(home, create=True)
    (home / "ledger.db").unlink()
    with pytest.raises(SetupRefused, match="it has 0"):
        opened(home, create=True)
