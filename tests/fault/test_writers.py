"""Eight processes that write at once: one chain without a gap, a repeat or a fork."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loansvc.ledger import Ledger
from tests import databases
from tests.e2e.service import PATIENCE_S
from tests.fault.tools import begun_together

N_WRITERS = 8
WRITER = """
import pathlib, sys
sys.path.insert(0, {root!r})
from loansvc.errors import LedgerUnavailable
from loansvc.ledger import Ledger
from tests.unit.test_ledger import append
url, home, writer, n = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
ledger = Ledger.open(url, home=home, busy_timeout_ms=20_000)
print("ready", flush=True)
sys.stdin.readline()
for number in range(writer * n, writer * n + n):
    append(ledger, number)
"""


def written_by_eight(home: Path, n_each: int) -> None:
    """Eight processes add so many entries each, beginning together; the chain is then checked."""
    url = databases.url_of(home)
    ledger = Ledger.open(url, home=home, create=True)
    code = WRITER.format(root=str(Path(__file__).parents[2]))
    writers = begun_together(
        code, [[url, str(home), str(i), str(n_each)] for i in range(N_WRITERS)]
    )
    for writer in writers:
        writer.communicate(timeout=PATIENCE_S + n_each)
        assert writer.returncode == 0
    n_entries = N_WRITERS * n_each
    assert ledger.verify() == (n_entries, [])
    rows = databases.sql(home, "SELECT sequence, application_id FROM entry ORDER BY sequence")
    assert [sequence for sequence, _ in rows] == list(range(1, n_entries + 1))
    assert {name for _, name in rows} == {f"A-{number}" for number in range(n_entries)}


@pytest.mark.fault
def test_eight_writers_make_one_chain(both_databases: str, tmp_path: Path) -> None:
    written_by_eight(tmp_path, 150)


@pytest.mark.slow
def test_eight_writers_make_one_chain_of_a_hundred_thousand(
    both_databases: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    started = time.monotonic()
    written_by_eight(tmp_path, 12_500)
    record_property("measured", f"{both_databases}: {time.monotonic() - started:.0f} s")
