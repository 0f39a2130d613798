"""Lending: what became of approved loans, and the guarantee fund that stands behind them.

On the ledger and clock of an underwriting. What is reported is recorded, chained and sealed like a
decision, and is on disk before it is answered; the fund's figures follow from the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from loansvc.application import MOST_YUAN, PRODUCTS
from loansvc.editions import COUNTY
from loansvc.errors import FieldError, InvalidOutcome, NotFound, OutcomeRefused, SetupRefused
from loansvc.ledger import Entry
from loansvc.ledger.acts import Act
from loansvc.ledger.book import Movement, report_of
from loansvc.ledger.commitments import Account, Commitment, Fact, Report, standing
from loansvc.ledger.entries import NO_EDITIONS
from loansvc.ledger.fund import INSTITUTION
from loansvc.policy import FundCaps
from loansvc.provenance import same_person
from loansvc.underwriting import Underwriting, new_id, stamp

AMOUNT_KINDS = {"disbursed": 1, "balance": 0, "claim_paid": 1}  # the least amount of each, yuan
MOST_DAYS = 10_000  # past due
MOVEMENT_TEXTS = {  # what moved the fund, in the words of its statement
    "set": ("设定资本金", "capital stated"),
    "reserved": ("预留：批准待放款", "reserved for an offer"),
    "drawn": ("放款", "loan drawn"),
    "released": ("还款释放", "released by repayment"),
    "corrected": ("余额更正", "balance put right upwards"),
    "lapsed": ("到期未放款释放", "offer lapsed"),
    "taken_back": ("人工复核未批准释放", "declined by a person"),
    "claim": ("代偿", "claim paid"),
    "amended": ("更正报告", "report corrected"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A fact of a loan as the ledger holds it."""

    entry: Entry
    decision_id: str
    fact: Fact

    def answer(self) -> dict[str, Any]:
        """The body that is answered."""
        return {
            "outcome_id": self.entry.decision_id,
            "decision_id": self.decision_id,
            "application_id": self.entry.application_id,
            **self.fact.to_record(),
            "recorded_at": self.entry.decided_at,
            "ledger": {"sequence": self.entry.sequence, "hash": self.entry.hash},
        }


