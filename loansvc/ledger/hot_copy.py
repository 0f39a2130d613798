"""Hot copy: the file of a SQLite ledger copied while services write to it, without losing a commit.

A SQLite database in use is two files: the database, and its log (WAL), which holds what was
committed since the log last began anew. The database is copied as one moment has it (SQLite's own
backup, within one read transaction); then, while writers wait for some milliseconds, the log is
copied beside it. Whoever opens the two together gets everything committed until then: the log's
frames are whole pages, and it has each one written since it began. A log that began anew in between
would have lost some to the database that is copied already: its header tells, and it is done again.

The database file itself is never opened here but by SQLite: closing it would drop the locks that
this process holds on it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from shutil import copyfile
from urllib.parse import quote

from loansvc.errors import SetupRefused
from loansvc.files import sync_folder
from loansvc.ledger.stores import SHORT_WAIT_MS

Progress = Callable[[int, int], None]  # told how many pages were copied, and of how many

PAGES = 256  # copied at a time: a MiB
PATIENCE_S = 30.0  # for a turn among the writers
TRIES = 4  # the last one keeps writers waiting all the while
WAL_HEADER = 32  # bytes: with two numbers that are drawn anew whenever the log begins anew
JOURNAL_IS_WAL = b"\2\2"  # bytes 18 and 19 of the database


def copy_in_use(source: Path, target: Path, clock: Callable[[], str], progress: Progress) -> str:
    """Copy a database to a file that is not there; the moment until which every commit is in it.

    Raises:
        SetupRefused: it cannot be read or written.
    """
    try:
        for attempt in range(TRIES):
            until = _copied(source, target, clock, progress, alone=attempt == TRIES - 1)
            if until is not None:
                make_one_file(target)
                return until
            target.unlink()
    except (sqlite3.Error, OSError) as error:
        raise SetupRefused(f"The ledger's file cannot be copied: {error}") from error
    raise AssertionError("the last try is alone")


def _copied(
    source: Path, target: Path, clock: Callable[[], str], progress: Progress, *, alone: bool
) -> str | None:
    """The moment of the copy; None where the log began anew meanwhile."""
    log = source.with_name(source.name + "-wal")
    with closing(_open(source)) as reader, closing(_open(source)) as writer:
        if alone:
            _take_turn(writer)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        began = _beginning(log)
        with closing(sqlite3.connect(target)) as copy:
            reader.backup(
                copy, pages=PAGES, progress=lambda _, left, of: progress(of - left, of), sleep=0
            )
        if not alone:
            _take_turn(writer)
        if _beginning(log) != began:
            return None
        until = clock()
        if began:
            copyfile(log, target.with_name(target.name + "-wal"))
            _say_there_is_a_log(target)
    return until


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=rw", uri=True, isolation_level=None,
        timeout=PATIENCE_S,
    )  # fmt: skip


def _take_turn(writer: sqlite3.Connection) -> None:
    """Become the one writer, asking again as soon as the services do, or theirs is every turn.

    SQLite's own waiting sleeps longer each time.
    """
    until = time.monotonic() + PATIENCE_S
    writer.execute(f"PRAGMA busy_timeout = {SHORT_WAIT_MS}")
    while True:
        try:
            writer.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= until:
                raise


def _beginning(log: Path) -> bytes:
    """The header of a log; empty where there is none."""
    try:
        with log.open("rb") as file:
            return file.read(WAL_HEADER)
    except FileNotFoundError:
        return b""


def _say_there_is_a_log(target: Path) -> None:
    with target.open("r+b") as file:
        file.seek(18)
        file.write(JOURNAL_IS_WAL)


def make_one_file(path: Path) -> None:
    """Bring the log into a database that nobody else uses: one file is all; on disk on return."""
    with closing(_open(path)) as copy:
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copy.execute("PRAGMA journal_mode = DELETE")
    sync_folder(path)
