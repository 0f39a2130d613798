"""Metrics: what the workers count, and how Prometheus reads it.

Each worker counts in files of a folder in memory (gunicorn.conf.py), which whoever answers a scrape
adds up. The files are named after the place of a worker among its like, not after its process: who
takes a place counts on where the one before stopped. So nothing that was counted is lost with a
worker, and the files stay as many as the workers. Where there is no such folder, as in tests and
under other servers, a process counts for itself.

To count one decision in those files costs a twentieth of making it. So what has ended is noted, and
counted a few times a second, all at once.
"""

from __future__ import annotations

import logging
import os
import threading
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import NamedTuple, TypeVar

import prometheus_client as prometheus
from prometheus_client import values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

T = TypeVar("T")
# Seconds: from a tenth of a decision to a caller's patience.
BUCKETS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
)  # fmt: skip
SIZE_BUCKETS = (1, 2, 4, 8, 16, 32)  # writers; ledger/group_commit.py takes no more
DECIDE = "api.decide"  # the endpoint whose stages are counted
COUNT_SECONDS = 0.25  # between one counting and the next
MOST_NOTED = 1000  # where nobody counts in between, whoever notes so many does

log = logging.getLogger("loansvc.metrics")
# A second series for each, which the files of workers lack anyway. It ships no types for this.
prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]


class Ended(NamedTuple):
    """A request that has ended; `began`: its stages, each with when, on the clock of `ended`.

    Without stages it was never at hand: of it no time is counted.
    """

    endpoint: str
    status: int
    outcome: str
    began: Sequence[tuple[str, float]] = ()
    ended: float = 0.0

    def stages(self) -> Iterator[tuple[str, float]]:
        """Each stage and its seconds."""
        ends = (*(at for _, at in self.began[1:]), self.ended)
        for (stage, at), until in zip(self.began, ends, strict=True):
            yield stage, until - at


class BulkHistogram(prometheus.Histogram):
    """A histogram that takes many observations at once."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """As `observe` of each."""
        self._sum.inc(sum(amounts))
        # As there: a bucket takes what is its bound or less.
        for i, n in Counter(bisect_left(self._upper_bounds, a) for a in amounts).items():
            self._buckets[i].inc(n)


class Counts:
    """What this process has noted and counted; `folder`: where its like count too, if anywhere."""

    def __init__(self, folder: str = "") -> None:
        self.folder = folder
        self.registry = prometheus.CollectorRegistry()
        self.ended: deque[Ended] = deque()
        self.commits: deque[tuple[int, float]] = deque()
        self._counting = threading.Lock()
        self._is_lost = False  # the folder was taken away before the files in it were opened
        requests = prometheus.Counter(
            "loansvc_requests", "Requests answered, by how they ended.",
            ("endpoint", "status", "outcome"), registry=self.registry,
        )  # fmt: skip
        of_request = self._histogram(
            "loansvc_request_seconds", "From the request at hand to its answer.", "endpoint"
        )
        of_stage = self._histogram(
            "loansvc_decision_stage_seconds",
            "Stages of POST /v1/decisions; they add up to its whole.", "stage",
        )  # fmt: skip
        self._of_commit = self._histogram(
            "loansvc_ledger_commit_seconds",
            "Commits of the ledger: the time until they are on disk.",
        )  # fmt: skip
        self._size_of_commit = self._histogram(
            "loansvc_ledger_commit_size", "Commits of the ledger: how many writers shared one.",
            buckets=SIZE_BUCKETS,
        )  # fmt: skip
        # To look one up by its labels costs more than to count.
        self._requests = cache(requests.labels)
        self._of_request, self._of_stage = cache(of_request.labels), cache(of_stage.labels)

    def _histogram(
        self, name: str, says: str, *labels: str, buckets: Sequence[float] = BUCKETS
    ) -> BulkHistogram:
        return BulkHistogram(name, says, labels, buckets=buckets, registry=self.registry)

    def count(self) -> None:
        """Count what was noted.

        Where the files are gone, that is told once, and nobody fails for it.
        """
        with self._counting:
            ended, commits = list(_taken(self.ended)), list(_taken(self.commits))
            if self._is_lost:
                return
            try:
                self._count_requests(ended)
                self._count_commits(commits)
            except OSError as error:
                self._is_lost = True
                log.error("nothing is counted any more: %s. Restart the service.", error.strerror)

    def _count_commits(self, commits: list[tuple[int, float]]) -> None:
        if commits:
            self._size_of_commit.observe_all([n_blocks for n_blocks, _ in commits])
            self._of_commit.observe_all([seconds for _, seconds in commits])

    def _count_requests(self, ended: list[Ended]) -> None:
        seconds: dict[BulkHistogram, list[float]] = defaultdict(list)
        for one in ended:
            if one.began:
                seconds[self._of_request(one.endpoint)].append(one.ended - one.began[0][1])
            if one.endpoint == DECIDE:
                for stage, spent in _added_up(one.stages()).items():
                    seconds[self._of_stage(stage)].append(spent)
        for histogram, amounts in seconds.items():
            histogram.observe_all(amounts)
        for labels, n in Counter((one.endpoint, one.status, one.outcome) for one in ended).items():
            self._requests(*labels).inc(n)

    def collectors(self) -> prometheus.CollectorRegistry:
        """What tells of all that was counted, here and by its like."""
        if not self.folder:
            return self.registry
        everybody = prometheus.CollectorRegistry()
        with suppress(ValueError):  # the folder was taken away: all else is told
            MultiProcessCollector(everybody, self.folder)  # type: ignore[no-untyped-call]
        return everybody


def _added_up(stages: Iterator[tuple[str, float]]) -> dict[str, float]:
    """Of a stage that was begun twice, all of it."""
    found: dict[str, float] = defaultdict(float)
    for stage, seconds in stages:
        found[stage] += seconds
    return found


def _taken(noted: deque[T]) -> Iterator[T]:
    while noted:
        yield noted.popleft()


# --- of this process ------------------------------------------------------------------------------

_counts = Counts()
_place = 0  # among those that share a folder; 0 is the master's, who counts nothing


def share(folder: str) -> None:
    """Count in files of that folder from now on, as every child of this process will."""
    global _counts  # noqa: PLW0603  # one process has one
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # where the library looks for it
    values.ValueClass = values.MultiProcessValue(lambda: _place)  # type: ignore[no-untyped-call]
    _counts = Counts(folder)


def take_place(place: int) -> None:
    """Count in the files of that place; right after the fork of a worker."""
    global _place  # noqa: PLW0603  # likewise
    _place = place


def note_request(ended: Ended) -> None:
    """Note a request, to be counted soon."""
    _counts.ended.append(ended)
    if len(_counts.ended) >= MOST_NOTED:
        _counts.count()


def note_commit(n_blocks: int, seconds: float) -> None:
    """Note a commit of the ledger that so many writers shared."""
    _counts.commits.append((n_blocks, seconds))
    if len(_counts.commits) >= MOST_NOTED:
        _counts.count()


@contextmanager
def counting() -> Iterator[None]:
    """Count what is noted while the block runs, a few times a second and at its end."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(COUNT_SECONDS):
            _counts.count()

    thread = threading.Thread(target=work, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        _counts.count()


def exposition(accept: str, *more: Collector) -> tuple[bytes, str]:
    """What all workers counted and what `more` tell, as text, and the media type of that text."""
    _counts.count()
    every = prometheus.CollectorRegistry()
    every.register(_counts.collectors())
    for one in more:
        every.register(one)
    encode: Callable[[Collector], bytes]
    encode, media_type = prometheus.exposition.choose_encoder(accept)
    return encode(every), media_type
