"""Reviews, overrides and disputes over HTTP: what people do about a decision."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, TypeVar

from flask import Blueprint, Response
from marshmallow import Schema, ValidationError

from loansvc.application import MOST_YUAN
from loansvc.errors import InvalidReview
from loansvc.reviewing import By, Dispute, Override, Review, Reviewing
from loansvc.reviewing.limits import LONGEST_NOTE
from loansvc.reviewing.words import (
    ASKED_BY,
    DISPUTE_KINDS,
    DISPUTED,
    OUTCOMES,
    OVERRIDE_REASONS,
    REVIEW_REASONS,
)
from loansvc.web.access import caller, client, requires, underwriting
from loansvc.web.fields import Day, Pattern, Text, Whole, Word
from loansvc.web.problems import answer
from loansvc.web.requests import json_document, query_of
from loansvc.web.schemas import Part, StrictSchema, flat_errors

blueprint = Blueprint("reviews", __name__)
LONGEST_REFERENCE = 64
REVIEW_STATES = ("open", "closed")
Said = TypeVar("Said", Review, Override, Dispute)


class ReviewSchema(StrictSchema):
    """That a person is to decide."""

    reference = Text(longest=LONGEST_REFERENCE, required=True)
    asked_by = Word(tuple(ASKED_BY), required=True)
    reason = Word(tuple(REVIEW_REASONS), required=True)
    note = Text(longest=LONGEST_NOTE)


class OfferedSchema(StrictSchema):
    """What a person offers; what is left out is as it was recorded."""

    amount_yuan = Whole(low=1, high=MOST_YUAN)
    term_months = Whole(low=1, high=360)


class OverrideSchema(StrictSchema):
    """What a person decided."""

    reference = Text(longest=LONGEST_REFERENCE, required=True)
    outcome = Word(OUTCOMES, required=True)
    reason = Word(tuple(OVERRIDE_REASONS), required=True)
    offer = Part(OfferedSchema)
    note = Text(longest=LONGEST_NOTE)


class DisputeSchema(StrictSchema):
    """That an objection was lodged, or how it ended."""

    reference = Text(longest=LONGEST_REFERENCE, required=True)
    kind = Word(tuple(DISPUTE_KINDS), required=True)
    about = Word(tuple(DISPUTED), required=True)
    on = Day(required=True)


class ReviewsQuerySchema(StrictSchema):
    """Filters of the queue of reviews."""

    state = Word(REVIEW_STATES)
    cursor = Pattern("[0-9]{1,18}", "Must be the `next` of an earlier page.")
    limit = Pattern("[1-9][0-9]?|100", "Must be from 1 to 100.")


DEFAULT_ROWS = 20


@blueprint.post("/v1/decisions/<application_id>/reviews")
@requires("review")
def ask(application_id: str) -> Response:
    """Ask for a person's decision: 201 new, 200 the same again."""
    review = said_by(Review, ReviewSchema, json_document())
    return _created(reviewing().ask(application_id, review, by=acting(), client=client()))


@blueprint.post("/v1/decisions/<application_id>/override")
@requires("review")
def override(application_id: str) -> Response:
    """Close the review with a person's decision: 201 new, 200 the same again."""
    said = said_by(Override, OverrideSchema, json_document())
    return _created(reviewing().override(application_id, said, by=acting(), client=client()))


@blueprint.post("/v1/decisions/<application_id>/disputes")
@requires("review")
def dispute(application_id: str) -> Response:
    """Record a fact of a dispute: 201 new, 200 the same again."""
    said = said_by(Dispute, DisputeSchema, json_document())
    return _created(reviewing().dispute(application_id, said, by=acting(), client=client()))


@blueprint.get("/v1/decisions/<application_id>/disputes")
@requires("read")
def disputes(application_id: str) -> Response:
    """What is recorded of disputes about a decision, oldest first."""
    return answer(reviewing().disputes(application_id, client=client()))


@blueprint.get("/v1/reviews")
@requires("read")
def reviews() -> Response:
    """Reviews of this client, newest first, a page at a time."""
    query = query_of(ReviewsQuerySchema)
    found, before = reviewing().queue(
        client=client(),
        limit=int(query["limit"] or DEFAULT_ROWS),
        before=int(query["cursor"]) if query["cursor"] else None,
        state=query["state"],
    )
    return answer(
        {
            "data": found,
            "has_more": before is not None,
            "next": None if before is None else str(before),
        }
    )


def reviewing() -> Reviewing:
    """What people decide, on this service."""
    return Reviewing(underwriting())


def acting() -> By:
    """Whoever holds the key of the request."""
    return By(caller().key_id, caller().holder)


def said_by(kind: type[Said], schema: type[Schema], document: Any) -> Said:
    """What a document says.

    Raises:
        InvalidReview: with every field error there is.
    """
    try:
        data: dict[str, Any] = schema().load(document)
    except ValidationError as error:
        raise InvalidReview(flat_errors(error, "")) from None
    data |= data.pop("offer", None) or {}
    return kind(**data)


def _created(found: tuple[dict[str, Any], bool]) -> Response:
    document, is_new = found
    response = answer(document, HTTPStatus.CREATED if is_new else HTTPStatus.OK)
    if not is_new:
        response.headers["Idempotent-Replayed"] = "true"
    return response


# --- for the contract -----------------------------------------------------------------------------

REVIEW_EXAMPLES = {
    "applicant": {"value": {"reference": "V-1", "asked_by": "applicant",
                            "reason": "no_automated_decision"}},
    "officer": {"value": {"reference": "V-1", "asked_by": "officer", "reason": "referred"}},
}  # fmt: skip
OVERRIDE_EXAMPLES = {
    "approve": {"value": {"reference": "O-1", "outcome": "approve", "reason": "facts_verified",
                          "offer": {"amount_yuan": 80_000}}},
    "decline": {"value": {"reference": "O-1", "outcome": "decline",
                          "reason": "facts_not_confirmed"}},
    "confirm": {"value": {"reference": "O-1", "outcome": "decline", "reason": "confirmed"}},
}  # fmt: skip
DISPUTE_EXAMPLES = {
    "lodged": {"value": {"reference": "X-1", "kind": "lodged", "about": "credit_report",
                         "on": "2026-11-25"}},
    "upheld": {"value": {"reference": "X-2", "kind": "upheld", "about": "credit_report",
                         "on": "2026-12-08"}},
}  # fmt: skip
REVIEW_SAYS = """A person's decision, asked for once; the decision of the machine stays as it is.

`reference` is your own id of it: the same again answers 200. Whoever asks may not be the one who
decides: key and holder are compared."""
OVERRIDE_SAYS = """Closes the open review. An approval has the terms that the recorded editions give
for this amount and term, with what is owed and guaranteed now; `offer` says less or shorter.

Refused with 409: `no_open_review`, `already_overridden`, `reference_reused`, `rules_stand` (a rule
declines it, or leaves no limit), `above_limit`, `over_fund_cap`, `offer_stands`, `loan_drawn`,
`too_old`; with 403: `four_eyes`."""
DISPUTE_SAYS = """An objection to what the decision rests on, then how it ended; one open at a time
about each thing. It is to be answered within 20 days after the day of receipt: `due_on`.

Refused with 409: `already_lodged`, `not_lodged`, `before_application`, `before_lodging`,
`reference_reused`."""
