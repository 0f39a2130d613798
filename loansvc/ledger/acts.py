"""Acts: what people did about a decision, as the ledger holds it: reviews, overrides, disputes.

Each is an entry of its kind with the client and application of its decision; none changes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    exists,
    func,
    literal_column,
    select,
)

from loansvc.ledger import tables
from loansvc.ledger.chain import Entry
from loansvc.ledger.remains import NOT_ERASED

Payload = dict[str, Any]
Act = tuple[Entry, Payload]
STATES = ("in_review", "reviewed")  # of a decision: a person is asked, a person has decided
_ENTRY = tables.entry.c
_OTHER = tables.entry.alias("other").c
# Spelled as the partial indexes spell it: a bound value would keep SQLite from using them.
# Likewise "+": ordered by sequence as it is, SQLite would walk through every entry of the client
# to find a few acts.
_IN_ORDER: ColumnElement[int] = literal_column("+entry.sequence")
_ANY_ACT: ColumnElement[bool] = literal_column("entry.kind IN ('review', 'override', 'dispute')")


def _kind(kind: str, columns: Any = _ENTRY) -> ColumnElement[bool]:
    found: ColumnElement[bool] = columns.kind == literal_column(f"'{kind}'")
    return found


def _beside(kind: str) -> ColumnElement[bool]:
    """That the entry is one of this kind about the same decision as the row at hand."""
    return and_(
        _OTHER.client == _ENTRY.client, _OTHER.application_id == _ENTRY.application_id,
        _kind(kind, _OTHER),
    )  # fmt: skip


def _has(kind: str) -> ColumnElement[bool]:
    return exists(select(_OTHER.sequence).where(_beside(kind)).correlate(tables.entry))


def in_state(state: str) -> ColumnElement[bool]:
    """That a decision is in one of STATES."""
    return _has("override") if state == "reviewed" else and_(_has("review"), ~_has("override"))


FINAL_OUTCOME: ColumnElement[str] = func.coalesce(
    select(_OTHER.outcome).where(_beside("override")).correlate(tables.entry).scalar_subquery(),
    _ENTRY.outcome,
)


class Acts:
    """Questions within one snapshot. `opened` gives the entry in a row, and its payload."""

    def __init__(self, connection: Connection, opened: Callable[[Row[Any]], Act]) -> None:
        self._connection = connection
        self._opened = opened

    def of(self, *decisions: Entry) -> dict[int, tuple[Act, ...]]:
        """For the sequence of each decision what was done about it, oldest first."""
        if not decisions:
            return {}
        query = select(tables.entry).where(
            _ENTRY.client.in_({d.client for d in decisions}),
            _ENTRY.application_id.in_({d.application_id for d in decisions}),
            _ANY_ACT,
        )
        found: dict[tuple[str, str], list[Act]] = {}
        for act in self._acts(query.order_by(_ENTRY.sequence)):
            found.setdefault((act[0].client, act[0].application_id), []).append(act)
        return {d.sequence: tuple(found.get((d.client, d.application_id), ())) for d in decisions}

    def of_erased(self) -> dict[tuple[str, str], tuple[int, str]]:
        """Sequence and outcome of each override about somebody who was erased.

        By client and application of the decision; what else it said cannot be opened.
        """
        columns = (_ENTRY.client, _ENTRY.application_id, _ENTRY.sequence, _ENTRY.outcome)
        rows = self._connection.execute(select(*columns).where(_kind("override"), ~NOT_ERASED))
        return {(r.client, r.application_id): (r.sequence, r.outcome) for r in rows}

    def reviews(
        self, client: str | None, *, state: str | None, before: int | None, limit: int
    ) -> list[Act]:
        """Reviews of a client (None: of every one), newest first; `state` open or closed.

        Those of people who were erased are left out, here and among disputes: nobody can open them.
        """
        query = select(tables.entry).where(_kind("review"), NOT_ERASED)
        if client is not None:
            query = query.where(_ENTRY.client == client)
        if state is not None:
            closed = _has("override")
            query = query.where(closed if state == "closed" else ~closed)
        if before is not None:
            query = query.where(_ENTRY.sequence < before)
        return self._acts(query.order_by(_IN_ORDER.desc()).limit(limit))

    def disputes(self, client: str | None) -> list[Act]:
        """Everything reported of disputes, oldest first; `client` None: at every client."""
        query = select(tables.entry).where(_ANY_ACT, _ENTRY.kind == "dispute", NOT_ERASED)
        if client is not None:
            query = query.where(_ENTRY.client == client)
        return self._acts(query.order_by(_IN_ORDER))

    def _acts(self, query: Select[Any]) -> list[Act]:
        return [self._opened(row) for row in self._connection.execute(query).all()]
