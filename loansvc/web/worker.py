"""Worker: gunicorn's gthread, silent about what it could not read, and patient for so long only.

A body longer than it was declared is read on as the next request; gunicorn would quote that
"request line" in its answer and in the log, and it may hold somebody's ID number. Slow callers wait
outside (`arrivals`); where only a thread can read on, the time to do so is bounded.
"""

from __future__ import annotations

import json
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from flask import Flask
from gunicorn import util
from gunicorn.glogging import Logger as GunicornLogger
from gunicorn.http.errors import ParseException

from loansvc.errors import InvalidRequest, LoanError
from loansvc.settings import wants_spans
from loansvc.web import tracing
from loansvc.web.arrivals import HEADER_SECONDS, LOOK_EVERY_SECONDS, PollingWorker
from loansvc.web.checkpointing import checkpoints_made
from loansvc.web.logs import PatientHandler, json_lines
from loansvc.web.metrics import Ended, counting, note_request
from loansvc.web.problems import problem_document
from loansvc.web.timing import NONE

HEAD = (
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: {request_id}\r\n"
    "Content-Length: {length}\r\n\r\n"
)
BODY_SECONDS = 10.0  # from the headers on, to read the body and answer
BOOT_AGAIN_SECONDS = 1.0  # so that a folder that cannot be read is not read all the time


class Deadlines:
    """Connections whose request is being read or answered, and until when it may be read."""

    def __init__(self) -> None:
        self._until: dict[socket.socket, float] = {}

    def allow(self, connection: socket.socket, seconds: float) -> None:
        """Let it be read for that long from now."""
        self._until[connection] = time.monotonic() + seconds

    def forget(self, connection: socket.socket) -> None:
        """Its request is done."""
        self._until.pop(connection, None)

    def enforce(self) -> None:
        """Read no more from those whose time is over; what can still be answered is answered."""
        now = time.monotonic()
        for connection, until in list(self._until.items()):
            if until < now:
                self.forget(connection)
                with suppress(OSError):  # it has gone by itself
                    connection.shutdown(socket.SHUT_RD)

    def watch(self) -> None:
        """Enforce them for as long as the process lives."""
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            self.enforce()


@contextmanager
def started_again(log: Any) -> Iterator[None]:
    """The life of a worker: one that cannot start is started again while the others serve on.

    gunicorn ends the whole service where a worker ends as it does when it cannot boot.
    """
    try:
        yield
    except LoanError as refusal:
        log.error("this worker cannot start: %s", refusal.detail)
        time.sleep(BOOT_AGAIN_SECONDS)
        sys.exit(1)


@contextmanager
def kept(app: Flask) -> Iterator[None]:
    """While an app serves: checkpoints of its ledger are made, spans sent; then it is closed.

    The last worker to close it leaves SQLite's log within its file.
    """
    root = app.extensions["underwriting"]
    with (
        closing(root.ledger), checkpoints_made(root.ledger, root.clock),
        counting(), tracing.exporting(is_asked=wants_spans()),
    ):  # fmt: skip
        yield


def not_http(log: Any, why: str) -> bytes:
    """The answer to what cannot be read; neither it nor the log quotes any of it."""
    request_id = secrets.token_hex(8)
    log.warning("request is not HTTP: %s", why, extra={"request_id": request_id})
    refusal = InvalidRequest(
        "The request is not well-formed HTTP/1.1. Check its headers and its Content-Length.",
        code="not_http",
    )
    note_request(Ended(NONE, refusal.status, refusal.code))
    body = json.dumps(problem_document(refusal, request_id)).encode()
    return HEAD.format(request_id=request_id, length=len(body)).encode() + body


class Worker(PollingWorker):
    """A thread worker that refuses what is not HTTP as a problem, and quotes none of it.

    It makes the checkpoints of the ledger too, in a thread beside those that answer.
    """

    def run(self) -> None:
        """Serve until told to stop."""
        self.wsgi.extensions["deadlines"] = self._deadlines  # whoever reads long bodies moves them
        with kept(self.wsgi):
            super().run()

    def init_process(self) -> None:
        """Start, and watch the deadlines."""
        self._deadlines = Deadlines()
        threading.Thread(target=self._deadlines.watch, name="deadlines", daemon=True).start()
        with started_again(self.log):
            super().init_process()

    def handle(self, conn: Any) -> Any:
        """Read and answer one request within its deadlines."""
        self._deadlines.allow(conn.sock, HEADER_SECONDS)
        try:
            return super().handle(conn)
        finally:
            self._deadlines.forget(conn.sock)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose headers have been read."""
        self._deadlines.allow(conn.sock, BODY_SECONDS)
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that could not be read, or leave any other error to gunicorn."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        with suppress(OSError):  # the caller has gone
            util.write_nonblock(client, not_http(self.log, type(exc).__name__))


class Logger(GunicornLogger):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's own log in the same lines, through the same kind of handler."""

    def _set_handler(self, log: Any, output: Any, fmt: Any, stream: Any = None) -> None:
        fmt = fmt if log is self.access_log else json_lines()
        super()._set_handler(log, output, fmt, stream)
        plain = self._get_gunicorn_handler(log)
        if output == "-" and stream is None and plain is not None:
            log.removeHandler(plain)
            handler = PatientHandler()
            handler.setFormatter(fmt)
            handler._gunicorn = True  # type: ignore[attr-defined]  # by which it is found again
            log.addHandler(handler)
