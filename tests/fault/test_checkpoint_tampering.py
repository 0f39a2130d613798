"""F12: a ledger rewritten by somebody with the chain's key, which the signed checkpoints tell.

Checkpoints are of 7, 13 and 20 of 24 entries, in the database and in the file beside it; a bank
kept the one of 13. Cutting the tail after the last of them is the limit (docs/ledger.md).
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from loansvc.ledger import Ledger, kept
from loansvc.ledger.chain import NAMES, Problem, entry_hash, sha256
from loansvc.ledger.checkpoints import advance
from loansvc.ledger.merkle import Growing
from loansvc.ledger.verification import verify
from loansvc.ledger.verifier import GENESIS, canonical, leaf_hash
from tests.fault.test_tampering import N_ENTRIES, TAMPERINGS, Copy
from tests.small import an_application, small_underwriting

SIZES = (7, 13, 20)
LAST = SIZES[-1]
AT_A_BANK = 13
AT = "2026-11-23T13:00:00.000+08:00"
N_ALWAYS, N_MUTATIONS = 300, 10_000
# Found through the head alone where nothing is signed, so that only the end could be named.
# Named by the entry that no longer follows; where it was signed, the tree names the one before it.
OF_THE_NEXT = ("edit_and_hash_again", "insert_an_entry")
OF_THE_HEAD = ("rewrite_from_an_entry_on", "rewrite_and_move_the_head", "rewrite_with_a_payload")


@dataclass
class Tamperer(Copy):
    """Somebody with the database, the file beside it and the chain's key; not the signing key."""

    ledger: Ledger
    notes: list[str]  # of the file
    entries: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database.row_factory = sqlite3.Row
        self.entries = [dict(row) for row in self.database.execute("SELECT * FROM entry")]
        self.database.row_factory = None

    def place(self, high: int = LAST) -> int:
        """An entry that was signed."""
        return self.chance.randint(1, high)

    def rewrite(self) -> None:
        """Number, chain and mark the entries anew, as they are now."""
        self.run("DELETE FROM entry")
        previous, names = GENESIS, ", ".join(NAMES)
        for sequence, entry in enumerate(self.entries, start=1):
            entry |= {"sequence": sequence, "previous_hash": previous}
            previous = entry["hash"] = entry_hash(entry)
            marks = ", ".join("?" for _ in NAMES)
            values = [entry[name] for name in NAMES]
            self.run(f"INSERT INTO entry ({names}) VALUES ({marks})", *values)
        n = len(self.entries)
        mac = self.ledger._vault.head_mac(n, previous)
        self.run("UPDATE chain_head SET sequence = ?, hash = ?, mac = ?", n, previous, mac)

    def move_payloads(self, new: dict[int, int]) -> None:
        """Give payloads the numbers of the entries that they belong to."""
        for old in new:
            self.run("UPDATE payload SET sequence = ? WHERE sequence = ?", -old, old)
        for old, place in new.items():
            self.run("UPDATE payload SET sequence = ? WHERE sequence = ?", place, -old)

    def forge_tiles(self) -> None:
        """Tiles that fit the entries as they are now."""
        tiles: list[tuple[int, int, bytes]] = []
        tree = Growing(lambda *tile: tiles.append(tile))
        for entry in self.entries[:LAST]:
            tree.add(leaf_hash(canonical(entry)))
        self.run("DELETE FROM tile")
        for tile in (*tiles, *tree.edges()):
            self.run("INSERT INTO tile (level, position, hashes) VALUES (?, ?, ?)", *tile)


Mutation = Callable[[Tamperer], int | None]


def change(copy: Tamperer) -> int:
    """One entry says something else, and all after it fit it."""
    k = copy.place()
    column = copy.chance.choice(["outcome", "tier", "client", "product", "decided_at"])
    copy.entries[k - 1][column] += "x"
    copy.rewrite()
    return k


def change_a_payload(copy: Tamperer) -> int:
    k, sealed = copy.place(), copy.chance.randbytes(300)
    copy.run("UPDATE payload SET sealed = ? WHERE sequence = ?", sealed, k)
    copy.entries[k - 1]["payload_digest"] = sha256(sealed)
    copy.rewrite()
    return k


def delete(copy: Tamperer) -> int:
    k = copy.place()
    del copy.entries[k - 1]
    copy.run("DELETE FROM payload WHERE sequence = ?", k)
    copy.move_payloads({n: n - 1 for n in range(k + 1, N_ENTRIES + 1)})
    copy.rewrite()
    return k


