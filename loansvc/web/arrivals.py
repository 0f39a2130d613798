"""Arrivals: a connection whose request is not there yet waits in the poller and holds no thread.

The poller looks at what has come without taking it. Whether that is a request is for gunicorn's
parser to say; here it is only asked whether more must come before a thread could read it.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

HEADER_SECONDS = 5.0  # from the first byte looked for until the headers are there
WHOLE_SECONDS = 10.0  # until the body is there too
LOOK_EVERY_SECONDS = 0.25
# What stays waiting must fit into what the kernel keeps of a connection; the rest is for a thread.
MOST_HEADER_BYTES, MOST_BYTES = 16 * 1024, 96 * 1024
_END = b"\r\n\r\n"
_UNFINISHED_LINE = re.compile(rb"[A-Z][ -~]{0,4096}\r?")
_LINE = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.[01]\r\n")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,6})[ \t]*\r\n")


def n_missing(data: bytes) -> int:
    r"""How many bytes must come at least before it is worth a thread's time; 0: now.

    What can be refused now is not worth waiting for, nor a client who waits for us.

    >>> n_missing(b"GET / HTTP/1.1\r\nHost: "), n_missing(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    (1, 0)
    >>> n_missing(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n{")
    9
    """
    head, end, _ = data.partition(_END)
    if not end:
        return 1 if _may_become_one(data) else 0
    length = _LENGTH.search(head.lower() + b"\r\n")
    if length is None or b"\r\nexpect:" in head.lower():
        return 0
    n_whole = len(head) + len(end) + int(length[1])
    return max(0, n_whole - len(data)) if n_whole <= MOST_BYTES else 0


def _may_become_one(data: bytes) -> bool:
    """Whether the beginning of a request is no reason to refuse it."""
    if len(data) > MOST_HEADER_BYTES or _BARE_LF.search(data):
        return False
    if b"\n" not in data:
        return not data or _UNFINISHED_LINE.fullmatch(data) is not None
    return _LINE.match(data) is not None


class PollingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """A thread worker whose threads are given requests, not connections."""

    _look_at = 0.0

    def enqueue_req(self, conn: Any) -> None:
        """Give a connection to a thread once its request is there, or its time is over."""
        read_ahead = conn.parser is not None and conn.parser.unreader.buf.getvalue()
        if self.cfg.is_ssl or read_ahead:
            super().enqueue_req(conn)
            return
        conn.since, conn.n_seen = time.monotonic(), -1
        conn.sock.setblocking(False)
        self._look(conn)

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """Look again: there is more, or the caller has gone."""
        self._stop_waiting(conn)
        self._look(conn)

    def murder_pending(self) -> None:
        """Let those whose time is over be read to where they have come, and be refused."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_SECONDS
        for conn in [conn for conn in self.pending_conns if conn.timeout < now]:
            self._stop_waiting(conn)
            with suppress(OSError):  # it has gone by itself
                conn.sock.shutdown(socket.SHUT_RD)
            self._hand_over(conn)

    def _look(self, conn: Any) -> None:
        data = _peek(conn.sock)
        missing = n_missing(data)
        # Woken by no more than was there: by the end of the stream, or by a kernel that is full.
        if missing == 0 or len(data) == conn.n_seen:
            self._hand_over(conn)
            return
        conn.n_seen = len(data)
        conn.timeout = conn.since + (WHOLE_SECONDS if _END in data else HEADER_SECONDS)
        # Only then is it readable: what was looked at is still there and would wake us for ever.
        _wake_at(conn.sock, len(data) + missing)
        self.pending_conns.append(conn)
        look_again = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, look_again)

    def _stop_waiting(self, conn: Any) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)

    def _hand_over(self, conn: Any) -> None:
        _wake_at(conn.sock, 1)
        conn.data_ready = True
        super().enqueue_req(conn)


def _peek(connection: socket.socket) -> bytes:
    """What has come and was not read; nothing if the connection broke, which a read will tell."""
    try:
        return connection.recv(MOST_BYTES, socket.MSG_PEEK)
    except OSError:
        return b""


def _wake_at(connection: socket.socket, n_bytes: int) -> None:
    """Let it be readable once so many bytes have come, or none will."""
    with suppress(OSError):  # it has gone by itself
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, n_bytes)
