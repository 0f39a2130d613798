"""Connections: a load that costs little, so that what is measured is the server.

One thread, one selector, requests made beforehand: some 20 us of this process for each request,
where `tests.load`, which keeps every id and looks afterwards, takes ten times that. Each connection
sends its next request once it has the answer to the one before.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count

ATTEMPT_S = 30.0
MOST_BYTES = 1 << 16
END = b"\r\n\r\n"


def request(path: str, body: bytes, *lines: str) -> bytes:
    """The bytes of a POST; a GET where there is no body.

    >>> request("/", b"")
    b'GET / HTTP/1.1\\r\\nHost: loansvc\\r\\n\\r\\n'
    """
    method = "POST" if body else "GET"
    told = (f"Content-Length: {len(body)}", "Content-Type: application/json") if body else ()
    head = "\r\n".join((f"{method} {path} HTTP/1.1", "Host: loansvc", *told, *lines))
    return head.encode() + END + body


@dataclass
class Taken:
    """What came back: how often each status, and the seconds of each answer."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    lasted: float = 0.0

    @property
    def per_s(self) -> float:
        """Answers a second, those that say "not now" left out."""
        n_good = sum(n for status, n in self.statuses.items() if status < HTTPStatus.BAD_REQUEST)
        return n_good / self.lasted

    def percentile_ms(self, percent: float) -> float:
        """That percentile of the seconds to an answer, in milliseconds."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)] * 1000

    def add(self, other: Taken) -> None:
        """Count another round with this one."""
        self.statuses.update(other.statuses)
        self.seconds += other.seconds
        self.lasted += other.lasted


class _Line:
    """One connection; made anew where the server closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self._port), timeout=ATTEMPT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes) -> None:
        self.sent_at = time.perf_counter()
        self._got = b""
        self.socket.sendall(data)

    def status(self) -> int | None:
        """The status once the whole answer is there; None before."""
        self._got += (piece := self.socket.recv(MOST_BYTES))
        head, found, body = self._got.partition(END)
        if not piece:
            raise ConnectionError("closed without an answer")
        if not found or not _whole(head.lower(), body):
            return None
        self.closes = b"connection: close" in head.lower()
        return int(head[9:12])


def _whole(head: bytes, body: bytes) -> bool:
    _, told, length = head.partition(b"content-length:")
    if told:
        return len(body) >= int(length.split(b"\r\n", 1)[0])
    return body.endswith(b"0\r\n\r\n")  # in chunks


def drive(
    port: int, request_of: Callable[[int], bytes], *, n_connections: int, seconds: float,
    numbers: Iterator[int] | None = None,
) -> Taken:  # fmt: skip
    """Keep that many connections busy for so long."""
    numbers = count() if numbers is None else numbers
    taken, n_busy = Taken(), n_connections
    started = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(n_connections):
            line = _Line(port)
            selector.register(line.socket, selectors.EVENT_READ, line)
            line.send(request_of(next(numbers)))
        while n_busy:
            ready = selector.select(ATTEMPT_S)
            assert ready, "no answer in time"
            for key, _ in ready:
                line = key.data
                if (status := line.status()) is None:
                    continue
                at = time.perf_counter()
                taken.statuses[status] += 1
                taken.seconds.append(at - line.sent_at)
                over = at - started >= seconds
                if over or line.closes:
                    selector.unregister(line.socket)
                    line.socket.close()
                if over:
                    n_busy -= 1
                    continue
                if line.closes:
                    line.connect()
                    selector.register(line.socket, selectors.EVENT_READ, line)
                line.send(request_of(next(numbers)))
    taken.lasted = time.perf_counter() - started
    return taken