def insert(copy: Tamperer) -> int:
    k, sealed = copy.place(), copy.chance.randbytes(300)
    forged = {"decision_id": "dec_forged", "application_id": "FORGED"}
    entry = copy.entries[k - 1] | forged | {"payload_digest": sha256(sealed)}
    copy.entries.insert(k - 1, entry)
    copy.move_payloads({n: n + 1 for n in range(k, N_ENTRIES + 1)})
    copy.run("INSERT INTO payload (sequence, sealed) VALUES (?, ?)", k, sealed)
    copy.rewrite()
    return k


def swap(copy: Tamperer) -> int:
    i, j = sorted(copy.chance.sample(range(1, N_ENTRIES + 1), 2))
    i = min(i, LAST)
    entries = copy.entries
    entries[i - 1], entries[j - 1] = entries[j - 1], entries[i - 1]
    copy.move_payloads({i: j, j: i})
    copy.rewrite()
    return i if i != j else swap(copy)


def cut(copy: Tamperer) -> int:
    """The tail goes, from an entry that was signed on, and the head is marked where it ends."""
    k = copy.place()
    del copy.entries[k - 1 :]
    copy.run("DELETE FROM payload WHERE sequence >= ?", k)
    copy.rewrite()
    return k


REWRITINGS = (change, change_a_payload, delete, insert, swap, cut)


def known_to(size: int, k: int) -> int:
    """The first entry after the checkpoint before k, of those up to that size."""
    return max([0, *(s for s in SIZES if s < k and s <= size)]) + 1


def with_tiles(rewriting: Mutation) -> Mutation:
    """The tiles are made to fit as well: the place is known up to the checkpoint before it."""

    def tamper(copy: Tamperer) -> int:
        k = rewriting(copy)
        assert k is not None
        copy.forge_tiles()
        return k if rewriting is cut else known_to(LAST, k)

    return tamper


def with_checkpoints(rewriting: Mutation) -> Mutation:
    """And the database's own checkpoints are gone: those of the file tell."""

    def tamper(copy: Tamperer) -> int:
        place = with_tiles(rewriting)(copy)
        copy.run("DELETE FROM checkpoint")
        copy.run("DELETE FROM tile")
        assert place is not None
        return len(copy.entries) + 1 if rewriting is cut else place

    return tamper


def with_the_file(rewriting: Mutation) -> Mutation:
    """And the file is gone: the checkpoint at the bank tells of what it was signed over."""

    def tamper(copy: Tamperer) -> int | None:
        before = [canonical(entry) for entry in copy.entries[:AT_A_BANK]]
        with_checkpoints(rewriting)(copy)
        copy.notes.clear()
        same = before == [canonical(entry) for entry in copy.entries[:AT_A_BANK]]
        return -1 if same else None

    return tamper


def replace_a_checkpoint(copy: Tamperer) -> int:
    """By another one of this ledger, which says another size."""
    i, j = copy.chance.sample(SIZES, 2)
    copy.run("UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = ?) "
             "WHERE size = ?", j, i)  # fmt: skip
    return i


def edit_a_checkpoint(copy: Tamperer) -> int | None:
    size = copy.chance.choice(SIZES)
    note = copy.one("SELECT note FROM checkpoint WHERE size = ?", size)[0]
    copy.run("UPDATE checkpoint SET note = ? WHERE size = ?", edited(copy, note), size)
    return size


def edited(copy: Tamperer, note: str) -> str:
    at = copy.chance.randrange(len(note))
    other = copy.chance.choice([c for c in "0123456789abcXYZ+/\n é" if c != note[at]])
    return note[:at] + other + note[at + 1 :]


def delete_a_checkpoint(copy: Tamperer) -> int:
    size = copy.chance.choice(SIZES)
    copy.run("DELETE FROM checkpoint WHERE size = ?", size)
    # The tiles hold what the newest one was signed over, and are now of more.
    return size if size != LAST else SIZES[1] + 1


def date_a_checkpoint_back(copy: Tamperer) -> int:
    size = copy.chance.choice(SIZES)
    copy.run("UPDATE checkpoint SET at = ? WHERE size = ?", AT.replace("2026", "2025"), size)
    return size


def flip_a_bit_of_a_tile(copy: Tamperer) -> int:
    [hashes] = copy.one("SELECT hashes FROM tile WHERE level = 0")
    data, at = bytearray(hashes), copy.chance.randrange(len(hashes))
    data[at] ^= 1 << copy.chance.randrange(8)
    copy.run("UPDATE tile SET hashes = ?", bytes(data))
    return at // 32 + 1


def edit_a_note_of_the_file(copy: Tamperer) -> int | None:
    at = copy.chance.randrange(len(copy.notes))
    copy.notes[at] = edited(copy, copy.notes[at])
    return (0, *SIZES)[at] + 1


