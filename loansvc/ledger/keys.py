"""Client keys: who may call and what they may do. Every act on one is an entry of the ledger.

A key is a secret, `lsk_<key id>_<secret>`, kept only as a digest (256 random bits: there is nothing
to guess), or a public key whose other half the client signs its requests with. It belongs to one
client and carries scopes. Two keys of the same client, holder and scopes may be in use at once, so
that one can take the other's place.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import Connection, bindparam, insert, select, update

from loansvc.errors import NotFound, SetupRefused
from loansvc.ledger import Ledger, Writing
from loansvc.ledger.administration import note
from loansvc.ledger.chain import sha256
from loansvc.ledger.prepared import Prepared
from loansvc.ledger.tables import client_key

ALGORITHMS = ("ed25519", "ecdsa-p256-sha256")  # as RFC 9421 names them
MOST_ACTIVE = 2  # of one client, holder and scopes: the second is there to replace the first
LONGEST_HOLDER = 64
KNOWN_S = 1.0  # of the 5 s within which a revoked key is refused everywhere
MOST_KNOWN = 1000
SCOPES = ("decide", "read", "review", "outcome", "admin")
_TOKEN = re.compile(r"lsk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
FIND = Prepared(select(client_key).where(client_key.c.key_id == bindparam("id")))


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A key as it is kept: everything but the secret.

    `holder` is the person who has it, "" where a program does. `algorithm` and `public_key` (PEM)
    are of a key that signs; such a key has no secret.
    """

    key_id: str
    client: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    holder: str = ""
    algorithm: str = ""
    public_key: str = ""

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
    algorithm: str = "",
    public_key: str = "",
    by: str = "",
) -> tuple[ClientKey, str]:
    """A new key and its token, which is shown this once; of a key that signs, its id.

    Raises:
        SetupRefused: a name, a scope or the public key is not fit, or two keys are in use already.
    """
    if not is_client(client):
        raise SetupRefused("A client is named with 1 to 64 of A-Z a-z 0-9 . _ - (letter first).")
    if not scopes or set(scopes) - set(SCOPES):
        raise SetupRefused(f"Scopes are {', '.join(SCOPES)}; give one at least.")
    if len(holder) > LONGEST_HOLDER or not (holder.isprintable() and holder == holder.strip()):
        raise SetupRefused(f"A holder is a name of at most {LONGEST_HOLDER} characters: --holder")
    _check_public(algorithm, public_key)
    key, secret = _drawn(client, scopes, now, expires_at, holder, algorithm, public_key)
    with ledger.writing() as writing:
        _enter(writing, key, secret, now)
        note(
            writing, "key_created", at=now.isoformat(timespec="milliseconds"),
            entry_id=f"adm_{key.key_id}_created", by=by, client=client, key_id=key.key_id,
            holder=holder, scopes=list(scopes), expires_at=expires_at.isoformat(),
            algorithm=algorithm,
        )  # fmt: skip
    return key, _token(key, secret)


def rotate(
    ledger: Ledger,
    key_id: str,
    *,
    now: datetime,
    overlap: timedelta,
    expires_at: datetime,
    public_key: str = "",
    by: str = "",
) -> tuple[ClientKey, str]:
    """The successor of a key, for the same client, holder and scopes, and its token.

    The old key stays usable for `overlap`, or until it expires anyway.

    Raises:
        NotFound: there is no such key in use.
        SetupRefused: it has a successor already, or the public key does not fit.
    """
    with ledger.writing() as writing:
        old = _found(writing.connection, key_id)
        if old is None or not old.usable_at(now):
            raise NotFound("There is no such key in use. See: loansvc keys list")
        _check_public(old.algorithm, public_key)
        if public_key and public_key.strip() == old.public_key:
            raise SetupRefused("This is the key that is to be replaced. Give the new one.")
        key, secret = _drawn(
            old.client, old.scopes, now, expires_at, old.holder, old.algorithm, public_key
        )
        _enter(writing, key, secret, now)
        until = min(old.expires_at, now + overlap)
        writing.connection.execute(
            update(client_key)
            .where(client_key.c.key_id == key_id)
            .values(expires_at=until.isoformat())
        )
        note(
            writing, "key_rotated", at=now.isoformat(timespec="milliseconds"),
            entry_id=f"adm_{key.key_id}_rotated", by=by, client=key.client, key_id=key.key_id,
            holder=key.holder, scopes=list(key.scopes), expires_at=expires_at.isoformat(),
            replaces=key_id, replaced_until=until.isoformat(),
        )  # fmt: skip
    return key, _token(key, secret)


def _check_public(algorithm: str, public_key: str) -> None:
    if (algorithm or public_key) and not _fits(algorithm, public_key):
        raise SetupRefused(
            "This is no public key of that algorithm. Give a PEM file that begins with "
            f"-----BEGIN PUBLIC KEY-----, and --algorithm {' or '.join(ALGORITHMS)}"
        )


def _fits(algorithm: str, public_key: str) -> bool:
    try:
        key = load_pem_public_key(public_key.encode())
    except (ValueError, UnsupportedAlgorithm):  # also of what is no PEM, and of a private key
        return False
    if algorithm == "ed25519":
        return isinstance(key, Ed25519PublicKey)
    of_curve = isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    return algorithm in ALGORITHMS and of_curve


