"""Outbox: what clients are told of, put down in the transaction that makes it so.

A message holds ids alone: whoever gets it asks the service what became of them, with a key. Its own
id follows from what it tells of, so that it is the same however often it is sent. There is a row
for each endpoint that listens, until some days after its end.

    waiting   to be sent when it is due; a worker that sends it holds a lease
    sent      the receiver took it
    failed    given up; it waits again when an operator says so
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, update

from loansvc.ledger.stores import put_new
from loansvc.ledger.tables import endpoint, outbox

EVENTS = ("review.closed", "batch.finished", "edition.published")
LEASE_MS = 60_000  # an attempt takes 15 s, and the resolver of names up to 30 s before it
LONGEST_WAIT_MS = 27 * 3_600_000  # above the last of webhooks.SCHEDULE_S with its jitter
_E, _O = endpoint.c, outbox.c
_IN_USE = _E.disabled_at == ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to one endpoint; `answer`: what came of the last attempt, "" before the first."""

    message_id: str
    endpoint_id: str
    body: str
    state: str
    due: int
    attempts: int
    answer: str
    ended_at: str
    leased_by: str = ""

    @property
    def event(self) -> str:
        """What it tells of: one of EVENTS."""
        return str(json.loads(self.body)["type"])

    @property
    def told_at(self) -> datetime:
        """When that was."""
        return datetime.fromisoformat(json.loads(self.body)["timestamp"])


def body_of(event: str, data: Mapping[str, str], *, at: str) -> str:
    """The bytes that are signed and sent, as text; every attempt sends the same.

    >>> body_of("batch.finished", {"batch_id": "B-1"}, at="2026-11-23T12:00:00.000+08:00")
    '{"type":"batch.finished","timestamp":"2026-11-23T12:00:00.000+08:00","data":{"batch_id":"B-1"}}'
    """
    document = {"type": event, "timestamp": at, "data": dict(data)}
    return json.dumps(document, separators=(",", ":"))


def tell(
    connection: Connection, event: str, data: Mapping[str, str], *, about: str, at: str,
    client: str | None = None,
) -> int:  # fmt: skip
    """Put a message down for every endpoint in use that listens to it; how many those are.

    `about`: the id of what it tells of, which is told once. `client` None: to every client.
    """
    assert event in EVENTS
    wanted = [_IN_USE] if client is None else [_IN_USE, _E.client == client]
    found = connection.execute(select(_E.endpoint_id, _E.events).where(*wanted)).all()
    rows = [
        {
            "message_id": f"msg_{about}", "endpoint_id": one.endpoint_id,
            "body": body_of(event, data, at=at), "state": "waiting", "due": 0, "attempts": 0,
            "answer": "", "ended_at": "", "leased_by": "", "leased_until": 0,
        }
        for one in found if event in one.events.split()
    ]  # fmt: skip
    return put_new(connection, outbox, rows) if rows else 0


# --- being sent -----------------------------------------------------------------------------------


def due_endpoints(connection: Connection, *, at: int) -> list[str]:
    """The endpoints in use for which a message is due that nobody holds; longest due first."""
    query = select(_O.endpoint_id).join(endpoint, _E.endpoint_id == _O.endpoint_id)
    query = query.where(_IN_USE, *_is_due(at)).group_by(_O.endpoint_id)
    return list(connection.execute(query.order_by(func.min(_O.due), _O.endpoint_id)).scalars())


def lease_next(connection: Connection, endpoint_id: str, by: str, *, at: int) -> Message | None:
    """Let a worker hold the message for an endpoint that is due longest; None where none is.

    Within a write transaction: no two workers are given the same one.
    """
    first = select(*_columns()).where(_O.endpoint_id == endpoint_id, *_is_due(at))
    row = connection.execute(first.order_by(_O.due, _O.message_id).limit(1)).first()
    if row is None:
        return None
    message = replace(Message(*row), leased_by=by)
    connection.execute(
        update(outbox).where(*_is(message)).values(leased_by=by, leased_until=at + LEASE_MS)
    )
    return message


def _is_due(at: int) -> tuple[ColumnElement[bool], ...]:
    """Due, and held by nobody. Of a moment further off than any may be, a clock was set back."""
    return (
        _O.state == "waiting",
        or_(_O.due <= at, _O.due > at + LONGEST_WAIT_MS),
        or_(_O.leased_by == "", _O.leased_until <= at, _O.leased_until > at + LEASE_MS),
    )


def end_sent(connection: Connection, one: Message, answer: str, *, at: str) -> None:
    """The receiver took it: so it is, whatever others did with the message meanwhile."""
    _change(connection, one, state="sent", answer=answer, ended_at=at)


def end_failed(connection: Connection, one: Message, answer: str, *, at: str) -> None:
    """The last attempt failed; nothing changes if another worker holds the message by now."""
    _change(connection, one, _is_held(one), state="failed", answer=answer, ended_at=at)


def put_off(connection: Connection, one: Message, answer: str, *, due: int) -> None:
    """An attempt failed, and another is due at that moment; likewise."""
    _change(connection, one, _is_held(one), answer=answer, due=due)


def give_up(connection: Connection, endpoint_id: str, answer: str, *, at: str) -> None:
    """Everything that waits for an endpoint has failed: it wants no more."""
    waiting = update(outbox).where(_O.endpoint_id == endpoint_id, _O.state == "waiting")
    connection.execute(waiting.values(state="failed", answer=answer, ended_at=at, leased_by=""))


# --- looking after --------------------------------------------------------------------------------


def listed(connection: Connection, state: str) -> list[Message]:
    """The messages in a state, oldest first."""
    query = select(*_columns()).where(_O.state == state)
    found = connection.execute(query.order_by(_O.ended_at, _O.message_id, _O.endpoint_id))
    return [Message(*row) for row in found]


def retry(connection: Connection, endpoint_id: str, message_id: str | None = None) -> int:
    """Let what was given up for an endpoint, or one message of it, wait again; how many."""
    again = update(outbox).where(_O.endpoint_id == endpoint_id, _O.state == "failed")
    if message_id is not None:
        again = again.where(_O.message_id == message_id)
    return connection.execute(
        again.values(state="waiting", due=0, attempts=0, ended_at="")
    ).rowcount


def counted(connection: Connection) -> dict[tuple[str, str], int]:
    """How many messages there are, by endpoint and state."""
    query = select(_O.endpoint_id, _O.state, func.count()).group_by(_O.endpoint_id, _O.state)
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def tidy(connection: Connection, *, ended_before: str) -> int:
    """Delete what ended before that time; how many those were."""
    over = delete(outbox).where(_O.state.in_(("sent", "failed")), _O.ended_at < ended_before)
    return connection.execute(over).rowcount


def drop(connection: Connection, endpoint_id: str) -> None:
    """Delete every message for an endpoint."""
    connection.execute(delete(outbox).where(_O.endpoint_id == endpoint_id))


def _columns() -> list[Any]:
    return [_O[field.name] for field in fields(Message)]


def _is(one: Message) -> tuple[ColumnElement[bool], ...]:
    return _O.message_id == one.message_id, _O.endpoint_id == one.endpoint_id


def _is_held(one: Message) -> ColumnElement[bool]:
    return _O.leased_by == one.leased_by


def _change(
    connection: Connection, one: Message, *only_if: ColumnElement[bool], **values: Any
) -> None:
    """What came of an attempt; nobody holds the message then."""
    change = update(outbox).where(*_is(one), *only_if)
    connection.execute(change.values(attempts=_O.attempts + 1, leased_by="", **values))