MUTATIONS: dict[str, Mutation] = {
    **{name: cast(Mutation, tamper) for name, tamper in TAMPERINGS.items()},
    **{r.__name__: r for r in REWRITINGS},
    **{f"{r.__name__}, tiles too": with_tiles(r) for r in REWRITINGS},
    **{f"{r.__name__}, checkpoints too": with_checkpoints(r) for r in REWRITINGS},
    **{f"{r.__name__}, the file too": with_the_file(r) for r in REWRITINGS},
    **{
        m.__name__: m
        for m in (
            replace_a_checkpoint, edit_a_checkpoint, delete_a_checkpoint, date_a_checkpoint_back,
            flip_a_bit_of_a_tile, edit_a_note_of_the_file,
        )
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with three checkpoints, at rest, and nothing in the way of who changes it."""
    folder = tmp_path_factory.mktemp("ledger")
    root = small_underwriting(folder)
    for number in range(1, N_ENTRIES + 1):
        root.decide(an_application(number), client=f"client-{number % 2}")
        if number in SIZES:
            advance(root.ledger, at=AT)
    root.ledger._engine.dispose()
    return folder / "home"


@pytest.fixture
def ledger(home: Path, tmp_path: Path) -> Iterator[Ledger]:
    shutil.copytree(home, tmp_path / "home")
    with closing(sqlite3.connect(tmp_path / "home" / "ledger.db")) as database, database:
        for what in ("update", "delete"):
            database.execute(f"DROP TRIGGER entry_no_{what}")
    path = tmp_path / "home" / "ledger.db"
    ledger = Ledger.open(f"sqlite:///{path}", home=tmp_path / "home")
    yield ledger
    ledger._engine.dispose()


def found_after(
    ledger: Ledger, mutation: Mutation, chance: random.Random
) -> tuple[int | None, list[Problem]]:
    """Where the first problem was to be, and what `verify` sees; nothing of it stays."""
    notes = list(kept.notes_in(ledger.home / kept.NAME))
    at_a_bank = notes[SIZES.index(AT_A_BANK)]
    with ledger._engine.connect() as connection, connection.begin() as transaction:
        raw = cast(sqlite3.Connection, connection.connection.driver_connection)
        try:
            expected = mutation(Tamperer(raw, chance, ledger, notes))
            noted = [(kept.NAME, note) for note in notes] + [("the bank's", at_a_bank)]
            problems = verify(connection, ledger._vault, noted)[1]
        finally:
            transaction.rollback()
    return expected, problems


def tried(ledger: Ledger, n: int, seed: int) -> Counter[str]:
    """How many mutations of each kind were made and found, the place where it can be known."""
    chance, found, names = random.Random(seed), Counter[str](), list(MUTATIONS)
    number = 0
    while found.total() < n:
        name = names[number % len(names)] if number < len(names) else chance.choice(names)
        number += 1
        try:
            expected, problems = found_after(ledger, MUTATIONS[name], chance)
        except sqlite3.IntegrityError:  # what the database itself does not let be
            continue
        if expected == -1:  # after what the bank's checkpoint was signed over: see the limit
            continue
        assert problems, f"mutation {number}, {name}: not found"
        if name in OF_THE_HEAD or expected is None:
            found[f"{name} (found)"] += 1
        else:
            expected -= name in OF_THE_NEXT and expected <= LAST + 1
            assert problems[0].sequence == expected, f"mutation {number}, {name}"
            found[name] += 1
    assert ledger.verify() == (N_ENTRIES, [])
    return found


def test_changes_of_a_signed_ledger_are_found_and_named(ledger: Ledger) -> None:
    assert len(tried(ledger, N_ALWAYS, 12)) >= len(MUTATIONS) - 4


@pytest.mark.faults("F12", within_s=900)
def test_every_change_of_a_signed_ledger_is_found_and_named(
    ledger: Ledger, measured: Callable[[str], None]
) -> None:
    started = time.monotonic()
    found = tried(ledger, N_MUTATIONS, 20261126)
    named = sum(n for name, n in found.items() if not name.endswith("(found)"))
    measured(
        f"signed ledger: {found.total():,} of {N_MUTATIONS:,} found, the first bad entry or the "
        f"first after the checkpoint before it named in {named:,}; with the chain's key, tiles, "
        f"checkpoints and file rewritten too: by the checkpoint at a bank; "
        f"{time.monotonic() - started:.0f} s"
    )


def test_a_tail_cut_before_it_was_signed_is_the_limit(ledger: Ledger) -> None:
    """With the chain's key: at most 60 seconds or 1,000 entries, as the page says."""

    def cut_what_nobody_signed(copy: Tamperer) -> int:
        del copy.entries[LAST:]
        copy.run("DELETE FROM payload WHERE sequence > ?", LAST)
        copy.rewrite()
        return LAST

    # Tables that follow from the entries still tell; `ledger rebuild` would make them fit.
    _, problems = found_after(ledger, cut_what_nobody_signed, random.Random(1))
    assert all(problem.follows for problem in problems)