def _drawn(
    client: str, scopes: tuple[str, ...], now: datetime, expires_at: datetime, holder: str,
    algorithm: str, public_key: str,
) -> tuple[ClientKey, str]:  # fmt: skip
    """A key that nobody has yet, and its secret: none for a key that signs."""
    key_id = secrets.token_hex(6)
    key = ClientKey(
        key_id, client, scopes, now, expires_at, None, holder, algorithm, public_key.strip()
    )
    return key, "" if algorithm else secrets.token_urlsafe(32)


def _token(key: ClientKey, secret: str) -> str:
    return f"lsk_{key.key_id}_{secret}" if secret else key.key_id


def _enter(writing: Writing, key: ClientKey, secret: str, now: datetime) -> None:
    """Keep a new key, unless as many as may be are in use for the same purpose."""
    same = select(client_key).where(
        client_key.c.client == key.client, client_key.c.holder == key.holder
    )
    others = [_key(row) for row in writing.connection.execute(same)]
    of_purpose = [k for k in others if k.usable_at(now) and set(k.scopes) == set(key.scopes)]
    if len(of_purpose) >= MOST_ACTIVE:
        raise SetupRefused(
            f"{MOST_ACTIVE} keys of this client, holder and scopes are in use already: "
            f"{', '.join(k.key_id for k in of_purpose)}. Revoke one first: "
            "loansvc keys revoke KEY_ID"
        )
    writing.connection.execute(
        insert(client_key).values(
            key_id=key.key_id,
            client=key.client,
            secret_digest=sha256(secret.encode()) if secret else "",  # no digest equals ""
            scopes=" ".join(key.scopes),
            created_at=key.created_at.isoformat(),
            expires_at=key.expires_at.isoformat(),
            holder=key.holder,
            algorithm=key.algorithm,
            public_key=key.public_key,
        )
    )


class Known:
    """Keys that opened something a moment ago, so that not every request asks the ledger.

    A key that is revoked meanwhile is refused once that moment is over, in every worker.
    """

    def __init__(self, ledger: Ledger, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._clock = clock
        self._found: dict[str, tuple[ClientKey, float]] = {}  # by digest: no token is kept

    def find(self, token: str, *, now: datetime) -> ClientKey | None:
        """The usable key that this token opens, or None."""
        digest = sha256(token.encode())
        key, until = self._found.get(digest, (None, 0.0))
        if key is None or self._clock() >= until:
            asked_at = self._clock()
            key = find(self._ledger, token, now=now)
            if len(self._found) >= MOST_KNOWN:
                self._found.clear()
            if key is not None:
                self._found[digest] = key, asked_at + KNOWN_S
        return key if key is not None and key.usable_at(now) else None


def find(ledger: Ledger, token: str, *, now: datetime) -> ClientKey | None:
    """The usable key that this token opens, or None."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    with ledger.snapshot() as connection:
        row = FIND.first(connection, {"id": match[1]})
    digest = sha256(match[2].encode())
    # Compare even for an unknown id, so that time does not tell whether an id exists.
    fits = hmac.compare_digest(digest, row.secret_digest if row else sha256(b""))
    if row is None or not fits:
        return None
    key = _key(row)
    return key if key.usable_at(now) else None


def is_client(name: str) -> bool:
    """Whether a client may be called so."""
    return _CLIENT.fullmatch(name) is not None


def is_token(text: str) -> bool:
    """Whether a text has the form of a token, whatever it opens."""
    return _TOKEN.fullmatch(text) is not None


def signing(ledger: Ledger, key_id: str, *, now: datetime) -> ClientKey | None:
    """The usable key of that id that signs, or None."""
    with ledger.snapshot() as connection:
        key = _found(connection, key_id)
    return key if key and key.algorithm and key.usable_at(now) else None


def with_secret(ledger: Ledger, key_id: str, *, now: datetime) -> ClientKey | None:
    """The usable key of that id that has a secret, or None."""
    with ledger.snapshot() as connection:
        key = _found(connection, key_id)
    return key if key and not key.algorithm and key.usable_at(now) else None


def _found(connection: Connection, key_id: str) -> ClientKey | None:
    row = FIND.first(connection, {"id": key_id})
    return _key(row) if row else None


def listed(ledger: Ledger) -> list[ClientKey]:
    """Every key, oldest first."""
    with ledger.snapshot() as connection:
        return [
            _key(r)
            for r in connection.execute(select(client_key).order_by(client_key.c.created_at))
        ]


def revoke(ledger: Ledger, key_id: str, *, now: datetime, by: str = "") -> None:
    """Make a key useless from now on, in every worker.

    Raises:
        NotFound: there is no such key.
    """
    with ledger.writing() as writing:
        key = _found(writing.connection, key_id)
        if key is None or key.revoked_at is not None:
            raise NotFound("There is no such key in use. See: loansvc keys list")
        writing.connection.execute(
            update(client_key)
            .where(client_key.c.key_id == key_id)
            .values(revoked_at=now.isoformat())
        )
        note(
            writing, "key_revoked", at=now.isoformat(timespec="milliseconds"),
            entry_id=f"adm_{key_id}_revoked", by=by, client=key.client, key_id=key_id,
            holder=key.holder,
        )  # fmt: skip


def _key(row: Any) -> ClientKey:
    return ClientKey(
        key_id=row.key_id,
        client=row.client,
        scopes=tuple(row.scopes.split()),
        created_at=datetime.fromisoformat(row.created_at),
        expires_at=datetime.fromisoformat(row.expires_at),
        revoked_at=datetime.fromisoformat(row.revoked_at) if row.revoked_at else None,
        holder=row.holder,
        algorithm=row.algorithm,
        public_key=row.public_key,
    )
