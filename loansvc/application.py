"""Application: what a bank's system sends, and the CATALOGUE of characteristics derived from it.

Money is whole yuan, rates are basis points, dates are dates. None means "not known": nothing is
ever filled in. Field rules for what arrives from outside live in `web/schemas.py`; here are the
values themselves, their record form, and how each characteristic is computed.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from functools import cache
from typing import Any

from loansvc.identifiers import birth_date

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


def to_record(value: Any) -> Any:
    """The JSON form of an application or a part of it: absent for None, ISO for dates.

    >>> to_record(Loan(amount_yuan=1, term_months=12, purpose="planting", repayment="harvest"))
    {'amount_yuan': 1, 'term_months': 12, 'purpose': 'planting', 'repayment': 'harvest'}
    """
    if is_dataclass(value):
        pairs = ((f.name, getattr(value, f.name)) for f in fields(value))
        return {name: to_record(part) for name, part in pairs if part is not None}
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [to_record(part) for part in value]
    return value


def from_record(record: Mapping[str, Any]) -> Application:
    """The application whose record form this is: `from_record(to_record(a)) == a`."""
    return typing.cast("Application", _build(Application, record))


def _build(kind: Any, record: Any) -> Any:
    if record is None:
        return None
    if kind is date:
        return date.fromisoformat(record)
    if typing.get_origin(kind) is tuple:
        return tuple(_build(typing.get_args(kind)[0], part) for part in record)
    if isinstance(kind, type) and is_dataclass(kind):
        kinds = _field_kinds(kind)
        return kind(**{name: _build(kinds[name], part) for name, part in record.items()})
    return record


@cache
def _field_kinds(kind: type) -> dict[str, Any]:
    """Field name to its type without `| None`."""
    return {name: _without_none(hint) for name, hint in typing.get_type_hints(kind).items()}


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) is types.UnionType:
        return next(part for part in typing.get_args(hint) if part is not types.NoneType)
    return hint


# --- deriving -----------------------------------------------------------------------------------


def whole_months(start: date, end: date) -> int:
    """Full months from `start` to `end`; whoever starts on the 31st waits for a day that counts.

    >>> (
    ...     whole_months(date(2024, 1, 31), date(2024, 2, 29)),
    ...     whole_months(date(2024, 1, 31), date(2024, 3, 1)),
    ... )
    (0, 1)
    """
    return (end.year - start.year) * 12 + end.month - start.month - (end.day < start.day)


def age_years(id_number: str, on: date) -> int:
    """Completed years of life; born on 29 February, one grows older on 1 March of other years.

    >>> (
    ...     age_years("110105200002290000", date(2021, 2, 28)),
    ...     age_years("110105200002290000", date(2021, 3, 1)),
    ... )
    (20, 21)
    """
    born = birth_date(id_number)
    assert born is not None, "the ID number was checked at the edge"
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def age_at_maturity_years(application: Application) -> int:
    """Completed years of life on the day the loan falls due."""
    born = birth_date(application.applicant.id_number)
    assert born is not None, "the ID number was checked at the edge"
    starts_on = application.loan.starts_on or application.on
    return (whole_months(born, starts_on) + application.loan.term_months) // 12


def percent(part: int | None, whole: int | None) -> int | None:
    """`part` in whole percent of `whole`, rounded down, so that "n % or more" is exactly true.

    At most 500; a part of nothing is the ceiling.

    >>> percent(1, 8), percent(0, 0), percent(1, 0), percent(None, 5)
    (12, 0, 500, None)
    """
    if part is None or whole is None:
        return None
    if whole == 0:
        return PERCENT_CEILING if part else 0
    return min(100 * part // whole, PERCENT_CEILING)


def valid_credentials(application: Application, kind: str) -> list[Credential]:
    """The credentials of one kind that hold on the day of application."""
    on = application.on
    return [c for c in application.credentials if c.kind == kind and c.valid_on(on)]


def groups(application: Application) -> tuple[str, ...]:
    """The groups the applicant belongs to by valid credentials, in the order of GROUPS."""
    on = application.on
    held = {c.kind for c in application.credentials if c.valid_on(on)}
    return tuple(g for g in GROUPS if g in held)


def primary_group(application: Application) -> str:
    """The first of PRIMARY_GROUPS the applicant belongs to, or "none"."""
    held = groups(application)
    return next((g for g in PRIMARY_GROUPS if g in held), "none")


def level_held(application: Application, kind: str) -> int:
    """0 without such a credential, else 1 county to 4 national; a level not stated is county."""
    held = valid_credentials(application, kind)
    return max((LEVELS.index(c.level or "county") + 1 for c in held), default=0)


def park_months(application: Application) -> int:
    """Full months as resident of a founders' park, 0 for others."""
    held = valid_credentials(application, "park_resident")
    return max((whole_months(c.issued_on, application.on) for c in held), default=0)


