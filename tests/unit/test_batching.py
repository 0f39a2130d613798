"""A queue in the ledger's database: who works on what, what is undone, what keys and copies do."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from loansvc.batching import Batching
from loansvc.batching.working import LEASE_MS, Piece, Working
from loansvc.errors import BatchRefused, LedgerUnavailable
from loansvc.ledger import Ledger, rotation
from loansvc.ledger.batches import WAITING, Batches, Row
from loansvc.ledger.ciphers import INTERNATIONAL
from loansvc.ledger.erasure import LIST
from loansvc.ledger.variants import Bounds
from loansvc.privacy import Privacy
from loansvc.probing import Watch
from loansvc.underwriting import Underwriting
from tests.small import (
    NOON,
    Clock,
    a_document,
    a_worker,
    all_worked,
    small_underwriting,
)

pytestmark = pytest.mark.usefixtures("both_databases")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def root(tmp_path: Path, models: Path, clock: Clock, both_databases: str) -> Iterator[Underwriting]:
    made = small_underwriting(tmp_path, models=models, clock=clock)
    yield made
    made.ledger.close()


def send(root: Underwriting, *documents: Any, batch_id: str = "B-1", **kwargs: Any) -> None:
    rows = (
        Row(number, WAITING, document, document["applicant"]["id_number"])
        for number, document in enumerate(documents, start=1)
    )
    Batching(root).receive(
        rows, lambda: json.dumps(documents), client="bank", batch_id=batch_id, **kwargs
    )


def some(n: int, first: int = 1) -> list[Any]:
    return [a_document(number) for number in range(first, first + n)]


def standing(root: Underwriting, batch_id: str = "B-1") -> dict[str, Any]:
    return Batching(root).find(batch_id, client="bank")


def statuses(root: Underwriting, batch_id: str = "B-1") -> list[int]:
    found = Batching(root).results(batch_id, client="bank", first=1, limit=1000)
    return [one.status for one in found]


def test_a_batch_is_worked_on_by_one_worker_until_nothing_is_heard_of_it(
    root: Underwriting, clock: Clock
) -> None:
    send(root, *some(8))
    first, second = (a_worker(root, rows_at_once=1) for _ in range(2))
    assert first.piece() is not None
    assert second.piece() is None
    clock.now += timedelta(milliseconds=LEASE_MS - 1)
    assert second.piece() is None
    clock.now += timedelta(milliseconds=1)
    assert second.piece() is not None
    assert first.piece() is None, "it finds its batch taken over"


def test_a_clock_that_is_set_back_holds_no_batch_for_ever(root: Underwriting, clock: Clock) -> None:
    send(root, *some(4))
    clock.now += timedelta(days=9000)
    assert a_worker(root, rows_at_once=1).piece() is not None
    clock.now = NOON
    assert a_worker(root, rows_at_once=1).piece() is not None


def test_a_worker_whose_batch_was_taken_over_decides_nothing_of_it(
    root: Underwriting, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading its rows and deciding them."""
    send(root, *some(4))
    slow, quick = a_worker(root, rows_at_once=2), a_worker(root, rows_at_once=2)
    read = slow.read

    def late(document: Any) -> Any:
        monkeypatch.setattr(slow, "read", read)
        clock.now += timedelta(milliseconds=LEASE_MS)
        assert quick.piece() is not None
        return read(document)

    monkeypatch.setattr(slow, "read", late)
    piece = slow.piece()
    assert piece is not None
    assert piece.n_rows == 0
    all_worked(quick)
    assert statuses(root) == [201] * 4


