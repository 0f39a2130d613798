"""Verifying beside whoever writes: no false alarm, and racing processes sign one tree."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from loansvc.errors import LedgerUnavailable
from loansvc.ledger import Ledger, kept
from loansvc.ledger.checkpoints import advance
from loansvc.ledger.verifier import checkpoints_of
from tests.e2e.service import wait_for
from tests.unit.test_ledger import append, open_ledger

pytestmark = pytest.mark.fault
AT = "2026-11-23T13:00:00.000+08:00"
N_WRITERS = 2
N_ALWAYS, N_VERIFICATIONS = 25, 1000


def write(home: Path, writer: int, stop: Event) -> None:
    """Entries and checkpoints, one after the other, until told to stop."""
    ledger, number = open_ledger(home, create=False), 0
    while not stop.is_set():
        number += 1
        try:
            append(ledger, number * N_WRITERS + writer)
            if number % 3 == 0:
                advance(ledger, at=AT)
        except LedgerUnavailable:  # the other one was in the way for too long
            continue


@contextmanager
def written_to(home: Path) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    writers = [context.Process(target=write, args=(home, n, stop)) for n in range(N_WRITERS)]
    for one in writers:
        one.start()
    try:
        yield
    finally:
        stop.set()
        for one in writers:
            one.join(30)
    assert [one.exitcode for one in writers] == [0] * N_WRITERS


def verified_beside(home: Path, n: int) -> Ledger:
    ledger = open_ledger(home)
    append(ledger, 0)
    with written_to(home):
        wait_for("the writers", lambda: kept.last_in(home / kept.NAME))
        for number in range(n):
            assert ledger.verify(entries_only=number % 5 > 0)[1] == [], f"verification {number}"
    return ledger


def test_verifying_while_others_write_raises_no_alarm(tmp_path: Path) -> None:
    ledger = verified_beside(tmp_path, N_ALWAYS)
    made = checkpoints_of((tmp_path / kept.NAME).read_text())
    sizes = [one.size for one in made]
    assert sizes == sorted(set(sizes))
    n_entries, problems = ledger.verify()
    assert (n_entries > 3 * len(sizes) / 2, problems) == (True, [])
    ledger._engine.dispose()


@pytest.mark.slow
def test_verifying_a_thousand_times_while_others_write_raises_no_alarm(tmp_path: Path) -> None:
    for number in range(N_VERIFICATIONS // 100):  # short ledgers are verified more often
        verified_beside(tmp_path / str(number), 100)._engine.dispose()
        shutil.rmtree(tmp_path / str(number))
