"""Signatures: requests signed by a client's own key (RFC 9421), the body by its digest (RFC 9530).

The library checks what is signed; age, nonce and what must be signed are asked here. Nothing is
taken twice: the nonces are kept in the ledger's database, for every worker and over a restart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import http_sf
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flask import Request
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
)
from http_message_signatures.algorithms import ECDSA_P256_SHA256, ED25519
from werkzeug.datastructures import Headers

from loansvc.errors import Unauthenticated, UnknownCredential
from loansvc.ledger.keys import ClientKey

OLDEST_SECONDS = 300
AHEAD_SECONDS = 60  # clocks differ
NONCE_KEPT = timedelta(minutes=10)  # longer than any signature with it could be taken
ALWAYS = ("@method", "@target-uri")
WITH_BODY = ("content-digest", "content-type")
WHERE_SENT = ("x-request-id", "idempotency-key")
LONGEST_FIELD = 2048  # characters of Signature-Input or Signature
_NONCE = re.compile(r"[\x21-\x7e]{16,128}", re.ASCII)
_KEY_ID = re.compile(r"[0-9a-f]{12}", re.ASCII)
_ALGORITHMS = {"ed25519": ED25519, "ecdsa-p256-sha256": ECDSA_P256_SHA256}
WHAT_TO_SIGN = (
    f"Sign {', '.join(ALWAYS)}, and of a request with a body {' and '.join(WITH_BODY)}, with "
    "created, keyid and nonce. See docs/access.md."
)


@dataclass(frozen=True, slots=True)
class Message:
    """A request as the library reads one."""

    method: str
    url: str
    headers: Headers | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a signature says of itself; all of it is signed."""

    key_id: str
    nonce: str
    created: int
    expires: int | None


def is_signed(request: Request) -> bool:
    """Whether the request comes with a signature, whatever it is worth."""
    return "Signature" in request.headers or "Signature-Input" in request.headers


def key_of(
    request: Request,
    body: bytes | None,
    *,
    public_url: str,
    now: datetime,
    find: Callable[[str], ClientKey | None],
    is_new: Callable[[str, str, datetime], bool],
) -> ClientKey:
    """The key that signed this request, which is taken this once.

    `find` gives a key by its id, `is_new` keeps a nonce of a key until a moment. `body` None: it is
    read later, and whoever reads it asks `check_digest`.

    Raises:
        Unauthenticated: it is too old, taken already, or does not sign what it must.
        UnknownCredential: it is not by a key that is known here.
    """
    parameters = _parameters(request.headers.get("Signature-Input", ""))
    _check_age(parameters, now.timestamp())
    key = find(parameters.key_id)
    if key is None:
        raise UnknownCredential("No key in use has this keyid. See: loansvc keys list")
    sent = tuple(name for name in WHERE_SENT if name in request.headers)
    verify(
        _message(request, public_url), body, algorithm=key.algorithm, public_key=key.public_key,
        must=(*ALWAYS, *(() if body == b"" else WITH_BODY), *sent),
    )  # fmt: skip
    if not is_new(key.key_id, parameters.nonce, now + NONCE_KEPT):
        raise Unauthenticated(
            "This signature was taken already. Sign each request with a new nonce."
        )
    return key


def verify(
    message: Message, body: bytes | None, *, algorithm: str, public_key: str, must: tuple[str, ...]
) -> None:
    """Refuse a signature that is not by this key, of this message, or of less than it must be.

    Raises:
        UnknownCredential: it is not.
    """
    verifier = _Verifier(
        signature_algorithm=_ALGORITHMS[algorithm], key_resolver=_OneKey(_loaded(public_key))
    )
    try:
        verifier.verify(message, max_age=None, require_components=must, body=body)
    except HTTPMessageSignaturesException:  # its text may quote what was sent
        raise _not_of_this_request() from None


def check_digest(field: str, found: Mapping[str, bytes]) -> None:
    """Refuse a body that is not the one whose Content-Digest was signed.

    `found`: its digests by algorithm. Every one that the field names and we know must fit.

    Raises:
        UnknownCredential
    """
    try:
        given: Any = http_sf.parse(field.encode("ascii"), tltype="dictionary")
        known = {name: value[0] for name, value in given.items() if name in found}
    except (ValueError, TypeError):
        raise _not_of_this_request() from None
    if not known or any(found[name] != digest for name, digest in known.items()):
        raise _not_of_this_request()


def _not_of_this_request() -> UnknownCredential:
    return UnknownCredential(f"The signature is not of this request by this key. {WHAT_TO_SIGN}")


class _Verifier(HTTPMessageVerifier):
    """The library's, its own clock left out: age was checked by ours."""

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Nothing: see `_check_age`."""


class _OneKey(HTTPSignatureKeyResolver):
    def __init__(self, key: Any) -> None:
        self._key = key

    def resolve_public_key(self, key_id: str) -> Any:
        return self._key


@lru_cache(maxsize=1024)  # reading one costs more than checking a signature
def _loaded(public_key: str) -> Any:
    return load_pem_public_key(public_key.encode())


def _message(request: Request, public_url: str) -> Message:
    """The request as the client sent it: before the server read method and path its own way."""
    target = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI", "")
    if not target.startswith("/"):
        raise Unauthenticated("Send the path alone in the request line, and the host in Host.")
    base = public_url or f"{request.scheme}://{request.host}"
    return Message(request.environ["REQUEST_METHOD"], base + target, request.headers)


def _parameters(field: str) -> Parameters:
    malformed = Unauthenticated(f"Signature-Input is not that of one signature. {WHAT_TO_SIGN}")
    if len(field) > LONGEST_FIELD:
        raise malformed
    try:
        parsed: Any = http_sf.parse(field.encode("ascii"), tltype="dictionary")
        [(_, given)] = parsed.values()
    except (ValueError, TypeError):
        raise malformed from None
    key_id, nonce = given.get("keyid"), given.get("nonce")
    created, expires = given.get("created"), given.get("expires")
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise malformed
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise Unauthenticated("Give each signature a nonce of 16 to 128 visible ASCII characters.")
    if type(created) is not int or (expires is not None and type(expires) is not int):
        raise malformed
    return Parameters(key_id, nonce, created, expires)


def _check_age(given: Parameters, now: float) -> None:
    if not now - OLDEST_SECONDS <= given.created <= now + AHEAD_SECONDS:
        raise Unauthenticated(
            f"`created` is more than {OLDEST_SECONDS} s ago or more than {AHEAD_SECONDS} s ahead. "
            "Set the clock, and sign each request anew."
        )
    if given.expires is not None and given.expires < now:
        raise Unauthenticated("The signature has expired. Sign each request anew.")
