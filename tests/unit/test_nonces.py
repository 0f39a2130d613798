"""Nonces: one of many who come at once is the first, whatever the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from loansvc.ledger import Ledger
from loansvc.ledger.nonces import is_new
from tests import databases
from tests.small import NOON

pytestmark = pytest.mark.usefixtures("both_databases")
SOON = NOON + timedelta(minutes=10)
WORKERS, CALLERS = 2, 6


@pytest.fixture
def ledgers(tmp_path: Path) -> list[Ledger]:
    """What several workers have of one ledger."""
    url = databases.url_of(tmp_path)
    return [Ledger.open(url, home=tmp_path, create=True) for _ in range(WORKERS)]


def test_of_those_who_come_at_once_with_one_nonce_one_is_taken(ledgers: list[Ledger]) -> None:
    def asks(number: int) -> bool:
        ledger = ledgers[number % WORKERS]
        return is_new(ledger, "key", f"nonce-{number // CALLERS}", now=NOON, expires_at=SOON)

    with ThreadPoolExecutor(CALLERS) as callers:
        taken = list(callers.map(asks, range(5 * CALLERS)))
    assert [sum(taken[i : i + CALLERS]) for i in range(0, len(taken), CALLERS)] == [1] * 5


def test_a_nonce_is_free_again_once_it_has_expired(ledgers: list[Ledger]) -> None:
    one, other = ledgers
    assert is_new(one, "key", "nonce", now=NOON, expires_at=SOON)
    assert not is_new(other, "key", "nonce", now=SOON, expires_at=SOON)
    later = SOON + timedelta(milliseconds=1)
    assert is_new(other, "key", "nonce", now=later, expires_at=later)


def test_a_nonce_within_a_round_that_writes_waits_for_nobody(ledgers: list[Ledger]) -> None:
    """On SQLite the round holds the file, and a connection beside it would wait for the round."""
    one, other = ledgers
    with one.round():
        with one.transaction():
            pass
        assert is_new(one, "key", "nonce", now=NOON, expires_at=SOON)
        assert not is_new(one, "key", "nonce", now=NOON, expires_at=SOON)
    assert not is_new(other, "key", "nonce", now=NOON, expires_at=SOON)
