"""Bridge: an ASGI application that carries the WSGI application.

The event loop reads requests whole and does nothing else. What decides and previews goes to the
thread of rounds. All the rest goes to threads of its own, as the probes do: some of it takes long,
and who only reads does not wait for a ledger that cannot be written.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask

from loansvc.errors import InvalidRequest, Overloaded
from loansvc.settings import Settings
from loansvc.web import NAMED, request_id_of
from loansvc.web.admission import PLACED, PROBES, Admission
from loansvc.web.environs import Broken, Message, Receive, Scope, Upload, environ_of, pieces
from loansvc.web.lines import MOST_PASSING_SECONDS, PIECE_SECONDS
from loansvc.web.replies import Environ, Reply, refusal, reply_of
from loansvc.web.requests import STREAMED
from loansvc.web.rounds import Rounds
from loansvc.web.strict_json import MOST_BYTES
from loansvc.web.timing import NONE, TIMING, Timing
from loansvc.web.worker import BODY_SECONDS

Send = Callable[[Message], Awaitable[None]]
SHORT = frozenset({"api.decide", "api.preview"})
CONTINUE = "100-continue"
N_PROBING = 2  # threads
SERVER = (b"Server", b"gunicorn")


class Patience:
    """Where `web/lines.py` says how long the next piece of a body may take."""

    def allow(self, connection: Upload, seconds: float) -> None:
        """For that long from now."""
        connection.allow(seconds)


class Bridge:
    """The WSGI application of one worker as an ASGI application; closed when nobody is left."""

    def __init__(self, app: Flask, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app.wsgi_app
        self._loop = loop
        admission = app.extensions["admission"]
        assert isinstance(admission, Admission)
        app.extensions["deadlines"] = Patience()
        self._rounds = Rounds(
            self._app, app.extensions["underwriting"].ledger, admission, loop=loop,
            most=settings.concurrency + settings.queue,
        )  # fmt: skip
        self._threads = ThreadPoolExecutor(settings.threads, "request")
        self._probing = ThreadPoolExecutor(N_PROBING, "probe")
        self._endpoints = {
            (method, rule.rule): rule.endpoint
            for rule in app.url_map.iter_rules()
            for method in rule.methods or ()
        }

    def close(self) -> None:
        """Let everything that was begun end."""
        self._rounds.close()
        self._threads.shutdown()
        self._probing.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        environ = environ_of(scope)
        asked = environ["REQUEST_METHOD"], environ["PATH_INFO"].rstrip("/")
        endpoint = self._endpoints.get(asked, "")  # of an address without parameters
        environ["wsgi.input"] = body = await self._body(environ, endpoint, receive)
        request_id = environ[NAMED] = request_id_of(environ.get("HTTP_X_REQUEST_ID", ""))
        timing = environ[TIMING] = Timing(endpoint or NONE, request_id)
        try:
            if environ.get("HTTP_EXPECT", CONTINUE).lower() != CONTINUE:
                raise InvalidRequest("Nothing is expected here but 100-continue.", code="not_http")
            reply = await self._reply(environ, endpoint, request_id)
        except (InvalidRequest, Overloaded) as error:
            reply = refusal(error, request_id)
        timing.outcome = reply.code or timing.outcome
        timing.finish(reply.status)
        await send({"type": "http.response.start", "status": reply.status,
                    "headers": [SERVER, *reply.headers]})  # fmt: skip
        await self._send_body(reply, send)
        if isinstance(body, Upload):
            await body.pass_over(MOST_PASSING_SECONDS)

    async def _reply(self, environ: Environ, endpoint: str, request_id: str) -> Reply:
        if endpoint in SHORT and isinstance(environ["wsgi.input"], io.BytesIO):
            environ[PLACED] = True
            return await self._rounds.ask(environ, request_id)
        pool = self._probing if endpoint in PROBES else self._threads
        return await self._loop.run_in_executor(pool, reply_of, self._app, environ)

    async def _body(
        self, environ: Environ, endpoint: str, receive: Receive
    ) -> io.BytesIO | Upload | Broken:
        """The body: whole, or to be read by a thread, or such as did not come."""
        declared = int(environ.get("CONTENT_LENGTH") or 0)
        if not declared and "HTTP_TRANSFER_ENCODING" not in environ:
            return io.BytesIO()
        if endpoint in STREAMED or declared > MOST_BYTES + 1:  # which is refused for its length
            environ["gunicorn.socket"] = upload = Upload(receive, self._loop, PIECE_SECONDS)
            return upload
        try:
            read, is_whole = await _read(receive)
        except OSError:  # too slow, or gone
            return Broken()
        return io.BytesIO(read) if is_whole else Upload(receive, self._loop, PIECE_SECONDS, read)

    async def _send_body(self, reply: Reply, send: Send) -> None:
        message: dict[str, Any] = {"type": "http.response.body", "body": reply.body}
        if reply.rest is None:
            await send(message)
            return
        rest, run = reply.rest, self._loop.run_in_executor
        try:
            while (piece := await run(self._threads, next, rest, None)) is not None:
                await send({**message, "body": piece, "more_body": True})
        finally:
            if close := getattr(rest, "close", None):
                self._threads.submit(close)
        await send(message)


async def _read(receive: Receive) -> tuple[bytes, bool]:
    """A body, and whether it is all; of one too long no more than shows that.

    Raises:
        TimeoutError, ConnectionError: it does not come.
    """
    body, is_whole = b"", False
    async for piece, more in pieces(receive, BODY_SECONDS):
        body, is_whole = body + piece, not more
        if len(body) > MOST_BYTES:
            break
    return body, is_whole
