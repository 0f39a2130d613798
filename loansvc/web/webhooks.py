"""Webhooks in the contract: what an endpoint of a client is sent, and what it answers."""

from __future__ import annotations

import json
from typing import Any

from loansvc.application import PRODUCTS
from loansvc.editions import COUNTY, EVERY_KIND
from loansvc.ledger.outbox import body_of
from loansvc.web.answers import DAY, INSTANT, TEXT, Schema

SAYS = """Sent by `loansvc worker` to the endpoints of a client, as Standard Webhooks 1.0.0 says.

It holds ids alone: ask for what became of them with a key. Check the signature over the bytes as
they came, before they are read. The same message may come more than once, under the same
`webhook-id`, and messages may come in any order. Answer 2xx within 15 s once it is on disk;
anything else is tried again for three days. 410 ends all messages to the endpoint."""
ABOUT: dict[str, tuple[str, str, dict[str, Schema]]] = {
    "review.closed": (
        "reviewClosed",
        "A person has decided: see GET /v1/decisions/{application_id}",
        dict.fromkeys(("application_id", "decision_id", "review_id", "override_id"), TEXT),
    ),
    "batch.finished": (
        "batchFinished",
        "No row waits any more, done or cancelled: see GET /v1/batches/{batch_id}",
        {"batch_id": TEXT},
    ),
    "edition.published": (
        "editionPublished",
        "An edition decides from a day on: see GET /v1/editions/{digest}",
        {
            "kind": {"type": "string", "enum": list(EVERY_KIND)},
            "product": {"type": "string", "enum": [*PRODUCTS, COUNTY]},
            "valid_from": DAY,
            "digest": TEXT,
        },
    ),
}
EXAMPLES: dict[str, dict[str, str]] = {
    "review.closed": {
        "application_id": "BANK-20261123-000017",
        "decision_id": "dec_019aaf2c-5b7c-7c54-8a3e-0d1f6c2b9e41",
        "review_id": "rev_019aaf2d-0000-7000-8000-000000000000",
        "override_id": "ovr_019aaf2e-0000-7000-8000-000000000000",
    },
    "batch.finished": {"batch_id": "B-1"},
    "edition.published": {
        "kind": "policy", "product": "credit_loan", "valid_from": "2027-01-01",
        "digest": "sha256:" + "0" * 64,
    },
}  # fmt: skip
HEADERS = {
    "webhook-id": (TEXT, "The message's id: the same however often it is sent."),
    "webhook-timestamp": ({"type": "integer"}, "When this attempt was made, seconds since 1970."),
    "webhook-signature": (
        TEXT, "`v1,` and the BASE64 of HMAC-SHA256 over id, timestamp and body, joined by full "
        "stops; one for each secret in use, separated by spaces.",
    ),
}  # fmt: skip


def webhooks() -> dict[str, Any]:
    """The `webhooks` of the contract, by event."""
    return {event: {"post": _operation(event)} for event in ABOUT}


def _operation(event: str) -> dict[str, Any]:
    name, says, data = ABOUT[event]
    example = json.loads(body_of(event, EXAMPLES[event], at="2026-11-23T09:31:07.412+08:00"))
    content = {"schema": _message(event, data), "example": example}
    parameters = [
        {"name": name, "in": "header", "required": True, "schema": schema, "description": text}
        for name, (schema, text) in HEADERS.items()
    ]
    return {
        "operationId": name, "tags": ["Webhooks"], "summary": says, "description": SAYS,
        "security": [], "parameters": parameters,
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "2XX": {"description": "Taken."},
            "410": {"description": "Send nothing more here."},
        },
    }  # fmt: skip


def _message(event: str, data: dict[str, Schema]) -> Schema:
    return _closed(
        {"type": {"type": "string", "const": event}, "timestamp": INSTANT, "data": _closed(data)}
    )


def _closed(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object", "properties": properties, "required": list(properties),
        "additionalProperties": False,
    }  # fmt: skip
