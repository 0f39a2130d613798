"""A ledger that somebody changed: every change is found, and the first bad entry is named."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from loansvc.ledger import Entry, Ledger
from loansvc.ledger.chain import entry_hash, sha256
from tests.small import an_application, small_underwriting

pytestmark = pytest.mark.fault
N_ENTRIES = 24
N_ROUNDS = 12
COLUMNS = [name for name in Entry.__slots__ if name != "sequence"]


@dataclass
class Copy:
    """A copy of the ledger, open for whoever wants to change it, and chance."""

    database: sqlite3.Connection
    chance: random.Random

    def run(self, sql: str, *values: Any) -> None:
        self.database.execute(sql, values)

    def one(self, sql: str, *values: Any) -> Any:
        return self.database.execute(sql, values).fetchone()

    def k(self, low: int = 1, high: int = N_ENTRIES) -> int:
        return self.chance.randint(low, high)

    def pair(self) -> tuple[int, int]:
        i, j = sorted(self.chance.sample(range(1, N_ENTRIES + 1), 2))
        return i, j

    def entry(self, k: int) -> dict[str, Any]:
        names = ["sequence", *COLUMNS]
        row = self.one(f"SELECT {', '.join(names)} FROM entry WHERE sequence = ?", k)
        return dict(zip(names, row, strict=True))

    def write(self, k: int, values: dict[str, Any]) -> None:
        for name, value in values.items():
            self.run(f"UPDATE entry SET {name} = ? WHERE sequence = ?", value, k)

    def insert(self, values: dict[str, Any]) -> None:
        marks = ", ".join("?" for _ in values)
        self.run(f"INSERT INTO entry ({', '.join(values)}) VALUES ({marks})", *values.values())


Tampering = Callable[[Copy], int]


def edit(column: str) -> Tampering:
    """Another text in one column of one entry."""

    def tamper(copy: Copy) -> int:
        k = copy.k()
        text = str(copy.entry(k)[column])
        at = copy.chance.randrange(len(text)) if text else 0
        other = copy.chance.choice([c for c in "0123456789abcdefX" if text[at : at + 1] != c])
        copy.write(k, {column: text[:at] + other + text[at + 1 :]})
        return k

    return tamper


def edit_to_bytes(copy: Copy) -> int:
    """The same characters, but as bytes."""
    k, column = copy.k(), copy.chance.choice(COLUMNS)
    copy.write(k, {column: str(copy.entry(k)[column]).encode()})
    return k


def edit_to_no_text(copy: Copy) -> int:
    """Bytes that are no UTF-8, declared as text."""
    k, column = copy.k(), copy.chance.choice(COLUMNS)
    copy.run(f"UPDATE entry SET {column} = CAST(x'ff80c0' AS TEXT) WHERE sequence = ?", k)
    return k


def edit_to_a_number(copy: Copy) -> int:
    k = copy.k()
    copy.run("UPDATE entry SET tier = 5 WHERE sequence = ?", k)
    return k


def edit_and_hash_again(copy: Copy) -> int:
    """One entry changed and its own hash made to fit: the next one does not follow."""
    k = copy.k(1, N_ENTRIES - 1)
    entry = copy.entry(k) | {"outcome": "decline"}
    copy.write(k, {"outcome": "decline", "hash": entry_hash(entry)})
    return k + 1


def hash_again(copy: Copy, k: int) -> str:
    """Every hash from entry k on made to fit; the last of them."""
    previous = copy.entry(k)["previous_hash"]
    for sequence in range(k, N_ENTRIES + 1):
        entry = copy.entry(sequence) | {"previous_hash": previous}
        copy.write(sequence, {"previous_hash": previous, "hash": entry_hash(entry)})
        previous = entry_hash(entry)
    return str(previous)


def rewrite_from_an_entry_on(copy: Copy) -> int:
    """Found through the marked head alone, so the end is all that can be named."""
    k = copy.k()
    copy.write(k, {"outcome": "decline"})
    hash_again(copy, k)
    return N_ENTRIES


def rewrite_and_move_the_head(copy: Copy) -> int:
    k = copy.k()
    copy.write(k, {"outcome": "decline"})
    copy.run("UPDATE chain_head SET hash = ?", hash_again(copy, k))
    return N_ENTRIES


def rewrite_with_a_payload(copy: Copy) -> int:
    k, sealed = copy.k(), copy.chance.randbytes(400)
    copy.run("UPDATE payload SET sealed = ? WHERE sequence = ?", sealed, k)
    copy.write(k, {"payload_digest": sha256(sealed)})
    hash_again(copy, k)
    return N_ENTRIES


def delete_an_entry(copy: Copy) -> int:
    k = copy.k()
    copy.run("DELETE FROM entry WHERE sequence = ?", k)
    return k


def delete_an_entry_and_its_payload(copy: Copy) -> int:
    k = delete_an_entry(copy)
    copy.run("DELETE FROM payload WHERE sequence = ?", k)
    return k


def delete_and_close_the_gap(copy: Copy) -> int:
    k = copy.k(1, N_ENTRIES - 1)
    for table in ("entry", "payload"):
        copy.run(f"DELETE FROM {table} WHERE sequence = ?", k)
        for sequence in range(k + 1, N_ENTRIES + 1):
            copy.run(f"UPDATE {table} SET sequence = ? WHERE sequence = ?", sequence - 1, sequence)
    return k


def cut_the_tail(copy: Copy) -> int:
    k = copy.k()
    for table in ("entry", "payload"):
        copy.run(f"DELETE FROM {table} WHERE sequence >= ?", k)
    return k


def cut_the_tail_and_move_the_head(copy: Copy) -> int:
    k = copy.k(2)
    cut = copy.entry(k - 1)
    for table in ("entry", "payload"):
        copy.run(f"DELETE FROM {table} WHERE sequence >= ?", k)
    copy.run("UPDATE chain_head SET sequence = ?, hash = ?", k - 1, cut["hash"])
    return k - 1


def swap_entries(copy: Copy) -> int:
    i, j = copy.pair()
    for old, new in ((i, -1), (j, i), (-1, j)):
        copy.run("UPDATE entry SET sequence = ? WHERE sequence = ?", new, old)
    return i


def swap_entries_with_payloads(copy: Copy) -> int:
    i, j = copy.pair()
    for table in ("entry", "payload"):
        for old, new in ((i, -1), (j, i), (-1, j)):
            copy.run(f"UPDATE {table} SET sequence = ? WHERE sequence = ?", new, old)
    return i


def swap_payloads(copy: Copy) -> int:
    i, j = copy.pair()
    for old, new in ((i, -1), (j, i), (-1, j)):
        copy.run("UPDATE payload SET sequence = ? WHERE sequence = ?", new, old)
    return i


def forged(copy: Copy, k: int) -> dict[str, Any]:
    """An entry that follows entry k - 1 in every way but the head's mark."""
    sealed = copy.chance.randbytes(200)
    copy.run("INSERT INTO payload (sequence, sealed) VALUES (?, ?)", k, sealed)
    values = copy.entry(k - 1) | {
        "sequence": k,
        "application_id": "FORGED",
        "decision_id": "dec_forged",
        "payload_digest": sha256(sealed),
        "previous_hash": copy.entry(k - 1)["hash"],
    }
    return values | {"hash": entry_hash(values)}


