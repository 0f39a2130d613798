"""Copying: a whole ledger from one database into another, empty one: all of it or nothing.

Read within one snapshot, written within one transaction, and verified before that is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, inspect, select

from loansvc.errors import LedgerDamaged, LedgerUnavailable, SetupRefused
from loansvc.ledger import tables
from loansvc.ledger.stores import (
    ROWS_AT_ONCE,
    cause_of,
    database_errors,
    open_engine,
    place_of,
    streamed,
    unhurried,
    upgrade,
    writers,
)
from loansvc.ledger.vault import Vault
from loansvc.ledger.verification import verify

FLEETING = ("nonce", "variant")  # kept for minutes and for a day: a copy begins without them
COPIED = [table for table in tables.metadata.sorted_tables if table.name not in FLEETING]

Progress = Callable[[int, int], None]  # told how many rows were copied, and of how many


def copy_into(url: str, source: Connection, vault: Vault, progress: Progress) -> int:
    """Copy what one snapshot shows into the empty database at that URL; how many entries.

    Raises:
        SetupRefused: there is something already, or it cannot be written.
        LedgerDamaged: what was copied does not verify. Either way nothing is left there.
    """
    engine = open_engine(url, busy_timeout_ms=2000)
    place = place_of(engine.url)
    try:
        with _nothing_left_of_a_failure(engine), database_errors(), _empty(engine) as target:
            upgrade(target)
            _copy_all(source, target, progress)
            n_entries, problems = verify(target, vault)
            if problems:
                raise LedgerDamaged(
                    f"Nothing was copied: entry {problems[0].sequence} of the ledger is not what "
                    "was written. See: loansvc ledger verify"
                )
        return n_entries
    except LedgerUnavailable as error:
        raise SetupRefused(
            f"Nothing was copied to {place}: {cause_of(error, engine.url)}"
        ) from error
    finally:
        engine.dispose()


@contextmanager
def _empty(engine: Engine) -> Iterator[Connection]:
    """The one transaction that fills a database, if nothing is there."""
    with writers(engine).begin() as target:
        unhurried(target)
        if inspect(target).get_table_names():
            raise SetupRefused(
                f"There is something at {place_of(engine.url)} already. Name an empty database, "
                "or a file that is not there."
            )
        yield target


@contextmanager
def _nothing_left_of_a_failure(engine: Engine) -> Iterator[None]:
    """SQLite makes its files before the first row is written."""
    file = Path(engine.url.database or "") if engine.dialect.name == "sqlite" else None
    was_there = file is not None and file.exists()
    try:
        yield
    except BaseException:
        engine.dispose()
        if file is not None and not was_there:
            for part in ("", "-wal", "-shm"):
                file.with_name(file.name + part).unlink(missing_ok=True)
        raise


def _copy_all(source: Connection, target: Connection, progress: Progress) -> None:
    unhurried(source)
    counts = (select(func.count()).select_from(table) for table in COPIED)
    n_rows, n_done = sum(source.execute(count).scalar_one() for count in counts), 0
    for table in COPIED:
        target.execute(delete(table))  # the migration's own row: a fund without capital
        rows = streamed(source, select(table).order_by(*table.primary_key))
        while some := [dict(row._mapping) for row in islice(rows, ROWS_AT_ONCE)]:
            _insert(target, table, some)
            n_done += len(some)
            progress(n_done, n_rows)


def _insert(target: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    try:
        target.execute(insert(table), rows)
    except UnicodeEncodeError:
        raise LedgerDamaged(
            f"Nothing was copied: a text in {table.name} is not what was written. "
            "See: loansvc ledger verify"
        ) from None
