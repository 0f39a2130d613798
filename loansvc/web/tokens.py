"""Tokens: JWTs that a bank's own issuer signed (RFC 7519, RFC 9068), in the bearer's hand.

Header and claims are read strictly and held to a short list; the library checks the signature. Who
the client is follows from the issuer's entry here, never from what the token says of itself.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Any

from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry, deserialize_compact

from loansvc.errors import InvalidRequest, Unauthenticated, UnknownCredential
from loansvc.ledger.keys import LONGEST_HOLDER, ClientKey
from loansvc.web.issuers import Issuer, Issuers
from loansvc.web.strict_json import loads

LONGEST_TOKEN = 4096
LONGEST_LIFE_SECONDS = 600
SKEW_SECONDS = 60
HEADER_KEYS = {"alg", "kid", "typ"}  # never crit, jku, jwk, x5u, x5c: keys come from our file
TYPES = ("at+jwt", "application/at+jwt", "jwt")
SAME_ALGORITHM = {"Ed25519": "EdDSA"}  # its newer name (RFC 9864)
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class _Registry(JWSRegistry):
    """The library's algorithms; which of them are taken was asked before."""

    def get_alg(self, name: str) -> Any:
        """The algorithm of that name."""
        return self.algorithms[name]


REGISTRY = _Registry()


def is_token(text: str) -> bool:
    """Whether a text has the form of a signed token, whatever it is worth."""
    return len(text) <= LONGEST_TOKEN and _FORM.fullmatch(text) is not None


def key_of(token: str, issuers: Issuers, *, now: datetime) -> ClientKey:
    """What the token is worth: client, holder (`sub`), and the scopes that both sides grant.

    Raises:
        UnknownCredential: it is not signed by a key of an issuer that is known here.
        Unauthenticated: it is, and is not for here or not for now.
    """
    header, claims = (_part(part) for part in token.split(".")[:2])
    issuer = issuers.find(claims["iss"]) if isinstance(claims.get("iss"), str) else None
    if issuer is None:
        raise UnknownCredential("The token's issuer is not known here. See docs/access.md.")
    _check_signature(token, header, issuer)
    _check_claims(claims, issuer, now.timestamp())
    granted = claims.get("scope", "")
    asked = granted.split(" ") if isinstance(granted, str) else []
    return ClientKey(
        key_id=f"jwt:{header['kid']}",
        client=issuer.client,
        scopes=tuple(scope for scope in issuer.scopes if scope in asked),
        created_at=datetime.fromtimestamp(claims["iat"], now.tzinfo),
        expires_at=datetime.fromtimestamp(claims["exp"], now.tzinfo),
        revoked_at=None,
        holder=claims["sub"],
    )


def _part(part: str) -> dict[str, Any]:
    """Header or claims, read as strictly as a body."""
    try:
        found = loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, InvalidRequest):
        found = None
    if not isinstance(found, dict):
        raise UnknownCredential("This is no token that can be read. See docs/access.md.")
    return found


def _check_signature(token: str, header: dict[str, Any], issuer: Issuer) -> None:
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    known = isinstance(algorithm, str) and isinstance(kid, str) and isinstance(kind, str)
    if not known or set(header) - HEADER_KEYS or str(kind).lower() not in TYPES:
        raise UnknownCredential(
            "The token's header must hold alg and kid, may hold typ, and nothing else."
        )
    key = issuer.keys.get((SAME_ALGORITHM.get(str(algorithm), str(algorithm)), str(kid)))
    if key is None:
        raise UnknownCredential("No key of the token's issuer has this alg and kid.")
    try:
        deserialize_compact(token, key, registry=REGISTRY)
    except (JoseError, ValueError):
        raise UnknownCredential("The token is not signed by its issuer.") from None


def _check_claims(claims: Any, issuer: Issuer, now: float) -> None:
    audience, issued, expires, since = (claims.get(n) for n in ("aud", "iat", "exp", "nbf"))
    if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
        raise Unauthenticated("The token is for another audience. Ask for one for this service.")
    if not all(map(_is_time, (issued, expires, since or issued))):
        raise Unauthenticated("The token must say iat and exp, as seconds.")
    if expires - issued > LONGEST_LIFE_SECONDS:
        raise Unauthenticated(f"The token lives longer than {LONGEST_LIFE_SECONDS} s.")
    if now >= expires:
        raise Unauthenticated("The token has expired. Ask for a new one.")
    if max(issued, since or issued) > now + SKEW_SECONDS:
        raise Unauthenticated("The token is not valid yet. Check the clock of its issuer.")
    holder = claims.get("sub")
    if not isinstance(holder, str) or not holder.isprintable() or not holder.strip():
        raise Unauthenticated("The token must say in sub who holds it.")
    if len(holder) > LONGEST_HOLDER:
        raise Unauthenticated(f"The token's sub is longer than {LONGEST_HOLDER} characters.")
    if "cnf" in claims and issuer.binding == "refuse":
        raise Unauthenticated(
            "The token is bound to a certificate or key, which is not checked here. Ask for "
            "another, or sign the request."
        )


def _is_time(value: Any) -> bool:
    return type(value) in (int, float)
