"""F12, F13: what somebody changed in a ledger, and what a disk did to it, is found."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from loansvc.errors import LoanError
from loansvc.ledger import Ledger
from loansvc.ledger.verification import verify
from loansvc.registry import Registry
from loansvc.underwriting import Underwriting
from tests.fault.test_tampering import N_ENTRIES, TAMPERINGS, Copy, Tampering
from tests.small import NOON, an_application, small_models, small_underwriting, with_fund

N_MUTATIONS = 10_000
N_COPIES = 200
CLIENT = "bank"
# What `ledger verify` answers for; the others hold clients' keys, and what lasts a day.
TABLES = ("entry", "payload", "chain_head", "subject", "subject_key", "commitment", "fund_account",
          "related")  # fmt: skip
Rows = dict[str, list[tuple]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger at rest: loans of a fund whose capital is stated, and editions."""
    folder = tmp_path_factory.mktemp("ledger")
    models = small_models(folder)
    root = small_underwriting(folder, models=models)
    with_fund(root, 1_000_000_000)
    for number in range(N_ENTRIES - 1):
        root.decide(an_application(number), client=CLIENT)
    root.ledger._engine.dispose()
    return folder


def flip_a_bit(copy: Copy) -> int | None:
    """One bit of one value of one row of any table; which entry shows it, cannot always be told."""
    table = copy.chance.choice(TABLES)
    rows = copy.database.execute(f"SELECT rowid, * FROM {table}").fetchall()
    row = copy.chance.choice(rows)
    names = [column[1] for column in copy.database.execute(f"PRAGMA table_info({table})")]
    # The id of a table's one row says nothing.
    told = [pair for pair in zip(names, row[1:], strict=True) if pair[0] != "id"]
    name, value = copy.chance.choice(told)
    if isinstance(value, int):
        flipped: Any = value ^ 1 << copy.chance.randrange(8)
    else:
        data = bytearray(value if isinstance(value, bytes) else str(value or "-").encode())
        data[copy.chance.randrange(len(data))] ^= 1 << copy.chance.randrange(7)
        flipped = bytes(data) if isinstance(value, bytes) else data.decode()
    copy.run(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", flipped, row[0])
    return None


@pytest.mark.faults("F12", within_s=600)
def test_every_single_change_is_found(
    folder: Path, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    """Each of ten thousand is made in a transaction that is then undone."""
    shutil.copytree(folder / "home", tmp_path / "home")
    with closing(sqlite3.connect(tmp_path / "home" / "ledger.db")) as database, database:
        for change in ("update", "delete"):
            database.execute(f"DROP TRIGGER entry_no_{change}")
    kinds: dict[str, Tampering | Callable[[Copy], int | None]] = {**TAMPERINGS, "flip": flip_a_bit}
    names, chance = ["flip", *TAMPERINGS], random.Random(20261126)
    ledger = open_ledger(tmp_path / "home")
    found: Counter[str] = Counter()
    started = time.monotonic()
    while (number := found.total()) < N_MUTATIONS:
        name = "flip" if number % 4 == 0 else chance.choice(names)
        try:
            problem = first_problem(ledger, kinds[name], chance)
        except sqlite3.IntegrityError:  # a bit that the database itself does not let be
            continue
        assert problem is not None, f"mutation {number}, {name}: not found"
        expected, first = problem
        assert expected in {None, first}, f"mutation {number}, {name}"
        found[name] += 1
    assert ledger.verify() == (N_ENTRIES, [])
    named = N_MUTATIONS - found["flip"]
    measured(
        f"{N_MUTATIONS:,} of {N_MUTATIONS:,} found, the first bad entry named in all {named:,} "
        f"where it can be known, {time.monotonic() - started:.0f} s"
    )


def open_ledger(home: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{home / 'ledger.db'}", home=home)


def first_problem(
    ledger: Ledger, tamper: Callable[[Copy], int | None], chance: random.Random
) -> tuple[int | None, int] | None:
    """Where the first problem was to be, and where `verify` sees it; None if it sees nothing."""
    with ledger._engine.connect() as connection, connection.begin() as transaction:
        raw = cast(sqlite3.Connection, connection.connection.driver_connection)
        try:
            expected = tamper(Copy(raw, chance))
            problems = verify(connection, ledger._vault)[1]
        finally:
            transaction.rollback()
    return (expected, problems[0].sequence) if problems else None


def rows_of(path: Path) -> Rows | None:
    """Every row of the tables that count; None where they cannot be read."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        try:
            return {
                table: connection.execute(f"SELECT * FROM {table} NOT INDEXED").fetchall()
                for table in TABLES
            }
        except (sqlite3.DatabaseError, UnicodeDecodeError):  # rows, or the name of a column
            return None


@pytest.fixture
def damaged(folder: Path, tmp_path: Path) -> Callable[[random.Random], Path]:
    """Copies the home and overwrites a byte, or a page, of its database."""

    def copy(chance: random.Random) -> Path:
        home = tmp_path / "home"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(folder / "home", home)
        data = bytearray((home / "ledger.db").read_bytes())
        if chance.random() < 0.5:
            data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
        else:
            at = chance.randrange(len(data) // 4096) * 4096
            data[at : at + 4096] = chance.choice([chance.randbytes(4096), bytes(4096)])
        (home / "ledger.db").write_bytes(data)
        return home

    return copy


@pytest.mark.faults("F13", within_s=200)
def test_a_damaged_page_is_found_or_changes_nothing(
    folder: Path, damaged: Callable[[random.Random], Path], measured: Callable[[str], None]
) -> None:
    """The start is refused, or `verify` names it, or every answer is as it was."""
    chance, outcomes = random.Random(20261126), Counter[str]()
    registry, whole = Registry.open(folder / "models"), rows_of(folder / "home" / "ledger.db")
    expected = answers(folder / "home", registry)
    for number in range(N_COPIES):
        home = damaged(chance)
        differs = rows_of(home / "ledger.db") != whole
        said = what_is_said(home)
        outcomes[said] += 1
        assert said != "verified" or not differs, f"copy {number}: not found"
        if said == "verified":
            assert answers(home, registry) == expected, f"copy {number}: a silent other answer"
    measured(
        f"{N_COPIES} copies: start refused {outcomes['refused']}, named by verify "
        f"{outcomes['named']}, without effect {outcomes['verified']}, silent 0"
    )


def what_is_said(home: Path) -> str:
    try:
        ledger = open_ledger(home)
    except LoanError:
        return "refused"
    try:
        return "named" if ledger.verify()[1] else "verified"
    except LoanError:
        return "named"
    finally:
        ledger._engine.dispose()


def answers(home: Path, registry: Registry) -> list[dict[str, Any]]:
    """What the same applications are answered again."""
    root = Underwriting(registry, open_ledger(home), clock=lambda: NOON)
    try:
        return [
            root.decide(an_application(number), client=CLIENT)[0].answer()
            for number in range(N_ENTRIES - 1)
        ]
    finally:
        root.ledger._engine.dispose()
