"""Environs: what an ASGI server tells of a request, as the WSGI application reads it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from gunicorn.util import split_request_uri

from loansvc.web.replies import Environ

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_ALWAYS: Environ = {
    "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": True,
    "wsgi.run_once": False, "wsgi.input_terminated": True, "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "gunicorn",
}  # fmt: skip
_OWN_NAMES = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def environ_of(scope: Scope) -> Environ:
    """The environ of a request whose body is still to come."""
    target, path = scope["raw_path"].decode("latin-1"), scope["raw_path"]
    query = scope["query_string"].decode("latin-1")
    if not target.startswith("/"):  # "GET http://host/path", which is for proxies, and rare
        path = (split_request_uri(target).path or "").encode("latin-1")
    client, server = scope["client"] or ("", ""), scope["server"] or ("", "")
    environ = {
        **_ALWAYS,
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": scope["scheme"],
        "REQUEST_METHOD": scope["method"],
        "RAW_URI": f"{target}?{query}" if query else target,
        "PATH_INFO": (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
    }
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        key = _key_of(name)
        if key in environ and key not in _OWN_NAMES.values():
            text = f"{environ[key]},{text}"
        environ[key] = text
    return environ


@lru_cache(maxsize=256)  # names of headers that come with every request, and some of nobody's
def _key_of(name: bytes) -> str:
    return _OWN_NAMES.get(name) or "HTTP_" + name.decode("latin-1").upper().replace("-", "_")


class Upload:
    """A body that a thread reads as it comes; `read`: what has come of it already."""

    def __init__(
        self, receive: Receive, loop: asyncio.AbstractEventLoop, seconds: float, read: bytes = b""
    ) -> None:
        self._receive = receive
        self._loop = loop
        self._seconds = seconds
        self._left = read
        self._ended = False

    def allow(self, seconds: float) -> None:
        """Wait for that long at most for each piece from now on."""
        self._seconds = seconds

    def read(self, size: int = -1) -> bytes:
        """The next piece; whatever has come, up to that many bytes, and nothing at its end.

        Raises:
            OSError: the caller has gone, or is too slow.
        """
        while not self._left and not self._ended:
            waiting = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
            try:
                self._left = waiting.result(self._seconds)
            except TimeoutError:
                waiting.cancel()
                raise OSError("no more came in time") from None
        size = len(self._left) if size < 0 else size
        piece, self._left = self._left[:size], self._left[size:]
        return piece

    async def pass_over(self, seconds: float) -> None:
        """Read on for a moment: who is cut off within a body sees no answer."""
        with suppress(OSError):
            async for _, more in pieces(self._receive, seconds):
                self._ended = not more

    async def _next(self) -> bytes:
        piece, more = await _piece(self._receive)
        self._ended = not more
        return piece


async def pieces(receive: Receive, seconds: float) -> AsyncIterator[tuple[bytes, bool]]:
    """The pieces of a body until its end, each with whether there are more.

    Raises:
        TimeoutError, ConnectionError: it did not come within these seconds; the caller has gone.
    """
    until, more = time.monotonic() + seconds, True
    while more:
        async with asyncio.timeout(until - time.monotonic()):
            piece, more = await _piece(receive)
        # A piece that comes at the very moment of the time-out takes that away (Python 3.11).
        if more and time.monotonic() > until:
            raise TimeoutError
        yield piece, more


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ConnectionError("the caller has gone")
    return message["body"], message["more_body"]


class Broken:
    """A body of which the end did not come."""

    def read(self, _size: int = -1) -> bytes:
        """Say so.

        Raises:
            OSError
        """
        raise OSError("the body did not come in time")