def append_an_entry(copy: Copy) -> int:
    copy.insert(forged(copy, N_ENTRIES + 1))
    return N_ENTRIES + 1


def append_and_move_the_head(copy: Copy) -> int:
    values = forged(copy, N_ENTRIES + 1)
    copy.insert(values)
    copy.run("UPDATE chain_head SET sequence = ?, hash = ?", values["sequence"], values["hash"])
    return N_ENTRIES + 1


def insert_an_entry(copy: Copy) -> int:
    """The forged one fits; the one that was pushed up does not."""
    k = copy.k(2)
    for table in ("entry", "payload"):
        for sequence in range(N_ENTRIES, k - 1, -1):
            copy.run(f"UPDATE {table} SET sequence = ? WHERE sequence = ?", sequence + 1, sequence)
    copy.insert(forged(copy, k))
    return k + 1


def push_an_entry_to_the_end(copy: Copy) -> int:
    k = copy.k()
    copy.run("UPDATE entry SET sequence = ? WHERE sequence = ?", N_ENTRIES + 9, k)
    return k


def edit_a_payload(copy: Copy) -> int:
    k = copy.k()
    sealed = bytearray(copy.one("SELECT sealed FROM payload WHERE sequence = ?", k)[0])
    sealed[copy.chance.randrange(len(sealed))] ^= 1 << copy.chance.randrange(8)
    copy.run("UPDATE payload SET sealed = ? WHERE sequence = ?", bytes(sealed), k)
    return k


def edit_a_payload_to_text(copy: Copy) -> int:
    k = copy.k()
    copy.run("UPDATE payload SET sealed = 'text' WHERE sequence = ?", k)
    return k


def cut_a_payload(copy: Copy) -> int:
    k = copy.k()
    copy.run("UPDATE payload SET sealed = substr(sealed, 1, 40) WHERE sequence = ?", k)
    return k


def delete_a_payload(copy: Copy) -> int:
    k = copy.k()
    copy.run("DELETE FROM payload WHERE sequence = ?", k)
    return k


def edit_the_mark_of_the_head(copy: Copy) -> int:
    mac = copy.one("SELECT mac FROM chain_head")[0]
    at = copy.chance.randrange(len(mac))
    copy.run("UPDATE chain_head SET mac = ?", mac[:at] + "é" + mac[at + 1 :])
    return N_ENTRIES


def edit_the_mark_to_bytes(copy: Copy) -> int:
    copy.run("UPDATE chain_head SET mac = ?", copy.chance.randbytes(20))
    return N_ENTRIES


