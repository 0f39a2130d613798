"""Hundreds of hostile requests against every POST operation of the built service, and what is left.

No answer is an error of ours, none takes long, none gives back what was sent; afterwards the same
workers are there, the log is clean, and the ledger verifies. `pytest -s` prints the slowest.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import pytest

from loansvc.ledger.keys import SCOPES
from tests.e2e.hostile import (
    GENERATORS,
    NDJSON,
    NO_LIMITS,
    PRIVATE,
    TAKEN,
    Case,
    Route,
    cases_of,
    leaves,
    routes_of,
)
from tests.e2e.service import Service, an_example, memory_kb
from tests.small import small_models

HANG_S = 5.0  # ten times what any case may take; the figure itself is printed, not held to
MOST_GROWTH_KB = 100 * 1024
STATUS = re.compile(rb"^HTTP/1\.[01] ([0-9]{3}) ", re.MULTILINE)
PROBLEM = {"type", "title", "status", "code", "detail", "request_id"}


@dataclass(frozen=True)
class Answered:
    """What came back for a case, and after how long."""

    case: Case
    raw: bytes
    seconds: float
    reset: bool

    @property
    def statuses(self) -> list[int]:
        """Of every answer in it but "go on"."""
        return [int(s) for s in STATUS.findall(self.raw) if s != b"100"]

    @property
    def body(self) -> bytes:
        return self.raw.rpartition(b"\r\n\r\n")[2]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path / "home", small_models(tmp_path / "small"), **NO_LIMITS).start()
    yield running
    running.close()


def send(service: Service, case: Case) -> Answered:
    """Everything that comes back for these bytes, the sending side closed behind them."""
    started = time.monotonic()
    found, reset = b"", False
    with socket.create_connection(("127.0.0.1", service.port), timeout=HANG_S) as connection:
        with suppress(OSError):  # it may answer before all is sent
            connection.sendall(case.sent)
            connection.shutdown(socket.SHUT_WR)
        try:
            while chunk := connection.recv(65_536):
                found += chunk
        except ConnectionResetError:
            reset = True
        except TimeoutError:
            pass  # told by the time it took
    return Answered(case, found, time.monotonic() - started, reset)


def faults_of(answered: Answered, private: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with an answer."""
    case, raw = answered.case, answered.raw
    if answered.seconds >= HANG_S:
        yield f"no answer within {HANG_S} s"
        return
    if not answered.statuses:
        if not case.silent or answered.reset:
            yield f"no answer, {'reset' if answered.reset else 'closed'}"
        return
    [status, *more] = answered.statuses
    if more:
        yield f"{1 + len(more)} answers to one request"
    if status >= 500:
        yield f"status {status}"
    if status == 429 and not case.limited:
        yield "is not looked at, but told to come back later"
    if case.refused and status in TAKEN:
        yield f"taken with {status}"
    if status >= 400:
        yield from _faults_of_refusal(raw, answered.body, private)
    for trace in (b"Traceback", b'File "', b"site-packages", b"gunicorn/", b"Werkzeug"):
        if trace in raw:
            yield f"tells {trace.decode()}"


def _faults_of_refusal(raw: bytes, body: bytes, private: tuple[str, ...]) -> Iterator[str]:
    if b"application/problem+json" not in raw:
        yield "is no problem document"
    if body:  # none comes with an answer to HEAD
        try:
            document = json.loads(body)
        except ValueError:
            document = {}
        if not set(document) >= PROBLEM or document["type"] != f"/problems/{document['code']}":
            yield "has another shape than a problem"
    text = raw.decode("utf-8", "replace")
    yield from (f"gives back {word!r}" for word in private if word in text)


def private_of(route: Route) -> tuple[str, ...]:
    """What must stand in no refusal and no log: marks, the key's secret, the example's person."""
    named = [v for p, v in leaves(route.example) if p[-1] in ("id_number", "uscc", "consent_id")]
    return (*PRIVATE, route.key.split("_", 2)[2], *named)


def log_faults(log: str, private: set[str]) -> list[str]:
    """What the log must not hold."""
    found = [f"the log holds {word!r}" for word in sorted(private) if word in log]
    odd = {c for c in log if c != "\n" and not c.isprintable()}
    return [
        *found, *(f"the log holds the character {c!r}" for c in sorted(odd)),
        *(["the log holds a traceback"] if "Traceback" in log else []),
    ]  # fmt: skip


