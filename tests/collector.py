"""A collector of OpenTelemetry, on a port of its own: what it was sent, over OTLP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.webhooks import Receiver, receiver


@dataclass
class Collector:
    """What came, whole and as spans."""

    _received: Receiver

    @property
    def bodies(self) -> list[bytes]:
        for one in self._received.came:
            assert one.path == "/v1/traces"
            assert one.headers["content-type"] == "application/x-protobuf"
        return [one.body for one in self._received.came]

    def _groups(self) -> Iterator[Any]:
        for body in self.bodies:
            yield from ExportTraceServiceRequest.FromString(body).resource_spans

    @property
    def resources(self) -> list[dict[str, str]]:
        """The attributes of whoever sent them."""
        return [attributes(group.resource) for group in self._groups()]

    @property
    def spans(self) -> list[Any]:
        """In the order they came."""
        return [s for group in self._groups() for scope in group.scope_spans for s in scope.spans]

    def called(self, name: str) -> list[Any]:
        """The spans of that name."""
        return [span for span in self.spans if span.name == name]


def attributes(of: Any) -> dict[str, str]:
    """Attributes of a span or resource, as text."""
    return {
        pair.key: str(getattr(pair.value, pair.value.WhichOneof("value"))) for pair in of.attributes
    }


@contextmanager
def collecting() -> Iterator[tuple[str, Collector]]:
    """The address of a collector, and what it was sent."""
    with receiver() as received:
        yield received.url.removesuffix("/hooks"), Collector(received)
