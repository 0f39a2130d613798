"""Records: the application, as a bank would send it, behind a row of a synthetic frame.

Ratios, months and levels are turned back into yuan, dates and credentials that give exactly the
row again: `characteristics(from_record(record))` equals it for every characteristic a model may
use. That is the proof that training and serving see the same applicant. All persons, documents
and numbers are made up; only the check characters are right.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import pandas as pd

from loansvc.application import LEVELS, SCOPES
from loansvc.identifiers import (
    COUNTY_CODE,
    USCC_ALPHABET,
    id_check_character,
    uscc_check_character,
)
from loansvc.training.county import FARM_PURPOSES
from loansvc.training.synthetic import REPORTED

DEPARTMENTS = {  # who vouches for what (departments, never the caller)
    "graduate": "hrss", "veteran": "veterans_affairs", "returning_migrant": "hrss",
    "ex_fisher": "agriculture", "employment_difficulty": "hrss", "farmer_founder": "agriculture",
    "online_merchant": "hrss", "training_certificate": "hrss", "craftsman_title": "hrss",
    "contest_award": "hrss", "talent_plan": "talent_office", "park_resident": "hrss",
}  # fmt: skip
INDUSTRIES = {  # a plausible GB/T 4754 class for each purpose
    "working_capital": "F5211", "equipment": "C3311", "planting": "A0141", "breeding": "A0321",
    "aquaculture": "A0412", "online_stock": "F5292", "renovation": "H6210",
}  # fmt: skip
USCC_PREFIX = "92" + COUNTY_CODE  # 9: market regulation, 2: sole trader; registered in the county


def application_records(
    frame: pd.DataFrame, *, product: str, applied_on: date, seed: int
) -> Iterator[dict[str, Any]]:
    """The record of each row, in order, all applied on one day.

    What the row leaves open (ID number, day of birth, issue dates) is drawn with this seed.

    >>> from loansvc.training.synthetic import generate
    >>> frame = generate(1, seed=1).frame
    >>> record = next(
    ...     application_records(frame, product="credit_loan", applied_on=date(2026, 7, 1), seed=1)
    ... )
    >>> record["application_id"], record["applicant"]["id_number"][:6]
    ('SYNTHETIC-1-000000', '340521')
    """
    rng = Random(seed)  # noqa: S311  # made-up people, not keys
    columns = {name: plain(frame[name]) for name in frame.columns}
    for i, values in enumerate(zip(*columns.values(), strict=True)):
        row = dict(zip(columns, values, strict=True))
        yield {
            "application_id": f"SYNTHETIC-{seed}-{i:06d}",
            "product": product,
            "applied_on": applied_on.isoformat(),
        } | _record(row, product, applied_on, rng)


def plain(column: pd.Series[Any]) -> list[Any]:
    """Words and whole numbers as Python's own; None for what is missing."""
    known = column.notna().tolist()
    numeric = pd.api.types.is_numeric_dtype(column)
    return [
        (int(value) if numeric else value) if there else None
        for value, there in zip(column.tolist(), known, strict=True)
    ]


def _record(row: dict[str, Any], product: str, on: date, rng: Random) -> dict[str, Any]:
    record = {
        "applicant": _known(_applicant(row, on, rng)),
        "credentials": _credentials(row, product, on, rng),
        "business": _known(_business(row, on, rng)),
        "loan": {
            "amount_yuan": row["amount_yuan"],
            "term_months": row["term_months"],
            "purpose": row["purpose"],
            "repayment": "harvest" if row["purpose"] in FARM_PURPOSES else "instalment",
        },
        "consent": {
            "consent_id": f"SYNTHETIC-{rng.randrange(10**9):09d}",
            "given_on": on.isoformat(),
            "scopes": list(SCOPES),
        },
    }
    if row["active_loans"] is not None:
        record["credit_report"] = _known(_credit_report(row, on))
    return record


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _applicant(row: dict[str, Any], on: date, rng: Random) -> dict[str, Any]:
    income, share = row["household_income_12m_yuan"], row["household_debt_service_percent"]
    return {
        "id_number": _id_number(row, on, rng),
        "village_code": row["village_code"],
        "household_grade": row["household_grade"],
        "education": row["education"],
        "household_income_12m_yuan": income,
        # Income is in hundreds of yuan, so that a whole percentage of it is exact.
        "household_debt_service_12m_yuan": None if share is None else income * share // 100,
        "dependants": row["dependants"],
    }