class Lending:
    """Reports of loans and the fund, on the ledger and clock of an underwriting."""

    def __init__(self, root: Underwriting) -> None:
        self._root = root
        self._ledger = root.ledger

    # --- what became of a loan -------------------------------------------------------------------

    def record(self, application_id: str, fact: Fact, *, client: str) -> tuple[Outcome, bool]:
        """The recorded fact, and whether it is new; the same reference again gives the first.

        Raises:
            NotFound: this client has no such decision.
            Erased: its person was erased.
            InvalidOutcome: a field is missing, in the way, or a day to come.
            OutcomeRefused: it contradicts what is recorded of the loan.
        """
        with self._ledger.writing() as ledger:
            decision = ledger.find(client, application_id)
            if decision is None:
                raise NotFound("There is no decision with this application_id.")
            at = self._root.clock()
            check(fact, today=at.date())
            subject = ledger.subject_of(decision.subject_ref)
            recorded = ledger.outcomes_of(decision)
            for known in (_outcome(entry, said) for entry, said in recorded):
                if known.fact.reference == fact.reference:
                    if known.fact != fact:
                        raise OutcomeRefused("reference_reused")
                    return known, False
            if ledger.fund.find(client, application_id) is None:  # no approval, by whomever
                raise OutcomeRefused("not_approved")
            if fact.kind == "disbursed" and fact.corrects is None:
                acts = ledger.acts.of(decision)[decision.sequence]
                if _waits_for_a_person(acts, on=fact.on):
                    raise OutcomeRefused("under_review")
            payload = _payload_of(decision, fact, recorded)
            entry = ledger.append(
                subject, payload, kind="outcome",
                decided_at=stamp(at), client=client, application_id=application_id,
                decision_id=new_id("out", at), product=decision.product, outcome=fact.kind,
                **NO_EDITIONS,
            )  # fmt: skip
            return _outcome(entry, payload), True

    def outcomes(self, application_id: str, *, client: str) -> dict[str, Any]:
        """What is recorded of a loan, oldest first, and where it stands now.

        Raises:
            NotFound: this client has no such decision.
            Erased: its person was erased.
        """
        with self._ledger.reading() as ledger:
            decision = ledger.find(client, application_id)
            if decision is None:
                raise NotFound("There is no decision with this application_id.")
            ledger.subject_of(decision.subject_ref)  # nothing is told of somebody who was erased
            found = [_outcome(e, p) for e, p in ledger.outcomes_of(decision)]
            loan = ledger.fund.find(client, application_id)
        at = stamp(self._root.clock())
        return {
            "application_id": application_id,
            "decision_id": decision.decision_id,
            "loan": loan and loan_document(loan.lapse() if loan.lapsed_by(at) else loan),
            "data": [outcome.answer() for outcome in found],
        }

    # --- the fund --------------------------------------------------------------------------------

    def set_fund(
        self, *, capital_yuan: int, reference: str, approver: str, on: date, proposer: str = ""
    ) -> Entry:
        """State the fund's capital from now on: what is paid as claims counts anew from here.

        `on` is the day of the balance stated. On return the entry is on disk.

        Raises:
            SetupRefused: a text is empty, the day is to come, the capital is not to be believed, or
                whoever proposes it approves it.
        """
        if proposer and same_person(proposer, approver):
            raise SetupRefused(
                "Whoever states the capital cannot approve it. Name the other person: "
                "--approver NAME, or --proposer NAME"
            )
        with self._ledger.writing() as ledger:
            at = self._root.clock()
            if on > at.date():
                raise SetupRefused("The day of the capital must not be after today: --on DATE")
            if not 0 <= capital_yuan <= MOST_YUAN:
                raise SetupRefused(f"The capital must be from 0 to {MOST_YUAN} yuan: --capital")
            if not reference.strip() or not approver.strip():
                raise SetupRefused(
                    "Say where it is written and who approved it: --reference, --approver"
                )
            stated = {"capital_yuan": capital_yuan, "reference": reference, "approver": approver,
                      "proposer": proposer, "on": on.isoformat()}  # fmt: skip
            return ledger.append(
                ledger.subject_for(INSTITUTION), {"fund": stated}, kind="fund",
                decided_at=stamp(at), client="", application_id="", decision_id=new_id("fund", at),
                product=COUNTY, outcome="set", **NO_EDITIONS,
            )  # fmt: skip

    def fund(self) -> dict[str, Any]:
        """The fund at this moment, beside what the policies in force let it carry."""
        at = self._root.clock()
        with self._ledger.reading() as ledger:
            account = ledger.fund.account_at(stamp(at))
            capital = ledger.capital()
        return {
            "as_of": stamp(at),
            "set": capital and _set_document(*capital),
            **_account_document(account),
            "compensation_rate_bp": account.compensation_rate_bp,
            "caps": self._caps(account, at.date()),
        }

    def _caps(self, account: Account, on: date) -> list[dict[str, Any]]:
        """What the fund may carry under the policy of each product; empty without a capital."""
        if account.capital_yuan is None:
            return []
        found = []
        for product in PRODUCTS:
            policy = self._root.registry.in_force(product, on).policy
            content = policy.content
            reference = {"valid_from": policy.valid_from.isoformat(), "digest": policy.digest}
            caps = _caps_document(account, content.fund_caps)
            titles = {"zh": content.title_zh, "en": content.title_en}
            found.append({"product": product, **titles, **caps, "policy": reference})
        return found

    def statement(self, first_day: date, last_day: date) -> dict[str, Any]:
        """Every movement of the fund in these days, both included, from opening to closing.

        A movement stands on the day it was recorded; a lapse on the day the offer ran out.
        """
        if last_day < first_day:
            raise SetupRefused("The last day must not be before the first: --from DATE --to DATE")
        now = stamp(self._root.clock())
        with self._ledger.reading() as ledger:
            movements = ledger.movements(now)
        opening = closing = Account()
        lines = []
        for movement in movements:
            day = date.fromisoformat(movement.at[:10])
            if day < first_day:
                opening = movement.after
            elif day <= last_day:
                lines += _lines(movement)
            if day <= last_day:
                closing = movement.after
        return {
            "from": first_day.isoformat(),
            "to": last_day.isoformat(),
            "opening": _account_document(opening),
            "movements": lines,
            "closing": _account_document(closing),
        }


def _payload_of(
    decision: Entry, fact: Fact, recorded: Iterable[tuple[Entry, dict[str, Any]]]
) -> dict[str, Any]:
    """What is recorded of a fact, with the entry that it corrects.

    Raises:
        OutcomeRefused: as `_corrected`.
    """
    payload: dict[str, Any] = {"decision_id": decision.decision_id, "outcome": fact.to_record()}
    if fact.corrects is None:
        return payload
    stand = standing(report_of(entry, said) for entry, said in recorded).values()
    return payload | {"corrects": _corrected(fact, stand).sequence}


def _corrected(fact: Fact, reports: Iterable[Report]) -> Report:
    """The report that a fact corrects.

    Raises:
        OutcomeRefused: none that stands has that reference, or it is of another kind.
    """
    for report in reports:
        if report.fact.reference == fact.corrects:
            if fact.kind not in ("withdrawn", report.fact.kind):
                raise OutcomeRefused("corrects_another_kind")
            return report
    raise OutcomeRefused("nothing_to_correct")


def _waits_for_a_person(acts: Iterable[Act], *, on: date) -> bool:
    """Whether a person was asked by that day and has not decided: until then nothing is paid out.

    Source: PIPL art. 24; what was paid out on an earlier day is a fact, and is recorded.
    """
    kinds = {entry.kind: entry.decided_at for entry, _ in acts}
    asked_at = kinds.get("review")
    return asked_at is not None and "override" not in kinds and asked_at[:10] <= on.isoformat()


