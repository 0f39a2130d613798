"""Following: the tables that follow from the entries, held against what the entries add up to.

Entries come one by one, in order, as `ledger verify` reads them. Of a million people and of whom
they name only hashes of 64 bits are kept, sorted: texts would take gigabytes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table, select

from loansvc.errors import LedgerDamaged, LoanError
from loansvc.ledger import tables
from loansvc.ledger.administration import INSTALLATION
from loansvc.ledger.book import Memory, take
from loansvc.ledger.chain import Entry, Problem
from loansvc.ledger.commitments import Account, Commitment
from loansvc.ledger.entries import Reading
from loansvc.ledger.fund import INSTITUTION, related_pairs
from loansvc.ledger.sealing import Subject
from loansvc.ledger.stores import streamed
from loansvc.ledger.vault import Vault

N_PARTS = 16  # in which hashes are compared, so that one part of them at a time is a set
LOAN, ACCOUNT = (tuple(f.name for f in fields(kind)) for kind in (Commitment, Account))
_loan_values, _account_values = attrgetter(*LOAN), attrgetter(*ACCOUNT)


class Hashes:
    """Hashes of things, 8 bytes each; of equal things equal within this process."""

    def __init__(self) -> None:
        self._parts = [array("q") for _ in range(N_PARTS)]

    def add(self, thing: tuple[str, ...]) -> None:
        """One more thing; it may be there already."""
        hashed = hash(thing)
        self._parts[hashed % N_PARTS].append(hashed)

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


class Following:
    """What the entries add up to, and whose person the ledger would not know again."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault
        self._remains = Reading(connection, vault).remains()
        self._known = Hashes()
        for pair in _all(connection, tables.subject, "pseudonym", "subject_ref"):
            self._known.add(pair)
        self._known.sorted()
        self._book = Memory()
        self._related, self._certainly_related = Hashes(), Hashes()
        # The pairs under a newer key are still being added to.
        self._oldest = f"v{min(vault.versions('pseudonym'))}:"
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
        take(self._book, entry, payload)
        if entry.kind == "decision":
            for pair in related_pairs(entry, payload, self._vault):
                self._related.add(pair)
                if pair[0].startswith(self._oldest):
                    self._certainly_related.add(pair)
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
        for sequence in self._other_loans():
            what = "its loan is not what the entries add up to"
            yield Problem(sequence, what, follows=True)
        accounts = list(_all(self._connection, tables.fund_account, *ACCOUNT))
        if accounts != [_account_values(self._book.account)]:
            what = "the fund's account is not what the entries add up to"
            yield Problem(self._last, what, follows=True)
        kept = Hashes()
        for pair in _all(self._connection, tables.related, "party", "subject_ref"):
            kept.add(pair)
        if self._related.lacks(kept) or kept.lacks(self._certainly_related):
            yield Problem(
                self._last, "who is related to whom is not what the entries say", follows=True
            )

    def _other_loans(self) -> Iterator[int]:
        """The entries whose loan is kept otherwise, is missing, or is of nothing."""
        due = self._book.rows
        for values in _all(self._connection, tables.commitment, *LOAN):
            expected = due.pop(values[0], None)
            if expected is None or values != _loan_values(expected):
                yield values[0]
        yield from due


def _all(connection: Connection, table: Table, *names: str) -> Iterable[tuple[Any, ...]]:
    query = select(*(table.c[name] for name in names))
    return (tuple(row) for row in streamed(connection, query))


def _name_of(entry: Entry, payload: Mapping[str, Any]) -> str | None:
    """What its subject is found by; None where the entry does not say."""
    if entry.kind == "decision" and "application" in payload:  # else that person was erased
        return str(payload["application"]["applicant"]["id_number"])
    return {"fund": INSTITUTION, "administration": INSTALLATION}.get(entry.kind)
