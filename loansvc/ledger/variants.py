"""Variants: how many ways of telling one person's circumstances a client tried within a day.

Who changes a figure and asks again, many times, is measuring the scorecard. Counted are different
sets of what a model may read, not applications: the same again, under whatever id, is no variant.
Kept are keyed marks alone, each client's its own, for a day: a thread of each worker forgets them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, delete, select

from loansvc.application import MODEL_CHARACTERISTICS
from loansvc.errors import ProbingLimit
from loansvc.ledger.prepared import Prepared
from loansvc.ledger.stores import put
from loansvc.ledger.tables import variant
from loansvc.ledger.vault import Vault

KEPT = timedelta(hours=24)
SEEN = Prepared(
    select(variant.c.mark, variant.c.at).where(
        variant.c.client == bindparam("of_client"),
        variant.c.person == bindparam("of_person"),
        variant.c.at >= bindparam("since"),
    )
)
FORGET = delete(variant).where(variant.c.at < bindparam("since"))


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many variants of one person a client may try in a day: unnoticed, and at all."""

    unnoticed: int
    most: int


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of telling a person's circumstances, as marks that tell nothing."""

    client: str
    person: str
    mark: str


def variant_of(vault: Vault, id_number: str, values: Mapping[str, Any], *, client: str) -> Variant:
    """The variant that these characteristics of a person are, for this client."""
    text = orjson.dumps([values[name] for name in MODEL_CHARACTERISTICS]).decode()
    return Variant(
        client,
        _person(vault, client, id_number),
        vault.watch_mark(f"{client}|{id_number}|{text}"),
    )


def is_known(connection: Connection, one: Variant, *, at: datetime, bounds: Bounds) -> bool:
    """Whether the client tried this variant today.

    Raises:
        ProbingLimit: it did not, and tried as many others as it may.
    """
    return one.mark in _not_too_many(connection, one, at, bounds)


def keep(connection: Connection, one: Variant, *, at: datetime, bounds: Bounds) -> bool:
    """Count a variant; whether it is the first that is to be noticed.

    Raises:
        ProbingLimit: it is new, and as many as may be were tried.
    """
    seen = _not_too_many(connection, one, at, bounds)
    if one.mark in seen:
        return False
    row = {"client": one.client, "person": one.person, "mark": one.mark, "at": _seconds(at)}
    put(connection, variant, row)  # a mark of the day before is one of today again
    return len(seen) == bounds.unnoticed


def forget_old(connection: Connection, *, now: datetime) -> None:
    """Forget what was tried more than a day ago; nobody counts it any more."""
    connection.execute(FORGET, {"since": _seconds(now - KEPT)})


def forget(connection: Connection, vault: Vault, id_numbers: Iterable[str]) -> None:
    """Forget what any client tried of these people."""
    clients = connection.execute(select(variant.c.client).distinct()).scalars().all()
    marks = [_person(vault, client, id_number) for client in clients for id_number in id_numbers]
    connection.execute(delete(variant).where(variant.c.person.in_(marks)))


def _person(vault: Vault, client: str, id_number: str) -> str:
    return vault.watch_mark(f"person|{client}|{id_number}")


def _not_too_many(
    connection: Connection, one: Variant, at: datetime, bounds: Bounds
) -> dict[str, str]:
    seen = _seen(connection, one, at)
    if one.mark not in seen and len(seen) >= bounds.most:
        oldest = min(map(float, seen.values()))
        raise ProbingLimit(retry_after_s=round(oldest + KEPT.total_seconds() - at.timestamp()))
    return seen


def _seen(connection: Connection, one: Variant, at: datetime) -> dict[str, str]:
    """The marks of the day, and when each was first tried."""
    asked = {
        "of_client": one.client, "of_person": one.person, "since": _seconds(at - KEPT),
    }  # fmt: skip
    return {row.mark: row.at for row in SEEN.all(connection, asked)}


def _seconds(at: datetime) -> str:
    """A moment as text that sorts by time."""
    return f"{at.timestamp():015.3f}"
