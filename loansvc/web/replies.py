"""Replies: answers as bytes, of the WSGI application or without it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from loansvc.errors import LoanError
from loansvc.web.problems import problem

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `rest` comes after the body, piece by piece, where its length is not known.

    `code`: of the refusal that it is, where the application was not asked or its word was taken
    back.
    """

    status: int
    headers: Headers
    body: bytes
    rest: Iterator[bytes] | None = None
    code: str = ""


def reply_of(application: Application, environ: Environ) -> Reply:
    """What the application answers; whole, if it says how long its body is."""
    told: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        told[:] = int(status[:3]), headers

    pieces = application(environ, start_response)
    status, given = told
    headers = _as_bytes(given)
    if "Content-Length" not in dict(given):
        return Reply(status, headers, b"", iter(pieces))
    try:
        return Reply(status, headers, b"".join(pieces))
    finally:
        if close := getattr(pieces, "close", None):
            close()


def refusal(error: LoanError, request_id: str) -> Reply:
    """The reply that refuses a request without asking the application."""
    response = problem(error, random.randint, request_id)
    response.headers.add("X-Request-Id", request_id)
    headers = _as_bytes(response.headers)
    return Reply(response.status_code, headers, response.get_data(), code=error.code)


def _as_bytes(headers: Iterable[tuple[str, str]]) -> Headers:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
