"""Records: the words of an application, its parts, and the JSON form in which it is kept."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from functools import cache
from operator import attrgetter
from typing import Any

from loansvc.errors import LedgerDamaged

PRODUCTS = ("credit_loan", "talent_loan", "fast_loan", "online_loan")  # 信用贷 人才贷 快服贷 线上贷
ENTITIES = (
    "household", "sole_trader", "micro_enterprise", "family_farm", "cooperative",
    "village_collective",
)  # fmt: skip
EDUCATIONS = ("primary", "junior", "senior", "technical_college", "university")
GRADES = ("AAA", "AA", "A", "B", "C", "D")  # of households and of villages, best first
BUSINESS_PURPOSES = (
    "working_capital", "equipment", "planting", "breeding", "aquaculture", "online_stock",
    "renovation",
)  # fmt: skip
BARRED_PURPOSES = ("consumption", "securities", "property", "on_lending")
PURPOSES = BUSINESS_PURPOSES + BARRED_PURPOSES
REPAYMENTS = ("instalment", "interest_first", "bullet", "harvest")
GROUPS = (  # credentials that make their holder a member of a group the county supports
    "graduate", "veteran", "returning_migrant", "ex_fisher", "employment_difficulty",
    "registered_unemployed", "online_merchant", "farmer_founder", "poverty_relieved",
    "released_prisoner", "overcapacity_worker", "technician_graduate",
)  # fmt: skip
CREDENTIAL_KINDS = (
    *GROUPS, "graduate_startup_subsidy", "training_certificate", "craftsman_title",
    "contest_award", "talent_plan", "park_resident",
)  # fmt: skip
LEVELS = ("county", "prefecture", "province", "national")
ISSUERS = (
    "hrss", "youth_league", "veterans_affairs", "agriculture", "party_organisation",
    "talent_office",
)  # fmt: skip
SCOPES = ("credit_report", "income", "public_records", "automated_decision")

# One group enters the scorecard: the first of these that the applicant belongs to.
PRIMARY_GROUPS = (
    "veteran", "ex_fisher", "employment_difficulty", "graduate", "returning_migrant",
    "farmer_founder", "none",
)  # fmt: skip
# Town of a village by the first nine digits of its statistics code. Towns go by name: the civil
# affairs code of the same town may be another one (DOMAIN 6).
TOWNS = types.MappingProxyType({
    "340521100": "姑孰镇", "340521101": "黄池镇", "340521102": "乌溪镇", "340521103": "石桥镇",
    "340521104": "塘南镇", "340521105": "护河镇", "340521106": "太白镇", "340521110": "年陡镇",
    "340521111": "湖阳镇", "340521112": "大陇镇", "340521202": "江心乡",
    "340521402": "当涂大青山李白文化旅游区", "340521500": "当涂现代农业示范区",
})  # fmt: skip
TALENT_TIERS = ("T1", "T2", "T3", "T4", "T5", "none")
GRADUATE_TALENT_YEARS = 5  # DOMAIN 4: T4 is a graduate of at most five years [E]
PERCENT_CEILING = 500  # ratios above five times are told apart no further


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """The person. The ID number gives age (policy only) and a keyed pseudonym, nothing else.

    `related_parties`: ID numbers or social credit codes of family and firms, for the guarantee
    fund's cap on related parties alone. `dishonest_debtor`: 失信被执行人.
    """

    id_number: str
    village_code: str
    household_grade: str | None = None
    education: str | None = None
    household_income_12m_yuan: int | None = None
    household_debt_service_12m_yuan: int | None = None
    dependants: int | None = None
    dishonest_debtor: bool | None = None
    aml_listed: bool | None = None
    related_parties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a department vouches for, with the days from which and until which it holds."""

    kind: str
    issuer: str
    number: str
    issued_on: date
    expires_on: date | None = None
    level: str | None = None

    def valid_on(self, on: date) -> bool:
        """Whether it holds on that day; the first and the last day count."""
        return self.issued_on <= on and (self.expires_on is None or on <= self.expires_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """The business the loan is for. `new_hires_12m`: of priority groups, still there."""

    entity: str | None = None
    uscc: str | None = None
    industry: str | None = None
    started_on: date | None = None
    employees: int | None = None
    new_hires_12m: int | None = None
    revenue_12m_yuan: int | None = None
    online_revenue_12m_yuan: int | None = None
    social_insurance_months_24m: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditReport:
    """Figures of the central bank's report; `repair_applied` marks the one-time repair of 2026."""

    reported_on: date
    repair_applied: bool | None = None
    max_days_past_due_24m: int | None = None
    days_past_due_now: int | None = None
    active_loans: int | None = None
    outstanding_yuan: int | None = None
    unsecured_outstanding_yuan: int | None = None
    enquiries_6m: int | None = None
    months_since_first_credit: int | None = None
    card_utilisation_percent: int | None = None
    guarantees_given_yuan: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """What is asked for. Days not stated are the day of application."""

    amount_yuan: int
    term_months: int
    purpose: str
    repayment: str
    starts_on: date | None = None
    guarantee_starts_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the applicant agreed to; a scope that is absent makes its inputs "not known"."""

    consent_id: str
    given_on: date
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One application. `applied_on` None means "today", which the composition root fills in."""

    application_id: str
    product: str
    applicant: Applicant
    loan: Loan
    consent: Consent
    applied_on: date | None = None
    credentials: tuple[Credential, ...] = ()
    business: Business = Business()
    credit_report: CreditReport | None = None

    @property
    def on(self) -> date:
        """The day of application, once it is known."""
        assert self.applied_on is not None, "applied_on is filled in before anything is derived"
        return self.applied_on


PLAIN = frozenset({int, str, bool})


def to_record(value: Any) -> Any:
    """The JSON form of an application or a part of it: absent for None, ISO for dates.

    >>> to_record(Loan(amount_yuan=1, term_months=12, purpose="planting", repayment="harvest"))
    {'amount_yuan': 1, 'term_months': 12, 'purpose': 'planting', 'repayment': 'harvest'}
    """
    kind: Any = type(value)
    if kind in PLAIN:
        return value
    if kind is date:
        return value.isoformat()
    if kind is tuple:
        return [to_record(part) for part in value]
    names, parts_of = fields_of(kind)
    return {
        name: part if type(part) in PLAIN else to_record(part)
        for name, part in zip(names, parts_of(value), strict=True)
        if part is not None
    }


@cache
def fields_of(kind: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The names of a dataclass's fields, two or more, and what gives them all at once."""
    names = tuple(field.name for field in fields(kind))
    return names, attrgetter(*names)


def from_record(record: Mapping[str, Any]) -> Application:
    """The application whose record form this is: `from_record(to_record(a)) == a`.

    Raises:
        LedgerDamaged: it is the record form of none.
    """
    try:
        return typing.cast("Application", _build(Application, record))
    except (KeyError, TypeError, ValueError):
        raise LedgerDamaged(
            "A recorded application is not of the form in which they are kept. "
            "Run: loansvc ledger verify"
        ) from None


def _build(kind: Any, record: Any) -> Any:
    form: Any = _form_of(kind)
    if not isinstance(record, form) or (form is int and isinstance(record, bool)):
        raise TypeError("of another kind than is recorded")
    if kind is date:
        return date.fromisoformat(record)
    if form is list:
        return tuple(_build(typing.get_args(kind)[0], part) for part in record)
    if form is Mapping:
        kinds = _field_kinds(kind)
        return kind(**{name: _build(kinds[name], part) for name, part in record.items()})
    return record


@cache
def _form_of(kind: Any) -> type:
    """What a value of that type is in the record form."""
    if typing.get_origin(kind) is tuple:
        return list
    if is_dataclass(kind):
        return Mapping
    return str if kind is date else typing.cast("type", kind)


@cache
def _field_kinds(kind: type) -> dict[str, Any]:
    """Field name to its type without `| None`."""
    return {name: _without_none(hint) for name, hint in typing.get_type_hints(kind).items()}


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) is types.UnionType:
        return next(part for part in typing.get_args(hint) if part is not types.NoneType)
    return hint
