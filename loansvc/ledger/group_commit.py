"""Group commit: the writers of one process take turns within one transaction and share its commit.

Bringing a commit to disk costs as much as several decisions. Whoever wants to write queues; each
block runs alone, in order; whoever finds nobody behind it, or the group full, commits for all.
Nobody leaves before that commit is on disk, not even with a refusal: it may rest on what another
block of the group wrote. Nobody waits for company either: alone, a block commits at once.

To be woken for its turn and again for the commit costs a thread more than the statements of a
decision. So what can be said as work (`run`) is done by whoever has the turn.

A thread that has many blocks to run holds a round: its blocks join the group without waiting, and
the round ends with the commit. Whoever holds one keeps its answers back until then.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar, cast

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from loansvc.errors import LedgerUnavailable
from loansvc.ledger.prepared import Prepared
from loansvc.ledger.stores import database_errors

MOST_BLOCKS = 32  # of one group: more would keep the writers of other processes waiting
MOST_SECONDS = 0.05  # after which a group takes no further block
LONGEST_COMMIT_SECONDS = 30  # after which its result counts as unknown

T = TypeVar("T")
Told = Callable[[int, float], None]  # of a commit: how many blocks shared it, and its seconds
MARK = Prepared(text("SAVEPOINT block"))
RELEASE = Prepared(text("RELEASE SAVEPOINT block"))
UNDO = Prepared(text("ROLLBACK TO SAVEPOINT block"))


class _Group:
    """Blocks that share a transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.transaction = connection.begin()
        self.full_at = time.monotonic() + MOST_SECONDS
        self.n_blocks = 0
        self.undone = False  # the only block was refused: there is nothing to commit
        self.failure: DBAPIError | None = None
        self.ended_well = False
        self.commit_seconds: float | None = None  # until it was on disk
        self.done = threading.Event()
        self.served: list[_Waiter] = []  # whose work was done by another thread

    @property
    def is_over(self) -> bool:
        """Whether it is to be undone, whatever comes."""
        return self.undone or self.failure is not None

    def takes_more(self) -> bool:
        """Whether another block may join."""
        has_room = self.n_blocks < MOST_BLOCKS and time.monotonic() < self.full_at
        return has_room and not self.is_over

    @contextmanager
    def block(self) -> Iterator[Connection]:
        """One block: undone by itself when it is refused; a database error fails the group."""
        # The first block needs no savepoint: undoing it is undoing everything.
        is_first, self.n_blocks = not self.n_blocks, self.n_blocks + 1
        if not is_first:
            MARK.run(self.connection)
        try:
            yield self.connection
            if not is_first:
                RELEASE.run(self.connection)
        except DBAPIError:
            raise
        except BaseException:
            if is_first:
                self.undone = True
            else:
                UNDO.run(self.connection)
                RELEASE.run(self.connection)
            raise

    def end(self) -> None:
        """Commit, or undo; whatever happens to it, the connection is given back or thrown away."""
        try:
            if self.failure is None and self.undone:
                self.transaction.rollback()
            elif self.failure is None:
                began = time.perf_counter()
                self.transaction.commit()
                self.commit_seconds = time.perf_counter() - began
            self.ended_well = self.failure is None
        except DBAPIError as error:
            self.failure = error
        if self.failure is not None:
            # After a failed commit nobody knows what the file holds: never reuse it.
            self.connection.invalidate()
        self.connection.close()


class _Waiter:
    """A thread that waits for its turn, or for its work to be on disk.

    `group` is set where it joins one, or where its work was done in one.
    """

    def __init__(self, work: Callable[[Connection], object] | None = None) -> None:
        self.work = work
        self._context = copy_context() if work else None
        self.is_served = False
        self.result: object = None
        self.error: BaseException | None = None
        self.group: _Group | None = None
        self._turn = threading.Lock()  # a tenth of an Event
        self._turn.acquire()

    def go(self, group: _Group | None) -> None:
        """Let the thread go on."""
        self.group = group
        self._turn.release()

    def wait(self, seconds: float) -> bool:
        """Whether it may go on, within that time."""
        return self._turn.acquire(timeout=max(seconds, 0))

    def serve(self, group: _Group) -> None:
        """Do its work in a block of that group."""
        assert self.work is not None
        assert self._context is not None
        self.is_served = True
        try:
            with group.block() as connection:
                # In whichever thread: what it logs is of the request that asked for it.
                self.result = self._context.run(self.work, connection)
        except BaseException as error:  # raised again in the thread that asked for the work
            if isinstance(error, DBAPIError):
                group.failure = error
            self.error = error


class Round:
    """Blocks of one thread that leave their group together; none, and there is no transaction."""

    def __init__(self) -> None:
        self.group: _Group | None = None  # begun or joined by the first block
        self.n_blocks = 0  # that were asked for, refused ones too
        self.failure: BaseException | None = None

    def takes_more(self) -> bool:
        """Whether another block may be tried in it."""
        return self.failure is None and (self.group is None or self.group.takes_more())


