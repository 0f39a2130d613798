"""Columns: what a table of applications may hold, how each is read, and what is wrong with a row.

A column has the name of a characteristic of the CATALOGUE, or of what one is derived from. A column
that is not there is "not known" in every row; one that no card or policy asks for is not looked at.
The rules of a field are those of an application that comes over HTTP.

    whole   a whole number: BIGINT, or a real or a text that says one
    word    one of its words as text; yes and no also as true and false
    words   a list of words, or one text with commas
    day     a date, or a text such as 2026-11-23
    code    a text of its own form
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from loansvc.application import CATALOGUE, MOST_YUAN, PERCENT_CEILING
from loansvc.portfolio.dialect import Dialect, text

YES_NO = ("yes", "no")
MOST_LOANS = 1000
EARLIEST = date(1900, 1, 1)  # of a birth; other days of an application begin later
MOST_DAYS_AHEAD = 366  # of the first day of a loan
# How an engine keeps a column, apart from what is read from it.
KEPT_AS = ("whole", "real", "text", "truth", "day", "texts")


@dataclass(frozen=True, slots=True)
class Field:
    """One column that can be read: its kind, and what its values may be."""

    name: str
    kind: str
    low: int | None = None
    high: int | None = None
    words: tuple[str, ...] = ()
    required: bool = False


def _of_the_catalogue() -> dict[str, Field]:
    required = {"amount_yuan", "term_months", "purpose", "repayment", "automated_decision"}
    kinds = {"word": "word", "words": "words"}
    return {
        row.name: Field(
            row.name, kinds.get(row.unit, "whole"), row.low, row.high, row.words,
            row.name in required,
        )
        for row in CATALOGUE.values()
        if row.use != "none" and row.name != "town"  # the village tells the town
    }  # fmt: skip


def _yuan(name: str, *, required: bool = False) -> Field:
    return Field(name, "whole", 0, MOST_YUAN, (), required)


FIELDS: Mapping[str, Field] = _of_the_catalogue() | {
    field.name: field
    for field in (
        Field("village_code", "code", required=True),
        Field("policy_loans", "whole", 0, MOST_LOANS, (), required=True),
        Field("policy_loan_overdue", "word", words=YES_NO),
        _yuan("outstanding_yuan", required=True),
        Field("loan_start", "day"),
        Field("guarantee_start", "day"),
        # What a characteristic is derived from, where its own column is not there.
        _yuan("household_debt_service_12m_yuan"),
        _yuan("online_revenue_12m_yuan"),
        Field("new_hires_12m", "whole", 0, 100_000),
        Field("started_on", "day"),
        Field("reported_on", "day"),
        Field("birth_date", "day", required=True),
    )
}
# Without such a column: as of somebody whom no ledger knows, who agreed to automated decision.
WITHOUT = {
    "policy_loans": "0",
    "outstanding_yuan": "0",
    "automated_decision": "'yes'",
}
TYPES = {"whole": "BIGINT", "word": "STRING", "words": "STRING", "day": "DATE", "code": "STRING"}


@dataclass(frozen=True, slots=True)
class Flaw:
    """What can be wrong with a field of a row: `holds` is the SQL that finds it."""

    field: str
    code: str
    detail: str
    holds: str


# --- reading ------------------------------------------------------------------------------------


def typed(field: Field, kept_as: str, dialect: Dialect) -> str:
    """The column as it is compared, NULL for not known and for what is no such value.

    >>> from loansvc.portfolio.dialect import DUCKDB
    >>> typed(FIELDS["aml_listed"], "truth", DUCKDB)
    "CASE WHEN aml_listed THEN 'yes' WHEN NOT aml_listed THEN 'no' END"
    """
    raw = field.name
    if field.kind == "whole":
        return _typed_whole(raw, kept_as, dialect)
    if field.kind == "day":
        if kept_as == "text":
            form = dialect.matches(raw, "[0-9]{4}-[0-9]{2}-[0-9]{2}")
            return f"CASE WHEN {form} THEN TRY_CAST({raw} AS DATE) END"
        return raw
    if field.kind == "words":
        # Commas around each word, so that one can be looked for: ',graduate,veteran,'.
        listed = dialect.join(raw) if kept_as == "texts" else raw
        return f"CASE WHEN {listed} = 'none' THEN ',,' ELSE ',' || {listed} || ',' END"
    if kept_as == "truth":
        return f"CASE WHEN {raw} THEN 'yes' WHEN NOT {raw} THEN 'no' END"
    if kept_as == "whole":  # a village code that was read as a number
        return f"CAST({raw} AS STRING)"
    return raw


def _typed_whole(raw: str, kept_as: str, dialect: Dialect) -> str:
    if kept_as == "whole":
        return f"CAST({raw} AS BIGINT)"
    if kept_as == "real":  # NaN is above every number, and so is taken out with infinity
        return (
            f"CASE WHEN abs({raw}) < 1e15 AND {raw} = floor({raw}) THEN CAST({raw} AS BIGINT) END"
        )
    form = dialect.matches(raw, "-?[0-9]{1,18}")
    return f"CASE WHEN {form} THEN CAST({raw} AS BIGINT) END"


# --- what is wrong with a row --------------------------------------------------------------------


def flaws_of(field: Field, kept_as: str, on: date, dialect: Dialect) -> list[Flaw]:
    """What can be wrong with this column by itself, in the words of the HTTP contract."""
    name, found = field.name, []

    def add(code: str, detail: str, holds: str) -> None:
        found.append(Flaw(name, code, detail, holds))

    lacking = f"{name} IS NULL"
    if kept_as in ("text", "real") and field.kind in ("whole", "day"):
        # A NaN is how a table of reals says that a number is not known.
        known = f"raw_{name} IS NOT NULL"
        known += f" AND raw_{name} <> CAST('NaN' AS DOUBLE)" if kept_as == "real" else ""
        code, says = {
            "whole": ("not_an_integer", "Must be a whole number, not quoted."),
            "day": ("not_a_date", "Must be a real date such as 2026-11-23."),
        }[field.kind]
        add(code, says, f"{lacking} AND {known}")
        lacking = f"{lacking} AND NOT ({known})"
    if field.required:
        add("required", "Is required; add it.", lacking)
    if field.low is not None:
        says = f"Must be from {field.low} to {field.high}."
        add("out_of_range", says, f"{name} NOT BETWEEN {field.low} AND {field.high}")
    if field.kind == "word":
        says = f"Must be one of {', '.join(field.words)}."
        words = ", ".join(map(text, field.words))
        add("not_a_choice", says, f"{name} NOT IN ({words})")
    if field.kind == "words":
        says = f"Must be words of {', '.join(field.words)} with commas, or none."
        form = dialect.matches(name, f",,|,(({'|'.join(field.words)}),)+")
        add("not_a_choice", says, f"NOT {form}")
    if field.kind == "day":
        found += _flaws_of_day(name, on)
    return found


def _flaws_of_day(name: str, on: date) -> list[Flaw]:
    day = f"DATE '{on}'"
    if name in ("loan_start", "guarantee_start"):
        ahead = "Must be at most 366 days after the day of application."
        before = "Must not be before the day of application."
        return [
            Flaw(name, "before_application", before, f"{name} < {day}"),
            Flaw(name, "too_far_ahead", ahead, f"{name} > {_later(on)}"),
        ]
    early = f"Must be on or after {EARLIEST}."
    return [
        Flaw(name, "out_of_range", early, f"{name} < DATE '{EARLIEST}'"),
        Flaw(name, "after_application", "Must not be after the day of application.",
             f"{name} > {day}"),
    ]  # fmt: skip


def _later(on: date) -> str:
    return f"DATE '{date.fromordinal(on.toordinal() + MOST_DAYS_AHEAD)}'"


# Figures that are part of another, and arrears: looked at where both columns are there.
PARTS_OF_WHOLES = (
    ("online_revenue_12m_yuan", "revenue_12m_yuan"),
    ("new_hires_12m", "employees"),
    ("days_past_due_now", "max_days_past_due_24m"),
)


def flaws_of_pairs(read: frozenset[str]) -> list[Flaw]:
    """What two columns say together."""
    found = [
        Flaw(part, "more_than_whole", f"Must not be more than {whole}.", f"{part} > {whole}")
        for part, whole in PARTS_OF_WHOLES
        if {part, whole} <= read
    ]
    if {"loan_start", "guarantee_start"} <= read:
        says = "A guarantee must not start before its loan."
        found.append(Flaw("guarantee_start", "before_application", says,
                          "guarantee_start < loan_start"))  # fmt: skip
    return found


# --- deriving -------------------------------------------------------------------------------------


def _percent(part: str, whole: str, dialect: Dialect) -> str:
    """`percent` of application/deriving.py, in SQL."""
    share = dialect.divide(f"100 * {part}", f"NULLIF({whole}, 0)")
    return (
        f"CASE WHEN {part} IS NULL OR {whole} IS NULL THEN NULL"
        f" WHEN {whole} = 0 THEN CASE WHEN {part} = 0 THEN 0 ELSE {PERCENT_CEILING} END"
        f" ELSE LEAST({share}, {PERCENT_CEILING}) END"
    )


def _months(start: str, on: date) -> str:
    """Full months from a day to the day of application."""
    now = on.year * 12 + on.month
    return (
        f"({now} - year({start}) * 12 - month({start})"
        f" - CASE WHEN {on.day} < day({start}) THEN 1 ELSE 0 END)"
    )


# A characteristic and the columns that it follows from where its own is not there.
PARTS: Mapping[str, tuple[str, ...]] = {
    "household_debt_service_percent": (
        "household_debt_service_12m_yuan", "household_income_12m_yuan"),
    "online_revenue_percent": ("online_revenue_12m_yuan", "revenue_12m_yuan"),
    "loan_to_revenue_percent": ("amount_yuan", "revenue_12m_yuan"),
    "hire_share_percent": ("new_hires_12m", "employees"),
    "unsecured_total_yuan": ("unsecured_outstanding_yuan", "amount_yuan"),
    "business_age_months": ("started_on",),
    "report_age_days": ("reported_on",),
    "age_years": ("birth_date",),
    "age_at_maturity_years": ("birth_date", "term_months", "loan_start"),
}  # fmt: skip


def derived(name: str, on: date, dialect: Dialect) -> str:
    """The characteristic from its PARTS, by the rules of `application/deriving.py`."""
    parts = PARTS[name]
    if name.endswith("_percent"):
        return _percent(parts[0], parts[1], dialect)
    if name == "unsecured_total_yuan":
        return f"({parts[0]} + {parts[1]})"
    if name == "report_age_days":
        days = dialect.days_between(parts[0], f"DATE '{on}'")
        return f"CAST({days} AS BIGINT)"
    if name == "age_at_maturity_years":
        start = f"COALESCE(loan_start, DATE '{on}')"
        months = (
            f"((year({start}) - year(birth_date)) * 12 + month({start}) - month(birth_date)"
            f" - CASE WHEN day({start}) < day(birth_date) THEN 1 ELSE 0 END + term_months)"
        )
        return dialect.divide(months, "12")
    months = _months(parts[0], on)
    return months if name == "business_age_months" else dialect.divide(months, "12")
