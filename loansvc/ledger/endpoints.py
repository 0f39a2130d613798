"""Endpoints: where clients want to be told what happened, and the secrets that sign it.

Operators add them, never clients. Every act on one is an entry of the ledger. A secret is 256
random bits, shown once and kept wrapped under an outer key. Two of one endpoint sign at once while
the second takes the place of the first.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from loansvc.errors import NotFound, SetupRefused
from loansvc.identifiers import holds_personal_number
from loansvc.ledger import Ledger, Reading, Writing, outbox
from loansvc.ledger.administration import note
from loansvc.ledger.ciphers import KEY_BYTES
from loansvc.ledger.keys import is_client
from loansvc.ledger.outbox import EVENTS
from loansvc.ledger.tables import endpoint, endpoint_secret
from loansvc.ledger.vault import Vault

PREFIX = "whsec_"  # how Standard Webhooks writes a secret that is shared
LONGEST_URL = 500
MOST_SECRETS = 2
_E, _S = endpoint.c, endpoint_secret.c
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a client is told of some events; `disabled_at` is "" while it is in use."""

    endpoint_id: str
    client: str
    url: str
    events: tuple[str, ...]
    added_at: str
    disabled_at: str


def add(
    ledger: Ledger, *, client: str, url: str, events: Sequence[str], now: datetime, entry_id: str,
    by: str,
) -> tuple[Endpoint, str]:  # fmt: skip
    """A new endpoint and its secret, which is shown this once.

    `by` does it now; here and below, `entry_id` (adm_…) is of the entry that says so.

    Raises:
        SetupRefused: a name, an event or the URL is not fit, or the client has that URL already.
    """
    if not is_client(client):
        raise SetupRefused("A client is named with 1 to 64 of A-Z a-z 0-9 . _ - (letter first).")
    if not events or set(events) - set(EVENTS):
        raise SetupRefused(f"Events are {', '.join(EVENTS)}; give one at least.")
    check_url(url)
    made = Endpoint(f"whe_{secrets.token_hex(6)}", client, url, tuple(events), _stamp(now), "")
    with ledger.writing() as writing:
        same = select(_E.endpoint_id).where(_E.client == client, _E.url == url)
        known = writing.connection.execute(same).scalar()
        if known is not None:
            raise SetupRefused(
                f"{client} is told there already: endpoint {known}. To change its events, remove "
                f"it first: loansvc webhooks remove {known}"
            )
        row = {name: getattr(made, name) for name in Endpoint.__slots__}
        writing.connection.execute(insert(endpoint), {**row, "events": " ".join(made.events)})
        secret = _new_secret(writing, made.endpoint_id, number=1)
        _note(writing, "webhook_added", made, now, entry_id, by, url=url, events=list(made.events))
    return made, secret


