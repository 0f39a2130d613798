"""Showing: how what people did about a decision stands in answers, beside the decision."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from loansvc.ledger import Entry
from loansvc.ledger.acts import Act
from loansvc.reviewing.facts import By, Dispute, due_on, open_disputes
from loansvc.reviewing.words import (
    DISPUTE_KINDS,
    DISPUTED,
    OVERRIDE_REASONS,
    REVIEW_REASONS,
    coded,
)
from loansvc.underwriting import Recorded

Document = dict[str, Any]


def shown(recorded: Recorded, *, today: date) -> Document:
    """The decision as it was answered, and beside it what people did about it."""
    return {**recorded.answer(), **members(recorded.acts, today=today)}


def members(acts: Iterable[Act], *, today: date) -> Document:
    """`review`, `override` and `dispute`, those that there are; `dispute` while one is open."""
    by_kind: dict[str, list[Act]] = {}
    for act in acts:
        by_kind.setdefault(act[0].kind, []).append(act)
    found: Document = {}
    if "review" in by_kind:
        state = "closed" if "override" in by_kind else "open"
        found["review"] = {**review(*by_kind["review"][0]), "state": state}
    if "override" in by_kind:
        found["override"] = override(*by_kind["override"][0])
    lodged = open_disputes(said(by_kind.get("dispute", ())))
    if lodged:
        found["dispute"] = _mark(lodged, today)
    return found


def said(acts: Iterable[Act]) -> list[Dispute]:
    """What entries of disputes say."""
    return [Dispute.from_record(payload["dispute"]) for _, payload in acts]


def final_outcome(recorded: Recorded) -> str:
    """A person's outcome where one decided, else the machine's."""
    found = override_of(recorded.acts)
    return found[0].outcome if found else str(recorded.decision["outcome"])


def override_of(acts: Iterable[Act]) -> Act | None:
    """The override among these, if there is one."""
    return next((act for act in acts if act[0].kind == "override"), None)


def by_of(payload: Document) -> By:
    """Who did what a payload records."""
    return By(**payload["by"])


# --- what was said --------------------------------------------------------------------------------


def review(entry: Entry, payload: Document) -> Document:
    """That a person's decision was asked for; who asked stays in the ledger."""
    record = payload["review"]
    return {
        "review_id": entry.decision_id,
        "reference": record["reference"],
        "asked_by": record["asked_by"],
        "reason": coded(record["reason"], REVIEW_REASONS[record["reason"]]),
        **_note(record),
        "asked_at": entry.decided_at,
        "ledger": place(entry),
    }


def override(entry: Entry, payload: Document) -> Document:
    """What a person decided, and the terms of an approval that the rules gave for it."""
    record = payload["override"]
    terms = payload.get("decision")
    return {
        "override_id": entry.decision_id,
        "reference": record["reference"],
        "outcome": record["outcome"],
        "reason": coded(record["reason"], OVERRIDE_REASONS[record["reason"]][1:]),
        **_note(record),
        "decided_at": entry.decided_at,
        **({"terms": {k: v for k, v in terms.items() if k != "outcome"}} if terms else {}),
        "ledger": place(entry),
    }


def dispute(entry: Entry, payload: Document) -> Document:
    """One report about a dispute."""
    found = Dispute.from_record(payload["dispute"])
    lodged = found.kind == "lodged"
    return {
        "dispute_id": entry.decision_id,
        "reference": found.reference,
        "kind": coded(found.kind, DISPUTE_KINDS[found.kind]),
        "about": coded(found.about, DISPUTED[found.about]),
        "on": found.on.isoformat(),
        **({"due_on": due_on(found.on).isoformat()} if lodged else {}),
        "recorded_at": entry.decided_at,
        "ledger": place(entry),
    }


def open_dispute(found: Dispute, *, today: date) -> Document:
    """An objection that waits for its answer, and until when it may."""
    due = due_on(found.on)
    return {
        "about": coded(found.about, DISPUTED[found.about]),
        "lodged_on": found.on.isoformat(),
        "due_on": due.isoformat(),
        "overdue": today > due,
    }


def _mark(lodged: list[Dispute], today: date) -> Document:
    """The mark that a decision carries while its information is disputed."""
    waiting = sorted((open_dispute(one, today=today) for one in lodged), key=_due)
    return {
        "due_on": waiting[0]["due_on"],
        "overdue": waiting[0]["overdue"],
        "open": waiting,
    }


def _due(document: Document) -> str:
    return str(document["due_on"])


def _note(record: Document) -> Document:
    return {"note": record["note"]} if "note" in record else {}


def place(entry: Entry) -> Document:
    """Where an entry stands in the ledger."""
    return {"sequence": entry.sequence, "hash": entry.hash}


def of_decision(act: Act, document: Document) -> Document:
    """The document, the decision that it is about named with it."""
    entry, payload = act
    of = {"application_id": entry.application_id, "product": entry.product}
    return {"decision_id": payload["decision_id"], **of, **document}
