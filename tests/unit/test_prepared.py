"""Statements that are compiled once say and fail what SQLAlchemy's own say and fail."""

from __future__ import annotations

from pathlib import Path
from select import select as readable

import pytest
from sqlalchemy import Engine, bindparam, insert, literal_column, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from loansvc.errors import LedgerUnavailable
from loansvc.ledger.postgres import PatientConnection
from loansvc.ledger.prepared import Prepared, sent_together
from loansvc.ledger.stores import database_errors, open_engine
from loansvc.ledger.tables import metadata, payload, subject
from tests import databases

pytestmark = pytest.mark.usefixtures("both_databases")
ADD = Prepared(insert(subject))
OF = Prepared(select(subject).where(subject.c.pseudonym == bindparam("known_as")))
ALL = Prepared(select(subject).order_by(subject.c.pseudonym))
MOVE = Prepared(update(subject).where(subject.c.subject_ref == bindparam("old")).values(
    subject_ref=bindparam("new")))  # fmt: skip
ROWS = [{"pseudonym": name, "subject_ref": f"ref {name}"} for name in "ab"]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = open_engine(databases.url_of(tmp_path), 5_000)  # patience is not what is tried here
    metadata.create_all(made)
    return made


def test_rows_have_their_columns_as_attributes(engine: Engine) -> None:
    with engine.begin() as connection:
        assert ADD.run_for(connection, ROWS) == 2
        assert OF.first(connection, {"known_as": "b"}).subject_ref == "ref b"
        assert OF.first(connection, {"known_as": "c"}) is None
        assert [tuple(row) for row in ALL.all(connection)] == [("a", "ref a"), ("b", "ref b")]
        assert MOVE.run(connection, {"old": "ref a", "new": "ref c"}) == 1
        assert MOVE.run(connection, {"old": "ref a", "new": "ref c"}) == 0
    with engine.begin() as connection:
        assert ALL.first(connection).subject_ref == "ref c"


def test_fixed_values_and_bytes_pass(engine: Engine) -> None:
    fixed = Prepared(insert(payload).values(sequence=7, sealed=bindparam("data")))
    find = Prepared(select(payload).where(payload.c.sequence == literal_column("7")))
    with engine.begin() as connection:
        fixed.run(connection, {"data": b"\x00\xff"})
        assert tuple(find.first(connection)) == (7, b"\x00\xff")


def test_it_belongs_to_the_transaction_of_its_connection(engine: Engine) -> None:
    with engine.connect() as connection:
        with connection.begin() as transaction:
            ADD.run_for(connection, ROWS)
            transaction.rollback()
        with connection.begin():
            assert ALL.all(connection) == []


def test_an_error_is_the_one_that_sqlalchemy_tells_without_the_values(engine: Engine) -> None:
    with pytest.raises(IntegrityError) as told, engine.begin() as connection:
        ADD.run_for(connection, ROWS + ROWS)
    assert "ref a" not in str(told.value).splitlines()[0]
    with pytest.raises(LedgerUnavailable), database_errors(), engine.begin() as connection:
        Prepared(text("SELECT nothing FROM nowhere")).run(connection)


def test_what_is_sent_together_is_done_and_can_be_read(engine: Engine) -> None:
    with engine.begin() as connection:
        with sent_together(connection):
            ADD.run_for(connection, ROWS)
            assert OF.first(connection, {"known_as": "b"}).subject_ref == "ref b"
        assert len(ALL.all(connection)) == 2


def test_an_error_of_what_is_sent_together_comes_at_its_end_at_the_latest(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        with pytest.raises(IntegrityError), sent_together(connection):
            ADD.run_for(connection, ROWS + ROWS)
        transaction.rollback()
    with engine.begin() as connection:
        assert ALL.all(connection) == []


def test_what_is_sent_behind_a_refused_statement_costs_no_connection(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite is told no before the next statement is sent")
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, PatientConnection)

        def send_on() -> None:
            ADD.run_for(connection, ROWS + ROWS)
            assert readable([driver.fileno()], [], [], 5)[0], "the server said nothing"
            ADD.run_for(connection, ROWS)

        with connection.begin() as transaction:
            with pytest.raises(IntegrityError), sent_together(connection):
                send_on()
            transaction.rollback()
        assert not driver.closed
        assert ALL.all(connection) == []


def test_a_connection_that_was_lost_is_given_up(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no server to lose")
    with engine.connect() as connection, engine.connect() as other:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(OperationalError) as told:
            ALL.all(connection)
        assert told.value.connection_invalidated
        assert connection.invalidated
    with engine.connect() as connection:
        assert ALL.all(connection) == []
