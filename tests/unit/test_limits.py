"""Quotas of clients and wrong tries of addresses, in memory and in Redis."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loansvc.errors import SetupRefused, TooManyTries
from loansvc.web.limits import WRONG_TRIES, Limits, Quota, Windows


def n_taken(limits: Limits, client: str, n: int) -> int:
    return sum(limits.take(client).taken for _ in range(n))


def test_a_worker_has_its_share_of_the_quota() -> None:
    workers = [Limits(per_minute=10, workers=2) for _ in range(2)]
    assert [n_taken(worker, "bank", 9) for worker in workers] == [5, 5]


def test_each_client_has_a_quota_of_its_own() -> None:
    limits = Limits(per_minute=4, workers=1)
    assert n_taken(limits, "bank", 9) == 4
    assert n_taken(limits, "other", 4) == 4


def test_a_quota_smaller_than_the_workers_is_one_for_each() -> None:
    assert n_taken(Limits(per_minute=1, workers=8), "bank", 3) == 1


def test_what_is_left_is_told_for_all_workers() -> None:
    quota = Limits(per_minute=10, workers=2).take("bank")
    assert (quota.most, quota.left) == (10, 8)
    assert 55 <= quota.ends_in_s <= 60


@pytest.mark.parametrize(
    ("most", "left", "expected"),
    [
        pytest.param(60_000, 59_999, "r=59400", id="rounded down to a percent"),
        pytest.param(60_000, 5_999, "r=5400;t=42", id="and when more comes once little is left"),
        pytest.param(50, 49, "r=49", id="a small quota to the one"),
        pytest.param(50, 0, "r=0;t=42", id="nothing"),
    ],
)
def test_the_field_says_what_is_left(most: int, left: int, expected: str) -> None:
    fields = Quota(True, most, left, 42).fields()
    assert fields["RateLimit"] == f'"client";{expected}'
    assert fields["RateLimit-Policy"] == f'"client";q={most};w=60'


def test_wrong_tries_of_one_address_are_bounded_and_of_another_free() -> None:
    limits = Limits(per_minute=10, workers=2)
    for _ in range(WRONG_TRIES):
        limits.wrong("10.0.0.1")
    with pytest.raises(TooManyTries) as refused:
        limits.wrong("10.0.0.1")
    assert 55 <= refused.value.retry_after_s <= 60
    limits.wrong("10.0.0.2")


@pytest.mark.parametrize("store", ["redis", "mysql://u:s3cr3t@h", "redis+cluster://", "memory"])
def test_what_is_no_store_is_refused_without_its_password(store: str) -> None:
    with pytest.raises(SetupRefused, match="LOANSVC_RATE_STORE") as refused:
        Limits(per_minute=1, workers=1, store=store)
    assert "s3cr3t" not in str(refused.value)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Redis of our own, and its address."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server (Debian package redis-server)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [program, "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    with subprocess.Popen([*arguments, "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL) as server:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}", server
        server.kill()


def test_in_redis_all_workers_count_together(
    redis: tuple[str, subprocess.Popen[bytes]],
) -> None:
    workers = [Limits(per_minute=10, workers=2, store=redis[0]) for _ in range(2)]
    assert [n_taken(workers[n % 2], "bank", 1) for n in range(12)] == [1] * 10 + [0] * 2
    assert workers[0].take("other").left == 9


def test_without_its_redis_a_worker_counts_for_itself(
    redis: tuple[str, subprocess.Popen[bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(per_minute=10, workers=2, store=redis[0])
    assert n_taken(limits, "bank", 3) == 3
    redis[1].kill()
    redis[1].wait()
    started = time.monotonic()
    assert n_taken(limits, "bank", 9) == 5
    assert time.monotonic() - started < 5  # asked once, and not again for a while
    assert caplog.text.count("counted per worker") == 1


def test_threads_that_count_at_once_count_right() -> None:
    limits = Limits(per_minute=100, workers=1)
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(lambda _: limits.take("bank").taken, range(200)))
    assert taken.count(True) == 100


def test_a_window_begins_with_its_first_count_and_is_forgotten() -> None:
    at = 1000.0
    windows = Windows(lambda: at)
    assert [windows.count("a"), windows.count("a")] == [(1, 1060.0), (2, 1060.0)]
    at = 1059.9
    assert windows.count("b") == (1, 1119.9)
    at = 1060.0
    assert windows.count("a") == (1, 1120.0)
    at = 1180.0
    windows.count("c")
    assert list(windows._counts) == ["c"]
