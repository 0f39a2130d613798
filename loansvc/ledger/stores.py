"""Stores: the database behind a URL, and how its transactions begin, fail and change shape.

SQLite (WAL, synchronous=FULL), or PostgreSQL (`postgres.py`). Every difference between databases
is written here or there.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Row,
    Select,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loansvc.errors import LedgerUnavailable, SetupRefused
from loansvc.ledger.prepared import Prepared

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script

MOST_DAMAGE = 10  # lines of it that are told
ROWS_AT_ONCE = 1000
VERSIONS = Path(__file__).with_name("migrations") / "versions"  # a file each, named in order
REVISION = text("SELECT version_num FROM alembic_version")
SHORT_WAIT_MS = 3  # SQLite sleeps 1 and 2 ms, then says busy
TRACE_WAIT_MS = 200  # for readers and writers to let go of the log; they wait meanwhile
BEGIN_READING, BEGIN_WRITING = Prepared(text("BEGIN")), Prepared(text("BEGIN IMMEDIATE"))
# What an erasure deletes from; PostgreSQL writes these anew to leave nothing of it behind.
ERASED_FROM = ("subject", "subject_key", "commitment", "related", "variant", "batch", "batch_row")


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
        place = make_url(url)
    except ArgumentError:  # its text would show the URL, which may hold a password
        place = None
    match place.drivername if place else "":
        case "sqlite" | "sqlite+pysqlite":
            assert place is not None
            return _open_sqlite(place, busy_timeout_ms)
        case "postgresql" | "postgresql+psycopg":
            assert place is not None
            return _open_postgres(place, busy_timeout_ms)
    raise SetupRefused(
        "LOANSVC_DATABASE_URL names no database that can be opened here. Give a URL such as "
        "sqlite:////folder/ledger.db or postgresql://user:password@host:5432/database, or leave "
        "it out."
    )


def _open_postgres(place: URL, busy_timeout_ms: int) -> Engine:
    try:
        from loansvc.ledger.postgres import open_postgres
    except ImportError:
        raise SetupRefused(
            "The driver for PostgreSQL is not installed. Run: pip install 'loansvc[postgres]'"
        ) from None
    return open_postgres(place, busy_timeout_ms)


def _open_sqlite(place: URL, busy_timeout_ms: int) -> Engine:
    # The last one given back is taken again: it has the pages at hand, and no more are opened than
    # are needed at once, each with up to 2 MB of pages and three descriptors.
    engine = create_engine(
        place, pool_size=32, max_overflow=32, pool_timeout=busy_timeout_ms / 1000,
        pool_use_lifo=True, hide_parameters=True,
    )  # fmt: skip
    _prepare_sqlite(engine, busy_timeout_ms)
    return engine


def readers(engine: Engine) -> Engine:
    """The same database for transactions that read: each sees one moment of it."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def writers(engine: Engine) -> Engine:
    """The same database for transactions that write: one at a time, among all processes."""
    return engine.execution_options(loansvc_writes=True)


def check(connection: Connection) -> None:
    """Refuse a server that may forget what it has committed.

    Raises:
        SetupRefused
    """
    if connection.dialect.name == "postgresql":
        from loansvc.ledger.postgres import check as check_server

        check_server(connection)


def unhurried(connection: Connection) -> None:
    """Lift the limits of time for this transaction: it reads or changes everything."""
    if connection.dialect.name == "postgresql":
        from loansvc.ledger.postgres import unhurried as without_limits

        without_limits(connection)


