"""Book: how the entries of the ledger move commitments and account, one entry after the other.

The same steps keep the tables while entries are written (`ledger/fund.py`) and work everything out
anew from the chain: for an upgrade, for `ledger verify`, and for the fund's statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Protocol

from loansvc.ledger.chain import Entry
from loansvc.ledger.commitments import (
    Account,
    Commitment,
    Fact,
    Report,
    lapse_of,
    place_of,
    standing,
)
from loansvc.policy.terms import share_yuan

Earlier = Callable[[Entry], Iterable[Report]]  # what was reported of its loan before an entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One line of the fund's statement: what changed, in yuan, and what it came to."""

    at: str
    kind: str
    decision_id: str
    before: Account
    after: Account


class Store(Protocol):
    """Where commitments and the account are kept."""

    @property
    def account(self) -> Account:
        """The account as it stands."""
        ...

    def find(self, client: str, application_id: str) -> Commitment | None:
        """The commitment of that decision."""
        ...

    def due(self, at: str) -> Iterable[Commitment]:
        """Reservations that have lapsed by then, the first to lapse first."""
        ...

    def keep(self, commitment: Commitment) -> None:
        """Keep a commitment, new or changed."""
        ...

    def keep_account(self, account: Account) -> None:
        """Keep the account."""
        ...

    def all_of(self, subject_ref: str) -> list[Commitment]:
        """Every commitment of a person, in order of decision."""
        ...

    def drop(self, subject_ref: str) -> None:
        """Forget a person: commitments, and to whom that person is related."""
        ...


def lapse(store: Store, at: str) -> list[Movement]:
    """Release what was not drawn in time."""
    return [_move(store, due.lapses_at, "lapsed", due, due.lapse()) for due in store.due(at)]


def take(
    store: Store, entry: Entry, payload: Mapping[str, Any], earlier: Earlier
) -> list[Movement]:
    """Do what an entry says, after the lapses that came before it.

    `earlier` is asked only where an entry corrects a report.

    Raises:
        OutcomeRefused, ReviewRefused: it contradicts what was recorded before it.
    """
    at = entry.decided_at
    moved = lapse(store, at)
    if entry.kind == "decision" and entry.outcome == "approve":
        moved.append(_move(store, at, "reserved", None, reserved(entry, payload)))
    elif entry.kind == "override":
        moved += _overridden(store, entry, payload)
    elif entry.kind == "outcome":
        moved.append(_reported(store, entry, report_of(entry, payload), earlier))
    elif entry.kind == "fund":
        was = store.account
        now = was.stated(payload["fund"]["capital_yuan"], entry.sequence)
        store.keep_account(now)
        moved.append(Movement(at=at, kind="set", decision_id="", before=was, after=now))
    elif entry.kind == "erasure":
        moved += _erase(store, at, entry.application_id)
    return moved


def report_of(entry: Entry, payload: Mapping[str, Any]) -> Report:
    """The report that an entry of an outcome holds."""
    return Report(
        sequence=entry.sequence,
        recorded_at=entry.decided_at,
        fact=Fact.from_record(payload["outcome"]),
        corrects=payload.get("corrects", 0),
    )


def _reported(store: Store, entry: Entry, report: Report, earlier: Earlier) -> Movement:
    """Do what a report says; one that corrects another makes the loan anew from what stands."""
    at, fact = entry.decided_at, report.fact
    before = store.find(entry.client, entry.application_id)
    assert before is not None, "an outcome follows its decision"
    if not report.corrects:
        after = before.after(fact)
        return _move(store, at, _effect(fact, before, after), before, after)
    reports = list(earlier(entry))
    after = before.anew(standing([*reports, report]).values(), at=at)
    place = place_of(report.corrects, standing(reports))
    counts = place > store.account.set_sequence
    return _move(store, at, "amended", before, after, counts=counts)


def _erase(store: Store, at: str, subject_ref: str) -> list[Movement]:
    """Let go of what a person holds, then of the rows.

    A loan outstanding refuses an erasure. Where one is found all the same, an older copy of the
    ledger was put back and the erasure done again: when it was first done, that loan was over.
    """
    held = store.all_of(subject_ref)
    moved = [_move(store, at, "lapsed", c, c.lapse()) for c in held if c.state == "reserved"]
    moved += [_move(store, at, "released", c, c.closed()) for c in held if c.is_outstanding]
    store.drop(subject_ref)
    return moved


