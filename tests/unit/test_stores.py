"""Stores: what is the same whichever database, and what PostgreSQL must be like."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, select, text

from loansvc.errors import LedgerUnavailable, SetupRefused
from loansvc.ledger import Ledger, stores, tables
from loansvc.ledger.postgres import PatientConnection
from loansvc.ledger.stores import open_engine, put, put_new, readers, streamed, writers
from tests import databases, postgres
from tests.databases import POSTGRESQL
from tests.small import an_application, small_underwriting
from tests.unit.test_ledger import append


@pytest.fixture
def ledger(tmp_path: Path, both_databases: str) -> Ledger:
    return Ledger.open(databases.url_of(tmp_path), home=tmp_path, create=True)


@pytest.fixture
def in_postgres(tmp_path: Path, both_databases: str) -> Ledger:
    if both_databases != POSTGRESQL:
        pytest.skip("of PostgreSQL alone")
    return Ledger.open(databases.url_of(tmp_path), home=tmp_path, create=True)


def relations(ledger: Ledger) -> list[tuple[str, str]]:
    with ledger.snapshot() as connection:
        rows = connection.execute(select(tables.related).order_by(tables.related.c.party))
        return [(row.party, row.subject_ref) for row in rows]


def pair(party: str, ref: str) -> dict[str, str]:
    return {"party": party, "subject_ref": ref}


# --- the same whichever database ------------------------------------------------------------------


def test_a_row_that_is_there_is_not_put_again(ledger: Ledger) -> None:
    with ledger.transaction() as connection:
        assert put_new(connection, tables.related, pair("a", "1")) == 1
        assert put_new(connection, tables.related, pair("a", "1")) == 0
        put_new(connection, tables.related, [pair("a", "1"), pair("b", "1")])
    assert relations(ledger) == [("a", "1"), ("b", "1")]


def test_a_row_takes_the_place_of_the_one_with_its_key(ledger: Ledger) -> None:
    with ledger.transaction() as connection:
        for at in ("x", "y"):
            put(connection, tables.checkpoint, {"size": 1, "at": at, "note": at})
        rows = connection.execute(select(tables.checkpoint)).all()
    assert [tuple(row) for row in rows] == [(1, "y", "y")]


def test_what_reads_sees_one_moment(ledger: Ledger) -> None:
    append(ledger, 1)
    with ledger.reading() as reading:
        before = reading.find("bank", "A-1")
        other = threading.Thread(target=append, args=(ledger, 2))
        other.start()
        other.join()
        assert reading.find("bank", "A-2") is None
        assert reading.find("bank", "A-1") == before


def test_rows_come_few_at_a_time_and_all_of_them(ledger: Ledger) -> None:
    many = [pair(f"{number:05}", "1") for number in range(2500)]
    with ledger.transaction() as connection:
        put_new(connection, tables.related, many)
    with ledger.snapshot() as connection:
        query = select(tables.related).order_by(tables.related.c.party)
        found = [row.party for row in streamed(connection, query)]
    assert found == [one["party"] for one in many]


def test_a_reader_who_leaves_early_leaves_nothing_open(ledger: Ledger) -> None:
    with ledger.transaction() as connection:
        put_new(connection, tables.related, [pair(f"{number:05}", "1") for number in range(2500)])
    with ledger.snapshot() as connection:
        for row in streamed(connection, select(tables.related)):
            assert row.subject_ref == "1"
            break
        assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_two_writers_wait_for_each_other(ledger: Ledger) -> None:
    """Two engines, as of two processes: the second reads what the first has committed."""
    append(ledger, 1)
    began, leave = threading.Event(), threading.Event()
    seen: list[Any] = []

    def first() -> None:
        with ledger.transaction() as connection:
            put(connection, tables.checkpoint, {"size": 1, "at": "", "note": ""})
            began.set()
            assert leave.wait(10)

    def second() -> None:
        engine = open_engine(ledger._engine.url.render_as_string(hide_password=False), 5000)
        with writers(engine).begin() as connection:
            seen.extend(connection.execute(select(tables.checkpoint.c.size)).scalars())
        engine.dispose()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert began.wait(10)
    threads[1].start()
    time.sleep(0.2)
    assert seen == []
    leave.set()
    for thread in threads:
        thread.join()
    assert seen == [1]


@pytest.mark.parametrize(
    "url",
    ["mysql://u:secret@h/db", "postgresql+psycopg2://u:secret@h/db", "secret", "sqlite+x:///secret",
     "postgres://u:secret@h/db"],
)  # fmt: skip
def test_what_is_no_database_of_ours_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(SetupRefused, match="LOANSVC_DATABASE_URL") as refused:
        open_engine(url, 100)
    assert "secret" not in str(refused.value)


# --- what PostgreSQL must be like -----------------------------------------------------------------


def setting(connection: Any, name: str) -> str:
    return str(connection.exec_driver_sql(f"SHOW {name}").scalar_one())


def test_sessions_wait_for_the_disk_and_for_nothing_for_ever(in_postgres: Ledger) -> None:
    database = in_postgres._engine.url.database
    postgres.shared().sql("postgres", f'ALTER DATABASE "{database}" SET synchronous_commit = off')
    in_postgres._engine.dispose()
    with in_postgres.snapshot() as connection:
        assert setting(connection, "synchronous_commit") == "on"
        assert setting(connection, "statement_timeout") == "2s"
        assert setting(connection, "lock_timeout") == "2s"
        assert setting(connection, "idle_in_transaction_session_timeout") == "5s"
        assert setting(connection, "application_name") == "loansvc"
        assert setting(connection, "transaction_read_only") == "on"
        assert setting(connection, "transaction_isolation") == "repeatable read"
    with in_postgres.transaction() as connection:
        assert setting(connection, "synchronous_commit") == "on"
        assert setting(connection, "transaction_isolation") == "read committed"


def test_limits_are_lifted_for_one_transaction(in_postgres: Ledger) -> None:
    with in_postgres.snapshot() as connection:
        list(streamed(connection, select(tables.related)))
        assert setting(connection, "statement_timeout") == "0"
    with in_postgres.snapshot() as connection:
        assert setting(connection, "statement_timeout") == "2s"


def test_a_writer_waits_no_longer_than_its_patience(in_postgres: Ledger, tmp_path: Path) -> None:
    url = in_postgres._engine.url.render_as_string(hide_password=False)
    hasty = Ledger.open(url, home=tmp_path, busy_timeout_ms=100)
    with in_postgres.transaction():
        started = time.monotonic()
        with pytest.raises(LedgerUnavailable):
            append(hasty, 1)
        assert time.monotonic() - started < 2
    assert append(hasty, 1).sequence == 1


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_a_server_that_may_forget_is_refused(name: str, tmp_path: Path) -> None:
    server = postgres.a_server(**{name: "off"})
    try:
        with pytest.raises(SetupRefused, match=f"{name} = off"):
            Ledger.open(server.new("ledger"), home=tmp_path, create=True)
        assert not (tmp_path / "vault.json").exists()
    finally:
        server.close()


def test_a_database_of_another_encoding_is_refused(tmp_path: Path) -> None:
    server = postgres.shared()
    server.sql("postgres", "DROP DATABASE IF EXISTS bytes", "CREATE DATABASE bytes TEMPLATE "
               "template0 ENCODING 'SQL_ASCII' LOCALE 'C'")  # fmt: skip
    with pytest.raises(SetupRefused, match="server_encoding = SQL_ASCII"):
        Ledger.open(server.url("bytes"), home=tmp_path, create=True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(("/t_", "/absent_"), "does not exist", id="no such database"),
        pytest.param((postgres.PASSWORD, "wrong-secret"), "authentication failed", id="password"),
        pytest.param((f"{postgres.USER}:", "nobody:"), "authentication failed", id="user"),
        pytest.param(("?", "?sslmode=require&"), "SSL", id="no TLS there"),
    ],
)
def test_what_is_wrong_with_the_database_is_said_without_the_password(
    in_postgres: Ledger, tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    url = in_postgres._engine.url.render_as_string(hide_password=False) + "?"
    with pytest.raises(SetupRefused, match=says) as refused:
        Ledger.open(url.replace(*change).removesuffix("?").removesuffix("&"), home=tmp_path)
    told = str(refused.value)
    assert "LOANSVC_DATABASE_URL" in told
    assert postgres.PASSWORD not in told
    assert "wrong-secret" not in told


@pytest.fixture
def engine(in_postgres: Ledger) -> Engine:
    return in_postgres._engine


def test_a_server_that_takes_the_call_and_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(SetupRefused, match="timeout"):
            Ledger.open(f"postgresql://u:p@127.0.0.1:{port}/x", home=tmp_path)
        assert time.monotonic() - started < 1.9  # the driver alone would wait two seconds


def test_a_frozen_server_is_given_up_and_its_connection_thrown_away(in_postgres: Ledger) -> None:
    append(in_postgres, 1)
    with in_postgres.snapshot() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(LedgerUnavailable):
            append(in_postgres, 2)
        assert time.monotonic() - started < 8
    finally:
        os.kill(pid, signal.SIGCONT)
    assert append(in_postgres, 3).sequence == 2


def test_connections_cut_by_the_server_are_replaced(in_postgres: Ledger) -> None:
    append(in_postgres, 1)
    cut_all()
    with pytest.raises(LedgerUnavailable):
        append(in_postgres, 2)
    assert append(in_postgres, 2).sequence == 2
    assert in_postgres.verify() == (2, [])


def cut_all() -> None:
    postgres.shared().sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'loansvc'",
    )


def test_a_connection_lost_before_the_commit_is_try_again(in_postgres: Ledger) -> None:
    engine = in_postgres._engine

    def before_commit(_connection: Any) -> None:
        cut_all()

    event.listen(engine, "commit", before_commit)
    with pytest.raises(LedgerUnavailable) as refused:
        append(in_postgres, 1)
    assert isinstance(refused.value.__cause__.__cause__, psycopg.OperationalError)  # type: ignore[union-attr]
    event.remove(engine, "commit", before_commit)
    assert append(in_postgres, 1).sequence == 1
    assert in_postgres.verify() == (1, [])


def test_a_commit_whose_answer_is_lost_is_found_by_the_next_try(
    tmp_path: Path, both_databases: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows, so it is "try again"; then it is the same decision, and one."""
    if both_databases != POSTGRESQL:
        pytest.skip("of PostgreSQL alone")
    root = small_underwriting(tmp_path)

    def takes_effect(connection: Any) -> None:
        psycopg.Connection.commit(connection)
        connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(PatientConnection, "commit", takes_effect)
        with pytest.raises(LedgerUnavailable):
            root.decide(an_application(1), client="bank")
    recorded, is_new = root.decide(an_application(1), client="bank")
    assert (is_new, recorded.entry.sequence) == (False, 1)
    assert root.ledger.verify() == (1, [])


