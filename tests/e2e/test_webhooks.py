"""A bank is told by the built service and its worker: signed, while another receiver hangs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from loansvc.underwriting import now
from tests.e2e.service import PATIENCE_S, Answer, Service, an_example, wait_for
from tests.e2e.test_batches import WorkerProcess, send, standing
from tests.small import lines_of, small_models
from tests.webhooks import Received, is_ours, receiver

A_REVIEW = {"reference": "V-1", "asked_by": "officer", "reason": "referred"}
AN_OVERRIDE = {"reference": "O-1", "outcome": "approve", "reason": "facts_verified"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("webhooks")
    running = Service(folder / "home", small_models(folder)).start()
    yield running
    running.close()


def called(service: Service, path: str, document: Any, key: str) -> Answer:
    answer = service.call("POST", path, document, key=key)
    assert answer.status == 201, answer.body
    return answer


def test_a_bank_hears_of_its_review_and_its_batch_while_another_receiver_hangs(
    service: Service, tmp_path: Path
) -> None:
    released = threading.Event()
    with ExitStack() as stack:
        there, hanging = (stack.enter_context(receiver()) for _ in range(2))
        stack.callback(released.set)
        hanging.answer = lambda _: (204, {}) if released.wait(PATIENCE_S) else None
        added = service.run("webhooks", "add", "demo", there.url)
        assert service.run("webhooks", "add", "demo", hanging.url).returncode == 0
        scopes = ("--scope", "decide", "--scope", "review", "--scope", "read")
        first, second = (
            service.run("keys", "create", "demo", "--holder", name, *scopes).stdout.strip()
            for name in ("A. Asker", "D. Decider")
        )
        worker = WorkerProcess(service)
        stack.callback(worker.close)
        document = an_example(1)
        document["consent"]["scopes"].remove("automated_decision")
        of_one = f"/v1/decisions/{document['application_id']}"
        decided = called(service, "/v1/decisions", document, first).json()
        review = called(service, f"{of_one}/reviews", A_REVIEW, first).json()
        override = called(service, f"{of_one}/override", AN_OVERRIDE, second).json()
        wait_for("both receivers to be asked", lambda: there.came and hanging.came)
        assert send(service, lines_of(an_example(2)), "B-1").status == 202
        wait_for("the batch", lambda: standing(service, "B-1")["state"] == "done")
        wait_for("word of it", lambda: len(there.came) == 2)
        assert not released.is_set()
        released.set()
        wait_for("the other one", lambda: len(hanging.came) == 2)
        worker.signal(signal.SIGTERM)
        status, said = worker.ended()
    assert status == 0, said
    assert all(is_ours(one, added.stdout.strip(), now=now()) for one in there.came)
    assert [json.loads(one.body)["data"] for one in there.came] == [
        {
            "application_id": document["application_id"], "decision_id": decided["decision_id"],
            "review_id": review["review_id"], "override_id": override["override_id"],
        },
        {"batch_id": "B-1"},
    ]  # fmt: skip
    assert there.url not in said
    assert document["applicant"]["id_number"] not in said


def test_a_worker_that_is_to_end_by_itself_ends_when_it_is_told_to(
    service: Service, tmp_path: Path
) -> None:
    """It would be at it for longer than a test may take; what is left waits."""

    def slowly(_: Received) -> tuple[int, dict[str, str]]:
        time.sleep(0.2)
        return 204, {}

    with receiver() as slow:
        slow.answer = slowly
        assert service.run("webhooks", "add", "demo", slow.url).returncode == 0
        for number in range(100):
            assert send(service, lines_of({}), f"MANY-{number}").status == 202
        worker = subprocess.Popen(
            [sys.executable, "-m", "loansvc", "worker", "--once"], env=service.environment
        )
        try:
            wait_for("a message", lambda: slow.came)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(PATIENCE_S) == 0
        finally:
            worker.kill()
            worker.wait(PATIENCE_S)
        assert len(slow.came) < 50
