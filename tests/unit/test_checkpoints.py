"""Checkpoints: what is signed, what never is, and what of it is proved to others."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest

from loansvc.errors import InvalidRequest, LedgerDamaged, NotFound, SetupRefused
from loansvc.ledger import Entry, Ledger, kept
from loansvc.ledger.chain import NAMES, entry_hash
from loansvc.ledger.checkpoints import LONGEST_WAIT, MOST_ENTRIES, advance, is_due
from loansvc.ledger.receipts import checkpoint_document, receipt
from loansvc.ledger.verifier import (
    FIELDS,
    Checkpoint,
    Frontier,
    canonical,
    checkpoints_of,
    leaf_hash,
)
from tests import databases
from tests.databases import tampered
from tests.small import NOON
from tests.unit.test_ledger import append, open_ledger

AT = "2026-11-23T12:00:00.000+08:00"


@pytest.fixture
def ledger(tmp_path: Path, both_databases: str) -> Ledger:
    return open_ledger(tmp_path)


def signed(ledger: Ledger) -> Checkpoint:
    made = advance(ledger, at=AT)
    assert made is not None
    return made


def filled(ledger: Ledger, first: int, last: int) -> list[Entry]:
    return [append(ledger, number) for number in range(first, last + 1)]


def problems(ledger: Ledger, *outside: Path) -> list[tuple[int, str]]:
    return [(p.sequence, p.what) for p in ledger.verify(outside=outside)[1]]


def test_the_root_is_the_one_of_the_entries(ledger: Ledger) -> None:
    entries, tree = filled(ledger, 1, 5), Frontier()
    for entry in entries:
        tree.add(leaf_hash(canonical(asdict(entry))))
    made = signed(ledger)
    assert (made.size, made.root, made.at) == (5, tree.root(), AT)
    assert ledger.verify() == (5, [])


def test_the_verifier_knows_the_fields_of_an_entry() -> None:
    assert FIELDS == NAMES


def test_an_empty_ledger_has_no_checkpoint(ledger: Ledger, tmp_path: Path) -> None:
    assert advance(ledger, at=AT) is None
    with pytest.raises(NotFound):
        checkpoint_document(ledger)
    assert not (tmp_path / kept.NAME).exists()


def test_nothing_is_signed_twice(ledger: Ledger) -> None:
    filled(ledger, 1, 2)
    first = signed(ledger)
    assert signed(ledger) == first
    append(ledger, 3)
    assert signed(ledger).size == 3


def test_every_checkpoint_stands_in_the_file_too(ledger: Ledger, tmp_path: Path) -> None:
    made = []
    for number in (1, 2, 3):
        append(ledger, number)
        made.append(signed(ledger))
    assert checkpoints_of((tmp_path / kept.NAME).read_text()) == made
    assert list(kept.notes_in(tmp_path / kept.NAME)) == [one.note for one in made]


@pytest.mark.parametrize("cut", [1, 2, 60, 110, 170, 220, 280])
def test_a_note_cut_off_by_a_crash_is_written_again(
    ledger: Ledger, tmp_path: Path, cut: int
) -> None:
    made = []
    for number in (1, 2):
        append(ledger, number)
        made.append(signed(ledger))
    path = tmp_path / kept.NAME
    path.write_bytes(path.read_bytes()[:-cut])
    append(ledger, 3)
    made.append(signed(ledger))
    assert checkpoints_of(path.read_text()) == made


def test_a_lost_file_is_written_anew(ledger: Ledger, tmp_path: Path) -> None:
    append(ledger, 1)
    first = signed(ledger)
    (tmp_path / kept.NAME).unlink()
    assert signed(ledger) == first
    assert checkpoints_of((tmp_path / kept.NAME).read_text()) == [first]


def test_nothing_of_a_file_that_cannot_be_read_is_thrown_away(
    ledger: Ledger, tmp_path: Path
) -> None:
    append(ledger, 1)
    signed(ledger)
    path = tmp_path / kept.NAME
    path.write_bytes(path.read_bytes() + b"x" * 5000)
    before = path.read_bytes()
    append(ledger, 2)
    signed(ledger)
    assert path.read_bytes().startswith(before)


@pytest.mark.parametrize(
    ("n_waiting", "seconds", "expected"),
    [
        pytest.param(0, 9999, False, id="nothing waits"),
        pytest.param(1, 59, False, id="not long enough"),
        pytest.param(1, 60, True, id="long enough"),
        pytest.param(1, -60, True, id="a clock that was set back"),
    ],
)
def test_a_checkpoint_is_due_after_a_minute(
    ledger: Ledger, n_waiting: int, seconds: int, expected: bool
) -> None:
    append(ledger, 1)
    signed(ledger)
    filled(ledger, 2, 1 + n_waiting)
    assert LONGEST_WAIT.total_seconds() == 60
    since = NOON + timedelta(seconds=2)
    assert is_due(ledger, since + timedelta(seconds=seconds)) == expected


def test_a_checkpoint_is_due_after_many_entries(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_ENTRIES == 1000
    monkeypatch.setattr("loansvc.ledger.checkpoints.MOST_ENTRIES", 3)
    filled(ledger, 1, 2)
    assert not is_due(ledger, NOON)
    append(ledger, 3)
    assert is_due(ledger, NOON)


TAMPERINGS = {
    "an entry that came since": ["UPDATE entry SET outcome = 'decline' WHERE sequence = 4"],
    "the last entry signed": ["UPDATE entry SET outcome = 'decline' WHERE sequence = 3"],
    "a missing entry": ["DELETE FROM entry WHERE sequence = 4"],
    "a missing last entry": ["DELETE FROM entry WHERE sequence = 5"],
    "the head": ["UPDATE chain_head SET mac = 'v1:00'"],
    "a cut tail": [
        "DELETE FROM entry WHERE sequence > 2",
        "UPDATE chain_head SET sequence = 2",
    ],
    "a tile": ["UPDATE tile SET hashes = x'" + "00" * 96 + "'"],
    "no tile": ["DELETE FROM tile"],
    "the checkpoint before": ["UPDATE checkpoint SET note = replace(note, '3', '4')"],
    "a checkpoint of another size": ["UPDATE checkpoint SET size = 4"],
    "no checkpoint": ["DELETE FROM checkpoint", "UPDATE entry SET tier='' WHERE sequence = 2"],
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_what_does_not_go_on_from_what_was_signed_is_never_signed(
    ledger: Ledger, tmp_path: Path, what: str
) -> None:
    filled(ledger, 1, 3)
    signed(ledger)
    filled(ledger, 4, 5)
    before = (tmp_path / kept.NAME).read_bytes()
    tampered(tmp_path, *TAMPERINGS[what])
    with pytest.raises(LedgerDamaged):
        advance(ledger, at=AT)
    assert (tmp_path / kept.NAME).read_bytes() == before
    assert problems(ledger)


def rewritten(ledger: Ledger, home: Path, k: int, **changes: str) -> None:
    """Entry k changed and everything after it made to fit, by somebody who has the chain's key."""
    query = f"SELECT {', '.join(NAMES)} FROM entry ORDER BY sequence"
    rows = [dict(zip(NAMES, row, strict=True)) for row in databases.sql(home, query)]
    statements, previous = [], rows[k - 2]["hash"] if k > 1 else rows[0]["previous_hash"]
    for row in rows[k - 1 :]:
        row["previous_hash"] = previous
        row.update((changes or {"tier": "GX"}) if row["sequence"] == k else {})
        row["hash"] = previous = entry_hash(row)
        values = ", ".join(f"{name} = '{row[name]}'" for name in NAMES if name != "sequence")
        statements.append(f"UPDATE entry SET {values} WHERE sequence = {row['sequence']}")
    mac = ledger._vault.head_mac(len(rows), previous)
    statements.append(f"UPDATE chain_head SET hash = '{previous}', mac = '{mac}'")
    tampered(home, *statements)


