"""What it costs a decision to be watched: python -m tests.bench.watching

Processor time of this thread, in one process, on small editions. Decisions of each kind take turns,
so that a busy machine slows all alike. To count is measured by itself: it has a thread of its own.
"""

from __future__ import annotations

import logging
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from flask import g
from opentelemetry.sdk.trace import TracerProvider

from loansvc.web import logs, metrics, timing, tracing
from loansvc.web.timing import Timing
from tests.contract.conftest import Api
from tests.small import a_document, small_models

N_SAMPLES = 1500
N_BEFORE = 300
AT_ONCE = 100  # turns between one counting and the next


class Unwatched(Timing):
    """Stands for a timing, and does nothing."""

    def stage(self, _name: str) -> None: ...


def kinds() -> dict[str, tuple[Any, ...]]:
    """Of each kind what stands in the places of `put`."""
    nothing = Unwatched()

    def begin(_request_id: str) -> None:
        g.timing = nothing

    def finish(_response: Any) -> None: ...

    as_it_is = timing.begin, timing.finish
    return {
        "nothing noted": (begin, finish, logging.WARNING, None),
        "noted, as it is": (*as_it_is, logging.WARNING, None),
        "a line of the log too": (*as_it_is, logging.INFO, None),
        "spans too": (*as_it_is, logging.WARNING, TracerProvider().get_tracer("x")),
    }


def put(begin: Any, finish: Any, level: int, tracer: Any) -> None:
    """Let decisions be watched that way from now on; spans are made and sent nowhere."""
    timing.begin, timing.finish = begin, finish
    timing.log.setLevel(level)
    tracing._tracer = tracer


def main(folder: Path, counts: str) -> None:
    """Print the median of each kind beside the first, and what counting takes."""
    metrics.share(counts)
    handler = logs.PatientHandler(os.open(os.devnull, os.O_WRONLY))
    handler.setFormatter(logs.json_lines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    api = Api(folder, small_models(folder))
    found: dict[str, list[float]] = {name: [] for name in kinds()}
    counting, number, watched = [], 0, kinds()
    for turn in range(-N_BEFORE, N_SAMPLES):
        for name, how in watched.items():
            number += 1
            put(*how)
            began = time.thread_time()
            answer = api.post(a_document(number))
            spent = time.thread_time() - began
            assert answer.status_code == 201
            if turn >= 0:
                found[name].append(spent * 1e6)
        if not turn % AT_ONCE:
            n_noted, began = len(metrics._counts.ended), time.thread_time()
            metrics._counts.count()
            counting.append((time.thread_time() - began) * 1e6 / max(n_noted, 1))
    base = statistics.median(found["nothing noted"])
    for name, times in found.items():
        median = statistics.median(times)
        print(f"{name:<24} {median:8.1f} us  {median - base:+7.1f} us  {median / base - 1:+.1%}")
    print(f"counted, a decision      {statistics.median(counting):8.1f} us")
    api.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir="/dev/shm") as counts, \
         tempfile.TemporaryDirectory() as home:  # fmt: skip
        main(Path(home), counts)
