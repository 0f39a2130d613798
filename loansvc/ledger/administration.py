"""Administration: what an operator did, as entries of the same chain as the decisions."""

from __future__ import annotations

from typing import Any

from loansvc.ledger.chain import Entry
from loansvc.ledger.entries import NO_EDITIONS, Writing

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
