"""Erasures over HTTP. The ID number comes in the body, and goes into no answer and no log."""

from __future__ import annotations

from flask import Blueprint, Response
from marshmallow import ValidationError

from loansvc.errors import InvalidErasure
from loansvc.ledger.erasure import REASONS
from loansvc.privacy import LONGEST_TEXT, Privacy
from loansvc.web.access import caller, requires, underwriting
from loansvc.web.fields import Text, Word
from loansvc.web.problems import answer
from loansvc.web.requests import json_document
from loansvc.web.schemas import StrictSchema, flat_errors

blueprint = Blueprint("privacy", __name__)


class ErasureSchema(StrictSchema):
    """Whom to erase, why, by which paper, and who approved it."""

    id_number = Text(longest=18, form="^[0-9]{17}[0-9X]$", required=True)
    reason = Word(REASONS, required=True)
    reference = Text(longest=LONGEST_TEXT, required=True)
    approver = Text(longest=LONGEST_TEXT, required=True)


@blueprint.post("/v1/erasures")
@requires("admin")
def erase() -> Response:
    """Erase one person, at every client; again, or of nobody known, the same 200."""
    try:
        asked = ErasureSchema().load(json_document())
    except ValidationError as error:
        raise InvalidErasure(flat_errors(error, "")) from None
    key = caller()
    return answer(Privacy(underwriting()).erase(**asked, by=key.holder or key.client))
