"""Where tests keep their ledgers: in SQLite, or in PostgreSQL where a test asks for both.

`pytestmark = pytest.mark.usefixtures("both_databases")` runs the tests of a module over each,
`@over_both` one test, where most of a module asks nothing of the database.
"""

from __future__ import annotations

import atexit
import hashlib
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from loansvc.ledger import Ledger
from loansvc.ledger.tables import metadata
from tests import postgres

over_both = pytest.mark.usefixtures("both_databases")

SQLITE, POSTGRESQL = KINDS = ("sqlite", "postgresql")
_kind = SQLITE
_made: set[str] = set()


@contextmanager
def using(kind: str) -> Iterator[None]:
    """Keep the ledgers that come in this kind of database."""
    global _kind  # noqa: PLW0603  # a test is of one kind at a time
    before, _kind = _kind, kind
    try:
        yield
    finally:
        _kind = before


def url_of(home: Path) -> str:
    """The URL of the ledger of that home; made on first sight where it is PostgreSQL's."""
    if _kind == SQLITE:
        return f"sqlite:///{home / 'ledger.db'}"
    name = _name(home)
    if name not in _made:
        postgres.shared().new(name)
        _made.add(name)
    return postgres.shared().url(name)


def begin(home: Path) -> None:
    """Put a new ledger there, with the same keys as any other that came so.

    To make its keys and tables anew would take most of the time of most tests.
    """
    made = _begun(_kind)
    if _kind == POSTGRESQL:
        postgres.shared().new(_name(home), template=_name(made))
        _made.add(_name(home))
    shutil.copytree(made, home)


@cache
def _begun(kind: str) -> Path:
    """A home with nothing but keys and tables, in that kind of database."""
    home = Path(tempfile.mkdtemp(prefix=f"loansvc-{kind}-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    Ledger.open(url_of(home), home=home, create=True).close()
    return home


def _name(home: Path) -> str:
    return "t_" + hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:16]


def sql(home: Path, *statements: str) -> list[tuple[Any, ...]]:
    """What somebody with the database at hand can do; the rows of the last statement.

    Statements are SQLite's; bytes are written x'00'.
    """
    if _kind == SQLITE:
        rows: list[tuple[Any, ...]] = []
        with closing(sqlite3.connect(home / "ledger.db")) as connection:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            connection.commit()
        return rows
    theirs = [re.sub(r"x'([0-9a-f]*)'", r"'\\x\1'::bytea", statement) for statement in statements]
    return postgres.shared().sql(_name(home), *theirs)


def everything(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the ledger, in order; by table."""
    found = {}
    for name in metadata.tables:
        rows = sql(home, f"SELECT * FROM {name}")
        found[name] = sorted(rows, key=repr)
    return found


def kept(home: Path) -> Callable[[], None]:
    """A copy of the database as it is; what puts it back. Nobody may be connected, then or now."""
    older, name = home / "older.db", _name(home)
    if _kind == SQLITE:
        with closing(sqlite3.connect(home / "ledger.db")) as connection, \
             closing(sqlite3.connect(older)) as copy:  # fmt: skip
            connection.backup(copy)
    else:
        postgres.shared().new(f"{name}_older", template=name)

    def put_back() -> None:
        if _kind == SQLITE:
            for suffix in ("", "-wal", "-shm"):
                (home / f"ledger.db{suffix}").unlink(missing_ok=True)
            older.rename(home / "ledger.db")
        else:
            rename = f'ALTER DATABASE "{name}_older" RENAME TO "{name}"'
            postgres.shared().sql("postgres", f'DROP DATABASE "{name}"', rename)

    return put_back


def tampered(home: Path, *statements: str) -> None:
    """Change what the database itself would not let anybody change."""
    if _kind == SQLITE:
        triggers = [f"DROP TRIGGER IF EXISTS entry_no_{change}" for change in ("update", "delete")]
    else:
        triggers = ["DROP TRIGGER IF EXISTS entry_never_changed ON entry"]
    sql(home, *triggers, *statements)
