"""The ledger: chained, sealed, append-only, and found out when changed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.exc import IntegrityError

from loansvc.errors import LedgerDamaged, LedgerUnavailable, SetupRefused
from loansvc.ledger import Ledger, is_there, tables
from loansvc.ledger.chain import Entry, Problem, entry_hash
from loansvc.ledger.remains import ERASURES, IS_ERASED, NOT_ERASED
from loansvc.ledger.verifier import GENESIS
from tests import databases
from tests.databases import tampered

DIGEST = "sha256:" + "a" * 64
ID_NUMBER = "340521199003072316"


def open_ledger(home: Path, *, create: bool = True, **kwargs: Any) -> Ledger:
    return Ledger.open(databases.url_of(home), home=home, create=create, **kwargs)


@pytest.fixture
def ledger(tmp_path: Path, both_databases: str) -> Ledger:
    return open_ledger(tmp_path)


@pytest.fixture
def in_sqlite(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


def a_payload(number: int) -> dict[str, Any]:
    """As much of a decision's record as the ledger itself reads."""
    shares = {"bank": 60, "local_guarantor": 40}
    decision = {"offer": {"amount_yuan": 5}, "guarantee": {"shares_percent": shares}}
    applicant = {"id_number": ID_NUMBER}
    return {"n": number, "application": {"applicant": applicant}, "decision": decision}


def append(ledger: Ledger, number: int, *, outcome: str = "approve", client: str = "bank") -> Entry:
    with ledger.writing() as writing:
        subject = writing.subject_for(ID_NUMBER)
        return writing.append(
            subject, a_payload(number), kind="decision",
            decided_at=f"2026-11-23T12:00:{number % 60:02d}.000+08:00", client=client,
            application_id=f"A-{number}", decision_id=f"dec_{number}", product="credit_loan",
            outcome=outcome, tier="G1", scorecard=DIGEST, villages=DIGEST, policy=DIGEST,
            rates=DIGEST,
        )  # fmt: skip


def test_entries_are_chained_from_the_first(ledger: Ledger) -> None:
    first, second = append(ledger, 1), append(ledger, 2)
    assert (first.sequence, first.previous_hash) == (1, GENESIS)
    assert (second.sequence, second.previous_hash) == (2, first.hash)
    assert entry_hash(asdict(second)) == second.hash
    assert ledger.verify() == (2, [])


def test_what_was_recorded_is_read_back(ledger: Ledger) -> None:
    append(ledger, 1)
    with ledger.reading() as reading:
        entry = reading.find("bank", "A-1")
        assert entry is not None
        assert reading.payload_of(entry)["n"] == 1
        assert reading.find("other", "A-1") is None


def test_nothing_of_the_person_stands_in_clear_anywhere(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.writing() as writing:
        subject = writing.subject_for(ID_NUMBER)
        assert subject.ref not in ("", ID_NUMBER)
    append(ledger, 1)
    for path in tmp_path.iterdir():
        assert ID_NUMBER.encode() not in path.read_bytes(), path.name


def test_one_person_is_one_subject(ledger: Ledger) -> None:
    assert append(ledger, 1).subject_ref == append(ledger, 2).subject_ref


def test_loans_of_a_person_are_found_while_they_can_be_drawn(ledger: Ledger) -> None:
    append(ledger, 1)
    append(ledger, 2)
    append(ledger, 3, outcome="decline")
    with ledger.reading() as reading:
        subject = reading.find_subject(ID_NUMBER)
        assert subject is not None
        found = reading.fund.of(subject.ref, "2026-12-23T12:00:01.000+08:00")
        assert [(c.application_id, c.fund_yuan) for c in found] == [("A-2", 2)]
        assert reading.find_subject("11010519491231002X") is None


def test_what_fails_in_the_middle_leaves_nothing(ledger: Ledger) -> None:
    class Interrupted(Exception):
        pass

    def interrupted() -> Iterator[None]:
        with ledger.writing() as writing:
            writing.subject_for(ID_NUMBER)
            raise Interrupted

    with pytest.raises(Interrupted):
        next(interrupted())
    with ledger.reading() as reading:
        assert reading.find_subject(ID_NUMBER) is None
    assert ledger.verify() == (0, [])


def test_the_same_application_cannot_stand_twice(ledger: Ledger) -> None:
    append(ledger, 1)
    with pytest.raises(LedgerUnavailable) as refused:
        append(ledger, 1)
    assert isinstance(refused.value.__cause__, IntegrityError)
    assert ledger.verify() == (1, [])


def test_the_database_itself_refuses_to_change_an_entry(ledger: Ledger) -> None:
    append(ledger, 1)
    for statement in ("UPDATE entry SET outcome = 'decline'", "DELETE FROM entry"):
        with pytest.raises(LedgerUnavailable), ledger.transaction() as connection:
            connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statements", "sequence", "says"),
    [
        pytest.param(["UPDATE entry SET outcome='decline' WHERE sequence=2"], 2, "was changed",
                     id="an edited row"),
        pytest.param(["UPDATE payload SET sealed = sealed || x'00' WHERE sequence=2"], 2,
                     "payload was changed", id="an edited payload"),
        pytest.param(["DELETE FROM payload WHERE sequence=2"], 2, "payload is missing",
                     id="a removed payload"),
        pytest.param(["DELETE FROM entry WHERE sequence=2"], 2, "are missing", id="a removed row"),
        pytest.param(["DELETE FROM entry WHERE sequence=1"], 1, "are missing", id="the first gone"),
        pytest.param(["DELETE FROM entry WHERE sequence=3", "DELETE FROM payload WHERE sequence=3"],
                     3, "at the end are missing", id="the tail cut off"),
        pytest.param(["UPDATE entry SET sequence=99 WHERE sequence=1",
                      "UPDATE entry SET sequence=1 WHERE sequence=2",
                      "UPDATE entry SET sequence=2 WHERE sequence=99"], 1, "does not follow",
                     id="two rows swapped"),
        pytest.param(["DELETE FROM chain_head"], 3, "head of the chain is missing", id="no head"),
        pytest.param(["UPDATE chain_head SET sequence=2"], 2, "head of the chain was changed",
                     id="a head moved back"),
        pytest.param(["DELETE FROM entry", "DELETE FROM payload"], 1, "at the end are missing",
                     id="everything gone"),
    ],
)  # fmt: skip
def test_tampering_is_found_at_the_first_bad_row(
    ledger: Ledger, tmp_path: Path, statements: list[str], sequence: int, says: str
) -> None:
    for number in (1, 2, 3):
        append(ledger, number)
    tampered(tmp_path, *statements)
    _, problems = ledger.verify()
    assert problems[0].sequence == sequence
    assert says in problems[0].what


