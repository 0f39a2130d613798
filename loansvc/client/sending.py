"""Sending: one request, again and again with the same bytes, until there is an answer."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from loansvc.client.refusals import Refused, Unreachable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Headers = dict[str, str]
JSON = "application/json"
# Of these alone the service says that it has recorded nothing, or the same again gives the same.
AGAIN = (
    HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, and how often to send again.

    Before the n-th time again it waits a random part of `first_wait_s` times two to the n-1, at
    most `longest_wait_s`, and at least what the service asked for (`Retry-After`). It gives up
    after `tries`, or where the wait would pass `total_s`.
    """

    tries: int = 6
    answer_s: float = 10.0
    total_s: float = 60.0
    first_wait_s: float = 0.25
    longest_wait_s: float = 10.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = field(default=lambda: secrets.randbelow(1_000_000) / 1_000_000)

    def wait_s(self, n_again: int, asked_s: float = 0.0) -> float:
        """Seconds before the n-th time again.

        >>> patience = Patience(chance=lambda: 0.5)
        >>> [patience.wait_s(n) for n in (1, 2, 3, 9)], patience.wait_s(1, asked_s=5.0)
        ([0.125, 0.25, 0.5, 5.0], 5.0)
        """
        most: float = min(self.longest_wait_s, self.first_wait_s * 2 ** (n_again - 1))
        return max(asked_s, most * self.chance())


@dataclass(frozen=True, slots=True)
class Signature:
    """The caller's own Ed25519 key, which signs each request (RFC 9421, 9530; docs/access.md)."""

    key_id: str
    private_key: Ed25519PrivateKey = field(repr=False)
    clock: Callable[[], float] = time.time
    nonce: Callable[[], str] = field(default=lambda: secrets.token_urlsafe(24))

    def headers(self, method: str, url: str, body: bytes, kind: str) -> Headers:
        """The header fields that make a request a signed one; another nonce each time."""
        fields: Headers = {}
        if body:
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            fields = {"content-type": kind, "content-digest": f"sha-256=:{digest}:"}
        covered = {"@method": method, "@target-uri": url, **fields}
        names = " ".join(f'"{name}"' for name in covered)
        given = f'created={int(self.clock())};keyid="{self.key_id}";nonce="{self.nonce()}"'
        lines = [f'"{name}": {value}' for name, value in covered.items()]
        base = "\n".join([*lines, f'"@signature-params": ({names});{given}'])
        signature = base64.b64encode(self.private_key.sign(base.encode())).decode()
        return {
            **fields,
            "signature-input": f"sig=({names});{given}",
            "signature": f"sig=:{signature}:",
        }


def sent(
    http: httpx.Client,
    method: str,
    url: httpx.URL,
    *,
    body: bytes = b"",
    kind: str = JSON,
    proof: Callable[[str, str, bytes, str], Mapping[str, str]],
    patience: Patience,
) -> httpx.Response:
    """The answer to a request that may be sent again.

    Raises:
        Refused: the service said no.
        Unreachable: there was no answer, in as many tries and as much time as were given.
    """
    ends, told = patience.clock() + patience.total_s, ""
    for n_sent in range(1, patience.tries + 1):
        headers = {"accept": JSON, **({"content-type": kind} if body else {})}
        headers |= proof(method, str(url), body, kind)
        asked_s = 0.0
        try:
            answer = http.request(
                method, url, content=body or None, headers=headers, timeout=patience.answer_s
            )
        except (httpx.TransportError, httpx.DecodingError) as error:
            told = f"{type(error).__name__} after {n_sent} tries"
        else:
            if answer.status_code not in AGAIN:
                return _taken(answer)
            told = f"status {answer.status_code} after {n_sent} tries"
            asked_s = _asked_s(answer)
        wait_s = patience.wait_s(n_sent, asked_s)
        if n_sent == patience.tries or patience.clock() + wait_s > ends:
            break
        patience.sleep(wait_s)
    raise Unreachable(
        f"{method} {url.path}: {told}. It may or may not be recorded: send the same again later."
    )


def _taken(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        problem: Any = answer.json()
    except ValueError:  # of a proxy between
        problem = {}
    raise Refused(answer.status_code, problem if isinstance(problem, dict) else {})


def _asked_s(answer: httpx.Response) -> float:
    """What the service asked for; it writes whole seconds."""
    asked = answer.headers.get("retry-after", "")
    return float(asked) if asked.isdecimal() else 0.0
