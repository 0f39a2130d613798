"""Days: how a day is given on the command line, YYYY-MM-DD."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime
from typing import Any

import click

WRITTEN = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)


class Day(click.DateTime):
    """A day of the calendar; one that is written well and does not exist is told as such."""

    def __init__(self) -> None:
        super().__init__(formats=["%Y-%m-%d"])

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Midnight of the day that is meant.

        Raises:
            click.BadParameter: it is no day.
        """
        if isinstance(value, str) and (why := why_not(value)):
            self.fail(why, param, ctx)
        found: datetime = super().convert(value, param, ctx)
        return found


def why_not(text: str) -> str | None:
    """Why a text is not a day and what to write instead; None where it is one.

    >>> why_not("2026-11-31")
    '2026-11-31 is a day that does not exist: 2026-11 has 30 days, the last is 2026-11-30.'
    >>> why_not("2026-13-01")
    '2026-13-01 is a day that does not exist: months go from 01 to 12.'
    >>> why_not("31.11.2026")
    "'31.11.2026' is not a day as it is written here: YYYY-MM-DD, such as 2026-11-30."
    >>> why_not("2026-11-30")
    """
    written = WRITTEN.fullmatch(text)
    if written is None:
        return f"{text!r} is not a day as it is written here: YYYY-MM-DD, such as 2026-11-30."
    year, month, day = map(int, written.groups())
    try:
        date(year, month, day)
    except ValueError:
        return f"{text} is a day that does not exist: {_nearest(year, month)}"
    return None


def _nearest(year: int, month: int) -> str:
    if not 1 <= month <= 12:
        return "months go from 01 to 12."
    if year < 1:
        return "years go from 0001."
    last = monthrange(year, month)[1]
    return f"{year:04}-{month:02} has {last} days, the last is {year:04}-{month:02}-{last}."


a_day = Day()
