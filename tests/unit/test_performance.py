"""Performance: whether a loan turned out good or bad, by what was known on a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loansvc.ledger.commitments import Fact, Report
from loansvc.ledger.performance import STATES, Performance, performance
from loansvc.scorecard import DefaultDefinition

DRAWN, LAST_DAY = date(2024, 2, 29), date(2025, 2, 28)
AFTER = LAST_DAY + timedelta(days=1)


def reported(
    kind: str, on: date = DRAWN, recorded_on: date | None = None, corrects: int = 0, **more: Any
) -> Report:
    """A report that was recorded on the day it is of, unless said otherwise."""
    at = f"{recorded_on or on}T12:00:00.000+08:00"
    fact = Fact(reference="R", kind=kind, on=on, **more)
    return Report(sequence=0, recorded_at=at, fact=fact, corrects=corrects)


DISBURSED = reported("disbursed", amount_yuan=50_000)


def late(days: int, on: date, **more: Any) -> Report:
    return reported("days_past_due", on, days=days, **more)


def found(*reports: Report, as_of: date = AFTER, **definition: int) -> Performance:
    """How a loan did that was drawn (entry 1), and of which this was reported (2, 3, ...)."""
    listed = [replace(r, sequence=i) for i, r in enumerate([DISBURSED, *reports], start=1)]
    return performance(listed, DefaultDefinition(**definition), as_of=as_of)


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        pytest.param([], "good", id="nothing was ever wrong"),
        pytest.param([late(29, LAST_DAY)], "good", id="29 days"),
        pytest.param([late(30, LAST_DAY)], "indeterminate", id="30 days"),
        pytest.param([late(89, LAST_DAY)], "indeterminate", id="89 days"),
        pytest.param([late(90, LAST_DAY)], "bad", id="90 days on the last day"),
        pytest.param([late(89, LAST_DAY), late(0, AFTER)], "indeterminate", id="cured"),
        pytest.param([reported("restructured", LAST_DAY)], "bad", id="restructured"),
        pytest.param([reported("written_off", LAST_DAY)], "bad", id="written off"),
        pytest.param([reported("claim_paid", LAST_DAY, amount_yuan=1)], "bad", id="claimed"),
        pytest.param([reported("written_off", AFTER)], "good", id="after the window"),
        pytest.param([reported("balance", LAST_DAY, amount_yuan=0)], "good", id="a balance"),
    ],
)
def test_a_loan_is_judged_when_its_window_is_over(reports: list[Report], state: str) -> None:
    assert found(*reports).state == state


def test_a_late_report_says_when_the_90_days_were_reached() -> None:
    later = LAST_DAY + timedelta(days=5)
    assert found(late(95, later), as_of=later).state == "bad"
    assert found(late(94, later), as_of=later).state == "indeterminate"


def test_only_bad_is_known_before_the_window_is_over() -> None:
    assert found(as_of=LAST_DAY).state == "immature"
    assert found(late(60, date(2024, 9, 1)), as_of=LAST_DAY).state == "immature"
    assert found(late(90, date(2024, 9, 1)), as_of=date(2024, 9, 1)).state == "bad"


def test_a_loan_that_is_repaid_has_no_more_to_come() -> None:
    over = reported("repaid", date(2024, 9, 1))
    assert found(over, as_of=date(2024, 9, 1)).state == "good"
    earlier = late(30, date(2024, 8, 1))
    assert found(earlier, over, as_of=date(2024, 9, 1)).state == "indeterminate"


def test_the_card_says_how_long_and_how_late() -> None:
    assert found(late(60, date(2024, 9, 1)), days_past_due=60).state == "bad"
    at_seven_months = late(90, date(2024, 9, 30))
    assert found(at_seven_months).state == "bad"
    assert found(at_seven_months, window_months=6).state == "indeterminate"


def test_what_was_never_drawn_is_neither() -> None:
    none = performance([], DefaultDefinition(), as_of=AFTER)
    assert (none.state, none.target, none.drawn_on) == ("not_drawn", None, None)


def test_what_came_to_be_known_later_does_not_count() -> None:
    """Neither a report that came late, nor a correction: the table of a day stays that table."""
    told = date(2025, 4, 1)
    bad = late(95, LAST_DAY, recorded_on=told)
    assert [found(bad, as_of=day).state for day in (AFTER, told)] == ["good", "bad"]
    wrong = late(95, LAST_DAY)
    withdrawn = reported("withdrawn", told, corrects=2)
    states = [found(wrong, withdrawn, as_of=day).state for day in (AFTER, told)]
    assert states == ["bad", "good"]


@pytest.mark.parametrize(
    ("reports", "ended_on"),
    [
        pytest.param([late(95, LAST_DAY)], None, id="still late"),
        pytest.param([late(95, LAST_DAY), late(0, AFTER)], AFTER, id="caught up"),
        pytest.param([reported("written_off", LAST_DAY)], None, id="written off"),
        pytest.param(
            [reported("written_off", LAST_DAY), reported("repaid", AFTER)], AFTER,
            id="recovered",
        ),
        pytest.param([], None, id="nothing bad to end"),
    ],
)  # fmt: skip
def test_a_bad_record_is_used_for_five_years_after_it_ended(
    reports: list[Report], ended_on: date | None
) -> None:
    one = found(*reports, as_of=AFTER)
    assert one.ended_on == ended_on
    if ended_on:
        last = date(2030, 2, 28)
        assert [one.is_too_old(day) for day in (last, last + timedelta(days=1))] == [False, True]
    else:
        assert not one.is_too_old(date(2099, 1, 1))


DAYS = st.integers(0, 800).map(lambda n: DRAWN + timedelta(days=n))
REPORTS = st.lists(
    st.one_of(
        st.builds(late, st.integers(0, 200), DAYS),
        st.builds(reported, st.sampled_from(["restructured", "written_off", "repaid"]), DAYS),
    ),
    max_size=5,
).map(lambda listed: sorted(listed, key=lambda report: report.fact.on))


@given(REPORTS, st.integers(0, 900))
def test_bad_stays_bad_and_what_is_judged_never_gets_better(
    listed: list[Report], n_days: int
) -> None:
    """Another day, without corrections, may make a loan mature or worse."""
    now, later = (DRAWN + timedelta(days=n) for n in (n_days, n_days + 40))
    before, after = (found(*listed, as_of=day).state for day in (now, later))
    assert STATES.index(after) >= STATES.index(before)
