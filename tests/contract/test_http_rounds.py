"""Rounds: what is asked together has one commit, and no answer that rests on it comes before."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from werkzeug.test import EnvironBuilder

from loansvc.errors import Overloaded
from loansvc.ledger import group_commit
from loansvc.web import replies, rounds
from loansvc.web.admission import PLACED
from loansvc.web.replies import Environ, Reply
from loansvc.web.rounds import Rounds
from tests.contract.conftest import Api
from tests.small import a_document

pytestmark = pytest.mark.usefixtures("both_databases", "patient")
DECISIONS, PREVIEWS = "/v1/decisions", "/v1/previews"
Asked = tuple[str, str, Any]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr(group_commit, "MOST_SECONDS", 60.0)
    monkeypatch.setattr(rounds, "LONGEST_WAIT_SECONDS", 60.0)


@pytest.fixture
def n_commits(api: Api) -> Iterator[list[int]]:
    """A number for each commit of a writer since."""
    made: list[int] = []

    def count(connection: Any) -> None:
        if connection.get_execution_options().get("loansvc_writes"):
            made.append(len(made))

    event.listen(api.root.ledger._engine, "commit", count)
    yield made
    event.remove(api.root.ledger._engine, "commit", count)


def decide(number: int, **changes: Any) -> Asked:
    return ("POST", DECISIONS, a_document(number, **changes))


def preview(number: int) -> Asked:
    return ("POST", PREVIEWS, a_document(number))


def environ(api: Api, asked: Asked) -> Environ:
    method, path, document = asked
    headers = [("Authorization", f"Bearer {api.key}")]
    made = EnvironBuilder(path, method=method, headers=headers, json=document).get_environ()
    return {**made, PLACED: True}


async def in_one_round(
    api: Api,
    asked: Iterable[Asked],
    *,
    most: int = 64,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Reply | BaseException]:
    """What is answered to requests that all wait when the first is worked on."""
    gate = threading.Event()

    def gated(environ: Environ, start_response: Any) -> Any:
        gate.wait(10)
        return api.app.wsgi_app(environ, start_response)

    admission, loop = api.app.extensions["admission"], asyncio.get_running_loop()
    with closing(Rounds(gated, api.root.ledger, admission, loop=loop, most=most)) as made:
        waiting = [asyncio.ensure_future(made.ask(environ(api, one), "r")) for one in asked]
        await asyncio.sleep(0)
        meanwhile()
        gate.set()
        return await asyncio.gather(*waiting, return_exceptions=True)


def answers(api: Api, *asked: Asked, **options: Any) -> list[Reply]:
    every = asyncio.run(in_one_round(api, asked, **options))
    found = [one for one in every if isinstance(one, Reply)]
    assert len(found) == len(every), every
    return found


def statuses(found: list[Reply]) -> list[int]:
    return [reply.status for reply in found]


def test_what_is_asked_together_has_one_commit(api: Api, n_commits: list[int]) -> None:
    assert statuses(answers(api, *map(decide, range(8)))) == [201] * 8
    assert len(n_commits) == 1
    assert api.root.ledger.verify() == (9, [])  # the key's entry too


def test_the_same_application_twice_in_a_round_is_decided_once(api: Api) -> None:
    first, again = answers(api, decide(1), decide(1))
    assert (first.status, again.status, again.body) == (201, 200, first.body)


def test_refusals_of_a_round_leave_its_decisions(api: Api) -> None:
    other = decide(1, loan__amount_yuan=119_999)
    asked = [decide(1), other, decide(2), decide(3, loan__term_months=0), decide(4)]
    assert statuses(answers(api, *asked)) == [201, 409, 201, 422, 201]
    assert api.root.ledger.verify() == (4, [])


def test_a_round_that_begins_with_a_refusal_goes_on(api: Api) -> None:
    api.post(a_document(1))
    other = decide(1, loan__amount_yuan=119_999)
    assert statuses(answers(api, other, decide(2), other, decide(3))) == [409, 201, 409, 201]


def test_a_preview_beside_decisions_waits_for_nobody(api: Api) -> None:
    """It counts a variant on a connection of its own, which the round would keep waiting."""
    start = time.monotonic()
    assert statuses(answers(api, decide(1), preview(2), decide(3))) == [201, 200, 201]
    assert time.monotonic() - start < api.root.ledger._writers._patience_s


def fail(_connection: Any) -> None:
    raise OperationalError("COMMIT", None, sqlite3.OperationalError("disk I/O error"))


@contextmanager
def no_commit(api: Api) -> Iterator[None]:
    """No writer's commit succeeds."""

    def fail_writers(connection: Any) -> None:
        if connection.get_execution_options().get("loansvc_writes"):
            fail(connection)

    event.listen(api.root.ledger._engine, "commit", fail_writers)
    yield
    event.remove(api.root.ledger._engine, "commit", fail_writers)


