"""A SQLite file copied in use: every commit until a stated moment is in the copy."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from loansvc.errors import SetupRefused
from loansvc.ledger import hot_copy
from loansvc.ledger.hot_copy import copy_in_use


def quiet(_done: int, _of: int) -> None:
    """Nobody looks."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.db"
    with closing(opened(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE line (n INTEGER PRIMARY KEY, data BLOB)")
        fill(connection, range(100))
    return path


@pytest.fixture
def user(source: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who has the database open, so that its log stays."""
    with closing(opened(source)) as connection:
        yield connection


def opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)


def fill(connection: sqlite3.Connection, numbers: range) -> None:
    for number in numbers:
        connection.execute("INSERT INTO line VALUES (?, zeroblob(3000))", (number,))


def lines(path: Path) -> list[int]:
    with closing(opened(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in connection.execute("SELECT n FROM line ORDER BY n")]


def test_a_copy_is_one_file_with_everything(
    source: Path, user: sqlite3.Connection, tmp_path: Path
) -> None:
    fill(user, range(100, 120))
    target = tmp_path / "copies" / "copy.db"
    target.parent.mkdir()
    assert copy_in_use(source, target, lambda: "now", quiet) == "now"
    assert [path.name for path in target.parent.iterdir()] == ["copy.db"]
    assert lines(target) == list(range(120))
    assert lines(source) == list(range(120))


def test_what_is_committed_while_the_database_is_copied_is_in_the_log(
    source: Path, user: sqlite3.Connection, tmp_path: Path
) -> None:
    fill(user, range(100, 110))
    more = iter([range(110, 130)])

    def meanwhile(_done: int, _of: int) -> None:
        for numbers in more:
            fill(user, numbers)

    copy_in_use(source, tmp_path / "copy.db", lambda: "", meanwhile)
    assert lines(tmp_path / "copy.db") == list(range(130))


def test_a_log_that_begins_anew_meanwhile_is_noticed(
    source: Path, user: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the log is in the database: the next writer begins it anew, and checkpoints again."""
    user.execute("PRAGMA wal_checkpoint(FULL)")
    tries: list[str | None] = []
    copied = hot_copy._copied

    def counted(*args: object, **kwargs: object) -> str | None:
        tries.append(copied(*args, **kwargs))  # type: ignore[arg-type]
        return tries[-1]

    monkeypatch.setattr(hot_copy, "_copied", counted)
    more = iter([range(100, 130)])

    def meanwhile(_done: int, _of: int) -> None:
        for numbers in more:
            fill(user, numbers)

    copy_in_use(source, tmp_path / "copy.db", lambda: "now", meanwhile)
    assert tries == [None, "now"]
    assert lines(tmp_path / "copy.db") == list(range(130))


def test_the_last_try_keeps_writers_waiting(
    source: Path, user: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot_copy, "TRIES", 1)
    user.execute("PRAGMA busy_timeout = 0")
    refused: list[str] = []

    def meanwhile(_done: int, _of: int) -> None:
        try:
            fill(user, range(100, 101))
        except sqlite3.OperationalError as error:
            refused.append(str(error))

    copy_in_use(source, tmp_path / "copy.db", lambda: "", meanwhile)
    assert set(refused) == {"database is locked"}
    fill(user, range(100, 101))
    assert lines(tmp_path / "copy.db") == list(range(100))


def test_writers_may_write_all_the_while(source: Path, tmp_path: Path) -> None:
    """What was acknowledged before the stated moment is there, each time; nothing is refused."""
    acknowledged, over = [99], threading.Event()

    def write() -> None:
        with closing(opened(source)) as connection:
            while not over.is_set():
                fill(connection, range(acknowledged[0] + 1, acknowledged[0] + 2))
                acknowledged[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    until: list[int] = []

    def clock() -> str:
        until.append(acknowledged[0])
        return ""

    try:
        for turn in range(4):
            target = tmp_path / f"{turn}.db"
            copy_in_use(source, target, clock, quiet)
            found = lines(target)
            assert found == list(range(len(found)))
            assert found[-1] >= until[-1]
    finally:
        over.set()
        writer.join()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_bytes(b"no database" * 1000), id="no database"),
    ],
)
def test_what_cannot_be_copied_is_said(
    source: Path, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    spoil(source)
    with pytest.raises(SetupRefused, match="cannot be copied"):
        copy_in_use(source, tmp_path / "copy.db", lambda: "", quiet)
