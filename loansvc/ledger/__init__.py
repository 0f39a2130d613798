"""Ledger: the append-only record of every decision, on disk before anyone hears the answer.

SQLite (WAL, synchronous=FULL). One transaction holds idempotency, subject, payload,
chain entry and head: all or nothing. `writing()` gives that transaction, `reading()` a snapshot.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    func,
    insert,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from loansvc.errors import LedgerDamaged, LedgerUnavailable, SetupRefused
from loansvc.ledger import tables
from loansvc.ledger.chain import Entry, Problem, problems_of
from loansvc.ledger.entries import Reading, Subject, Writing, entry_of
from loansvc.ledger.fund import differences, rebuild
from loansvc.ledger.vault import Vault

__all__ = ["Entry", "Ledger", "Problem", "Reading", "Subject", "Vault", "Writing", "is_there"]

VERIFY_ROWS = 1000  # rows fetched at a time while verifying
BEFORE_FUND = "0001"  # the tables that had no commitments yet
SHORT_WAIT_MS = 3  # SQLite sleeps 1 and 2 ms, then says busy


class Ledger:
    """The store behind one database URL."""

    def __init__(self, engine: Engine, vault: Vault, *, busy_timeout_ms: int = 2000) -> None:
        self._engine = engine
        self._writer = engine.execution_options(loansvc_writes=True)
        self._vault = vault
        # Writers of one process queue here in turn; SQLite's own waiting is by chance.
        self._turn = threading.Lock()
        self._patience_s = busy_timeout_ms / 1000

    @classmethod
    def open(
        cls, url: str, *, home: Path, vault_keys: str = "", busy_timeout_ms: int = 2000,
        create: bool = False,
    ) -> Ledger:  # fmt: skip
        """The ledger at that URL, its schema current and its keys the right ones.

        `create`: make the folder, the keys and the tables where they are missing.

        Raises:
            SetupRefused: database, keys or schema are not fit to start on; says what is wrong.
        """
        if create:
            _make(home)
        engine = _engine(url, busy_timeout_ms)
        database = engine.url.database or ""
        # SQLite would make an empty file of it.
        if not create and not Path(database).exists():
            raise SetupRefused(
                f"There is no ledger at {database}. Make one with loansvc serve, or name the "
                "folder it is in: LOANSVC_HOME"
            )
        try:
            return cls._opened(
                engine, home=home, vault_keys=vault_keys, busy_timeout_ms=busy_timeout_ms,
                create=create,
            )  # fmt: skip
        except LedgerUnavailable as error:
            # Nobody's request is at stake here: say what is wrong with the file.
            cause = getattr(error.__cause__, "orig", error.__cause__)
            raise SetupRefused(
                f"The ledger at {database} cannot be opened: {cause}. Check the rights of file and "
                "folder and the disk; if it is no database, restore the last backup that verifies."
            ) from error

    @classmethod
    def _opened(
        cls, engine: Engine, *, home: Path, vault_keys: str, busy_timeout_ms: int, create: bool
    ) -> Ledger:
        with _database_errors(), engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
        if not create and revision != _head_revision():
            raise SetupRefused(
                "The ledger's tables are not of this version. Run: loansvc ledger upgrade"
            )
        if revision not in (None, *_revisions()):
            raise SetupRefused(
                "The ledger's tables are of a version that this program does not know. "
                "Start the newer program that wrote them."
            )
        # Keys are only ever made for a new ledger: beside an old one, new keys would open nothing.
        vault = Vault.open(
            home / "vault.json", given=vault_keys, create=create and revision is None
        )
        if create:
            migrate(engine, vault)
        ledger = cls(engine, vault, busy_timeout_ms=busy_timeout_ms)
        ledger.check_keys()
        return ledger

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """A snapshot of the ledger."""
        with self.snapshot() as connection:
            yield Reading(connection, self._vault)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """The write transaction; what was done in it is on disk when the block has ended.

        Raises:
            LedgerUnavailable: it was not, or nobody knows. The connection is thrown away.
        """
        with self.transaction() as connection:
            yield Writing(connection, self._vault)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection for reading, within one transaction."""
        with _database_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection for writing, alone among the writers of this ledger."""
        if not self._turn.acquire(timeout=self._patience_s):
            raise LedgerUnavailable
        try:
            with _database_errors(), self._writer.connect() as connection:
                try:
                    with connection.begin():
                        yield connection
                except DBAPIError:
                    # After a failed commit nobody knows what the file holds: never reuse it.
                    connection.invalidate()
                    raise
        finally:
            self._turn.release()

    def check_keys(self) -> None:
        """Refuse to work with keys other than those the ledger was written with."""
        ring = tables.keyring
        with self.snapshot() as connection:
            rows = connection.execute(select(ring)).all()
        known = {(row.purpose, row.version): row.fingerprint for row in rows}
        here = self._vault.fingerprints()
        for key, fingerprint in known.items():
            if here.get(key) != fingerprint:
                raise SetupRefused(
                    f"The vault's {key[0]} key of version {key[1]} is not the one this ledger "
                    "was written with. Restore vault.json from its own backup."
                )
        new = [
            {"purpose": purpose, "version": version, "fingerprint": fingerprint}
            for (purpose, version), fingerprint in here.items()
            if (purpose, version) not in known
        ]
        if new:  # of processes that start together, the first one writes them
            with self.transaction() as connection:
                connection.execute(insert(ring).prefix_with("OR IGNORE"), new)

    def verify(self) -> tuple[int, list[Problem]]:
        """How many entries there are, and every row that is not what was written.

        Finds what was edited, removed or reordered, in entries and payloads, and a rewritten
        chain or a tail cut off, through the marked head. An older copy of the whole database is
        not found here: that needs a checkpoint kept elsewhere. Where the entries are whole, the
        tables that follow from them are worked out anew and compared.
        """
        with self.snapshot() as connection:
            last, problems = self._chained(connection)
            problems += self._without_key(connection)
            if not problems:  # what does not follow from spoilt entries says nothing of its own
                recorded = Reading(connection, self._vault).all_recorded()
                problems += differences(connection, self._vault, recorded)
        problems.sort(key=lambda problem: problem.sequence)
        return last.sequence if last else 0, problems

    def rebuild(self) -> int:
        """Work commitments and account out anew from the entries; how many entries there are.

        Raises:
            LedgerDamaged: the entries themselves are not whole; nothing is changed.
        """
        with self.transaction() as connection:
            last, problems = self._chained(connection)
            if problems or list(self._without_key(connection)):
                raise LedgerDamaged("The entries are not whole. See: loansvc ledger verify")
            rebuild(connection, self._vault, Reading(connection, self._vault).all_recorded())
        return last.sequence if last else 0

    def _chained(self, connection: Connection) -> tuple[Entry | None, list[Problem]]:
        """The last entry, and what is wrong with the entries and their head."""
        found = list(problems_of(_rows(connection)))
        head = connection.execute(select(tables.chain_head)).first()
        last = found.pop() if found and isinstance(found[-1], Entry) else None
        problems = [p for p in found if isinstance(p, Problem)]
        assert last is None or isinstance(last, Entry)
        n_entries = last.sequence if last else 0
        if head is None:
            if last is not None:
                problems.append(Problem(n_entries, "the head of the chain is missing"))
        elif not self._vault.head_fits(head.sequence, head.hash, head.mac):
            problems.append(Problem(head.sequence, "the head of the chain was changed"))
        elif head.sequence > n_entries:
            problems.append(Problem(n_entries + 1, "entries at the end are missing"))
        elif last is not None and (head.sequence, head.hash) != (n_entries, last.hash):
            problems.append(Problem(n_entries, "the chain does not end in its head"))
        return last, problems

    def _without_key(self, connection: Connection) -> Iterator[Problem]:
        """The first entry of each person whose payloads no key opens any more."""
        opened = set()
        for row in connection.execute(select(tables.subject_key)):
            try:
                self._vault.unwrap(row.subject_ref, row.key_version, row.wrapped)
            except LedgerDamaged:
                continue
            opened.add(row.subject_ref)
        entry = tables.entry.c
        first = select(entry.subject_ref, func.min(entry.sequence)).group_by(entry.subject_ref)
        for ref, sequence in connection.execute(first):
            if ref not in opened:
                yield Problem(sequence, "the key of its payload is missing or was changed")


def _rows(connection: Connection) -> Iterator[tuple[Entry, bytes | None]]:
    query = (
        select(tables.entry, tables.payload.c.sealed)
        .join(tables.payload, tables.payload.c.sequence == tables.entry.c.sequence, isouter=True)
        .order_by(tables.entry.c.sequence)
    )
    for row in connection.execution_options(yield_per=VERIFY_ROWS).execute(query):
        yield entry_of(row), row.sealed


def is_there(url: str) -> bool:
    """Whether a ledger may be at that URL: a SQLite file that exists, or another database."""
    try:
        place = make_url(url)
    except ArgumentError:
        return True  # opening it says what is wrong
    return place.get_backend_name() != "sqlite" or Path(place.database or "").exists()


@contextmanager
def _database_errors() -> Iterator[None]:
    """Database trouble is "try again" for the caller; details stay in the log."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        raise LedgerUnavailable from error


