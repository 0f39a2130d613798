"""Exporting: the ledger as JSON lines, for whoever checks it without the database.

    {"export": 1, "size": …, "client": …}     what follows; client null: everybody's
    {"entry": {…}, "sealed": …}               an entry; its sealed payload only where asked for
    {"sequence": …, "leaf": …}                an entry of another client: a hash in its place
    {"checkpoint": "…"}                       after the entries that it was signed over

An export ends in its newest checkpoint.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from loansvc.errors import NotFound
from loansvc.ledger import Ledger, tables
from loansvc.ledger.chain import canonical
from loansvc.ledger.checkpoints import advance
from loansvc.ledger.stores import streamed
from loansvc.ledger.verification import entry_rows
from loansvc.ledger.verifier import leaf_hash


def exported(
    ledger: Ledger, *, at: str, client: str | None = None, payloads: bool = False
) -> Iterator[str]:
    """The lines of an export of every entry until now.

    Raises:
        NotFound: the ledger is empty.
        LedgerDamaged: the entries do not go on from what was signed.
    """
    newest = advance(ledger, at=at)
    if newest is None:
        raise NotFound("The ledger has no entries yet.")
    yield _line({"export": 1, "size": newest.size, "client": client})
    with ledger.snapshot() as connection:
        notes = dict(_notes(ledger, newest.size))
        for fields, sealed in entry_rows(connection, payloads=payloads, until=newest.size):
            sequence = fields["sequence"]
            if client in (None, fields["client"]):
                with_payload = {"sealed": _encoded(sealed)} if isinstance(sealed, bytes) else {}
                yield _line({"entry": fields, **with_payload})
            else:
                yield _line({"sequence": sequence, "leaf": _encoded(leaf_hash(canonical(fields)))})
            if sequence in notes:
                yield _line({"checkpoint": notes[sequence]})


def checkpoints(ledger: Ledger) -> Iterator[str]:
    """Every checkpoint, oldest first, as the file beside the database has them."""
    for number, (_, note) in enumerate(_notes(ledger, None)):
        yield ("\n" if number else "") + note


def _notes(ledger: Ledger, until: int | None) -> Iterator[tuple[int, str]]:
    of = tables.checkpoint.c
    query = select(of.size, of.note).order_by(of.size)
    if until is not None:
        query = query.where(of.size <= until)
    with ledger.snapshot() as connection:
        for row in streamed(connection, query):
            yield row.size, row.note


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
