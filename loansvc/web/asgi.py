"""Worker: gunicorn's asgi worker, patient for so long only, and silent about what it cannot read.

A connection costs no thread here, so slow callers wait in the event loop; it looks around four
times a second for those whose time is over. What a request needs of threads is `bridge.py`'s.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from contextlib import closing
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from loansvc.errors import LoanError, Overloaded
from loansvc.settings import Settings
from loansvc.web import request_id_of
from loansvc.web.arrivals import HEADER_SECONDS, LOOK_EVERY_SECONDS
from loansvc.web.bridge import Bridge
from loansvc.web.lines import MOST_PASSING_SECONDS
from loansvc.web.metrics import Ended, note_request
from loansvc.web.problems import our_mistake
from loansvc.web.replies import refusal
from loansvc.web.timing import NONE
from loansvc.web.worker import kept, not_http, started_again

LAST_SECONDS = 2.0  # of an idle connection when the worker stops: a request may be on its way


class Connection(ASGIProtocol):  # type: ignore[misc]  # gunicorn ships no types
    """A connection on which requests must come in time, as HTTP/1.1 and nothing else."""

    _closed: bool
    _keepalive: float

    def connection_made(self, transport: Any) -> None:
        """Expect a request; where there are too many connections, refuse it at once."""
        self.is_idle, self.until = False, time.monotonic() + HEADER_SECONDS
        self.has_ended = False  # the other side will send no more
        super().connection_made(transport)
        self.worker.connections.add(self)
        if self.worker.nr_conns > self.cfg.worker_connections:
            self._refuse(Overloaded())
            self._close_transport()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self.worker.connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; the first bytes of a request start its time."""
        if self._closed:
            return
        if self.is_idle:
            self.is_idle, self.until = False, time.monotonic() + HEADER_SECONDS
        super().data_received(data)

    def eof_received(self) -> bool:
        """Answer who will send no more, if a request of theirs is there; whether to stay."""
        self.has_ended, is_asked = True, not self._closed and self._request_ready.is_set()
        if is_asked:
            self._keepalive = 0  # this was the last request
            if not self._body_receiver._complete:
                self._body_receiver.signal_disconnect()
        return is_asked

    def end_if_late(self, now: float, idle_until: float) -> None:
        """End it where the request that is waited for has not come in time."""
        until = min(self.until, idle_until) if self.is_idle else self.until
        if now < until:
            return
        if self._closed:
            self.transport.abort()
        elif not self._request_ready.is_set():  # else one is being answered
            self._keepalive_timeout()

    def _close_transport(self) -> None:
        """Say no more, and hear on for a moment: who is cut off sees no answer."""
        if self.transport is None or self._closed:
            return
        self._closed, self.until = True, time.monotonic() + MOST_PASSING_SECONDS
        if self.has_ended:
            self.transport.close()
        else:
            self.transport.write_eof()

    def _arm_keepalive_timer(self) -> None:
        self.is_idle, self.until = True, time.monotonic() + self._keepalive

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        return self.worker.is_ending or bool(super()._will_close(request, response_requires_close))

    def _is_websocket_upgrade(self, _request: Any) -> bool:
        return False

    def _send_error_response(self, status: int, _message: str, _headers: Any = ()) -> None:
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            self._refuse(our_mistake())
        else:
            self._safe_write(not_http(self.log, f"status {status}"))

    def _refuse(self, error: LoanError) -> None:
        reply = refusal(error, request_id_of(""))
        note_request(Ended(NONE, reply.status, reply.code))
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}".encode()]
        lines += [b"%b: %b" % field for field in (*reply.headers, (b"Connection", b"close"))]
        self._safe_write(b"\r\n".join((*lines, b"", reply.body)))


class Worker(ASGIWorker):  # type: ignore[misc]  # gunicorn ships no types
    """An asgi worker that carries the WSGI application."""

    asgi: Any  # what gunicorn loaded; while it serves, the bridge to that
    # gunicorn closes a connection behind its answer where this is false by then, also behind an
    # answer that did not say so. So it stays true: who is to come no more is told `is_ending`.
    alive: bool
    is_ending = False

    def init_process(self) -> None:
        """Start."""
        self.connections: set[Connection] = set()
        with started_again(self.log):
            super().init_process()

    def run(self) -> None:
        """Serve until told to stop; then let end what was begun."""
        app = self.asgi
        with kept(app), closing(Bridge(app, Settings.from_environment(), self.loop)) as self.asgi:
            super().run()

    def handle_exit_signal(self) -> None:
        """Take nobody new; every answer from now on says that it is the last of its connection."""
        self.is_ending = True

    async def _serve(self) -> None:
        for one in self.sockets:
            self.servers.append(
                await self.loop.create_server(
                    partial(Connection, self), sock=one.sock, backlog=self.cfg.backlog
                )
            )
        while self.alive and not self.is_ending and self.ppid == os.getppid():
            await self._look(idle_until=math.inf)
        self.is_ending = True
        for server in self.servers:
            server.close()
        stopped_at = time.monotonic()
        until = stopped_at + self.cfg.graceful_timeout
        while self.nr_conns and not self._quick_shutdown and time.monotonic() < until:
            await self._look(idle_until=stopped_at + LAST_SECONDS)

    async def _look(self, *, idle_until: float) -> None:
        self.notify()
        now = time.monotonic()
        for connection in list(self.connections):
            connection.end_if_late(now, idle_until)
        await asyncio.sleep(LOOK_EVERY_SECONDS)