def test_rewriting_the_whole_chain_is_found_by_its_marked_head(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Whoever can write the database can compute hashes, but has no key for the head."""
    first = append(ledger, 1)
    changed = {**asdict(first), "outcome": "decline"}
    new_hash = entry_hash(changed)
    tampered(
        tmp_path,
        f"UPDATE entry SET outcome='decline', hash='{new_hash}'",
        f"UPDATE chain_head SET hash='{new_hash}'",
    )
    _, [problem] = ledger.verify()
    assert problem.what == "the head of the chain was changed"


def test_a_changed_payload_is_never_read_as_if_it_were_good(ledger: Ledger, tmp_path: Path) -> None:
    append(ledger, 1)
    tampered(tmp_path, "UPDATE payload SET sealed = x'00' || substr(sealed, 2)")
    with ledger.reading() as reading:
        entry = reading.find("bank", "A-1")
        assert entry is not None
        with pytest.raises(LedgerDamaged):
            reading.payload_of(entry)


def test_a_payload_moved_to_another_decision_cannot_be_opened(
    ledger: Ledger, tmp_path: Path
) -> None:
    """The seal is bound to the decision."""
    append(ledger, 1)
    append(ledger, 2)
    tampered(tmp_path, "UPDATE payload SET sealed = (SELECT sealed FROM payload WHERE sequence=2)")
    with ledger.reading() as reading:
        entry = reading.find("bank", "A-1")
        assert entry is not None
        with pytest.raises(LedgerDamaged):
            reading.payload_of(entry)


def test_keys_are_made_once_and_readable_by_nobody_else(tmp_path: Path) -> None:
    open_ledger(tmp_path)
    keys = tmp_path / "vault.json"
    before = keys.read_bytes()
    assert keys.stat().st_mode & 0o777 == 0o600
    open_ledger(tmp_path)
    assert keys.read_bytes() == before


def test_keys_that_others_can_read_are_refused(tmp_path: Path) -> None:
    open_ledger(tmp_path)
    (tmp_path / "vault.json").chmod(0o644)
    with pytest.raises(SetupRefused, match="chmod 600"):
        open_ledger(tmp_path)


def test_lost_keys_are_never_replaced_by_new_ones(tmp_path: Path) -> None:
    open_ledger(tmp_path)
    (tmp_path / "vault.json").unlink()
    with pytest.raises(SetupRefused, match="is missing"):
        open_ledger(tmp_path)


def test_keys_of_another_ledger_are_refused(tmp_path: Path) -> None:
    open_ledger(tmp_path / "a")
    open_ledger(tmp_path / "b")
    (tmp_path / "b" / "vault.json").replace(tmp_path / "a" / "vault.json")
    with pytest.raises(SetupRefused, match="not the one this ledger was written with"):
        open_ledger(tmp_path / "a")


def test_keys_may_come_from_the_environment(tmp_path: Path) -> None:
    open_ledger(tmp_path / "a")
    given = (tmp_path / "a" / "vault.json").read_text()
    append(open_ledger(tmp_path / "b", vault_keys=given), 1)
    assert not (tmp_path / "b" / "vault.json").exists()


@pytest.mark.parametrize(
    "given", ["{}", "x", '{"pseudonym": {"1": "AAAA"}, "key_encryption": {}, "chain": {}}']
)
def test_malformed_keys_are_refused_without_being_quoted(tmp_path: Path, given: str) -> None:
    with pytest.raises(SetupRefused) as refused:
        open_ledger(tmp_path, vault_keys=given)
    assert "AAAA" not in str(refused.value)


def test_an_older_ledger_asks_for_an_upgrade(tmp_path: Path) -> None:
    open_ledger(tmp_path)
    tampered(tmp_path, "UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(SetupRefused, match="loansvc ledger upgrade"):
        open_ledger(tmp_path, create=False)


def test_reading_never_makes_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(SetupRefused, match="There is no ledger"):
        open_ledger(tmp_path / "elsewhere", create=False)
    assert not (tmp_path / "elsewhere").exists()


def test_a_writer_that_waits_too_long_is_told_to_try_again(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, busy_timeout_ms=50)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable):
            append(ledger, 1)
        other.execute("ROLLBACK")
    assert append(ledger, 1).sequence == 1


def test_a_destroyed_key_of_a_person_is_found(ledger: Ledger, tmp_path: Path) -> None:
    """The chain is whole, and still nobody could read what it vouches for."""
    append(ledger, 1)
    append(ledger, 2)
    tampered(tmp_path, "UPDATE subject_key SET wrapped = x'00'")
    _, [problem] = ledger.verify()
    assert (problem.sequence, "key of its payload" in problem.what) == (1, True)


def test_another_database_than_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupRefused) as refused:
        Ledger.open("mysql://u:secret@h/db", home=tmp_path, create=True)
    assert "secret" not in str(refused.value)


def test_keys_half_written_by_a_killed_start_are_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".vault.json.0123456789abcdef.part").write_text("{")
    open_ledger(tmp_path)
    assert (tmp_path / "vault.json").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_no_database_is_named_with_the_remedy(tmp_path: Path) -> None:
    open_ledger(tmp_path)
    (tmp_path / "ledger.db").write_bytes(b"no database" * 1000)
    for sibling in ("ledger.db-wal", "ledger.db-shm"):
        (tmp_path / sibling).unlink(missing_ok=True)
    with pytest.raises(SetupRefused, match="restore the last backup that verifies"):
        open_ledger(tmp_path)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("sqlite:///{folder}/there.db", True, id="a file that exists"),
        pytest.param("sqlite:///{folder}/absent.db", False, id="a file that does not"),
        pytest.param("postgresql://host/ledger", True, id="another database"),
        pytest.param("not a URL", True, id="opening it says what is wrong"),
    ],
)
def test_a_ledger_may_be_there_unless_its_file_is_missing(
    tmp_path: Path, url: str, expected: bool
) -> None:
    (tmp_path / "there.db").touch()
    assert is_there(url.format(folder=tmp_path)) == expected


def test_an_index_that_does_not_fit_its_table_is_found(in_sqlite: Ledger, tmp_path: Path) -> None:
    """The rows are whole, but an application would be found under another one's id."""
    append(in_sqlite, 1)
    append(in_sqlite, 2)
    in_sqlite._engine.dispose()
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'entry_idempotency'"
        (page,) = connection.execute(query).fetchone()
    data, start = bytearray(path.read_bytes()), (page - 1) * 4096
    at = data.index(b"A-2", start, start + 4096)
    data[at + 2] = ord("3")
    path.write_bytes(data)
    _, problems = open_ledger(tmp_path).verify()
    assert problems
    assert "the database file is damaged" in problems[0].what


def test_a_torn_page_is_found_and_named(in_sqlite: Ledger, tmp_path: Path) -> None:
    append(in_sqlite, 1)
    in_sqlite._engine.dispose()
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'payload'"
        ).fetchone()
    data = bytearray(path.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(data)
    _, [problem] = open_ledger(tmp_path).verify()
    assert problem == Problem(0, "the database file is damaged")


@pytest.mark.parametrize("query", [IS_ERASED, ERASURES, select(tables.entry).where(NOT_ERASED)])
def test_erasures_are_found_by_their_index(ledger: Ledger, query: Any, both_databases: str) -> None:
    """Lists ask for each of their rows; without the index each would read the whole ledger."""
    if both_databases != databases.SQLITE:
        return  # it plans by how much there is, and here is nothing
    asked = str(query.compile(dialect=sqlite_dialect()))
    with ledger.snapshot() as connection:
        parameters = (1,) * asked.count("?")
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", parameters).all()
    assert "entry_erasure" in str(plan)


def test_nothing_is_written_outside_the_folder_of_the_ledger(in_sqlite: Ledger) -> None:
    """A journal in /tmp failed each group of two where only the ledger's folder is writable."""
    with in_sqlite.snapshot() as connection:
        assert connection.exec_driver_sql("PRAGMA temp_store").scalar() == 2  # memory
