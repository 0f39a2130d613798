"""Admission: how many requests of a worker are worked on at once, and who is told to come back.

A worker has more threads than requests it works on: the threads that are left read slow callers,
answer the probes, and say "not now" early, while that is still cheap.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Flask, g, request

from loansvc.errors import Overloaded
from loansvc.settings import Settings
from loansvc.web.requests import body_bytes, is_from, is_streamed
from loansvc.web.strict_json import MOST_BYTES
from loansvc.web.timing import timing

log = logging.getLogger("loansvc.web")
LONGEST_WAIT_SECONDS = 0.3
OLDEST_SECONDS = 2.0  # since the proxy took the request: after that its caller has gone
LOG_EVERY_SECONDS = 1.0
MOST_UPLOADS = 4  # at once: each holds a thread while it comes
PATIENCE_SECONDS, PAUSE_SECONDS = 5.0, 0.05  # of a part of a long request
# What answers without waiting: nothing here writes, and readiness keeps its answer for a second.
PROBES = frozenset({"probes.healthz", "probes.readyz", "probes.version", "probes.scrape"})
PLACED = "loansvc.placed"  # in the environ of a request that a queue of its server has let in
UPLOADS = "/v1/batches"  # whose bodies are read as they come, and have places of their own
_START = re.compile(r"t=([0-9]{10}(?:\.[0-9]{1,6})?)", re.ASCII)


class Admission:
    """The places of one worker: `n_working` at once, `n_waiting` behind them."""

    def __init__(
        self,
        *,
        n_working: int,
        n_waiting: int,
        wait_s: float = LONGEST_WAIT_SECONDS,
        proxy: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._free = threading.Semaphore(n_working)
        self._uploads = threading.Semaphore(MOST_UPLOADS)
        self._n_waiting = n_waiting
        self._wait_s = wait_s
        self._proxy = proxy
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self.n_waiting_now = 0
        self._n_refused = 0
        self._logged_at = float("-inf")

    @classmethod
    def install(cls, app: Flask, settings: Settings) -> Admission:
        """Let every request but the probes take a place, and give it back."""
        admission = cls(
            n_working=settings.concurrency, n_waiting=settings.queue, proxy=settings.proxy
        )
        app.extensions["admission"] = admission
        app.before_request(admission.enter)
        app.teardown_request(lambda _error: admission.leave())
        return admission

    def enter(self) -> None:
        """Take a place, waiting a little for one.

        Raises:
            Overloaded: there is none, or the caller has waited too long already.
            InvalidRequest: the body cannot be read whole, or is too long.
        """
        if request.endpoint in PROBES or is_streamed():
            return
        body_bytes()  # however slowly it comes, while it holds a thread and no place
        is_placed = PLACED in request.environ
        if self._too_old() or not (is_placed or self.take()):
            self.note_refusal()
            raise Overloaded
        g.admitted = not is_placed
        timing().stage("read")

    def refuses(self, environ: Mapping[str, Any]) -> bool:
        """Whether a request is refused without a look at more of it; noted, if so.

        One with a body of bearable length, behind as many as may wait. All else is for `enter`.
        """
        is_full = 0 < self._n_waiting <= self.n_waiting_now
        if not is_full or environ["REQUEST_METHOD"] != "POST" or PLACED in environ:
            return False
        length = environ.get("CONTENT_LENGTH") or ""
        is_plain = length.isdigit() and int(length) <= MOST_BYTES and "HTTP_HOST" in environ
        if not is_plain or environ["PATH_INFO"].rstrip("/") == UPLOADS:
            return False
        self.note_refusal()
        return True

    def leave(self) -> None:
        """Give the place back, if one was taken."""
        if g.pop("admitted", False):
            self.give_back()

    def take(self) -> bool:
        """Whether there was a place, in time."""
        with self._lock:
            # Not past those who wait: a place that was given back is theirs before they wake.
            if not self.n_waiting_now and self._free.acquire(blocking=False):
                return True
            if self.n_waiting_now >= self._n_waiting:
                return False
            self.n_waiting_now += 1
        try:
            return self._free.acquire(timeout=self._wait_s)
        finally:
            with self._lock:
                self.n_waiting_now -= 1

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Hold one of the few threads that may read a long body at once.

        Raises:
            Overloaded: they are all taken.
        """
        if not self._uploads.acquire(blocking=False):
            raise Overloaded
        try:
            yield
        finally:
            self._uploads.release()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A place for a part of a long request, waited for behind whoever else waits.

        Raises:
            Overloaded: there was none for PATIENCE_SECONDS.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        while not self.take():
            if time.monotonic() > until:
                raise Overloaded
            time.sleep(PAUSE_SECONDS)
        try:
            yield
        finally:
            self.give_back()

    def give_back(self) -> None:
        """Let the next one in."""
        self._free.release()

    def _too_old(self) -> bool:
        """Whether the proxy took the request so long ago that nobody waits for its answer."""
        if not is_from(self._proxy):
            return False
        match = _START.fullmatch(request.headers.get("X-Request-Start", ""))
        return match is not None and self._clock() - float(match[1]) > OLDEST_SECONDS

    def note_refusal(self) -> None:
        """One line a second: a line for each would be more work than the refusal."""
        with self._lock:
            self._n_refused += 1
            if time.monotonic() - self._logged_at < LOG_EVERY_SECONDS:
                return
            self._logged_at, n_refused, self._n_refused = time.monotonic(), self._n_refused, 0
        log.warning("overloaded: %d requests refused since the last such line", n_refused)
