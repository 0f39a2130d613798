"""Timing: one request from when it is at hand to its answer: its stages, its end, its trace.

A stage lasts until the next one is begun. `POST /v1/decisions` goes through these:

    admit    waits for a place among the requests that are worked on
    read     who calls, and the bytes as an application
    wait     for its turn as the writer of the ledger
    decide   exposure, decision, entry
    commit   until it is on disk
    answer   the answer as bytes

Beginning one is a look at the clock.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Response, g, request

from loansvc.web import tracing
from loansvc.web.metrics import Ended, note_request

if TYPE_CHECKING:
    from opentelemetry.trace import Span

log = logging.getLogger("loansvc.requests")
TIMING = "loansvc.timing"  # in the environ, where the server ends it: it waits for the commit
NONE = "none"  # the endpoint of an address where there is nothing


class Timing:
    """One request. `endpoint`: what answered it; `outcome`: how it ended, in a word."""

    __slots__ = ("began", "endpoint", "outcome", "request_id", "route", "span", "trace_id")

    def __init__(self, endpoint: str = NONE, request_id: str = "") -> None:
        self.began = [("admit", perf_counter())]
        self.endpoint = endpoint
        self.outcome = "ok"
        self.request_id = request_id
        self.route = self.trace_id = ""
        self.span: Span | None = None

    def stage(self, name: str) -> None:
        """Begin a stage, and end the one before."""
        self.began.append((name, perf_counter()))

    def finish(self, status: int) -> None:
        """Note that it was answered, and tell of it where that is asked for."""
        ended = Ended(self.endpoint, status, self.outcome, self.began, perf_counter())
        note_request(ended)
        if self.span is not None:
            tracing.end(self.span, ended, route=self.route, request_id=self.request_id)
        if log.isEnabledFor(logging.INFO):
            log.info("request", extra={
                "request_id": self.request_id, "endpoint": self.endpoint, "status": status,
                "outcome": self.outcome,
                "duration_ms": round(1000 * (ended.ended - self.began[0][1]), 3),
                **({"trace_id": self.trace_id} if self.trace_id else {}),
            })  # fmt: skip


def timing() -> Timing:
    """The timing of the request at hand."""
    made = g.timing
    assert isinstance(made, Timing)
    return made


def begin(request_id: str) -> None:
    """Time the request at hand, from now on or from when its server began to."""
    environ = request.environ
    made = g.timing = environ.get(TIMING) or Timing()
    made.request_id = request_id
    if "HTTP_TRACEPARENT" in environ:
        made.trace_id = tracing.trace_id_of(environ["HTTP_TRACEPARENT"])
    if tracing.is_on():
        made.span = tracing.begin(made.began[0][1], request.headers)
        made.trace_id = tracing.trace_id_in(made.span)


def finish(response: Response) -> None:
    """End it with its answer, unless its server does; tell the caller of which trace it was."""
    made, environ = timing(), request.environ
    made.endpoint = request.endpoint or NONE
    if made.span is not None and request.url_rule is not None:  # else the method is anybody's word
        made.route = f"{request.method} {request.url_rule.rule}"
    _echo(environ, response)
    if TIMING not in environ:
        made.finish(response.status_code)


def end_early(
    environ: Mapping[str, Any], request_id: str, response: Response, outcome: str
) -> None:
    """End a request that was answered without a look at what it asks for."""
    made = environ.get(TIMING) or Timing(request_id=request_id)
    made.outcome = outcome
    _echo(environ, response)
    if TIMING not in environ:
        made.finish(response.status_code)


def _echo(environ: Mapping[str, Any], response: Response) -> None:
    if tracing.trace_id_of(given := environ.get("HTTP_TRACEPARENT", "")):
        response.headers["traceparent"] = given
