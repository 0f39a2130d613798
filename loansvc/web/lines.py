"""Lines: a long body read as it comes, a line at a time; in memory are a piece and a line of it.

A line that is too long is passed over to its end and told as such: the others are read.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import suppress

from flask import Request, current_app
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from loansvc.errors import BatchRefused, InvalidRequest
from loansvc.web.signatures import check_digest, is_signed
from loansvc.web.strict_json import MOST_BYTES

PIECE_BYTES = 64 * 1024
PIECE_SECONDS = 10.0  # within which the next piece must come
MOST_PASSING_SECONDS = 2.0
LONGEST_SECONDS = 600.0  # for the whole body, however steadily it comes


class Lines:
    """The lines of a request's body that hold anything, each once; None for one too long."""

    def __init__(self, request: Request, *, most_bytes: int) -> None:
        self._request = request
        self._most_bytes = most_bytes
        self._hashes = {"sha-256": hashlib.sha256(), "sha-512": hashlib.sha512()}
        self._n_bytes = 0
        # One more than is read: werkzeug cuts a chunked body at the limit without a word.
        request.max_content_length = most_bytes + 1
        if (request.content_length or 0) > most_bytes:
            raise BatchRefused("batch_too_large")

    def __iter__(self) -> Iterator[bytes | None]:
        line, passed_over = bytearray(), False
        for piece in self._pieces():
            first, *others = piece.split(b"\n")
            line += first
            for other in others:
                yield from _told(line, passed_over)
                line, passed_over = bytearray(other), False
            if len(line) > MOST_BYTES:
                line, passed_over = bytearray(), True
        yield from _told(line, passed_over)

    def content(self) -> str:
        """The digest of the body, which was read whole and is the one that was signed.

        Raises:
            InvalidRequest: it was cut off.
            UnknownCredential: another one was signed.
        """
        declared = self._request.content_length
        if declared is not None and declared != self._n_bytes:
            raise _cut_off()
        if is_signed(self._request):
            digests = {name: made.digest() for name, made in self._hashes.items()}
            check_digest(self._request.headers.get("Content-Digest", ""), digests)
        return self._hashes["sha-256"].hexdigest()

    def _pieces(self) -> Iterator[bytes]:
        until = time.monotonic() + LONGEST_SECONDS
        while piece := self._piece():
            self._n_bytes += len(piece)
            if self._n_bytes > self._most_bytes:
                raise BatchRefused("batch_too_large")
            if time.monotonic() > until:
                raise _cut_off()
            for made in self._hashes.values():
                made.update(piece)
            yield piece

    def _piece(self) -> bytes:
        """The next piece; the caller has its own time for each."""
        _allow(self._request, PIECE_SECONDS)
        try:
            return self._request.stream.read(PIECE_BYTES)
        except RequestEntityTooLarge:
            raise BatchRefused("batch_too_large") from None
        except (ParseException, OSError, ClientDisconnected):
            # Raised while the body is read: broken chunks, or the caller has gone.
            raise _cut_off() from None


def pass_over(request: Request) -> None:
    """Read on for a moment in a body that was refused: who is cut off in it sees no answer."""
    if not _allow(request, MOST_PASSING_SECONDS):
        return
    until = time.monotonic() + MOST_PASSING_SECONDS
    with suppress(ParseException, OSError):
        while request.environ["wsgi.input"].read(PIECE_BYTES) and time.monotonic() < until:
            pass


def _allow(request: Request, seconds: float) -> bool:
    """Let the connection be read for that long from now; whether there is one."""
    deadlines = current_app.extensions.get("deadlines")
    connection = request.environ.get("gunicorn.socket")
    if deadlines is None or connection is None:
        return False
    deadlines.allow(connection, seconds)
    return True


def _told(line: bytearray, passed_over: bool) -> Iterator[bytes | None]:
    if passed_over or len(line) > MOST_BYTES:
        yield None
    elif line.strip():
        yield bytes(line)


def _cut_off() -> InvalidRequest:
    return InvalidRequest("The body could not be read whole. Send it again.")
