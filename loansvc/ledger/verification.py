"""Verification: every row held against what was written, and the tables that follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from loansvc.errors import LedgerDamaged
from loansvc.ledger import tables
from loansvc.ledger.administration import INSTALLATION
from loansvc.ledger.chain import Entry, Problem, problems_of
from loansvc.ledger.entries import Reading, entry_of
from loansvc.ledger.fund import INSTITUTION, differences
from loansvc.ledger.remains import ERASURES
from loansvc.ledger.stores import damage, streamed
from loansvc.ledger.vault import Vault

DAMAGED = "the database file is damaged"


def verify(connection: Connection, vault: Vault) -> tuple[int, list[Problem]]:
    """How many entries there are, and every row that is not what was written, in order."""
    last, problems = _rows_verified(connection, vault)
    if not problems:  # an index that does not fit its table gives other answers than the rows
        problems += (Problem(last, f"{DAMAGED}: {what}") for what in damage(connection))
    return last, sorted(problems, key=lambda problem: problem.sequence)


def _rows_verified(connection: Connection, vault: Vault) -> tuple[int, list[Problem]]:
    last, problems = entries_verified(connection, vault)
    if not problems:  # what does not follow from spoilt entries says nothing of its own
        strangers: list[Problem] = []
        recorded = _known(connection, vault, strangers)
        problems += differences(connection, vault, recorded)
        problems += strangers
    return last, problems


def _known(
    connection: Connection, vault: Vault, strangers: list[Problem]
) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Every entry with its payload; `strangers`: whose person the ledger would not know again."""
    # Hashes and not the texts: a million people fit into memory.
    known = {
        hash((row.pseudonym, row.subject_ref)) for row in connection.execute(select(tables.subject))
    }
    for entry, payload in Reading(connection, vault).all_recorded():
        name = _name_of(entry, payload)
        marks = vault.pseudonyms(name) if name else ()
        if name and not any(hash((mark, entry.subject_ref)) in known for mark in marks):
            what = "the person or institution it is of would not be known again"
            strangers.append(Problem(entry.sequence, what))
        yield entry, payload


def _name_of(entry: Entry, payload: dict[str, Any]) -> str | None:
    """What its subject is found by; None where the entry does not say."""
    if entry.kind == "decision" and "application" in payload:  # else that person was erased
        return str(payload["application"]["applicant"]["id_number"])
    return {"fund": INSTITUTION, "administration": INSTALLATION}.get(entry.kind)


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
    for row in streamed(connection, query):
        yield entry_of(row), row.sealed
