"""Administration: what an operator did, as entries of the same chain as the decisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from loansvc.ledger.chain import Entry
from loansvc.ledger.entries import NO_EDITIONS, Reading, Writing, entry_of
from loansvc.ledger.tables import entry as entries

ACTS = ("administration", "fund", "erasure")  # the kinds of entries that an operator causes
INSTALLATION = "the installation"  # stands where an ID number would: it is no person


def note(
    ledger: Writing,
    action: str,
    *,
    at: str,
    entry_id: str,
    by: str,
    client: str = "",
    **details: Any,
) -> Entry:
    """Record that `by` did `action` (up to 16 letters, such as key_created), with details.

    `entry_id`: adm_…; `client`: whom it is about, if a client.
    """
    return ledger.append(
        ledger.subject_for(INSTALLATION), {"by": by, **details}, kind="administration",
        decided_at=at, client=client, application_id="", decision_id=entry_id, product="",
        outcome=action, **NO_EDITIONS,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """What an operator did: when, who, about which client, and the rest in words and figures."""

    sequence: int
    entry_id: str
    at: str
    action: str
    by: str
    client: str
    details: dict[str, Any]


def acts(ledger: Reading, *, since: str = "", until: str = "T") -> Iterator[Act]:
    """Every act of an operator from one moment to before another, oldest first.

    Raises:
        LedgerDamaged: the record of one cannot be opened.
    """
    query = select(entries).where(
        entries.c.kind.in_(ACTS), entries.c.decided_at >= since, entries.c.decided_at < until
    )
    for row in ledger.connection.execute(query.order_by(entries.c.sequence)).all():
        entry = entry_of(row)
        payload = ledger.payload_of(entry)
        told = {**payload, **payload.get("fund", {})}
        by = told.pop("by", "") or told.get("proposer", "")
        of_kind = "" if entry.kind == ACTS[0] else f"{entry.kind}_"
        # Only what is one line: an erasure also carries sums that the fund is worked out from.
        details = {k: v for k, v in told.items() if v != "" and not isinstance(v, dict)}
        yield Act(
            entry.sequence, entry.decision_id, entry.decided_at, of_kind + entry.outcome, by,
            entry.client, details,
        )  # fmt: skip
