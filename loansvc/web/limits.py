"""Limits: how many requests of a client, and wrong tries of an address, are taken in a minute.

Counted in each worker, which has its share of the quota, or for all of them in Redis. Where Redis
does not answer, each worker counts for itself again: a quota never stops the service.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.errors import ConfigurationError, StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from loansvc.errors import SetupRefused, TooManyTries

log = logging.getLogger("loansvc.web")
WINDOW_S = 60
WRONG_TRIES = 20  # of one address; a client that is set up wrong makes a few, a guesser many
PATIENCE_S = 0.25  # with Redis: a request waits no longer for being counted
PAUSE_S = 5.0  # before Redis is asked again after it did not answer


@dataclass(frozen=True, slots=True)
class Quota:
    """Whether a request was taken, and what the client may still send until its window ends."""

    taken: bool
    most: int
    left: int
    ends_in_s: int

    def fields(self) -> dict[str, str]:
        """As header fields (draft-ietf-httpapi-ratelimit-headers), rounded down to a percent.

        So two answers to one client are alike to the byte, as that on what is not there and that on
        what is another's. When the window ends is told when less than a tenth is left.
        """
        left = self.left - self.left % max(1, self.most // 100)
        ends = f";t={self.ends_in_s}" if left * 10 < self.most else ""
        return {
            "RateLimit-Policy": f'"client";q={self.most};w={WINDOW_S}',
            "RateLimit": f'"client";r={left}{ends}',
        }


class Windows:
    """Counts by name in this process; a name's window begins with its first count.

    The library's own store in memory starts a thread for almost every count, which costs more
    than all the rest of it.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._counts: dict[str, tuple[int, float]] = {}
        self._forget_at = 0.0

    def count(self, name: str) -> tuple[int, float]:
        """How often that name was counted in its window, this time too, and when it ends."""
        now = self._clock()
        with self._lock:
            if now >= self._forget_at:  # once a window: names may be anybody's addresses
                self._counts = {n: c for n, c in self._counts.items() if now < c[1]}
                self._forget_at = now + WINDOW_S
            n, ends_at = self._counts.get(name, (0, 0.0))
            counted = (n + 1, ends_at) if now < ends_at else (1, now + WINDOW_S)
            self._counts[name] = counted
        return counted


class Limits:
    """The counters of this worker, or those that all share."""

    def __init__(self, *, per_minute: int, workers: int, store: str = "") -> None:
        self._most = per_minute
        self._workers = workers
        self._own = Windows()
        self._shared = FixedWindowRateLimiter(_store(store)) if store else None
        self._shared_again_at = 0.0

    def take(self, client: str) -> Quota:
        """Count a request of a client: whether it is taken, and what is left."""
        if self._shared is not None and time.monotonic() >= self._shared_again_at:
            try:
                return self._shared_hit(self._shared, client)
            except StorageError as error:
                self._shared_again_at = time.monotonic() + PAUSE_S
                log.error("quotas are counted per worker: %s", type(error.storage_error).__name__)
        share = max(1, self._most // self._workers)
        n, ends_at = self._own.count(f"client {client}")
        left = min(self._most, max(0, share - n) * self._workers)
        return Quota(n <= share, self._most, left, _seconds_until(ends_at))

    def wrong(self, address: str) -> None:
        """Count a try that opened nothing, in this worker.

        Raises:
            TooManyTries: there were too many from this address.
        """
        n, ends_at = self._own.count(f"wrong {address}")
        if n > WRONG_TRIES:
            raise TooManyTries(retry_after_s=_seconds_until(ends_at))

    def _shared_hit(self, counter: FixedWindowRateLimiter, client: str) -> Quota:
        """Count where all workers count."""
        item = RateLimitItemPerMinute(self._most)
        taken = counter.hit(item, "client", client)
        stats = counter.get_window_stats(item, "client", client)
        left = min(self._most, max(0, stats.remaining))
        return Quota(taken, self._most, left, _seconds_until(stats.reset_time))


def _store(url: str) -> Storage:
    try:
        if not url.startswith(("redis://", "rediss://", "redis+unix://")):
            raise ConfigurationError("unknown")
        store = storage_from_string(
            url, wrap_exceptions=True, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S
        )
        assert isinstance(store, Storage), "not one of asyncio"
        return store
    except (ConfigurationError, ValueError, TypeError):  # its text may show a password
        raise SetupRefused(
            "LOANSVC_RATE_STORE names no store that can be used here. Give a URL such as "
            "redis://host:6379, and install loansvc[redis]."
        ) from None


def _seconds_until(at: float) -> int:
    return min(WINDOW_S, max(1, round(at - time.time())))
