"""A session of the console: what its cookie holds, how long it lasts, and what ends it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from loansvc.ledger import Ledger
from loansvc.web.console.session import IDLE, LONGEST, Session
from tests import databases
from tests.small import NOON

KEY_ID = "0123456789ab"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    home = tmp_path / "home"
    databases.begin(home)
    opened = Ledger.open(databases.url_of(home), home=home, create=True)
    yield opened
    opened.close()


def test_a_cookie_gives_the_session_back_until_it_is_over(ledger: Ledger) -> None:
    begun = Session.begin(KEY_ID, now=NOON)
    cookie = begun.cookie(ledger.vault)
    last = NOON + IDLE - timedelta(seconds=1)
    assert Session.read(cookie, ledger.vault, now=last) == begun
    assert Session.read(cookie, ledger.vault, now=NOON + IDLE) is None


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda c: c.replace(KEY_ID, "ba9876543210"), id="another key"),
        pytest.param(lambda c: c.replace(".17", ".18"), id="a later end"),
        pytest.param(lambda c: c[:-1] + ("0" if c[-1] != "0" else "1"), id="another mark"),
        pytest.param(lambda c: c.partition("~")[0], id="no mark"),
        pytest.param(lambda _: "", id="nothing"),
        pytest.param(lambda _: "~", id="no text"),
        pytest.param(lambda c: c + "é", id="no ASCII"),
    ],
)
def test_a_cookie_that_was_changed_is_none(ledger: Ledger, changed: object) -> None:
    cookie = Session.begin(KEY_ID, now=NOON).cookie(ledger.vault)
    forged = changed(cookie)  # type: ignore[operator]
    assert forged != cookie
    assert Session.read(forged, ledger.vault, now=NOON) is None


def test_it_is_renewed_while_it_is_used_and_never_beyond_a_day_of_work(ledger: Ledger) -> None:
    begun = Session.begin(KEY_ID, now=NOON)
    later = begun.renewed(now=NOON + timedelta(minutes=20))
    assert later.until == NOON + timedelta(minutes=20) + IDLE
    assert begun.renewed(now=NOON + LONGEST - timedelta(minutes=1)).until == NOON + LONGEST


def test_forms_are_of_one_session_alone(ledger: Ledger) -> None:
    one, other = (Session.begin(KEY_ID, now=NOON) for _ in range(2))
    token = one.form_token(ledger.vault)
    assert one.owns(token, ledger.vault)
    assert not other.owns(token, ledger.vault)
    assert not one.owns("", ledger.vault)


def test_one_that_was_ended_has_ended_for_every_copy(ledger: Ledger) -> None:
    begun, other = (Session.begin(KEY_ID, now=NOON) for _ in range(2))
    begun.end(ledger, now=NOON)
    copy = Session.read(begun.cookie(ledger.vault), ledger.vault, now=NOON)
    assert copy is not None
    assert copy.has_ended(ledger)
    assert not other.has_ended(ledger)


def test_it_has_ended_for_as_long_as_a_copy_could_last(ledger: Ledger) -> None:
    begun, other = (Session.begin(KEY_ID, now=NOON) for _ in range(2))
    begun.end(ledger, now=NOON)
    other.end(ledger, now=NOON + LONGEST - timedelta(seconds=1))  # which forgets what is over
    assert begun.has_ended(ledger)