def test_two_batches_have_turns(
    root: Underwriting, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loansvc.batching.working.TURN_SECONDS", 0.0)
    send(root, *some(6), batch_id="B-1")
    send(root, *some(6, first=10), batch_id="B-2")
    worker, over = a_worker(root, rows_at_once=1), []
    for _ in range(8):
        clock.now += timedelta(seconds=1)
        worker.piece()
        over.append([standing(root, name)["rows_over"] for name in ("B-1", "B-2")])
    # The piece that begins a turn, and the one that finds it over.
    assert over == [[1, 0], [2, 0], [2, 1], [2, 2], [3, 2], [4, 2], [4, 3], [4, 4]]


def test_a_mistake_of_ours_ends_one_row_and_leaves_nothing_of_it(
    root: Underwriting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    send(root, *some(3))
    record = root._record

    def fails(ledger: Any, subject: Any, application: Any, *rest: Any) -> Any:
        made = record(ledger, subject, application, *rest)
        if application.application_id.endswith("2"):
            raise ZeroDivisionError
        return made

    monkeypatch.setattr(root, "_record", fails)
    all_worked(a_worker(root))
    assert statuses(root) == [201, 500, 201]
    assert "row 2 of batch B-1 failed" in caplog.text
    assert root.ledger.verify() == (2, [])


def test_an_error_of_the_database_undoes_the_piece_and_nothing_else(
    root: Underwriting, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(root, *some(5))
    worker = a_worker(root, rows_at_once=2)
    worker.piece()
    over = standing(root)["rows_over"]

    def fails(*_: Any, **__: Any) -> None:
        raise OperationalError("", {}, Exception("disk I/O error"))

    with monkeypatch.context() as patched:
        patched.setattr(Batches, "settle", fails)
        with pytest.raises(LedgerUnavailable):
            worker.piece()
    assert standing(root)["rows_over"] == over
    all_worked(worker)
    assert statuses(root) == [201] * 5
    assert root.ledger.verify() == (5, [])


def test_a_worker_that_cannot_write_goes_on_when_it_can(
    root: Underwriting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("loansvc.batching.working.LONGEST_PAUSE", 0.01)
    send(root, *some(3))
    worker, piece, tries = a_worker(root), Working.piece, []

    def sometimes(self: Working) -> Piece | None:
        tries.append(self)
        if len(tries) == 1:
            raise LedgerUnavailable
        return piece(self)

    monkeypatch.setattr(Working, "piece", sometimes)
    worker.run(threading.Event().wait, once=True)
    assert statuses(root) == [201] * 3
    assert "cannot be written just now" in caplog.text


def test_a_batch_that_cannot_be_written_does_not_hold_up_the_others(
    root: Underwriting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loansvc.batching.working.LONGEST_PAUSE", 0.01)
    send(root, *some(2), batch_id="B-1")
    send(root, *some(2, first=10), batch_id="B-2")
    stop, settle = threading.Event(), Batches.settle

    def fails(self: Batches, one: Any, *rest: Any, **given: Any) -> None:
        if one.batch_id == "B-1":
            raise OperationalError("", {}, Exception("disk I/O error"))
        settle(self, one, *rest, **given)
        stop.set()

    monkeypatch.setattr(Batches, "settle", fails)
    a_worker(root).run(stop.wait)
    assert standing(root, "B-1")["rows_over"] == 0
    assert standing(root, "B-2")["rows_over"] > 0


def test_a_worker_rests_only_beside_others(root: Underwriting) -> None:
    assert Piece(1, worked_s=0.01, waited_s=0.01).rest_s == 0
    assert Piece(1, 0.01, 0.01, beside_others=True).rest_s == pytest.approx(0.06)
    assert Piece(1, 10, 10, beside_others=True).rest_s == 1
    send(root, *some(9))
    worker = a_worker(root, rows_at_once=1)
    pieces = [worker.piece() for _ in range(3)]
    assert [piece and piece.beside_others for piece in pieces] == [False] * 3
    root.decide(worker.read(a_document(77)), client="bank")
    beside = worker.piece()
    assert beside is not None
    assert beside.beside_others


def test_rows_are_watched_as_if_sent_alone(root: Underwriting) -> None:
    """Variants of one person, until that is refused; the rest of the batch goes on."""
    variants = [a_document(1, application_id=f"A-{n}", business__employees=n) for n in range(1, 6)]
    send(root, *variants, a_document(2))
    watch = Watch("bank", Bounds(unnoticed=9, most=3), lambda _at: "adm_1")
    all_worked(a_worker(root, watch=lambda _client: watch))
    assert statuses(root) == [201, 201, 201, 429, 429, 201]


def test_keys_of_batches_are_brought_under_a_new_key(root: Underwriting) -> None:
    send(root, *some(2), batch_id="B-1")
    send(root, *some(2, first=10), batch_id="B-2")
    at = "2026-11-23T12:00:00.000+08:00"
    version, n = rotation.rotate(
        root.ledger, "key_encryption", suite=INTERNATIONAL, at=at, entry_id="adm_1", by="test"
    )
    assert (version, n) == (2, 2)
    rotation.retire(root.ledger, "key_encryption", 1, at=at, entry_id="adm_2", by="test")
    all_worked(a_worker(root))
    assert statuses(root, "B-2") == [201, 201]


def test_a_copy_takes_batches_along(root: Underwriting, tmp_path: Path) -> None:
    send(root, *some(3))
    a_worker(root, rows_at_once=1).piece()
    url = f"sqlite:///{tmp_path / 'copy.db'}"
    root.ledger.copy_to(url)
    copy = Underwriting(root.registry, Ledger.open(url, home=root.ledger.home), clock=root.clock)
    copy.clock.now += timedelta(milliseconds=LEASE_MS)  # type: ignore[attr-defined]
    all_worked(a_worker(copy))
    assert statuses(copy) == [201] * 3
    copy.ledger.close()


def test_an_older_copy_decides_nobody_who_was_erased_since(
    root: Underwriting, clock: Clock, tmp_path: Path, both_databases: str
) -> None:
    """Known from the waiting row alone: the list beside the database says that there was one."""
    if both_databases != "sqlite":
        pytest.skip("an older copy is made of a file here")
    send(root, *some(3))
    older = tmp_path / "older"
    shutil.copytree(root.ledger.home, older)
    clock.now += timedelta(hours=1)
    Privacy(root).erase(
        a_document(2)["applicant"]["id_number"], reason="withdrawn", reference="E-1", by="bank",
        approver="officer",
    )  # fmt: skip
    assert statuses(root) == []
    assert all_worked(a_worker(root)) == 2
    shutil.copy(root.ledger.home / LIST, older / LIST)
    again = Underwriting(
        root.registry,
        Ledger.open(f"sqlite:///{older / 'ledger.db'}", home=older),
        clock=clock,
    )
    again.erase_again()
    assert standing(again)["state"] == "cancelled"
    assert all_worked(a_worker(again)) == 0
    clock.now += timedelta(hours=1)
    send(again, a_document(3), batch_id="B-2")
    again.erase_again()
    assert standing(again, "B-2")["state"] == "waiting", "it was sent after that erasure"
    again.ledger.close()


def test_a_batch_that_is_refused_while_it_comes_leaves_nothing(root: Underwriting) -> None:
    def rows() -> Iterator[Row]:
        for number in range(1, 250):
            yield Row(number, WAITING, a_document(number), "x")
        raise BatchRefused("batch_too_large")

    with pytest.raises(BatchRefused):
        Batching(root).receive(rows(), lambda: "", client="bank", batch_id="B-1")
    with root.ledger.snapshot() as connection:
        for table in ("batch", "batch_row"):
            count = text(f"SELECT count(*) FROM {table}")
            assert connection.execute(count).scalar_one() == 0


def test_one_that_is_sent_again_meanwhile_takes_the_place_of_the_first(root: Underwriting) -> None:
    def rows() -> Iterator[Row]:
        for number in range(1, 150):
            if number == 120:
                send(root, *some(2))
            yield Row(number, WAITING, a_document(number), "x")

    with pytest.raises(BatchRefused) as refused:
        Batching(root).receive(rows(), lambda: "", client="bank", batch_id="B-1")
    assert refused.value.code == "batch_replaced"
    assert standing(root)["rows"] == 2
