"""Prepared: statements of every decision, compiled once and run on the driver's own cursor.

SQLAlchemy writes them, for either database, and its connection holds the transaction; but to have
it carry each out anew costs several times what the database takes to answer.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

Values = Mapping[str, Any]
NONE: Values = {}


class Prepared:
    """One statement, with named parameters; those of a list cannot be expanded.

    It is run in the transaction that its connection has begun, and begins none by itself.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, Callable[[Values], Any]]] = {}

    def first(self, connection: Connection, values: Values = NONE) -> Any:
        """The first row, its columns as attributes; None where there is none."""
        row = self._run(connection, values, lambda cursor: cursor.fetchone())
        return None if row is None else self._row(row)

    def all(self, connection: Connection, values: Values = NONE) -> list[Any]:
        """Every row, its columns as attributes."""
        return list(map(self._row, self._run(connection, values, lambda c: c.fetchall())))

    def run(self, connection: Connection, values: Values = NONE) -> int:
        """Carry it out; how many rows it changed."""
        n_rows: int = self._run(connection, values, lambda cursor: cursor.rowcount)
        return n_rows

    def run_for(self, connection: Connection, rows: Iterable[Values]) -> int:
        """Carry it out for each of these; how many rows it changed."""
        return sum(self.run(connection, values) for values in rows)

    def _run(self, connection: Connection, values: Values, end: Callable[[Any], Any]) -> Any:
        dialect = connection.dialect
        sql, arguments = self._compiled.get(dialect.name) or self._compile(dialect)
        driver: Any = connection.connection.driver_connection
        try:
            return end(driver.execute(sql, arguments(values)))
        except dialect.loaded_dbapi.Error as error:
            raise _told(connection, sql, error) from error

    def _compile(self, dialect: Dialect) -> tuple[str, Callable[[Values], Any]]:
        compiled = self._statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # all have it
        assert isinstance(compiled, SQLCompiler)
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        made = str(compiled), _arguments(compiled.positiontup, fixed)
        self._compiled[dialect.name] = made
        return made

    @cached_property
    def _row(self) -> Callable[[Sequence[Any]], Any]:
        assert isinstance(self._statement, Select)
        names = list(self._statement.selected_columns.keys())
        row: Any = namedtuple("Row", names)  # type: ignore[misc]  # its fields are known only here
        make: Callable[[Sequence[Any]], Any] = row._make
        return make


@contextmanager
def sent_together(connection: Connection) -> Iterator[None]:
    """What is run in the block goes to a server at once, and its errors come at the end.

    Of nothing run in it the number of rows is known before that.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, "statements sent together", error) from error


def _arguments(in_order: Sequence[str] | None, fixed: Values) -> Callable[[Values], Any]:
    """How a statement's values are given to the driver: by place, or by name."""
    if in_order is None:
        return (lambda values: {**fixed, **values}) if fixed else (lambda values: values)
    if fixed:
        return lambda values: [values[n] if n in values else fixed[n] for n in in_order]
    if len(in_order) < 2:  # of one name an itemgetter gives no tuple
        return lambda values: [values[name] for name in in_order]
    return itemgetter(*in_order)


def _told(connection: Connection, sql: str, error: Exception) -> DBAPIError:
    """The driver's error as SQLAlchemy tells it; a connection that is lost is given up."""
    dialect, driver = connection.dialect, connection.connection.driver_connection
    lost = dialect.is_disconnect(error, driver, None)  # type: ignore[arg-type]  # any driver's
    if lost:
        connection.invalidate(error)
        connection.engine.dispose(close=False)  # those beside it are lost as well
    told = DBAPIError.instance(
        sql, None, error, dialect.loaded_dbapi.Error, hide_parameters=True,
        connection_invalidated=lost, dialect=dialect,
    )  # fmt: skip
    assert isinstance(told, DBAPIError)
    return told
