"""Commitments: what each approved loan holds of the guarantee fund, and the account they add up to.

Pure arithmetic over dated facts, whole yuan. A commitment begins when an approval is recorded, by
the machine or by a person; each fact gives the next one or is refused; an account is the running
sum. Nothing here names a person.

    reserved     offered, not drawn yet: holds the fund's share of the offer until it lapses
    drawn        holds the share of the principal outstanding, less what the fund has paid
    written_off  as drawn, but the bank expects no more of the borrower; claims may still come
    repaid       over: holds nothing
    lapsed       not drawn in time: holds nothing, and cannot be drawn any more
    taken_back   a person declined after all, before it was drawn: likewise
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from loansvc.errors import LedgerDamaged, OutcomeRefused, ReviewRefused
from loansvc.policy.terms import share_yuan

OFFER_OPEN_DAYS = 30  # an offer not drawn by then lapses, and what it held is free again
KINDS = (
    "disbursed", "balance", "days_past_due", "restructured", "repaid", "written_off", "claim_paid",
    "withdrawn",
)  # fmt: skip
STATES = ("reserved", "drawn", "written_off", "repaid", "lapsed", "taken_back")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What became of a loan on a day. `reference` is the caller's own id of the report.

    `amount_yuan`: what was disbursed, what is outstanding (balance), what the fund paid (claim).
    `corrects`: the reference of the report whose place this one takes; `withdrawn` leaves it empty.
    """

    reference: str
    kind: str
    on: date
    amount_yuan: int | None = None
    days: int | None = None
    corrects: str | None = None

    def to_record(self) -> dict[str, Any]:
        """The JSON form that is recorded and answered."""
        return {
            "reference": self.reference,
            "kind": self.kind,
            "on": self.on.isoformat(),
            **({} if self.amount_yuan is None else {"amount_yuan": self.amount_yuan}),
            **({} if self.days is None else {"days": self.days}),
            **({} if self.corrects is None else {"corrects": self.corrects}),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Fact:
        """The fact whose record form this is.

        Raises:
            LedgerDamaged: it is the record form of none.
        """
        with suppress(KeyError, TypeError, ValueError):
            fact = cls(**{**record, "on": date.fromisoformat(record["on"])})
            numbers = {type(n) for n in (fact.amount_yuan, fact.days)}
            texts = {type(t) for t in (fact.reference, fact.kind)}
            if (
                texts == {str}
                and numbers <= {int, type(None)}
                and isinstance(fact.corrects, str | None)
            ):
                return fact
        raise LedgerDamaged(
            "A recorded outcome is not of the form in which they are kept. "
            "Run: loansvc ledger verify"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A fact as an entry recorded it. `corrects`: the entry of the report it corrects; 0: none."""

    sequence: int
    recorded_at: str
    fact: Fact
    corrects: int = 0


def standing(reports: Iterable[Report]) -> dict[int, Report]:
    """The reports that stand, in the order in which they count, by the entry that took the place.

    `reports`: of one loan, oldest first. A correction takes the place of what it corrects; one that
    withdraws leaves nothing there.

    Raises:
        OutcomeRefused: one corrects what does not stand.
    """
    found: dict[int, Report] = {}
    for report in reports:
        place = place_of(report.corrects, found) if report.corrects else report.sequence
        if report.fact.kind == "withdrawn":
            del found[place]
        else:
            found[place] = report
    return found


def place_of(sequence: int, standing_reports: Mapping[int, Report]) -> int:
    """The place among the reports that stand of the one that entry recorded.

    Raises:
        OutcomeRefused: it is none of them.
    """
    for place, report in standing_reports.items():
        if report.sequence == sequence:
            return place
    raise OutcomeRefused("nothing_to_correct")


def lapse_of(decided_at: str) -> str:
    """The instant from which an offer decided then is lapsed.

    >>> lapse_of("2026-11-23T12:00:00.000+08:00")
    '2026-12-23T12:00:00.000+08:00'
    """
    lapse = datetime.fromisoformat(decided_at) + timedelta(days=OFFER_OPEN_DAYS)
    return lapse.isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """One approved loan. `sequence` is that of its approval; days are ISO texts, "" before any.

    `fund_yuan` is what it holds of the fund; `overdue` whether it was ever past due, restructured,
    written off or paid for by the fund.
    """

    sequence: int
    client: str
    application_id: str
    decision_id: str
    subject_ref: str
    offered_yuan: int
    fund_percent: int
    lapses_at: str
    state: str
    outstanding_yuan: int
    fund_yuan: int
    drawn_yuan: int = 0
    drawn_on: str = ""
    balance_on: str = ""
    claims_yuan: int = 0
    most_days_past_due: int = 0
    overdue: bool = False

    @property
    def decided_on(self) -> date:
        """The day of the approval."""
        return (datetime.fromisoformat(self.lapses_at) - timedelta(days=OFFER_OPEN_DAYS)).date()

    def lapsed_by(self, at: str) -> bool:
        """Whether the offer has lapsed at that instant, noted or not."""
        return self.state == "lapsed" or (self.state == "reserved" and self.lapses_at <= at)

    @property
    def is_outstanding(self) -> bool:
        """Whether it was drawn and is not over: somebody still owes, or may still be paid."""
        return self.state in ("drawn", "written_off")

    def lapse(self) -> Commitment:
        """The commitment after nobody drew it in time."""
        return replace(self, state="lapsed", outstanding_yuan=0, fund_yuan=0)

    def take_back(self) -> Commitment:
        """The commitment after a person has declined after all; a lapsed one stays as it is.

        Raises:
            ReviewRefused: the loan was paid out.
        """
        if self.state not in ("reserved", "lapsed"):
            raise ReviewRefused("loan_drawn")
        taken = replace(self, state="taken_back", outstanding_yuan=0, fund_yuan=0)
        return taken if self.state == "reserved" else self

    def closed(self) -> Commitment:
        """The commitment that holds nothing any more."""
        return replace(self, state="repaid", outstanding_yuan=0, fund_yuan=0)

    def anew(self, reports: Iterable[Report], *, at: str) -> Commitment:
        """The commitment at that instant as these reports alone make it, in this order.

        Raises:
            OutcomeRefused: they do not go together: one rests on what is not among them.
        """
        share = share_yuan(self.offered_yuan, self.fund_percent)
        made = replace(
            self, state="reserved", outstanding_yuan=self.offered_yuan, fund_yuan=share,
            drawn_yuan=0, drawn_on="", balance_on="", claims_yuan=0, most_days_past_due=0,
            overdue=False,
        )  # fmt: skip
        for report in reports:
            try:
                made = made.after(report.fact)
            except OutcomeRefused:
                raise OutcomeRefused("others_rest_on_it") from None
        return made.lapse() if made.lapsed_by(at) else made

    def after(self, fact: Fact) -> Commitment:
        """The commitment after a fact that corrects none.

        Raises:
            OutcomeRefused: the fact contradicts what is recorded; says how.
        """
        if fact.on < self.decided_on:
            raise OutcomeRefused("before_decision")
        if self.state == "lapsed":
            raise OutcomeRefused("offer_lapsed")
        if self.state == "taken_back":
            raise OutcomeRefused("offer_taken_back")
        if self.state == "repaid":
            raise OutcomeRefused("loan_repaid")
        if fact.kind == "disbursed":
            return self._disbursed(fact)
        if self.state == "reserved":
            raise OutcomeRefused("not_disbursed")
        if fact.on.isoformat() < self.drawn_on:
            raise OutcomeRefused("before_disbursement")
        return self._of_drawn(fact)

    def _disbursed(self, fact: Fact) -> Commitment:
        if self.state != "reserved":
            raise OutcomeRefused("already_disbursed")
        amount, on = _amount(fact), fact.on.isoformat()
        if amount > self.offered_yuan:
            raise OutcomeRefused("more_than_offered")
        return replace(self, state="drawn", drawn_yuan=amount, drawn_on=on)._owing(amount, on)

    def _of_drawn(self, fact: Fact) -> Commitment:
        match fact.kind:
            case "balance":
                return self._balance(_amount(fact), fact.on.isoformat())
            case "days_past_due":
                assert fact.days is not None
                most = max(self.most_days_past_due, fact.days)
                return replace(self, most_days_past_due=most, overdue=self.overdue or most > 0)
            case "restructured":
                return replace(self, overdue=True)
            case "written_off":
                if self.state == "written_off":
                    raise OutcomeRefused("already_written_off")
                return replace(self, state="written_off", overdue=True)
            case "claim_paid":
                amount = _amount(fact)
                if amount > self.fund_yuan:
                    raise OutcomeRefused("more_than_fund_share")
                claims, left = self.claims_yuan + amount, self.fund_yuan - amount
                return replace(self, claims_yuan=claims, fund_yuan=left, overdue=True)
        assert fact.kind == "repaid", fact.kind
        if fact.on.isoformat() < self.balance_on and self.outstanding_yuan:
            raise OutcomeRefused("before_balance")
        return replace(self, state="repaid")._owing(0, fact.on.isoformat())

    def _balance(self, amount: int, on: str) -> Commitment:
        if amount > self.drawn_yuan:
            raise OutcomeRefused("more_than_disbursed")
        # A report that comes late, of a day before the newest one, is kept but says nothing new.
        return self if on < self.balance_on else self._owing(amount, on)

    def _owing(self, outstanding_yuan: int, on: str) -> Commitment:
        """The same with that principal outstanding, and the fund's share of it."""
        share = max(share_yuan(outstanding_yuan, self.fund_percent) - self.claims_yuan, 0)
        return replace(self, outstanding_yuan=outstanding_yuan, balance_on=on, fund_yuan=share)


def _amount(fact: Fact) -> int:
    assert fact.amount_yuan is not None, "checked before a fact comes here"
    return fact.amount_yuan


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The fund as its commitments add up. `capital_yuan` None: nobody has stated it.

    `set_sequence` is that of the entry by which it was last stated.
    `claims_yuan` and `carried_yuan` count from when the capital was last stated; `carried_yuan` is
    the drawn liability of that moment and what was drawn since.
    """

    capital_yuan: int | None = None
    reserved_yuan: int = 0
    drawn_yuan: int = 0
    claims_yuan: int = 0
    carried_yuan: int = 0
    set_sequence: int = 0

    @property
    def capital_left_yuan(self) -> int:
        """Capital less the claims paid from it; not below 0."""
        return max((self.capital_yuan or 0) - self.claims_yuan, 0)

    @property
    def guaranteed_yuan(self) -> int:
        """What the fund stands for: offers open and loans drawn."""
        return self.reserved_yuan + self.drawn_yuan

    @property
    def compensation_rate_bp(self) -> int:
        """Claims paid of the liability carried, in basis points, rounded up; 0 before any.

        Source: a proposal [E] (docs/fund.md); no formula was found beside the caps (DOMAIN 3.2).

        >>> Account(claims_yuan=40_000, carried_yuan=1_000_001).compensation_rate_bp
        400
        >>> Account(claims_yuan=40_000, carried_yuan=999_999).compensation_rate_bp
        401
        """
        return -(-10_000 * self.claims_yuan // self.carried_yuan) if self.carried_yuan else 0

    def stated(self, capital_yuan: int, sequence: int) -> Account:
        """The account once the capital is stated anew, by that entry."""
        return replace(
            self, capital_yuan=capital_yuan, claims_yuan=0, carried_yuan=self.drawn_yuan,
            set_sequence=sequence,
        )  # fmt: skip

    def moved(
        self, before: Commitment | None, after: Commitment, *, counts: bool = True
    ) -> Account:
        """The account once a commitment has changed.

        `counts` False: what changed was there when the capital was last stated, so that claims and
        the liability carried since then stay as they are.
        """
        reserved_before, drawn_before = _held(before)
        reserved, drawn = _held(after)
        claims = after.claims_yuan - (before.claims_yuan if before else 0)
        carried = _drawn_share(after) - (_drawn_share(before) if before else 0)
        return Account(
            capital_yuan=self.capital_yuan,
            reserved_yuan=self.reserved_yuan + reserved - reserved_before,
            drawn_yuan=self.drawn_yuan + drawn - drawn_before,
            claims_yuan=self.claims_yuan + (claims if counts else 0),
            carried_yuan=self.carried_yuan + (carried if counts else 0),
            set_sequence=self.set_sequence,
        )


def _held(commitment: Commitment | None) -> tuple[int, int]:
    """What a commitment holds, reserved and drawn."""
    if commitment is None:
        return 0, 0
    held = commitment.fund_yuan
    return (held, 0) if commitment.state == "reserved" else (0, held)


def _drawn_share(commitment: Commitment) -> int:
    """The fund's share of what was paid out, whatever became of it."""
    return share_yuan(commitment.drawn_yuan, commitment.fund_percent)