def check_url(url: str) -> None:
    """Refuse a URL that no message is to be sent to.

    Addresses of a private network are allowed: banks are reached over lines of their own, and URLs
    come from operators alone. https says who is there; without it only this machine is taken.

    Raises:
        SetupRefused: it is not fit; says why.
    """
    if not _VISIBLE.fullmatch(url) or len(url) > LONGEST_URL:
        raise SetupRefused(f"A URL has at most {LONGEST_URL} visible ASCII characters.")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        host.encode("idna")  # as the resolver will: no label is empty or too long
    except ValueError:
        raise SetupRefused("This is no URL. Give one like https://bank.example.cn/hooks") from None
    if parts.scheme not in ("https", "http") or not host or port == 0 or parts.fragment:
        raise SetupRefused("This is no URL to send to. Give one like https://bank.example.cn/hooks")
    if parts.username is not None or parts.password is not None:
        raise SetupRefused(
            "A URL with a name or password in it is not taken: URLs are listed. Receivers know us "
            "by the signature."
        )
    if holds_personal_number(url):
        raise SetupRefused("The URL holds what looks like an ID or phone number. Name another.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise SetupRefused("Without TLS only this machine is told: give an https URL.")
    if _is_nobody(host):
        raise SetupRefused(
            "At this address is no receiver: it is link-local, or of many. Check it."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_nobody(host: str) -> bool:
    """Link-local addresses answer with a machine's own secrets in many clouds."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_link_local or address.is_multicast or address.is_unspecified


def rotate(
    ledger: Ledger, endpoint_id: str, *, overlap: timedelta, now: datetime, entry_id: str, by: str
) -> str:
    """The new secret of an endpoint; the one before signs too for `overlap`.

    Raises:
        NotFound: there is no such endpoint.
        SetupRefused: as many secrets as may sign already.
    """
    with ledger.writing() as writing:
        one = _found(writing, endpoint_id)
        in_use = _secrets(writing.connection, endpoint_id, now=now)
        if len(in_use) >= MOST_SECRETS and overlap:
            raise SetupRefused(
                f"The secret before this one signs until {in_use[-1].expires_at}. Wait, or let "
                "both end now: --overlap-hours 0"
            )
        until = _stamp(now + overlap)
        former = update(endpoint_secret).where(_S.endpoint_id == endpoint_id)
        still = or_(_S.expires_at == "", _S.expires_at > until)
        writing.connection.execute(former.where(still).values(expires_at=until))
        secret = _new_secret(writing, endpoint_id, number=in_use[0].number + 1)
        _note(writing, "webhook_rotated", one, now, entry_id, by, replaced_until=until)
    return secret


def remove(ledger: Ledger, endpoint_id: str, *, now: datetime, entry_id: str, by: str) -> None:
    """Forget an endpoint, its secrets, and its messages, sent or not.

    Raises:
        NotFound
    """
    with ledger.writing() as writing:
        one = _found(writing, endpoint_id)
        outbox.drop(writing.connection, endpoint_id)
        for table in (endpoint_secret, endpoint):
            writing.connection.execute(delete(table).where(table.c.endpoint_id == endpoint_id))
        _note(writing, "webhook_removed", one, now, entry_id, by, url=one.url)


def enable(ledger: Ledger, endpoint_id: str, *, now: datetime, entry_id: str, by: str) -> None:
    """Use an endpoint again that was disabled; what was not told meanwhile never is.

    Raises:
        NotFound
        SetupRefused: it is in use.
    """
    with ledger.writing() as writing:
        one = _found(writing, endpoint_id)
        if not one.disabled_at:
            raise SetupRefused(f"{endpoint_id} is in use. There is nothing to do.")
        _set_disabled(writing, endpoint_id, "")
        _note(writing, "webhook_enabled", one, now, entry_id, by)


def disable(
    writing: Writing, endpoint_id: str, answer: str, *, now: datetime, entry_id: str, by: str
) -> None:
    """Tell an endpoint nothing more, as its receiver asked; what waits for it has failed."""
    one = find(writing.connection, endpoint_id)
    if one is None or one.disabled_at:
        return
    _set_disabled(writing, endpoint_id, _stamp(now))
    outbox.give_up(writing.connection, endpoint_id, answer, at=_stamp(now))
    _note(writing, "webhook_disabled", one, now, entry_id, by, answer=answer)


def _set_disabled(writing: Writing, endpoint_id: str, at: str) -> None:
    change = update(endpoint).where(_E.endpoint_id == endpoint_id)
    writing.connection.execute(change.values(disabled_at=at))


def _note(
    writing: Writing, action: str, one: Endpoint, now: datetime, entry_id: str, by: str,
    **details: Any,
) -> None:  # fmt: skip
    note(
        writing, action, at=_stamp(now), entry_id=entry_id, by=by, client=one.client,
        endpoint_id=one.endpoint_id, **details,
    )  # fmt: skip


def _stamp(at: datetime) -> str:
    """A moment as the ledger writes it, in county time: so it sorts."""
    return at.isoformat(timespec="milliseconds")


# --- reading --------------------------------------------------------------------------------------


def listed(connection: Connection) -> list[Endpoint]:
    """Every endpoint, oldest first."""
    return _endpoints(connection)


def find(connection: Connection, endpoint_id: str) -> Endpoint | None:
    """The endpoint of that id."""
    found = _endpoints(connection, _E.endpoint_id == endpoint_id)
    return found[0] if found else None


def _found(reading: Reading, endpoint_id: str) -> Endpoint:
    one = find(reading.connection, endpoint_id)
    if one is None:
        raise NotFound("There is no such endpoint. See: loansvc webhooks list")
    return one


def _endpoints(connection: Connection, *wanted: Any) -> list[Endpoint]:
    query = select(endpoint).where(*wanted).order_by(_E.added_at, _E.endpoint_id)
    return [
        Endpoint(**{**row._mapping, "events": tuple(row.events.split())})
        for row in connection.execute(query)
    ]


# --- secrets --------------------------------------------------------------------------------------


def secrets_of(reading: Reading, endpoint_id: str, *, now: datetime) -> list[bytes]:
    """What signs messages to an endpoint at that moment, the newest first.

    Raises:
        LedgerDamaged: one was changed, or its outer key is not here.
    """
    rows = _secrets(reading.connection, endpoint_id, now=now)
    return [_unwrapped(reading.vault, row) for row in rows]


def forget_expired(connection: Connection, *, now: datetime) -> None:
    """Delete secrets that sign nothing any more."""
    over = delete(endpoint_secret).where(_S.expires_at != "", _S.expires_at <= _stamp(now))
    connection.execute(over)


def n_wrapped(connection: Connection, version: int) -> int:
    """How many secrets are wrapped under that version of key_encryption."""
    query = select(func.count()).where(_S.key_version == version)
    return connection.execute(query).scalar_one()


def wrap_again(writing: Writing, limit: int) -> int:
    """Wrap some secrets that are under an old version under the current one; how many."""
    old = select(endpoint_secret).where(_S.key_version != writing.vault.current("key_encryption"))
    rows = writing.connection.execute(old.limit(limit)).all()
    for row in rows:
        secret = _unwrapped(writing.vault, row)
        version, wrapped = writing.vault.wrap(_name(row.endpoint_id, row.number), secret)
        where = (_S.endpoint_id == row.endpoint_id, _S.number == row.number)
        change = update(endpoint_secret).where(*where)
        writing.connection.execute(change.values(key_version=version, wrapped=wrapped))
    return len(rows)


def _secrets(connection: Connection, endpoint_id: str, *, now: datetime) -> Sequence[Row[Any]]:
    in_use = or_(_S.expires_at == "", _S.expires_at > _stamp(now))
    query = select(endpoint_secret).where(_S.endpoint_id == endpoint_id, in_use)
    return connection.execute(query.order_by(_S.number.desc())).all()


def _new_secret(writing: Writing, endpoint_id: str, *, number: int) -> str:
    secret = secrets.token_bytes(KEY_BYTES)
    version, wrapped = writing.vault.wrap(_name(endpoint_id, number), secret)
    row = {
        "endpoint_id": endpoint_id, "number": number, "expires_at": "", "key_version": version,
        "wrapped": wrapped,
    }  # fmt: skip
    writing.connection.execute(insert(endpoint_secret), row)
    return PREFIX + base64.b64encode(secret).decode()


def _unwrapped(vault: Vault, row: Row[Any]) -> bytes:
    return vault.unwrap(_name(row.endpoint_id, row.number), row.key_version, row.wrapped)


def _name(endpoint_id: str, number: int) -> str:
    return f"webhook {endpoint_id}|{number}"
