"""Older: a ledger that lacks entries which were signed for; an older copy of it was put in place.

Whoever can put back an older copy puts back its own checkpoints with it. The file `checkpoints`
beside the keys is no part of the database: while it says more than the database has, nothing is
opened for use, and going on needs an operator who says that the loss is known.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, select

from loansvc.ledger import kept, tables
from loansvc.ledger.verifier import Checkpoint


def missing_from(connection: Connection, last: Checkpoint | None) -> tuple[int, int] | None:
    """The first and the last entry that were signed for and are not there; None where all are.

    `last`: the newest checkpoint of the file that this installation signed, read before the
    connection's snapshot began: what stands in the file was in the database first.
    """
    n_entries = connection.execute(select(tables.chain_head.c.sequence)).scalar() or 0
    return (n_entries + 1, last.size) if last is not None and last.size > n_entries else None


def accept(home: Path, at: str) -> Path:
    """Move the checkpoints of what is lost aside; where they lie now. The database has the others.

    They stay evidence of what was signed: keep them.
    """
    aside = home / f"{kept.NAME}.before-{digits(at)}"
    return (home / kept.NAME).replace(aside)


def digits(at: str) -> str:
    """A moment as part of a file's name.

    >>> digits("2026-11-23T09:31:07.412+08:00")
    '20261123T093107'
    """
    return at[:19].replace("-", "").replace(":", "")