def training_certificates(application: Application) -> int:
    """How many different ones: the same certificate sent twice counts once."""
    held = valid_credentials(application, "training_certificate")
    return len({(c.issuer, c.number) for c in held})


def talent_tier(application: Application) -> str:
    """T1 to T5, or "none", by the neutral tiers of DOMAIN 4 [E].

    T1 province plan or higher, T2 prefecture plan, T3 county title (plan, craftsman, contest),
    T4 graduate (a technician's senior class too) of at most five years, T5 veteran or returning migrant with a training certificate.
    """
    plan = level_held(application, "talent_plan")
    if plan >= 2:
        return "T1" if plan >= 3 else "T2"
    if (
        plan
        or level_held(application, "craftsman_title")
        or level_held(application, "contest_award")
    ):
        return "T3"
    graduations = [
        c.issued_on
        for kind in ("graduate", "technician_graduate")
        for c in valid_credentials(application, kind)
    ]
    if any(_within_years(d, application.on, GRADUATE_TALENT_YEARS) for d in graduations):
        return "T4"
    trained = valid_credentials(application, "training_certificate")
    if trained and {"veteran", "returning_migrant"} & set(groups(application)):
        return "T5"
    return "none"


def _within_years(since: date, on: date, years: int) -> bool:
    """Whether at most so many years have gone by: the anniversary itself counts.

    >>> [_within_years(date(2021, 11, 26), date(2026, 11, day), 5) for day in (26, 27)]
    [True, False]
    """
    return (since.year + years, since.month, since.day) >= (on.year, on.month, on.day)


def business_age_months(application: Application) -> int | None:
    """Full months since the business started."""
    started_on = application.business.started_on
    return None if started_on is None else whole_months(started_on, application.on)


def unsecured_total_yuan(application: Application) -> int | None:
    """The unsecured balance of the credit report and the amount asked for."""
    report = application.credit_report
    if report is None or report.unsecured_outstanding_yuan is None:
        return None
    return report.unsecured_outstanding_yuan + application.loan.amount_yuan


def hire_share_percent(application: Application) -> int | None:
    """New hires of priority groups in whole percent of all employees."""
    business = application.business
    return percent(business.new_hires_12m, business.employees)


def town(application: Application) -> str | None:
    """The town of the stated village, by name."""
    return TOWNS.get(application.applicant.village_code[:9])


def yes_no(value: bool | None) -> str | None:
    """A truth as a word that a rule can name.

    >>> yes_no(True), yes_no(None)
    ('yes', None)
    """
    return None if value is None else "yes" if value else "no"


def report_age_days(application: Application) -> int | None:
    """Days from the credit report to the application."""
    report = application.credit_report
    return None if report is None else (application.on - report.reported_on).days


def _report(name: str) -> Callable[[Application], int | None]:
    def read(application: Application) -> int | None:
        report = application.credit_report
        return None if report is None else getattr(report, name)

    return read


