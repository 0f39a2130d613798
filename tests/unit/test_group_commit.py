"""Writers of one process share a commit, and nobody leaves before it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from loansvc.errors import LedgerUnavailable, NotFound
from loansvc.ledger import group_commit
from loansvc.ledger.group_commit import GroupCommit, Round
from loansvc.ledger.stores import open_engine

PATIENCE_S = 5.0


class Store:
    """One table, one queue of writers, and how often it was committed.

    `works`: which lines are left as work to whoever has the turn.
    """

    def __init__(self, folder: Path, works: Callable[[int], bool]) -> None:
        self.works = works
        self.engine: Engine = open_engine(f"sqlite:///{folder / 'some.db'}", 500)
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE line (id INTEGER PRIMARY KEY)"))
        self.writers = self.queue(PATIENCE_S)
        self.n_commits = 0
        self.hold = threading.Event()
        self.hold.set()
        self.failing: Exception | None = None
        event.listen(self.engine, "commit", self._on_commit)

    def queue(self, patience_s: float) -> GroupCommit:
        return GroupCommit(
            self.engine.execution_options(loansvc_writes=True), patience_s=patience_s
        )

    def _on_commit(self, _connection: Any) -> None:
        self.hold.wait(10)
        self.n_commits += 1

    def add(self, line: int, *, then: Callable[[], None] = lambda: None) -> None:
        def work(connection: Connection) -> int:
            connection.execute(text("INSERT INTO line VALUES (:id)"), {"id": line})
            then()
            return line

        if self.works(line):
            assert self.writers.run(work) == line
            return
        with self.writers.block() as connection:
            work(connection)

    def lines(self) -> list[int]:
        with self.engine.connect() as connection:
            return list(connection.execute(text("SELECT id FROM line ORDER BY id")).scalars())


WAYS: dict[str, Callable[[int], bool]] = {
    "blocks": lambda line: False,
    "works": lambda line: True,
    "works and blocks": lambda line: line % 2 == 1,
    "blocks and works": lambda line: line % 2 == 0,
}


@pytest.fixture(params=WAYS)
def store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Store]:
    monkeypatch.setattr(group_commit, "MOST_SECONDS", 60.0)  # however busy the machine is
    made = Store(tmp_path, WAYS[request.param])
    yield made
    made.hold.set()
    made.engine.dispose()


@contextmanager
def first_in_its_block(store: Store, pool: ThreadPoolExecutor) -> Iterator[Future[None]]:
    """While the block of line 1 runs, others queue; it ends when the caller's block does."""
    inside, leave = threading.Event(), threading.Event()

    def then() -> None:
        inside.set()
        assert leave.wait(10)

    first = pool.submit(store.add, 1, then=then)
    assert inside.wait(10)
    yield first
    leave.set()


def queued(store: Store, n: int) -> None:
    until = time.monotonic() + 10
    while len(store.writers._waiting) < n:
        assert time.monotonic() < until
        time.sleep(0.002)


def refuse() -> None:
    raise NotFound("There is no such line.")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as made:
        yield made


def test_alone_a_block_commits_at_once(store: Store) -> None:
    store.add(1)
    store.add(2)
    assert (store.lines(), store.n_commits) == ([1, 2], 2)


def test_those_who_wait_share_one_commit(store: Store, pool: ThreadPoolExecutor) -> None:
    with first_in_its_block(store, pool) as first:
        others = [pool.submit(store.add, n) for n in range(2, 10)]
        queued(store, 8)
    wait([first, *others])
    assert (store.lines(), store.n_commits) == (list(range(1, 10)), 1)


ASKED_BY: ContextVar[int] = ContextVar("asked_by")


def test_work_is_done_in_the_context_of_who_asked_for_it(tmp_path: Path) -> None:
    """Whoever does it: what is logged there names the request that it was done for."""
    found: list[tuple[int, int]] = []

    def add(line: int) -> None:
        ASKED_BY.set(line)
        made.add(line, then=lambda: found.append((line, ASKED_BY.get())))

    made = Store(tmp_path, WAYS["works"])
    with ThreadPoolExecutor(8) as pool:
        with first_in_its_block(made, pool):
            others = [pool.submit(add, line) for line in range(2, 6)]
            queued(made, 4)
        wait(others)
    made.engine.dispose()
    assert sorted(found) == [(line, line) for line in range(2, 6)]


