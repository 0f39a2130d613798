"""Smuggling: nobody gets an answer to what another one hid, through the shipped proxy or without.

Every case is sent with an innocent request right behind it on its connection, then innocent ones on
connections of their own: the proxy shares its connections to the service among its callers.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from loansvc.settings import WORKERS
from tests.e2e.hostile import NO_LIMITS
from tests.e2e.proxy import Proxy, needs_nginx
from tests.e2e.service import Service, an_example
from tests.e2e.smuggling import FIRST, HIDDEN, HIDES_NOTHING, INNOCENT, SECOND, TOKEN, cases
from tests.small import small_models

PATIENCE_S = 2.0  # for a reader that waits for more; what comes later is not looked at
CALLERS, OTHERS = 8, 2
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


@pytest.fixture(scope="module", params=WORKERS)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("smuggling")
    settings = NO_LIMITS | {"LOANSVC_WORKER": request.param}
    made = Service(folder / "home", small_models(folder), **settings).start()
    for name in (FIRST, HIDDEN, INNOCENT):
        assert made.post(an_example(1) | {"application_id": name}).status == 201
    yield made
    made.close()


@pytest.fixture(params=["direct", pytest.param("proxied", marks=needs_nginx)])
def port(request: pytest.FixtureRequest, service: Service, tmp_path: Path) -> Iterator[int]:
    if request.param == "direct":
        yield service.port
        return
    proxy = Proxy(tmp_path / "nginx", service.port)
    yield proxy.port
    proxy.close()


def sent(port: int, data: bytes) -> bytes:
    """What comes back until the other side closes, or has said all it will say for now."""
    found = b""
    # OSError: reset, or nothing more within our patience
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE_S) as caller:
        caller.sendall(data)
        while chunk := caller.recv(65_536):
            found += chunk
    return found


def answers(raw: bytes, *, bodiless: bool) -> list[str]:
    """Whose decision each answer is, or its status; `bodiless`: the first was asked by HEAD."""
    found: list[str] = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 "):
            return [*found, "bytes"]  # HTTP/0.9 has no head
        status, length = head[9:12].decode(), LENGTH.search(head)
        n = int(length[1]) if length and not (bodiless and not found) else 0
        body, raw = rest[:n], rest[n:]
        if status != "100":
            document = json.loads(body) if status == "200" and body.startswith(b"{") else {}
            found.append(document.get("application_id", status))
    return found


def faults_of(name: str, found: list[str]) -> Iterator[str]:
    """What is wrong with the answers to a case and the innocent request behind it."""
    if HIDDEN in found and name not in HIDES_NOTHING:
        yield "what was hidden is answered"
    if INNOCENT in found and (found.index(INNOCENT) == 0 or found[-1] != INNOCENT):
        yield "the innocent one has another one's place"
    if len(found) > 2 + (name in HIDES_NOTHING):
        yield "more answers than requests"
    if any(one.startswith("5") for one in found):
        yield "an error of ours"


Told = tuple[str, list[str], list[str]]


def tried(port: int, key: bytes, case: tuple[str, bytes], *, known: bool) -> Told:
    """A case with its key or a wrong one: its name, its answers, and what was wrong with any."""
    name, data = case
    first = data if known else data.replace(TOKEN, b"x" * len(TOKEN), 1)
    raw = sent(port, (first + SECOND).replace(TOKEN, key))
    found = answers(raw, bodiless=data.startswith(b"HEAD"))
    wrong = list(faults_of(name, found))
    for _ in range(OTHERS):
        other = answers(sent(port, SECOND.replace(TOKEN, key)), bodiless=False)
        if other != [INNOCENT]:
            wrong.append(f"another caller was answered {other}")
    return name, found, wrong


@pytest.mark.parametrize("known", [True, False], ids=["its key is known", "its key is wrong"])
def test_nobody_is_answered_what_another_one_hid(service: Service, port: int, known: bool) -> None:
    """With a wrong key the service answers before it has read what is hidden in the body."""
    all_cases, key = list(cases()), service.key.encode()
    assert len(all_cases) >= 64
    assert len(key) == len(TOKEN)
    with ThreadPoolExecutor(CALLERS) as callers:
        told = list(callers.map(partial(tried, port, key, known=known), all_cases))
    wrong = [f"{name}: {one} (answers {found})" for name, found, all_ in told for one in all_]
    assert not wrong, "\n".join(wrong)
    n_answered = sum(bool(found) for _, found, _ in told)
    assert n_answered > 0.8 * len(told), told  # else nothing was tried


OWN = b'{"application_id": "INNOCENT"}'
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(OWN), OWN)
BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"
NO_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", []),
        (BAD, ["400"]),
        (BAD + GOOD, ["400", INNOCENT]),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + BAD + GOOD.replace(b"INNOCENT", b"HIDDENED"),
         ["400", "HIDDENED"]),
        (b"no head", ["bytes"]),
    ],
)  # fmt: skip
def test_answers_are_told_apart(raw: bytes, found: list[str]) -> None:
    assert answers(raw, bodiless=False) == found
    assert answers(NO_BODY + raw, bodiless=True) == ["200", *found]


@pytest.mark.parametrize(
    ("found", "n_wrong"),
    [
        ([], 0), (["400"], 0), (["400", INNOCENT], 0), ([FIRST, INNOCENT], 0),
        ([INNOCENT], 1), (["400", HIDDEN], 1), (["400", HIDDEN, INNOCENT], 2), ([HIDDEN], 1),
        (["400", INNOCENT, "400"], 2), (["500"], 1), (["400", "400", "400"], 1),
    ],
)  # fmt: skip
def test_what_is_wrong_with_answers_is_found(found: list[str], n_wrong: int) -> None:
    assert len(list(faults_of("a case", found))) == n_wrong