def test_a_chain_rewritten_with_its_key_is_found_by_the_checkpoint(
    ledger: Ledger, tmp_path: Path
) -> None:
    filled(ledger, 1, 9)
    signed(ledger)
    rewritten(ledger, tmp_path, 4)
    [(sequence, what)] = problems(ledger)
    assert (sequence, "checkpoint of 9 entries in the ledger" in what) == (4, True)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("decided_at", "no moment", "it holds what no entry can hold"),
        ("subject_ref", "nobody", "the key of its payload is missing or was changed"),
        ("decision_id", "dec_other", "its payload cannot be opened"),
    ],
)
def test_what_no_entry_can_hold_is_named_even_where_the_chain_fits(
    ledger: Ledger, tmp_path: Path, column: str, value: str, expected: str
) -> None:
    """Verifying tells it; it does not end in the middle."""
    filled(ledger, 1, 4)
    rewritten(ledger, tmp_path, 3, **{column: value})
    assert (3, expected) in problems(ledger)


def test_without_tables_of_the_tree_the_file_beside_tells(ledger: Ledger, tmp_path: Path) -> None:
    """The place is then known up to the checkpoint before."""
    filled(ledger, 1, 5)
    signed(ledger)
    filled(ledger, 6, 9)
    signed(ledger)
    rewritten(ledger, tmp_path, 8)
    tampered(tmp_path, "DELETE FROM tile", "DELETE FROM checkpoint")
    found = [p for p in ledger.verify()[1] if not p.follows]
    assert [(p.sequence, "in checkpoints" in p.what) for p in found] == [(6, True)]