def _business(row: dict[str, Any], on: date, rng: Random) -> dict[str, Any]:
    revenue, online = row["revenue_12m_yuan"], row["online_revenue_percent"]
    registered = row["entity"] != "household"
    return {
        "entity": row["entity"],
        "uscc": _uscc(rng) if registered else None,
        "industry": INDUSTRIES[row["purpose"]],
        "started_on": _months_before(on, row["business_age_months"]),
        "employees": row["employees"],
        "revenue_12m_yuan": revenue,
        "online_revenue_12m_yuan": None if online is None else revenue * online // 100,
        "social_insurance_months_24m": row["social_insurance_months_24m"],
    }


def _credit_report(row: dict[str, Any], on: date) -> dict[str, Any]:
    return {"reported_on": on.isoformat()} | {name: row[name] for name in REPORTED}


def _credentials(row: dict[str, Any], product: str, on: date, rng: Random) -> list[dict[str, Any]]:
    """One credential for the group, each certificate, the title, the award, the plan, the park."""
    held: list[dict[str, Any]] = []

    def add(kind: str, issued_on: str, level: int = 0) -> None:
        number = f"SYN-{rng.randrange(10**6):06d}"
        credential = {"kind": kind, "issuer": DEPARTMENTS[kind], "number": number}
        held.append(credential | {"issued_on": issued_on})
        if level:
            held[-1]["level"] = LEVELS[level - 1]

    def some_time_ago() -> str:
        return _months_before(on, rng.randrange(1, 48))

    if row["primary_group"] != "none":
        add(row["primary_group"], some_time_ago())
    if product == "online_loan" and row["online_revenue_percent"]:
        add("online_merchant", some_time_ago())  # no primary group: leaves the row as it is
    for _ in range(row["training_certificates"]):
        add("training_certificate", some_time_ago())
    for kind, level in (
        ("craftsman_title", row["craftsman_level"]),
        ("contest_award", row["contest_award_level"]),
        ("talent_plan", row["talent_plan_level"]),
    ):
        if level:
            add(kind, some_time_ago(), level)
    if row["park_months"]:
        add("park_resident", _months_before(on, row["park_months"]))
    return held


def _months_before(on: date, months: int) -> str:
    """The day exactly that many full months earlier; the 28th stands for all later days.

    >>> _months_before(date(2026, 3, 31), 13)
    '2025-02-28'
    """
    count = on.year * 12 + on.month - 1 - months
    return f"{count // 12:04d}-{count % 12 + 1:02d}-{min(on.day, 28):02d}"


def _id_number(row: dict[str, Any], on: date, rng: Random) -> str:
    """An ID number of that age and sex with a right check character (GB 11643)."""
    latest = date(on.year - row["age_years"], on.month, min(on.day, 28))
    # 360, not 365: a day past the 28th must not make the oldest a year older.
    born = latest - timedelta(days=rng.randrange(360))
    order = 2 * rng.randrange(500) + (row["sex"] == 1)  # odd for men
    digits = f"{COUNTY_CODE}{born:%Y%m%d}{order:03d}"
    return digits + id_check_character(digits)


def _uscc(rng: Random) -> str:
    """A unified social credit code with a right check character (GB 32100)."""
    body = USCC_PREFIX + "".join(rng.choices(USCC_ALPHABET, k=9))
    return body + uscc_check_character(body)
