"""Watched: the ledger added up over every client, as `loansvc monitor` and `loansvc report` do.

For whoever answers for the county or the service: a key with the scope `admin`. A page is worked
out while somebody waits, so that it reads so many decisions and no more; the shell reads them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from flask import Response

from loansvc.errors import FieldError
from loansvc.monitoring.columns import AMOUNTS, COUNTS, notes, total_row
from loansvc.monitoring.csv_table import csv_bytes
from loansvc.monitoring.limits import SHIPPED_LIMITS
from loansvc.monitoring.reading import decided_between, erased_between, loans_of
from loansvc.monitoring.report import Report, report
from loansvc.monitoring.watch import TOTAL, Watch, watch
from loansvc.monitoring.watch_shown import (
    curve_months,
    headline,
    label_of,
    largest,
    reference_text,
    rows_of,
    silence_text,
)
from loansvc.monitoring.words import PRODUCT_WORDS
from loansvc.underwriting import Recorded
from loansvc.web.access import underwriting
from loansvc.web.console.frame import asked, blueprint, page, signed_in
from loansvc.web.fields import Day
from loansvc.web.requests import InvalidQuery, read_query
from loansvc.web.schemas import StrictSchema

MOST_DECISIONS = 5_000
STATES = {
    "immature": ("未满观察期", "too early to say"),
    "good": ("正常", "good"),
    "indeterminate": ("不确定", "indeterminate"),
    "bad": ("不良", "bad"),
}

DAYS = ("from", "to", "reference_from", "reference_to")
PeriodSchema = StrictSchema.from_dict({name: Day() for name in DAYS}, name="PeriodSchema")


@blueprint.get("/monitoring")
@signed_in("admin")
def monitoring() -> Response:
    """A period against its reference and the limits; this month unless asked."""
    since, until = _period(months=True)
    root, before = underwriting(), _reference(since, until)
    found = watch(
        _bounded(since, until), root.registry, loans_of(root, root.today()),
        since=since, until=until, as_of=root.today(), limits=SHIPPED_LIMITS,
        before=_bounded(*before) if before else (), reference=before,
        erased=erased_between(root, since.isoformat(), until.isoformat()),
    )  # fmt: skip
    return page(
        "monitoring.html", found=found, since=since, until=until, headline=headline(found),
        reference=reference_text(found), silence=silence_text(found), months=curve_months(found),
        rows=lambda name: list(rows_of(found, name)), largest=largest, label=label_of,
        bands=_bands(found), states=STATES, products=PRODUCT_WORDS, asked=asked(DAYS),
    )  # fmt: skip


def _bands(found: Watch) -> list[tuple[int, int]]:
    """First score of each band of the period, and how many stood in it."""
    total = found.scores.get(TOTAL)
    return sorted(total.bands.items()) if total else []


@blueprint.get("/report")
@signed_in("admin")
def county_report() -> Response:
    """What was decided in a period, by every dimension; this year unless asked."""
    since, until = _period(months=False)
    found = _report(since, until)
    return page(
        "report.html", found=found, since=since, until=until, total=total_row(found),
        counts=COUNTS, amounts=AMOUNTS, notes=notes(found),
    )  # fmt: skip


@blueprint.get("/report.csv")
@signed_in("admin")
def county_report_csv() -> Response:
    """The same as one long table."""
    since, until = _period(months=False)
    response = Response(csv_bytes(_report(since, until)), content_type="text/csv; charset=utf-8")
    name = f"report-{since}-{until}.csv"
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


def _report(since: date, until: date) -> Report:
    root = underwriting()
    return report(
        _bounded(since, until), root.registry, since=since, until=until,
        erased=erased_between(root, since.isoformat(), until.isoformat()),
    )  # fmt: skip


def _period(*, months: bool) -> tuple[date, date]:
    """First and last day asked about: else of this month, or year, until today.

    Raises:
        InvalidQuery: the last is before the first.
    """
    query, today = read_query(PeriodSchema, asked(DAYS)), underwriting().today()
    until: date = query["to"] or today
    since: date = query["from"] or (until.replace(day=1) if months else date(until.year, 1, 1))
    if until < since:
        raise _refused("Must not be before the first day.")
    return since, until


def _reference(since: date, until: date) -> tuple[date, date] | None:
    """Days of the ledger to compare with, if both are given.

    Raises:
        InvalidQuery: they are no days apart from those asked about.
    """
    query = read_query(PeriodSchema, asked(DAYS))
    first, last = query["reference_from"], query["reference_to"]
    if not (first and last):
        return None
    if last < first or (first <= until and since <= last):
        raise _refused("Must be other days than those asked about.", at="reference_to")
    return first, last


def _bounded(since: date, until: date) -> Iterator[Recorded]:
    """The decisions of these days.

    Raises:
        InvalidQuery: there are more than a page reads.
    """
    for place, one in enumerate(decided_between(underwriting(), since, until)):
        if place == MOST_DECISIONS:
            raise _refused(f"Holds more than {MOST_DECISIONS} decisions. Choose fewer days.")
        yield one


def _refused(says: str, *, at: str = "to") -> InvalidQuery:
    return InvalidQuery([FieldError(at, "out_of_range", says)])
