"""Reviews: the queue, and forms with which people ask for a decision, make one, or object.

The forms send what the API's schemas read, so that both refuse the same. Whose act it is follows
from the key that was signed in with: who asked cannot decide.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Response

from loansvc.errors import InvalidReview, LoanError, ReviewRefused
from loansvc.monitoring.words import OUTCOME_WORDS, PRODUCT_WORDS
from loansvc.reviewing import Dispute, Override, Review
from loansvc.reviewing.words import (
    ASKED_BY,
    DISPUTE_KINDS,
    DISPUTED,
    OUTCOMES,
    OVERRIDE_REASONS,
    REVIEW_REASONS,
)
from loansvc.web.access import client, underwriting
from loansvc.web.api import DEFAULT_ROWS
from loansvc.web.console.form import whole
from loansvc.web.console.frame import asked, blueprint, flaw_text, page, see, sent, signed_in
from loansvc.web.console.telling import summary
from loansvc.web.requests import read_query
from loansvc.web.reviews import (
    REVIEW_STATES,
    DisputeSchema,
    OverrideSchema,
    ReviewSchema,
    ReviewsQuerySchema,
    acting,
    reviewing,
    said_by,
)

OPEN, CLOSED = REVIEW_STATES
STATE_WORDS = {OPEN: ("待审核", "open"), CLOSED: ("已审核", "closed")}
WORDS: dict[str, Any] = {
    "askers": ASKED_BY, "review_reasons": REVIEW_REASONS, "dispute_kinds": DISPUTE_KINDS,
    "disputed": DISPUTED, "outcomes": OUTCOME_WORDS, "products": PRODUCT_WORDS,
    "states": STATE_WORDS,
    "decided": {word: OUTCOME_WORDS[word] for word in OUTCOMES},
    "override_reasons": {code: texts for code, (_, *texts) in OVERRIDE_REASONS.items()},
}  # fmt: skip
OFFER = ("amount_yuan", "term_months")  # whole numbers, together under `offer`


@blueprint.get("/reviews")
@signed_in("read")
def reviews() -> Response:
    """Reviews of this client, newest first, and objections that wait for an answer."""
    filters = {"state": OPEN} | asked(("state", "cursor"))
    wanted = {k: v for k, v in filters.items() if v != "all"}
    query = read_query(ReviewsQuerySchema, wanted)
    before = int(query["cursor"]) if query["cursor"] else None
    found, before = reviewing().queue(
        client=client(), limit=DEFAULT_ROWS, before=before, state=query["state"]
    )
    disputes = reviewing().open_disputes(client=client())
    return page(
        "reviews.html", rows=found, before=before, filters=filters, open_disputes=disputes, **WORDS
    )


@blueprint.route("/decisions/<application_id>/review", methods=["GET", "POST"])
@signed_in("review")
def ask(application_id: str) -> Response:
    """Ask for a person's decision."""

    def record(given: dict[str, Any]) -> None:
        review = said_by(Review, ReviewSchema, given)
        reviewing().ask(application_id, review, by=acting(), client=client())

    fields = ("reference", "asked_by", "reason", "note")
    return _form("review.html", application_id, fields, record, prefix="V")


@blueprint.route("/decisions/<application_id>/override", methods=["GET", "POST"])
@signed_in("review")
def override(application_id: str) -> Response:
    """Decide what a person was asked to decide."""

    def record(given: dict[str, Any]) -> None:
        offer = {name: whole(given.pop(name)) for name in OFFER if name in given}
        said = said_by(Override, OverrideSchema, given | ({"offer": offer} if offer else {}))
        reviewing().override(application_id, said, by=acting(), client=client())

    fields = ("reference", "outcome", "reason", "note", *OFFER)
    return _form("override.html", application_id, fields, record, prefix="O")


@blueprint.route("/decisions/<application_id>/dispute", methods=["GET", "POST"])
@signed_in("review")
def dispute(application_id: str) -> Response:
    """Record that an objection was lodged, or how it ended."""

    def record(given: dict[str, Any]) -> None:
        said = said_by(Dispute, DisputeSchema, given)
        reviewing().dispute(application_id, said, by=acting(), client=client())

    return _form(
        "dispute.html", application_id, ("reference", "kind", "about", "on"), record, prefix="X"
    )


def _form(
    template: str, application_id: str, names: tuple[str, ...],
    record: Callable[[dict[str, Any]], None], *, prefix: str,
) -> Response:  # fmt: skip
    """The form; once sent, the decision with what it recorded, or the form with what is wrong.

    The form carries its reference, so that sending it twice records it once.
    """
    document = reviewing().decision(application_id, client=client())
    given = sent(names)
    refusal: LoanError | None = None
    if given:
        try:
            record(dict(given))
        except (InvalidReview, ReviewRefused) as refused:
            refusal = refused
        else:
            return see("decision", application_id=application_id)
    filled = {"reference": f"{prefix}-{secrets.token_hex(6)}"} | given
    return page(
        template, refusal.status if refusal else HTTPStatus.OK, decision=document, given=filled,
        summary=summary(document), refusal=refusal, flaws=_flaws(refusal, document),
        names=names, today=underwriting().today().isoformat(), **WORDS,
    )  # fmt: skip


def _flaws(refusal: LoanError | None, document: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """What is wrong with each field, by its name, in Chinese and English."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    if refusal and refusal.errors:
        policy = underwriting().registry.recorded_one(document["editions"]["policy"]).content
        rules = {rule.id: rule.zh for rule in policy.rules}
        for error in refusal.errors:
            zh = f"规则不予批准：{rules[error.code]}。" if error.code in rules else ""
            name = error.pointer.rpartition("/")[2]
            found[name].append((zh or flaw_text(error.code, error.detail), error.detail))
    return found
