"""Terms: limit, price and guarantee tier, as dated tables read from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol, TypeVar

from loansvc.policy.rules import Clause, Test, all_hold

TIERS = ("G0", "G1", "G1n", "G2", "G3", "G4", "GX")
SHARERS = ("bank", "local_guarantor", "provincial_reguarantor", "national_fund", "government")
COUNTER_GUARANTEES = (
    "none", "waived", "one_natural_person", "spouse_or_adult_with_income",
    "two_persons_or_collateral",
)  # fmt: skip
LEAST_BANK_PERCENT = 20  # DOMAIN 3.2: the bank keeps at least a fifth


class Row(Protocol):
    """Anything that applies when its tests hold."""

    @property
    def when(self) -> tuple[Test, ...]:
        """The tests that must all hold."""
        ...


RowType = TypeVar("RowType", bound=Row)


def first_match(rows: Iterable[RowType], facts: Mapping[str, Any]) -> RowType:
    """The first row whose tests all hold; a published policy ends with a row for everyone."""
    return next(row for row in rows if not row.when or all_hold(row.when, facts))


@dataclass(frozen=True, slots=True)
class LimitRow:
    """Limit before the village and score factor."""

    when: tuple[Test, ...]
    base_yuan: int
    clause: Clause


@dataclass(frozen=True, slots=True)
class Cap:
    """An upper bound: `yuan + percent % of one fact - another fact`, not below 0."""

    id: str
    when: tuple[Test, ...]
    yuan: int
    percent: int
    percent_of: str | None
    less: str | None
    if_unknown_yuan: int
    zh: str
    en: str
    clause: Clause

    def bound_yuan(self, facts: Mapping[str, Any]) -> int:
        """The bound for these facts; `if_unknown_yuan` where a fact it needs is not known."""
        bound = self.yuan
        if self.percent_of is not None:
            base = facts.get(self.percent_of)
            if base is None:
                return self.if_unknown_yuan
            bound += self.percent * base // 100
        if self.less is not None:
            taken = facts.get(self.less)
            if taken is None:
                return self.if_unknown_yuan
            bound -= taken
        return max(bound, 0)


@dataclass(frozen=True, slots=True)
class PriceRow:
    """Spread over LPR in basis points."""

    when: tuple[Test, ...]
    spread_bp: int
    clause: Clause


@dataclass(frozen=True, slots=True)
class Subsidy:
    """What the state pays of the interest on loans of a period, which is a test of a day.

    Either a whole percentage of the rate, or what is above the LPR plus `borrower_over_lpr_bp`.
    """

    days: Test
    percent_of_rate: int
    borrower_over_lpr_bp: int | None
    zh: str
    en: str
    clause: Clause

    @property
    def when(self) -> tuple[Test, ...]:
        """The test of its days; none for the only period of a policy."""
        return () if self.first_day is None and self.last_day is None else (self.days,)

    @property
    def first_day(self) -> date | None:
        """The first day that counts; None: always before."""
        return _day(self.days.at_least)

    @property
    def last_day(self) -> date | None:
        """The last day that counts; None: ever after."""
        return _day(self.days.at_most)

    def of_rate(self, rate_bp: int, lpr_bp: int) -> int:
        """Basis points that the state pays, rounded down, never more than the rate.

        >>> clause = Clause("example", "B", False)
        >>> until = Test("loan_start", at_most=date(2023, 9, 30))
        >>> since = Test("loan_start", at_least=date(2023, 10, 1))
        >>> rest = Subsidy(until, 0, -150, "", "", clause)
        >>> half = Subsidy(since, 50, None, "", "", clause)
        >>> rest.of_rate(485, 385), half.of_rate(445, 345)
        (250, 222)
        """
        if self.borrower_over_lpr_bp is None:
            return rate_bp * self.percent_of_rate // 100
        borrower_bp = max(lpr_bp + self.borrower_over_lpr_bp, 0)
        return max(rate_bp - borrower_bp, 0)


def _day(end: int | date | None) -> date | None:
    assert not isinstance(end, int), "the bounds of a day are days"
    return end


@dataclass(frozen=True, slots=True)
class TierRow:
    """Who carries which share of a loss, in percent that sum to 100.

    `compensation_rate_cap_bp` None: the fund's own cap holds for the row too.
    """

    tier: str
    when: tuple[Test, ...]
    shares_percent: Mapping[str, int]
    counter_guarantee: str
    clause: Clause
    compensation_rate_cap_bp: int | None = None


@dataclass(frozen=True, slots=True)
class FundCaps:
    """What the law and the fund's statute allow it to carry.

    `related_percent` None, in policies older than that key: related parties are not added up.
    """

    multiple: int
    single_client_percent: int
    compensation_rate_cap_bp: int
    related_percent: int | None
    clause: Clause

    def for_row(self, row: TierRow) -> FundCaps:
        """The caps that hold for a tier: a scheme may state a compensation cap of its own."""
        own = row.compensation_rate_cap_bp
        return self if own is None else replace(self, compensation_rate_cap_bp=own)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBudget:
    """How far a successor may move recorded answers before somebody must say why, in percent.

    `most_interest_change_percent`: of a year's interest, and of what borrowers pay of it, on what
    is approved both times. `least_decisions`: fewer recorded ones say too little to refuse on.
    """

    most_flips_percent: int
    most_limit_change_percent: int
    most_expected_loss_change_percent: int
    most_fund_use_change_percent: int
    most_interest_change_percent: int
    least_decisions: int
    clause: Clause


# What holds under a policy that states none: a proposal made here, no authority's figure.
PROPOSED_CHANGE_BUDGET = ChangeBudget(
    most_flips_percent=5,
    most_limit_change_percent=10,
    most_expected_loss_change_percent=10,
    most_fund_use_change_percent=10,
    most_interest_change_percent=10,
    least_decisions=50,
    clause=Clause("proposal: the policy states no change_budget", "E", verify=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fund:
    """The guarantee fund at the moment of a decision, this applicant's part in it beside it.

    `related_guaranteed_yuan`: of the parties related to the applicant, without the applicant.
    """

    capital_yuan: int
    guaranteed_yuan: int
    applicant_guaranteed_yuan: int
    compensation_rate_bp: int
    related_guaranteed_yuan: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit and how it came about: base, factor, what each cap allowed, rounding."""

    row: LimitRow
    factor_percent: int
    before_caps_yuan: int
    caps: tuple[tuple[Cap, int], ...]
    bound_by: Cap | None
    limit_yuan: int


