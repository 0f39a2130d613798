"""Batches through the built service and a worker of its own: streamed, refused, signed, typed."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loansvc.batching.working import LEASE_MS
from tests.contract.test_http_signatures import signed_headers
from tests.e2e.service import PATIENCE_S, Answer, Service, an_example, memory_kb, wait_for
from tests.e2e.test_access import signing_key
from tests.small import lines_of, small_models

NDJSON = "application/x-ndjson"
WORKER = """
import sys
from loansvc.batching import working
from loansvc.cli import main
from loansvc.ledger import outbox
working.LEASE_MS = outbox.LEASE_MS = int(sys.argv.pop())
sys.argv[0:] = ["loansvc", "worker"]
main()
"""
PAGE = (Path(__file__).parents[2] / "docs" / "batches.md").read_text("utf-8")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("batches")
    running = Service(folder / "home", small_models(folder), LOANSVC_BATCH_MB="20").start()
    yield running
    running.close()


class WorkerProcess:
    """One `loansvc worker` on the home of a service; `lease_ms` where a test cannot wait for it."""

    def __init__(self, service: Service, *, lease_ms: int = LEASE_MS) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(lease_ms)],
            env=service.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def signal(self, which: signal.Signals) -> None:
        self._process.send_signal(which)

    def ended(self) -> tuple[int, str]:
        """Its exit status and what it said."""
        said = self._process.communicate(timeout=PATIENCE_S)[1]
        return self._process.returncode, said

    def close(self) -> None:
        """Leave nothing running."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate(timeout=PATIENCE_S)


def send(service: Service, body: Any, batch_id: str, **headers: str) -> Answer:
    """A batch; `body` in pieces goes in chunks."""
    given = {"Authorization": f"Bearer {service.key}", "Content-Type": NDJSON, **headers}
    return service.send("POST", f"/v1/batches?batch_id={batch_id}", body, given)


def standing(service: Service, batch_id: str) -> Any:
    return service.get(f"/v1/batches/{batch_id}").json()


def results(service: Service, batch_id: str) -> list[Any]:
    answer = service.get(f"/v1/batches/{batch_id}/results")
    assert (answer.status, answer.headers["Content-Type"]) == (200, NDJSON)
    return [json.loads(line) for line in answer.body.splitlines()]


def test_a_long_batch_in_chunks_is_read_in_bounded_memory(service: Service) -> None:
    """10 MB that no row of which is an application, and one that is."""
    before = max(memory_kb(pid, "VmHWM") for pid in service.workers())
    filler = (json.dumps({"note": "x" * 10_000}) + "\n").encode()

    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield filler * 10
        yield lines_of(an_example(99))

    taken = send(service, pieces(), "LONG")
    assert taken.status == 202, taken.body
    assert taken.json()["rows"] == 1001
    after = max(memory_kb(pid, "VmHWM") for pid in service.workers())
    assert after - before < 8_000, "KB"
    assert service.run("worker", "--once").returncode == 0
    assert [(r["row"], r["status"]) for r in results(service, "LONG") if r["status"] != 422] == [
        (1001, 201)
    ]


def test_a_worker_decides_what_waits_and_ends_when_it_is_told_to(service: Service) -> None:
    worker = WorkerProcess(service)
    try:
        documents = [an_example(n) for n in range(100, 200)]
        assert send(service, lines_of(*documents), "W-1").status == 202
        wait_for("the batch", lambda: standing(service, "W-1")["state"] == "done")
        for document, one in zip(documents, results(service, "W-1"), strict=True):
            assert one["application_id"] == document["application_id"]
            again = service.post(document)
            assert (again.status, again.json()) == (200, one["decision"])
        worker.signal(signal.SIGHUP)
        assert send(service, lines_of(an_example(200)), "B-2").status == 202
        wait_for("the next one", lambda: standing(service, "B-2")["state"] == "done")
        worker.signal(signal.SIGTERM)
        status, said = worker.ended()
        assert status == 0, said
        assert "editions read again" in said
        assert "Traceback" not in said
    finally:
        worker.close()


def test_a_worker_that_is_told_to_end_leaves_the_rest_to_the_next(service: Service) -> None:
    assert send(service, lines_of(*(an_example(n) for n in range(300, 700))), "B-3").status == 202
    first = WorkerProcess(service)
    try:
        wait_for("some rows", lambda: standing(service, "B-3")["rows_over"] > 0)
        first.signal(signal.SIGTERM)
        assert first.ended()[0] == 0
        assert standing(service, "B-3")["state"] == "running"
        assert service.run("worker", "--once").returncode == 0, "it need not wait for a lease"
        assert standing(service, "B-3")["state"] == "done"
        assert [one["status"] for one in results(service, "B-3")] == [201] * 400
    finally:
        first.close()


