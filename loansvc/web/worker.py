"""Worker: gunicorn's gthread, silent about what it could not read.

A body longer than it was declared is read on as the next request; gunicorn would quote that
"request line" in its answer and in the log, and it may hold somebody's ID number.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from gunicorn import util
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker

from loansvc.errors import InvalidRequest
from loansvc.web.problems import problem_document

HEAD = (
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: {request_id}\r\n"
    "Content-Length: {length}\r\n\r\n"
)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """A thread worker that refuses what is not HTTP as a problem, and quotes none of it."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that could not be read, or leave any other error to gunicorn."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        request_id = secrets.token_hex(8)
        self.log.warning("request %s is not HTTP: %s", request_id, type(exc).__name__)
        refusal = InvalidRequest(
            "The request is not well-formed HTTP/1.1. Check its headers and its Content-Length.",
            code="not_http",
        )
        body = json.dumps(problem_document(refusal, request_id)).encode()
        head = HEAD.format(request_id=request_id, length=len(body)).encode()
        try:
            util.write_nonblock(client, head + body)
        except OSError:
            self.log.debug("request %s: the caller has gone", request_id)
