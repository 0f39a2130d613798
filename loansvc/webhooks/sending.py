"""Sending: one message posted to one receiver, within a time that the receiver cannot stretch.

No redirect is followed and no proxy asked; of the answer only the status and Retry-After are read.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit

CONNECT_SECONDS = 5.0  # to each address of a name
MOST_SECONDS = 15.0  # from the connection to the answer; the specification says 15 to 30


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt: a status, or 0 and in a word what went wrong."""

    status: int
    trouble: str = ""
    retry_after_s: int = 0

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has the message."""
        return 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants no more messages."""
        return self.status == HTTPStatus.GONE

    def __str__(self) -> str:
        return self.trouble or str(self.status)


def send(
    url: str, headers: Mapping[str, str], body: bytes, *, context: ssl.SSLContext | None = None,
    most_seconds: float = MOST_SECONDS,
) -> Answer:  # fmt: skip
    """Post a body; `context`: whose certificates are believed, those of the system unless given."""
    until = time.monotonic() + most_seconds
    try:
        return _exchange(urlsplit(url), headers, body, context, most_seconds)
    except (OSError, http.client.HTTPException) as error:
        late = isinstance(error, TimeoutError) or time.monotonic() >= until
        return Answer(0, "timed out" if late else _trouble(error))


def _trouble(error: Exception) -> str:
    """What went wrong, in a word or two; the error's own text may hold anything."""
    for kind, words in (
        (ssl.SSLCertVerificationError, "wrong certificate"),
        (ssl.SSLError, "no TLS"),
        (socket.gaierror, "unknown host"),
        (ConnectionRefusedError, "refused"),
        (ConnectionError, "no answer"),
        (http.client.HTTPException, "no HTTP"),
    ):
        if isinstance(error, kind):
            return words
    return "not reached"


def _exchange(
    place: SplitResult, headers: Mapping[str, str], body: bytes, context: ssl.SSLContext | None,
    most_seconds: float,
) -> Answer:  # fmt: skip
    host, believed = place.hostname or "", context or _of_this_system()
    connection = (
        http.client.HTTPSConnection(host, place.port, context=believed)
        if place.scheme == "https"
        else http.client.HTTPConnection(host, place.port)
    )
    path = f"{place.path or '/'}?{place.query}" if place.query else place.path or "/"
    sock = socket.create_connection((host, connection.port), timeout=CONNECT_SECONDS)
    with closing(connection), _cut_off(sock, most_seconds):
        sock.settimeout(most_seconds)
        connection.sock = sock
        if place.scheme == "https":
            connection.sock = believed.wrap_socket(sock, server_hostname=host)
        connection.request("POST", path, body, dict(headers))
        response = connection.getresponse()
        asked = response.headers.get("Retry-After", "")
        # In seconds; of a date the schedule is good enough.
        return Answer(response.status, retry_after_s=int(asked) if _is_seconds(asked) else 0)


@cache
def _of_this_system() -> ssl.SSLContext:
    """To read all the authorities takes twenty milliseconds: once for each process."""
    return ssl.create_default_context()


def _is_seconds(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


@contextmanager
def _cut_off(sock: socket.socket, seconds: float) -> Iterator[None]:
    """Shut a connection down after so long: a time limit of a socket begins anew with each byte."""
    with sock.dup() as same:  # TLS takes the socket itself over
        timer = threading.Timer(seconds, _shut_down, (same,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # the other end was faster
        sock.shutdown(socket.SHUT_RDWR)