@dataclass(frozen=True, slots=True)
class Price:
    """A rate and how it came about, in basis points."""

    row: PriceRow
    lpr_bp: int
    spread_bp: int
    rate_bp: int
    subsidy: Subsidy
    subsidy_bp: int


def share_yuan(amount_yuan: int, percent: int) -> int:
    """The guarantee fund's share of an amount, rounded up to the yuan.

    >>> share_yuan(120_001, 40)
    48001
    """
    return -(-amount_yuan * percent // 100)


def share_yuan_of(amount_yuan: int, row: TierRow) -> int:
    """What the guarantee fund carries of this amount under a tier, rounded up to the yuan."""
    return share_yuan(amount_yuan, row.shares_percent["local_guarantor"])


def binding_cap(caps: FundCaps, fund: Fund, share_yuan: int) -> str | None:
    """The code of the cap that keeps the fund from carrying this share, or None.

    Sources: fund statute and 融资担保公司监督管理条例 art. 15, 16 (DOMAIN 3.3); national fund's
    compensation cap (DOMAIN 3.2).
    """
    if share_yuan == 0:
        return None
    if fund.compensation_rate_bp > caps.compensation_rate_cap_bp:
        return "F03"
    if fund.guaranteed_yuan + share_yuan > fund.capital_yuan * caps.multiple:
        return "F01"
    client = fund.applicant_guaranteed_yuan + share_yuan
    if 100 * client > fund.capital_yuan * caps.single_client_percent:
        return "F02"
    if caps.related_percent is not None:
        together = client + fund.related_guaranteed_yuan
        if 100 * together > fund.capital_yuan * caps.related_percent:
            return "F04"
    return None
