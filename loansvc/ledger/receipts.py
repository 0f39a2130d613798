"""Receipts: the proof that an entry is in the tree that was signed, and that the tree only grew.

Of other clients a receipt tells nothing but hashes. It is made of entries alone, so that a person's
erasure changes nothing about it.
"""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

from loansvc.errors import InvalidRequest, LedgerDamaged, NotFound
from loansvc.ledger import Ledger, Reading
from loansvc.ledger.checkpoints import advance
from loansvc.ledger.merkle import Tree
from loansvc.ledger.tiles import DAMAGED, tiles_of
from loansvc.ledger.verifier import Checkpoint, canonical, is_included, leaf_hash


def receipt(
    ledger: Ledger, application_id: str, *, client: str, at: str, since: int | None = None
) -> dict[str, Any]:
    """The receipt of a decision; `since`: the size from which on the tree must only have grown.

    A checkpoint is made, at that moment, if none covers the decision yet.

    Raises:
        NotFound: this client has no such decision.
        InvalidRequest: `since` is more than was signed.
        LedgerDamaged: the tree cannot prove it.
    """
    with ledger.reading() as reading:
        entry = reading.find(client, application_id)
        newest = reading.checkpoint()
    if entry is None:
        raise NotFound("There is no decision with this application_id.")
    if newest is None or newest.size < entry.sequence:
        newest = advance(ledger, at=at)
    assert newest is not None
    assert newest.size >= entry.sequence
    with ledger.reading() as reading:
        tree = Tree(newest.size, tiles_of(reading.connection))
        fields, index = asdict(entry), entry.sequence - 1
        path = tree.inclusion(index)
        leaf = leaf_hash(canonical(fields))
        if not is_included(leaf, path, index=index, size=newest.size, root=newest.root):
            raise LedgerDamaged(f"Entry {entry.sequence} is not what was signed. {DAMAGED}")
        return {
            "entry": fields,
            "leaf_index": index,
            "tree_size": newest.size,
            "inclusion_path": _encoded(path),
            "checkpoint": newest.note,
            "consistency": _consistency(tree, since),
        }


def checkpoint_document(
    ledger: Ledger, *, size: int | None = None, since: int | None = None
) -> dict[str, Any]:
    """The newest checkpoint, or the one of that size, with the keys that sign here.

    Raises:
        NotFound: there is none.
        InvalidRequest: `since` is more than its size.
    """
    with ledger.reading() as reading:
        checkpoint = reading.checkpoint(size)
        if checkpoint is None:
            raise NotFound("There is no such checkpoint. Leave `size` out for the newest one.")
        tree = _tree(reading, checkpoint)
        return {
            "size": checkpoint.size,
            "root": base64.b64encode(checkpoint.root).decode(),
            "at": checkpoint.at,
            "checkpoint": checkpoint.note,
            "keys": [str(key) for key in reading.vault.signatures().keys],
            "consistency": _consistency(tree, since),
        }


def _tree(reading: Reading, checkpoint: Checkpoint) -> Tree:
    """The tree that was signed.

    Raises:
        LedgerDamaged: the tiles give another root.
    """
    tree = Tree(checkpoint.size, tiles_of(reading.connection))
    if tree.root() != checkpoint.root:
        raise LedgerDamaged(f"The tiles are not those that were signed. {DAMAGED}")
    return tree


def _consistency(tree: Tree, since: int | None) -> dict[str, Any] | None:
    if since is None:
        return None
    if not 0 < since <= tree.size:
        raise InvalidRequest(
            f"`from` must be the size of an earlier checkpoint, from 1 to {tree.size}.",
            code="invalid_query",
        )
    return {"from": since, "path": _encoded(tree.consistency(since))}


def _encoded(path: list[bytes]) -> list[str]:
    return [base64.b64encode(node).decode() for node in path]