def edit_the_hash_of_the_head(copy: Copy) -> int:
    copy.run("UPDATE chain_head SET hash = ?", copy.entry(copy.k(1, N_ENTRIES - 1))["hash"])
    return N_ENTRIES


def delete_the_head(copy: Copy) -> int:
    copy.run("DELETE FROM chain_head")
    return N_ENTRIES


def first_of(copy: Copy, ref: str) -> int:
    """The first entry of a person."""
    return int(copy.one("SELECT min(sequence) FROM entry WHERE subject_ref = ?", ref)[0])


def forget_a_person(copy: Copy) -> int:
    """The next application of that person would be a stranger's."""
    ref = copy.entry(copy.k())["subject_ref"]
    copy.run("DELETE FROM subject WHERE subject_ref = ?", ref)
    return first_of(copy, ref)


def swap_two_persons(copy: Copy) -> int:
    """The loans of one would count as the other's."""
    i, j = (copy.entry(k)["subject_ref"] for k in copy.pair())
    for old, new in ((i, "-"), (j, i), ("-", j)):
        copy.run("UPDATE subject SET subject_ref = ? WHERE subject_ref = ?", new, old)
    return min(first_of(copy, i), first_of(copy, j))


TAMPERINGS: dict[str, Tampering] = {
    **{f"edit {column}": edit(column) for column in COLUMNS},
    **{
        tampering.__name__: tampering
        for tampering in (
            edit_to_bytes, edit_to_no_text, edit_to_a_number, edit_and_hash_again,
            rewrite_from_an_entry_on, rewrite_and_move_the_head, rewrite_with_a_payload,
            delete_an_entry, delete_an_entry_and_its_payload, delete_and_close_the_gap,
            cut_the_tail, cut_the_tail_and_move_the_head, swap_entries,
            swap_entries_with_payloads, swap_payloads, append_an_entry, append_and_move_the_head,
            insert_an_entry, push_an_entry_to_the_end, edit_a_payload, edit_a_payload_to_text,
            cut_a_payload, delete_a_payload, edit_the_mark_of_the_head, edit_the_mark_to_bytes,
            edit_the_hash_of_the_head, delete_the_head,
            forget_a_person, swap_two_persons,
        )
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a ledger with entries of two clients, at rest."""
    folder = tmp_path_factory.mktemp("ledger")
    root = small_underwriting(folder)
    for number in range(N_ENTRIES):
        root.decide(an_application(number), client=f"client-{number % 2}")
    root.ledger._engine.dispose()
    with closing(sqlite3.connect(folder / "home" / "ledger.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder / "home"


@pytest.fixture
def copies(home: Path, tmp_path: Path) -> Callable[[Tampering, int], list[int]]:
    """Tamper with a copy; the entries that `verify` then names, and what was expected first."""

    def tampered(tamper: Tampering, seed: int) -> list[int]:
        path = tmp_path / f"{seed}.db"
        shutil.copy(home / "ledger.db", path)
        with closing(sqlite3.connect(path)) as connection, connection:
            for change in ("update", "delete"):
                connection.execute(f"DROP TRIGGER entry_no_{change}")
            expected = tamper(Copy(connection, random.Random(seed)))
        ledger = Ledger.open(f"sqlite:///{path}", home=home)
        try:
            found = ledger.verify()[1]
        finally:
            ledger._engine.dispose()
            path.unlink()
        return [expected, *(problem.sequence for problem in found)]

    return tampered


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found_and_the_first_bad_entry_named(
    copies: Callable[[Tampering, int], list[int]], name: str
) -> None:
    """Twelve times each, every time at another place."""
    for seed in range(N_ROUNDS):
        expected, *found = copies(TAMPERINGS[name], seed)
        assert found, f"round {seed}: not found"
        assert found[0] == expected, f"round {seed}"


def test_at_least_300_changes_are_tried() -> None:
    assert len(TAMPERINGS) * N_ROUNDS >= 300


def test_a_copy_that_nobody_changed_verifies(
    copies: Callable[[Tampering, int], list[int]],
) -> None:
    assert copies(lambda _: 0, 0) == [0]


@pytest.mark.parametrize("statement", ["UPDATE entry SET tier = 'G1'", "DELETE FROM entry"])
def test_the_database_itself_refuses_to_change_an_entry(
    home: Path, tmp_path: Path, statement: str
) -> None:
    shutil.copy(home / "ledger.db", tmp_path / "copy.db")
    with (
        closing(sqlite3.connect(tmp_path / "copy.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="never changed"),
    ):
        connection.execute(statement)


def test_entries_hold_nothing_of_a_person(home: Path) -> None:
    application = an_application(1)
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        rows = connection.execute("SELECT * FROM entry").fetchall()
    told = str(rows)
    for secret in (
        application.applicant.id_number, application.applicant.village_code, "120000", "R-",
        str(asdict(application)["applicant"]["household_income_12m_yuan"]),
    ):  # fmt: skip
        assert secret not in told