def _make(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupRefused(
            f"The folder {home} cannot be made: {error.strerror}. Name another: LOANSVC_HOME"
        ) from None


def _engine(url: str, busy_timeout_ms: int) -> Engine:
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


def _prepare_sqlite(engine: Engine, busy_timeout_ms: int) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, below
        # A row that somebody spoilt must be readable, so that `verify` can name it.
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        connection.execute(f"PRAGMA busy_timeout = {busy_timeout_ms}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # NORMAL may lose the last commits

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
    until = time.monotonic() + patience_ms / 1000
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


def migrate(engine: Engine, vault: Vault) -> None:
    """Bring the tables to this version, and fill those that follow from the entries."""
    with (
        _database_errors(),
        engine.execution_options(loansvc_writes=True).begin() as connection,
    ):
        before = MigrationContext.configure(connection).get_current_revision()
        config = _alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if before == BEFORE_FUND:
            _fill(connection, vault)


def _fill(connection: Connection, vault: Vault) -> None:
    try:
        rebuild(connection, vault, Reading(connection, vault).all_recorded())
    except LedgerDamaged:
        raise SetupRefused(
            "The ledger is not upgraded: a record of it cannot be opened. Find it with the version "
            "that wrote it (loansvc ledger verify), and restore the last backup that verifies."
        ) from None


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", "loansvc.ledger:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _revisions() -> list[str]:
    return [script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()]


def _head_revision() -> str | None:
    return ScriptDirectory.from_config(_alembic()).get_current_head()
