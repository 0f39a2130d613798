"""Fund: the tables that the entries add up to: commitments, the account, who is related to whom.

A projection: kept in the transaction of the entry it follows from, worked out anew by `rebuild` and
held against the entries by `ledger/following.py`. It holds no personal data, only references and
amounts; a party somebody named stands as a keyed pseudonym.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from functools import cached_property
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from loansvc.errors import LedgerDamaged
from loansvc.ledger import tables
from loansvc.ledger.book import Earlier, Memory, Movement, lapse, take
from loansvc.ledger.chain import Entry
from loansvc.ledger.commitments import Account, Commitment
from loansvc.ledger.prepared import Prepared
from loansvc.ledger.stores import put, put_new
from loansvc.ledger.vault import Vault

INSTITUTION = "the guarantee fund"  # stands where an ID number would: the fund is no person

# Built once: every decision asks them, and building one costs more than its answer.
_LOAN, _RELATED = tables.commitment.c, tables.related.c
_AT: BindParameter[str] = bindparam("at")
_REF: BindParameter[str] = bindparam("ref")
_LAPSED = and_(_LOAN.state == "reserved", _LOAN.lapses_at <= _AT)
_SUM = func.coalesce(func.sum(_LOAN.fund_yuan), 0)
ACCOUNT = Prepared(select(tables.fund_account))
LAPSED_SUM = Prepared(select(_SUM.label("yuan")).where(_LAPSED))
DUE = Prepared(select(tables.commitment).where(_LAPSED).order_by(_LOAN.lapses_at, _LOAN.sequence))
LOANS_OF = Prepared(
    select(tables.commitment).where(_LOAN.subject_ref == _REF).order_by(_LOAN.sequence)
)
LOAN = Prepared(
    select(tables.commitment).where(
        _LOAN.client == bindparam("client"), _LOAN.application_id == bindparam("application_id")
    )
)
_OWN = select(_RELATED.party).where(_RELATED.subject_ref == _REF)
_SHARED = or_(_RELATED.party.in_(_OWN), _RELATED.party.in_(bindparam("marks", expanding=True)))
_OTHERS = select(_RELATED.subject_ref).where(_SHARED, _RELATED.subject_ref != _REF)
N_RELATED = select(func.count(func.distinct(_RELATED.subject_ref))).where(
    _RELATED.party.in_(_OWN), _RELATED.subject_ref != _REF
)
RELATED_SUM = select(_SUM).where(_LOAN.subject_ref.in_(_OTHERS), not_(_LAPSED))
LOAN_COLUMNS = tuple(f.name for f in fields(Commitment))
ACCOUNT_COLUMNS = tuple(f.name for f in fields(Account))
KEEP_ACCOUNT = Prepared(
    update(tables.fund_account).values({name: bindparam(f"new_{name}") for name in ACCOUNT_COLUMNS})
)


class FundReading:
    """Questions to the projection within one snapshot."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault

    @cached_property
    def account(self) -> Account:
        """The account as it is noted."""
        row = ACCOUNT.first(self._connection)
        if row is None:
            raise LedgerDamaged("The fund's account is missing. Run: loansvc ledger verify")
        return Account(**{name: getattr(row, name) for name in ACCOUNT_COLUMNS})

    def account_at(self, at: str) -> Account:
        """The account, less what has lapsed by that instant and is not noted yet."""
        lapsed = int(LAPSED_SUM.first(self._connection, {"at": at}).yuan)
        return replace(self.account, reserved_yuan=self.account.reserved_yuan - lapsed)

    def find(self, client: str, application_id: str) -> Commitment | None:
        """The commitment of that decision."""
        of = {"client": client, "application_id": application_id}
        row = LOAN.first(self._connection, of)
        return None if row is None else _commitment(row)

    def of(self, subject_ref: str, at: str) -> list[Commitment]:
        """The loans of a person that were drawn or can still be, in order of decision."""
        loans = self.all_of(subject_ref)
        return [loan for loan in loans if not (loan.lapsed_by(at) or loan.state == "taken_back")]

    def all_of(self, subject_ref: str) -> list[Commitment]:
        """Every commitment of a person, in order of decision."""
        rows = LOANS_OF.all(self._connection, {"ref": subject_ref})
        return [_commitment(row) for row in rows]

    def related_yuan(self, subject_ref: str, parties: Iterable[str], at: str) -> int:
        """What the fund holds for others who share a party with this person, in yuan.

        `parties`: ID numbers and social credit codes of the application at hand.
        """
        marks = [mark for party in parties for mark in self._vault.party_marks(party)]
        of = {"ref": subject_ref, "marks": marks, "at": at}
        return int(self._connection.execute(RELATED_SUM, of).scalar_one())

    def n_related(self, subject_ref: str) -> int:
        """How many other people share a party with this person."""
        return int(self._connection.execute(N_RELATED, {"ref": subject_ref}).scalar_one())


