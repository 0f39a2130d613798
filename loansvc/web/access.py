"""Access: who is calling, by bearer key, and what the key may do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import Response, current_app, g, request

from loansvc.errors import Forbidden, Unauthenticated
from loansvc.ledger import keys
from loansvc.ledger.keys import ClientKey
from loansvc.underwriting import Underwriting

Args = ParamSpec("Args")


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


def requires(scope: str) -> Callable[[Callable[Args, Response]], Callable[Args, Response]]:
    """A view that only a key with this scope opens."""

    def wrap(view: Callable[Args, Response]) -> Callable[Args, Response]:
        @wraps(view)
        def checked(*args: Args.args, **kwargs: Args.kwargs) -> Response:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthenticated
            root = underwriting()
            # Read on every request, so that a revoked key is refused at once in every worker.
            key = keys.find(root.ledger, token, now=root.clock())
            if key is None:
                raise Unauthenticated
            if scope not in key.scopes:
                raise Forbidden(scope)
            g.caller = key
            return view(*args, **kwargs)

        return checked

    return wrap
