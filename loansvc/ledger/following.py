"""Following: the tables that follow from the entries, held against what the entries add up to.

Entries come one by one, in order, as `ledger verify` reads them. Of a million people and of whom
they name only hashes of 64 bits are kept, sorted: texts would take gigabytes. Of a million loans
only those are kept that will still change, or that the table has otherwise.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, select

from loansvc.errors import LedgerDamaged, LoanError
from loansvc.ledger import tables
from loansvc.ledger.administration import INSTALLATION
from loansvc.ledger.book import Memory, take
from loansvc.ledger.chain import Entry, Problem
from loansvc.ledger.commitments import Account, Commitment
from loansvc.ledger.entries import Reading
from loansvc.ledger.fund import INSTITUTION, FundReading, related_pairs
from loansvc.ledger.sealing import Subject
from loansvc.ledger.stores import ROWS_AT_ONCE, streamed
from loansvc.ledger.vault import Vault

N_PARTS = 64  # in which hashes are compared, so that one part of them at a time is a set
LOAN, ACCOUNT = (tuple(f.name for f in fields(kind)) for kind in (Commitment, Account))
_loan_values, _account_values = attrgetter(*LOAN), attrgetter(*ACCOUNT)
_LOAN = tables.commitment.c
LOANS = select(*(_LOAN[name] for name in LOAN)).where(
    _LOAN.sequence.in_(bindparam("sequences", expanding=True))
)


class Hashes:
    """Hashes of things, 8 bytes each; of equal things equal within this process."""

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(N_PARTS)]

    def add(self, things: Iterable[tuple[str, ...]]) -> None:
        """More things; they may be there already."""
        parts = self._parts
        for hashed in map(hash, things):
            parts[hashed % N_PARTS].append(hashed)

    def lacks(self, other: Hashes) -> bool:
        """Whether the other has something that is not here."""
        pairs = zip(self._parts, other._parts, strict=True)
        return any(not set(theirs) <= set(ours) for ours, theirs in pairs)

    def sorted(self) -> Hashes:
        """The same, so that `in` finds them."""
        self._parts = [array("q", sorted(part)) for part in self._parts]
        return self

    def __contains__(self, thing: tuple[str, ...]) -> bool:
        hashed = hash(thing)
        part = self._parts[hashed % N_PARTS]
        at = bisect_left(part, hashed)
        return at < len(part) and part[at] == hashed


class Loans(Memory):
    """Loans as the entries have them, let go of once their table has them so too.

    The table is that of one moment: a loan that was found there is there whenever it is asked for.
    An offer that is open stays in memory, since it may lapse.
    """

    def __init__(self, connection: Connection, vault: Vault) -> None:
        super().__init__()
        self._connection = connection
        self._table = FundReading(connection, vault)
        self._changed: list[int] = []  # since the table was last looked at
        self._is_there = bytearray()  # by sequence, for those that were let go of

    def keep(self, commitment: Commitment) -> None:
        """Keep a commitment, new or changed."""
        super().keep(commitment)
        if self._was_let_go(commitment.sequence):
            self._is_there[commitment.sequence] = False
        if commitment.state != "reserved":
            self._changed.append(commitment.sequence)
        if len(self._changed) >= ROWS_AT_ONCE:
            self._let_go(self._changed)
            self._changed.clear()

    def find(self, client: str, application_id: str) -> Commitment | None:
        """The commitment of that decision."""
        held = super().find(client, application_id)
        if held is not None:
            return held
        there = self._table.find(client, application_id)
        return there if there is not None and self._was_let_go(there.sequence) else None

    def all_of(self, subject_ref: str) -> list[Commitment]:
        """Every commitment of a person, in order of decision."""
        every = super().all_of(subject_ref) + self._let_go_of(subject_ref)
        return sorted(every, key=attrgetter("sequence"))

    def drop(self, subject_ref: str) -> None:
        """Forget a person."""
        super().drop(subject_ref)
        for commitment in self._let_go_of(subject_ref):
            self._is_there[commitment.sequence] = False

    def others(self) -> Iterator[int]:
        """The entries whose loan the table has otherwise, or not, or though there is none."""
        rows = _all(self._connection, tables.commitment, "sequence")
        left = [sequence for (sequence,) in rows if not self._was_let_go(sequence)]
        self._let_go(left)
        yield from (sequence for sequence in left if not self._was_let_go(sequence))
        yield from self.rows.keys() - left

    def _let_go(self, sequences: list[int]) -> None:
        """Let go of those of these that the table has as they are now."""
        for start in range(0, len(sequences), ROWS_AT_ONCE):
            some = {"sequences": sequences[start : start + ROWS_AT_ONCE]}
            for row in self._connection.execute(LOANS, some).all():
                held = self.rows.get(row[0])
                if held is not None and _loan_values(held) == tuple(row):
                    self.forget(held)
                    self._is_there.extend(bytes(max(0, row[0] + 1 - len(self._is_there))))
                    self._is_there[row[0]] = True

    def _was_let_go(self, sequence: int) -> bool:
        return 0 <= sequence < len(self._is_there) and bool(self._is_there[sequence])

    def _let_go_of(self, subject_ref: str) -> list[Commitment]:
        there = self._table.all_of(subject_ref)
        return [commitment for commitment in there if self._was_let_go(commitment.sequence)]


class Following:
    """What the entries add up to, and whose person the ledger would not know again."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault
        self._reading = Reading(connection, vault)
        self._remains = self._reading.remains()
        self._known = Hashes()
        self._known.add(_all(connection, tables.subject, "pseudonym", "subject_ref"))
        self._known.sorted()
        self._book = Loans(connection, vault)
        # The pairs under a newer key are still being added to.
        versions = vault.versions("pseudonym")
        self._oldest = f"v{min(versions)}:"
        self._related = Hashes()
        self._certainly_related = Hashes() if len(versions) > 1 else self._related
        self._last = 0
        self._strangers: list[Problem] = []
        self._stopped: Problem | None = None

    def take(self, entry: Entry, sealed: Any, data_key: bytes | None) -> None:
        """Take the next entry with its payload and the key of its person.

        The first entry that cannot be taken ends it: what follows from the next ones is not known.
        """
        if self._stopped is not None:
            return
        self._last = entry.sequence
        try:
            payload = self._payload(entry, sealed, data_key)
        except LedgerDamaged:
            self._stopped = Problem(entry.sequence, "its payload cannot be opened")
            return
        try:
            self._take(entry, payload)
        # Whoever has the chain's key can write what no version of the program ever wrote.
        except (AssertionError, KeyError, TypeError, ValueError, LoanError):
            self._stopped = Problem(entry.sequence, "it holds what no entry can hold")

    def _payload(self, entry: Entry, sealed: Any, data_key: bytes | None) -> Mapping[str, Any]:
        if data_key is not None:
            return Subject(entry.subject_ref, data_key).unseal(sealed, entry.decision_id)
        remainder = self._remains.get(entry.subject_ref, {}).get(entry.sequence)
        if remainder is None:
            raise LedgerDamaged("The payload of an entry has no key.")
        return remainder

    def _take(self, entry: Entry, payload: Mapping[str, Any]) -> None:
        take(self._book, entry, payload, self._reading.reports_before)
        if entry.kind == "decision":
            pairs = related_pairs(entry, payload, self._vault)
            self._related.add(pairs)
            if self._certainly_related is not self._related:
                self._certainly_related.add(p for p in pairs if p[0].startswith(self._oldest))
        name = _name_of(entry, payload)
        marks = self._vault.pseudonyms(name) if name else ()
        if name and not any((mark, entry.subject_ref) in self._known for mark in marks):
            what = "the person or institution it is of would not be known again"
            self._strangers.append(Problem(entry.sequence, what))

    def problems(self) -> list[Problem]:
        """What of the tables is not what follows; to be asked when every entry was taken."""
        if self._stopped is not None:
            return [self._stopped]
        return [*self._differences(), *self._strangers]

    def _differences(self) -> Iterator[Problem]:
        for sequence in self._book.others():
            what = "its loan is not what the entries add up to"
            yield Problem(sequence, what, follows=True)
        accounts = list(_all(self._connection, tables.fund_account, *ACCOUNT))
        if accounts != [_account_values(self._book.account)]:
            what = "the fund's account is not what the entries add up to"
            yield Problem(self._last, what, follows=True)
        kept = Hashes()
        kept.add(_all(self._connection, tables.related, "party", "subject_ref"))
        if self._related.lacks(kept) or kept.lacks(self._certainly_related):
            yield Problem(
                self._last, "who is related to whom is not what the entries say", follows=True
            )


def _all(connection: Connection, table: Table, *names: str) -> Iterable[tuple[Any, ...]]:
    query = select(*(table.c[name] for name in names))
    return (tuple(row) for row in streamed(connection, query))


def _name_of(entry: Entry, payload: Mapping[str, Any]) -> str | None:
    """What its subject is found by; None where the entry does not say."""
    if entry.kind == "decision" and "application" in payload:  # else that person was erased
        return str(payload["application"]["applicant"]["id_number"])
    return {"fund": INSTITUTION, "administration": INSTALLATION}.get(entry.kind)
