"""Access: who is calling, by key, signature or token, and what they may do.

One way a request: a bearer key or token in Authorization, or a signature. A right one is always let
in, whatever else came from the same address.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial, wraps
from typing import ParamSpec

from flask import Flask, Response, current_app, g, request

from loansvc.errors import Forbidden, QuotaExceeded, Unauthenticated, UnknownCredential
from loansvc.ledger import keys, nonces
from loansvc.ledger.keys import ClientKey
from loansvc.ledger.variants import Bounds
from loansvc.probing import Watch
from loansvc.settings import SHIPPED, Settings
from loansvc.underwriting import Underwriting, new_id
from loansvc.web import signatures, tokens
from loansvc.web.issuers import Issuers
from loansvc.web.limits import Limits
from loansvc.web.requests import body_bytes, caller_address, is_streamed

Args = ParamSpec("Args")
ACCEPT_SIGNATURE = (
    'sig=("@method" "@target-uri" "content-digest" "content-type");created;keyid;nonce'
)


def underwriting() -> Underwriting:
    """The composition root of this app."""
    root = current_app.extensions["underwriting"]
    assert isinstance(root, Underwriting)
    return root


def caller() -> ClientKey:
    """The key that came with the request: its client, its holder, what it may do."""
    key = g.caller
    assert isinstance(key, ClientKey)
    return key


def client() -> str:
    """The client whose key came with the request."""
    return caller().client


def watch() -> Watch:
    """The watch on probing by the client of this request."""
    return _access().watch(client())


def _access() -> Access:
    access = current_app.extensions["access"]
    assert isinstance(access, Access)
    return access


def requires(scope: str) -> Callable[[Callable[Args, Response]], Callable[Args, Response]]:
    """A view that only a key with this scope opens."""

    def wrap(view: Callable[Args, Response]) -> Callable[Args, Response]:
        @wraps(view)
        def checked(*args: Args.args, **kwargs: Args.kwargs) -> Response:
            g.caller = _access().caller()
            if scope not in g.caller.scopes:
                raise Forbidden(scope)
            return view(*args, **kwargs)

        return checked

    return wrap


class Access:
    """The ways in that this installation takes."""

    def __init__(self, root: Underwriting, settings: Settings) -> None:
        self._root = root
        self._ways = settings.ways
        self._public_url = settings.public_url
        self._proxy = settings.proxy
        self._issuers = Issuers(settings.issuers) if settings.issuers != SHIPPED else None
        self._limits = Limits(
            per_minute=settings.rate_limit, workers=settings.workers, store=settings.rate_store
        )
        self._known = keys.Known(root.ledger)
        self._bounds = Bounds(unnoticed=settings.probing_flag, most=settings.probing_limit)

    @classmethod
    def install(cls, app: Flask, root: Underwriting, settings: Settings) -> None:
        """Let the app ask who calls, and tell in its answers what it takes."""
        access = cls(root, settings)
        app.extensions["access"] = access
        app.after_request(access.tell)

    def caller(self) -> ClientKey:
        """The key that this request came with, the request counted.

        Raises:
            Unauthenticated: it came with none that is valid, or with more than one.
            QuotaExceeded: the client sent as many requests as it may.
            TooManyTries: it opens nothing, like too many before it from the same address.
        """
        try:
            key = self._identified()
        except UnknownCredential:
            self._limits.wrong(caller_address(self._proxy))
            raise
        quota = g.quota = self._limits.take(key.client)
        if not quota.taken:
            raise QuotaExceeded(retry_after_s=quota.ends_in_s)
        return key

    def watch(self, client: str) -> Watch:
        """The watch on probing by a client."""
        return Watch(client, self._bounds, partial(new_id, "adm"))

    def _identified(self) -> ClientKey:
        given = request.headers.get("Authorization")
        if signatures.is_signed(request):
            if given is not None:
                raise Unauthenticated("Send one of Authorization and a signature, not both.")
            return self._signer()
        scheme, _, token = (given or "").partition(" ")
        if scheme.lower() != "bearer":
            raise self._unknown()
        if tokens.is_token(token):
            return self._bearer(token)
        if not keys.is_token(token):
            raise self._unknown()
        self._check_way("key")
        key = self._known.find(token, now=self._root.clock())
        if key is None:
            raise UnknownCredential
        return key

    def _bearer(self, token: str) -> ClientKey:
        self._check_way("token")
        if self._issuers is None:
            raise UnknownCredential("No issuer of tokens is known here. See docs/access.md.")
        return tokens.key_of(token, self._issuers, now=self._root.clock())

    def _signer(self) -> ClientKey:
        self._check_way("signature")
        ledger, now = self._root.ledger, self._root.clock()

        def is_new(key_id: str, nonce: str, until: datetime) -> bool:
            return nonces.is_new(ledger, key_id, nonce, now=now, expires_at=until)

        body = None if is_streamed() else body_bytes()
        return signatures.key_of(
            request, body, public_url=self._public_url, now=now, is_new=is_new,
            find=lambda key_id: keys.signing(ledger, key_id, now=now),
        )  # fmt: skip

    def _check_way(self, way: str) -> None:
        if way not in self._ways:
            raise self._unknown()

    def _unknown(self) -> Unauthenticated:
        """The refusal that names what is taken here."""
        if "key" in self._ways:
            return Unauthenticated()
        texts = {"signature": "sign the request", "token": "send a token of your own issuer"}
        return Unauthenticated(
            f"Here {' or '.join(texts[way] for way in self._ways)}. See docs/access.md."
        )

    def tell(self, response: Response) -> Response:
        """Say what is left of the client's quota, and in a refusal what would be taken."""
        if "quota" in g:
            response.headers.extend(g.quota.fields())
        if response.status_code == Unauthenticated.status:
            bearer = {"key", "token"} & set(self._ways)
            scheme = "Bearer" if bearer else "Signature"
            response.headers["WWW-Authenticate"] = f'{scheme} realm="loansvc"'
            if "signature" in self._ways:
                response.headers["Accept-Signature"] = ACCEPT_SIGNATURE
        return response
