"""Receipts and checkpoints over HTTP."""

from __future__ import annotations

from flask import Blueprint, Response

from loansvc.ledger.receipts import checkpoint_document, receipt
from loansvc.underwriting import stamp
from loansvc.web.access import client, requires, underwriting
from loansvc.web.fields import Pattern
from loansvc.web.problems import answer
from loansvc.web.requests import query_of
from loansvc.web.schemas import StrictSchema

blueprint = Blueprint("receipts", __name__)
SIZE = "[1-9][0-9]{0,17}"
SAYS = "Must be the size of a checkpoint: a whole number of entries."

ReceiptQuerySchema = StrictSchema.from_dict(
    {"from": Pattern(SIZE, SAYS)}, name="ReceiptQuerySchema"
)
CheckpointQuerySchema = StrictSchema.from_dict(
    {"from": Pattern(SIZE, SAYS), "size": Pattern(SIZE, SAYS)}, name="CheckpointQuerySchema"
)


@blueprint.get("/v1/decisions/<application_id>/receipt")
@requires("read")
def get_receipt(application_id: str) -> Response:
    """The proof that this decision is in the ledger that was signed."""
    since = _whole(query_of(ReceiptQuerySchema)["from"])
    root = underwriting()
    at = stamp(root.clock())
    return answer(receipt(root.ledger, application_id, client=client(), at=at, since=since))


@blueprint.get("/v1/checkpoints")
@requires("read")
def get_checkpoint() -> Response:
    """The newest checkpoint, or the one of a size."""
    query = query_of(CheckpointQuerySchema)
    size, since = _whole(query["size"]), _whole(query["from"])
    return answer(checkpoint_document(underwriting().ledger, size=size, since=since))


def _whole(text: str | None) -> int | None:
    return None if text is None else int(text)
