"""Tracing: the trace that a caller named (W3C Trace Context), and spans for OpenTelemetry.

What a caller names stands in the log and is echoed. Spans need the packages of loansvc[otel] and
an address to go to (OTEL_EXPORTER_OTLP_ENDPOINT); without both nothing of OpenTelemetry is loaded.
One span is a request, those below it are its stages, written when it has ended. They name no
address, since an application_id may stand in it, and nothing that was sent.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any

from loansvc import __version__
from loansvc.web.metrics import Ended

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer
    from werkzeug.datastructures import Headers

log = logging.getLogger("loansvc.tracing")
# https://www.w3.org/TR/trace-context/ section 3.2: later versions may say more behind it.
_PARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-[!-~]{0,512})?", re.ASCII
)
LAST_SECONDS = 2.0  # for spans that were not sent yet when the worker ends
_tracer: Tracer | None = None


def trace_id_of(traceparent: str) -> str:
    """The id of the trace that a caller named; "" where it is not of that form.

    >>> trace_id_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    '4bf92f3577b34da6a3ce929d0e0e4736'
    >>> trace_id_of("00-00000000000000000000000000000000-00f067aa0ba902b7-01")
    ''
    """
    match = _PARENT.fullmatch(traceparent)
    if match is None:
        return ""
    version, trace_id, parent_id, more = match.groups()
    is_valid = int(trace_id, 16) and int(parent_id, 16) and not (version == "00" and more)
    return trace_id if is_valid else ""


@contextmanager
def exporting(*, is_asked: bool) -> Iterator[None]:
    """Send spans while the block runs, if that is asked for and can be done."""
    global _tracer  # noqa: PLW0603  # one process has one
    provider = _provider() if is_asked else None
    if provider is None:
        yield
        return
    _tracer = provider.get_tracer("loansvc", __version__)
    try:
        yield
    finally:
        _tracer = None
        # It sends what is left, and tries for half a minute where nobody takes it.
        last = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(LAST_SECONDS)


def _provider() -> Any:
    """What makes spans and sends them, set up by the OTEL_… variables; None without packages."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("no spans are sent: OTEL_EXPORTER_OTLP_ENDPOINT is set, and the packages for "
                    "it are missing. Run: pip install 'loansvc[otel]'")  # fmt: skip
        return None
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "loansvc"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def is_on() -> bool:
    """Whether spans are sent."""
    return _tracer is not None


def begin(began: float, headers: Headers) -> Span:
    """The span of a request at hand since that `perf_counter`, below the one its caller named."""
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    assert _tracer is not None
    given = {name: headers.get(name, "") for name in ("traceparent", "tracestate")}
    parent = TraceContextTextMapPropagator().extract(given)
    at = _wall_clock_ns(began)
    return _tracer.start_span("request", parent, kind=SpanKind.SERVER, start_time=at)


def trace_id_in(span: Span) -> str:
    """The id of the trace that a span is of."""
    return f"{span.get_span_context().trace_id:032x}"


def end(span: Span, ended: Ended, *, route: str, request_id: str) -> None:
    """End the span of a request of that route ("" where there was none), with its stages."""
    from opentelemetry.trace import Status, StatusCode, set_span_in_context

    if span.is_recording() and _tracer is not None:
        method, _, template = route.partition(" ")
        span.update_name(route or ended.endpoint)
        span.set_attributes({
            "http.request.method": method or "_OTHER", "http.route": template,
            "http.response.status_code": ended.status, "loansvc.outcome": ended.outcome,
            "loansvc.request_id": request_id,
        })  # fmt: skip
        if ended.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR))
        within, at = set_span_in_context(span), ended.began[0][1]
        for stage, seconds in ended.stages():
            child = _tracer.start_span(stage, within, start_time=_wall_clock_ns(at))
            at += seconds
            child.end(_wall_clock_ns(at))
    span.end(_wall_clock_ns(ended.ended))


def _wall_clock_ns(at: float) -> int:
    """The time of day of a `perf_counter`, in nanoseconds since 1970."""
    return time.time_ns() - int((perf_counter() - at) * 1e9)
