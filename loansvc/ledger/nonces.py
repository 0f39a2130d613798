"""Nonces: what is taken once and never again, kept until it would be refused for its age anyway.

Clients put them into signatures; a session of the console is one from the moment it is ended.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from loansvc.ledger import Ledger
from loansvc.ledger.tables import nonce

FORGET = delete(nonce).where(nonce.c.expires_at < bindparam("now"))
# The database decides who was first, among threads, workers and machines. A row comes back if it
# is new: how many rows an INSERT made is not told by every driver.
KEEP = {
    "sqlite": sqlite.insert(nonce).on_conflict_do_nothing().returning(nonce.c.nonce),
    "postgresql": postgresql.insert(nonce).on_conflict_do_nothing().returning(nonce.c.nonce),
}
KNOWN = select(nonce.c.nonce).where(
    nonce.c.key_id == bindparam("of_key"), nonce.c.nonce == bindparam("of_nonce")
)


def is_known(ledger: Ledger, key_id: str, value: str) -> bool:
    """Whether this key used that nonce before, as far as it is kept."""
    with ledger.snapshot() as connection:
        found = connection.execute(KNOWN, {"of_key": key_id, "of_nonce": value})
        return found.first() is not None


def is_new(ledger: Ledger, key_id: str, value: str, *, now: datetime, expires_at: datetime) -> bool:
    """Whether this key did not use that nonce before; from now on it has, until it expires."""
    with ledger.fleeting() as connection:
        connection.execute(FORGET, {"now": _seconds(now)})
        kept = connection.execute(
            KEEP[connection.dialect.name],
            {"key_id": key_id, "nonce": value, "expires_at": _seconds(expires_at)},
        )
        return kept.first() is not None


def _seconds(at: datetime) -> str:
    """A moment as text that sorts by time."""
    return f"{at.timestamp():015.3f}"