def test_nobody_leaves_before_the_commit(store: Store, pool: ThreadPoolExecutor) -> None:
    store.hold.clear()
    with first_in_its_block(store, pool) as first:
        second, refused = pool.submit(store.add, 2), pool.submit(store.add, 3, then=refuse)
        queued(store, 2)
    time.sleep(0.1)
    assert [f.done() for f in (first, second, refused)] == [False] * 3
    assert store.lines() == []
    store.hold.set()
    assert [type(f.exception(10)) for f in (first, second, refused)] == [type(None)] * 2 + [
        NotFound
    ]
    assert store.lines() == [1, 2]


@pytest.mark.parametrize("refused", [1, 2, 3])
def test_a_refusal_undoes_its_own_block_only(
    store: Store, pool: ThreadPoolExecutor, refused: int
) -> None:
    with first_in_its_block(store, pool) as leading:
        others = {
            n: pool.submit(store.add, n, then=refuse if n == refused else lambda: None)
            for n in (2, 3)
        }
        queued(store, 2)
    wait([leading, *others.values()])
    assert store.lines() == [n for n in (1, 2, 3) if n not in others or n != refused]


def test_a_refusal_of_the_first_leaves_those_behind_it(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    inside, leave = threading.Event(), threading.Event()

    def then() -> None:
        inside.set()
        leave.wait(10)
        refuse()

    first = pool.submit(store.add, 1, then=then)
    assert inside.wait(10)
    second = pool.submit(store.add, 2)
    queued(store, 1)
    leave.set()
    assert isinstance(first.exception(10), NotFound)
    assert second.exception(10) is None
    assert store.lines() == [2]


def test_a_database_error_fails_all_of_the_group(store: Store, pool: ThreadPoolExecutor) -> None:
    with first_in_its_block(store, pool) as first:
        twice, behind = pool.submit(store.add, 1), pool.submit(store.add, 2)
        queued(store, 2)
    assert isinstance(first.exception(10), LedgerUnavailable)
    assert isinstance(twice.exception(10), LedgerUnavailable)
    assert behind.exception(10) is None  # it began anew, on another connection
    assert store.lines() == [2]


def test_a_failed_commit_fails_all_of_the_group(store: Store, pool: ThreadPoolExecutor) -> None:
    def break_it(connection: Any) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql("INSERT INTO line VALUES (99)")

    event.listen(store.engine, "commit", break_it)
    with first_in_its_block(store, pool) as first:
        second = pool.submit(store.add, 2)
        queued(store, 1)
    assert isinstance(first.exception(10), LedgerUnavailable)
    assert isinstance(second.exception(10), LedgerUnavailable)
    event.remove(store.engine, "commit", break_it)
    store.add(3)
    assert store.lines() == [3]


def test_who_waits_too_long_is_refused_and_forgotten(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    store.writers = store.queue(0.1)
    with first_in_its_block(store, pool) as first:
        late = pool.submit(store.add, 2)
        assert isinstance(late.exception(10), LedgerUnavailable)
        assert not store.writers._waiting
    assert first.exception(10) is None
    store.add(3)
    assert store.lines() == [1, 3]


def test_patience_is_one_for_queue_and_database(store: Store, pool: ThreadPoolExecutor) -> None:
    """A writer of another process holds the file: everybody is refused at the same time."""
    store.writers = store.queue(0.4)
    with store.engine.execution_options(loansvc_writes=True).begin():
        start = time.monotonic()
        waiting = [pool.submit(store.add, n) for n in range(4)]
        assert all(isinstance(f.exception(10), LedgerUnavailable) for f in waiting)
        waited_s = time.monotonic() - start
    assert waited_s < 4 * 0.4
    store.add(9)
    assert store.lines() == [9]


def test_a_group_does_not_grow_for_ever(store: Store, pool: ThreadPoolExecutor) -> None:
    """Sixteen threads write all the time; the file is free in between for other processes."""
    numbers = iter(range(10_000))
    lock = threading.Lock()

    def run() -> None:
        for _ in range(40):
            with lock:
                line = next(numbers)
            store.add(line)

    wait([pool.submit(run) for _ in range(16)])
    assert store.lines() == list(range(640))
    assert 640 / 32 <= store.n_commits < 640


# --- rounds: many blocks of one thread ----------------------------------------------------------


def test_work_of_those_who_wait_is_done_by_whoever_has_the_turn(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    """So that a thread is woken once, when the commit is on disk."""
    threads: dict[int, int] = {}

    def add(line: int) -> None:
        store.add(line, then=lambda: threads.update({line: threading.get_ident()}))

    with first_in_its_block(store, pool) as first:
        others = [pool.submit(add, n) for n in range(2, 6)]
        queued(store, 4)
    wait([first, *others])
    done_by_others = [n for n in range(3, 6) if store.works(n) and threads[n] == threads[n - 1]]
    assert done_by_others == [n for n in range(3, 6) if store.works(n)]
    assert store.n_commits == 1


@contextmanager
def a_round_that_fails(store: Store) -> Iterator[Round]:
    """A round of which nothing is on disk, as its end must say."""
    rounds = ExitStack()
    yield rounds.enter_context(store.writers.round())
    with pytest.raises(LedgerUnavailable):
        rounds.close()


def add_in_vain(store: Store, line: int) -> None:
    with pytest.raises(LedgerUnavailable):
        store.add(line)


def test_a_round_has_one_commit_and_nothing_is_there_before_it(store: Store) -> None:
    with store.writers.round() as held:
        store.add(1)
        store.add(2)
        assert (store.lines(), held.n_blocks, store.writers.holds()) == ([], 2, True)
    assert (store.lines(), store.n_commits, store.writers.holds()) == ([1, 2], 1, False)


def test_a_round_without_a_block_has_no_transaction(store: Store) -> None:
    """Whoever holds the file from outside would keep it waiting."""
    with store.engine.execution_options(loansvc_writes=True).begin(), store.writers.round():
        assert not store.writers.holds()
    assert store.n_commits == 1  # the other one's


@pytest.mark.parametrize("refused", [1, 2, 3])
def test_a_refusal_in_a_round_undoes_its_own_block_only(store: Store, refused: int) -> None:
    with store.writers.round() as held:
        for n in (1, 2, 3):
            if n != refused:
                store.add(n)
                continue
            with pytest.raises(NotFound):
                store.add(n, then=refuse)
        assert held.takes_more()
    assert store.lines() == [n for n in (1, 2, 3) if n != refused]


def test_a_database_error_ends_a_round_and_all_that_it_did(store: Store) -> None:
    with a_round_that_fails(store) as held:
        store.add(1)
        add_in_vain(store, 1)
        assert not held.takes_more()
        add_in_vain(store, 2)
    assert store.lines() == []
    store.add(3)
    assert store.lines() == [3]


def test_a_round_whose_commit_fails_says_so(store: Store) -> None:
    def break_it(connection: Any) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql("INSERT INTO line VALUES (99)")

    event.listen(store.engine, "commit", break_it)
    with a_round_that_fails(store):
        store.add(1)
        store.add(2)
    event.remove(store.engine, "commit", break_it)
    store.add(3)
    assert store.lines() == [3]


def test_a_round_that_cannot_begin_waits_once(store: Store) -> None:
    store.writers = store.queue(0.3)
    with store.engine.execution_options(loansvc_writes=True).begin():
        start = time.monotonic()
        with a_round_that_fails(store):
            for n in range(4):
                add_in_vain(store, n)
        assert time.monotonic() - start < 2 * 0.3
    store.add(9)
    assert store.lines() == [9]


def test_whoever_waits_for_a_round_joins_its_commit(store: Store, pool: ThreadPoolExecutor) -> None:
    with store.writers.round():
        store.add(1)
        other = pool.submit(store.add, 2)
        queued(store, 1)
        store.add(3)
        assert not other.done()
    assert other.exception(10) is None
    assert (store.lines(), store.n_commits) == ([1, 2, 3], 1)


def test_a_round_takes_no_more_than_a_group(store: Store) -> None:
    with store.writers.round() as held:
        for n in range(group_commit.MOST_BLOCKS):
            assert held.takes_more()
            store.add(n)
        assert not held.takes_more()
