"""F4, F14, F15: a reload under load changes to the new card, or changes nothing."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from loansvc.editions import to_text
from loansvc.registry import Registry
from tests.e2e.service import Service, an_example, wait_for
from tests.fault.broken import CARDS, FILES, POLICIES, relocked
from tests.fault.traffic import BROKEN, N_CLIENTS, survived, traffic
from tests.small import CARD, FIRST_DAY, publish_text, small_models

N_RELOADS = 10
DRAWN = 200  # decisions that are replayed
CARD_FILE = f"scorecards/credit_loan/{FIRST_DAY}.json"
POLICY_FILE = f"policies/credit_loan/{FIRST_DAY}.toml"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path / "home", small_models(tmp_path)).start()
    yield running
    running.close()


def card_of(body: Any) -> str:
    return str(body["editions"]["scorecard"]["valid_from"])


@pytest.mark.faults("F4", within_s=240)
def test_every_decision_under_reloads_is_of_one_card(
    service: Service, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    """Each card gives a point more than the one before; a mix would not replay."""
    days, hung_up_at = [f"2026-08-{n + 1:02d}" for n in range(N_RELOADS)], []
    with traffic(service) as load:
        for n, day in enumerate(days):
            before = set(service.workers())
            card = {**CARD, "product": "credit_loan", "valid_from": day, "base_points": 581 + n}
            publish_text(service.models, tmp_path / f"{day}.json", to_text(card))
            os.kill(service.pid, signal.SIGHUP)
            hung_up_at.append(time.monotonic())
            wait_for("new workers", partial(_replaced, service, before))
        time.sleep(1)
    said = survived(service, load)
    assert load.count()[BROKEN] == 0
    used = {number: card_of(answer.json()) for number, answer in load.answers.items()}
    assert set(used.values()) <= {FIRST_DAY, *days}
    assert days[-1] in used.values()
    numbers = list(load.answers)[:: max(1, len(load.answers) // DRAWN)]
    with ThreadPoolExecutor(N_CLIENTS) as pool:
        for answer in pool.map(lambda n: _replay(service, n), numbers):
            assert answer["identical"], answer["differences"]
    last_of = {used[a.number]: a.sent_at for a in load.answered()}
    later = [last_of[day] - at for day, at in zip([FIRST_DAY, *days], hung_up_at, strict=False)
             if day in last_of]  # fmt: skip
    assert max(later) < 20, "an old card went on deciding"
    measured(f"{N_RELOADS} reloads: {said}; {len(numbers)} of {len(numbers)} replay identically; "
             f"the old card decided for {max(later):.1f} s more at most; "
             f"p99 {load.percentile_ms(99):.0f} ms")  # fmt: skip


def _replaced(service: Service, before: set[int]) -> bool:
    now = set(service.workers())
    return len(now) == len(before) and not now & before


def _replay(service: Service, number: int) -> Any:
    name = an_example(number)["application_id"]
    return service.get(f"/v1/decisions/{name}/replay").json()


BROKEN_AT_RELOAD = {
    CARD_FILE: ("empty", "cut at 50 %", "1 GB", "a link", "a folder", "gone", "NaN",
                "a gap between bins", "nested 100,000 deep", "a key twice"),
    POLICY_FILE: ("empty", "cut at 50 %", "a YAML tag", "grades that overlap",
                  "a gap in the limits", "29 February of 2027", "an example that is not so"),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(CARD_FILE, marks=pytest.mark.faults("F14", within_s=240)),
        pytest.param(POLICY_FILE, marks=pytest.mark.faults("F15", within_s=240)),
    ],
)
def test_a_reload_beside_a_broken_file_changes_nothing(
    service: Service, tmp_path: Path, name: str, measured: Callable[[str], None]
) -> None:
    """The old workers stay, one line of the log says why, and the right file is taken again."""
    whole = tmp_path / "whole"
    shutil.copytree(service.models, whole)
    before = service.workers()
    with traffic(service, n_clients=2) as load:
        for what in BROKEN_AT_RELOAD[name]:
            contents = CARDS if name == CARD_FILE else POLICIES
            (FILES | contents)[what](service.models / name)
            if what in contents:
                relocked(service.models, service.models / name)
            n_before = len(_refusals(service))
            os.kill(service.pid, signal.SIGHUP)
            lines = wait_for("a refusal", partial(_refusals, service, n_before))
            assert len(lines) == 1, what
            assert name in lines[0], what
            shutil.rmtree(service.models)
            shutil.copytree(whole, service.models)
        assert service.workers() == before
    said = survived(service, load)
    assert set(load.count()) == {201}
    Registry.open(service.models)
    os.kill(service.pid, signal.SIGHUP)
    wait_for("new workers", partial(_replaced, service, set(before)))
    n_broken = len(BROKEN_AT_RELOAD[name])
    measured(f"reload: {n_broken} of {n_broken} refused in one line, no worker gone, {said}")


def _refusals(service: Service, since: int = 0) -> list[str]:
    return [line for line in service.log().splitlines() if "not reloaded" in line][since:]
