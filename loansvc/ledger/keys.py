"""Client keys: `lsk_<key id>_<secret>`, the secret kept only as a digest.

A key belongs to one client and carries scopes. The secret has 256 random bits, so that a plain
digest is enough to keep: there is nothing to guess.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from loansvc.errors import NotFound, SetupRefused
from loansvc.ledger import Ledger
from loansvc.ledger.chain import sha256
from loansvc.ledger.tables import client_key

SCOPES = ("decide", "read", "review", "outcome", "admin")
_TOKEN = re.compile(r"lsk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A key as it is kept: everything but the secret.

    `holder` is the person who has it, "" where a program does.
    """

    key_id: str
    client: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    holder: str = ""

    def usable_at(self, now: datetime) -> bool:
        """Whether it opens anything at that moment."""
        return now < self.expires_at and self.revoked_at is None


def create(
    ledger: Ledger,
    *,
    client: str,
    scopes: tuple[str, ...],
    now: datetime,
    expires_at: datetime,
    holder: str = "",
) -> tuple[ClientKey, str]:
    """A new key and its token, which is shown this once.

    Raises:
        SetupRefused: the client's name or a scope is not fit.
    """
    if not _CLIENT.fullmatch(client):
        raise SetupRefused("A client is named with 1 to 64 of A-Z a-z 0-9 . _ - (letter first).")
    if not scopes or set(scopes) - set(SCOPES):
        raise SetupRefused(f"Scopes are {', '.join(SCOPES)}; give one at least.")
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = ClientKey(key_id, client, scopes, now, expires_at, None, holder)
    with ledger.transaction() as connection:
        connection.execute(
            insert(client_key).values(
                key_id=key_id,
                client=client,
                secret_digest=sha256(secret.encode()),
                scopes=" ".join(scopes),
                created_at=now.isoformat(),
                expires_at=expires_at.isoformat(),
                holder=holder,
            )
        )
    return key, f"lsk_{key_id}_{secret}"


def find(ledger: Ledger, token: str, *, now: datetime) -> ClientKey | None:
    """The usable key that this token opens, or None."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    with ledger.snapshot() as connection:
        row = connection.execute(select(client_key).where(client_key.c.key_id == match[1])).first()
    digest = sha256(match[2].encode())
    # Compare even for an unknown id, so that time does not tell whether an id exists.
    fits = hmac.compare_digest(digest, row.secret_digest if row else sha256(b""))
    if row is None or not fits:
        return None
    key = _key(row)
    return key if key.usable_at(now) else None


def listed(ledger: Ledger) -> list[ClientKey]:
    """Every key, oldest first."""
    with ledger.snapshot() as connection:
        return [
            _key(r)
            for r in connection.execute(select(client_key).order_by(client_key.c.created_at))
        ]


def revoke(ledger: Ledger, key_id: str, *, now: datetime) -> None:
    """Make a key useless from now on, in every worker.

    Raises:
        NotFound: there is no such key.
    """
    with ledger.transaction() as connection:
        found = connection.execute(
            update(client_key)
            .where(client_key.c.key_id == key_id, client_key.c.revoked_at.is_(None))
            .values(revoked_at=now.isoformat())
        )
        if found.rowcount == 0:
            raise NotFound("There is no such key in use. See: loansvc keys list")


def _key(row: object) -> ClientKey:
    value = row._mapping  # type: ignore[attr-defined]  # a Row of `client_key`
    revoked = value["revoked_at"]
    return ClientKey(
        key_id=value["key_id"],
        client=value["client"],
        scopes=tuple(value["scopes"].split()),
        created_at=datetime.fromisoformat(value["created_at"]),
        expires_at=datetime.fromisoformat(value["expires_at"]),
        revoked_at=datetime.fromisoformat(revoked) if revoked else None,
        holder=value["holder"],
    )