class GroupCommit:
    """The queue of writers of one process."""

    def __init__(self, engine: Engine, *, patience_s: float) -> None:
        self._engine = engine
        self._patience_s = patience_s
        self._lock = threading.Lock()  # guards the two below
        self._waiting: deque[_Waiter] = deque()
        self._busy = False
        self._rounds: dict[int, Round] = {}  # by thread, each touched by its own alone
        self.tell: Told = lambda _n_blocks, _seconds: None

    @contextmanager
    def round(self) -> Iterator[Round]:
        """A round of this thread; what was done in its blocks is on disk when it has ended.

        Raises:
            LedgerUnavailable: what its blocks did is not on disk, or nobody knows.
        """
        me, made = threading.get_ident(), Round()
        assert me not in self._rounds
        self._rounds[me] = made
        try:
            yield made
        finally:
            del self._rounds[me]
            if made.group is not None:
                self._leave(made.group)
        if made.failure is not None:
            raise LedgerUnavailable from made.failure

    def holds(self) -> bool:
        """Whether a round of this thread has written: nobody else can, until it ends."""
        held = self._rounds.get(threading.get_ident())
        return held is not None and held.group is not None

    @contextmanager
    def block(self) -> Iterator[Connection]:
        """The one connection for writing; what was done in the block is on disk when it has ended.

        Raises:
            LedgerUnavailable: it was not, or nobody knows. The connection is thrown away.
        """
        held = self._rounds.get(threading.get_ident())
        with database_errors():
            group = self._join_in(held) if held else self._join(_Waiter())
            try:
                with group.block() as connection:
                    yield connection
            except DBAPIError as error:
                group.failure = error
                raise
            finally:
                if held is None:
                    self._leave(group)
                elif group.is_over:
                    held.group, held.failure = None, group.failure
                    self._leave(group)

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives in a block of its own; what it did is on disk then.

        Whoever has the turn does the work of those who wait as well, so that a thread is woken once
        and not twice: `work` may run in another thread.

        Raises:
            LedgerUnavailable: it was not, or nobody knows; and whatever `work` raises.
        """
        if threading.get_ident() in self._rounds:
            with self.block() as connection:
                return work(connection)
        with database_errors():
            waiter = _Waiter(work)
            group = self._join(waiter)
            if not waiter.is_served:
                waiter.serve(group)
                self._leave(group)
            if not group.ended_well:
                raise LedgerUnavailable from group.failure
        if waiter.error is not None:
            raise waiter.error
        return cast("T", waiter.result)

    def _join_in(self, held: Round) -> _Group:
        """The group of a round. One that failed is not begun anew: its answers fail together."""
        held.n_blocks += 1
        if held.failure is not None:
            raise LedgerUnavailable from held.failure
        try:
            held.group = held.group or self._join(_Waiter())
        except Exception as error:
            held.failure = error
            raise
        return held.group

    def _join(self, waiter: _Waiter) -> _Group:
        """The group in which it is the waiter's turn, or in which its work was done."""
        until = time.monotonic() + self._patience_s
        with self._lock:
            if self._busy:
                self._waiting.append(waiter)
            else:
                self._busy = True
                waiter.go(None)
        if not waiter.wait(until - time.monotonic()):
            with self._lock:
                if waiter in self._waiting:  # else the turn came at the last moment
                    self._waiting.remove(waiter)
                    raise LedgerUnavailable
            if not waiter.wait(LONGEST_COMMIT_SECONDS):
                raise LedgerUnavailable
        return waiter.group or self._begin(until)

    def _begin(self, until: float) -> _Group:
        try:
            connection = self._engine.connect().execution_options(loansvc_until=until)
            try:
                return _Group(connection)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            self._pass_on(None)
            raise

    def _leave(self, group: _Group) -> None:
        """Let the next one join the group, or end it; return when it has ended."""
        if not self._pass_on(group):
            try:
                group.end()
            finally:
                group.done.set()
                self._pass_on(None)
                for waiter in group.served:
                    waiter.go(group)
            if group.commit_seconds is not None:
                self.tell(group.n_blocks, group.commit_seconds)
        if not group.done.wait(LONGEST_COMMIT_SECONDS):
            raise LedgerUnavailable
        if not group.ended_well:
            raise LedgerUnavailable from group.failure

    def _pass_on(self, group: _Group | None) -> bool:
        """Give the turn to who waits longest; whether anybody took it.

        Those who only want work done are served on the way.
        """
        while True:
            with self._lock:
                if group is not None and not (self._waiting and group.takes_more()):
                    return False
                heir = self._waiting.popleft() if self._waiting else None
                self._busy = heir is not None
            if heir is None:
                return False
            if group is None or heir.work is None:
                heir.go(group)
                return True
            heir.serve(group)
            group.served.append(heir)
