"""Reviewing: a person's decision beside the machine's, and disputes of what it rests on.

On the ledger and clock of an underwriting. Whoever asks for a person's decision does not make it.
The decision itself is never touched: review, override and dispute are entries of their own that
name it by id and hash. An approval has the terms that the recorded editions give, worked out from
the recorded application and what is owed and guaranteed now; nobody writes them by hand.

Source: 个人信息保护法 art. 24 (3), a person may refuse a decision made by a machine alone.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from loansvc.decision import terms_document, weigh
from loansvc.errors import FieldError, InvalidReview, ReviewRefused
from loansvc.exposure import exposure_of
from loansvc.ledger import Reading, Writing
from loansvc.ledger.acts import Act
from loansvc.ledger.entries import NO_EDITIONS
from loansvc.ledger.outbox import tell
from loansvc.reviewing import limits, showing
from loansvc.reviewing.facts import By, Dispute, Override, Review, open_disputes
from loansvc.underwriting import (
    MOST_DAYS_BACK,
    Recorded,
    Underwriting,
    find_in,
    new_id,
    stamp,
)

__all__ = ["By", "Dispute", "Override", "Review", "Reviewing"]

Document = dict[str, Any]
ID_PREFIXES = {"review": "rev", "override": "ovr", "dispute": "dis"}


class Reviewing:
    """Reviews, overrides and disputes, on the ledger and clock of an underwriting."""

    def __init__(self, root: Underwriting) -> None:
        self._root = root
        self._ledger = root.ledger

    # --- a person's decision ---------------------------------------------------------------------

    def ask(
        self, application_id: str, review: Review, *, by: By, client: str
    ) -> tuple[Document, bool]:
        """Ask for a person's decision: what is recorded, and whether it is new.

        Raises:
            NotFound: this client has no such decision.
            InvalidReview: the note holds what looks like a personal number.
            ReviewRefused: it was asked for before.
        """
        limits.check_note(review)
        with self._ledger.writing() as ledger:
            recorded = find_in(ledger, application_id, client=client)
            for act in _of_kind(recorded, "review"):
                known = Review.from_record(act[1]["review"])
                limits.check_same(known, review, else_="already_reviewed")
                return showing.of_decision(act, showing.review(*act)), False
            payload = {"review": review.to_record()}
            act = self._append(ledger, recorded, review.asked_by, payload, by, self._root.clock())
            return showing.of_decision(act, showing.review(*act)), True

    def override(
        self, application_id: str, override: Override, *, by: By, client: str
    ) -> tuple[Document, bool]:
        """Close the open review with a person's decision: what is recorded, and whether it is new.

        An approval of what the machine did not approve reserves its share of the guarantee fund in
        the same transaction; a decline frees what an open offer has reserved.

        Raises:
            NotFound: this client has no such decision.
            InvalidReview: the fields do not go together.
            ReviewRefused: no review is open, one person would do both, or the rules forbid it.
        """
        limits.check_note(override)
        with self._ledger.writing() as ledger:
            recorded = find_in(ledger, application_id, client=client)
            for act in _of_kind(recorded, "override"):
                known = Override.from_record(act[1]["override"])
                limits.check_same(known, override, else_="already_overridden")
                return showing.of_decision(act, showing.override(*act)), False
            limits.check_fields(override, machine=recorded.decision["outcome"])
            at = self._root.clock()
            ledger.fund.lapse(stamp(at))
            payload = {
                **_review_closed(recorded, by),
                "override": override.to_record(),
                **self._terms(ledger, recorded, override, at),
            }
            act = self._append(ledger, recorded, override.outcome, payload, by, at)
            _tell_closed(ledger, act)
            return showing.of_decision(act, showing.override(*act)), True

    def _terms(
        self, ledger: Writing, recorded: Recorded, override: Override, at: datetime
    ) -> Document:
        """What an approval rests on and comes to; nothing for a decline or a confirmed approval.

        Decided again as if this amount and term had been asked for, under the recorded editions.
        """
        if override.outcome == "decline":
            return {}
        application, asked = recorded.application, recorded.application.loan
        if recorded.decision["outcome"] == "approve":
            if override.amount_yuan or override.term_months:
                raise ReviewRefused("offer_stands")
            return {}
        if (at.date() - application.on).days > MOST_DAYS_BACK:
            raise ReviewRefused("too_old")
        editions, _ = self._root.again(recorded)
        subject = ledger.subject_of(recorded.entry.subject_ref)
        exposure = exposure_of(ledger, subject, application, stamp(at))
        amount = override.amount_yuan or (recorded.decision["offer"] or {}).get("amount_yuan")
        if amount is None:  # nothing was offered: what the rules leave of what was asked for
            case = weigh(application, editions, exposure)
            amount = min(asked.amount_yuan, limits.allowed_yuan(case))
        term = override.term_months or asked.term_months
        offered = replace(asked, amount_yuan=amount, term_months=term)
        case = weigh(replace(application, loan=offered), editions, exposure)
        limits.check_offer(offered, asked=asked, limit_yuan=limits.allowed_yuan(case))
        limits.check_fund(case, recorded.decision["guarantee"])
        return {
            "exposure": exposure.to_record(),
            "decision": {"outcome": "approve", **terms_document(case, editions)},
        }

    # --- disputes --------------------------------------------------------------------------------

    def dispute(
        self, application_id: str, said: Dispute, *, by: By, client: str
    ) -> tuple[Document, bool]:
        """Record that an objection was lodged or how it ended: the record, and whether it is new.

        Raises:
            NotFound: this client has no such decision.
            InvalidReview: the day is to come.
            ReviewRefused: it contradicts what is recorded.
        """
        if said.on > self._root.today():
            raise InvalidReview([FieldError("/on", "in_the_future", "Must not be after today.")])
        with self._ledger.writing() as ledger:
            recorded = find_in(ledger, application_id, client=client)
            earlier = _of_kind(recorded, "dispute")
            for act in earlier:
                known = Dispute.from_record(act[1]["dispute"])
                if known.reference == said.reference:
                    limits.check_same(known, said, else_="reference_reused")
                    return showing.of_decision(act, showing.dispute(*act)), False
            limits.check_order(said, showing.said(earlier), applied_on=recorded.application.on)
            payload = {"dispute": said.to_record()}
            act = self._append(ledger, recorded, said.kind, payload, by, self._root.clock())
            return showing.of_decision(act, showing.dispute(*act)), True

    def disputes(self, application_id: str, *, client: str) -> Document:
        """What is recorded of disputes about a decision, oldest first, and the mark if one is open.

        Raises:
            NotFound: this client has no such decision.
        """
        recorded = self._root.find(application_id, client=client)
        mark = showing.members(recorded.acts, today=self._root.today()).get("dispute")
        data = [showing.dispute(*act) for act in _of_kind(recorded, "dispute")]
        return {"application_id": application_id, "dispute": mark, "data": data}

    def open_disputes(self, *, client: str | None, overdue: bool = False) -> list[Document]:
        """Objections that wait for an answer, the first due first; `client` None: everybody's."""
        today = self._root.today()
        by_decision: dict[tuple[str, str], list[Act]] = {}
        with self._ledger.reading() as ledger:
            for act in ledger.acts.disputes(client):
                key = (act[0].client, act[0].application_id)
                by_decision.setdefault(key, []).append(act)
        found = [
            {"client": whose, "application_id": name, **showing.open_dispute(one, today=today)}
            for (whose, name), acts in by_decision.items()
            for one in open_disputes(showing.said(acts))
        ]
        wanted = [one for one in found if one["overdue"] or not overdue]
        return sorted(wanted, key=lambda one: (one["due_on"], one["client"], one["application_id"]))

    # --- reading ---------------------------------------------------------------------------------

    def decision(self, application_id: str, *, client: str) -> Document:
        """The decision with what people did about it.

        Raises:
            NotFound: this client has no such decision.
        """
        recorded = self._root.find(application_id, client=client)
        return showing.shown(recorded, today=self._root.today())

    def explain(self, application_id: str, *, client: str) -> Document:
        """Why the machine decided so, and what people did about it.

        Raises:
            NotFound: this client has no such decision.
            NotReproducible: this version of the program derives another decision.
        """
        recorded = self._root.find(application_id, client=client)
        acts = showing.members(recorded.acts, today=self._root.today())
        return {**self._root.explain(recorded), **acts}

    def queue(
        self, *, client: str | None, limit: int, before: int | None = None, state: str | None = None
    ) -> tuple[list[Document], int | None]:
        """Reviews, newest first, and the sequence to go on before (None: no more).

        `state`: open or closed alone. `client` None, for the operator's shell: everybody's.
        """
        with self._ledger.reading() as ledger:
            acts = ledger.acts.reviews(client, state=state, before=before, limit=limit + 1)
            found = [_in_queue(ledger, act) for act in acts[:limit]]
        return found, acts[limit - 1][0].sequence if len(acts) > limit else None

    def _append(
        self, ledger: Writing, recorded: Recorded, outcome: str, payload: Document, by: By,
        at: datetime,
    ) -> Act:  # fmt: skip
        """A new entry about a decision, sealed with the same person's key.

        Of the kind that the payload has a member for.
        """
        decision = recorded.entry
        kind = next(kind for kind in ID_PREFIXES if kind in payload)
        payload = {
            "decision_id": decision.decision_id, "decision_hash": decision.hash, **payload,
            "by": asdict(by),
        }  # fmt: skip
        entry = ledger.append(
            ledger.subject_of(decision.subject_ref), payload, kind=kind, decided_at=stamp(at),
            client=decision.client, application_id=decision.application_id,
            decision_id=new_id(ID_PREFIXES[kind], at), product=decision.product, outcome=outcome,
            **NO_EDITIONS,
        )  # fmt: skip
        return entry, payload


