"""Load: clients that send applications, keep every id, and look afterwards for what was lost.

closed   each client sends the next application once the one before is decided
open     applications fall due at a rate, however long the answers take; an answer's time counts
         from when its application was due, so that waiting for a free client is not hidden
"""

from __future__ import annotations

import http.client
import itertools
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg

from tests.e2e.service import Answer, Service, an_example

PATIENCE_S = 30.0  # of a client for one application
ATTEMPT_S = 8.0  # after which a client hangs up
PAUSE_S = 0.05  # before the same application again
N_SETTLING = 8
DECISIONS = "/v1/decisions"
BROKEN = 0  # stands for a connection that ended without an answer
DECIDED = frozenset({200, 201})
RETRY_AFTER_S = range(1, 6)
ENTRIES: LiteralString = "SELECT kind, application_id FROM entry WHERE kind <> 'administration'"


@dataclass(frozen=True)
class Attempt:
    """One request: when it was due, sent and ended, and with which status."""

    number: int
    sent_at: float
    ended_at: float
    status: int
    due_at: float

    @property
    def seconds(self) -> float:
        return self.ended_at - self.due_at


def an_application(number: int) -> bytes:
    """The body that sends the example of that number."""
    return json.dumps(an_example(number)).encode()


class Line:
    """One client's connection: kept alive, or a new one for each request."""

    def __init__(self, port: int, key: str, *, keep_alive: bool) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ATTEMPT_S)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._keep_alive = keep_alive

    def post(self, path: str, body: bytes) -> Answer:
        """The answer.

        Raises:
            OSError, http.client.HTTPException: there was none.
        """
        whole = False
        try:
            self._connection.request("POST", path, body, self._headers)
            response = self._connection.getresponse()
            answer = Answer(response.status, dict(response.getheaders()), response.read())
            whole = True
            return answer
        finally:
            if not (whole and self._keep_alive):
                self._connection.close()

    def close(self) -> None:
        self._connection.close()


@dataclass
class Load:
    """What was sent and what came back, by the number of what was sent."""

    port: int
    key: str
    keep_alive: bool = True
    path: str = DECISIONS
    body_of: Callable[[int], bytes] = an_application
    answers: dict[int, Answer] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    wrong: list[Answer] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    # --- what came of it ---

    def count(self) -> Counter[int]:
        """How often each status came, BROKEN among them."""
        return Counter(attempt.status for attempt in self.attempts)

    def answered(self, since: float = 0.0, until: float = float("inf")) -> list[Attempt]:
        """The attempts that were decided, by the time of their answer."""
        return [a for a in self.attempts if a.status in DECIDED and since <= a.ended_at < until]

    def first_answer_after(self, moment: float) -> float:
        """Seconds from a moment to the next answer to a request that was sent after it."""
        ended = [a.ended_at for a in self.answered() if a.sent_at >= moment]
        return min(ended, default=float("inf")) - moment

    def longest_silence(self, since: float) -> float:
        """The longest time without any decision after a moment, in seconds."""
        ended = [since, *sorted(a.ended_at for a in self.answered(since))]
        return max((b - a for a, b in itertools.pairwise(ended)), default=float("inf"))

    def percentile_ms(self, percent: float, statuses: Collection[int] = DECIDED) -> float:
        """That percentile of the time to an answer of these statuses, in milliseconds."""
        taken = sorted(a.seconds for a in self.attempts if a.status in statuses)
        at = min(int(len(taken) * percent / 100), len(taken) - 1)
        return taken[at] * 1000 if taken else float("nan")

    # --- sending ---

    def line(self) -> Line:
        """A connection of this load."""
        return Line(self.port, self.key, keep_alive=self.keep_alive)

    def once(self, line: Line, number: int, *, due_at: float | None = None) -> bool:
        """Send an application; whether it was decided."""
        sent_at = time.monotonic()
        answer = None
        with suppress(OSError, http.client.HTTPException):
            answer = line.post(self.path, self.body_of(number))
        status = answer.status if answer else BROKEN
        due_at = sent_at if due_at is None else due_at
        self.attempts.append(Attempt(number, sent_at, time.monotonic(), status, due_at))
        if answer is not None and status in DECIDED:
            self.answers[number] = answer
        elif answer is not None and not _come_back(answer):
            self.wrong.append(answer)
        return status in DECIDED

    def until_decided(self, line: Line, number: int) -> None:
        """Send an application again and again until it is decided, or patience ends."""
        until = time.monotonic() + PATIENCE_S
        while not self.once(line, number):
            if time.monotonic() > until:
                self.given_up.append(number)
                return
            time.sleep(PAUSE_S)

    def _closed(self, numbers: Iterator[int]) -> None:
        with closing(self.line()) as line:
            while not self._stop.is_set():
                self.until_decided(line, next(numbers))

    def _open(self, numbers: Iterator[tuple[int, float]]) -> None:
        with closing(self.line()) as line:
            for number, due_at in numbers:
                time.sleep(max(0.0, due_at - time.monotonic()))
                self.once(line, number, due_at=due_at)

    def unanswered(self) -> set[int]:
        """The numbers that were sent and not decided."""
        return {attempt.number for attempt in self.attempts} - set(self.answers)

    def settle(self, numbers: Iterable[int]) -> None:
        """Send each of these until it is decided."""
        with ThreadPoolExecutor(N_SETTLING) as pool:
            list(pool.map(self._settle, numbers))

    def _settle(self, number: int) -> None:
        with closing(self.line()) as line:
            self.until_decided(line, number)


