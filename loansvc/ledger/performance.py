"""Performance: whether a loan turned out good or bad, as far as was known on a day.

Pure arithmetic over the reports of one loan, in the window that its card states:

    not_drawn      nothing was ever lent
    bad            so many days past due within the window, restructured, written off, or claimed
    indeterminate  30 days past due or more in it, and none of that: neither good nor bad
    good           the window is over, or the loan repaid, and none of that
    immature       the window is not over: it is too early to say

Source: bad is M3+ (90 days), restructuring or write-off, and M1 to M2 are indeterminate (DOMAIN 5
[C]); that a claim paid is bad too, and that M1 begins at 30 days, is our choice [E].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from loansvc.ledger.commitments import Fact, Report, standing
from loansvc.ledger.retention import RULES
from loansvc.scorecard import DefaultDefinition
from loansvc.villages.history import months_after

STATES = ("not_drawn", "immature", "good", "indeterminate", "bad")
INDETERMINATE_DAYS = 30  # M1 begins here
BAD_KINDS = ("restructured", "written_off", "claim_paid")
TARGETS = {"bad": 1, "good": 0}  # of the others there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """How a loan did. `reported_on`: the last day that any report is of.

    `ended_on`: when what was bad or indeterminate about it was over; None where it is not.
    """

    state: str
    drawn_on: date | None = None
    drawn_yuan: int | None = None
    reported_on: date | None = None
    ended_on: date | None = None

    @property
    def target(self) -> int | None:
        """1 bad, 0 good, None where it is neither."""
        return TARGETS.get(self.state)

    def is_too_old(self, as_of: date) -> bool:
        """Whether what is bad about it may not be used any more on that day.

        Source: a bad record goes five years after it ended (Credit reporting regulation art. 16).
        """
        return self.ended_on is not None and RULES["negative"].due_on(self.ended_on) <= as_of


def performance(
    reports: Iterable[Report], definition: DefaultDefinition, *, as_of: date
) -> Performance:
    """How a loan did, by what was reported of it, oldest first, up to and on that day.

    What came to be known later does not count, nor do corrections that came later.
    """
    known = (r for r in reports if date.fromisoformat(r.recorded_at[:10]) <= as_of)
    facts = [report.fact for report in standing(known).values() if report.fact.on <= as_of]
    drawn = next((fact for fact in facts if fact.kind == "disbursed"), None)
    if drawn is None:
        return Performance(state="not_drawn")
    state = _state(facts, definition, drawn_on=drawn.on, as_of=as_of)
    return Performance(
        state=state,
        drawn_on=drawn.on,
        drawn_yuan=drawn.amount_yuan,
        reported_on=max(fact.on for fact in facts),
        ended_on=_ended_on(facts) if state in ("bad", "indeterminate") else None,
    )


def _state(
    facts: Sequence[Fact], definition: DefaultDefinition, *, drawn_on: date, as_of: date
) -> str:
    last_day = months_after(drawn_on, definition.window_months)
    in_window = [fact for fact in facts if fact.kind in BAD_KINDS and fact.on <= last_day]
    if in_window or _reached(facts, definition.days_past_due, by=last_day):
        return "bad"
    if as_of <= last_day and not any(fact.kind == "repaid" for fact in facts):
        return "immature"
    return "indeterminate" if _reached(facts, INDETERMINATE_DAYS, by=last_day) else "good"


def _reached(facts: Iterable[Fact], days: int, *, by: date) -> bool:
    """Whether it was that many days past due by that day, also where it was reported later."""
    return any(
        fact.days is not None
        and fact.days >= days
        and fact.on - timedelta(days=fact.days - days) <= by
        for fact in facts
    )


def _ended_on(facts: Sequence[Fact]) -> date | None:
    """When the trouble was over: the loan repaid, or, of arrears alone, no longer past due."""
    repaid = next((fact.on for fact in facts if fact.kind == "repaid"), None)
    if repaid is not None or any(fact.kind in BAD_KINDS for fact in facts):
        return repaid
    last = max((fact for fact in facts if fact.days is not None), key=lambda fact: fact.on)
    return last.on if last.days == 0 else None
