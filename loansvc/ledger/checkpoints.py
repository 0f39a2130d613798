"""Checkpoints: the signed roots of the tree over the entries, and the tiles it is read from.

A decision pays nothing for them: they are made beside it, by a thread of each worker, by
`loansvc ledger checkpoint`, or for a receipt that asks for one. Whoever makes one first holds the
entries that came since against the chain, and the tiles against the checkpoint before; nothing is
signed that does not go on from what was signed before, in the database or in the file beside it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select

from loansvc.errors import LedgerDamaged
from loansvc.ledger import Ledger, kept, tables
from loansvc.ledger.entries import Reading
from loansvc.ledger.tiles import DAMAGED, Tiles, grown, write_tiles
from loansvc.ledger.verifier import Checkpoint

log = logging.getLogger("loansvc.ledger")
MOST_ENTRIES = 1000  # that wait for a checkpoint
LONGEST_WAIT = timedelta(seconds=60)  # of an entry
_CHECKPOINT, _ENTRY = tables.checkpoint.c, tables.entry.c


@dataclass(frozen=True, slots=True)
class _Step:
    """A checkpoint to be recorded, with the tiles that changed since the one before."""

    before: int
    checkpoint: Checkpoint
    tiles: Tiles


def advance(ledger: Ledger, *, at: str) -> Checkpoint | None:
    """The newest checkpoint, made now if entries came since the last; None of an empty ledger.

    Raises:
        LedgerDamaged: the entries do not go on from what was signed; nothing is signed.
    """
    while True:
        # First: what stands in the file was in the database before.
        last = ledger.last_kept()
        with ledger.reading() as reading:
            newest = reading.checkpoint()
            step = _step(reading, newest, last, at)
        if step is None:
            if newest is not None:
                _keep(ledger)
            return newest
        _record(ledger, step)  # or another process did meanwhile: look again


def is_due(ledger: Ledger, now: datetime) -> bool:
    """Whether enough entries wait for a checkpoint, or one for long enough."""
    with ledger.snapshot() as connection:
        size = connection.execute(select(func.max(_CHECKPOINT.size))).scalar() or 0
        head = connection.execute(select(tables.chain_head.c.sequence)).scalar() or 0
        query = select(_ENTRY.decided_at).where(_ENTRY.sequence == size + 1)
        since = connection.execute(query).scalar()
    if since is None or head <= size:
        return False
    # A clock may have been set back: then the age means nothing, and a checkpoint costs little.
    waited = abs(now - datetime.fromisoformat(since))
    return head - size >= MOST_ENTRIES or waited >= LONGEST_WAIT


def _step(
    reading: Reading, newest: Checkpoint | None, last: Checkpoint | None, at: str
) -> _Step | None:
    """The next checkpoint and its tiles; None where the newest one holds every entry."""
    head = reading.connection.execute(select(tables.chain_head)).first()
    size, before = head.sequence if head else 0, newest.size if newest else 0
    # An older copy of the database was put back: it goes on from what the file says, or not at all.
    ahead = last if last is not None and last.size > before else None
    to = ahead.size if ahead else size
    if to < before or to > size:
        signed = max(before, to)
        raise LedgerDamaged(f"{signed} entries were signed and {size} are there. {DAMAGED}")
    if to == before:
        return None
    tree, end, tiles = grown(reading.connection, newest, to)
    if ahead is not None:
        if tree.root() != ahead.root:
            raise LedgerDamaged(f"Another ledger of {to} entries was signed. {DAMAGED}")
        return _Step(before, ahead, tiles)
    if head is None or (end != head.hash or not reading.vault.head_fits(to, head.hash, head.mac)):
        raise LedgerDamaged(f"The chain does not end in its head. {DAMAGED}")
    signed_now = reading.vault.signatures().sign(size=to, root=tree.root(), at=at)
    return _Step(before, signed_now, tiles)


def _record(ledger: Ledger, step: _Step) -> None:
    """Write the checkpoint and its tiles, unless another process was faster."""
    with ledger.transaction() as connection:
        if (connection.execute(select(func.max(_CHECKPOINT.size))).scalar() or 0) != step.before:
            return
        write_tiles(connection, step.tiles)
        new = step.checkpoint
        connection.execute(
            insert(tables.checkpoint), {"size": new.size, "at": new.at, "note": new.note}
        )


def _keep(ledger: Ledger) -> None:
    """Put what the file lacks into it; where that fails now, the next one does."""
    with ledger.reading() as reading:
        signatures = reading.vault.signatures()

    def since(size: int) -> list[str]:
        query = select(_CHECKPOINT.note).where(_CHECKPOINT.size > size).order_by(_CHECKPOINT.size)
        with ledger.snapshot() as connection:
            return list(connection.execute(query).scalars())

    try:
        kept.keep(ledger.home / kept.NAME, since, signatures.checked)
    except OSError as error:
        log.error("a checkpoint is not in the file %s yet: %s", kept.NAME, error.strerror)
