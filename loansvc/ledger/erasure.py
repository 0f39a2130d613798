"""Erasure: the key of one person destroyed, for good.

In one transaction the person's data key and pseudonym go, with what follows from the entries and
can be read without a key (loans, relations); an `erasure` entry says that it was done. The chain is
over sealed bytes and still verifies; nobody opens them any more.

A file beside the database, `erasures`, has a line for each: an older copy of the database that is
put back brings the key back, and `reapply` destroys it again before anything is answered.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select

from loansvc.errors import ErasureRefused, LedgerUnavailable, SetupRefused
from loansvc.ledger import Ledger, tables, variants
from loansvc.ledger.administration import INSTALLATION
from loansvc.ledger.batches import OPEN, Batches
from loansvc.ledger.chain import Entry
from loansvc.ledger.entries import NO_EDITIONS, Writing, entry_of
from loansvc.ledger.remains import ERASURES, remainder_of

# Why, in the words of PIPL art. 47 (1) to (5); `reapplied` after an older copy was put back.
REASONS = ("purpose_met", "service_ended", "period_over", "withdrawn", "unlawful", "by_law")
REAPPLIED = "reapplied"
_BATCH = tables.batch.c
LIST = "erasures"  # the file's name, in the folder of the ledger's keys


def erase(
    ledger: Writing, subject_ref: str, *, reason: str, at: str, entry_id: str, **says: str
) -> tuple[Entry, dict[str, Any]]:
    """The erasure of a person and what it says, within a write transaction.

    `says`: reference, by and approver, as they are to be kept.

    Raises:
        ErasureRefused: a loan of the person is outstanding; nothing is done.
    """
    ledger.fund.lapse(at)
    held = ledger.fund.all_of(subject_ref)
    if reason != REAPPLIED and any(loan.is_outstanding for loan in held):
        raise ErasureRefused
    entries = ledger.entries_of(subject_ref)
    payloads = {entry: ledger.payload_of(entry) for entry in entries}
    remains = {str(e.sequence): remainder_of(e, payload) for e, payload in payloads.items()}
    erasure = {
        **says,
        "reason": reason,
        "counts": _counts(entries, n_lapsed=sum(loan.state == "reserved" for loan in held)),
        "remains": remains,
    }
    ledger.destroy(subject_ref)
    id_numbers = {
        payload["application"]["applicant"]["id_number"]
        for payload in payloads.values()
        if "application" in payload
    }
    variants.forget(ledger.connection, ledger.vault, id_numbers)
    entry = ledger.append(
        ledger.subject_for(INSTALLATION), {"erasure": erasure}, kind="erasure", decided_at=at,
        client="", application_id=subject_ref, decision_id=entry_id, product="", outcome=reason,
        **NO_EDITIONS,
    )  # fmt: skip
    return entry, erasure


def _counts(entries: Iterable[Entry], *, n_lapsed: int) -> dict[str, int]:
    kinds = [entry.kind for entry in entries]
    n_decisions, n_outcomes = kinds.count("decision"), kinds.count("outcome")
    return {
        "decisions": n_decisions,
        "outcomes": n_outcomes,
        "other_entries": len(kinds) - n_decisions - n_outcomes,
        "offers_lapsed": n_lapsed,
    }


# --- the list beside the database -----------------------------------------------------------------


def keep_on_list(ledger: Ledger, entries: Iterable[Entry]) -> None:
    """Add a line for each erasure; on disk on return.

    Raises:
        LedgerUnavailable: it could not be written; the erasures themselves are done.
    """
    lines = "".join(
        json.dumps({"subject": e.application_id, "entry": e.decision_id, "at": e.decided_at}) + "\n"
        for e in entries
    ).encode()
    if not lines:
        return
    path = _list_of(ledger)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            end = os.lseek(descriptor, 0, os.SEEK_END)
            # A line that was cut off by a crash stays alone; what it said is in the ledger.
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                lines = b"\n" + lines
            os.write(descriptor, lines)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync(path.parent)
    except OSError as error:
        raise LedgerUnavailable from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def on_list(ledger: Ledger) -> dict[str, str]:
    """The id of the erasure of each person on the list.

    Raises:
        SetupRefused: the file is not what was written.
    """
    return {line["subject"]: line["entry"] for line in _lines(ledger)}


def _lines(ledger: Ledger) -> Iterator[dict[str, str]]:
    path = _list_of(ledger)
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        try:
            document = json.loads(line)
            yield {name: str(document[name]) for name in ("subject", "entry", "at")}
        except (ValueError, KeyError, TypeError, RecursionError):
            # Cut off by a crash, alone or before the next one; the ledger has what it said.
            if line.startswith(b'{"subject"') or not line.strip():
                continue
            raise SetupRefused(
                f"{path}: line {number} is no line of the list of erasures. Restore the newest "
                "copy of this file: without it an older copy of the ledger brings people back."
            ) from None


def _list_of(ledger: Ledger) -> Path:
    return ledger.home / LIST


def reapply(ledger: Ledger, *, at: str, new_id: Callable[[], str]) -> list[Entry]:
    """Destroy again the keys of people on the list, and complete the list; what was done.

    Called before the ledger is used, and after an older copy of it was put back.

    Raises:
        SetupRefused: the list is not what was written.
    """
    listed = on_list(ledger)
    times = {line["subject"]: line["at"] for line in _lines(ledger)}
    key = tables.subject_key.c.subject_ref
    with ledger.snapshot() as connection:
        known = {row.application_id: entry_of(row) for row in connection.execute(ERASURES)}
        older = listed.keys() - known.keys()
        there = select(key).where(key.in_(older)).order_by(key)
        back = list(connection.execute(there).scalars()) if older else []
    again = [e for ref in back for e in _again(ledger, ref, listed[ref], at=at, entry_id=new_id())]
    if older:
        # A copy of before may hold waiting rows of whoever was erased since: they are sent again.
        _cancel_batches(ledger, before=max(times[ref] for ref in older), at=at)
    unlisted = [entry for ref, entry in known.items() if ref not in listed]
    if again or unlisted:
        ledger.leave_no_trace()
        keep_on_list(ledger, [*unlisted, *again])
    return again


def _cancel_batches(ledger: Ledger, *, before: str, at: str) -> None:
    with ledger.snapshot() as connection:
        waits = connection.execute(
            select(_BATCH.number).where(_BATCH.state.in_(OPEN), _BATCH.received_at < before)
        ).first()
    if waits is not None:
        with ledger.writing() as writing:
            batches = Batches(writing.connection, writing.vault)
            batches.cancel_all(received_before=before, at=at)
        ledger.leave_no_trace()


def _again(ledger: Ledger, ref: str, first: str, *, at: str, entry_id: str) -> list[Entry]:
    """The erasure done again, or nothing where another process was faster."""
    with ledger.writing() as writing:
        if not writing.has_key(ref):
            return []
        entry, _ = erase(
            writing, ref, reason=REAPPLIED, at=at, entry_id=entry_id, reference=first,
            by="list of erasures", approver="",
        )  # fmt: skip
        return [entry]
