"""What became of a loan: its state on a day, rates of grades without a bias, vintages by month."""

from __future__ import annotations

from datetime import date

import pytest

from loansvc.ledger.commitments import Fact, Report
from loansvc.monitoring.lent import Calibration, Lent, Loan, Vintage, loan_of
from loansvc.scorecard import DefaultDefinition

DRAWN = Fact(reference="d", kind="disbursed", on=date(2026, 1, 10), amount_yuan=1_000)
LATER = date(2027, 6, 1)


def known(*facts: Fact, as_of: date) -> Loan | None:
    """The loan of these facts, each reported on its day."""
    reports = [
        Report(sequence=n, recorded_at=f"{fact.on}T12:00:00.000+08:00", fact=fact)
        for n, fact in enumerate(facts, start=1)
    ]
    return loan_of(reports, DefaultDefinition(), as_of=as_of)


def late(days: int, on: date) -> Fact:
    return Fact(reference=f"late {days} {on}", kind="days_past_due", on=on, days=days)


@pytest.mark.parametrize(
    ("facts", "as_of", "state", "months", "bad_months"),
    [
        pytest.param([], LATER, "good", 12, None, id="nothing, the window over"),
        pytest.param([], date(2027, 1, 10), "immature", 11, None, id="on its last day"),
        pytest.param([], date(2027, 1, 11), "good", 12, None, id="a day after it is over"),
        pytest.param([late(89, date(2026, 6, 1))], LATER, "indeterminate", 12, None, id="89 days"),
        pytest.param([late(29, date(2026, 6, 1))], LATER, "good", 12, None, id="29 days"),
        pytest.param([late(90, date(2026, 6, 10))], LATER, "bad", 12, 5, id="90 days"),
        pytest.param([late(90, date(2026, 6, 11))], LATER, "bad", 12, 6, id="a day into a month"),
        pytest.param(
            [late(120, date(2027, 1, 20))], LATER, "bad", 12, 12, id="reported after the window"
        ),
        pytest.param(
            [late(90, date(2027, 1, 11))], LATER, "indeterminate", 12, None, id="90 days too late"
        ),
        pytest.param(
            [late(90, date(2026, 6, 10))], date(2026, 6, 9), "immature", 4, None, id="not known yet"
        ),
        pytest.param(
            [Fact(reference="r", kind="repaid", on=date(2026, 3, 1))],
            date(2026, 3, 1), "good", 1, None, id="repaid early",
        ),
        pytest.param(
            [Fact(reference="w", kind="written_off", on=date(2026, 9, 1))],
            date(2026, 9, 1), "bad", 7, 8, id="written off",
        ),
    ],
)  # fmt: skip
def test_the_state_of_a_loan_on_a_day(
    facts: list[Fact], as_of: date, state: str, months: int, bad_months: int | None
) -> None:
    assert known(DRAWN, *facts, as_of=as_of) == Loan(
        drawn_on=DRAWN.on, state=state, months=months, is_over=months == 12, bad_months=bad_months,
        is_silent=state == "good" and not facts,
    )  # fmt: skip


def test_a_good_loan_that_was_never_heard_of_is_told_apart() -> None:
    """Where a bank stops reporting, nothing turns bad."""
    silent, heard = known(DRAWN, as_of=LATER), known(DRAWN, late(0, LATER), as_of=LATER)
    assert silent is not None
    assert heard is not None
    assert (silent.state, silent.is_silent) == ("good", True)
    assert (heard.state, heard.is_silent) == ("good", False)
    assert lent(silent, silent, heard).n_silent == 2


def test_what_was_never_drawn_is_no_loan() -> None:
    assert known(as_of=LATER) is None
    assert known(DRAWN, as_of=date(2026, 1, 9)) is None


def test_what_was_bad_too_long_ago_is_not_used() -> None:
    """Repaid in August 2026 after arrears: five years later the record is gone."""
    repaid = Fact(reference="r", kind="repaid", on=date(2026, 8, 1))
    facts = (DRAWN, late(95, date(2026, 6, 1)), repaid)
    assert known(*facts, as_of=date(2031, 7, 31)) is not None
    assert known(*facts, as_of=date(2031, 8, 1)) is None


def a_loan(state: str, months: int = 12, bad_months: int | None = None) -> Loan:
    return Loan(
        drawn_on=DRAWN.on, state=state, months=months, is_over=months == 12, bad_months=bad_months
    )


def lent(*loans: Loan, grade: str = "R3", pd_ppm: int = 20_000, officer: str | None = None) -> Lent:
    found = Lent()
    for loan in loans:
        found.add(loan, grade=grade, pd_ppm=pd_ppm, officer=officer)
    return found


def test_a_bad_loan_known_before_its_window_is_over_is_in_no_rate() -> None:
    """Else young loans would all be bad: the good ones are known a year later."""
    found = lent(a_loan("bad", 5, 5), a_loan("immature", 5), officer="D. Decider")
    assert found.calibration(0.05) == ()
    assert found.officer_n == {}


def test_a_grade_as_bad_as_it_was_told_is_no_alarm() -> None:
    [grade] = lent(*[a_loan("good")] * 98, *[a_loan("bad", 12, 3)] * 2).calibration(0.05)
    assert grade == Calibration(grade="R3", n=100, bad=2, pd_12m=0.02, adjusted=1.0, is_over=False)


def test_a_grade_four_times_as_bad_is_an_alarm() -> None:
    """8 of 100 at 2 percent: 8 or more happen once in a thousand, and twice that is 0.0019."""
    [grade] = lent(*[a_loan("good")] * 92, *[a_loan("bad", 12, 3)] * 8).calibration(0.05)
    assert grade.is_over
    assert grade.adjusted == pytest.approx(0.00187, abs=1e-4)


def test_an_indeterminate_loan_is_neither_good_nor_bad() -> None:
    [grade] = lent(a_loan("indeterminate"), a_loan("good")).calibration(0.05)
    assert (grade.n, grade.bad) == (1, 0)


def test_a_vintage_counts_each_month_on_book_for_itself() -> None:
    found = lent(a_loan("bad", 3, 2), a_loan("immature", 3), a_loan("immature", 1))
    assert found.vintages() == (
        Vintage(month="2026-01", drawn=3, watched=(3, 2, 2), bad=(0, 1, 1)),
    )


def test_an_officer_counts_what_came_of_the_loans_approved() -> None:
    found = lent(a_loan("bad", 12, 2), a_loan("good"), officer="D. Decider")
    assert (found.officer_n["D. Decider"], found.officer_bad["D. Decider"]) == (2, 1)
