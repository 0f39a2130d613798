"""Checkpointing: a thread of each worker that makes a checkpoint when one is due.

Every worker looks; whoever is first makes it, and the others find it made. Once a minute it forgets
what is kept for a day: whether anybody asks in that minute or not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from loansvc.errors import LoanError
from loansvc.ledger import Ledger
from loansvc.ledger.checkpoints import advance, is_due
from loansvc.ledger.variants import forget_old
from loansvc.underwriting import stamp

log = logging.getLogger("loansvc.checkpoints")
LOOK_SECONDS = 3.0  # between one look and the next
FORGET_SECONDS = 60.0


@contextmanager
def checkpoints_made(
    ledger: Ledger, clock: Callable[[], datetime], *, look_seconds: float = LOOK_SECONDS
) -> Iterator[None]:
    """Make checkpoints while the block runs; it ends when the one in the making is made."""
    stop = threading.Event()

    def look() -> None:
        forget_at = 0.0
        while not stop.wait(look_seconds):
            _make_if_due(ledger, clock())
            if time.monotonic() >= forget_at:
                forget_at = time.monotonic() + FORGET_SECONDS
                _forget(ledger, clock())

    thread = threading.Thread(target=look, name="checkpoints", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _make_if_due(ledger: Ledger, now: datetime) -> None:
    try:
        if is_due(ledger, now):
            made = advance(ledger, at=stamp(now))
            log.info("checkpoint of %s entries", made and made.size)
    except LoanError as error:
        # A full disk or a busy database passes; a damaged ledger is told until somebody looks.
        log.error("no checkpoint: %s: %s", error.code, error.detail)


def _forget(ledger: Ledger, now: datetime) -> None:
    try:
        with ledger.fleeting() as connection:
            forget_old(connection, now=now)
    except LoanError as error:  # the next minute does it
        log.warning("what is kept for a day is not forgotten yet: %s", error.code)
