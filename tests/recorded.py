"""Decisions as the ledger would give them back, made without a ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from loansvc.decision import Exposure, decide
from loansvc.ledger import Entry
from loansvc.registry import Registry
from loansvc.underwriting import Recorded, body_of
from tests.small import NOON, TODAY, an_application


def a_recorded(
    registry: Registry,
    number: int = 1,
    *,
    product: str = "credit_loan",
    decided_at: datetime = NOON,
    person: str = "",
    exposure: Exposure | None = None,
    **changes: Any,
) -> Recorded:
    """The decision on the plain application, some fields changed, by the editions in force."""
    application = an_application(number, product, **changes)
    exposure = exposure or Exposure()
    decision = decide(application, registry.in_force(product, TODAY), exposure)
    body = body_of(application, decision, decision_id=f"dec_{number}", decided_at=decided_at)
    entry = Entry(
        sequence=number, kind="decision", decided_at=body["decided_at"], client="bank",
        application_id=application.application_id, decision_id=f"dec_{number}", product=product,
        outcome=decision.outcome, tier="", scorecard="", villages="", policy="", rates="",
        subject_ref=person or f"person {number}", payload_digest="", previous_hash="", hash="",
    )  # fmt: skip
    return Recorded(entry, application, exposure, body)
