"""Rates: the loan prime rate (LPR) in force on a day, in basis points. Reads no file and no clock.

A quote holds until the next one. Quotes come monthly; when the newest is more than 45 days old on
the day of application, the decision carries a warning (DOMAIN 8).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date

from loansvc.editions import Reader

STALE_AFTER_DAYS = 45  # DOMAIN 8
FIRST_LPR_ON = date(2019, 8, 20)  # before it the central bank's base rate held (DOMAIN 8)
ONE_YEAR_UP_TO_MONTHS = 60  # terms up to five years are priced on the one-year quote


@dataclass(frozen=True, slots=True)
class Quote:
    """One monthly quote, or the base rate that held before the first."""

    effective_on: date
    lpr_1y_bp: int
    lpr_5y_bp: int

    def for_term(self, term_months: int) -> int:
        """The quote a loan of this term is priced on, in basis points."""
        return self.lpr_1y_bp if term_months <= ONE_YEAR_UP_TO_MONTHS else self.lpr_5y_bp

    @property
    def is_base_rate(self) -> bool:
        """Whether it is the central bank's base rate (贷款基准利率), which was set, not quoted."""
        return self.effective_on < FIRST_LPR_ON

    def stale_on(self, on: date) -> bool:
        """Whether a newer quote should have come by then."""
        if self.is_base_rate and on < FIRST_LPR_ON:
            return False
        return (on - self.effective_on).days > STALE_AFTER_DAYS


@dataclass(frozen=True, slots=True)
class Rates:
    """Quotes in ascending order of date."""

    quotes: tuple[Quote, ...]

    def on(self, on: date) -> Quote:
        """The quote in force that day; the edition starts with its first quote, so there is one.

        >>> may = Quote(date(2025, 5, 20), 300, 350)
        >>> Rates((Quote(date(2024, 10, 21), 310, 360), may)).on(date(2025, 5, 20)) == may
        True
        """
        i = bisect_right(self.quotes, on, key=lambda q: q.effective_on)
        assert i > 0, "an edition of rates is in force only from its first quote on"
        return self.quotes[i - 1]


def read_rates(reader: Reader, *, valid_from: date) -> Rates:
    """The quotes of a document, ascending, the first on or before the edition's first day."""
    quotes = []
    for row in reader.tables("quotes", at_least=1):
        with row:
            quotes.append(
                Quote(
                    effective_on=row.day("effective_on"),
                    lpr_1y_bp=row.integer("lpr_1y_bp", low=1, high=3000),
                    lpr_5y_bp=row.integer("lpr_5y_bp", low=1, high=3000),
                )
            )
    days = [q.effective_on for q in quotes]
    if days != sorted(set(days)):
        reader.refuse("quotes", "must be in ascending order of date, one quote a day")
    if days[0] > valid_from:
        reader.refuse("quotes", f"must start on or before the edition's first day {valid_from}")
    return Rates(tuple(quotes))
