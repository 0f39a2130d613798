"""Requests that come in pieces, or several at once: each is answered, without a pause of ours."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from loansvc.settings import WORKERS
from tests.e2e.service import Service, an_example
from tests.small import small_models

QUICK_S = 9.0  # less than the time a whole request is given


@pytest.fixture(scope="module", params=WORKERS)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("arrivals")
    made = Service(folder / "home", small_models(folder), LOANSVC_WORKER=request.param).start()
    yield made
    made.close()


def a_request(service: Service, number: int, *headers: str, body: bytes | None = None) -> bytes:
    body = json.dumps(an_example(number)).encode() if body is None else body
    lines = [
        "POST /v1/decisions HTTP/1.1", "Host: x", f"Authorization: Bearer {service.key}",
        "Content-Type: application/json", f"Content-Length: {len(body)}", *headers,
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def status_after(service: Service, pieces: list[bytes], *, n_answers: int = 1) -> list[int]:
    """The statuses of the answers to what is sent piece by piece."""
    statuses = []
    with closing(socket.create_connection(("127.0.0.1", service.port), QUICK_S)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.002)
        # One reader for all answers: that of the first may have read on into the next.
        with connection.makefile("rb") as reader:
            for _ in range(n_answers):
                statuses.append(int(reader.readline().split()[1]))
                told = http.client.parse_headers(reader)
                reader.read(int(told["Content-Length"]))
    return statuses


def test_a_request_that_comes_byte_by_byte_is_answered(service: Service) -> None:
    data = a_request(service, 1)
    head = data.index(b"\r\n\r\n") + 10
    assert status_after(service, [data[i : i + 1] for i in range(head)] + [data[head:]]) == [201]


def test_a_connection_is_used_again_after_pieces(service: Service) -> None:
    data = a_request(service, 2)
    pieces = [data[:30], data[30:400], data[400:]]
    assert status_after(service, [*pieces, *pieces], n_answers=2) == [201, 200]


def test_two_requests_in_one_piece_are_two_answers(service: Service) -> None:
    data = a_request(service, 3)
    assert status_after(service, [data + data], n_answers=2) == [201, 200]
    assert status_after(service, [data + data[:50], data[50:]], n_answers=2) == [200, 200]


def test_who_says_no_more_after_a_request_is_answered(service: Service) -> None:
    with closing(socket.create_connection(("127.0.0.1", service.port), QUICK_S)) as connection:
        connection.sendall(a_request(service, 4))
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100).startswith(b"HTTP/1.1 201")


@pytest.mark.parametrize("n_bytes", [64 * 1024, 64 * 1024 + 1, 90 * 1024])
def test_a_large_body_in_pieces_is_refused_without_a_pause(service: Service, n_bytes: int) -> None:
    data = a_request(service, 5, body=b" " * n_bytes)
    pieces = [data[i : i + 8000] for i in range(0, len(data), 8000)]
    expected = 400 if n_bytes <= 64 * 1024 else 413
    assert status_after(service, pieces) == [expected]


def test_who_asks_whether_to_go_on_is_told_so(service: Service) -> None:
    data = a_request(service, 6, "Expect: 100-continue")
    end = data.index(b"\r\n\r\n") + 4
    with closing(socket.create_connection(("127.0.0.1", service.port), QUICK_S)) as connection:
        connection.sendall(data[:end])
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(data[end:])
        assert connection.recv(100).startswith(b"HTTP/1.1 201")


@pytest.mark.parametrize("n_sent", [0, 10, 40, 300, 700])
def test_who_leaves_in_the_middle_is_let_go_at_once(service: Service, n_sent: int) -> None:
    with closing(socket.create_connection(("127.0.0.1", service.port), QUICK_S)) as connection:
        connection.sendall(a_request(service, 7)[:n_sent])
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):  # a refusal, perhaps, and the end
            pass


def test_a_worker_sleeps_while_it_waits_for_half_a_request(service: Service) -> None:
    """What was looked at stays unread: it must not wake the worker again and again."""
    with closing(socket.create_connection(("127.0.0.1", service.port), QUICK_S)) as connection:
        connection.sendall(a_request(service, 8)[:40])
        time.sleep(0.2)
        before = sum(map(cpu_seconds, service.workers()))
        time.sleep(1.0)
        assert sum(map(cpu_seconds, service.workers())) - before < 0.3


def cpu_seconds(pid: int) -> float:
    """What a process has computed so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
