"""What fund, challengers and commit cost a recorded decision, in process and on disk.

Run: make bench. They take turns, so that a busy machine slows all; nothing here asserts a time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from loansvc.ledger import group_commit
from loansvc.underwriting import Underwriting
from tests.small import (
    an_application,
    publish_rival,
    small_models,
    small_underwriting,
    with_fund,
)

pytestmark = pytest.mark.bench
N_DECISIONS = 600
N_SHARED = 400
N_ROUNDS = 3
WARM = 100


def test_a_recorded_decision_with_and_without_a_fund(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    models = small_models(tmp_path)
    roots: dict[str, Underwriting] = {}
    for name in ("no capital stated", "capital stated"):
        roots[name] = small_underwriting(tmp_path / name, models=models)
    with_fund(roots["capital stated"], 1_000_000_000)
    with capsys.disabled():
        _print_turns(roots)


def test_a_recorded_decision_with_challengers_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Small editions; the one that decides 10 % has a mark and a bucket worked out, too."""
    roots: dict[str, Underwriting] = {}
    for n_beside, share_percent in ((0, 0), (1, 0), (1, 10), (3, 0)):
        folder = tmp_path / f"{n_beside} {share_percent}"
        folder.mkdir()
        models = small_models(folder)
        for points in range(560, 560 + n_beside):
            publish_rival(models, folder, base_points=points, share_percent=share_percent)
        name = f"{n_beside} beside, decide {share_percent} %"
        roots[name] = small_underwriting(folder, models=models)
    with capsys.disabled():
        _print_turns(roots)


def _print_turns(roots: dict[str, Underwriting]) -> None:
    """By the clock of the wall and of the processor, which no disk moves."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in roots}
    for number in range(WARM + N_DECISIONS):
        application = an_application(number)
        for name, root in roots.items():
            started = time.perf_counter(), time.process_time()
            root.decide(application, client="bench")
            ended = time.perf_counter(), time.process_time()
            taken[name].append((1000 * (ended[0] - started[0]), 1000 * (ended[1] - started[1])))
    print(f"\n\nOne recorded decision in process, {N_DECISIONS} each, fsync included")
    for name, times in taken.items():
        wall, cpu = ([one[i] for one in times[WARM:]] for i in (0, 1))
        middle, high = statistics.median(wall), statistics.quantiles(wall, n=10)[-1]
        print(f"{name:<24}{middle:>8.2f} ms median{high:>8.2f} ms 90 %"
              f"{statistics.median(cpu):>8.3f} ms CPU")  # fmt: skip


def test_a_shared_commit_beside_one_for_each(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads of one process that record decisions as fast as they can; fsync included."""
    models = small_models(tmp_path)
    shared_blocks = group_commit.MOST_BLOCKS
    numbers = count()
    table: dict[tuple[int, str], list[float]] = {}
    for n_round in range(N_ROUNDS):
        for n_threads in (1, 8, 32):
            for name, most in (("one each", 1), ("shared", shared_blocks)):
                monkeypatch.setattr(group_commit, "MOST_BLOCKS", most)
                root = small_underwriting(tmp_path / f"{n_round} {n_threads} {name}", models=models)
                table.setdefault((n_threads, name), []).append(_per_s(root, n_threads, numbers))
    with capsys.disabled():
        print("\n\nRecorded decisions per s, threads of one process, fsync included")
        for n_threads in (1, 8, 32):
            each, shared = (statistics.median(table[n_threads, n]) for n in ("one each", "shared"))
            print(f"{n_threads:>3} threads{each:>8.0f} one commit each{shared:>8.0f} shared"
                  f"{shared / each:>6.2f}")  # fmt: skip


def _per_s(root: Underwriting, n_threads: int, numbers: Iterator[int]) -> float:
    applications = [an_application(next(numbers)) for _ in range(N_SHARED)]
    started = time.perf_counter()
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(lambda application: root.decide(application, client="bench"), applications))
    return N_SHARED / (time.perf_counter() - started)
