"""Entries: what is read and written within one transaction of the ledger.

A payload is sealed with the key of its person and bound to its decision; an entry is chained to the
one before, the head is marked, and what the entry means for the guarantee fund is kept with it.
What was recorded of a person who was erased is told apart from what cannot be opened.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, literal_column, select, update

from loansvc.errors import Erased, LedgerDamaged
from loansvc.ledger import tables
from loansvc.ledger.acts import FINAL_OUTCOME, Act, Acts, in_state
from loansvc.ledger.book import Movement, report_of
from loansvc.ledger.chain import Entry, entry_hash
from loansvc.ledger.ciphers import digest
from loansvc.ledger.commitments import Report
from loansvc.ledger.fund import FundReading, FundWriting, Rebuilt
from loansvc.ledger.prepared import Prepared, sent_together
from loansvc.ledger.remains import ERASURES, NOT_ERASED, is_erased
from loansvc.ledger.sealing import Subject
from loansvc.ledger.stores import streamed
from loansvc.ledger.vault import Vault
from loansvc.ledger.verifier import GENESIS, Checkpoint, Refused

_ENTRY, _KEY = tables.entry.c, tables.subject_key.c
FIND = Prepared(
    select(tables.entry).where(
        _ENTRY.client == bindparam("client"),
        _ENTRY.application_id == bindparam("application_id"),
        # A word and no parameter: SQLite would look anew each time whether the index fits.
        _ENTRY.kind == literal_column("'decision'"),
    )
)
OUTCOMES = Prepared(  # asked by a correction among statements sent together, so not by SQLAlchemy
    select(tables.entry, tables.payload.c.sealed)
    .join(tables.payload, tables.payload.c.sequence == _ENTRY.sequence, isouter=True)
    .where(
        _ENTRY.client == bindparam("client"),
        _ENTRY.application_id == bindparam("application_id"),
        _ENTRY.kind == literal_column("'outcome'"),
    )
    .order_by(_ENTRY.sequence)
)
FIND_SUBJECT = Prepared(
    select(tables.subject_key)
    .join(tables.subject, tables.subject.c.subject_ref == _KEY.subject_ref)
    .where(tables.subject.c.pseudonym == bindparam("known_as"))
)
FIND_KEY = Prepared(select(tables.subject_key).where(_KEY.subject_ref == bindparam("ref")))
FIND_PAYLOAD = Prepared(
    select(tables.payload).where(tables.payload.c.sequence == bindparam("of_sequence"))
)
ALL_RECORDED = (
    select(tables.entry, tables.payload.c.sealed, _KEY.key_version, _KEY.wrapped)
    .join(tables.payload, tables.payload.c.sequence == _ENTRY.sequence, isouter=True)
    .join(tables.subject_key, _KEY.subject_ref == _ENTRY.subject_ref, isouter=True)
    .order_by(_ENTRY.sequence)
)
NEWEST = select(tables.checkpoint).order_by(tables.checkpoint.c.size.desc()).limit(1)
HEAD = Prepared(select(tables.chain_head))
ADD_SUBJECT, ADD_KEY = Prepared(insert(tables.subject)), Prepared(insert(tables.subject_key))
ADD_ENTRY, ADD_PAYLOAD = Prepared(insert(tables.entry)), Prepared(insert(tables.payload))
ADD_HEAD = Prepared(insert(tables.chain_head))
MOVE_HEAD = Prepared(
    update(tables.chain_head).values(
        sequence=bindparam("to"), hash=bindparam("hash_now"), mac=bindparam("mac_now")
    )
)
# The columns that only a decision fills.
NO_EDITIONS = dict.fromkeys(("tier", "scorecard", "villages", "policy", "rates"), "")


class Reading:
    """Queries within one snapshot."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault
        self.fund = FundReading(connection, vault)
        self.acts = Acts(connection, self._act)

    @property
    def connection(self) -> Connection:
        """The connection of this transaction, for other modules of the ledger."""
        return self._connection

    @property
    def vault(self) -> Vault:
        """The outer keys of this transaction."""
        return self._vault

    @property
    def last_sequence(self) -> int:
        """That of the newest entry; 0 where there is none."""
        head = HEAD.first(self._connection)
        return head.sequence if head else 0

    def find(self, client: str, application_id: str) -> Entry | None:
        """The decision on that application of that client."""
        of = {"client": client, "application_id": application_id}
        row = FIND.first(self._connection, of)
        return entry_of(row) if row else None

    def clients_of(self, application_id: str) -> list[str]:
        """The clients that used this application_id, for the operator's shell; in order."""
        entry = tables.entry.c
        query = select(entry.client).where(
            entry.application_id == application_id, entry.kind == "decision"
        )
        return list(self._connection.execute(query.order_by(entry.client)).scalars())

    def page(
        self,
        client: str | None,
        *,
        before: int | None,
        limit: int | None,
        erased: bool = False,
        product: str | None = None,
        outcome: str | None = None,
        final_outcome: str | None = None,
        state: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> list[Entry]:
        """Decisions of a client, newest first; `since` and `until` compare with `decided_at`.

        Those of people who were erased are left out, or given alone. `final_outcome`: a person's
        where one decided. `state`: of `acts.STATES`. `client` None, for the operator's shell
        alone: of every client.
        """
        entry = tables.entry.c
        wanted = ~NOT_ERASED if erased else NOT_ERASED
        query = select(tables.entry).where(entry.kind == "decision", wanted)
        columns = (
            (entry.client, client), (entry.product, product), (entry.outcome, outcome),
            (FINAL_OUTCOME, final_outcome),
        )  # fmt: skip
        for column, value in columns:
            if value is not None:
                query = query.where(column == value)
        if state is not None:
            query = query.where(in_state(state))
        if before is not None:
            query = query.where(entry.sequence < before)
        if since is not None:
            query = query.where(entry.decided_at >= since)
        if until is not None:
            query = query.where(entry.decided_at < until)
        rows = self._connection.execute(query.order_by(entry.sequence.desc()).limit(limit))
        return [entry_of(row) for row in rows]

    def payload_of(self, entry: Entry) -> dict[str, Any]:
        """What was recorded with an entry: application, exposure, decision.

        Raises:
            Erased: its person was erased.
            LedgerDamaged: it cannot be opened.
        """
        payload = FIND_PAYLOAD.first(self._connection, {"of_sequence": entry.sequence})
        subject = self.subject_of(entry.subject_ref)
        if payload is None:
            raise _cannot_be_opened(entry.sequence)
        return subject.unseal(payload.sealed, entry.decision_id)

    def checkpoint(self, size: int | None = None) -> Checkpoint | None:
        """The signed root over the first `size` entries, or the newest one; None where none is.

        Raises:
            LedgerDamaged: what stands there was not signed by this installation.
        """
        query = NEWEST if size is None else NEWEST.where(tables.checkpoint.c.size == size)
        row = self._connection.execute(query).first()
        if row is None:
            return None
        try:
            checkpoint = self._vault.signatures().checked(row.note)
        except Refused:
            checkpoint = None
        if checkpoint is None or checkpoint.size != row.size:
            raise LedgerDamaged(
                f"The checkpoint of {row.size} entries was changed. Run: loansvc ledger verify"
            )
        return checkpoint

    def find_subject(self, id_number: str) -> Subject | None:
        """The person with this ID number, if the ledger knows one."""
        for pseudonym in self._vault.pseudonyms(id_number):
            row = FIND_SUBJECT.first(self._connection, {"known_as": pseudonym})
            if row is not None:
                return self._subject(row)
        return None

    def outcomes_of(self, of: Entry) -> list[tuple[Entry, dict[str, Any]]]:
        """What was recorded of the loan of a decision, oldest first, with payloads.

        Raises:
            Erased: there is something, and its person was erased.
            LedgerDamaged: it cannot be opened.
        """
        rows = self._outcomes(of)
        if not rows:
            return []
        subject = self.subject_of(of.subject_ref)
        for row in rows:
            if row.sealed is None:
                raise _cannot_be_opened(row.sequence)
        return [(entry_of(row), subject.unseal(row.sealed, row.decision_id)) for row in rows]

    def reports_before(self, entry: Entry) -> list[Report]:
        """What was reported of the loan of an entry before it, oldest first.

        Of somebody who was erased since, what remains of it.
        """
        try:
            recorded = self.outcomes_of(entry)
        except Erased:
            left = self.remains()[entry.subject_ref]
            recorded = [(entry_of(row), left[row.sequence]) for row in self._outcomes(entry)]
        return [report_of(one, says) for one, says in recorded if one.sequence < entry.sequence]

    def _outcomes(self, of: Entry) -> list[Any]:
        """The rows of outcomes of the same application, oldest first."""
        by = {"client": of.client, "application_id": of.application_id}
        return OUTCOMES.all(self._connection, by)

    def capital(self) -> tuple[Entry, dict[str, Any]] | None:
        """The entry by which the fund's capital was last stated, and what it says."""
        query = select(tables.entry).where(
            tables.entry.c.sequence == self.fund.account.set_sequence
        )
        row = self._connection.execute(query).first()
        return (entry_of(row), self.payload_of(entry_of(row))["fund"]) if row else None

    def movements(self, until: str) -> list[Movement]:
        """Everything that moved the guarantee fund, in order; lapses until that instant."""
        rebuilt = Rebuilt(self._vault, self.reports_before)
        return [*rebuilt.read(self.all_recorded()), *rebuilt.lapsed(until)]

    def all_recorded(self) -> Iterator[tuple[Entry, dict[str, Any]]]:
        """Every entry with its payload, oldest first; of erased ones with what remains of it.

        Raises:
            LedgerDamaged: one cannot be opened.
        """
        subjects: dict[str, Subject] = {}
        remains = self.remains()
        for row in streamed(self._connection, ALL_RECORDED):
            left = remains.get(row.subject_ref, {}).get(row.sequence)
            if row.wrapped is None and left is not None:
                yield entry_of(row), left
                continue
            if row.sealed is None or row.wrapped is None:
                raise _cannot_be_opened(row.sequence)
            subject = subjects.get(row.subject_ref)
            if subject is None:
                subject = subjects[row.subject_ref] = self._subject(row)
            yield entry_of(row), subject.unseal(row.sealed, row.decision_id)

    def erasures(self) -> Iterator[tuple[Entry, dict[str, Any]]]:
        """Every erasure with what it says, oldest first."""
        found = [entry_of(row) for row in self._connection.execute(ERASURES)]
        for entry in sorted(found, key=lambda one: one.sequence):
            yield entry, self.payload_of(entry)["erasure"]

    def remains(self) -> dict[str, dict[int, dict[str, Any]]]:
        """What is left of erased payloads, by person and sequence."""
        return {
            entry.application_id: {int(n): left for n, left in erasure["remains"].items()}
            for entry, erasure in self.erasures()
        }

    def has_key(self, subject_ref: str) -> bool:
        """Whether the key of that person is there."""
        ref = tables.subject_key.c.subject_ref
        return self._connection.execute(select(ref).where(ref == subject_ref)).first() is not None

    def entries_of(self, subject_ref: str) -> list[Entry]:
        """Every entry of a person, oldest first."""
        entry = tables.entry.c
        query = select(tables.entry).where(entry.subject_ref == subject_ref)
        return [entry_of(row) for row in self._connection.execute(query.order_by(entry.sequence))]

    def subject_of(self, subject_ref: str) -> Subject:
        """The person of that reference.

        Raises:
            Erased: that person was erased.
            LedgerDamaged: no key opens the payloads of that person.
        """
        row = FIND_KEY.first(self._connection, {"ref": subject_ref})
        if row is not None:
            return self._subject(row)
        if is_erased(self._connection, subject_ref):
            raise Erased
        raise LedgerDamaged("The key of a person's records is missing. Run: loansvc ledger verify")

    def _act(self, row: Row[Any]) -> Act:
        entry = entry_of(row)
        return entry, self.payload_of(entry)

    def _subject(self, row: Any) -> Subject:
        data_key = self._vault.unwrap(row.subject_ref, row.key_version, row.wrapped)
        return Subject(row.subject_ref, data_key, self._vault.suite("key_encryption"))


class Writing(Reading):
    """The one write transaction: what is appended here is on disk when the block has ended."""

    fund: FundWriting

    def __init__(self, connection: Connection, vault: Vault) -> None:
        super().__init__(connection, vault)
        self.fund = FundWriting(connection, vault, self.reports_before)

    def subject_for(self, id_number: str) -> Subject:
        """The person with this ID number, entered on first sight."""
        known = self.find_subject(id_number)
        if known is not None:
            return known
        pseudonym = self._vault.pseudonyms(id_number)[0]
        ref = secrets.token_hex(16)
        data_key, version, wrapped = self._vault.new_data_key(ref)
        ADD_SUBJECT.run(self._connection, {"pseudonym": pseudonym, "subject_ref": ref})
        key = {"subject_ref": ref, "key_version": version, "wrapped": wrapped}
        ADD_KEY.run(self._connection, key)
        return Subject(ref, data_key, self._vault.suite("key_encryption"))

    def destroy(self, subject_ref: str) -> None:
        """Delete the key of a person and the way from the ID number to it.

        What follows from the entries goes when the erasure is appended.
        """
        for table in (tables.subject_key, tables.subject):
            self._connection.execute(delete(table).where(table.c.subject_ref == subject_ref))

    def append(self, subject: Subject, payload: dict[str, Any], **fields: str) -> Entry:
        """Chain a new entry of this person; `fields` are the columns that it does not work out.

        Commitments and the fund's account follow in the same transaction.

        Raises:
            OutcomeRefused, ReviewRefused: it contradicts what is recorded; nothing of it stays.
        """
        head = HEAD.first(self._connection)
        sealed = subject.seal(payload, fields["decision_id"])
        suite = self._vault.suite("chain")
        content: dict[str, Any] = {
            **fields,
            "sequence": head.sequence + 1 if head else 1,
            "subject_ref": subject.ref,
            "payload_digest": digest(sealed, suite),
            "previous_hash": head.hash if head else GENESIS,
        }
        entry = Entry(**content, hash=entry_hash(content, suite))
        with sent_together(self._connection):
            ADD_ENTRY.run(self._connection, {**content, "hash": entry.hash})
            ADD_PAYLOAD.run(self._connection, {"sequence": entry.sequence, "sealed": sealed})
            self._move_head(entry, first=head is None)
            self.fund.take(entry, payload)
        return entry

    def _move_head(self, entry: Entry, *, first: bool) -> None:
        mac = self._vault.head_mac(entry.sequence, entry.hash)
        if first:
            row = {"id": 1, "sequence": entry.sequence, "hash": entry.hash, "mac": mac}
            ADD_HEAD.run(self._connection, row)
        else:
            to = {"to": entry.sequence, "hash_now": entry.hash, "mac_now": mac}
            MOVE_HEAD.run(self._connection, to)


def entry_of(row: Any) -> Entry:
    """The entry in a row of its table."""
    return Entry(**{name: getattr(row, name) for name in Entry.__slots__})


def _cannot_be_opened(sequence: int) -> LedgerDamaged:
    return LedgerDamaged(
        f"The record of entry {sequence} cannot be opened: its payload or key is missing. "
        "Run: loansvc ledger verify"
    )