def _overridden(store: Store, entry: Entry, payload: Mapping[str, Any]) -> list[Movement]:
    """A person's approval reserves as a decision's does, if it has terms of its own.

    One that confirms an approval has none. A person's decline takes back what is not drawn.
    """
    at = entry.decided_at
    if entry.outcome == "approve":
        if "decision" not in payload:
            return []
        return [_move(store, at, "reserved", None, reserved(entry, payload))]
    before = store.find(entry.client, entry.application_id)
    return [] if before is None else [_move(store, at, "taken_back", before, before.take_back())]


def _effect(fact: Fact, before: Commitment, after: Commitment) -> str:
    """What a fact does to the fund, as the statement calls it."""
    if fact.kind in ("disbursed", "claim_paid"):
        return {"disbursed": "drawn", "claim_paid": "claim"}[fact.kind]
    return "corrected" if after.fund_yuan > before.fund_yuan else "released"


def reserved(entry: Entry, payload: Mapping[str, Any]) -> Commitment:
    """The commitment that an approval makes; an override names the decision it is about."""
    decision = payload["decision"]
    offered = decision["offer"]["amount_yuan"]
    percent = decision["guarantee"]["shares_percent"]["local_guarantor"]
    return Commitment(
        sequence=entry.sequence,
        client=entry.client,
        application_id=entry.application_id,
        decision_id=payload.get("decision_id", entry.decision_id),
        subject_ref=entry.subject_ref,
        offered_yuan=offered,
        fund_percent=percent,
        lapses_at=lapse_of(entry.decided_at),
        state="reserved",
        outstanding_yuan=offered,
        fund_yuan=share_yuan(offered, percent),
    )


def _move(
    store: Store, at: str, kind: str, before: Commitment | None, after: Commitment, *,
    counts: bool = True,
) -> Movement:  # fmt: skip
    was, now = store.account, store.account.moved(before, after, counts=counts)
    if after != before:
        store.keep(after)
    if now != was:
        store.keep_account(now)
    return Movement(at=at, kind=kind, decision_id=after.decision_id, before=was, after=now)


class Memory:
    """A store in memory, for working everything out anew."""

    def __init__(self) -> None:
        self.account = Account()
        self.rows: dict[int, Commitment] = {}
        self._by_id: dict[tuple[str, str], int] = {}
        self._of: dict[str, list[int]] = {}
        self._open: list[tuple[str, int]] = []  # a heap; what is no longer reserved is passed over

    def find(self, client: str, application_id: str) -> Commitment | None:
        """The commitment of that decision."""
        sequence = self._by_id.get((client, application_id))
        return None if sequence is None else self.rows[sequence]

    def due(self, at: str) -> Iterator[Commitment]:
        """Reservations that have lapsed by then, the first to lapse first."""
        while self._open and self._open[0][0] <= at:
            commitment = self.rows.get(heappop(self._open)[1])
            if commitment is not None and commitment.state == "reserved":
                yield commitment

    def keep(self, commitment: Commitment) -> None:
        """Keep a commitment, new or changed."""
        if commitment.sequence not in self.rows:
            self._by_id[commitment.client, commitment.application_id] = commitment.sequence
            self._of.setdefault(commitment.subject_ref, []).append(commitment.sequence)
            heappush(self._open, (commitment.lapses_at, commitment.sequence))
        self.rows[commitment.sequence] = commitment

    def keep_account(self, account: Account) -> None:
        """Keep the account."""
        self.account = account

    def all_of(self, subject_ref: str) -> list[Commitment]:
        """Every commitment of a person, in order of decision."""
        return [self.rows[n] for n in self._of.get(subject_ref, ())]

    def drop(self, subject_ref: str) -> None:
        """Forget a person."""
        for sequence in list(self._of.get(subject_ref, ())):
            self.forget(self.rows[sequence])

    def forget(self, commitment: Commitment) -> None:
        """Forget one commitment."""
        del self.rows[commitment.sequence]
        del self._by_id[commitment.client, commitment.application_id]
        others = self._of[commitment.subject_ref]
        others.remove(commitment.sequence)
        if not others:
            del self._of[commitment.subject_ref]