def test_a_commit_that_fails_takes_back_whatever_rests_on_it(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    answers(api, preview(3))  # its variant is known, so that it writes nothing below
    asked = [preview(3), decide(1), decide(1), decide(2), decide(4, loan__term_months=0)]
    with no_commit(api), caplog.at_level(logging.ERROR):
        found = answers(api, *asked)
    assert statuses(found) == [200, 503, 503, 503, 422]
    problem, headers = json.loads(found[1].body), dict(found[1].headers)
    assert problem["code"] == "ledger_unavailable"
    assert 1 <= int(headers[b"Retry-After"]) <= 5
    assert headers[b"X-Request-Id"] == problem["request_id"].encode()
    assert "disk I/O error" in caplog.text
    assert api.root.ledger.verify() == (1, [])  # the key alone
    assert statuses(answers(api, *asked)) == [200, 201, 200, 201, 422]


def test_a_database_error_takes_back_those_before_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = api.root._record

    def spoiled(ledger: Any, subject: Any, application: Any, *others: Any) -> Any:
        if application.application_id.endswith("2"):
            fail(None)
        return record(ledger, subject, application, *others)

    monkeypatch.setattr(api.root, "_record", spoiled)
    found = answers(api, decide(1), decide(2), decide(3))
    assert statuses(found) == [503, 503, 201]  # the third began a round of its own
    assert api.root.ledger.verify() == (2, [])


def test_no_answer_comes_before_the_commit(api: Api) -> None:
    engine, inside, leave = api.root.ledger._engine, threading.Event(), threading.Event()

    def hold(_connection: Any) -> None:
        inside.set()
        assert leave.wait(10)

    async def run() -> None:
        loop, admission = asyncio.get_running_loop(), api.app.extensions["admission"]
        made = Rounds(api.app.wsgi_app, api.root.ledger, admission, loop=loop, most=8)
        waiting = asyncio.ensure_future(made.ask(environ(api, decide(1)), "r"))
        await loop.run_in_executor(None, inside.wait, 10)
        await asyncio.sleep(0.1)
        assert not waiting.done()
        leave.set()
        assert (await waiting).status == 201
        made.close()

    event.listen(engine, "commit", hold)
    asyncio.run(run())
    event.remove(engine, "commit", hold)


def test_more_than_may_wait_are_told_to_come_back(api: Api) -> None:
    found = asyncio.run(in_one_round(api, map(decide, range(5)), most=3))
    assert [isinstance(one, Overloaded) for one in found] == [False] * 3 + [True] * 2


def test_who_has_waited_too_long_is_told_to_come_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "LONGEST_WAIT_SECONDS", 0.05)
    found = answers(api, decide(1), decide(2), meanwhile=lambda: time.sleep(0.1))
    assert statuses(found) == [201, 503]  # the first found nobody there, and waited for nobody
    assert json.loads(found[1].body)["code"] == "overloaded"


def test_an_error_of_ours_is_one_answer_of_a_round(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replies.reply_of

    def spoiled(application: Any, environ: Environ) -> Reply:
        if environ["PATH_INFO"] == PREVIEWS:
            raise RuntimeError
        return whole(application, environ)

    monkeypatch.setattr(rounds, "reply_of", spoiled)
    found = answers(api, decide(1), preview(2), decide(3))
    assert statuses(found) == [201, 500, 201]
    assert json.loads(found[1].body)["code"] == "internal_error"
