"""PostgreSQL: connections that lose nothing that was committed, and wait for nothing for ever.

Only `stores.py` imports this, where a URL asks for it: the driver (psycopg 3) is an extra.

One writer in a database at a time, by an advisory lock held until the commit, so that the chain
cannot fork; what the writer reads after it has the lock is what the one before it committed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen, PQGenConn
from psycopg.rows import TupleRow
from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from loansvc.errors import SetupRefused

T = TypeVar("T")
WRITER_LOCK = 0x6C6F616E737663  # "loansvc": the advisory lock of the one writer
CONNECT_S = 1.0
STATEMENT_MS = 2000
IDLE_MS = 5000  # within a transaction: a frozen process must not hold the writer's lock for long
ANSWER_S = 1.0  # beyond the server's own limit: then it is frozen, or the network is gone
POOL = 8  # of each worker, as many again under load: PostgreSQL allows 100 unless told otherwise
CONNECT_ARGUMENTS = {
    "application_name": "loansvc",
    "client_encoding": "utf8",
    # Of several hosts in the URL, the one that takes writes: after a failover that is another.
    "target_session_attrs": "read-write",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "3000",
}
SESSION = """
    SELECT set_config('statement_timeout', %(statement)s, false),
           set_config('lock_timeout', %(lock)s, false),
           set_config('idle_in_transaction_session_timeout', %(idle)s, false),
           set_config('synchronous_commit', CASE current_setting('synchronous_commit')
               WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)
"""
LOCK = text("SELECT set_config('lock_timeout', :ms, true), pg_advisory_xact_lock(:key)")
UNHURRIED = """
    SELECT set_config('statement_timeout', '0', true),
           set_config('idle_in_transaction_session_timeout', '0', true)
"""
MUST_BE = {
    "fsync": "on",  # else a crash of the machine loses what was committed, or everything
    "full_page_writes": "on",
    "server_encoding": "UTF8",
}


class PatientConnection(psycopg.Connection[TupleRow]):
    """One on which nothing is waited for longer than `patience_s`: the server may be frozen."""

    patience_s: float | None = None

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[PatientConnection]:
        # The driver itself waits two seconds at least.
        until = time.monotonic() + CONNECT_S
        connecting = super()._connect_gen(conninfo)
        try:
            waits_for = next(connecting)
            while True:
                waits_for = connecting.send((yield waits_for))
                if time.monotonic() > until:
                    raise psycopg.errors.ConnectionTimeout("connection timeout expired")
        except StopIteration as end:
            made: PatientConnection = end.value
            return made

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """What a step of the conversation with the server gives.

        Raises:
            psycopg.OperationalError: nothing in time; the connection is closed.
        """
        try:
            return super().wait(gen, interval, self.patience_s if timeout is None else timeout)
        except psycopg.errors.PipelineAborted:
            raise  # of what was sent behind a statement that the server refused: it stands there
        except psycopg.OperationalError as error:
            if error.sqlstate is None:  # not the server's refusal: nobody knows where it stands
                self.close()
            raise


def open_postgres(url: URL, busy_timeout_ms: int) -> Engine:
    """The engine of a PostgreSQL URL."""
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=POOL, max_overflow=POOL, pool_timeout=busy_timeout_ms / 1000,
        isolation_level="READ COMMITTED", hide_parameters=True, use_native_hstore=False,
    )  # fmt: skip
    statement_ms = max(STATEMENT_MS, busy_timeout_ms)  # waiting for the lock is a statement too
    patience_s = statement_ms / 1000 + ANSWER_S
    session = {"statement": statement_ms, "lock": busy_timeout_ms, "idle": IDLE_MS}

    @event.listens_for(engine, "do_connect")
    def on_wish(_dialect: Any, _record: Any, cargs: Any, cparams: Any) -> PatientConnection:
        return PatientConnection.connect(*cargs, **{**CONNECT_ARGUMENTS, **cparams})

    @event.listens_for(engine, "connect")
    def on_connect(connection: PatientConnection, _record: Any) -> None:
        connection.patience_s = patience_s
        connection.execute(SESSION, {name: str(ms) for name, ms in session.items()})
        connection.commit()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        _driver(connection).patience_s = patience_s
        options = connection.get_execution_options()
        if options.get("loansvc_writes", False):
            until = options.get("loansvc_until") or time.monotonic() + busy_timeout_ms / 1000
            left_ms = max(int(1000 * (until - time.monotonic())), 1)  # 0 would be no limit
            connection.execute(LOCK, {"ms": str(left_ms), "key": WRITER_LOCK})

    return engine


def check(connection: Connection) -> None:
    """Refuse a server that may forget what it has committed.

    Raises:
        SetupRefused
    """
    for name, value in MUST_BE.items():
        found = connection.exec_driver_sql(f"SHOW {name}").scalar_one()
        if found != value:
            raise SetupRefused(
                f"The PostgreSQL server has {name} = {found}; a ledger needs {name} = {value}. "
                "Change it (postgresql.conf; the encoding when the database is made), or name "
                "another database: LOANSVC_DATABASE_URL"
            )


def unhurried(connection: Connection) -> None:
    """Lift the limits of time for the transaction at hand."""
    connection.exec_driver_sql(UNHURRIED)
    _driver(connection).patience_s = None


def write_anew(engine: Engine, names: Iterable[str]) -> None:
    """Write those tables anew, so that nothing that was deleted from them is left behind."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        before = connection.exec_driver_sql("SHOW statement_timeout").scalar_one()
        connection.exec_driver_sql("SET statement_timeout = 0")
        _driver(connection).patience_s = None
        try:
            connection.exec_driver_sql(f"VACUUM (FULL) {', '.join(names)}")
        finally:
            connection.exec_driver_sql(f"SET statement_timeout = '{before}'")


def _driver(connection: Connection) -> PatientConnection:
    made = connection.connection.driver_connection
    assert isinstance(made, PatientConnection)
    return made
