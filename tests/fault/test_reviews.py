"""Many people at one review, and many approvals by hand against a fund that is nearly full."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from loansvc.errors import LedgerUnavailable, ReviewRefused
from loansvc.lending import Lending
from loansvc.reviewing import By, Override, Review, Reviewing
from loansvc.underwriting import Underwriting
from tests.small import an_application, publish_caps, small_models, small_underwriting, with_fund

pytestmark = pytest.mark.fault
SHARE = 48_000  # 40 % of 120,000
ROOM = 5  # shares that the fund can carry
N = 50
NO_CONSENT: dict[str, Any] = {"consent__scopes": ["credit_report", "income", "public_records"]}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    models = small_models(folder)
    publish_caps(models, folder, multiple=1, single_client_percent=50, related_percent=60)
    return models


@pytest.fixture
def root(tmp_path: Path, models: Path) -> Iterator[Underwriting]:
    found = small_underwriting(tmp_path, models=models)
    with_fund(found, SHARE * ROOM)
    yield found
    found.ledger._engine.dispose()


def until_told(act: Any) -> str:
    """What came of it, asked again while the ledger is busy."""
    while True:
        try:
            return "recorded" if act()[1] else "recorded before"
        except ReviewRefused as error:
            return error.code
        except LedgerUnavailable:
            continue


def at_once(act: Any) -> Counter[str]:
    """What came of N people doing it at the same moment."""
    start = threading.Barrier(N)

    def one(number: int) -> str:
        start.wait()
        return until_told(lambda: act(number))

    with ThreadPoolExecutor(N) as people:
        return Counter(people.map(one, range(N)))


def referral(root: Underwriting, number: int) -> str:
    application = an_application(number, **NO_CONSENT)
    return root.decide(application, client="bank")[0].entry.application_id


def test_of_fifty_at_once_one_asks_and_one_decides(root: Underwriting) -> None:
    name, reviewing = referral(root, 1), Reviewing(root)

    def ask(number: int) -> Any:
        review = Review(reference=f"V-{number}", asked_by="officer", reason="referred")
        return reviewing.ask(name, review, by=By("asker"), client="bank")

    def decide(number: int) -> Any:
        outcome = "approve" if number % 2 else "decline"
        override = Override(reference=f"O-{number}", outcome=outcome, reason="visit")
        return reviewing.override(name, override, by=By(f"key{number}"), client="bank")

    assert at_once(ask) == {"recorded": 1, "already_reviewed": N - 1}
    assert at_once(decide) == {"recorded": 1, "already_overridden": N - 1}
    assert root.ledger.verify() == (4, [])


def test_approvals_by_hand_at_once_never_overdraw_the_fund(root: Underwriting) -> None:
    """Fifty referrals approved by hand at the same moment, for five places."""
    reviewing = Reviewing(root)
    names = [referral(root, number) for number in range(N)]
    for name in names:
        review = Review(reference="V", asked_by="officer", reason="referred")
        reviewing.ask(name, review, by=By("asker"), client="bank")

    def decide(number: int) -> Any:
        override = Override(reference="O", outcome="approve", reason="visit")
        return reviewing.override(names[number], override, by=By("decider"), client="bank")

    assert at_once(decide) == {"recorded": ROOM, "over_fund_cap": N - ROOM}
    assert Lending(root).fund()["reserved_yuan"] == ROOM * SHARE
    assert root.ledger.verify() == (1 + 2 * N + ROOM, [])
