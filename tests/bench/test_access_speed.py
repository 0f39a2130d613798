"""What access costs, whether its time tells anything, and whether one client slows another.

Run: make bench. Samples take turns, so that a busy machine slows all alike. Nothing asserts a time.
"""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from loansvc.application import characteristics
from loansvc.ledger import keys, nonces
from loansvc.ledger.variants import Bounds, keep, variant_of
from tests.contract.conftest import Api
from tests.e2e.service import PATIENCE_S, Service
from tests.small import NOON, a_document, an_application, small_models

pytestmark = pytest.mark.bench
N_SAMPLES = 2000
SECONDS = 10.0
PER_MINUTE = 1200  # of the measurement of fairness


def taking_turns(calls: dict[str, Callable[[], Any]], n: int) -> dict[str, list[float]]:
    """Microseconds of each call, n samples, in turn."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(n):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            found[name].append((time.perf_counter() - started) * 1e6)
    return found


def show(found: dict[str, list[float]]) -> None:
    """Medians beside the first, and how likely so large a difference is by chance."""
    first = next(iter(found))
    base = statistics.median(found[first])
    for name, times in found.items():
        median = statistics.median(times)
        p = mannwhitneyu(found[first], times).pvalue
        print(f"  {name:<34} {median:8.1f} us  {median - base:+7.1f} us  p {p:.2f}")


@pytest.fixture
def api(tmp_path: Path) -> Any:
    service = Api(tmp_path, small_models(tmp_path))
    yield service
    service.close()


def test_time_tells_nothing_of_a_key(api: Api) -> None:
    """S4: ids that exist or not, and secrets whose first characters are right."""
    _, key_id, secret = api.key.split("_", 2)

    def wrong(n_right: int) -> Callable[[], Any]:
        tail = ("B" if secret[n_right] == "A" else "A") * (len(secret) - n_right)
        token = f"lsk_{key_id}_{secret[:n_right]}{tail}"
        return lambda: keys.find(api.root.ledger, token, now=NOON)

    calls = {f"{n} characters right": wrong(n) for n in (0, 8, 16, 24, 32)}
    unknown = f"lsk_{'0' * 12}_{secret}"
    calls["no such id"] = lambda: keys.find(api.root.ledger, unknown, now=NOON)
    print("\na wrong key")
    show(taking_turns(calls, N_SAMPLES))


def test_time_tells_nothing_of_a_foreign_decision(api: Api) -> None:
    other = api.new_key("other")
    for number in range(20):
        assert api.post(a_document(number), key=other).status_code == 201
    there = [a_document(n)["application_id"] for n in range(20)]
    absent = [a_document(n)["application_id"] for n in range(100, 120)]
    turn = iter(range(10**9))

    def asked(names: list[str]) -> Callable[[], Any]:
        return lambda: api.get(f"/v1/decisions/{names[next(turn) % 20]}")

    print("\nan id")
    show(taking_turns({"foreign": asked(there), "absent": asked(absent)}, N_SAMPLES))


def test_what_access_costs(api: Api) -> None:
    ledger, numbers = api.root.ledger, iter(range(10**9))
    application = an_application(1)
    id_number = application.applicant.id_number
    bounds = Bounds(unnoticed=10**6, most=10**6)

    def nonce() -> None:
        until = NOON + timedelta(minutes=10)
        nonces.is_new(ledger, "k", f"{next(numbers):020d}", now=NOON, expires_at=until)

    def variant() -> None:
        with ledger.reading() as reading:
            client = f"c{next(numbers)}"
            one = variant_of(reading.vault, id_number, characteristics(application), client=client)
        at: datetime = NOON.replace(second=1)
        with ledger.fleeting() as connection:
            keep(connection, one, at=at, bounds=bounds)

    wrong = f"lsk_{'0' * 12}_{'A' * 43}"
    print("\nwhat access costs")
    show(taking_turns({
        "a key looked up": lambda: keys.find(ledger, api.key, now=NOON),
        "a nonce kept": nonce,
        "a variant counted": variant,
        "GET /v1/fund whole": lambda: api.get("/v1/fund"),
        "a wrong key refused": lambda: api.get("/v1/fund", key=wrong),
    }, N_SAMPLES // 4))  # fmt: skip


class Caller:
    """One client at a steady rate, on a connection of its own."""

    def __init__(self, service: Service, key: str, per_second: float) -> None:
        self.service, self.key, self.per_second = service, key, per_second
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=PATIENCE_S)
        started = time.perf_counter()
        for number in range(int(SECONDS * self.per_second)):
            due = started + number / self.per_second
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.request("GET", "/v1/fund", headers={"Authorization": f"Bearer {self.key}"})
            response = connection.getresponse()
            response.read()
            self.statuses[response.status] += 1
            self.times.append((time.perf_counter() - due) * 1e3)
        connection.close()

    def p99(self) -> float:
        return float(np.percentile(self.times, 99))


def test_a_client_above_its_quota_slows_no_other(tmp_path: Path) -> None:
    """L5: one at ten times its quota, one at half."""
    service = Service(
        tmp_path / "home", small_models(tmp_path), LOANSVC_RATE_LIMIT=str(PER_MINUTE)
    ).start()
    try:
        loud, quiet = (service.run("keys", "create", name).stdout.strip() for name in ("a", "b"))
        half = PER_MINUTE / 60 / 2
        alone = Caller(service, quiet, half)
        alone.run()
        time.sleep(60)  # a new window
        beside = Caller(service, quiet, half)
        # Ten connections, so that both workers see the loud one.
        many = [Caller(service, loud, PER_MINUTE / 60) for _ in range(10)]
        threads = [threading.Thread(target=one.run) for one in (beside, *many)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        service.close()
    refused = sum((one.statuses for one in many), Counter())
    print(f"\nquiet alone   p99 {alone.p99():6.1f} ms  {dict(alone.statuses)}")
    print(f"quiet beside  p99 {beside.p99():6.1f} ms  {dict(beside.statuses)}")
    print(f"loud          {json.dumps({str(k): v for k, v in refused.items()})}")
    assert set(beside.statuses) == {200}
    assert refused[429] > 0
