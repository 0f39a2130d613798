"""Working: messages of the outbox delivered, beside the batches, by the same process.

A message is leased, sent with nothing locked, and what came of it is written down. Killed in
between, it is sent again under the same id once the lease is over: at least once, in no promised
order. Each endpoint has a lane of its own with one message in it, so that a receiver that hangs
holds up its own messages alone.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from loansvc.errors import LedgerUnavailable, NotFound
from loansvc.ledger import Ledger, endpoints, outbox
from loansvc.ledger.batches import new_worker
from loansvc.ledger.outbox import Message
from loansvc.underwriting import milliseconds, new_id, now, stamp
from loansvc.webhooks import headers, wait_s
from loansvc.webhooks.sending import Answer, send

log = logging.getLogger("loansvc.webhooks")
LANES = 16  # messages on their way at once; where more receivers hang, others wait for 15 s
TURN_SECONDS = 1.0  # of an endpoint with many messages, before others have their turn
LOOK_SECONDS = 0.5  # between looks at the outbox
TIDY_SECONDS = 60.0
NAME = "loansvc worker"  # who disables an endpoint, in the ledger

Send = Callable[[str, Mapping[str, str], bytes], Answer]
T = TypeVar("T")


def post(
    ledger: Ledger, endpoint_id: str, message_id: str, body: str, *, at: datetime, send: Send = send
) -> Answer:
    """What a receiver answers to one attempt, made now, signed with the endpoint's secrets.

    Raises:
        NotFound: there is no such endpoint.
        LedgerDamaged: a secret cannot be opened.
    """
    with ledger.reading() as reading:
        one = endpoints.find(reading.connection, endpoint_id)
        if one is None:
            raise NotFound("There is no such endpoint. See: loansvc webhooks list")
        secrets = endpoints.secrets_of(reading, endpoint_id, now=at)
    data = body.encode()
    return send(one.url, headers(message_id, data, secrets, sent_at_s=int(at.timestamp())), data)


@dataclass
class Delivering:
    """One worker's deliveries. `chance` gives 0 to 1."""

    ledger: Ledger
    clock: Callable[[], datetime] = now
    send: Send = send
    chance: Callable[[], float] = random.random
    days_kept: int = 30
    name: str = field(default_factory=new_worker)
    _busy: set[str] = field(default_factory=set)  # endpoints with a lane
    _tidy_at: float = 0.0

    def run(self, stop: threading.Event, *, once: bool = False) -> None:
        """Deliver until told to stop, or, with `once`, until nothing is due."""
        with ThreadPoolExecutor(LANES, thread_name_prefix="webhooks") as lanes:
            while not stop.is_set():
                n_busy = len(self._busy)  # before the look: it passes over whoever is
                found = self._guarded(self._look)
                for endpoint_id in found or ():
                    self._busy.add(endpoint_id)
                    lanes.submit(self._lane, endpoint_id, stop)
                if once and found == [] and not n_busy:
                    break
                stop.wait(LOOK_SECONDS)

    def _look(self) -> list[str]:
        """The endpoints for which something is due, but those that have a lane."""
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + TIDY_SECONDS
            self.tidy()
        with self.ledger.snapshot() as connection:
            due = outbox.due_endpoints(connection, at=milliseconds(self.clock()))
        return [endpoint_id for endpoint_id in due if endpoint_id not in self._busy]

    def _lane(self, endpoint_id: str, stop: threading.Event) -> None:
        until = time.monotonic() + TURN_SECONDS
        try:
            while not stop.is_set() and self._guarded(lambda: self.deliver(endpoint_id)):
                if time.monotonic() >= until:
                    break
        finally:
            self._busy.discard(endpoint_id)

    def _guarded(self, work: Callable[[], T]) -> T | None:
        """What `work` gives. The outermost handler of these threads: they go on."""
        try:
            return work()
        except LedgerUnavailable:
            log.warning("webhooks: the ledger cannot be used just now")
        except Exception as error:
            log.error("webhooks: an error on our side", exc_info=error)
        return None

    def deliver(self, endpoint_id: str) -> bool:
        """Send an endpoint the message that is due longest; whether there was one."""
        at = self.clock()
        with self.ledger.writing() as ledger:
            message = outbox.lease_next(
                ledger.connection, endpoint_id, self.name, at=milliseconds(at)
            )
        if message is None:
            return False
        try:
            answer = post(
                self.ledger, endpoint_id, message.message_id, message.body, at=at, send=self.send
            )
        except NotFound:  # removed meanwhile, its messages too
            return True
        self._settle(message, answer)
        return True

    def _settle(self, message: Message, answer: Answer) -> None:
        """Write down what came of an attempt."""
        name, said, at = message.message_id, str(answer), self.clock()
        about = f"webhook {name} to {message.endpoint_id}"
        wait = wait_s(message.attempts + 1, chance=self.chance, asked_s=answer.retry_after_s)
        with self.ledger.writing() as ledger:
            if answer.is_taken:
                outbox.end_sent(ledger.connection, message, said, at=stamp(at))
            elif answer.is_gone:
                outbox.end_failed(ledger.connection, message, said, at=stamp(at))
                endpoints.disable(
                    ledger, message.endpoint_id, said, now=at, entry_id=new_id("adm", at), by=NAME
                )
            elif wait is None:
                outbox.end_failed(ledger.connection, message, said, at=stamp(at))
            else:
                due = milliseconds(at) + round(wait * 1000)
                outbox.put_off(ledger.connection, message, said, due=due)
        if answer.is_gone:
            log.error("%s: 410, the endpoint is disabled", about)
        elif not answer.is_taken and wait is None:
            log.error("%s: %s, given up after %d attempts", about, said, message.attempts + 1)
        elif not answer.is_taken:
            log.warning("%s: %s, again in %.0f s", about, said, wait)

    def tidy(self) -> None:
        """Delete messages that ended so many days ago, and secrets that sign nothing any more."""
        at = self.clock()
        with self.ledger.writing() as ledger:
            outbox.tidy(ledger.connection, ended_before=stamp(at - timedelta(days=self.days_kept)))
            endpoints.forget_expired(ledger.connection, now=at)
