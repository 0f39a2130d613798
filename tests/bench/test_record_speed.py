"""What the guarantee fund costs a recorded decision, in process and on disk.

Run: make bench. The two take turns, so that a busy machine slows both; nothing here asserts a time.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest

from loansvc.underwriting import Underwriting
from tests.small import an_application, small_models, small_underwriting, with_fund

pytestmark = pytest.mark.bench
N_DECISIONS = 600
WARM = 100


def test_a_recorded_decision_with_and_without_a_fund(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    models = small_models(tmp_path)
    roots: dict[str, Underwriting] = {}
    for name in ("no capital stated", "capital stated"):
        roots[name] = small_underwriting(tmp_path / name, models=models)
    with_fund(roots["capital stated"], 1_000_000_000)
    taken: dict[str, list[float]] = {name: [] for name in roots}
    for number in range(WARM + N_DECISIONS):
        application = an_application(number)
        for name, root in roots.items():
            started = time.perf_counter()
            root.decide(application, client="bench")
            taken[name].append((time.perf_counter() - started) * 1000)
    with capsys.disabled():
        print(f"\n\nOne recorded decision in process, {N_DECISIONS} each, fsync included")
        for name, times in taken.items():
            middle, high = statistics.median(times[WARM:]), statistics.quantiles(times[WARM:], n=10)
            print(f"{name:<24}{middle:>8.2f} ms median{high[-1]:>8.2f} ms 90 %")
