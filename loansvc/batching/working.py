"""Working: the rows of waiting batches decided, a few at a time, beside whoever is online.

A piece is a few rows of one batch, decided in one transaction with what became of them, the counts
and the lease: killed at any point, either all of it is on disk or nothing. So rows are neither lost
nor doubled, also where two workers meet, and a lease only spares the second one the work.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import DBAPIError

from loansvc.application import Application
from loansvc.batching import Batching
from loansvc.errors import LedgerUnavailable, LoanError
from loansvc.ledger import Writing
from loansvc.ledger.batches import Batch, Batches, Row, new_worker, refused
from loansvc.probing import Watch
from loansvc.underwriting import Underwriting, milliseconds, stamp

log = logging.getLogger("loansvc.worker")
ROWS = 8  # of a piece
MOST_SECONDS = 0.02  # of a transaction, after which it takes no further row
BESIDE_SECONDS = 0.002  # likewise while others write: whoever is online waits behind it
LEASE_MS = 10_000  # without a sign of life, after which another worker goes on
TURN_SECONDS = 1.0  # with one batch, while others wait
LOOK_SECONDS = 0.5  # between looks where nothing waits
TIDY_SECONDS = 60.0
LONGEST_PAUSE = 1.0
REST = 3.0  # pauses for each second that a piece took, turn and work, while others write


@dataclass(frozen=True, slots=True)
class Piece:
    """What came of a piece: rows settled, seconds worked and waited, whether others wrote."""

    n_rows: int
    worked_s: float = 0.0
    waited_s: float = 0.0
    beside_others: bool = False

    @property
    def rest_s(self) -> float:
        """How long to leave the ledger to others after it."""
        took_s = self.worked_s + self.waited_s
        return min(LONGEST_PAUSE, REST * took_s) if self.beside_others else 0.0


@dataclass
class Working:
    """One worker. `read` gives the application in a document, or refuses it."""

    root: Underwriting
    read: Callable[[dict[str, Any]], Application]
    watch: Callable[[str], Watch | None] = lambda _client: None
    rows_at_once: int = ROWS
    days_kept: int = 7
    name: str = field(default_factory=new_worker)
    _n_read: int = 0  # rows read for a piece: as many as were decided in time
    _turn_ends: float = 0.0
    _at_hand: int = 0  # the number of the batch of this piece
    _failed: int = 0  # of one that could not be written: others have their turn before it
    _head: int | None = None  # of the chain, when this worker last wrote

    def run(self, wait: Callable[[float], bool], *, once: bool = False) -> None:
        """Work until told to stop, or, with `once`, until nothing waits that it may take.

        `wait` waits for so many seconds between pieces, and says whether to stop.
        """
        rest_s, tidy_at = 0.0, 0.0
        while not wait(rest_s):
            try:
                if time.monotonic() >= tidy_at:
                    tidy_at = time.monotonic() + TIDY_SECONDS
                    Batching(self.root).tidy(days=self.days_kept)
                piece = self.piece()
            except LedgerUnavailable as error:
                log.warning("the ledger cannot be written just now: %s", _cause(error))
                self._failed = self._at_hand
                self.let_go()
                rest_s = LONGEST_PAUSE
                continue
            if piece is None and once:
                break
            rest_s = LOOK_SECONDS if piece is None else piece.rest_s
        self.let_go()

    def let_go(self) -> None:
        """Leave what this worker holds to others."""
        try:
            with self.root.ledger.writing() as ledger:
                Batches(ledger.connection, ledger.vault).release(self.name)
        except LedgerUnavailable:
            log.warning("a lease ends by itself in %s ms", LEASE_MS)

    def piece(self) -> Piece | None:
        """Decide the next rows of a batch; None where nothing waits.

        Raises:
            LedgerUnavailable: nothing of it was done, or nobody knows; go on as if nothing was.
        """
        with self.root.ledger.reading() as reading:
            batches = Batches(reading.connection, reading.vault)
            batch = batches.next_for(self.name, at=self._now(), most=LEASE_MS, last=self._failed)
            if batch is None:
                return None
            self._at_hand = batch.number
            rows = batches.waiting(batch, self._n_read or self.rows_at_once)
        applications = [self._read(row) for row in rows]  # before the lock: it takes longest
        asked_at = time.monotonic()
        with self.root.ledger.writing() as ledger:
            began_at = time.monotonic()
            beside_others = self._others_wrote(ledger)
            most_s = BESIDE_SECONDS if beside_others else MOST_SECONDS
            n_rows = self._decide(ledger, batch, rows, applications, began_at + most_s)
            self._head = ledger.last_sequence
        in_time = n_rows == len(rows)
        self._n_read = min(self.rows_at_once, n_rows + 1) if in_time else max(1, n_rows)
        worked_s = time.monotonic() - began_at
        return Piece(n_rows, worked_s, began_at - asked_at, beside_others)

    def _read(self, row: Row) -> Application | LoanError:
        try:
            return self.read(row.document)
        except LoanError as error:
            return error

    def _others_wrote(self, ledger: Writing) -> bool:
        before, self._head = self._head, ledger.last_sequence
        return before is not None and before != self._head

    def _decide(
        self, ledger: Writing, batch: Batch, rows: list[Row],
        applications: list[Application | LoanError], until: float,
    ) -> int:  # fmt: skip
        """Decide what still waits of these rows, as far as time allows; how many."""
        batches = Batches(ledger.connection, ledger.vault)
        now = batches.get(batch.number)
        if (
            now is None
            or now.state not in ("waiting", "running")
            or not now.is_free(self.name, self._now(), LEASE_MS)
        ):
            return 0
        there, last = batches.still_waiting(now, rows), now.next_row - 1
        done: list[Row] = []
        counts: Counter[str] = Counter()
        for row, application in zip(rows, applications, strict=True):
            if done and time.monotonic() > until:
                break
            if row.row in there:
                result, outcome = self._result(ledger, now, row, application)
                done.append(result)
                counts[outcome] += 1
            last = row.row
        batches.settle(now, done, counts, after=last, at=stamp(self.root.clock()))
        self._hold(batches, now)
        return len(done)

    def _result(
        self, ledger: Writing, batch: Batch, row: Row, application: Application | LoanError
    ) -> tuple[Row, str]:
        """What becomes of a row, and what it counts as."""
        try:
            if isinstance(application, LoanError):
                raise application
            watch = self.watch(batch.client)
            derived = self.root.derive(application, watch=watch)
            with ledger.connection.begin_nested():  # of a refusal nothing stays
                # A view of its own: what one has read of the fund is not undone with the rows.
                alone = Writing(ledger.connection, ledger.vault)
                recorded, is_new = self.root.decide_within(
                    alone, derived, client=batch.client, watch=watch
                )
        except (DBAPIError, LedgerUnavailable):
            raise
        except LoanError as error:
            return refused(row.row, error, row.document), "refused"
        except Exception as error:
            log.error("row %d of batch %s failed", row.row, batch.batch_id, exc_info=error)
            return refused(row.row, _our_mistake(), row.document), "refused"
        known = {"application_id": recorded.entry.application_id}
        return Row(row.row, 201 if is_new else 200, known), str(recorded.decision["outcome"])

    def _hold(self, batches: Batches, batch: Batch) -> None:
        """Keep the batch for the next piece, unless this turn with it is over."""
        at, now = self._now(), time.monotonic()
        if batch.leased_by != self.name:
            self._turn_ends = now + TURN_SECONDS
            batches.lease(batch, self.name, until=at + LEASE_MS, touched=at)
        elif now < self._turn_ends:
            batches.lease(batch, self.name, until=at + LEASE_MS)
        else:
            batches.lease(batch, "", until=0)

    def _now(self) -> int:
        return milliseconds(self.root.clock())


def _our_mistake() -> LoanError:
    error = LoanError("An error on our side. Send this application again, alone.")
    error.status, error.code = 500, "internal_error"
    return error


def _cause(error: LedgerUnavailable) -> str:
    """The kind of the database's error; its text may hold values."""
    return type(getattr(error.__cause__, "orig", error.__cause__)).__name__
