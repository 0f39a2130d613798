"""Levers: what a person can act on, each a way to change an application by whole steps.

The one table of them, `LEVERS`, in the order in which ways are listed: first what the applicant can
settle today, then what takes time or money, then what others decide. A lever changes nothing else:
the day of application and every other field stay. Never a lever: age, sex, village of residence,
kind of business, education, groups, what has happened (arrears, earlier loans, length of credit
history), lists, the purpose (it would invite a false one) and consent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from loansvc.application import GRADES, REPAYMENTS, whole_months
from loansvc.remedies.credentials import CREDENTIAL_LEVERS, RECORDS
from loansvc.remedies.lever import Lever, Setting, Texts, counted, later, months_before
from loansvc.villages import UNRATED, Register

# How far a lever reaches: beyond this nobody is told to go.
MOST_TIMES = 2  # revenue and income at most doubled
MOST_PEOPLE = 20
REPORT = "credit_report"  # the consent without which a report tells nothing
REPAYMENT_TEXTS = {
    "instalment": ("分期还款", "by instalment"),
    "interest_first": ("按期付息、到期还本", "interest first and the principal at the end"),
    "bullet": ("到期一次性还本", "in one sum at the end"),
    "harvest": ("收获后还款", "after the harvest"),
}


# --- numbers of the application -------------------------------------------------------------------


def _lever(
    path: str, texts: Callable[[Any, Any], Texts], steps: Callable[[Any, Setting], Sequence[Any]],
    *also: str, scope: str | None = None, moves_itself: bool = True, about: str = "",
) -> Lever:  # fmt: skip
    """A lever that sets one field; `steps` are asked for only where its value is known."""
    part, name = path.split(".")

    def value(setting: Setting) -> Any:
        return getattr(getattr(setting.application, part), name, None)

    def all_steps(setting: Setting) -> Sequence[Any]:
        start = value(setting)
        return () if start is None else steps(start, setting)

    def move(setting: Setting, to: Any) -> Setting:
        changed = replace(getattr(setting.application, part), **{name: to})
        return setting.given(**{part: changed})

    moves = frozenset((name, *also) if moves_itself else also)
    return Lever(name, moves, scope, value, all_steps, move, texts, about or name)


def _down(start: int, _: Setting) -> Sequence[int]:
    return range(start - 1, -1, -1)


def _twice(start: int, _: Setting) -> Sequence[int]:
    return range(start + 1, MOST_TIMES * start + 1)


def _amount_steps(start: int, setting: Setting) -> Sequence[int]:
    """Down; an amount below the smallest loan can only be brought up to it."""
    least = setting.editions.policy.content.minimum_yuan
    return range(start + 1, least + 1) if start < least else range(start - 1, least - 1, -1)


def _loan_steps(start: int, setting: Setting) -> Sequence[int]:
    """Down to none, or to one where the report still shows a balance."""
    report = setting.application.credit_report
    owes = report is not None and report.outstanding_yuan
    return range(start - 1, 0 if owes else -1, -1)


def _online_steps(start: int, setting: Setting) -> Sequence[int]:
    revenue = setting.application.business.revenue_12m_yuan
    return () if revenue is None else range(start + 1, revenue + 1)


def _yuan(zh: str, en: str) -> Callable[[int, int], Texts]:
    """A sum of money brought from one figure to another."""

    def texts(before: int, after: int) -> Texts:
        down = "降" if after < before else "增"
        return (
            f"{zh}由{before:,}元{down}至{after:,}元",
            f"{en} of {after:,} yuan instead of {before:,}",
        )

    return texts


def _amount_texts(before: int, after: int) -> Texts:
    return (
        f"将申请金额由{before:,}元改为{after:,}元",
        f"Ask for {after:,} yuan instead of {before:,}",
    )


def _repayment_texts(before: str, after: str) -> Texts:
    (zh, en), (zh_after, en_after) = REPAYMENT_TEXTS[before], REPAYMENT_TEXTS[after]
    return f"将还款方式由“{zh}”改为“{zh_after}”", f"Repay {en_after} instead of {en}"


# --- a fresh report, and time ---------------------------------------------------------------------


def _report_age(setting: Setting) -> int | None:
    report = setting.application.credit_report
    return None if report is None else (setting.application.on - report.reported_on).days


def _report_of_age(setting: Setting, days: int) -> Setting:
    application = setting.application
    assert application.credit_report is not None, "steps are given only where there is a report"
    reported_on = date.fromordinal(application.on.toordinal() - days)
    return setting.given(credit_report=replace(application.credit_report, reported_on=reported_on))


def _months_in_business(setting: Setting) -> int | None:
    started_on = setting.application.business.started_on
    return None if started_on is None else whole_months(started_on, setting.application.on)


def _in_business_for(setting: Setting, months: int) -> Setting:
    application = setting.application
    started_on = months_before(application.on, months)
    return setting.given(business=replace(application.business, started_on=started_on))


# --- people ---------------------------------------------------------------------------------------


def _hiring_steps(setting: Setting) -> Sequence[int]:
    business = setting.application.business
    start = business.new_hires_12m
    if start is None or business.employees is None:
        return ()
    return range(start + 1, start + MOST_PEOPLE + 1)


def _hire(setting: Setting, to: int) -> Setting:
    """Whoever is hired is an employee too."""
    business = setting.application.business
    assert business.new_hires_12m is not None
    assert business.employees is not None
    employees = business.employees + to - business.new_hires_12m
    return setting.given(business=replace(business, new_hires_12m=to, employees=employees))


# --- grades ---------------------------------------------------------------------------------------


def _better(grade: str, _: Setting) -> Sequence[str]:
    """The grades above this one, the next one first."""
    return GRADES[: GRADES.index(grade)][::-1]


def _village_rating(setting: Setting) -> str:
    application = setting.application
    register = setting.editions.villages.content
    return register.standing(application.applicant.village_code, application.on).rating


def _village_steps(setting: Setting) -> Sequence[str]:
    """The ratings above; for a village without one, any rating. None where it is not registered."""
    if setting.application.applicant.village_code not in setting.editions.villages.content.villages:
        return ()
    rating = _village_rating(setting)
    return GRADES[::-1] if rating == UNRATED else _better(rating, setting)


def _village_rated(setting: Setting, rating: str) -> Setting:
    """The register with the village rated so on the day of application; its points stay."""
    application, editions = setting.application, setting.editions
    register: Register = editions.villages.content
    code = application.applicant.village_code
    standing = register.standing(code, application.on)
    village = replace(
        register.villages[code], rating=rating, assessed_on=application.on, revocation=None,
        points=standing.points, credibility_percent=standing.credibility_percent,
    )  # fmt: skip
    content = replace(register, villages={**register.villages, code: village})
    return Setting(
        application, replace(editions, villages=replace(editions.villages, content=content))
    )


# --- the table ------------------------------------------------------------------------------------

LEVERS: tuple[Lever, ...] = (
    _lever("loan.amount_yuan", _amount_texts, _amount_steps,
           "loan_to_revenue_percent", "unsecured_total_yuan"),
    _lever("loan.term_months",
           lambda a, b: (f"将贷款期限由{a}个月改为{b}个月",
                         f"A term of {counted(b, 'month')} instead of {a}"),
           lambda start, _: range(start - 1, 0, -1), "age_at_maturity_years"),
    _lever("loan.repayment", _repayment_texts,
           lambda start, _: [kind for kind in REPAYMENTS if kind != start]),
    Lever("report_age_days", frozenset({"report_age_days"}), REPORT, _report_age,
          lambda s: range((_report_age(s) or 0) - 1, -1, -1), _report_of_age,
          lambda a, b: (f"提供申请日前{b}天内出具的信用报告（现为{a}天）",
                        f"A credit report at most {counted(b, 'day')} old instead of {a}"),
          "report_age_days"),
    _lever("credit_report.days_past_due_now",
           lambda a, _: (f"还清当前逾期款项（已逾期{a}天）",
                         f"Pay what is overdue now ({counted(a, 'day')})"),
           lambda start, _: (0,) if start else (), scope=REPORT),
    _lever("credit_report.card_utilisation_percent",
           lambda a, b: (f"信用卡额度使用率由{a}%降至{b}%",
                         f"Card utilisation of {b} % instead of {a} %"),
           _down, scope=REPORT),
    _lever("credit_report.enquiries_6m",
           lambda a, b: (f"近6个月征信查询由{a}次降至{b}次（等较早的查询满6个月）",
                         f"Credit enquiries in 6 months: {b} instead of {a} (older ones fall out)"),
           _down, scope=REPORT),
    _lever("credit_report.unsecured_outstanding_yuan",
           _yuan("信用贷款余额", "An unsecured balance"), _down,
           "unsecured_total_yuan", scope=REPORT),
    _lever("credit_report.active_loans",
           lambda a, b: (f"未结清贷款由{a}笔减至{b}笔",
                         f"{counted(b, 'active loan')} instead of {a}"),
           _loan_steps, scope=REPORT),
    _lever("credit_report.guarantees_given_yuan",
           _yuan("对外担保余额", "Guarantees for others"), _down, scope=REPORT),
    _lever("applicant.household_debt_service_12m_yuan",
           _yuan("家庭年偿债支出", "Household debt service a year"), _down,
           "household_debt_service_percent", scope="income", moves_itself=False),
    _lever("business.social_insurance_months_24m",
           lambda a, b: (f"社保再缴{b - a}个月",
                         f"{counted(b - a, 'more month')} of social insurance"),
           lambda start, _: range(start + 1, 25), scope=RECORDS),
    *CREDENTIAL_LEVERS,
    Lever("new_hires_12m", frozenset({"hire_share_percent", "employees"}), None,
          lambda s: s.application.business.new_hires_12m, _hiring_steps, _hire,
          lambda a, b: (f"再招用{b - a}名重点群体人员",
                        f"{counted(b - a, 'more hire')} from priority groups"),
          "employees"),
    _lever("business.employees",
           lambda a, b: (f"再增加{b - a}名从业人员", counted(b - a, "more employee")),
           lambda start, _: range(start + 1, start + MOST_PEOPLE + 1), "hire_share_percent"),
    _lever("business.online_revenue_12m_yuan",
           _yuan("年线上收入", "Online revenue a year"), _online_steps,
           "online_revenue_percent", scope="income", moves_itself=False),
    _lever("business.revenue_12m_yuan", _yuan("年营业收入", "Revenue a year"), _twice,
           "online_revenue_percent", "loan_to_revenue_percent", scope="income"),
    _lever("applicant.household_income_12m_yuan",
           _yuan("家庭年收入", "Household income a year"), _twice,
           "household_debt_service_percent", scope="income"),
    Lever("business_age_months", frozenset({"business_age_months"}), None, _months_in_business,
          lambda s: later(_months_in_business(s)), _in_business_for,
          lambda a, b: (f"再经营{b - a}个月后重新申请",
                        f"{counted(b - a, 'more month')} in business (wait, then apply again)"),
          "business_age_months"),
    _lever("applicant.household_grade",
           lambda _, b: (f"信用等级（农户或经营主体）评为{b}级",
                         f"If the household or business is rated {b}"),
           _better, scope=RECORDS),
    Lever("village_rating", frozenset({"village_rating"}), None, _village_rating, _village_steps,
          _village_rated, lambda _, b: (f"所在村评为{b}级", f"If the village is rated {b}"),
          "village_rating"),
)  # fmt: skip
