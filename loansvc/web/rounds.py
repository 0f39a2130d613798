"""Rounds: short requests that one thread works on, one after the other, with one commit for all.

Threads that wait for one another's commit are woken once each, and that costs more than a decision.
Here whoever waits is taken into the round at hand; no answer leaves before the round's commit is on
disk, and where it is not, every answer that rests on it is "try again".
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from loansvc.errors import LedgerUnavailable, Overloaded
from loansvc.ledger import Ledger
from loansvc.web.admission import LONGEST_WAIT_SECONDS, Admission
from loansvc.web.problems import log_refusal, our_mistake
from loansvc.web.replies import Application, Environ, Reply, refusal, reply_of
from loansvc.web.timing import TIMING

log = logging.getLogger("loansvc.web")
MOST_REQUESTS = 32  # of a round: the first of them waits for the last


@dataclass(slots=True)
class _Asked:
    """A request that waits for its reply."""

    environ: Environ
    request_id: str
    reply: asyncio.Future[Reply]
    since: float  # when it began to wait for others


class Rounds:
    """The thread of one worker, and who waits for it; all but that thread is the event loop's."""

    def __init__(
        self, application: Application, ledger: Ledger, admission: Admission, *,
        loop: asyncio.AbstractEventLoop, most: int,
    ) -> None:  # fmt: skip
        self._application = application
        self._ledger = ledger
        self._admission = admission
        self._loop = loop
        self._most = most
        self._n_here = 0
        self._queue: SimpleQueue[_Asked | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="rounds", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End once all who wait have their replies."""
        self._queue.put(None)
        self._thread.join()

    async def ask(self, environ: Environ, request_id: str) -> Reply:
        """The application's reply, once what it rests on is on disk.

        Raises:
            Overloaded: too many wait already, or it waited too long.
        """
        if self._n_here >= self._most:
            self._admission.note_refusal()
            raise Overloaded
        # Whoever finds nobody here waits for a processor alone, and that is no reason to refuse it.
        since = time.monotonic() if self._n_here else math.inf
        self._n_here += 1
        asked = _Asked(environ, request_id, self._loop.create_future(), since)
        self._queue.put(asked)
        return await asked.reply

    def _tell(self, told: list[tuple[_Asked, Reply]]) -> None:
        self._n_here -= len(told)
        for asked, reply in told:
            if not asked.reply.done():  # else the caller has gone
                asked.reply.set_result(reply)

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            told = self._round(first)
            with suppress(RuntimeError):  # the loop has ended, and all connections with it
                self._loop.call_soon_threadsafe(self._tell, told)

    def _round(self, first: _Asked) -> list[tuple[_Asked, Reply]]:
        """Everybody of a round, each with what may be told now."""
        told: list[tuple[_Asked, Reply]] = []
        resting: list[int] = []  # on the commit: the places of those who were in the transaction
        try:
            with self._ledger.round() as held:
                asked: _Asked | None = first
                while asked is not None:
                    n_before = held.n_blocks
                    reply = self._reply(asked)
                    if held.n_blocks > n_before:
                        resting.append(len(told))
                    told.append((asked, reply))
                    goes_on = len(told) < MOST_REQUESTS and held.takes_more()
                    asked = self._next() if goes_on else None
        except Exception as error:  # whatever it was: nobody knows that it is on disk
            self._take_back(told, resting, error)
        return told

    def _next(self) -> _Asked | None:
        try:
            asked = self._queue.get_nowait()
        except Empty:
            return None
        if asked is None:
            self._queue.put(None)  # for `_work`, behind nobody: none is asked any more
        return asked

    def _reply(self, asked: _Asked) -> Reply:
        if time.monotonic() - asked.since > LONGEST_WAIT_SECONDS:
            self._admission.note_refusal()
            return refusal(Overloaded(), asked.request_id)
        try:
            reply = reply_of(self._application, asked.environ)
            if TIMING in asked.environ:
                asked.environ[TIMING].stage("commit")  # which all of the round wait for
            return reply
        except Exception as error:
            about = {"request_id": asked.request_id}
            log.error("request failed", extra=about, exc_info=error)
            return refusal(our_mistake(), asked.request_id)

    def _take_back(
        self, told: list[tuple[_Asked, Reply]], resting: list[int], error: Exception
    ) -> None:
        """Refuse who rests on a commit that failed; they may come again with the same id."""
        unavailable = LedgerUnavailable()
        unavailable.__cause__ = error.__cause__ or error
        for place in resting:
            asked, _ = told[place]
            log_refusal(unavailable, asked.request_id)
            told[place] = asked, refusal(unavailable, asked.request_id)
