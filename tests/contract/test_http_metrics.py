"""/metrics: what it says of requests, editions, fund and batches, and who may read it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from loansvc import __version__
from loansvc.application import PRODUCTS
from loansvc.ledger import Ledger, outbox
from loansvc.settings import Settings
from loansvc.underwriting import stamp
from loansvc.web import create_app
from loansvc.web.bridge import Bridge
from loansvc.web.gauges import Gauges
from tests.contract.conftest import Api, is_problem
from tests.databases import over_both
from tests.small import NOON, a_document, a_worker, all_worked, lines_of, with_fund
from tests.webhooks import URL, a_message, add, messages

PROXY = "10.0.0.1"
NDJSON = "application/x-ndjson"
DECIDED = {"endpoint": "api.decide", "status": "201", "outcome": "approve"}


def scraped(api: Api) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every figure, by name and labels."""
    answer = api.get("/metrics", key="")
    assert answer.status_code == 200
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
    }


def value(api: Api, name: str, **labels: str) -> float | None:
    return scraped(api).get((name, frozenset(labels.items())))


class Counted:
    """How far figures have moved since; in one process the requests of all tests are counted."""

    def __init__(self, api: Api) -> None:
        self.api, self._before = api, scraped(api)

    def __call__(self, name: str, **labels: str) -> float:
        key = name, frozenset(labels.items())
        return scraped(self.api).get(key, 0.0) - self._before.get(key, 0.0)


# --- what is counted ------------------------------------------------------------------------------


def test_a_decision_is_counted_by_its_outcome_and_again_as_replayed(api: Api) -> None:
    since = Counted(api)
    for document in (a_document(1), a_document(1), a_document(2, loan__purpose="property")):
        api.post(document)
    assert since("loansvc_requests_total", **DECIDED) == 1
    assert since("loansvc_requests_total", **DECIDED | {"outcome": "decline"}) == 1
    assert (
        since("loansvc_requests_total", endpoint="api.decide", status="200", outcome="replayed")
        == 1
    )


def test_each_stage_of_a_decision_is_observed_and_they_add_up(api: Api) -> None:
    since = Counted(api)
    api.post(a_document(1))
    stages = ("admit", "read", "wait", "decide", "commit", "answer")
    name = "loansvc_decision_stage_seconds"
    assert [since(f"{name}_count", stage=stage) for stage in stages] == [1] * 6
    whole = since("loansvc_request_seconds_sum", endpoint="api.decide")
    parts = sum(since(f"{name}_sum", stage=stage) for stage in stages)
    assert parts == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize(
    ("path", "endpoint", "status", "outcome"),
    [
        ("/v1/decisions/none", "api.decision", "404", "not_found"),
        ("/v1/decisions?x=1", "api.decisions", "400", "invalid_query"),
        ("/v1/products", "api.products", "200", "ok"),
        ("/nowhere/340521199003072316", "none", "404", "not_found"),
    ],
)
def test_a_request_is_counted_by_endpoint_status_and_outcome(
    api: Api, path: str, endpoint: str, status: str, outcome: str
) -> None:
    """An endpoint is a name of ours: no address that somebody made up becomes a label."""
    since = Counted(api)
    api.get(path)
    labels = {"endpoint": endpoint, "status": status, "outcome": outcome}
    assert since("loansvc_requests_total", **labels) == 1
    assert "340521199003072316" not in api.get("/metrics", key="").text


def test_a_refusal_and_a_preview_are_counted_by_what_they_say(api: Api) -> None:
    since = Counted(api)
    api.post(a_document(1, loan__term_months=0))
    api.post(a_document(2), to="/v1/previews")
    refused = {"endpoint": "api.decide", "status": "422", "outcome": "invalid_application"}
    previewed = {"endpoint": "api.preview", "status": "200", "outcome": "approve"}
    assert since("loansvc_requests_total", **refused) == 1
    assert since("loansvc_requests_total", **previewed) == 1


