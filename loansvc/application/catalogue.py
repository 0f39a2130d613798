"""Catalogue: every characteristic, what it is, who may use it, and how it is read."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loansvc.application.deriving import (
    _report,
    age_at_maturity_years,
    age_years,
    business_age_months,
    groups,
    hire_share_percent,
    level_held,
    park_months,
    percent,
    primary_group,
    report_age_days,
    talent_tier,
    town,
    training_certificates,
    unsecured_total_yuan,
    valid_credentials,
    yes_no,
)
from loansvc.application.records import (
    EDUCATIONS,
    ENTITIES,
    GRADES,
    GROUPS,
    PERCENT_CEILING,
    PRIMARY_GROUPS,
    PURPOSES,
    REPAYMENTS,
    TALENT_TIERS,
    TOWNS,
    Application,
)


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
