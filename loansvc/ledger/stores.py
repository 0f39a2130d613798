"""Stores: the database behind a URL, and how its transactions begin, fail and change shape.

SQLite (WAL, synchronous=FULL). Every difference between databases is written here.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loansvc.errors import LedgerUnavailable, SetupRefused

MOST_DAMAGE = 10  # lines of it that are told
SHORT_WAIT_MS = 3  # SQLite sleeps 1 and 2 ms, then says busy
TRACE_WAIT_MS = 200  # for readers and writers to let go of the log; they wait meanwhile
# What an erasure deletes from; PostgreSQL writes these anew to leave nothing of it behind.
ERASED_FROM = ("subject", "subject_key", "commitment", "related", "variant")


def is_there(url: str) -> bool:
    """Whether a ledger may be at that URL: a SQLite file that exists, or another database."""
    try:
        place = make_url(url)
    except ArgumentError:
        return True  # opening it says what is wrong
    return place.get_backend_name() != "sqlite" or Path(place.database or "").exists()


@contextmanager
def database_errors() -> Iterator[None]:
    """Database trouble is "try again" for the caller; details stay in the log."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        raise LedgerUnavailable from error


def open_engine(url: str, busy_timeout_ms: int) -> Engine:
    """The engine of that URL, its connections set up to lose nothing.

    Raises:
        SetupRefused: no database that can be opened here.
    """
    try:
        engine = create_engine(
            url,
            pool_size=32,
            max_overflow=32,
            pool_timeout=busy_timeout_ms / 1000,
        )
    except (ArgumentError, ImportError):  # its text would show the URL, which may hold a password
        raise SetupRefused(
            "LOANSVC_DATABASE_URL names no database that can be opened here. Give a URL such as "
            "sqlite:////folder/ledger.db, or install the driver it asks for."
        ) from None
    if engine.dialect.name != "sqlite":
        raise SetupRefused(
            "This version keeps its ledger in SQLite. Give LOANSVC_DATABASE_URL a URL such as "
            "sqlite:////folder/ledger.db, or leave it out."
        )
    _prepare_sqlite(engine, busy_timeout_ms)
    return engine


def fleeting_engine(engine: Engine, busy_timeout_ms: int) -> Engine:
    """A second engine on the same database, for rows that are kept for minutes.

    Its commits are seen by everybody and outlive the process, but do not wait for the disk: a power
    cut may take the last ones. Connections of its own, so that no decision is ever written on one.
    """
    if engine.dialect.name != "sqlite":
        return engine  # each transaction says for itself that it does not wait
    # One connection: SQLite has one writer anyway, and here they wait in turn.
    quick = create_engine(
        engine.url, pool_size=1, max_overflow=0, pool_timeout=busy_timeout_ms / 1000
    )
    _prepare_sqlite(quick, busy_timeout_ms, synchronous="NORMAL")
    return quick.execution_options(loansvc_writes=True)


def wait_for_no_disk(connection: Connection) -> None:
    """Let this transaction of a fleeting engine commit without waiting for the disk."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")


def _prepare_sqlite(engine: Engine, busy_timeout_ms: int, *, synchronous: str = "FULL") -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, below
        # A row that somebody spoilt must be readable, so that `verify` can name it.
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        connection.execute(f"PRAGMA busy_timeout = {busy_timeout_ms}")
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL may lose the last commits when the power fails.
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get("loansvc_writes", False):
            _begin_writing(connection, patience_ms=busy_timeout_ms)
        else:
            connection.exec_driver_sql("BEGIN")


def _begin_writing(connection: Connection, *, patience_ms: int) -> None:
    """Become the one writer: one that began as a reader can be refused at its first write.

    SQLite's own waiting sleeps longer each time, up to 100 ms, while other processes come and go
    and a write takes one or two: so it is told to wait shortly, and asked again.
    """
    given: float | None = connection.get_execution_options().get("loansvc_until")
    until = given or time.monotonic() + patience_ms / 1000
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {SHORT_WAIT_MS}")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except OperationalError as error:
                busy = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() >= until:
                    raise
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience_ms}")


def damage(connection: Connection) -> list[str]:
    """What the database finds wrong with its file: pages, and indexes beside their tables."""
    if connection.dialect.name != "sqlite":
        return []  # PostgreSQL's checksums speak where a page is read
    said = connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_DAMAGE})").scalars().all()
    return [str(line) for line in said if line != "ok"]


def is_damage(error: LedgerUnavailable) -> bool:
    """Whether the database's file is damaged, rather than busy, full or out of reach."""
    original = getattr(error.__cause__, "orig", None)
    code = getattr(original, "sqlite_errorcode", 0)
    # The lower byte says what, the upper ones say where.
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def leave_no_trace(engine: Engine) -> bool:
    """Whether nothing that was deleted is left in the database's files: ask again if not.

    SQLite overwrites what is deleted in the database; its log still has the pages of before, until
    it is brought over and cut to nothing. PostgreSQL keeps old rows until the tables are rewritten.
    """
    if engine.dialect.name != "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            patience = connection.exec_driver_sql("SHOW statement_timeout").scalar_one()
            connection.exec_driver_sql("SET statement_timeout = 0")
            try:
                connection.exec_driver_sql(f"VACUUM (FULL) {', '.join(ERASED_FROM)}")
            finally:
                connection.exec_driver_sql(f"SET statement_timeout = '{patience}'")
        return True
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        patience_ms = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {TRACE_WAIT_MS}")
        try:
            busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {patience_ms}")
        return not busy
    finally:
        raw.close()


def revision_of(connection: Connection) -> str | None:
    """The version of the tables; None where there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: Connection, to: str = "head") -> None:
    """Bring the tables to that version, this program's unless another is named."""
    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def downgrade(connection: Connection, to: str) -> None:
    """Take the tables back to an earlier version; no entry is touched."""
    config = _alembic()
    config.attributes["connection"] = connection
    command.downgrade(config, to)


def revisions() -> list[str]:
    """Every version of the tables that this program knows, newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()]


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", "loansvc.ledger:migrations")
    config.set_main_option("path_separator", "os")
    return config