def check(fact: Fact, *, today: date) -> None:
    """Refuse a fact whose fields do not go together.

    Raises:
        InvalidOutcome: with every field error there is.
    """
    errors = []
    least = AMOUNT_KINDS.get(fact.kind)
    if least is None and fact.amount_yuan is not None:
        errors.append(_error("amount_yuan", "not_of_this_kind", "Is not part of this kind."))
    elif least is not None and fact.amount_yuan is None:
        errors.append(_error("amount_yuan", "required", "Is required for this kind; add it."))
    elif least is not None and not least <= (fact.amount_yuan or 0) <= MOST_YUAN:
        says = f"Must be from {least} to {MOST_YUAN}."
        errors.append(_error("amount_yuan", "out_of_range", says))
    if (fact.days is None) != (fact.kind != "days_past_due"):
        missing = fact.days is None
        code = "required" if missing else "not_of_this_kind"
        says = "Is required for this kind; add it." if missing else "Is not part of this kind."
        errors.append(_error("days", code, says))
    elif fact.days is not None and not 0 <= fact.days <= MOST_DAYS:
        errors.append(_error("days", "out_of_range", f"Must be from 0 to {MOST_DAYS}."))
    if fact.kind == "withdrawn" and fact.corrects is None:
        errors.append(_error("corrects", "required", "Is required for this kind; add it."))
    if fact.on > today:
        errors.append(_error("on", "in_the_future", "Must not be after today."))
    if errors:
        raise InvalidOutcome(errors)


def _error(field: str, code: str, detail: str) -> FieldError:
    return FieldError(f"/{field}", code, detail)


def _outcome(entry: Entry, payload: dict[str, Any]) -> Outcome:
    return Outcome(entry, payload["decision_id"], Fact.from_record(payload["outcome"]))


def _set_document(entry: Entry, stated: dict[str, Any]) -> dict[str, str]:
    """When and by which paper the capital was stated; who approved stays in the ledger."""
    return {
        "on": stated["on"],
        "reference": stated["reference"],
        "recorded_at": entry.decided_at,
    }


def loan_document(loan: Commitment) -> dict[str, Any]:
    """Where a loan stands, as it is answered."""
    return {
        "state": loan.state,
        "offered_yuan": loan.offered_yuan,
        "lapses_at": loan.lapses_at,
        "disbursed_yuan": loan.drawn_yuan,
        "outstanding_yuan": loan.outstanding_yuan,
        "fund_percent": loan.fund_percent,
        "fund_yuan": loan.fund_yuan,
        "claims_yuan": loan.claims_yuan,
        "most_days_past_due": loan.most_days_past_due,
        "overdue": loan.overdue,
    }


def _account_document(account: Account) -> dict[str, Any]:
    return {
        "capital_yuan": account.capital_yuan,
        "claims_paid_yuan": account.claims_yuan,
        "capital_left_yuan": account.capital_left_yuan,
        "reserved_yuan": account.reserved_yuan,
        "drawn_yuan": account.drawn_yuan,
        "guaranteed_yuan": account.guaranteed_yuan,
    }


def _caps_document(account: Account, caps: FundCaps) -> dict[str, Any]:
    """The caps in yuan, rounded down: a whole yuan more would pass them."""
    capital = account.capital_left_yuan
    most = capital * caps.multiple
    return {
        "multiple": caps.multiple,
        "most_guaranteed_yuan": most,
        "free_yuan": max(most - account.guaranteed_yuan, 0),
        "single_client_percent": caps.single_client_percent,
        "single_client_yuan": capital * caps.single_client_percent // 100,
        "related_percent": caps.related_percent,
        "related_yuan": caps.related_percent and capital * caps.related_percent // 100,
        "compensation_rate_cap_bp": caps.compensation_rate_cap_bp,
        "within_compensation_rate": account.compensation_rate_bp <= caps.compensation_rate_cap_bp,
    }


def _lines(movement: Movement) -> list[dict[str, Any]]:
    """The line of a movement; none where the fund's figures stay as they are."""
    before, after = movement.before, movement.after
    if before == after:
        return []
    return [
        {
            "at": movement.at,
            "kind": movement.kind,
            "zh": MOVEMENT_TEXTS[movement.kind][0],
            "en": MOVEMENT_TEXTS[movement.kind][1],
            "decision_id": movement.decision_id or None,
            "capital_yuan": after.capital_left_yuan - before.capital_left_yuan,
            "reserved_yuan": after.reserved_yuan - before.reserved_yuan,
            "drawn_yuan": after.drawn_yuan - before.drawn_yuan,
            "balance": {
                "capital_left_yuan": after.capital_left_yuan,
                "reserved_yuan": after.reserved_yuan,
                "drawn_yuan": after.drawn_yuan,
                "guaranteed_yuan": after.guaranteed_yuan,
            },
        }
    ]