def _of_kind(recorded: Recorded, kind: str) -> list[Act]:
    return [act for act in recorded.acts if act[0].kind == kind]


def _review_closed(recorded: Recorded, by: By) -> Document:
    """The review that an override closes, by id and hash.

    Raises:
        ReviewRefused: there is none, or the same person asked for it.
    """
    reviews = _of_kind(recorded, "review")
    if not reviews:
        raise ReviewRefused("no_open_review")
    [(entry, payload)] = reviews
    limits.check_eyes(asked=By(**payload["by"]), decides=by)
    return {"review_id": entry.decision_id, "review_hash": entry.hash}


def _tell_closed(ledger: Writing, override: Act) -> None:
    """Tell the client that its review is closed: by ids, what came of it is asked for."""
    entry, payload = override
    data = {
        "application_id": entry.application_id, "decision_id": payload["decision_id"],
        "review_id": payload["review_id"], "override_id": entry.decision_id,
    }  # fmt: skip
    tell(
        ledger.connection, "review.closed", data, about=entry.decision_id, at=entry.decided_at,
        client=entry.client,
    )  # fmt: skip


def _in_queue(ledger: Reading, act: Act) -> Document:
    """A review with its state and what the machine decided."""
    entry, _ = act
    decision = ledger.find(entry.client, entry.application_id)
    assert decision is not None, "a review follows its decision"
    others = ledger.acts.of(entry)[entry.sequence]
    closed = showing.override_of(others)
    return {
        **showing.of_decision(act, showing.review(*act)),
        "state": "closed" if closed else "open",
        "outcome": decision.outcome,
        **({"final_outcome": closed[0].outcome} if closed else {}),
    }
