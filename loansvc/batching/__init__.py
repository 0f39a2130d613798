"""Batching: many applications sent at once, taken in now and decided later by `loansvc worker`.

On the ledger and clock of an underwriting. Rows wait sealed in the ledger's database; each is
decided by `Underwriting.decide_within`, as if it had been sent alone, in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Any

from loansvc.errors import BatchRefused, FieldError, LoanError, NotFound
from loansvc.ledger import Reading
from loansvc.ledger.batches import OPEN, OUTCOMES, Batch, Batches, Row
from loansvc.reviewing.showing import shown
from loansvc.underwriting import (
    Recorded,
    Underwriting,
    find_in,
    milliseconds,
    new_id,
    stamp,
)

ROWS_AT_ONCE = 100  # that are written in one transaction: some milliseconds
SILENT = timedelta(minutes=15)  # after which a batch that comes in has broken off
DECIDED = (200, 201)  # what POST /v1/decisions answers


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a row: the decision as it stands now, or the refusal."""

    row: int
    status: int
    application_id: str | None
    decision: dict[str, Any] | None
    refusal: LoanError | None


class Batching:
    """Batches of a client, on the ledger and clock of an underwriting."""

    def __init__(self, root: Underwriting) -> None:
        self._root = root
        self._ledger = root.ledger

    def receive(
        self, rows: Iterator[Row], content: Callable[[], str], *, client: str,
        batch_id: str | None = None, most_open: int = 4,
        turn: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> tuple[dict[str, Any], bool]:  # fmt: skip
        """Take a batch in while its rows arrive, and say whether it is new.

        The same batch again, by its id and its bytes, is read to the end and nothing is done.
        `content` gives the digest of what was sent, once all rows have been read; either may
        refuse, and then nothing of the batch stays. `most_open`: so many of a client may wait.
        `turn` is held around every transaction.

        Raises:
            BatchRefused: another one has this id; too many wait; it has no rows.
            LedgerUnavailable
        """
        with turn():
            batch, is_new = self._begin(client, batch_id, most_open)
        if not is_new:
            return self._same_again(batch, rows, content), False
        try:
            return self._take_in(batch, rows, content, turn), True
        except BaseException:
            with suppress(LoanError), self._ledger.writing() as ledger:
                Batches(ledger.connection, ledger.vault).drop(batch.number)
            raise

    def _begin(self, client: str, batch_id: str | None, most_open: int) -> tuple[Batch, bool]:
        """The batch of that id, or a new one that receives its rows, and whether it is new."""
        with self._ledger.writing() as ledger:
            at = self._root.clock()
            batches = Batches(ledger.connection, ledger.vault)
            known = batches.find(client, batch_id) if batch_id is not None else None
            if known is not None and known.state != "receiving":
                return known, False
            if known is not None:  # it broke off, or is given up
                batches.drop(known.number)
            if batches.n_open(client) >= most_open:
                raise BatchRefused("too_many_batches")
            return batches.open(
                client, batch_id or new_id("bat", at), at=milliseconds(at), received_at=stamp(at),
                after=known.number if known is not None else 0,
            ), True  # fmt: skip

    def _take_in(
        self, batch: Batch, rows: Iterator[Row], content: Callable[[], str],
        turn: Callable[[], AbstractContextManager[Any]],
    ) -> dict[str, Any]:  # fmt: skip
        n_rows = 0
        while some := list(islice(rows, ROWS_AT_ONCE)):
            with turn(), self._ledger.writing() as ledger:
                at = milliseconds(self._root.clock())
                if not Batches(ledger.connection, ledger.vault).add(batch, some, at=at):
                    raise BatchRefused("batch_replaced")
            n_rows += len(some)
        if not n_rows:
            raise BatchRefused("empty_batch")
        digest = content()
        with turn(), self._ledger.writing() as ledger:
            batches = Batches(ledger.connection, ledger.vault)
            if not batches.complete(batch, digest, at=stamp(self._root.clock())):
                raise BatchRefused("batch_replaced")
            taken = batches.get(batch.number)
            assert taken is not None
            return document_of(taken)

    def _same_again(
        self, known: Batch, rows: Iterable[Row], content: Callable[[], str]
    ) -> dict[str, Any]:
        for _ in rows:
            pass
        with self._ledger.reading() as ledger:
            batches = Batches(ledger.connection, ledger.vault)
            if batches.content_of(known) != content():
                raise BatchRefused("batch_id_reused")
            return document_of(batches.get(known.number) or known)

    def find(self, batch_id: str, *, client: str) -> dict[str, Any]:
        """Where a batch stands.

        Raises:
            NotFound: there is none of this id, or it is another client's, or it was dropped.
        """
        with self._ledger.reading() as ledger:
            return document_of(_found(ledger, batch_id, client))

    def page(
        self, *, client: str, state: str | None, before: int | None, limit: int
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Batches of a client, newest first, and the number to go on before (None: no more)."""
        with self._ledger.reading() as ledger:
            batches = Batches(ledger.connection, ledger.vault)
            found = batches.page(client, state=state, before=before, limit=limit + 1)
        go_on = found[limit - 1].number if len(found) > limit else None
        return [document_of(one) for one in found[:limit]], go_on

    def cancel(self, batch_id: str, *, client: str) -> dict[str, Any]:
        """Decide no further row of a batch; those that wait are deleted. Again changes nothing.

        Raises:
            NotFound
            BatchRefused: every row is decided already.
        """
        with self._ledger.writing() as ledger:
            found = _found(ledger, batch_id, client)
            if found.state == "done":
                raise BatchRefused("batch_done")
            batches = Batches(ledger.connection, ledger.vault)
            if found.state != "cancelled":
                batches.cancel(found, at=stamp(self._root.clock()))
            now = batches.get(found.number) or found
        self._ledger.leave_no_trace()
        return document_of(now)

    def results(self, batch_id: str, *, client: str, first: int, limit: int) -> list[Result]:
        """What became of the rows from `first` on, in order, as far as they are over.

        Raises:
            NotFound
        """
        today = self._root.today()
        with self._ledger.reading() as ledger:
            batch = _found(ledger, batch_id, client)
            rows = Batches(ledger.connection, ledger.vault).rows(batch, first, limit)
            found = [(row, _recorded(ledger, row, client)) for row in rows]
            entries = [one.entry for _, one in found if isinstance(one, Recorded)]
            acts = ledger.acts.of(*entries)
        return [
            Result(row.row, row.status, row.document["application_id"],
                   shown(replace(one, acts=acts[one.entry.sequence]), today=today), None)
            if isinstance(one, Recorded)
            else Result(row.row, one.status, row.document["application_id"], None, one)
            for row, one in found
        ]  # fmt: skip

    def tidy(self, *, days: int) -> int:
        """Drop batches that ended so many days ago, and what broke off; how many those were."""
        now = self._root.clock()
        over_since = stamp(now - timedelta(days=days))
        silent_since = milliseconds(now - SILENT)
        with self._ledger.reading() as ledger:
            batches = Batches(ledger.connection, ledger.vault)
            numbers = batches.to_be_dropped(over_since=over_since, silent_since=silent_since)
        for number in numbers:
            with self._ledger.writing() as ledger:
                Batches(ledger.connection, ledger.vault).drop(number)
        if numbers:
            self._ledger.leave_no_trace()
        return len(numbers)


def document_of(batch: Batch) -> dict[str, Any]:
    """A batch as it is answered."""
    counts = {name: getattr(batch, f"n_{name}") for name in OUTCOMES}
    return {
        "batch_id": batch.batch_id,
        "state": batch.state,
        "received_at": batch.received_at,
        "ended_at": batch.ended_at or None,
        "rows": batch.n_rows,
        "rows_over": batch.n_over,
        "counts": counts,
        "results_to": batch.next_row - 1 if batch.state in OPEN else batch.n_rows,
    }


def _found(ledger: Reading, batch_id: str, client: str) -> Batch:
    found = Batches(ledger.connection, ledger.vault).find(client, batch_id)
    if found is None:
        raise NotFound("There is no batch with this batch_id.")
    return found


def _recorded(ledger: Reading, row: Row, client: str) -> Recorded | LoanError:
    """The decision on a row, or the refusal of it."""
    if row.status not in DECIDED:
        return _refusal(row)
    try:
        return find_in(ledger, row.document["application_id"], client=client)
    except LoanError as error:  # erased since
        return error


def _refusal(row: Row) -> LoanError:
    problem = row.document["problem"]
    found = LoanError(problem["detail"], errors=[FieldError(**e) for e in problem["errors"]])
    found.status, found.code = row.status, problem["code"]
    return found