def the_routes(service: Service) -> list[Route]:
    """Every POST operation, each on a decided application of its own, with a key that opens all.

    Another key of the client decided them, so that this one, a person's, may review them; whoever
    an example is of has an application.
    """
    decider = new_key(service, "--scope", "decide")
    key = new_key(service, "--holder", "A. Nother", *(p for s in SCOPES for p in ("--scope", s)))
    examples = map(an_example, count(1001))
    contract = service.get("/openapi.json", key="").json()
    values = ({"application_id": e["application_id"], "batch_id": "DONE"} for e in examples)
    found = routes_of(contract, key=key, values=values)
    of_batch = {"Content-Type": NDJSON, "Authorization": f"Bearer {decider}"}
    assert service.send("POST", "/v1/batches?batch_id=DONE", b"{}", of_batch).status == 202
    people = [route.example.get("id_number") for route in found]
    for number, id_number in enumerate(people, start=1001):
        document = an_example(number)
        document["applicant"]["id_number"] = id_number or document["applicant"]["id_number"]
        assert service.post(document, key=decider).status == 201
    return found


def new_key(service: Service, *options: str) -> str:
    made = service.run("keys", "create", "hostile", *options)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.mark.parametrize("nth", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_no_hostile_request_is_an_error_of_ours_or_leaves_a_trace(
    service: Service, nth: int
) -> None:
    """Of each route every n-th case, and each case at every n-th route."""
    routes = the_routes(service)
    for route in routes:  # else every refusal below might be for another reason
        good = send(
            service, Case("good", route.request(json.dumps(route.document("good")).encode()))
        )
        assert set(good.statuses) <= TAKEN, (route.template, good.raw)
    for number in range(10, 40):
        service.post(an_example(number))
    workers = service.workers()
    memory = sum(map(memory_kb, workers))

    answers, faults, private = [], [], set[str]()
    for generator in GENERATORS:
        for number, route in enumerate(routes):
            of_route = private_of(route)
            private.update(of_route)
            for case in islice(cases_of(generator, route), number % nth, None, nth):
                answered = send(service, case)
                answers.append(answered)
                faults += [f"{case.name}: {fault}" for fault in faults_of(answered, of_route)]
    report(answers)

    assert not faults, "\n".join(faults[:100])
    assert len(answers) >= 500
    assert service.workers() == workers
    assert sum(map(memory_kb, workers)) - memory <= MOST_GROWTH_KB
    assert log_faults(service.log(), private) == []
    assert service.post(an_example(99)).status == 201
    verified = service.run("ledger", "verify")
    assert (verified.returncode, verified.stderr) == (0, "")


A_PROBLEM = json.dumps({**dict.fromkeys(PROBLEM, "x"), "type": "/problems/x"}).encode()
HEAD = b"HTTP/1.1 422 X\r\nContent-Type: application/problem+json\r\n"


@pytest.mark.parametrize(
    ("raw", "seconds", "fault"),
    [
        (HEAD + b"\r\n" + A_PROBLEM, 0.0, None),
        (HEAD + b"\r\n" + A_PROBLEM, HANG_S, "no answer within 5.0 s"),
        (b"", 0.0, "no answer, closed"),
        (HEAD.replace(b"422", b"503") + b"\r\n" + A_PROBLEM, 0.0, "status 503"),
        (b"HTTP/1.1 201 X\r\n\r\n{}", 0.0, "taken with 201"),
        (HEAD + b"\r\n" + A_PROBLEM + b"\n" + HEAD + b"\r\n" + A_PROBLEM, 0.0,
         "2 answers to one request"),
        (HEAD.replace(b"problem+", b"") + b"\r\n" + A_PROBLEM, 0.0, "is no problem document"),
        (HEAD + b"\r\n{}", 0.0, "has another shape than a problem"),
        (HEAD + b"X: " + PRIVATE[0].encode() + b"\r\n\r\n" + A_PROBLEM, 0.0,
         f"gives back {PRIVATE[0]!r}"),
        (HEAD + b"X: Traceback\r\n\r\n" + A_PROBLEM, 0.0, "tells Traceback"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_answer_is_found(
    raw: bytes, seconds: float, fault: str | None
) -> None:
    answered = Answered(Case("", b""), raw, seconds, reset=False)
    assert list(faults_of(answered, PRIVATE)) == ([fault] if fault else [])


@pytest.mark.parametrize("line", [PRIVATE[0], "a\x1b[31m", "a\x00", "Traceback (most recent"])
def test_what_a_log_must_not_hold_is_found(line: str) -> None:
    assert log_faults("request 1 is not HTTP\n", set(PRIVATE)) == []
    assert len(log_faults(f"request 1\n{line}\n", set(PRIVATE))) == 1


def report(answers: list[Answered]) -> None:
    """How many cases there were, of which status, and the slowest."""
    statuses = Counter(next(iter(a.statuses), 0) for a in answers)
    print(
        f"\n{len(answers)} cases:", *(f"{status} x {n}" for status, n in sorted(statuses.items()))
    )
    for a in sorted(answers, key=lambda a: -a.seconds)[:5]:
        print(f"{a.seconds * 1000:7.0f} ms  {a.case.name}")