def test_a_signed_batch_is_taken_if_its_body_is_the_one_that_was_signed(
    service: Service, tmp_path: Path
) -> None:
    key_id, private = signing_key(service, tmp_path)
    body = lines_of(*(an_example(n) for n in range(800, 860)))
    at = f"http://127.0.0.1:{service.port}/v1/batches"
    for batch_id, sent, status in (("S-1", body, 202), ("S-2", body[:-1] + b" ", 401)):
        url = f"{at}?batch_id={batch_id}"
        headers = signed_headers("POST", url, body, kind=NDJSON, key_id=key_id, private_key=private)
        with closing(http.client.HTTPConnection("127.0.0.1", service.port)) as connection:
            connection.request("POST", url.partition(str(service.port))[2], sent, headers)
            response = connection.getresponse()
            assert response.status == status, response.read()
            response.read()
    seen = signed_headers("GET", at, b"", key_id=key_id, private_key=private)
    with closing(http.client.HTTPConnection("127.0.0.1", service.port)) as connection:
        connection.request("GET", "/v1/batches", headers=seen)
        listed = json.loads(connection.getresponse().read())["data"]
    assert [one["batch_id"] for one in listed] == ["S-1"], "nothing is kept of the other"


def test_a_sender_who_hangs_up_leaves_nothing(service: Service) -> None:
    head = (
        "POST /v1/batches?batch_id=GONE HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        f"{service.key}\r\nContent-Type: {NDJSON}\r\nContent-Length: 9999999\r\n\r\n"
    )
    body = lines_of(*(an_example(n) for n in range(300)))
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(head.encode() + body)
        wait_for("its beginning", lambda: service.get("/v1/batches/GONE").status == 200)
    wait_for("nothing of it", lambda: service.get("/v1/batches/GONE").status == 404)


def test_a_sender_who_stops_is_not_waited_for_and_one_who_goes_on_is(service: Service) -> None:
    """A long body may take longer than the time for any other, if it goes on coming."""
    row = json.dumps(an_example(900)).encode() + b"\n"
    chunk = b"%x\r\n%s\r\n" % (50 * len(row), 50 * row)

    def begun(batch_id: str) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S)
        made.sendall(
            f"POST /v1/batches?batch_id={batch_id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            f"{service.key}\r\nContent-Type: {NDJSON}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
            + chunk
        )
        return made

    def answered(connection: socket.socket) -> bytes:
        found = b""
        while b"}" not in found:
            found += connection.recv(65_536) or b"}"
        return found

    def refused(stopped: socket.socket) -> tuple[bytes, float]:
        since = time.monotonic()
        return answered(stopped), time.monotonic() - since

    with (
        begun("STOPS") as stopped, begun("GOES-ON") as going, ThreadPoolExecutor(1) as beside
    ):  # fmt: skip
        told = beside.submit(refused, stopped)
        started = time.monotonic()
        while time.monotonic() - started < 12:
            going.sendall(chunk)
            time.sleep(1)
        going.sendall(b"0\r\n\r\n")
        assert b" 202 " in answered(going)
        found, after_s = told.result(PATIENCE_S)
    assert b" 400 " in found, found
    assert b"could not be read whole" in found, found
    assert 5 < after_s < 20
    assert service.get("/v1/batches/STOPS").status == 404
    assert service.run("worker", "--once").returncode == 0


@pytest.mark.parametrize("key", ["", "lsk_0123456789ab_" + "A" * 43])
def test_a_long_body_of_a_stranger_is_refused_and_not_kept(service: Service, key: str) -> None:
    body = b"x" * 5_000_000
    refused = send(service, body, "STRANGER", Authorization=f"Bearer {key}")
    assert refused.status == 401
    assert service.get("/healthz", key="").status == 200


def test_nothing_that_was_sent_stands_in_the_log_or_the_files(service: Service) -> None:
    body = lines_of(an_example(950), {"applicant": "CANARYNAME"}) + b'{"CANARYNAME": \n'
    assert send(service, body, "B-9").status == 202
    files = [path for path in service.home.iterdir() if path.name.startswith("ledger.db")]
    stored = b"".join(path.read_bytes() for path in files)
    for text in (an_example(950)["applicant"]["id_number"], "CANARYNAME"):
        assert text.encode() not in stored
        assert text not in service.log()
    assert service.run("worker", "--once").returncode == 0