def streamed(connection: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    """Every row of a query that reads everything, however long that takes; in memory are a few."""
    unhurried(connection)
    with connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
        yield from rows


AS_TEXT = methodcaller("decode", "utf-8", "surrogateescape")  # no frame of Python's own a text

REMEDIES = {
    "sqlite": "Check the rights of file and folder and the disk; if it is no database, restore the "
    "last backup that verifies.",
    "postgresql": "Check that the server runs, that the database is there (createdb) and that "
    "LOANSVC_DATABASE_URL has the right user and password.",
}


def cause_of(error: LedgerUnavailable, url: URL) -> str:
    """What the database said, for the operator's eyes: one line without the password."""
    cause = getattr(error.__cause__, "orig", error.__cause__)
    said = " ".join(str(cause).split())
    return said.replace(str(url.password), "***") if url.password else said


def place_of(url: URL) -> str:
    """What a URL names, without user and password: a file, or a database and its host."""
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    host = url.host or url.query.get("host") or "this machine"
    return f"{url.database or ''} at {host if isinstance(host, str) else ', '.join(host)}"


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
        connection.text_factory = AS_TEXT
        connection.execute(f"PRAGMA busy_timeout = {busy_timeout_ms}")
        # To undo one block of a group takes a journal: in memory, for /tmp may be read-only.
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL may lose the last commits when the power fails.
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get("loansvc_writes", False):
            _begin_writing(connection, patience_ms=busy_timeout_ms)
        else:
            BEGIN_READING.run(connection)


def _begin_writing(connection: Connection, *, patience_ms: int) -> None:
    """Become the one writer: one that began as a reader can be refused at its first write.

    SQLite's own waiting sleeps longer each time, up to 100 ms, while other processes come and go
    and a write takes one or two: so it is told to wait shortly, and asked again.
    """
    given: float | None = connection.get_execution_options().get("loansvc_until")
    until = given or time.monotonic() + patience_ms / 1000
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA busy_timeout = {SHORT_WAIT_MS}")
    try:
        while True:
            try:
                BEGIN_WRITING.run(connection)
                return
            except OperationalError as error:
                busy = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() >= until:
                    raise
    finally:
        driver.execute(f"PRAGMA busy_timeout = {patience_ms}")


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
    # SQLite: the lower byte says what, the upper ones say where. PostgreSQL: data, index.
    in_sqlite = code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return in_sqlite or getattr(original, "sqlstate", None) in ("XX001", "XX002")


Rows = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def put(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows, each in the place of the one with the same primary key."""
    every = [rows] if isinstance(rows, Mapping) else rows
    _insert(table, connection.dialect.name, in_place=True).run_for(connection, every)


def put_new(connection: Connection, table: Table, rows: Rows) -> int:
    """Insert rows that are not there yet, by their primary key; how many those were."""
    every = [rows] if isinstance(rows, Mapping) else rows
    return _insert(table, connection.dialect.name, in_place=False).run_for(connection, every)


@cache  # building a statement costs more than its answer
def _insert(table: Table, dialect: str, *, in_place: bool) -> Prepared:
    keys = [column.name for column in table.primary_key]
    # Two classes with the same methods, and no common one that has them.
    statement: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    if in_place:
        others = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=others)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    return Prepared(statement)


def leave_no_trace(engine: Engine) -> bool:
    """Whether nothing that was deleted is left in the database's files: ask again if not.

    SQLite overwrites what is deleted in the database; its log still has the pages of before, until
    it is brought over and cut to nothing. PostgreSQL keeps old rows until the tables are rewritten.

    Raises:
        LedgerUnavailable: the disk did not let it.
    """
    if engine.dialect.name == "postgresql":
        from loansvc.ledger.postgres import write_anew

        write_anew(engine, ERASED_FROM)
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
    except sqlite3.Error as error:  # past SQLAlchemy, so not as its own errors
        raise LedgerUnavailable from error
    finally:
        raw.close()


def move_aside(file: Path, suffix: str) -> Path | None:
    """Move a SQLite database that nobody uses to another name; where it lies now, if it was there.

    Raises:
        SetupRefused: somebody uses it.
    """
    if not file.exists():
        return None
    try:
        with closing(sqlite3.connect(file, timeout=1, isolation_level=None)) as alone:
            # Refused while anybody else has it open; brings the log into the file.
            alone.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise SetupRefused(
                f"The ledger at {file} is in use. Stop the service first, on every machine."
            ) from None
    except sqlite3.DatabaseError:
        pass  # it is no database any more: that may be why a backup is put back
    aside = file.with_name(f"{file.name}.{suffix}")
    for part in ("-wal", "-shm", ""):  # the log first: without it the database is an older one
        one = file.with_name(file.name + part)
        if one.exists():
            one.replace(aside.with_name(aside.name + part))
    return aside


# --- versions of the tables -----------------------------------------------------------------------
# Alembic is read where tables change: to read it takes a tenth of a start, which changes none.


def revision_of(connection: Connection) -> str | None:
    """The version of the tables; None where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(REVISION).scalar()
    return revision


def upgrade(connection: Connection, to: str = "head") -> None:
    """Bring the tables to that version, this program's unless another is named."""
    from alembic import command

    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def downgrade(connection: Connection, to: str) -> None:
    """Take the tables back to an earlier version; no entry is touched."""
    from alembic import command

    config = _alembic()
    config.attributes["connection"] = connection
    command.downgrade(config, to)


@cache
def revisions() -> tuple[str, ...]:
    """Every version of the tables that this program knows, newest first.

    Raises:
        SetupRefused: their folder cannot be read.
    """
    names = (file.name.partition("_")[0] for file in VERSIONS.glob("[0-9]*_*.py"))
    found = tuple(sorted(names, reverse=True))
    if not found:  # a folder that cannot be listed is an empty one here
        raise SetupRefused("The program's own migrations cannot be read. Install loansvc anew.")
    return found


def scripts() -> Iterator[Script]:
    """The migration to each version of the tables, newest first."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_alembic()).walk_revisions()


def _alembic() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "loansvc.ledger:migrations")
    config.set_main_option("path_separator", "os")
    return config
