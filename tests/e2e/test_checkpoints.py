"""The running service makes checkpoints by itself, and proves its decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loansvc.ledger import kept
from loansvc.ledger.verifier import check_receipt, key_of
from tests.e2e.service import Service, an_example, wait_for
from tests.small import an_application, small_models, small_underwriting


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service on a ledger with a decision of some days ago, which nobody signed yet."""
    models = small_models(tmp_path)
    root = small_underwriting(tmp_path, models=models)
    root.decide(an_application(1), client="demo")
    root.ledger._engine.dispose()
    running = Service(tmp_path / "home", models).start()
    yield running
    running.close()


def test_a_worker_makes_the_checkpoint_that_is_due_and_stops_when_told(service: Service) -> None:
    made = wait_for("a checkpoint", lambda: kept.last_in(service.home / kept.NAME))
    assert service.run("ledger", "verify").stdout.startswith("verified   ")
    body = service.post(an_example(2)).json()
    receipt = service.get(f"/v1/decisions/{body['application_id']}/receipt?from={made.size}").json()
    checkpoint = service.get("/v1/checkpoints").json()
    assert check_receipt(receipt, [key_of(key) for key in checkpoint["keys"]], [made])
    assert service.stop() == 0
