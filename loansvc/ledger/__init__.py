"""Ledger: the append-only record of every decision, on disk before anyone hears the answer.

SQLite or PostgreSQL. One transaction holds idempotency, subject, payload, chain entry and head:
all or nothing. `writing()` gives that transaction, `reading()` a snapshot.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, and_, delete, select

from loansvc.errors import LedgerDamaged, LedgerUnavailable, SetupRefused
from loansvc.ledger import kept, tables
from loansvc.ledger.chain import Entry, Problem
from loansvc.ledger.ciphers import INTERNATIONAL
from loansvc.ledger.copying import Progress, copy_into
from loansvc.ledger.entries import Reading, Writing
from loansvc.ledger.fund import rebuild
from loansvc.ledger.group_commit import GroupCommit, Round, Told
from loansvc.ledger.migrating import migrate
from loansvc.ledger.older import missing_from
from loansvc.ledger.sealing import Subject
from loansvc.ledger.stores import (
    REMEDIES,
    cause_of,
    check,
    damage,
    database_errors,
    fleeting_engine,
    is_damage,
    is_there,
    leave_no_trace,
    open_engine,
    place_of,
    put_new,
    readers,
    revision_of,
    revisions,
    unhurried,
    wait_for_no_disk,
    writers,
)
from loansvc.ledger.tiles import make_anew
from loansvc.ledger.vault import SIGNING, Vault
from loansvc.ledger.verification import DAMAGED, entries_verified, verify
from loansvc.ledger.verifier import Checkpoint

__all__ = ["Entry", "Ledger", "Problem", "Reading", "Subject", "Vault", "Writing", "is_there"]

T = TypeVar("T")
log = logging.getLogger("loansvc.ledger")
TRIES = 2  # to clean the log before the answer, each at most as long as stores.TRACE_WAIT_MS
PAUSE_S = 1.0  # between later tries


class Ledger:
    """The store behind one database URL."""

    RETIRED = "retired "  # before the fingerprint of a key that nothing needs any more

    def __init__(
        self, engine: Engine, vault: Vault, *, home: Path, busy_timeout_ms: int = 2000
    ) -> None:
        self._engine = engine
        self._vault = vault
        self.home = home  # where the list of erasures lies
        self._cleaning = threading.Lock()
        # Writers of one process queue here in turn; a database's own waiting is by chance.
        self._writers = GroupCommit(writers(engine), patience_s=busy_timeout_ms / 1000)
        self._readers = readers(engine)
        self._fleeting = fleeting_engine(engine, busy_timeout_ms)

    @classmethod
    def open(
        cls, url: str, *, home: Path, vault_keys: str = "", busy_timeout_ms: int = 2000,
        create: bool = False, suite: str = INTERNATIONAL, older: bool = False,
    ) -> Ledger:  # fmt: skip
        """The ledger at that URL, its schema current and its keys the right ones.

        `create`: make the folder, the keys (of that suite) and the tables where they are missing.
        `older`: also where it lacks entries that were signed for.

        Raises:
            SetupRefused: database, keys or schema are not fit to start on; says what is wrong.
        """
        if create:
            _make(home)
        engine = open_engine(url, busy_timeout_ms)
        place = place_of(engine.url)
        if not create and not is_there(url):  # SQLite would make an empty file of it
            raise SetupRefused(
                f"There is no ledger at {place}. Make one with loansvc serve, or name the "
                "folder it is in: LOANSVC_HOME"
            )
        try:
            return cls._opened(
                engine, home=home, vault_keys=vault_keys, busy_timeout_ms=busy_timeout_ms,
                create=create, suite=suite, older=older,
            )  # fmt: skip
        except LedgerUnavailable as error:
            engine.dispose()
            # Nobody's request is at stake here: say what is wrong with the database.
            raise SetupRefused(
                f"The ledger at {place} cannot be opened: {cause_of(error, engine.url)}. "
                f"{REMEDIES[engine.dialect.name]}"
            ) from error
        except SetupRefused:
            engine.dispose()
            raise

    @classmethod
    def _opened(
        cls, engine: Engine, *, home: Path, vault_keys: str, busy_timeout_ms: int, create: bool,
        suite: str, older: bool,
    ) -> Ledger:  # fmt: skip
        with database_errors(), engine.connect() as connection:
            check(connection)
            revision = revision_of(connection)
            signed_before = revision is not None and _signed_before(connection)
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
            home / "vault.json", given=vault_keys, create=create and revision is None, suite=suite,
            complete=create and not signed_before,
        )  # fmt: skip
        if create and revision != revisions()[0]:
            migrate(engine, vault)
        ledger = cls(engine, vault, home=home, busy_timeout_ms=busy_timeout_ms)
        ledger.check_keys()
        if not older:
            ledger.check_whole()
        return ledger

    def beside(self, url: str, home: Path) -> Ledger:
        """A copy of this ledger at another URL, with the files of another folder, as it is."""
        return Ledger(open_engine(url, busy_timeout_ms=2000), self._vault, home=home)

    @property
    def url(self) -> URL:
        """Where it is; its text may hold a password."""
        return self._engine.url

    @property
    def vault(self) -> Vault:
        """The outer keys of now."""
        return self._vault.refresh()

    def on_commit(self, tell: Told) -> None:
        """Tell of every commit from now on: how many writers shared it, and its seconds."""
        self._writers.tell = tell

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()
        self._fleeting.dispose()

    def check_whole(self) -> None:
        """Refuse to go on from an older copy, which would fork the chain.

        Raises:
            SetupRefused: entries that were signed for are not there.
        """
        lost = self.missing()
        if lost is not None:
            raise SetupRefused(
                f"The ledger is an older copy: a checkpoint was signed over {lost[1]} entries, and "
                f"it has {lost[0] - 1}. Put the newest backup in place: loansvc ledger restore "
                "FOLDER. If there is none newer, say that the loss is known: "
                "loansvc ledger restore --accept"
            )

    def missing(self) -> tuple[int, int] | None:
        """The first and the last entry that were signed for and are not there; None where all are.

        Only a checkpoint that this installation signed says so: what anybody else wrote into the
        file keeps no service from starting. `verify` tells of it.
        """
        last = self.last_kept()  # before the database: what stands there was committed first
        with self.snapshot() as connection:
            return missing_from(connection, last)

    def last_kept(self) -> Checkpoint | None:
        """The newest checkpoint that is signed and stands in the file beside the database."""
        return kept.last_in(self.home / kept.NAME, self._vault.refresh().signatures().checked)

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

    def write(self, work: Callable[[Writing], T]) -> T:
        """What `work` gives in a write transaction; it is on disk then. It may run in any thread.

        Raises:
            LedgerUnavailable: it is not, or nobody knows; and whatever `work` raises.
        """
        vault = self._vault.refresh()
        return self._writers.run(lambda connection: work(Writing(connection, vault)))

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection for reading, within one transaction."""
        with database_errors(), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection for writing, alone among the writers of this ledger."""
        with self._writers.block() as connection:
            yield connection

    def round(self) -> AbstractContextManager[Round]:
        """Transactions of this thread with one commit, on disk when the block has ended.

        What any of them gave must not be told before that.

        Raises:
            LedgerUnavailable: none of it is on disk, or nobody knows.
        """
        return self._writers.round()

    @contextmanager
    def fleeting(self) -> Iterator[Connection]:
        """A connection for writing what is kept for minutes; its commit does not wait for the disk.

        Never for anything that is answered from the record. Within a round that writes it is a part
        of that: its own thread would wait for it in vain.
        """
        if self._writers.holds():
            with self.transaction() as connection:
                yield connection
            return
        with database_errors(), self._fleeting.begin() as connection:
            wait_for_no_disk(connection)
            yield connection

    def check_keys(self) -> None:
        """Refuse to work with keys other than those the ledger was written with.

        What a retired key that is not here any more was needed for goes.
        """
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
                put_new(connection, ring, new)
        for purpose, version in known.keys() - here.keys():
            if purpose == "pseudonym":
                self._forget_marks(version)

    def _forget_marks(self, version: int) -> None:
        """Delete the marks of relations and of variants under a key that is no more.

        Until it was, other processes marked whom they met under it too.
        """
        for column in (tables.related.c.party, tables.variant.c.person):
            # The range of hexadecimal digits is for the index: `like` alone reads the table.
            in_range = column.between(f"v{version}:", f"v{version}:g")
            under = and_(column.like(f"v{version}:%"), in_range)
            with self.snapshot() as connection:
                there = connection.execute(select(column).where(under).limit(1)).first()
            if there is not None:
                with self.transaction() as connection:
                    connection.execute(delete(column.table).where(under))

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

    def verify(
        self, *, outside: Sequence[Path] = (), entries_only: bool = False
    ) -> tuple[int, list[Problem]]:
        """How many entries there are, and every row that is not what was written.

        Finds what was edited, removed or reordered, in entries and payloads; a rewritten chain or
        a tail cut off, through the marked head and the checkpoints. Those are read from the
        database, from the file beside it, and from files kept elsewhere (`outside`), which alone
        tell of an older copy of everything. Where the entries are whole, the tables that follow
        from them are worked out anew and compared, unless `entries_only`.
        """
        # Before the snapshot: what stands in the file was in the database first.
        noted = self._noted()
        noted += [(path.name, note) for path in outside for note in kept.notes_in(path)]
        try:
            # The database looks at its file meanwhile, on another core: of a large one, for long.
            with ThreadPoolExecutor(1) as beside, self.snapshot() as connection:
                damaged = beside.submit(self._damage).result
                unhurried(connection)
                vault = self._vault.refresh()
                return verify(connection, vault, noted, entries_only=entries_only, damaged=damaged)
        except LedgerUnavailable as error:
            if not is_damage(error):
                raise
            return 0, [Problem(0, DAMAGED)]

    def _damage(self) -> list[str]:
        with self.snapshot() as connection:
            return damage(connection)

    def copy_to(self, url: str, *, progress: Progress = lambda done, of: None) -> int:
        """Copy everything into the empty database at that URL, verified; how many entries.

        Raises:
            SetupRefused: there is something already, or it cannot be written.
            LedgerDamaged: what was copied does not verify. Either way nothing is left there.
        """
        with self.snapshot() as connection:
            return copy_into(url, connection, self._vault.refresh(), progress)

    def rebuild(self) -> int:
        """Work everything out anew that follows from the entries; how many entries there are.

        Checkpoints of the file that the database lacks are put back.

        Raises:
            LedgerDamaged: the entries themselves are not whole; nothing is changed.
        """
        noted = self._noted()
        with self.transaction() as connection:
            unhurried(connection)
            n_entries, problems = entries_verified(connection, self._vault.refresh(), noted)
            if not all(problem.follows for problem in problems):
                raise LedgerDamaged("The entries are not whole. See: loansvc ledger verify")
            reading = Reading(connection, self._vault)
            rebuild(connection, self._vault, reading.all_recorded(), reading.reports_before)
            make_anew(connection, reading.vault.signatures(), (note for _, note in noted))
        return n_entries

    def _noted(self) -> list[tuple[str, str]]:
        """The notes of the file beside the database, each with where it is from."""
        return [(kept.NAME, note) for note in kept.notes_in(self.home / kept.NAME)]


def _signed_before(connection: Connection) -> bool:
    ring = tables.keyring.c
    query = select(ring.version).where(ring.purpose == SIGNING)
    return connection.execute(query).first() is not None


def _make(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupRefused(
            f"The folder {home} cannot be made: {error.strerror}. Name another: LOANSVC_HOME"
        ) from None
