"""Batches: applications that wait in the ledger's database, and what became of each row.

A batch is no entry: the decisions on its rows are. It has a key of its own, wrapped as a person's
is, and every row is sealed with it. Of a row that waits a mark of its person stands beside it,
under the same key, so that an erasure finds it and nothing can be joined with it. What became of a
row takes the place of the application. A batch that is over is dropped with its key.

    receiving   its rows come in; what is left of one that broke off is dropped
    waiting     no row was decided yet
    running     some were
    done        all are, or were refused
    cancelled   rows that were not decided by then are deleted

Whoever ends a batch, either way, tells its client so in the same transaction (`outbox.py`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from loansvc.errors import Erased, LoanError
from loansvc.identifiers import holds_id_number
from loansvc.ledger.ciphers import mac
from loansvc.ledger.outbox import tell
from loansvc.ledger.sealing import Subject
from loansvc.ledger.tables import batch, batch_row
from loansvc.ledger.vault import Vault

STATES = ("receiving", "waiting", "running", "done", "cancelled")
OPEN = STATES[:3]
WAITING = 0  # status of a row that is not decided yet
OUTCOMES = ("approve", "refer", "decline", "refused")
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_B, _R = batch.c, batch_row.c
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as its row says; rows before `next_row` are over."""

    number: int
    client: str
    batch_id: str
    state: str
    received_at: str
    ended_at: str
    n_rows: int
    next_row: int
    n_approve: int
    n_refer: int
    n_decline: int
    n_refused: int
    leased_by: str
    leased_until: int
    key_version: int
    wrapped: bytes
    sealed: bytes

    @property
    def n_over(self) -> int:
        """How many rows are decided or refused."""
        return self.n_approve + self.n_refer + self.n_decline + self.n_refused

    def is_free(self, by: str, at: int, most: int) -> bool:
        """Whether that worker may take it: nobody holds it, or for longer than anybody may."""
        return self.leased_by in ("", by) or not at < self.leased_until <= at + most