def test_a_transaction_that_stands_still_gives_the_lock_back(in_postgres: Ledger) -> None:
    """Its process may be frozen: others go on, and what it does on waking is undone."""

    def stand_still() -> None:
        with in_postgres.transaction() as connection:
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 50")
            put_new(connection, tables.related, pair("a", "1"))
            time.sleep(0.3)
            put_new(connection, tables.related, pair("b", "1"))

    with pytest.raises(LedgerUnavailable):
        stand_still()
    assert relations(in_postgres) == []


def test_readers_write_nothing(in_postgres: Ledger) -> None:
    with pytest.raises(LedgerUnavailable), in_postgres.snapshot() as connection:
        put_new(connection, tables.related, pair("a", "1"))


@pytest.fixture(autouse=True)
def _nothing_is_left_waiting() -> Iterator[None]:
    yield
    assert threading.active_count() == 1


def test_both_urls_are_the_same_database(in_postgres: Ledger, tmp_path: Path) -> None:
    url = in_postgres._engine.url.render_as_string(hide_password=False)
    driver_named = url.replace("postgresql://", "postgresql+psycopg://")
    append(in_postgres, 1)
    assert Ledger.open(driver_named, home=tmp_path).verify() == (1, [])
    assert readers(in_postgres._engine).url == in_postgres._engine.url


def test_migrations_that_cannot_be_read_are_told_of_and_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores.revisions.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(stores, "VERSIONS", tmp_path)
        with pytest.raises(SetupRefused, match="migrations cannot be read"):
            stores.revisions()
    assert len(stores.revisions()) > 1


def test_versions_are_those_that_alembic_knows_in_its_order() -> None:
    """They are read from the names of the files, without it."""
    assert stores.revisions() == tuple(script.revision for script in stores.scripts())
