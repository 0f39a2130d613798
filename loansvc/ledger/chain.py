"""Chain: what an entry is, the hash that ties it to the one before, and the check of them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from loansvc.ledger import verifier
from loansvc.ledger.ciphers import INTERNATIONAL, digest, digest_like
from loansvc.ledger.verifier import GENESIS

KINDS = (
    "decision", "outcome", "fund", "review", "override", "dispute", "erasure", "administration",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the ledger. Carries nothing that is computed from a person's data.

    `kind` is one of KINDS. An entry that is no decision carries an id of its own in
    `decision_id` and leaves tier and editions empty (`ledger/tables.py` says which column is what).
    """

    sequence: int
    kind: str
    decided_at: str
    client: str
    application_id: str
    decision_id: str
    product: str
    outcome: str
    tier: str
    scorecard: str
    villages: str
    policy: str
    rates: str
    subject_ref: str
    payload_digest: str
    previous_hash: str
    hash: str


NAMES = tuple(Entry.__slots__)
HASHED = tuple(sorted(name for name in NAMES if name != "hash"))


def sha256(data: bytes) -> str:
    """A digest with its algorithm in front."""
    return digest(data)


def canonical(fields: Mapping[str, Any]) -> bytes:
    """The bytes of `verifier.canonical`, by a quicker writer.

    It refuses what is no text and no number that JSON knows, as only a changed row can hold; such
    a row has the bytes that the verifier gives it.
    """
    try:
        return orjson.dumps({name: fields[name] for name in HASHED})
    except TypeError:
        return verifier.canonical(fields)


def entry_hash(fields: Mapping[str, Any], suite: str = INTERNATIONAL) -> str:
    """The hash of an entry's fields, all but the hash itself, in canonical JSON."""
    return digest(canonical(fields), suite)


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that is not what was written, and how that shows.

    `follows`: the entries are whole, and only a table that follows from them was changed.
    """

    sequence: int
    what: str
    follows: bool = False


class Chain:
    """A chain as it is read, from its first entry or from one that is known."""

    def __init__(self, sequence: int = 0, last_hash: str = GENESIS) -> None:
        self.sequence = sequence
        self.hash = last_hash

    def take(self, fields: Mapping[str, Any], data: bytes) -> list[Problem]:
        """What is wrong with the next entry; `data` are its canonical bytes."""
        found = []
        sequence: int = fields["sequence"]
        due = self.sequence + 1
        if sequence != due:
            found.append(Problem(due, f"entries {due} to {sequence - 1} are missing"))
        elif fields["previous_hash"] != self.hash:
            found.append(Problem(sequence, "does not follow the entry before it"))
        if digest_like(fields["hash"], data) != fields["hash"]:
            found.append(Problem(sequence, "the entry was changed"))
        self.sequence, self.hash = sequence, fields["hash"]
        return found


def payload_problem(fields: Mapping[str, Any], sealed: object) -> list[Problem]:
    """What is wrong with the sealed payload of an entry."""
    if sealed is None:
        return [Problem(fields["sequence"], "its payload is missing")]
    known = fields["payload_digest"]
    if not isinstance(sealed, bytes) or digest_like(known, sealed) != known:
        return [Problem(fields["sequence"], "its payload was changed")]
    return []