def test_a_checkpoint_kept_elsewhere_tells_when_all_is_rewritten(
    ledger: Ledger, tmp_path: Path
) -> None:
    """By somebody who has every key and every file of the installation."""
    filled(ledger, 1, 5)
    outside = tmp_path / "outside.txt"
    outside.write_text(signed(ledger).note)
    rewritten(ledger, tmp_path, 2)
    tampered(tmp_path, "DELETE FROM tile", "DELETE FROM checkpoint")
    (tmp_path / kept.NAME).unlink()
    signed(ledger)
    assert problems(ledger) == []
    found = problems(ledger, outside)
    assert "outside.txt was signed over others" in found[0][1]


def test_a_cut_tail_is_found_by_the_checkpoint_after_it(ledger: Ledger, tmp_path: Path) -> None:
    """Even where the head was marked anew; before the next checkpoint it is not: the limit."""
    entries = filled(ledger, 1, 5)
    signed(ledger)
    append(ledger, 6)
    mac = ledger._vault.head_mac(5, entries[4].hash)
    tampered(
        tmp_path, f"UPDATE chain_head SET sequence = 5, hash = '{entries[4].hash}', mac = '{mac}'",
        "DELETE FROM entry WHERE sequence = 6", "DELETE FROM payload WHERE sequence = 6",
        "DELETE FROM commitment WHERE sequence = 6",
    )  # fmt: skip
    assert [p for p in ledger.verify()[1] if not p.follows] == []
    mac = ledger._vault.head_mac(4, entries[3].hash)
    tampered(
        tmp_path, f"UPDATE chain_head SET sequence = 4, hash = '{entries[3].hash}', mac = '{mac}'",
        "DELETE FROM entry WHERE sequence = 5", "DELETE FROM payload WHERE sequence = 5",
    )  # fmt: skip
    found = [p for p in ledger.verify()[1] if not p.follows]
    assert [(p.sequence, p.what) for p in found] == [
        (5, "entries up to 5 were signed and are missing")
    ]


@pytest.mark.parametrize(
    ("statement", "sequence", "follows"),
    [
        ("DELETE FROM checkpoint WHERE size = 3", 3, True),
        ("UPDATE checkpoint SET note = 'x' WHERE size = 3", 3, False),
        ("UPDATE checkpoint SET at = 'x' WHERE size = 3", 3, False),
        ("UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 5)", 3, False),
        ("UPDATE tile SET hashes = x'00'", 1, True),
        ("UPDATE tile SET hashes = substr(hashes, 1, 64)", 3, True),
        ("DELETE FROM tile", 1, True),
        ("INSERT INTO tile VALUES (1, 0, x'00')", 5, True),
    ],
)
def test_a_changed_table_of_the_tree_is_found(
    ledger: Ledger, tmp_path: Path, statement: str, sequence: int, follows: bool
) -> None:
    filled(ledger, 1, 3)
    signed(ledger)
    filled(ledger, 4, 5)
    signed(ledger)
    tampered(tmp_path, statement)
    found = ledger.verify()[1]
    assert (found[0].sequence, found[0].follows) == (sequence, follows)
    if follows:
        ledger.rebuild()
        assert ledger.verify() == (5, [])