def test_who_is_refused_before_flask_is_counted_too(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    since, admission = Counted(api), api.app.extensions["admission"]
    with monkeypatch.context() as patched:
        patched.setattr(admission, "n_waiting_now", admission._n_waiting)
        assert api.post(a_document(1)).status_code == 503
    labels = {"endpoint": "none", "status": "503", "outcome": "overloaded"}
    assert since("loansvc_requests_total", **labels) == 1


@over_both
def test_commits_are_counted_with_how_many_shared_them(api: Api) -> None:
    since = Counted(api)
    api.post(a_document(1))
    assert since("loansvc_ledger_commit_seconds_count") == 1
    assert since("loansvc_ledger_commit_size_sum") == 1


@contextmanager
def no_commit(api: Api) -> Iterator[None]:
    """No writer's commit succeeds."""

    def fail(connection: Any) -> None:
        if connection.get_execution_options().get("loansvc_writes"):
            raise OperationalError("COMMIT", None, sqlite3.OperationalError("disk I/O error"))

    event.listen(api.root.ledger._engine, "commit", fail)
    yield
    event.remove(api.root.ledger._engine, "commit", fail)


def test_an_answer_that_is_taken_back_is_not_counted_as_given(api: Api) -> None:
    """In the asgi worker the application has answered before the commit fails."""
    body = json.dumps(a_document(1)).encode()
    headers = {
        "host": "x", "authorization": f"Bearer {api.key}", "content-type": "application/json",
        "content-length": str(len(body)),
    }  # fmt: skip
    scope = {
        "method": "POST", "raw_path": b"/v1/decisions", "query_string": b"", "scheme": "http",
        "http_version": "1.1", "client": ("127.0.0.1", 1), "server": ("x", 80),
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def asked() -> None:
        with closing(Bridge(api.app, Settings(), asyncio.get_running_loop())) as bridge:
            await bridge(scope, receive, send)

    since = Counted(api)
    with no_commit(api):
        asyncio.run(asked())
    assert sent[0]["status"] == 503
    refused = DECIDED | {"status": "503", "outcome": "ledger_unavailable"}
    assert since("loansvc_requests_total", **DECIDED) == 0
    assert since("loansvc_requests_total", **refused) == 1
    asyncio.run(asked())
    assert since("loansvc_requests_total", **DECIDED) == 1
    commits = since("loansvc_decision_stage_seconds_count", stage="commit")
    assert commits == 2


# --- what is looked up ----------------------------------------------------------------------------


def test_editions_in_force_are_told_with_their_age(api: Api) -> None:
    found = {
        labels: seconds
        for (name, labels), seconds in scraped(api).items()
        if name == "loansvc_edition_age_seconds"
    }
    assert len(found) == 2 * len(PRODUCTS) + 2
    card = api.root.registry.in_force("credit_loan", NOON.date()).scorecard
    labels = {
        "kind": "scorecard", "product": "credit_loan", "valid_from": "2026-07-01",
        "digest": card.digest[7:19],
    }  # fmt: skip
    assert found[frozenset(labels.items())] == 145 * 86_400  # 1 July to 23 November
    assert value(api, "loansvc_rates_quote_age_seconds") == 34 * 86_400  # of 20 October
    assert value(api, "loansvc_build_info", version=__version__) == 1


@over_both
def test_the_fund_is_told_once_its_capital_is_stated(api: Api) -> None:
    assert value(api, "loansvc_fund_yuan", part="capital_left") is None
    with_fund(api.root, 1_000_000)
    decision = api.post(a_document(1)).get_json()
    share = 100 - decision["guarantee"]["shares_percent"]["bank"]
    assert share > 0
    assert value(api, "loansvc_fund_yuan", part="capital_left") == 1_000_000
    guaranteed = value(api, "loansvc_fund_yuan", part="guaranteed")
    assert guaranteed == api.get("/v1/fund").get_json()["guaranteed_yuan"]
    assert guaranteed
    caps = api.get("/v1/fund").get_json()["caps"]
    for cap in caps:
        most = value(api, "loansvc_fund_most_guaranteed_yuan", product=cap["product"])
        assert most == cap["most_guaranteed_yuan"]


@over_both
def test_the_queue_of_batches_is_told_until_it_is_empty(api: Api) -> None:
    assert value(api, "loansvc_batch_rows_waiting") == 0
    body = lines_of(*(a_document(number) for number in range(1, 6)))
    api.post(to="/v1/batches?batch_id=B-1", body=body, content_type=NDJSON)
    api.now = api.now.replace(minute=2)
    assert value(api, "loansvc_batches", state="waiting") == 1
    assert value(api, "loansvc_batch_rows_waiting") == 5
    assert value(api, "loansvc_batch_oldest_seconds") == 120
    assert value(api, "loansvc_batch_workers") == 0
    worker = a_worker(api.root, rows_at_once=1)
    worker.piece()
    assert value(api, "loansvc_batches", state="running") == 1
    assert value(api, "loansvc_batch_rows_waiting") == 4
    assert value(api, "loansvc_batch_workers") == 1
    assert all_worked(worker) == 4
    assert value(api, "loansvc_batch_rows_waiting") == 0
    assert value(api, "loansvc_batch_oldest_seconds") == 0
    assert value(api, "loansvc_ledger_entries_total") == 6  # the key's too


@over_both
def test_messages_that_clients_have_not_taken_are_told(api: Api) -> None:
    for number in (1, 2):
        add(api.root, f"{URL}/{number}", number=number)
    a_message(api.root)
    assert value(api, "loansvc_webhook_messages", state="waiting") == 2
    [first, _] = messages(api.root)
    with api.root.ledger.writing() as ledger:
        outbox.end_failed(ledger.connection, first, "500", at=stamp(api.now))
    assert value(api, "loansvc_webhook_messages", state="waiting") == 1
    assert value(api, "loansvc_webhook_messages", state="failed") == 1


def test_where_a_product_has_no_edition_the_ledger_is_up_all_the_same(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_fund(api.root, 1_000_000)
    api.now = NOON.replace(year=2018)
    assert value(api, "loansvc_ledger_up") == 1
    assert value(api, "loansvc_fund_yuan", part="capital_left") is None


def test_a_ledger_that_fails_leaves_the_rest_to_be_read(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_ledger: Ledger) -> None:
        raise OperationalError("SELECT", None, sqlite3.OperationalError("disk I/O error"))

    with monkeypatch.context() as patched:
        patched.setattr(api.root.ledger._readers, "begin", lambda: broken(api.root.ledger))
        assert value(api, "loansvc_ledger_up") == 0
        assert value(api, "loansvc_batch_rows_waiting") is None
        assert value(api, "loansvc_build_info", version=__version__) == 1
    assert value(api, "loansvc_ledger_up") == 1


def test_a_ledger_that_hangs_is_waited_for_once_and_not_for_long(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, n_asked = Event(), []

    def hung(_gauges: Gauges) -> Any:
        n_asked.append(1)
        assert goes_on.wait(10)

    monkeypatch.setattr(Gauges, "_ask", hung)
    monkeypatch.setattr(api.app.extensions["scraping"].gauges, "_patience_s", 0.05)
    began = time.monotonic()
    for _ in range(3):
        assert value(api, "loansvc_ledger_up") == 0
    goes_on.set()
    assert (len(n_asked), time.monotonic() - began < 5) == (1, True)


def test_where_no_edition_is_in_force_the_rest_is_told(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.now = NOON.replace(year=2018)
    names = {name for name, _ in scraped(api)}
    assert "loansvc_edition_age_seconds" not in names
    assert "loansvc_ledger_up" in names


# --- who may read ---------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path, models: Path) -> Iterator[Api]:
    """One whose metrics two networks may read, behind a proxy that it knows."""
    service = Api(tmp_path, models)
    settings = Settings(metrics="10.1.0.0/16, fd00::5", proxy=PROXY)
    service.app = create_app(service.root, settings)
    yield service
    service.close()


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        pytest.param("10.1.2.3", {}, 200, id="of a network that is named"),
        pytest.param("::ffff:10.1.2.3", {}, 200, id="the same on a socket of both kinds"),
        pytest.param("fd00::5", {}, 200, id="an address that is named"),
        pytest.param("10.2.0.1", {}, 403, id="of another network"),
        pytest.param("127.0.0.1", {}, 403, id="this machine, if it is not named"),
        pytest.param("fd00::6", {}, 403, id="another address"),
        pytest.param("", {}, 403, id="a socket without an address"),
        pytest.param(PROXY, {"X-Forwarded-For": "10.1.2.3"}, 200, id="through the proxy"),
        pytest.param(PROXY, {"X-Forwarded-For": "8.8.8.8"}, 403, id="the world, through the proxy"),
        pytest.param(PROXY, {"X-Forwarded-For": "10.1.2.3, 8.8.8.8"}, 403, id="the world, lying"),
        pytest.param(PROXY, {}, 403, id="the proxy, of nobody"),
        pytest.param("10.1.2.3", {"X-Forwarded-For": "10.1.2.3"}, 403, id="a proxy nobody named"),
        pytest.param("10.1.2.3", {"Via": "1.1 x"}, 403, id="another kind of proxy"),
    ],
)  # fmt: skip
def test_metrics_are_read_from_named_addresses_alone(
    guarded: Api, peer: str, headers: dict[str, str], status: int
) -> None:
    answer = guarded.get(
        "/metrics", key="", headers=headers, environ_overrides={"REMOTE_ADDR": peer}
    )
    assert answer.status_code == status
    if status == 403:
        is_problem(answer, 403, "metrics_forbidden")


def test_unless_it_is_said_this_machine_alone_may_read(api: Api) -> None:
    for peer, status in (("127.0.0.1", 200), ("127.8.8.8", 200), ("::1", 200), ("10.1.2.3", 403)):
        answer = api.get("/metrics", key="", environ_overrides={"REMOTE_ADDR": peer})
        assert answer.status_code == status, peer


def test_none_is_nobody(tmp_path: Path, models: Path) -> None:
    service = Api(tmp_path, models)
    service.app = create_app(service.root, Settings(metrics="none"))
    is_problem(service.get("/metrics", key=""), 403, "metrics_forbidden")
    service.close()


def test_the_text_is_what_prometheus_asks_for_and_is_never_kept(api: Api) -> None:
    plain = api.get("/metrics", key="")
    assert plain.content_type.startswith("text/plain; version=")
    assert plain.headers["Cache-Control"] == "no-store"
    asked = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    opened = api.get("/metrics", key="", headers=asked)
    assert opened.content_type.startswith("application/openmetrics-text")
    assert opened.text.endswith("# EOF\n")


def test_every_metric_of_ours_says_what_it_is(api: Api) -> None:
    for family in text_string_to_metric_families(api.get("/metrics", key="").text):
        assert family.name.startswith("loansvc_")
        assert family.documentation.endswith(".")
        assert family.type in ("counter", "gauge", "histogram")
