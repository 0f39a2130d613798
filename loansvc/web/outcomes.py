"""What became of a loan, and the guarantee fund, over HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response
from marshmallow import ValidationError

from loansvc.application import MOST_YUAN
from loansvc.errors import InvalidOutcome
from loansvc.ledger.commitments import KINDS, Fact
from loansvc.lending import MOST_DAYS, Lending
from loansvc.web.access import client, requires, underwriting
from loansvc.web.fields import Day, Text, Whole, Word
from loansvc.web.problems import answer
from loansvc.web.requests import json_document, query_of
from loansvc.web.schemas import StrictSchema, flat_errors

blueprint = Blueprint("outcomes", __name__)
LONGEST_REFERENCE = 64


class OutcomeSchema(StrictSchema):
    """One dated fact of a loan."""

    reference = Text(longest=LONGEST_REFERENCE, required=True)
    kind = Word(KINDS, required=True)
    on = Day(required=True)
    amount_yuan = Whole(low=0, high=MOST_YUAN)
    days = Whole(low=0, high=MOST_DAYS)
    corrects = Text(longest=LONGEST_REFERENCE)


class RowSchema(OutcomeSchema):
    """One row of many: a fact, and the application whose loan it is of."""

    application_id = Text(longest=LONGEST_REFERENCE, required=True)


_FACT, _ROW = OutcomeSchema(), RowSchema()  # made once: making one costs as much as a report


def fact_of(document: Any) -> Fact:
    """The fact in a document.

    Raises:
        InvalidOutcome: with every field error there is.
    """
    return Fact(**_loaded(_FACT, document))


def row_of(document: Any) -> tuple[str, Fact]:
    """The application and the fact in a row.

    Raises:
        InvalidOutcome: with every field error there is.
    """
    loaded = _loaded(_ROW, document)
    return loaded.pop("application_id"), Fact(**loaded)


def _loaded(schema: StrictSchema, document: Any) -> dict[str, Any]:
    try:
        return dict(schema.load(document))
    except ValidationError as error:
        raise InvalidOutcome(flat_errors(error, "")) from None


class NothingSchema(StrictSchema):
    """An address that takes no query parameters."""


@blueprint.post("/v1/decisions/<application_id>/outcomes")
@requires("outcome")
def record(application_id: str) -> Response:
    """Record what became of a loan: 201 new, 200 the same report again."""
    fact = fact_of(json_document())
    outcome, is_new = Lending(underwriting()).record(application_id, fact, client=client())
    response = answer(outcome.answer(), HTTPStatus.CREATED if is_new else HTTPStatus.OK)
    if not is_new:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@blueprint.get("/v1/decisions/<application_id>/outcomes")
@requires("read")
def outcomes(application_id: str) -> Response:
    """What is recorded of a loan, oldest first, and where it stands."""
    return answer(Lending(underwriting()).outcomes(application_id, client=client()))


@blueprint.get("/v1/fund")
@requires("read")
def fund() -> Response:
    """The guarantee fund at this moment."""
    query_of(NothingSchema)
    return answer(Lending(underwriting()).fund())
