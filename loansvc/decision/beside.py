"""Beside: what another scorecard in force would have decided, as it is recorded with a decision."""

from __future__ import annotations

from typing import Any

from loansvc.decision import Decision


def beside_record(decision: Decision, *, role: str) -> dict[str, Any]:
    """Score and terms of a decision that was not made, in whole numbers and words.

    No reasons, no warnings: nobody is told of it. Of a case that the rules would offer nothing to
    there are no terms. `role` is that of its scorecard.
    """
    scorecard = decision.editions["scorecard"]
    record = {
        "role": role,
        "digest": scorecard["digest"],
        "valid_from": scorecard["valid_from"],
        "outcome": decision.outcome,
        "score": decision.score,
        "pd_ppm": decision.pd_ppm,
        "grade": decision.grade,
    }
    if decision.offer and decision.guarantee:
        record |= {
            "limit_yuan": decision.offer.limit_yuan,
            "amount_yuan": decision.offer.amount_yuan,
            "tier": decision.guarantee.tier,
            "expected_loss_yuan": decision.guarantee.expected_loss_yuan["total"],
        }
    return record
