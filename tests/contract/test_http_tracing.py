"""The trace that a caller names is echoed, logged, and, if there is a collector, gone on with."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from loansvc.settings import wants_spans
from loansvc.web import timing, tracing
from loansvc.web.logs import json_lines
from tests.collector import Collector, attributes, collecting
from tests.contract.conftest import Api
from tests.small import a_document

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
STAGES = ["admit", "read", "wait", "decide", "commit", "answer"]
WRONG = [
    "", "00", PARENT.upper(), PARENT[:-1], f"{PARENT}-more", f"ff-{TRACE_ID}-{PARENT_ID}-01",
    f"00-{'0' * 32}-{PARENT_ID}-01", f"00-{TRACE_ID}-{'0' * 16}-01", f"00-{TRACE_ID}-{PARENT_ID}",
    f" {PARENT}", f"{PARENT}\n", PARENT.replace("4", "４"), f"{PARENT},{PARENT}",
]  # fmt: skip


@pytest.mark.parametrize("given", [PARENT, f"01-{TRACE_ID}-{PARENT_ID}-00-later"])
def test_the_trace_of_a_caller_is_known(given: str) -> None:
    assert tracing.trace_id_of(given) == TRACE_ID


@pytest.mark.parametrize("given", WRONG)
def test_what_names_no_trace_is_ignored(given: str) -> None:
    assert tracing.trace_id_of(given) == ""


def test_it_is_echoed_and_stands_in_every_line_of_the_request(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(json_lines())
    monkeypatch.setattr(api.root.registry, "in_force", lambda *_, **__: 1 / 0)
    answer = api.post(a_document(1), headers={"traceparent": PARENT})
    assert (answer.status_code, answer.headers["traceparent"]) == (500, PARENT)
    line = json.loads(caplog.text)
    assert line["trace_id"] == TRACE_ID
    assert line["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("given", ["no trace", PARENT.upper(), f"00-{'0' * 32}-{PARENT_ID}-01"])
def test_a_malformed_one_comes_back_nowhere(
    api: Api, given: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(json_lines())
    monkeypatch.setattr(api.root.registry, "in_force", lambda *_, **__: 1 / 0)
    answer = api.post(a_document(1), headers={"traceparent": given})
    assert "traceparent" not in answer.headers
    assert "trace_id" not in json.loads(caplog.text)


def test_a_line_for_each_request_is_written_where_it_is_asked_for(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.post(a_document(1))
    assert caplog.text == ""
    caplog.handler.setFormatter(json_lines())
    caplog.set_level(logging.INFO, timing.log.name)
    api.get("/version")
    assert "trace_id" not in json.loads(caplog.text)
    caplog.clear()
    api.post(a_document(2), headers={"traceparent": PARENT, "X-Request-Id": "r-1"})
    line = json.loads(caplog.text)
    assert line.pop("duration_ms") > 0
    assert {name: line[name] for name in line if name not in ("timestamp", "pid")} == {
        "level": "info", "logger": "loansvc.requests", "event": "request", "request_id": "r-1",
        "trace_id": TRACE_ID, "endpoint": "api.decide", "status": 201, "outcome": "approve",
    }  # fmt: skip


# --- spans ----------------------------------------------------------------------------------------


@contextmanager
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """What is sent to a collector; all of it, once the block has ended."""
    with collecting() as (address, collector):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("no_proxy", "*")
        with tracing.exporting(is_asked=wants_spans()):
            yield collector


def test_a_decision_is_a_span_with_its_stages_below_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = a_document(1)
    with exported(monkeypatch) as sent:
        answer = api.post(document, headers={"traceparent": PARENT})
        assert answer.status_code == 201
    [span] = sent.called("POST /v1/decisions")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert attributes(span) == {
        "http.request.method": "POST", "http.route": "/v1/decisions",
        "http.response.status_code": "201", "loansvc.outcome": "approve",
        "loansvc.request_id": answer.headers["X-Request-Id"],
    }  # fmt: skip
    below = [one for one in sent.spans if one.parent_span_id == span.span_id]
    assert [one.name for one in below] == STAGES
    assert {one.trace_id for one in below} == {span.trace_id}
    assert {resource["service.name"] for resource in sent.resources} == {"loansvc"}
    ends = [span.start_time_unix_nano, *(one.end_time_unix_nano for one in below)]
    # A moment is worked out from two clocks, which take a moment to read.
    for one, before in zip(below, ends, strict=False):
        assert abs(one.start_time_unix_nano - before) < 5_000_000
    for sent_there in (document["application_id"], document["applicant"]["id_number"], api.key):
        assert all(sent_there.encode() not in body for body in sent.bodies)


def test_an_address_of_one_application_is_named_by_its_route(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exported(monkeypatch) as sent:
        api.get("/v1/decisions/NAME-OF-ONE/explanation")
        api.call("340521199003072316", "/v1/decisions")
        api.get("/nowhere/NAME-OF-ONE")
    assert [span.name for span in sent.spans if not span.parent_span_id] == [
        "GET /v1/decisions/<application_id>/explanation", "none", "none",
    ]  # fmt: skip
    for body in sent.bodies:
        assert b"NAME-OF-ONE" not in body
        assert b"340521199003072316" not in body


def test_without_a_caller_s_trace_a_new_one_begins_and_is_logged(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.setFormatter(json_lines())
    monkeypatch.setattr(api.root.registry, "in_force", lambda *_, **__: 1 / 0)
    with exported(monkeypatch) as sent:
        answer = api.post(a_document(1))
    [span] = sent.called("POST /v1/decisions")
    assert "traceparent" not in answer.headers
    assert json.loads(caplog.text)["trace_id"] == span.trace_id.hex()
    assert span.status.code == 2  # ERROR, of a 500


def test_what_a_caller_does_not_sample_is_not_sent(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exported(monkeypatch) as sent:
        api.post(a_document(1), headers={"traceparent": PARENT[:-2] + "00"})
    assert sent.spans == []


@pytest.mark.parametrize(
    ("environ", "wants"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_spans_are_sent_where_the_environment_names_a_place(
    environ: dict[str, str], wants: bool
) -> None:
    assert wants_spans(environ) == wants


def test_where_the_packages_are_missing_the_log_says_which(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with tracing.exporting(is_asked=True):
        assert api.post(a_document(1)).status_code == 201
    assert "pip install 'loansvc[otel]'" in caplog.text


def test_a_collector_that_is_away_keeps_nobody_waiting(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither who asks, nor a worker that ends and has spans left."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")  # it goes on behind us for so long
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(tracing, "LAST_SECONDS", 0.2)
    with tracing.exporting(is_asked=True):
        assert api.post(a_document(1)).status_code == 201
        began = time.monotonic()
    assert time.monotonic() - began < 2
