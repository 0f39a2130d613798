"""What a decision costs as everything around it grows: entries, villages, editions, clients.

Run: make bench. More entries, and the figure of docs/performance.md drawn anew:

    BENCH_ENTRIES=10000000 BENCH_PLOT=docs/growth.svg python -m pytest -m bench -s -p no:xdist tests/bench/test_growth.py

Processor time of one thread, medians; the sizes take turns. A big ledger is filled by SQL with rows
that nobody decided: as many, as wide and as scattered as real ones, their payloads short. They do
not verify. Nothing here asserts a time.
"""  # noqa: E501

from __future__ import annotations

import os
import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from loansvc.editions import Edition
from loansvc.ledger.vault import Vault
from loansvc.registry import Registry
from loansvc.underwriting import Underwriting
from loansvc.web.schemas import load_application
from tests.small import (
    REGISTER,
    TODAY,
    a_document,
    an_application,
    small_models,
    small_underwriting,
)

pytestmark = pytest.mark.bench
N_ENTRIES = int(os.environ.get("BENCH_ENTRIES", "100000"))
N_DECISIONS, N_ROUNDS, N_WARM = 100, 5, 50
# A bank of 20 clients; two of three approved; everything random lies as a digest would.
FILL = """
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last)
INSERT INTO filler SELECT i, lower(hex(randomblob(16))), lower(hex(randomblob(32))) FROM n
"""
ENTRY = """
INSERT INTO entry SELECT i, 'decision', '2026-01-01T12:00:00.000+08:00', 'bank' || (i % 20),
'A-' || ref, 'dec_' || ref, 'credit_loan', CASE WHEN i % 3 THEN 'approve' ELSE 'decline' END, 'G1',
:edition, :edition, :edition, :edition, ref, 'sha256:' || hash, 'sha256:' || hash, 'sha256:' || hash
FROM filler
"""
COMMITMENT = """
INSERT INTO commitment SELECT i, 'bank' || (i % 20), 'A-' || ref, 'dec_' || ref, ref, 100000, 40,
'2026-01-31T12:00:00.000+08:00', 'drawn', 100000, 40000, 100000, '2026-01-02', '2026-01-02', 0, 0, 0
FROM filler WHERE i % 3
"""
OTHERS = (
    "INSERT INTO payload SELECT i, randomblob(64) FROM filler",
    "INSERT INTO subject SELECT 'v1:' || hash, ref FROM filler",
    "INSERT INTO subject_key SELECT ref, 1, randomblob(60) FROM filler",
    "INSERT INTO related SELECT 'v1:' || hash, ref FROM filler",
)
CHUNK = 1_000_000