# --- the catalogue ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One characteristic: what it is, who may use it, and how it is read from an application.

    `direction`: +1 risk grows with the value (for words: along their order), -1 it falls, 0 free.
    `scope`: the consent without which the value is "not known". `use`: model, policy, both, none.
    `unit`: yuan, months, years, days, percent, count, level (0 to 4), word, words.
    """

    name: str
    zh: str
    en: str
    unit: str
    low: int | None
    high: int | None
    direction: int
    scope: str | None
    use: str
    source: str
    of: Callable[[Application], Any]
    words: tuple[str, ...] = ()


def _integer(
    name: str, zh: str, en: str, unit: str, high: int, direction: int, scope: str | None, use: str,
    source: str, of: Callable[[Application], int | None], low: int = 0,
) -> CatalogueRow:  # fmt: skip
    return CatalogueRow(name, zh, en, unit, low, high, direction, scope, use, source, of)


def _word(
    name: str, zh: str, en: str, words: tuple[str, ...], direction: int, scope: str | None,
    use: str, source: str, of: Callable[[Application], Any], unit: str = "word",
) -> CatalogueRow:  # fmt: skip
    return CatalogueRow(name, zh, en, unit, None, None, direction, scope, use, source, of, words)


MOST_YUAN = 10_000_000_000  # ten billion: more is a slip of the keyboard
_ROWS = (
    _word("primary_group", "扶持群体", "supported group", PRIMARY_GROUPS, 0, "public_records", "both",
          "credentials", primary_group),
    _word("entity", "经营主体类型", "kind of business", ENTITIES, 0, None, "both",
          "business.entity", lambda a: a.business.entity),
    _word("purpose", "贷款用途", "purpose", PURPOSES, 0, None, "both",
          "loan.purpose", lambda a: a.loan.purpose),
    _word("education", "受教育程度", "education", EDUCATIONS, 0, None, "model",
          "applicant.education", lambda a: a.applicant.education),
    _word("household_grade", "信用户等级", "household credit grade", GRADES, 1, "public_records", "both",
          "applicant.household_grade", lambda a: a.applicant.household_grade),
    _integer("household_income_12m_yuan", "家庭年收入", "household income in 12 months", "yuan",
             MOST_YUAN, -1, "income", "both", "applicant", lambda a: a.applicant.household_income_12m_yuan),
    _integer("household_debt_service_percent", "家庭偿债占收入比", "debt service in income", "percent",
             PERCENT_CEILING, 1, "income", "both", "applicant",
             lambda a: percent(a.applicant.household_debt_service_12m_yuan,
                               a.applicant.household_income_12m_yuan)),
    _integer("dependants", "被抚养人数", "dependants", "count", 30, 1, None, "model",
             "applicant.dependants", lambda a: a.applicant.dependants),
    _integer("training_certificates", "技能培训证书数", "training certificates", "count", 100, -1,
             "public_records", "both", "credentials",
             training_certificates),
    _integer("craftsman_level", "工匠称号级别", "level of craftsman title", "level", 4, -1,
             "public_records", "both", "credentials", lambda a: level_held(a, "craftsman_title")),
    _integer("contest_award_level", "创业大赛奖项级别", "level of contest award", "level", 4, -1,
             "public_records", "both", "credentials", lambda a: level_held(a, "contest_award")),
    _integer("park_months", "入驻创业园时间", "time in a founders' park", "months", 1200, -1,
             "public_records", "both", "credentials", park_months),
    _integer("business_age_months", "经营年限", "time in business", "months", 2400, -1, None, "both",
             "business.started_on",
             business_age_months),
    _integer("employees", "从业人数", "employees", "count", 100_000, -1, None, "both",
             "business.employees", lambda a: a.business.employees),
    _integer("revenue_12m_yuan", "年营业收入", "revenue in 12 months", "yuan", MOST_YUAN, -1, "income",
             "both", "business.revenue_12m_yuan", lambda a: a.business.revenue_12m_yuan),
    _integer("online_revenue_percent", "线上收入占比", "share of online revenue", "percent",
             PERCENT_CEILING, 0, "income", "both", "business",
             lambda a: percent(a.business.online_revenue_12m_yuan, a.business.revenue_12m_yuan)),
    _integer("social_insurance_months_24m", "近24个月社保缴纳", "social insurance in 24 months",
             "months", 24, -1, "public_records", "both", "business",
             lambda a: a.business.social_insurance_months_24m),
    _integer("max_days_past_due_24m", "近24个月最长逾期", "longest arrears in 24 months", "days",
             10_000, 1, "credit_report", "both", "credit_report", _report("max_days_past_due_24m")),
    _integer("active_loans", "未结清贷款笔数", "active loans", "count", 1000, 1, "credit_report",
             "both", "credit_report", _report("active_loans")),
    _integer("unsecured_outstanding_yuan", "信用贷款余额", "unsecured balance", "yuan", MOST_YUAN, 1,
             "credit_report", "both", "credit_report", _report("unsecured_outstanding_yuan")),
    _integer("enquiries_6m", "近6个月征信查询", "credit enquiries in 6 months", "count", 1000, 1,
             "credit_report", "both", "credit_report", _report("enquiries_6m")),
    _integer("months_since_first_credit", "信用历史", "credit history", "months", 1200, -1,
             "credit_report", "both", "credit_report", _report("months_since_first_credit")),
    _integer("card_utilisation_percent", "信用卡额度使用率", "card utilisation", "percent",
             PERCENT_CEILING, 1, "credit_report", "both", "credit_report",
             _report("card_utilisation_percent")),
    _integer("guarantees_given_yuan", "对外担保余额", "guarantees given for others", "yuan", MOST_YUAN,
             1, "credit_report", "both", "credit_report", _report("guarantees_given_yuan")),
    _integer("loan_to_revenue_percent", "贷款额占营业收入比", "loan in revenue", "percent",
             PERCENT_CEILING, 1, "income", "both", "loan, business",
             lambda a: percent(a.loan.amount_yuan, a.business.revenue_12m_yuan)),
    _integer("term_months", "贷款期限", "term", "months", 360, 1, None, "both", "loan.term_months",
             lambda a: a.loan.term_months, low=1),
    # For the policy alone: never in a scorecard.
    _integer("age_years", "年龄", "age", "years", 130, 0, None, "policy", "applicant.id_number",
             lambda a: age_years(a.applicant.id_number, a.on)),
    _integer("age_at_maturity_years", "到期时年龄", "age at maturity", "years", 160, 0, None, "policy",
             "applicant.id_number, loan.term_months",
             age_at_maturity_years),
    _integer("amount_yuan", "申请金额", "amount asked for", "yuan", MOST_YUAN, 0, None, "policy",
             "loan.amount_yuan", lambda a: a.loan.amount_yuan, low=1),
    _integer("unsecured_total_yuan", "含本笔信用贷款总额", "unsecured credit with this loan", "yuan",
             2 * MOST_YUAN, 1, "credit_report", "policy", "credit_report, loan",
             unsecured_total_yuan),
    _integer("report_age_days", "信用报告距申请日", "age of the credit report", "days", 40_000, 0,
             "credit_report", "policy", "credit_report.reported_on", report_age_days),
    _word("repayment", "还款方式", "repayment", REPAYMENTS, 0, None, "policy", "loan.repayment",
          lambda a: a.loan.repayment),
    _word("groups", "所属扶持群体", "groups belonged to", GROUPS, 0, "public_records", "policy",
          "credentials", groups, unit="words"),
    _word("talent_tier", "人才层级", "talent tier", TALENT_TIERS, 1, "public_records", "policy",
          "credentials", talent_tier),
    _word("town", "所在乡镇", "town", tuple(TOWNS.values()), 0, None, "policy",
          "applicant.village_code", town),
    _integer("hire_share_percent", "新招用重点群体占比", "share of new hires from priority groups", "percent",
             PERCENT_CEILING, 0, None, "policy", "business", hire_share_percent),
    _integer("days_past_due_now", "当前逾期天数", "days past due now", "days", 10_000, 1,
             "credit_report", "policy", "credit_report", _report("days_past_due_now")),
    _word("repair_applied", "信用报告经一次性修复", "credit report after the one-time repair", ("yes", "no"),
          0, "credit_report", "policy", "credit_report",
          lambda a: yes_no(a.credit_report.repair_applied) if a.credit_report else None),
    _word("dishonest_debtor", "失信被执行人", "on the list of dishonest debtors", ("yes", "no"), 0,
          "public_records", "policy", "applicant", lambda a: yes_no(a.applicant.dishonest_debtor)),
    _word("aml_listed", "反洗钱名单", "on an anti-money-laundering list", ("yes", "no"), 0, None,
          "policy", "applicant", lambda a: yes_no(a.applicant.aml_listed)),
    _word("park_resident", "入驻创业园", "in a founders' park", ("yes", "no"), 0, "public_records",
          "policy", "credentials", lambda a: yes_no(bool(valid_credentials(a, "park_resident")))),
    _word("automated_decision", "同意自动化决策", "consent to automated decision", ("yes", "no"), 0, None,
          "policy", "consent.scopes",
          lambda a: "yes" if "automated_decision" in a.consent.scopes else "no"),
    # Never used: named here so that a card or a policy that asks for it is refused by name.
    _word("sex", "性别", "sex", (), 0, None, "none", "applicant.id_number", lambda a: None),
)  # fmt: skip

CATALOGUE: Mapping[str, CatalogueRow] = types.MappingProxyType({row.name: row for row in _ROWS})
MODEL_CHARACTERISTICS = tuple(r.name for r in _ROWS if r.use in ("model", "both"))
_USED = tuple((r.name, r.scope, r.of) for r in _ROWS if r.use != "none")


def characteristics(application: Application) -> dict[str, Any]:
    """Every characteristic by name: int, word, tuple of words, or None for "not known".

    A characteristic whose consent scope was not given is not known, whatever was sent.
    """
    given = application.consent.scopes
    return {
        name: of(application) if scope is None or scope in given else None
        for name, scope, of in _USED
    }
