"""Ledger: the append-only record of every decision, on disk before anyone hears the answer.

SQLite (WAL, synchronous=FULL). One transaction holds idempotency, subject, payload,
chain entry and head: all or nothing. `writing()` gives that transaction, `reading()` a snapshot.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select

from loansvc.errors import LedgerDamaged, LedgerUnavailable, SetupRefused
from loansvc.ledger import tables
from loansvc.ledger.chain import Entry, Problem
from loansvc.ledger.ciphers import INTERNATIONAL
from loansvc.ledger.entries import Reading, Writing
from loansvc.ledger.fund import rebuild
from loansvc.ledger.group_commit import GroupCommit
from loansvc.ledger.sealing import Subject
from loansvc.ledger.stores import (
    database_errors,
    fleeting_engine,
    is_damage,
    is_there,
    leave_no_trace,
    open_engine,
    revision_of,
    revisions,
    upgrade,
    wait_for_no_disk,
)
from loansvc.ledger.vault import Vault
from loansvc.ledger.verification import DAMAGED, entries_verified, verify

__all__ = ["Entry", "Ledger", "Problem", "Reading", "Subject", "Vault", "Writing", "is_there"]

log = logging.getLogger("loansvc.ledger")
TRIES = 2  # to clean the log before the answer, each at most as long as stores.TRACE_WAIT_MS
PAUSE_S = 1.0  # between later tries
BEFORE_FUND = "0001"  # the tables that had no commitments yet


class Ledger:
    """The store behind one database URL."""

    RETIRED = "retired "  # before the fingerprint of a key that nothing needs any more

    def __init__(
        self, engine: Engine, vault: Vault, *, home: Path, busy_timeout_ms: int = 2000
    ) -> None:
        self._engine = engine
        self._vault = vault
        # Writers of one process queue here in turn; SQLite's own waiting is by chance.
        self._writers = GroupCommit(
            engine.execution_options(loansvc_writes=True), patience_s=busy_timeout_ms / 1000
        )
        self.home = home  # where the list of erasures lies
        self._cleaning = threading.Lock()
        self._fleeting = fleeting_engine(engine, busy_timeout_ms)

    @classmethod
    def open(
        cls, url: str, *, home: Path, vault_keys: str = "", busy_timeout_ms: int = 2000,
        create: bool = False, suite: str = INTERNATIONAL,
    ) -> Ledger:  # fmt: skip
        """The ledger at that URL, its schema current and its keys the right ones.

        `create`: make the folder, the keys (of that suite) and the tables where they are missing.

        Raises:
            SetupRefused: database, keys or schema are not fit to start on; says what is wrong.
        """
        if create:
            _make(home)
        engine = open_engine(url, busy_timeout_ms)
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
                create=create, suite=suite,
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
        cls, engine: Engine, *, home: Path, vault_keys: str, busy_timeout_ms: int, create: bool,
        suite: str,
    ) -> Ledger:  # fmt: skip
        with database_errors(), engine.connect() as connection:
            revision = revision_of(connection)
        if not create and revision != revisions()[0]:
            raise SetupRefused(
                "The ledger's tables are not of this version. Run: loansvc ledger upgrade"
            )
        if revision not in (None, *revisions()):
            raise SetupRefused(
                "The ledger's tables are of a version that this program does not know. "
                "Start the newer program that wrote them."
            )
        # Keys are only ever made for a new ledger: beside an old one, new keys would open nothing.
        vault = Vault.open(
            home / "vault.json", given=vault_keys, create=create and revision is None, suite=suite
        )
        if create:
            migrate(engine, vault)
        ledger = cls(engine, vault, home=home, busy_timeout_ms=busy_timeout_ms)
        ledger.check_keys()
        return ledger

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """A snapshot of the ledger."""
        with self.snapshot() as connection:
            yield Reading(connection, self._vault.refresh())

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """The write transaction; what was done in it is on disk when the block has ended.

        Raises:
            LedgerUnavailable: it was not, or nobody knows. The connection is thrown away.
        """
        with self.transaction() as connection:
            yield Writing(connection, self._vault.refresh())

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection for reading, within one transaction."""
        with database_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection for writing, alone among the writers of this ledger."""
        with self._writers.block() as connection:
            yield connection

    @contextmanager
    def fleeting(self) -> Iterator[Connection]:
        """A connection for writing what is kept for minutes; its commit does not wait for the disk.

        Never for anything that is answered from the record.
        """
        with database_errors(), self._fleeting.begin() as connection:
            wait_for_no_disk(connection)
            yield connection

    def check_keys(self) -> None:
        """Refuse to work with keys other than those the ledger was written with."""
        ring = tables.keyring
        with self.snapshot() as connection:
            rows = connection.execute(select(ring)).all()
        known = {(row.purpose, row.version): row.fingerprint for row in rows}
        here = self._vault.refresh().fingerprints()
        for key, fingerprint in known.items():
            if key not in here and fingerprint.startswith(self.RETIRED):
                continue
            if here.get(key) != fingerprint.removeprefix(self.RETIRED):
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

    def leave_no_trace(self) -> None:
        """Take what was deleted out of the database's files, now or as soon as nobody reads it.

        Waits half a second at most; a thread goes on where that was not enough.
        """
        if any(self._is_clean() for _ in range(TRIES)):
            return
        if self._cleaning.acquire(blocking=False):  # else one is at it already
            threading.Thread(target=self._clean, name="leave no trace", daemon=True).start()

    def _is_clean(self) -> bool:
        try:
            with database_errors():
                return leave_no_trace(self._engine)
        except LedgerUnavailable as error:
            log.warning("what was erased may still be in the database's log", exc_info=error)
            return False

    def _clean(self) -> None:
        try:
            while not self._is_clean():
                time.sleep(PAUSE_S)
        finally:
            self._cleaning.release()

    def verify(self) -> tuple[int, list[Problem]]:
        """How many entries there are, and every row that is not what was written.

        Finds what was edited, removed or reordered, in entries and payloads, and a rewritten
        chain or a tail cut off, through the marked head. An older copy of the whole database is
        not found here: that needs a checkpoint kept elsewhere. Where the entries are whole, the
        tables that follow from them are worked out anew and compared.
        """
        try:
            with self.snapshot() as connection:
                return verify(connection, self._vault.refresh())
        except LedgerUnavailable as error:
            if not is_damage(error):
                raise
            return 0, [Problem(0, DAMAGED)]

    def rebuild(self) -> int:
        """Work commitments and account out anew from the entries; how many entries there are.

        Raises:
            LedgerDamaged: the entries themselves are not whole; nothing is changed.
        """
        with self.transaction() as connection:
            n_entries, problems = entries_verified(connection, self._vault.refresh())
            if problems:
                raise LedgerDamaged("The entries are not whole. See: loansvc ledger verify")
            rebuild(connection, self._vault, Reading(connection, self._vault).all_recorded())
        return n_entries


def _make(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupRefused(
            f"The folder {home} cannot be made: {error.strerror}. Name another: LOANSVC_HOME"
        ) from None


def migrate(engine: Engine, vault: Vault) -> None:
    """Bring the tables to this version, and fill those that follow from the entries."""
    with (
        database_errors(),
        engine.execution_options(loansvc_writes=True).begin() as connection,
    ):
        before = revision_of(connection)
        upgrade(connection)
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