def fill(path: Path, vault: Vault, n_entries: int) -> None:
    """Put that many entries of other people into an empty ledger."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        indexes = db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            db.execute(f"DROP INDEX {name}")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE TEMP TABLE filler (i INTEGER PRIMARY KEY, ref TEXT, hash TEXT)")
        edition = "sha256:" + "0" * 64
        for first in range(1, n_entries + 1, CHUNK):
            db.execute("BEGIN")
            db.execute("DELETE FROM filler")
            db.execute(FILL, {"first": first, "last": min(first + CHUNK - 1, n_entries)})
            db.execute(ENTRY, {"edition": edition})
            db.execute(COMMITMENT)
            for statement in OTHERS:
                db.execute(statement)
            db.execute("COMMIT")
        for _, sql in indexes:
            db.execute(sql)
        last = db.execute("SELECT hash FROM entry ORDER BY sequence DESC").fetchone()[0]
        head = (n_entries, last, vault.head_mac(n_entries, last))
        db.execute("INSERT OR REPLACE INTO chain_head VALUES (1, ?, ?, ?)", head)
        held = db.execute("SELECT coalesce(sum(fund_yuan), 0) FROM commitment").fetchone()[0]
        db.execute("UPDATE fund_account SET drawn_yuan = ?, carried_yuan = ?", (held, held))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def us_each(calls: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """Microseconds of processor time of a call, by name; the median of rounds taken in turn."""
    numbers = count(1)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for n_round in range(N_ROUNDS + 1):
        for name, call in calls.items():
            for _ in range(N_DECISIONS if n_round else N_WARM):
                number = next(numbers)
                started = time.thread_time()
                call(number)
                if n_round:
                    taken[name].append(time.thread_time() - started)
    return {name: statistics.median(times) * 1e6 for name, times in taken.items()}


def show(title: str, found: dict[str, float], capsys: pytest.CaptureFixture) -> None:
    first = next(iter(found.values()))
    with capsys.disabled():
        print(f"\n\n{title}")
        for name, us in found.items():
            print(f"{name:>14}{us:>10.0f} us{us / first:>8.2f}")


def deciding(root: Underwriting, n_clients: int = 1) -> Callable[[int], object]:
    return lambda n: root.decide(an_application(n), client=f"bank{n % n_clients}")


def test_entries(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    models, sizes = small_models(tmp_path), [10, 1000, 100_000]
    sizes += [n for n in (1_000_000, 10_000_000) if n <= N_ENTRIES]
    roots: dict[str, Underwriting] = {}
    for n in sizes:
        root = small_underwriting(tmp_path / str(n), models=models)
        fill(Path(str(root.ledger.url.database)), root.ledger.vault, n)
        roots[f"{n:,}"] = root
    found = us_each({name: deciding(root) for name, root in roots.items()})
    show("A recorded decision beside so many entries of others", found, capsys)
    plot(sizes, list(found.values()))


def plot(sizes: list[int], us: list[float]) -> None:
    """Draw what a decision costs over entries into the file that is asked for."""
    if "BENCH_PLOT" not in os.environ:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(sizes, [u / us[0] for u in us], marker="o")
    axes.set(xscale="log", ylim=(0, 2), xlabel="entries in the ledger",
             ylabel="cost of a decision, 1 = at ten entries")  # fmt: skip
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(os.environ["BENCH_PLOT"], metadata={"Date": None})


def test_villages(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots, opened = {}, {}
    small = REGISTER["villages"]
    for n in (154, 5_000, 50_000):
        codes = (f"340521{600 + i // 250}{200 + i % 250}" for i in range(n - len(small)))
        more = [small[0] | {"code": code} for code in codes]
        monkeypatch.setitem(REGISTER, "villages", [*small, *more])
        models = small_models(tmp_path / str(n))
        started = time.process_time()
        Registry.open(models)
        opened[f"{n:,}"] = (time.process_time() - started) * 1e6
        roots[f"{n:,}"] = small_underwriting(tmp_path / str(n), models=models)
    found = us_each({name: deciding(root) for name, root in roots.items()})
    show("A recorded decision with so many villages in the register", found, capsys)
    show("Opening the editions then, once a worker", opened, capsys)
    loaded = us_each({name: loading(root) for name, root in roots.items()})
    show("Reading an application then", loaded, capsys)


def loading(root: Underwriting) -> Callable[[int], object]:
    codes, document = root.registry.village_codes, a_document()
    return lambda _: load_application(document, today=TODAY, village_codes=codes)


def test_editions(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    models = small_models(tmp_path)
    roots = {}
    for n in (10, 100, 1000):
        root = small_underwriting(tmp_path / str(n), models=models)
        root.registry = Registry(models, earlier(root.registry.editions, n))
        roots[f"{n:,}"] = root
    show("A recorded decision with so many editions", us_each(
        {name: deciding(root) for name, root in roots.items()}), capsys)  # fmt: skip
    show("Editions in force on a day not asked about before", us_each(
        {name: anew(root) for name, root in roots.items()}), capsys)  # fmt: skip


def earlier(editions: tuple[Edition[Any], ...], n: int) -> list[Edition[Any]]:
    """These and the same again from days before, n in all."""
    found = list(editions)
    for back in count(1):
        for one in editions:
            if len(found) >= n:
                return found
            found.append(replace(one, valid_from=one.valid_from - timedelta(days=back)))
    raise AssertionError


def anew(root: Underwriting) -> Callable[[int], object]:
    return lambda number: root.registry._find("credit_loan", TODAY, "champion")


def test_clients(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    models = small_models(tmp_path)
    calls = {}
    for n in (1, 30, 1000):
        root = small_underwriting(tmp_path / str(n), models=models)
        calls[f"{n:,}"] = deciding(root, n)
    show("A recorded decision with so many clients in turn", us_each(calls), capsys)
