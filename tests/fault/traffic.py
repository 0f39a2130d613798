"""Traffic: clients that send applications and never give up, and the rule for all faults.

Each client sends one application after the other, each again under the same application_id until it
is answered, for up to 30 s; every attempt is kept.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sqlite3
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import psycopg

from tests.e2e.service import Answer, Service, an_example

N_CLIENTS = 8
PATIENCE_S = 30.0
ATTEMPT_S = 8.0  # after which a client hangs up
PAUSE_S = 0.05  # before the same application again
RECOVERY_S = 5.0  # after the fault has ended
BROKEN = 0  # stands for a connection that ended without an answer


@dataclass(frozen=True)
class Attempt:
    """One request: when it was sent and ended, and with which status."""

    number: int
    sent_at: float
    ended_at: float
    status: int

    @property
    def seconds(self) -> float:
        return self.ended_at - self.sent_at


@dataclass
class Traffic:
    """What was sent and what came back; complete once the block has ended."""

    service: Service
    answers: dict[int, Answer] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    wrong: list[Answer] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def count(self) -> Counter[int]:
        """How often each status came, BROKEN among them."""
        return Counter(attempt.status for attempt in self.attempts)

    def answered(self, since: float = 0.0, until: float = float("inf")) -> list[Attempt]:
        """The attempts that were decided, by the time of their answer."""
        return [a for a in self.attempts
                if a.status in {200, 201} and since <= a.ended_at < until]  # fmt: skip

    def first_answer_after(self, moment: float) -> float:
        """Seconds from a moment to the next answer to a request that was sent after it."""
        ended = [a.ended_at for a in self.answered() if a.sent_at >= moment]
        return min(ended, default=float("inf")) - moment

    def longest_silence(self, since: float) -> float:
        """The longest time without any decision after a moment, in seconds."""
        ended = [since, *sorted(a.ended_at for a in self.answered(since))]
        return max((b - a for a, b in itertools.pairwise(ended)), default=float("inf"))

    def percentile_ms(self, percent: int) -> float:
        """That percentile of the time to a decision, in milliseconds."""
        taken = [a.seconds for a in self.answered()]
        return statistics.quantiles(taken, n=100)[percent - 1] * 1000

    def send(self, numbers: Iterator[int]) -> None:
        while not self._stop.is_set():
            number = next(numbers)
            until = time.monotonic() + PATIENCE_S
            while not self._once(number):
                if time.monotonic() > until:
                    self.given_up.append(number)
                    break
                time.sleep(PAUSE_S)

    def _once(self, number: int) -> bool:
        """Whether it was answered."""
        sent_at = time.monotonic()
        try:
            answer = self.service.post(an_example(number), timeout_s=ATTEMPT_S)
        except (OSError, http.client.HTTPException):
            self.attempts.append(Attempt(number, sent_at, time.monotonic(), BROKEN))
            return False
        self.attempts.append(Attempt(number, sent_at, time.monotonic(), answer.status))
        if answer.status in {200, 201}:
            self.answers[number] = answer
            return True
        if answer.status != 503 or "Retry-After" not in answer.headers:
            self.wrong.append(answer)
        return False

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def traffic(service: Service, *, n_clients: int = N_CLIENTS, first: int = 0) -> Iterator[Traffic]:
    """Clients that send as fast as they are answered while the block runs."""
    running = Traffic(service)
    numbers = itertools.count(first)
    threads = [
        threading.Thread(target=running.send, args=(numbers,), daemon=True)
        for _ in range(n_clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stop()
        for thread in threads:
            thread.join(PATIENCE_S + ATTEMPT_S)


def survived(service: Service, *sent: Traffic, others: int = 0) -> str:
    """Hold the service to the rule, and say it in figures; `others`: entries that others made."""
    answers = {n: answer for one in sent for n, answer in one.answers.items()}
    assert [answer.body for one in sent for answer in one.wrong] == []
    assert [number for one in sent for number in one.given_up] == []
    ledger_holds(service, answers, n_entries=len(answers) + others)
    statuses = sum((one.count() for one in sent), Counter[int]())
    return (
        f"{len(answers)} decisions, 0 lost, 0 doubled, {statuses[503]} times 503, "
        f"{statuses[BROKEN]} broken connections"
    )


def ledger_holds(service: Service, answers: dict[int, Answer], *, n_entries: int) -> None:
    """Each acknowledged decision once, as answered, in a ledger that verifies."""
    verified = service.run("ledger", "verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(verified.stdout) == {"entries": n_entries, "problems": []}
    names = decided(service)
    assert sorted(names) == sorted(an_example(n)["application_id"] for n in answers)
    with ThreadPoolExecutor(N_CLIENTS) as pool:
        again = pool.map(lambda number: service.post(an_example(number)), answers)
        for answer, replayed in zip(answers.values(), again, strict=True):
            assert (replayed.status, replayed.body) == (200, answer.body)


def decided(service: Service) -> list[str]:
    """The application of every decision there is; SQLite's file is looked through as well."""
    query = "SELECT application_id FROM entry WHERE kind = 'decision'"
    if url := service.environment.get("LOANSVC_DATABASE_URL"):
        with psycopg.connect(url) as server:
            return [row[0] for row in server.execute(query).fetchall()]
    with closing(sqlite3.connect(service.home / "ledger.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in connection.execute(query)]
