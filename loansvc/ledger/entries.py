"""Entries: what is read and written within one transaction of the ledger.

A payload is sealed with the key of its person and bound to its decision; an entry is chained to the
one before, the head is marked, and what the entry means for the guarantee fund is kept with it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from loansvc.errors import LedgerDamaged
from loansvc.ledger import tables
from loansvc.ledger.acts import FINAL_OUTCOME, Act, Acts, in_state
from loansvc.ledger.book import Movement
from loansvc.ledger.chain import GENESIS, Entry, entry_hash, sha256
from loansvc.ledger.fund import FundReading, FundWriting, Rebuilt
from loansvc.ledger.stores import streamed
from loansvc.ledger.vault import Vault, seal, unseal

# Built once: every decision asks them, and building one costs more than its answer.
_ENTRY, _KEY = tables.entry.c, tables.subject_key.c
FIND = select(tables.entry).where(
    _ENTRY.client == bindparam("client"),
    _ENTRY.application_id == bindparam("application_id"),
    _ENTRY.kind == "decision",
)
FIND_SUBJECT = (
    select(tables.subject_key)
    .join(tables.subject, tables.subject.c.subject_ref == _KEY.subject_ref)
    .where(tables.subject.c.pseudonym.in_(bindparam("pseudonyms", expanding=True)))
)
ALL_RECORDED = (
    select(tables.entry, tables.payload.c.sealed, _KEY.key_version, _KEY.wrapped)
    .join(tables.payload, tables.payload.c.sequence == _ENTRY.sequence, isouter=True)
    .join(tables.subject_key, _KEY.subject_ref == _ENTRY.subject_ref, isouter=True)
    .order_by(_ENTRY.sequence)
)
HEAD = select(tables.chain_head)
ADD_SUBJECT, ADD_KEY = insert(tables.subject), insert(tables.subject_key)
ADD_ENTRY, ADD_PAYLOAD = insert(tables.entry), insert(tables.payload)
ADD_HEAD, MOVE_HEAD = insert(tables.chain_head), update(tables.chain_head)
# The columns that only a decision fills.
NO_EDITIONS = dict.fromkeys(("tier", "scorecard", "villages", "policy", "rates"), "")
SCHEMA = 1  # of the payload: its first byte, and part of what its seal is bound to


class Subject:
    """A person as the ledger knows one: a random reference and the key of the payloads."""

    def __init__(self, ref: str, data_key: bytes) -> None:
        self.ref = ref
        self._data_key = data_key

    def seal(self, document: dict[str, Any], decision_id: str) -> bytes:
        """The sealed bytes of a payload, bound to its decision."""
        data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return bytes([SCHEMA]) + seal(self._data_key, data, _label(decision_id, SCHEMA))

    def unseal(self, sealed: bytes, decision_id: str) -> dict[str, Any]:
        """The payload."""
        label = _label(decision_id, sealed[0] if sealed else SCHEMA)
        document: dict[str, Any] = json.loads(unseal(self._data_key, sealed[1:], label))
        return document


def _label(decision_id: str, schema: int) -> str:
    return f"payload|{decision_id}|{schema}"


class Reading:
    """Queries within one snapshot."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault
        self.fund = FundReading(connection, vault)
        self.acts = Acts(connection, self._act)

    def find(self, client: str, application_id: str) -> Entry | None:
        """The decision on that application of that client."""
        of = {"client": client, "application_id": application_id}
        row = self._connection.execute(FIND, of).first()
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
        limit: int,
        product: str | None = None,
        outcome: str | None = None,
        final_outcome: str | None = None,
        state: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> list[Entry]:
        """Decisions of a client, newest first; `since` and `until` compare with `decided_at`.

        `final_outcome`: a person's where one decided. `state`: of `acts.STATES`. `client` None,
        for the operator's shell alone: of every client.
        """
        entry = tables.entry.c
        query = select(tables.entry).where(entry.kind == "decision")
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
        """What was recorded with an entry: application, exposure, decision."""
        payload, key = tables.payload.c, tables.subject_key.c
        sealed = self._connection.execute(
            select(payload.sealed).where(payload.sequence == entry.sequence)
        ).scalar()
        row = self._connection.execute(
            select(tables.subject_key).where(key.subject_ref == entry.subject_ref)
        ).first()
        if sealed is None or row is None:
            raise LedgerDamaged(
                f"The record of entry {entry.sequence} cannot be opened: its payload or key is "
                "missing. Run: loansvc ledger verify"
            )
        return self._subject(row).unseal(sealed, entry.decision_id)

    def find_subject(self, id_number: str) -> Subject | None:
        """The person with this ID number, if the ledger knows one."""
        known_as = {"pseudonyms": self._vault.pseudonyms(id_number)}
        row = self._connection.execute(FIND_SUBJECT, known_as).first()
        return self._subject(row) if row else None

    def outcomes_of(self, decision: Entry) -> list[tuple[Entry, dict[str, Any]]]:
        """What was recorded of the loan that a decision approved, oldest first, with payloads."""
        entry = tables.entry.c
        query = select(tables.entry).where(
            entry.client == decision.client,
            entry.application_id == decision.application_id,
            entry.kind == "outcome",
        )
        found = [entry_of(row) for row in self._connection.execute(query.order_by(entry.sequence))]
        return [(one, self.payload_of(one)) for one in found]

    def capital(self) -> tuple[Entry, dict[str, Any]] | None:
        """The entry by which the fund's capital was last stated, and what it says."""
        query = select(tables.entry).where(
            tables.entry.c.sequence == self.fund.account.set_sequence
        )
        row = self._connection.execute(query).first()
        return (entry_of(row), self.payload_of(entry_of(row))["fund"]) if row else None

    def movements(self, until: str) -> list[Movement]:
        """Everything that moved the guarantee fund, in order; lapses until that instant."""
        rebuilt = Rebuilt(self._vault)
        return [*rebuilt.read(self.all_recorded()), *rebuilt.lapsed(until)]

    def all_recorded(self) -> Iterator[tuple[Entry, dict[str, Any]]]:
        """Every entry with its payload, oldest first.

        Raises:
            LedgerDamaged: one cannot be opened.
        """
        subjects: dict[str, Subject] = {}
        for row in streamed(self._connection, ALL_RECORDED):
            if row.sealed is None or row.wrapped is None:
                raise LedgerDamaged(
                    f"The record of entry {row.sequence} cannot be opened: its payload or key is "
                    "missing. Run: loansvc ledger verify"
                )
            subject = subjects.get(row.subject_ref)
            if subject is None:
                subject = subjects[row.subject_ref] = self._subject(row)
            yield entry_of(row), subject.unseal(row.sealed, row.decision_id)

    def subject_of(self, subject_ref: str) -> Subject:
        """The person of that reference.

        Raises:
            LedgerDamaged: no key opens the payloads of that person.
        """
        query = select(tables.subject_key).where(tables.subject_key.c.subject_ref == subject_ref)
        row = self._connection.execute(query).first()
        if row is None:
            raise LedgerDamaged(
                "The key of a person's records is missing. Run: loansvc ledger verify"
            )
        return self._subject(row)

    def _act(self, row: Row[Any]) -> Act:
        entry = entry_of(row)
        return entry, self.payload_of(entry)

    def _subject(self, row: Row[Any]) -> Subject:
        return Subject(
            row.subject_ref, self._vault.unwrap(row.subject_ref, row.key_version, row.wrapped)
        )


