"""Deriving: how each characteristic is computed from an application, integers and words alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from loansvc.application.records import (
    GRADUATE_TALENT_YEARS,
    GROUPS,
    LEVELS,
    PERCENT_CEILING,
    PRIMARY_GROUPS,
    TOWNS,
    Application,
    Credential,
)
from loansvc.identifiers import birth_date


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
    T4 graduate (a technician's senior class too) of at most five years, T5 veteran or returning
    migrant with a training certificate.
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
