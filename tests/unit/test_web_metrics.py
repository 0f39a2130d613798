"""Counts are what was noted, in whichever process, and outlive whoever counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.parser import text_string_to_metric_families

from loansvc.web import metrics
from loansvc.web.metrics import BUCKETS, DECIDE, BulkHistogram, Ended

ROOT = Path(__file__).parents[2]


def samples() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every figure that is exposed, by name and labels."""
    text, _ = metrics.exposition("")
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text.decode())
        for one in family.samples
    }


class Difference:
    """What was counted since this was made: other tests count too."""

    def __init__(self) -> None:
        self._before = samples()

    def of(self, name: str, **labels: str) -> float:
        key = name, frozenset(labels.items())
        return samples().get(key, 0.0) - self._before.get(key, 0.0)


def test_many_observations_at_once_count_as_each_alone() -> None:
    """On a bound, below and above it, and above the last."""
    amounts = [0.0, 0.0001, 0.00011, 0.5, 0.4999, 2.5, 99.0, 0.5]
    registries = CollectorRegistry(), CollectorRegistry()
    one = Histogram("x", "x", buckets=BUCKETS, registry=registries[0])
    for amount in amounts:
        one.observe(amount)
    BulkHistogram("x", "x", buckets=BUCKETS, registry=registries[1]).observe_all(amounts)
    of_each, of_all = ([s for m in r.collect() for s in m.samples] for r in registries)
    assert len(of_each) == len(BUCKETS) + 3  # infinity, number and sum
    for expected, found in zip(of_each, of_all, strict=True):
        assert (found.name, found.labels) == (expected.name, expected.labels)
        assert found.value == pytest.approx(expected.value)


def test_the_stages_of_a_decision_add_up_to_its_whole() -> None:
    since = Difference()
    began = [("admit", 1.0), ("read", 1.5), ("wait", 1.75), ("decide", 2.0), ("commit", 4.0)]
    metrics.note_request(Ended(DECIDE, 201, "approve", began, 8.0))
    stages = {"admit": 0.5, "read": 0.25, "wait": 0.25, "decide": 2.0, "commit": 4.0}
    name = "loansvc_decision_stage_seconds_sum"
    assert {stage: since.of(name, stage=stage) for stage in stages} == stages
    assert since.of("loansvc_request_seconds_sum", endpoint=DECIDE) == sum(stages.values()) == 7.0


def test_a_stage_that_was_begun_twice_is_observed_once() -> None:
    since = Difference()
    began = [("admit", 0.0), ("commit", 1.0), ("answer", 2.0), ("commit", 4.0)]
    metrics.note_request(Ended(DECIDE, 201, "approve", began, 8.0))
    assert since.of("loansvc_decision_stage_seconds_count", stage="commit") == 1
    assert since.of("loansvc_decision_stage_seconds_sum", stage="commit") == 5.0


def test_of_what_was_never_at_hand_no_time_is_counted() -> None:
    since = Difference()
    metrics.note_request(Ended("none", 400, "not_http"))
    labels = {"endpoint": "none", "status": "400", "outcome": "not_http"}
    assert since.of("loansvc_requests_total", **labels) == 1
    assert since.of("loansvc_request_seconds_count", endpoint="none") == 0


def test_commits_are_counted_with_their_size() -> None:
    since = Difference()
    for n_blocks, seconds in ((1, 0.25), (5, 0.5)):
        metrics.note_commit(n_blocks, seconds)
    assert since.of("loansvc_ledger_commit_seconds_sum") == 0.75
    assert since.of("loansvc_ledger_commit_size_bucket", le="1.0") == 1
    assert since.of("loansvc_ledger_commit_size_bucket", le="8.0") == 2


def test_what_is_noted_where_nobody_counts_does_not_pile_up() -> None:
    for _ in range(2 * metrics.MOST_NOTED):
        metrics.note_request(Ended("none", 400, "not_http"))
        metrics.note_commit(1, 0.1)
        assert len(metrics._counts.ended) < metrics.MOST_NOTED > len(metrics._counts.commits)


WORKER = """
import os, sys
from loansvc.web import metrics
metrics.share(sys.argv[1])
place, n = int(sys.argv[2]), int(sys.argv[3])
if os.fork() == 0:  # as gunicorn's master forks it, with the metrics made before
    metrics.take_place(place)
    for _ in range(n):
        metrics.note_request(metrics.Ended("api.decide", 201, "approve", [("admit", 0.0)], 0.25))
    metrics._counts.count()
    os.kill(os.getpid(), 9)
os.wait()
"""
READER = """
import sys
from loansvc.web import metrics
metrics.share(sys.argv[1])
print(metrics.exposition("")[0].decode())
"""


def run_with(counts: Path, program: str, *arguments: Any) -> subprocess.CompletedProcess[str]:
    """Run a program whose processes count in that folder."""
    counts.mkdir(exist_ok=True)
    command = [sys.executable, "-c", program, str(counts), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)


def test_workers_are_added_up_and_who_takes_a_place_counts_on(tmp_path: Path) -> None:
    """Each is killed, the third in the place of the first: nothing is lost, and no file is more."""

    counts = tmp_path / "counts"
    for place, n in ((1, 3), (2, 4), (1, 5)):
        run_with(counts, WORKER, place, n)
    text = run_with(counts, READER).stdout
    assert (
        'loansvc_requests_total{endpoint="api.decide",outcome="approve",status="201"} 12.0' in text
    )
    assert 'loansvc_request_seconds_sum{endpoint="api.decide"} 3.0' in text
    counters = sorted(path.name for path in counts.glob("counter_*"))
    assert counters == ["counter_1.db", "counter_2.db"]


LOST = """
import os, shutil, sys
from loansvc.web import metrics
metrics.share(sys.argv[1])
shutil.rmtree(sys.argv[1])
metrics.take_place(1)
for _ in range(3 * metrics.MOST_NOTED):
    metrics.note_request(metrics.Ended("none", 400, "not_http"))
text, _ = metrics.exposition("")
print(len(text), len(metrics._counts.ended))
"""


def test_whoever_takes_the_folder_away_stops_the_counting_and_nothing_else(tmp_path: Path) -> None:
    """As a tidy system does. It is told once."""
    run = run_with(tmp_path / "counts", LOST)
    assert run.stdout == "0 0\n"
    assert run.stderr.count("nothing is counted any more: No such file") == 1
