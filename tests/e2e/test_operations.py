"""The built service as its operators see it: its log, its metrics, its spans."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from loansvc.web.metrics import COUNT_SECONDS
from tests.collector import Collector, collecting
from tests.e2e.service import N_WORKERS, Service, an_example, wait_for
from tests.small import small_models

ROOT = Path(__file__).parents[2]
WORKERS = ("threads", "asgi")
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
NAMES = "张三丰", "Zhang Sanfeng"
Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Running(Service):
    """A service that sends spans to a collector."""

    collector: Collector

    def log_lines(self) -> list[str]:
        """Its log, without what `serve` said on standard output before there was a service."""
        return self.log().partition("--data-binary")[2].splitlines()[1:]


@pytest.fixture(scope="module", params=WORKERS)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp(request.param)
    with collecting() as (address, collector):
        running = Running(
            folder / "home", small_models(folder), LOANSVC_WORKER=request.param,
            LOANSVC_LOG_REQUESTS="yes", OTEL_EXPORTER_OTLP_ENDPOINT=address,
            OTEL_BSP_SCHEDULE_DELAY="100",
        )  # fmt: skip
        running.collector = collector
        running.start()
        yield running
        running.close()


def scraped(service: Service) -> Figures:
    answer = service.get("/metrics", key="")
    assert answer.status == 200
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(answer.body.decode())
        for one in family.samples
    }


def decided(service: Service) -> float:
    """How many decisions all workers together count."""
    return sum(
        value
        for (name, labels), value in scraped(service).items()
        if name == "loansvc_requests_total" and ("status", "201") in labels
    )


# --- the log --------------------------------------------------------------------------------------


def sensitive(document: dict[str, Any]) -> set[str]:
    """Whatever of an application must stand in no log."""
    credentials = document["credentials"]
    return {
        document["applicant"]["id_number"],
        document["business"]["uscc"],
        document["consent"]["consent_id"],
        *(one["number"] for one in credentials),
        *NAMES,
    }


def asked_in_every_way(service: Running) -> set[str]:
    """Valid, invalid, refused and erring requests; what of them must not be logged."""
    good = an_example(700)
    id_number = good["applicant"]["id_number"]
    key = service.key
    wrong_key = key[:-4] + "AAAA"
    assert service.post(good).status == 201
    assert service.post(good).status == 200
    assert service.post({**good, "loan": {**good["loan"], "term_months": 12}}).status == 409
    for changes in (
        {"applicant": {**good["applicant"], "name": NAMES[0]}},
        {NAMES[1]: id_number},
        {"applicant": {**good["applicant"], "id_number": f"{id_number[:-1]}Y"}},
        {"application_id": "名"},
    ):
        assert service.post({**good, **changes}).status == 422
    secret = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for path in (f"/v1/{id_number}", f"/v1/decisions?name={id_number}", f"/v1/decisions/{key}"):
        assert service.send("GET", path, None, secret).status in (400, 404)
    assert service.send("POST", "/v1/decisions", json.dumps(good)[:-9], secret).status == 400
    assert service.get("/v1/decisions", key=wrong_key).status == 401
    assert service.get("/v1/decisions", key="eyJhbGciOiJub25lIn0.e30.c2ln").status == 401
    named = secret | {"X-Request-Id": id_number, "traceparent": PARENT}
    assert service.send("GET", "/v1/products", None, named).status == 200
    with socket.create_connection(("127.0.0.1", service.port), 5) as connection:
        connection.sendall(f"{id_number} {key}\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
    service.post(other := an_example(701))
    with closing(sqlite3.connect(service.home / "ledger.db")) as database:
        database.execute("BEGIN IMMEDIATE")  # nobody else can write, for longer than is waited
        assert service.post(an_example(702)).status == 503
        database.rollback()
        database.execute("UPDATE payload SET sealed = zeroblob(100)")
        database.commit()
    assert service.get(f"/v1/decisions/{other['application_id']}").status == 500
    return sensitive(good) | sensitive(other) | {key, wrong_key, key.rpartition("_")[2]}


def test_every_line_of_the_log_is_an_object_that_names_nobody(service: Running) -> None:
    secrets = asked_in_every_way(service)
    wait_for("the last line", lambda: "ledger_damaged" in service.log())
    objects = [json.loads(line) for line in service.log_lines()]
    assert len(objects) > 15
    errors = [line for line in objects if line["level"] == "error"]
    assert {line["code"] for line in errors} == {"ledger_unavailable", "ledger_damaged"}
    assert "Traceback" in errors[-1]["exception"]
    for line in objects:
        assert {"timestamp", "level", "logger", "pid", "event"} <= set(line)
        assert isinstance(line["event"], str)
        of_a_request = line["logger"] == "loansvc.requests" or line["event"].startswith("request")
        assert not of_a_request or line["request_id"], line
    printed = "\n".join(json.dumps(line, ensure_ascii=False) for line in objects)
    assert [secret for secret in secrets if secret in printed] == []
    assert re.findall(r"(?<![0-9a-f])[0-9]{17}[0-9Xx](?![0-9a-f])", printed) == []
    assert "lsk_" not in printed


def test_a_line_of_a_request_names_it_and_its_trace(service: Running) -> None:
    given = {"X-Request-Id": "mine-1", "traceparent": PARENT}
    assert service.send("GET", "/version", None, given).headers["traceparent"] == PARENT

    def line() -> dict[str, Any] | None:
        mine = [json.loads(one) for one in service.log_lines() if '"mine-1"' in one]
        return mine[0] if mine else None

    found = wait_for("the line", line)
    assert (found["endpoint"], found["status"], found["outcome"]) == ("probes.version", 200, "ok")
    assert (found["trace_id"], found["level"]) == (TRACE_ID, "info")


# --- metrics --------------------------------------------------------------------------------------


def test_what_every_worker_counted_is_told_and_outlives_it(service: Running) -> None:
    """Also over a reload, in which workers take new places, and the death of one."""
    time.sleep(4 * COUNT_SECONDS)  # for what was noted before
    before = decided(service)
    n_decided = 0

    def decide(n: int) -> None:
        nonlocal n_decided
        for _ in range(n):
            n_decided += 1
            assert service.post(an_example(1000 + n_decided)).status == 201

    def all_counted() -> bool:
        return decided(service) - before == n_decided

    decide(20)
    wait_for("all to be counted", all_counted)
    os.kill(service.workers()[0], signal.SIGKILL)
    wait_for("a worker in its place", lambda: len(service.workers()) == N_WORKERS)
    decide(10)
    wait_for("all to be counted", all_counted)
    old = set(service.workers())
    os.kill(service.pid, signal.SIGHUP)
    wait_for("new workers", lambda: not old & set(service.workers()))
    decide(10)
    wait_for("all to be counted", all_counted)


def test_every_metric_that_dashboard_and_rules_name_is_told(service: Running) -> None:
    wait_for("a decision to be counted", lambda: decided(service) > 0)
    told = {name for name, _ in scraped(service)}
    told |= {family.name for family in text_string_to_metric_families(
        service.get("/metrics", key="").body.decode())}  # fmt: skip
    for path in ("deploy/grafana/loansvc.json", "deploy/prometheus/loansvc.rules.yml"):
        named = set(re.findall(r"\bloansvc_[a-z_]+\b(?=[{\[ )]|\\?\")", (ROOT / path).read_text()))
        assert len(named) > 5
        assert named - told == set(), path


def test_a_scrape_is_answered_while_all_are_busy(service: Running) -> None:
    began = time.monotonic()
    callers = [socket.create_connection(("127.0.0.1", service.port), 5) for _ in range(100)]
    for caller in callers:
        caller.sendall(b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert scraped(service)
    assert time.monotonic() - began < 5
    for caller in callers:
        with closing(caller):
            pass


# --- spans ----------------------------------------------------------------------------------------


def test_a_decision_is_sent_as_a_span_with_its_stages(service: Running) -> None:
    document = an_example(5000)
    headers = {
        "Authorization": f"Bearer {service.key}", "Content-Type": "application/json",
        "traceparent": PARENT,
    }  # fmt: skip
    assert service.send("POST", "/v1/decisions", json.dumps(document), headers).status == 201

    def sent() -> Any:
        spans = [s for s in service.collector.called("POST /v1/decisions")
                 if s.trace_id.hex() == TRACE_ID]  # fmt: skip
        below = [s for s in service.collector.spans
                 if spans and s.parent_span_id == spans[0].span_id]  # fmt: skip
        return below if {"read", "decide", "commit", "answer"} <= {s.name for s in below} else None

    wait_for("the spans", sent)
    for body in service.collector.bodies:
        assert document["application_id"].encode() not in body
        assert document["applicant"]["id_number"].encode() not in body
        assert service.key.encode() not in body


def test_the_worker_of_batches_logs_in_the_same_lines(service: Running) -> None:
    run = service.run("worker", "--once")
    assert run.returncode == 0
    lines = [json.loads(line) for line in run.stderr.splitlines()]
    assert [line["event"] for line in lines][:1] == [f"worker: batches of {service.home}"]
