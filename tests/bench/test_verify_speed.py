"""How many entries a second `ledger verify` and `verify.py` check, beside what cannot be saved.

Run: make bench. By processor time, which a busy machine stretches less than the clock; nothing here
asserts a time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from loansvc.ledger import Ledger
from loansvc.ledger.checkpoints import advance
from loansvc.ledger.exporting import exported
from loansvc.ledger.verifier import check, key_of
from tests.small import an_application, small_models, small_underwriting

pytestmark = pytest.mark.bench
AT = "2026-11-23T12:00:00.000+08:00"
N_ENTRIES = 2_000
N_ROUNDS = 5


def test_entries_verified_a_second(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = small_underwriting(tmp_path, models=small_models(tmp_path))
    for number in range(N_ENTRIES):
        root.decide(an_application(number), client="bench")
    ledger = root.ledger
    advance(ledger, at=AT)
    with ledger.reading() as reading:
        payloads = [orjson.dumps(payload) for _, payload in reading.all_recorded()]
        key = key_of(str(reading.vault.signatures().keys[0]))
    export = list(exported(ledger, at=AT))

    def least() -> None:
        """Each payload digested and read: no verification does less."""
        for data in payloads:
            hashlib.sha256(data).digest()
            orjson.loads(data)

    ways: dict[str, Callable[[], object]] = {
        "its payload digested and parsed": least,
        "ledger verify": lambda: verified(ledger),
        "ledger verify --entries-only": lambda: verified(ledger, entries_only=True),
        "verify.py on an export": lambda: check(export, [key], []),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(N_ROUNDS):
        for name, way in ways.items():
            started = time.process_time()
            way()
            taken[name].append(time.process_time() - started)
    with capsys.disabled():
        size = sum(map(len, payloads)) // N_ENTRIES
        print(f"\n\nEntries checked a second of processor time, payloads of {size} bytes")
        for name, times in taken.items():
            ratio = min(times) / min(taken["its payload digested and parsed"])
            print(f"{name:<34}{N_ENTRIES / min(times):>10,.0f}{ratio:>8.1f} x")


def verified(ledger: Ledger, *, entries_only: bool = False) -> None:
    assert ledger.verify(entries_only=entries_only) == (N_ENTRIES, [])
