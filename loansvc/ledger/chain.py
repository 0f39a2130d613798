"""Chain: what an entry is, the hash that ties it to the one before, and the check of them all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from loansvc.ledger.ciphers import INTERNATIONAL, digest, digest_like

KINDS = (
    "decision", "outcome", "fund", "review", "override", "dispute", "erasure", "administration",
)  # fmt: skip
GENESIS = "sha256:" + "0" * 64  # what the first entry names as its predecessor


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


def sha256(data: bytes) -> str:
    """A digest with its algorithm in front."""
    return digest(data)


def entry_hash(fields: Mapping[str, Any], suite: str = INTERNATIONAL) -> str:
    """The hash of an entry's fields, all but the hash itself, in canonical JSON.

    Sorted keys, no spaces, UTF-8: the same bytes from any language.
    """
    return digest(_canonical(fields), suite)


def _canonical(fields: Mapping[str, Any]) -> bytes:
    content = {name: value for name, value in fields.items() if name != "hash"}
    # `default`: a database may hold bytes where text was written; that is a change, not an error.
    text = json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=repr
    )
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that is not what was written, and how that shows.

    `follows`: the entries are whole, and only a table that follows from them was changed.
    """

    sequence: int
    what: str
    follows: bool = False


def problems_of(rows: Iterable[tuple[Entry, object]]) -> Iterable[Problem | Entry]:
    """Every problem of a chain in order, and last of all its last entry (nothing when empty).

    `rows` are entries ordered by sequence, each with its sealed payload.
    """
    sequence, previous, last = 0, GENESIS, None
    for entry, sealed in rows:
        if entry.sequence != sequence + 1:
            yield Problem(
                sequence + 1, f"entries {sequence + 1} to {entry.sequence - 1} are missing"
            )
        elif entry.previous_hash != previous:
            yield Problem(entry.sequence, "does not follow the entry before it")
        if digest_like(entry.hash, _canonical(asdict(entry))) != entry.hash:
            yield Problem(entry.sequence, "the entry was changed")
        if sealed is None:
            yield Problem(entry.sequence, "its payload is missing")
        elif (
            not isinstance(sealed, bytes)
            or digest_like(entry.payload_digest, sealed) != entry.payload_digest
        ):
            yield Problem(entry.sequence, "its payload was changed")
        sequence, previous, last = entry.sequence, entry.hash, entry
    if last is not None:
        yield last
