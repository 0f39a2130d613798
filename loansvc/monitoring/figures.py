"""Figures: what is added up over decisions, in numbers of decisions and whole yuan.

Amounts count approvals alone, since a referral is not lent yet. A share of an amount is rounded
half up to whole yuan for each decision and then added, so that the parts of a table add up to its
total exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from loansvc.policy.terms import share_yuan


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Sums over decisions. `approved` + `referred` + `declined` = `applications`.

    Those are the machine's; `by_person` counts decisions that a person closed, and what is finally
    approved or declined is a person's outcome where there is one, else the machine's.
    `asked_yuan` counts every application; the other amounts count approvals. `guaranteed_yuan` is
    the part of `approved_yuan` that the bank does not bear, `local_guarantor_yuan` what the local
    guarantor's fund bears of it; both rounded up, as the fund reckons. `subsidy_yuan` is one
    year's interest subsidy on the amount.
    """

    applications: int = 0
    approved: int = 0
    referred: int = 0
    declined: int = 0
    asked_yuan: int = 0
    limit_yuan: int = 0
    approved_yuan: int = 0
    guaranteed_yuan: int = 0
    local_guarantor_yuan: int = 0
    subsidy_yuan: int = 0
    expected_loss_yuan: int = 0
    expected_loss_bank_yuan: int = 0
    by_person: int = 0
    finally_approved: int = 0
    finally_declined: int = 0
    finally_approved_yuan: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(**{name: getattr(self, name) + getattr(other, name) for name in NAMES})

    @property
    def approval_rate(self) -> int | None:
        """Approvals in tenths of a percent of applications; None without any."""
        return tenths(self.approved, self.applications)

    @property
    def guaranteed_share(self) -> int | None:
        """The guaranteed amount in tenths of a percent of the amount approved; None without any."""
        return tenths(self.guaranteed_yuan, self.approved_yuan)


NAMES = tuple(f.name for f in fields(Figures))
COUNTS = {"approve": "approved", "refer": "referred", "decline": "declined"}


def figures_of(decision: Mapping[str, Any], *, asked_yuan: int) -> Figures:
    """The figures of one decision, in the form in which it is recorded.

    >>> approval = {
    ...     "outcome": "approve",
    ...     "offer": {"amount_yuan": 50_000, "limit_yuan": 80_000, "subsidy_bp": 192},
    ...     "guarantee": {
    ...         "shares_percent": {"bank": 20, "local_guarantor": 40},
    ...         "expected_loss_yuan": {"total": 300, "bank": 60},
    ...     },
    ... }
    >>> found = figures_of(approval, asked_yuan=60_000)
    >>> found.guaranteed_yuan, found.local_guarantor_yuan, found.subsidy_yuan
    (40000, 20000, 960)
    """
    counted = {"applications": 1, COUNTS[decision["outcome"]]: 1, "asked_yuan": asked_yuan}
    if decision["outcome"] != "approve":
        return Figures(**counted)
    offer, guarantee = decision["offer"], decision["guarantee"]
    amount, shares = offer["amount_yuan"], guarantee["shares_percent"]
    return Figures(
        **counted,
        limit_yuan=offer["limit_yuan"],
        approved_yuan=amount,
        guaranteed_yuan=share_yuan(amount, 100 - shares["bank"]),
        local_guarantor_yuan=share_yuan(amount, shares["local_guarantor"]),
        subsidy_yuan=half_up(amount * offer["subsidy_bp"], 10_000),
        expected_loss_yuan=guarantee["expected_loss_yuan"]["total"],
        expected_loss_bank_yuan=guarantee["expected_loss_yuan"]["bank"],
    )


def final_figures(decision: Mapping[str, Any], override: Mapping[str, Any] | None) -> Figures:
    """What became of a decision; `override` is what an entry of that kind records, if there is one.

    >>> approval = {"outcome": "approve", "offer": {"amount_yuan": 50_000}}
    >>> final_figures(approval, None).finally_approved_yuan
    50000
    >>> taken_back = final_figures(approval, {"override": {"outcome": "decline"}})
    >>> taken_back.by_person, taken_back.finally_declined, taken_back.finally_approved_yuan
    (1, 1, 0)
    """
    outcome = override["override"]["outcome"] if override else decision["outcome"]
    terms = (override or {}).get("decision", decision)
    approved = outcome == "approve"
    return Figures(
        by_person=int(override is not None),
        finally_approved=int(approved),
        finally_declined=int(outcome == "decline"),
        finally_approved_yuan=terms["offer"]["amount_yuan"] if approved else 0,
    )


def figures_of_erased(outcome: str, remains: Mapping[str, Any]) -> Figures:
    """The figures that are left of a decision whose person was erased since.

    >>> shares = {"shares_percent": {"bank": 20, "local_guarantor": 40}}
    >>> left = {"offer": {"amount_yuan": 50_000}, "guarantee": shares}
    >>> found = figures_of_erased("approve", left)
    >>> found.local_guarantor_yuan, found.finally_approved_yuan
    (20000, 50000)
    """
    counted = Figures(applications=1, **{COUNTS[outcome]: 1})
    counted += final_figures({"outcome": outcome, **remains}, remains.get("override"))
    if outcome != "approve":
        return counted
    amount, shares = remains["offer"]["amount_yuan"], remains["guarantee"]["shares_percent"]
    return counted + Figures(
        approved_yuan=amount,
        guaranteed_yuan=share_yuan(amount, 100 - shares["bank"]),
        local_guarantor_yuan=share_yuan(amount, shares["local_guarantor"]),
    )


def half_up(part: int, whole: int) -> int:
    """`part / whole` as a whole number, a half rounded up; both are not negative.

    >>> half_up(5, 10), half_up(4, 10)
    (1, 0)
    """
    return (2 * part + whole) // (2 * whole)


def tenths(part: int, whole: int) -> int | None:
    """`part` in tenths of a percent of `whole`, half up; None where there is no whole.

    >>> tenths(1, 3), tenths(0, 0)
    (333, None)
    """
    return half_up(1000 * part, whole) if whole else None


def percent_text(in_tenths: int | None) -> str:
    """Tenths of a percent as text.

    >>> percent_text(333), percent_text(-5), percent_text(None)
    ('33.3 %', '-0.5 %', '-')
    """
    if in_tenths is None:
        return "-"
    sign = "-" if in_tenths < 0 else ""
    return f"{sign}{abs(in_tenths) // 10}.{abs(in_tenths) % 10} %"
