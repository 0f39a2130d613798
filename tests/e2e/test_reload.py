"""A folder of editions that is wrong: who serves goes on, and says why it did not reload."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.service import N_WORKERS, Service, an_example, wait_for
from tests.load import DECIDED, Load, closed_load, ledger_holds
from tests.small import publish_rival, small_models


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path / "home", small_models(tmp_path)).start()
    yield made
    made.close()


def master(service: Service) -> int:
    assert service._process is not None
    return service._process.pid


def policy_of(service: Service) -> Path:
    folder = Path(service.environment["LOANSVC_MODELS"]) / "policies"
    return min(folder.rglob("*.toml"))


def test_a_wrong_folder_is_not_taken_and_the_workers_stay(service: Service) -> None:
    before, policy = service.workers(), policy_of(service)
    good = policy.read_bytes()
    policy.write_bytes(good[: len(good) // 2])
    os.kill(master(service), signal.SIGHUP)
    line = wait_for("the refusal", lambda: "not reloaded" in service.log() and service.log())
    assert "Traceback" not in line
    assert policy.name in line.split("not reloaded")[1].splitlines()[0]
    assert service.workers() == before
    assert service.post(an_example(1)).status == 201
    policy.write_bytes(good)
    os.kill(master(service), signal.SIGHUP)
    wait_for("new workers", lambda: len(service.workers()) == N_WORKERS
             and not set(service.workers()) & set(before))  # fmt: skip
    assert service.post(an_example(2)).status == 201


def test_a_worker_that_dies_beside_a_wrong_folder_does_not_end_the_service(
    service: Service,
) -> None:
    policy = policy_of(service)
    good = policy.read_bytes()
    policy.write_bytes(b"")
    killed = service.workers()[0]
    os.kill(killed, signal.SIGKILL)
    wait_for("the complaint", lambda: "this worker cannot start" in service.log())
    time.sleep(1.5)
    assert service.get("/healthz", key="").status == 200
    policy.write_bytes(good)
    n_booted = len(service.log().split("Booting worker"))
    wait_for("one more worker", lambda: len(service.log().split("Booting worker")) > n_booted)
    for number in range(8):
        with suppress(ConnectionError):  # of the worker that was killed
            assert service.post(an_example(number)).status in (200, 201)


def test_a_challenger_begins_on_a_running_service_and_no_request_is_lost(
    service: Service, tmp_path: Path
) -> None:
    """Published beside it, taken at a HUP: from then on it judges what the champion decides."""
    models = Path(service.environment["LOANSVC_MODELS"])
    with closed_load(Load(service.port, service.key), n_clients=4) as load:
        wait_for("decisions without it", lambda: len(load.answers) > 20)
        before = service.workers()
        publish_rival(models, tmp_path)
        os.kill(master(service), signal.SIGHUP)
        wait_for("new workers alone", lambda: len(service.workers()) == N_WORKERS
                 and not set(service.workers()) & set(before))  # fmt: skip
        n_then = len(load.answers)
        wait_for("decisions beside it", lambda: len(load.answers) > n_then + 20)
    assert load.count().keys() <= DECIDED
    assert (load.wrong, load.given_up) == ([], [])
    shown = service.run("challengers", "--product", "credit_loan", "--json")
    [challenger] = json.loads(shown.stdout)["challengers"]
    assert 20 <= challenger["decisions"] < len(load.answers)
    assert challenger["decided_by_challenger"] == 0
    ledger_holds(service, load.answers, n_entries=len(load.answers))
