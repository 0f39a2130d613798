"""Access: who is calling, by key, signature or token, and what they may do.

One way a request: a bearer key or token in Authorization, or a signature. A right one is always let
in, whatever else came from the same address. People sign in to the console with a key of their own.
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
    return access().watch(client())


def access() -> Access:
    """The ways in of this app."""
    found = current_app.extensions["access"]
    assert isinstance(found, Access)
    return found


def requires(scope: str) -> Callable[[Callable[Args, Response]], Callable[Args, Response]]:
    """A view that only a key with this scope opens."""

    def wrap(view: Callable[Args, Response]) -> Callable[Args, Response]:
        @wraps(view)
        def checked(*args: Args.args, **kwargs: Args.kwargs) -> Response:
            g.caller = access().caller()
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
        return self._counted(self._identified)

    def signs_in(self, token: str) -> ClientKey:
        """The key with which a person signs in to the console, the request counted.

        Raises:
            as `caller`
        """
        return self._counted(lambda: self._by_key(token, way="console"))

    def signed_in(self, key_id: str) -> ClientKey:
        """The key with which a person signed in to the console before, the request counted.

        Raises:
            Unauthenticated: it was revoked or has expired since.
            QuotaExceeded: the client sent as many requests as it may.
        """
        key = keys.with_secret(self._root.ledger, key_id, now=self._root.clock())
        if key is None:
            raise Unauthenticated("The key of this session is in use no more. Sign in again.")
        return self._counted(lambda: key)

    def _counted(self, identified: Callable[[], ClientKey]) -> ClientKey:
        try:
            key = identified()
        except UnknownCredential:
            self._limits.wrong(caller_address(self._proxy))
            raise
        quota = g.quota = self._limits.take(key.client)
        if not quota.taken:
            raise QuotaExceeded(retry_after_s=quota.ends_in_s)
        return key

    def takes(self, way: str) -> bool:
        """Whether this way in is open here, of `settings.WAYS`."""
        return way in self._ways

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
        return self._by_key(token, way="key")

    def _by_key(self, token: str, *, way: str) -> ClientKey:
        self._check_way(way)
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
        if not self.takes(way):
            raise self._unknown()

    def _unknown(self) -> Unauthenticated:
        """The refusal that names what is taken here."""
        if "key" in self._ways:
            return Unauthenticated()
        texts = {"signature": "sign the request", "token": "send a token of your own issuer"}
        taken = [texts[way] for way in self._ways if way in texts] or ["only the console is open"]
        return Unauthenticated(f"Here {' or '.join(taken)}. See docs/access.md.")

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