class FundWriting(FundReading):
    """The projection within the write transaction. A `book.Store`."""

    def __init__(self, connection: Connection, vault: Vault, earlier: Earlier) -> None:
        super().__init__(connection, vault)
        self._earlier = earlier
        self._lapsed_at = ""

    def lapse(self, at: str) -> None:
        """Release what was not drawn in time; before anything is asked of a moment."""
        lapse(self, at)

    def account_at(self, at: str) -> Account:
        """The account, its lapses noted by `lapse`."""
        self.lapse(at)
        return self.account

    def take(self, entry: Entry, payload: Mapping[str, Any]) -> None:
        """Do what a new entry says.

        Raises:
            OutcomeRefused, ReviewRefused: it contradicts what is recorded.
        """
        take(self, entry, payload, self._earlier)
        if entry.kind == "decision":
            pairs = related_pairs(entry, payload, self._vault)
            put_new(self._connection, tables.related, _related_rows(pairs))

    def drop(self, subject_ref: str) -> None:
        """Forget a person: commitments, and to whom that person is related."""
        for table in (tables.commitment, tables.related):
            self._connection.execute(delete(table).where(table.c.subject_ref == subject_ref))

    def due(self, at: str) -> list[Commitment]:
        """Reservations that have lapsed by then, the first to lapse first."""
        if at == self._lapsed_at:
            return []
        self._lapsed_at = at
        return [_commitment(row) for row in DUE.all(self._connection, {"at": at})]

    def keep(self, commitment: Commitment) -> None:
        """Keep a commitment, new or changed."""
        values = {name: getattr(commitment, name) for name in LOAN_COLUMNS}
        put(self._connection, tables.commitment, values)

    def keep_account(self, account: Account) -> None:
        """Keep the account."""
        self.account = account
        values = {f"new_{name}": getattr(account, name) for name in ACCOUNT_COLUMNS}
        KEEP_ACCOUNT.run(self._connection, values)


def _commitment(row: Any) -> Commitment:
    values = {name: getattr(row, name) for name in LOAN_COLUMNS}
    return Commitment(**{**values, "overdue": bool(values["overdue"])})


def related_pairs(entry: Entry, payload: Mapping[str, Any], vault: Vault) -> list[tuple[str, str]]:
    """A party and a person, for each mark of the ID number, the firm, and whom the person named."""
    marks = (mark for party in parties_of(payload) for mark in vault.party_marks(party))
    return [(mark, entry.subject_ref) for mark in dict.fromkeys(marks)]


def _related_rows(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"party": party, "subject_ref": ref} for party, ref in pairs]


def parties_of(payload: Mapping[str, Any]) -> list[str]:
    """The ID number, the firm, and whom the applicant named; nobody where that was erased."""
    if "application" not in payload:
        return []
    applicant = payload["application"]["applicant"]
    firm = payload["application"].get("business", {}).get("uscc")
    parties = [applicant["id_number"], *applicant.get("related_parties", ())]
    return list(dict.fromkeys(parties + ([firm] if firm else [])))


# --- from the entries -----------------------------------------------------------------------------

Recorded = Iterable[tuple[Entry, Mapping[str, Any]]]


class Rebuilt:
    """The projection as the entries have it, and every movement on the way."""

    def __init__(self, vault: Vault, earlier: Earlier) -> None:
        self._vault = vault
        self._earlier = earlier
        self.store = Memory()
        self.related: set[tuple[str, str]] = set()

    def read(self, recorded: Recorded) -> Iterator[Movement]:
        """Take one entry after the other; what it moved."""
        for entry, payload in recorded:
            yield from take(self.store, entry, payload, self._earlier)
            if entry.kind == "decision":
                self.related.update(related_pairs(entry, payload, self._vault))

    def lapsed(self, at: str) -> list[Movement]:
        """What lapsed after the last entry, until that instant."""
        return lapse(self.store, at)


def rebuild(connection: Connection, vault: Vault, recorded: Recorded, earlier: Earlier) -> None:
    """Work the projection out anew and put it in place of what is there."""
    rebuilt = Rebuilt(vault, earlier)
    for _ in rebuilt.read(recorded):
        pass
    for table in (tables.commitment, tables.related):
        connection.execute(delete(table))
    if rebuilt.store.rows:
        rows = [asdict(commitment) for commitment in rebuilt.store.rows.values()]
        connection.execute(insert(tables.commitment), rows)
    if rebuilt.related:
        connection.execute(insert(tables.related), _related_rows(rebuilt.related))
    connection.execute(delete(tables.fund_account))
    account = {"id": 1, **asdict(rebuilt.store.account)}
    connection.execute(insert(tables.fund_account).values(account))
