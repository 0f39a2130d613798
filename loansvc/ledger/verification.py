"""Verification: every row held against what was written, and the tables that follow from it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from loansvc.errors import LedgerDamaged
from loansvc.ledger import tables
from loansvc.ledger.chain import Entry, Problem, problems_of
from loansvc.ledger.entries import Reading, entry_of
from loansvc.ledger.fund import differences
from loansvc.ledger.remains import ERASURES
from loansvc.ledger.vault import Vault

ROWS = 1000  # fetched at a time


def verify(connection: Connection, vault: Vault) -> tuple[int, list[Problem]]:
    """How many entries there are, and every row that is not what was written, in order."""
    last, problems = entries_verified(connection, vault)
    if not problems:  # what does not follow from spoilt entries says nothing of its own
        recorded = Reading(connection, vault).all_recorded()
        problems += differences(connection, vault, recorded)
    problems.sort(key=lambda problem: problem.sequence)
    return last, problems


def entries_verified(connection: Connection, vault: Vault) -> tuple[int, list[Problem]]:
    """How many entries there are, and what is wrong with them, their head and their keys."""
    last, problems = _chained(connection, vault)
    return last.sequence if last else 0, [*problems, *_without_key(connection, vault)]


def _chained(connection: Connection, vault: Vault) -> tuple[Entry | None, list[Problem]]:
    """The last entry, and what is wrong with the entries and their head."""
    found = list(problems_of(_rows(connection)))
    head = connection.execute(select(tables.chain_head)).first()
    last = found.pop() if found and isinstance(found[-1], Entry) else None
    problems = [p for p in found if isinstance(p, Problem)]
    assert last is None or isinstance(last, Entry)
    n_entries = last.sequence if last else 0
    if head is None:
        if last is not None:
            problems.append(Problem(n_entries, "the head of the chain is missing"))
    elif not vault.head_fits(head.sequence, head.hash, head.mac):
        problems.append(Problem(head.sequence, "the head of the chain was changed"))
    elif head.sequence > n_entries:
        problems.append(Problem(n_entries + 1, "entries at the end are missing"))
    elif last is not None and (head.sequence, head.hash) != (n_entries, last.hash):
        problems.append(Problem(n_entries, "the chain does not end in its head"))
    return last, problems


def _without_key(connection: Connection, vault: Vault) -> Iterator[Problem]:
    """The first entry of each person whose payloads no key opens any more, unless erased.

    And each erasure that left the key where it was.
    """
    opened = set()
    for row in connection.execute(select(tables.subject_key)):
        try:
            vault.unwrap(row.subject_ref, row.key_version, row.wrapped)
        except LedgerDamaged:
            continue
        opened.add(row.subject_ref)
    erased = {row.application_id: row.sequence for row in connection.execute(ERASURES)}
    entry = tables.entry.c
    first = select(entry.subject_ref, func.min(entry.sequence)).group_by(entry.subject_ref)
    for ref, sequence in connection.execute(first):
        if ref not in opened and ref not in erased:
            yield Problem(sequence, "the key of its payload is missing or was changed")
        elif ref in opened and ref in erased:
            yield Problem(erased[ref], "the key that it destroyed is there again")


def _rows(connection: Connection) -> Iterator[tuple[Entry, bytes | None]]:
    query = (
        select(tables.entry, tables.payload.c.sealed)
        .join(tables.payload, tables.payload.c.sequence == tables.entry.c.sequence, isouter=True)
        .order_by(tables.entry.c.sequence)
    )
    for row in connection.execution_options(yield_per=ROWS).execute(query):
        yield entry_of(row), row.sealed
