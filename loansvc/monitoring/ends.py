"""Ends: which loans turned out good or bad, each on the last day of its window and not before.

Bad loans show early and good ones late: were each counted once it is known, the first months would
hold bad ones alone, and look as if every PD were too low.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from loansvc.errors import Erased
from loansvc.ledger.performance import Performance, performance
from loansvc.monitoring.reading import reports_of
from loansvc.monitoring.sequential import End
from loansvc.scorecard import DefaultDefinition
from loansvc.underwriting import Recorded, Underwriting
from loansvc.villages.history import months_after

EndOf = Callable[[Recorded], End | None]


def end_of(how: Performance, definition: DefaultDefinition, *, as_of: date) -> End | None:
    """How a loan ended its window; None while that lasts, undrawn, or neither good nor bad.

    >>> how = Performance(state="bad", drawn_on=date(2026, 1, 15))
    >>> end_of(how, DefaultDefinition(), as_of=date(2027, 1, 15)) is None
    True
    >>> end_of(how, DefaultDefinition(), as_of=date(2027, 1, 16))
    End(on=datetime.date(2027, 1, 15), is_bad=True)
    """
    if how.target is None or how.drawn_on is None:
        return None
    last_day = months_after(how.drawn_on, definition.window_months)
    return End(last_day, is_bad=how.target == 1) if last_day < as_of else None


def ends_in(root: Underwriting, *, as_of: date) -> EndOf:
    """How the loan of a decision ended, by what was reported of it up to and on that day.

    What is bad is what the champion of that day calls bad, for every card.
    """

    def of(recorded: Recorded) -> End | None:
        try:
            reports = reports_of(root, recorded)
        except Erased:  # since the decision was read
            return None
        if not reports:
            return None
        champion = root.registry.in_force(recorded.entry.product, as_of).scorecard
        definition = champion.content.default
        return end_of(performance(reports, definition, as_of=as_of), definition, as_of=as_of)

    return of
