"""Tiles: the tree over the entries as it lies in the database, grown from the entries.

Tiles hold what the newest checkpoint was signed over, and nothing of later entries. They follow
from the entries: `ledger verify` works them out anew, and so does `ledger rebuild`.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, insert, select

from loansvc.errors import LedgerDamaged
from loansvc.ledger import tables
from loansvc.ledger.chain import NAMES, Chain, canonical
from loansvc.ledger.merkle import HASH, LEVELS, WIDTH, Growing, TileOf
from loansvc.ledger.signing import Signatures
from loansvc.ledger.stores import streamed
from loansvc.ledger.verifier import Checkpoint, Refused, leaf_hash

DAMAGED = "See: loansvc ledger verify, and docs/ledger.md on what to do."
Tiles = dict[tuple[int, int], bytes]
_TILE, _ENTRY = tables.tile.c, tables.entry.c
_AT = (_TILE.level == bindparam("at_level")) & (_TILE.position == bindparam("at_position"))
FIND, DROP, ADD = (
    select(_TILE.hashes).where(_AT),
    delete(tables.tile).where(_AT),
    insert(tables.tile),
)


def tiles_of(connection: Connection) -> TileOf:
    """The tiles of the ledger, each read once."""
    read: dict[tuple[int, int], bytes] = {}

    def tile(level: int, position: int) -> bytes:
        if (level, position) not in read:
            place = {"at_level": level, "at_position": position}
            found = connection.execute(FIND, place).scalar()
            if found is None:
                raise LedgerDamaged(f"A tile of the tree is missing. {DAMAGED}")
            read[level, position] = found
        return read[level, position]

    return tile


def grown(connection: Connection, newest: Checkpoint | None, to: int) -> tuple[Growing, str, Tiles]:
    """The tree up to that entry, the hash of the entry, and the tiles that came or changed.

    Raises:
        LedgerDamaged: the tiles are not those of the newest checkpoint, or the entries do not go on
            from it.
    """
    before, tile = newest.size if newest else 0, tiles_of(connection)
    tiles: Tiles = {}

    def changed(level: int, position: int, hashes: bytes) -> None:
        tiles[level, position] = hashes

    tree = Growing(changed, size=before, tile=tile)
    if newest is not None and tree.root() != newest.root:
        raise LedgerDamaged(f"The tiles are not those that were signed. {DAMAGED}")
    chain = Chain()
    query = select(*(_ENTRY[name] for name in NAMES)).where(_ENTRY.sequence.between(before, to))
    for row in streamed(connection, query.order_by(_ENTRY.sequence)):
        fields = dict(zip(NAMES, row, strict=True))
        data = canonical(fields)
        leaf = leaf_hash(data)
        if fields["sequence"] == before:  # signed before: what comes next must follow it
            at = (before - 1) % WIDTH * HASH
            is_whole = tile(0, (before - 1) // WIDTH)[at : at + HASH] == leaf
            chain = Chain(before, fields["hash"])
        else:
            is_whole = not chain.take(fields, data)
            tree.add(leaf)
        if not is_whole:
            raise LedgerDamaged(f"Entry {fields['sequence']} is not what was written. {DAMAGED}")
    if chain.sequence != to:
        raise LedgerDamaged(f"Entry {chain.sequence + 1} is missing. {DAMAGED}")
    tiles |= {(level, position): hashes for level, position, hashes in tree.edges()}
    return tree, chain.hash, tiles


def write_tiles(connection: Connection, tiles: Tiles) -> None:
    """Put these tiles in the place of those that were not full."""
    connection.execute(DROP, [{"at_level": level, "at_position": p} for level, p in tiles])
    rows = [{"level": level, "position": p, "hashes": h} for (level, p), h in tiles.items()]
    connection.execute(ADD, rows)


def make_anew(connection: Connection, signatures: Signatures, notes: Iterable[str]) -> None:
    """Put back checkpoints that are missing, and work all tiles out anew up to the newest one."""
    sizes = set(connection.execute(select(tables.checkpoint.c.size)).scalars())
    for note in notes:
        try:
            one = signatures.checked(note)
        except Refused:  # half of one, or what `verify` has told of already
            continue
        if one.size not in sizes:
            sizes.add(one.size)
            row = {"size": one.size, "at": one.at, "note": one.note}
            connection.execute(insert(tables.checkpoint), row)
    connection.execute(delete(tables.tile))
    if sizes:
        write_tiles(connection, grown(connection, None, max(sizes))[2])


def n_hashes(size: int, level: int, position: int) -> int:
    """How many hashes that tile has of a tree of that size; 0 where there is no such tile."""
    return max(0, min(WIDTH, (size >> LEVELS * level) - WIDTH * position))


def n_tiles(size: int) -> int:
    """How many tiles a tree of that size has."""
    count = 0
    while size:
        count += -(-size // WIDTH)
        size >>= LEVELS
    return count
