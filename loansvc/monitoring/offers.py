"""Offers: what approvals cost in a year, and which terms of an offer two decisions differ in.

Scales:
    rate_bp        basis points a year: 385 = 3.85 %
    rate_yuan_bp   yuan x basis points: the exact sum from which a mean rate is worked out
    interest_yuan  a year's interest in whole yuan, as if all of the amount were drawn for a year
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from loansvc.decision import Decision
from loansvc.monitoring.figures import half_up

# What an applicant is told of an offer. The expected loss is the lender's estimate and no term.
TERMS: Mapping[str, tuple[str, str]] = {
    "limit": ("额度", "limit"),
    "amount": ("金额", "amount"),
    "rate": ("利率", "rate"),
    "subsidy": ("贴息", "subsidy"),
    "tier": ("担保层级", "tier"),
    "counter_guarantee": ("反担保", "counter-guarantee"),
    "other": (
        "其他（期限、重评、分担比例、保证方式）",
        "other (term, reassessment, shares, liability)",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Sums over approvals. `subsidy_yuan` is the part of `interest_yuan` that the state pays.

    Yuan are rounded half up for each approval and then added, so that rows add up to their total.

    >>> prices = Prices(approvals=2, amount_yuan=300, rate_yuan_bp=100 * 385 + 200 * 300)
    >>> prices.mean_rate  # 328.33 basis points
    32833
    """

    approvals: int = 0
    amount_yuan: int = 0
    rate_yuan_bp: int = 0
    interest_yuan: int = 0
    subsidy_yuan: int = 0

    def __add__(self, other: Prices) -> Prices:
        return Prices(**{name: getattr(self, name) + getattr(other, name) for name in NAMES})

    @property
    def borrower_yuan(self) -> int:
        """The part of the interest that is left to the borrower."""
        return self.interest_yuan - self.subsidy_yuan

    @property
    def mean_rate(self) -> int | None:
        """The mean rate in hundredths of a basis point, weighted by amount; None of nothing."""
        return half_up(100 * self.rate_yuan_bp, self.amount_yuan) if self.amount_yuan else None


NAMES = tuple(f.name for f in fields(Prices))


def prices_of(decision: Decision) -> Prices:
    """The prices of one approval; zeros of any other decision."""
    offer = decision.offer
    if decision.outcome != "approve" or offer is None:
        return Prices()
    return Prices(
        approvals=1,
        amount_yuan=offer.amount_yuan,
        rate_yuan_bp=offer.amount_yuan * offer.rate_bp,
        interest_yuan=half_up(offer.amount_yuan * offer.rate_bp, 10_000),
        subsidy_yuan=half_up(offer.amount_yuan * offer.subsidy_bp, 10_000),
    )


def rate_text(hundredths: int | None) -> str:
    """A rate in basis points, with no more decimals than it has.

    >>> [rate_text(r) for r in (38_500, 38_550, 32_833, None)]
    ['385', '385.5', '328.33', '-']
    """
    if hundredths is None:
        return "-"
    return f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip(".")


def rate_change_text(before: int, after: int) -> str:
    """The difference of two rates in basis points, with its sign.

    >>> rate_change_text(38_550, 30_000), rate_change_text(30_000, 30_025)
    ('-85.5', '+0.25')
    """
    sign = "+" if after > before else "-" if after < before else ""
    return sign + rate_text(abs(after - before))


def terms_changed(before: Decision, after: Decision) -> tuple[str, ...]:
    """Which of TERMS differ, in that order; all that an offer has where only one has an offer."""
    was, now = _terms(before), _terms(after)
    return tuple(name for name in TERMS if was.get(name) != now.get(name))


def _terms(decision: Decision) -> dict[str, object]:
    offer, guarantee = decision.offer, decision.guarantee
    if offer is None or guarantee is None:
        return {}
    return {
        "limit": offer.limit_yuan,
        "amount": offer.amount_yuan,
        "rate": offer.rate_bp,
        "subsidy": offer.subsidy_bp,
        "tier": guarantee.tier,
        "counter_guarantee": guarantee.counter_guarantee,
        "other": (
            offer.term_months, offer.reassess_every_months, guarantee.shares_percent,
            guarantee.liability, guarantee.liability_period_months,
        ),
    }  # fmt: skip