def test_a_changed_file_of_checkpoints_is_found(ledger: Ledger, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        append(ledger, number)
        signed(ledger)
    path = tmp_path / kept.NAME
    path.write_text(path.read_text().replace("\n2\n", "\n7\n"))
    [(sequence, what)] = problems(ledger)
    assert (sequence, what.startswith("a checkpoint in checkpoints cannot be believed")) == (
        2,
        True,
    )


def test_an_older_copy_put_back_is_found_by_the_file(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    append(ledger, 1)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as now:
        now.execute("VACUUM INTO ?", (str(tmp_path / "older.db"),))
    append(ledger, 2)
    signed(ledger)
    url = f"sqlite:///{tmp_path / 'older.db'}"
    with pytest.raises(SetupRefused, match="is an older copy"):
        Ledger.open(url, home=tmp_path)
    older = Ledger.open(url, home=tmp_path, older=True)
    assert (2, "entries up to 2 were signed and are missing") in problems(older)
    with pytest.raises(LedgerDamaged, match="2 entries were signed and 1 are there"):
        advance(older, at=AT)
    append(older, 3)
    with pytest.raises(LedgerDamaged, match="Another ledger of 2 entries was signed"):
        advance(older, at=AT)
    for one in (ledger, older):
        one._engine.dispose()


def test_a_database_without_its_checkpoints_takes_them_from_the_file(
    ledger: Ledger, tmp_path: Path
) -> None:
    """As after a way down and up again of the tables."""
    filled(ledger, 1, 3)
    first = signed(ledger)
    tampered(tmp_path, "DELETE FROM checkpoint", "DELETE FROM tile")
    append(ledger, 4)
    assert signed(ledger).size == 4
    with ledger.reading() as reading:
        assert reading.checkpoint(3) == first
    assert ledger.verify() == (4, [])


def test_a_receipt_makes_the_checkpoint_that_it_needs(ledger: Ledger) -> None:
    filled(ledger, 1, 2)
    assert receipt(ledger, "A-1", client="bank", at=AT)["tree_size"] == 2
    append(ledger, 3)
    assert receipt(ledger, "A-1", client="bank", at=AT)["tree_size"] == 2
    assert receipt(ledger, "A-3", client="bank", at=AT)["tree_size"] == 3


@pytest.mark.parametrize("since", [3, 99])
def test_a_receipt_goes_on_from_an_earlier_checkpoint_only(ledger: Ledger, since: int) -> None:
    filled(ledger, 1, 2)
    with pytest.raises(InvalidRequest):
        receipt(ledger, "A-1", client="bank", at=AT, since=since)


def test_nobody_gets_the_receipt_of_another_client(ledger: Ledger) -> None:
    append(ledger, 1)
    with pytest.raises(NotFound):
        receipt(ledger, "A-1", client="other", at=AT)


def test_a_receipt_that_would_prove_nothing_is_not_given(ledger: Ledger, tmp_path: Path) -> None:
    filled(ledger, 1, 2)
    signed(ledger)
    tampered(tmp_path, "UPDATE entry SET tier = 'G4' WHERE sequence = 1")
    with pytest.raises(LedgerDamaged):
        receipt(ledger, "A-1", client="bank", at=AT)


def test_a_receipt_tells_nothing_of_others(ledger: Ledger) -> None:
    filled(ledger, 1, 4)
    told = json.dumps(receipt(ledger, "A-2", client="bank", at=AT))
    for number in (1, 3, 4):
        assert f"A-{number}" not in told