@contextmanager
def closed_load(load: Load, *, n_clients: int, first: int = 0) -> Iterator[Load]:
    """Clients that send as fast as they are answered while the block runs.

    `first`: the number of the first application.
    """
    threads = _started(load._closed, n_clients, itertools.count(first))
    try:
        yield load
    finally:
        load._stop.set()
        for thread in threads:
            thread.join(PATIENCE_S + ATTEMPT_S)


def open_load(load: Load, *, per_s: float, seconds: float, n_clients: int, first: int = 0) -> Load:
    """Each application once, at a rate; what was refused or broken is for `settle`."""
    started = time.monotonic()
    due = [(first + i, started + i / per_s) for i in range(round(per_s * seconds))]
    for thread in _started(load._open, n_clients, iter(due)):
        thread.join()
    return load


def ledger_holds(service: Service, answers: dict[int, Answer], *, n_entries: int) -> None:
    """Each acknowledged decision once, as answered, in a ledger that verifies.

    `n_entries`: how many there are, but for those of administration.
    """
    verified = service.run("ledger", "verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)["problems"] == []
    rows = _entries(service)
    assert len(rows) == n_entries
    decided = [name for kind, name in rows if kind == "decision"]
    assert sorted(decided) == sorted(an_example(n)["application_id"] for n in answers)
    replays = Load(service.port, service.key, keep_alive=False)
    replays.settle(answers)
    replayed = {number: (a.status, a.body) for number, a in replays.answers.items()}
    assert replayed == {number: (200, a.body) for number, a in answers.items()}


def _entries(service: Service) -> list[Any]:
    """Kind and application of every entry; SQLite's file is looked through as well."""
    url = service.environment.get("LOANSVC_DATABASE_URL", "")
    if url.startswith("postgresql"):
        with psycopg.connect(url) as server:
            return server.execute(ENTRIES).fetchall()
    with closing(sqlite3.connect(service.home / "ledger.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute(ENTRIES).fetchall()


def until_answered(service: Service, document: Any) -> Answer:
    """The answer to one application, sent again for as long as the service says so."""
    until = time.monotonic() + PATIENCE_S
    with closing(Line(service.port, service.key, keep_alive=False)) as line:
        while time.monotonic() < until:
            with suppress(OSError, http.client.HTTPException):
                answer = line.post(DECISIONS, json.dumps(document).encode())
                if answer.status != 503:
                    return answer
                assert _come_back(answer), answer
            time.sleep(PAUSE_S)
    raise AssertionError("not answered in time")


def _come_back(answer: Answer) -> bool:
    """Whether it is the one refusal that a client may meet: try again, and when."""
    return answer.status == 503 and int(answer.headers.get("Retry-After", 0)) in RETRY_AFTER_S


def _started(target: Any, n: int, numbers: Iterator[Any]) -> list[threading.Thread]:
    """Threads that share the numbers: the next of a `count` or a list goes to one alone."""
    threads = [threading.Thread(target=target, args=(numbers,), daemon=True) for _ in range(n)]
    for thread in threads:
        thread.start()
    return threads