class Writing(Reading):
    """The one write transaction: what is appended here is on disk when the block has ended."""

    fund: FundWriting

    def __init__(self, connection: Connection, vault: Vault) -> None:
        super().__init__(connection, vault)
        self.fund = FundWriting(connection, vault)

    def subject_for(self, id_number: str) -> Subject:
        """The person with this ID number, entered on first sight."""
        known = self.find_subject(id_number)
        if known is not None:
            return known
        pseudonym = self._vault.pseudonyms(id_number)[0]
        ref = secrets.token_hex(16)
        data_key, version, wrapped = self._vault.new_data_key(ref)
        self._connection.execute(ADD_SUBJECT, {"pseudonym": pseudonym, "subject_ref": ref})
        key = {"subject_ref": ref, "key_version": version, "wrapped": wrapped}
        self._connection.execute(ADD_KEY, key)
        return Subject(ref, data_key)

    def append(self, subject: Subject, payload: dict[str, Any], **fields: str) -> Entry:
        """Chain a new entry of this person; `fields` are the columns that it does not work out.

        Commitments and the fund's account follow in the same transaction.

        Raises:
            OutcomeRefused, ReviewRefused: it contradicts what is recorded; nothing of it stays.
        """
        head = self._connection.execute(HEAD).first()
        sealed = subject.seal(payload, fields["decision_id"])
        content: dict[str, Any] = {
            **fields,
            "sequence": head.sequence + 1 if head else 1,
            "subject_ref": subject.ref,
            "payload_digest": sha256(sealed),
            "previous_hash": head.hash if head else GENESIS,
        }
        entry = Entry(**content, hash=entry_hash(content))
        self._connection.execute(ADD_ENTRY, asdict(entry))
        self._connection.execute(ADD_PAYLOAD, {"sequence": entry.sequence, "sealed": sealed})
        self._move_head(entry, first=head is None)
        self.fund.take(entry, payload)
        return entry

    def _move_head(self, entry: Entry, *, first: bool) -> None:
        values = {
            "sequence": entry.sequence,
            "hash": entry.hash,
            "mac": self._vault.head_mac(entry.sequence, entry.hash),
        }
        if first:
            self._connection.execute(ADD_HEAD, {"id": 1, **values})
        else:
            self._connection.execute(MOVE_HEAD, values)


def entry_of(row: Row[Any]) -> Entry:
    """The entry in a row of its table."""
    return Entry(**{name: row._mapping[name] for name in Entry.__slots__})