@dataclass(frozen=True, slots=True)
class Queue:
    """Batches that are not over, by state; their rows that are not, and when the oldest came.

    `n_workers`: how many hold one of them.
    """

    batches: dict[str, int]
    n_rows: int
    oldest: str
    n_workers: int


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its application while it waits, afterwards what became of it; `person`: whose it is.

    `status` is that of the answer that the application alone would have had.
    """

    row: int
    status: int
    document: Document
    person: str = ""


def refused(row: int, error: LoanError, document: Any) -> Row:
    """A row that is over because it was refused; of its document only a good id is kept."""
    given = document.get("application_id") if isinstance(document, dict) else None
    fits = isinstance(given, str) and _ID.fullmatch(given) and not holds_id_number(given)
    errors = [{"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in error.errors]
    problem = {"code": error.code, "detail": error.detail, "errors": errors}
    return Row(row, error.status, {"application_id": given if fits else None, "problem": problem})


class Batches:
    """Queries and changes within one transaction."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault

    def find(self, client: str, batch_id: str) -> Batch | None:
        """The batch of that client."""
        return self._first(_B.client == client, _B.batch_id == batch_id)

    def get(self, number: int) -> Batch | None:
        """The batch of that number."""
        return self._first(_B.number == number)

    def page(
        self, client: str, *, state: str | None, before: int | None, limit: int
    ) -> list[Batch]:
        """Batches of a client, newest first."""
        wanted = [_B.client == client]
        wanted += [_B.state == state] if state is not None else []
        wanted += [_B.number < before] if before is not None else []
        return self._all(*wanted, order=_B.number.desc(), limit=limit)

    def n_open(self, client: str) -> int:
        """How many batches of a client are not over."""
        query = select(func.count()).where(_B.client == client, _B.state.in_(OPEN))
        return self._connection.execute(query).scalar_one()

    def rows(self, of: Batch, first: int, limit: int) -> list[Row]:
        """Rows that are over, in order; of a batch that goes on, those before the next one."""
        query = select(batch_row).where(
            _R.number == of.number, _R.row >= first, _R.status != WAITING,
            *([_R.row < of.next_row] if of.state in OPEN else []),
        )  # fmt: skip
        return list(self._unsealed(of, query.order_by(_R.row).limit(limit)))

    # --- coming in --------------------------------------------------------------------------------

    def open(
        self, client: str, batch_id: str, *, at: int, received_at: str, after: int = 0
    ) -> Batch:
        """A new batch without rows. Its number is its moment, or the next one that is free.

        `after`: the number of one that was dropped, and whose sender may still go on.
        """
        newest = self._connection.execute(select(func.max(_B.number))).scalar()
        number = max(at, (newest or 0) + 1, after + 1)
        _, version, wrapped = self._vault.new_data_key(_key_name(number))
        row = {
            "number": number, "client": client, "batch_id": batch_id, "state": "receiving",
            "received_at": received_at, "ended_at": "", "n_rows": 0, "next_row": 1,
            **{f"n_{outcome}": 0 for outcome in OUTCOMES}, "touched": at, "leased_by": "",
            "leased_until": 0, "key_version": version, "wrapped": wrapped, "sealed": b"",
        }  # fmt: skip
        self._connection.execute(insert(batch), row)
        found = self.get(number)
        assert found is not None
        return found

    def add(self, to: Batch, rows: Collection[Row], *, at: int) -> bool:
        """Add rows that came in; whether the batch is still there to take them."""
        n_refused = sum(row.status != WAITING for row in rows)
        change = update(batch).where(_B.number == to.number, _B.state == "receiving")
        changed = self._connection.execute(
            change.values(
                n_rows=_B.n_rows + len(rows), n_refused=_B.n_refused + n_refused, touched=at
            )
        )
        if not changed.rowcount:
            return False
        self._connection.execute(insert(batch_row), list(self._sealed(to, rows)))
        return True

    def complete(self, one: Batch, content: str, *, at: str) -> bool:
        """Let a batch wait whose rows are all there; `content` is the digest of what was sent."""
        change = update(batch).where(_B.number == one.number, _B.state == "receiving")
        sealed = self._key(one).seal({"content": content}, f"batch {one.number}")
        if not self._connection.execute(change.values(state="waiting", sealed=sealed)).rowcount:
            return False
        self._go_on(one, 1, at=at)
        return True

    def content_of(self, one: Batch) -> str:
        """The digest of what was sent."""
        return str(self._key(one).unseal(one.sealed, f"batch {one.number}")["content"])

    # --- being decided ----------------------------------------------------------------------------

    def next_for(self, by: str, *, at: int, most: int, last: int = 0) -> Batch | None:
        """The batch that a worker goes on with: the one it holds, else whose turn is longest ago.

        `last`: the number of one that comes behind all others. A lease that ends later than `most`
        milliseconds from now is none: a clock was set back.
        """
        free = or_(_B.leased_by == "", _B.leased_until <= at, _B.leased_until > at + most)
        held = and_(_B.leased_by == by, _B.leased_until > at)
        wanted = (_B.state.in_(("waiting", "running")), or_(free, held))
        return self._first(*wanted, order=(held.desc(), _B.number == last, _B.touched))

    def waiting(self, of: Batch, limit: int) -> list[Row]:
        """The next rows to be decided, in order."""
        query = select(batch_row).where(
            _R.number == of.number, _R.row >= of.next_row, _R.status == WAITING
        )
        return list(self._unsealed(of, query.order_by(_R.row).limit(limit)))

    def still_waiting(self, of: Batch, rows: Iterable[Row]) -> set[int]:
        """Which of these rows were neither decided nor forgotten meanwhile."""
        query = select(_R.row).where(
            _R.number == of.number, _R.row.in_([row.row for row in rows]), _R.status == WAITING
        )
        return set(self._connection.execute(query).scalars())

    def settle(
        self, one: Batch, rows: Collection[Row], counts: Mapping[str, int], *, after: int, at: str
    ) -> None:
        """Put what became of rows in their place; `after`: the last row that was looked at."""
        self._put(one, rows)
        added = {f"n_{name}": _B[f"n_{name}"] + n for name, n in counts.items()}
        self._change(one, state="running", **added)
        self._go_on(one, after + 1, at=at)

    def lease(self, one: Batch, by: str, *, until: int, touched: int | None = None) -> None:
        """Let a worker hold a batch until a moment, or nobody; `touched`: its turn began."""
        turn = {} if touched is None else {"touched": touched}
        self._change(one, leased_by=by, leased_until=until, **turn)

    def release(self, by: str) -> None:
        """Let go of everything that a worker holds."""
        of = update(batch).where(_B.leased_by == by)
        self._connection.execute(of.values(leased_by="", leased_until=0))

    def _go_on(self, one: Batch, row: int, *, at: str) -> None:
        """Move on to the first row from there that waits; the batch is done if none does."""
        where = (_R.number == one.number, _R.row >= row, _R.status == WAITING)
        query = select(_R.row).where(*where).order_by(_R.row).limit(1)
        following = self._connection.execute(query).scalar()
        if following is None:
            self._end(one, "done", at=at, next_row=_B.n_rows + 1)
        else:
            self._change(one, next_row=following)

    # --- ending -----------------------------------------------------------------------------------

    def cancel(self, one: Batch, *, at: str) -> None:
        """Delete the rows that wait; what was decided stays."""
        gone = delete(batch_row).where(_R.number == one.number, _R.status == WAITING)
        self._connection.execute(gone)
        self._end(one, "cancelled", at=at)

    def _end(self, one: Batch, state: str, *, at: str, **values: Any) -> None:
        self._change(one, state=state, ended_at=at, leased_by="", **values)
        tell(
            self._connection, "batch.finished", {"batch_id": one.batch_id},
            about=f"bat_{one.number}", at=at, client=one.client,
        )  # fmt: skip

    def cancel_all(self, *, received_before: str, at: str) -> int:
        """Cancel every batch of before that time that is not over; how many those were."""
        found = self._all(_B.state.in_(OPEN), _B.received_at < received_before)
        for one in found:
            self.cancel(one, at=at)
        return len(found)

    def drop(self, number: int) -> None:
        """Delete a batch, its rows and its key."""
        self._connection.execute(delete(batch_row).where(_R.number == number))
        self._connection.execute(delete(batch).where(_B.number == number))

    def to_be_dropped(self, *, over_since: str, silent_since: int) -> list[int]:
        """Batches that ended before that time, or broke off coming in before that moment."""
        over = and_(_B.state.in_(("done", "cancelled")), _B.ended_at < over_since)
        broken = and_(_B.state == "receiving", _B.touched < silent_since)
        query = select(_B.number).where(or_(over, broken)).order_by(_B.number)
        return list(self._connection.execute(query).scalars())

    def forget(self, id_number: str) -> int:
        """Refuse every waiting row of a person, as erased; how many those were."""
        n_forgotten = 0
        for one in self._all(_B.state.in_(OPEN)):
            of_person = (_R.number == one.number, _R.person == self._mark(one, id_number))
            waiting = self._unsealed(one, select(batch_row).where(*of_person))
            rows = [refused(row.row, Erased(), row.document) for row in waiting]
            self._put(one, rows)
            self._change(one, n_refused=_B.n_refused + len(rows))
            n_forgotten += len(rows)
        return n_forgotten

    def wrap_again(self, limit: int) -> int:
        """Wrap some keys that are under an old version under the current one; how many."""
        old = _B.key_version != self._vault.current("key_encryption")
        found = self._all(old, limit=limit)
        for one in found:
            name = _key_name(one.number)
            data_key = self._vault.unwrap(name, one.key_version, one.wrapped)
            version, wrapped = self._vault.wrap(name, data_key)
            self._change(one, key_version=version, wrapped=wrapped)
        return len(found)

    # --- within -----------------------------------------------------------------------------------

    def _change(self, one: Batch, **values: Any) -> None:
        self._connection.execute(update(batch).where(_B.number == one.number).values(values))

    def _put(self, one: Batch, rows: Iterable[Row]) -> None:
        """Put rows in the place of those that are there."""
        for sealed in self._sealed(one, rows):
            where = (_R.number == one.number, _R.row == sealed["row"])
            self._connection.execute(update(batch_row).where(*where).values(sealed))

    def _first(self, *wanted: ColumnElement[bool], order: Any = ()) -> Batch | None:
        found = self._all(*wanted, order=order, limit=1)
        return found[0] if found else None

    def _all(
        self, *wanted: ColumnElement[bool], order: Any = (), limit: int | None = None
    ) -> list[Batch]:
        columns = [_B[field.name] for field in fields(Batch)]
        in_order = order if isinstance(order, tuple) else (order,)
        query = select(*columns).where(*wanted).order_by(*in_order).limit(limit)
        return [Batch(*row) for row in self._connection.execute(query)]

    def _key(self, one: Batch) -> Subject:
        """What seals with the key of a batch, as a person's key seals payloads."""
        name = _key_name(one.number)
        data_key = self._vault.unwrap(name, one.key_version, one.wrapped)
        return Subject(name, data_key, self._vault.suite("key_encryption"))

    def _mark(self, one: Batch, id_number: str) -> str:
        """The mark of a person within a batch."""
        data_key = self._vault.unwrap(_key_name(one.number), one.key_version, one.wrapped)
        return mac(data_key, f"person|{id_number}".encode())

    def _sealed(self, of: Batch, rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
        key = self._key(of)
        for row in rows:
            yield {
                "number": of.number, "row": row.row, "status": row.status,
                "person": self._mark(of, row.person) if row.person else "",
                "sealed": key.seal(row.document, _label(of, row.row, row.status)),
            }  # fmt: skip

    def _unsealed(self, of: Batch, query: Any) -> Iterator[Row]:
        key = self._key(of)
        for found in self._connection.execute(query):
            document = key.unseal(found.sealed, _label(of, found.row, found.status))
            yield Row(found.row, found.status, document)


def queue(connection: Connection, *, at: int) -> Queue:
    """What waits, of every client, at that moment in milliseconds."""
    n_over = _B.n_approve + _B.n_refer + _B.n_decline + _B.n_refused
    query = (
        select(_B.state, func.count(), func.sum(_B.n_rows - n_over), func.min(_B.received_at))
        .where(_B.state.in_(OPEN))
        .group_by(_B.state)
    )
    found = connection.execute(query).all()
    counted = {state: n_batches for state, n_batches, _, _ in found}
    return Queue(
        batches={state: counted.get(state, 0) for state in OPEN},
        n_rows=sum(int(n_rows) for _, _, n_rows, _ in found),
        oldest=min((first for *_, first in found), default=""),
        n_workers=connection.execute(
            select(func.count(func.distinct(_B.leased_by))).where(
                _B.leased_by != "", _B.leased_until > at
            )
        ).scalar_one(),
    )


def new_worker() -> str:
    """A name under which a worker holds batches."""
    return secrets.token_hex(16)


def n_wrapped(connection: Connection, version: int) -> int:
    """How many batches have a key that is wrapped under that version."""
    query = select(func.count()).where(_B.key_version == version)
    return connection.execute(query).scalar_one()


def _key_name(number: int) -> str:
    return f"batch {number}"


def _label(of: Batch, row: int, status: int) -> str:
    return f"batch {of.number}|{row}|{'application' if status == WAITING else 'result'}"
