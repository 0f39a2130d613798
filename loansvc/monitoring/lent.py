"""Lent: what became of the loans behind decisions, by grade, month of first draw, and officer.

What bad and good mean, and until when: `loansvc.ledger.performance`, by the card that decided. A
rate of bad loans is of those whose window is over: bad ones are known sooner than good ones, and
would be too many before. A vintage has each month on book for itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from loansvc.ledger.commitments import Report
from loansvc.ledger.performance import TARGETS, performance
from loansvc.metrics import chance_of_share, holm
from loansvc.scorecard import DefaultDefinition
from loansvc.villages.history import months_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A loan as it is known on a day. `state`: one of `performance.STATES`, but not drawn.

    `months`: whole months on book by that day, at most those of its window, which `is_over` then;
    `bad_months`: those after which it was bad, where it is. `is_silent`: it counts as good, and
    nothing was reported of it since it was drawn.
    """

    drawn_on: date
    state: str
    months: int
    is_over: bool
    bad_months: int | None = None
    is_silent: bool = False

    @property
    def is_known(self) -> bool:
        """Whether its window is over and it was good or bad; a bad loan is known sooner."""
        return self.is_over and self.state in TARGETS


def loan_of(
    reports: Sequence[Report], definition: DefaultDefinition, *, as_of: date
) -> Loan | None:
    """The loan that these reports are of, as was known by that day.

    None where nothing was drawn, or what is bad about it is too old to be used.
    """
    how = performance(reports, definition, as_of=as_of)
    if how.drawn_on is None or how.is_too_old(as_of):
        return None
    ends = [months_after(how.drawn_on, k) for k in range(1, definition.window_months + 1)]
    months = sum(end < as_of for end in ends)
    bad_months = None
    if how.state == "bad":
        windows = (replace(definition, window_months=k + 1) for k in range(len(ends)))
        states = (performance(reports, window, as_of=as_of).state for window in windows)
        bad_months = next(k for k, state in enumerate(states, start=1) if state == "bad")
    return Loan(
        drawn_on=how.drawn_on, state=how.state, months=months, is_over=months == len(ends),
        bad_months=bad_months,
        is_silent=how.state == "good" and how.reported_on == how.drawn_on,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A grade: loans whose end is known, how many turned bad, and the PD they were given.

    `adjusted`: the chance of a number so far off, were the PDs right, beside all grades.
    """

    grade: str
    n: int
    bad: int
    pd_12m: float
    adjusted: float
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Vintage:
    """Loans first drawn in a month: so many watched for k months (`[k - 1]`), and bad by then."""

    month: str
    drawn: int
    watched: tuple[int, ...]
    bad: tuple[int, ...]


@dataclass(slots=True)
class Lent:
    """What is held while the loans go by."""

    n: Counter[str] = field(default_factory=Counter)  # by state
    n_silent: int = 0
    grade_n: Counter[str] = field(default_factory=Counter)
    grade_bad: Counter[str] = field(default_factory=Counter)
    grade_pd_ppm: Counter[str] = field(default_factory=Counter)
    officer_n: Counter[str] = field(default_factory=Counter)
    officer_bad: Counter[str] = field(default_factory=Counter)
    drawn: Counter[str] = field(default_factory=Counter)
    watched: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    bad: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, loan: Loan, *, grade: str, pd_ppm: int, officer: str | None) -> None:
        """Count one loan; `officer` approved it, where a person did."""
        self.n[loan.state] += 1
        self.n_silent += loan.is_silent
        if loan.is_known:
            is_bad = loan.state == "bad"
            self.grade_n[grade] += 1
            self.grade_bad[grade] += is_bad
            self.grade_pd_ppm[grade] += pd_ppm
            if officer is not None:
                self.officer_n[officer] += 1
                self.officer_bad[officer] += is_bad
        month = f"{loan.drawn_on:%Y-%m}"
        self.drawn[month] += 1
        for k in range(1, loan.months + 1):
            self.watched[month][k] += 1
            self.bad[month][k] += loan.bad_months is not None and loan.bad_months <= k

    def calibration(self, alpha: float) -> tuple[Calibration, ...]:
        """Each grade that has a loan whose end is known, the best first."""
        grades = sorted(self.grade_n)
        pds = {g: self.grade_pd_ppm[g] / self.grade_n[g] / 1_000_000 for g in grades}
        chances = [chance_of_share(self.grade_bad[g], self.grade_n[g], pds[g]) for g in grades]
        return tuple(
            Calibration(
                grade=grade, n=self.grade_n[grade], bad=self.grade_bad[grade], pd_12m=pds[grade],
                adjusted=chance, is_over=chance < alpha,
            )
            for grade, chance in zip(grades, holm(chances), strict=True)
        )  # fmt: skip

    def vintages(self) -> tuple[Vintage, ...]:
        """Each month in which a loan was first drawn; months on book that somebody reached."""
        return tuple(
            Vintage(
                month=month, drawn=self.drawn[month],
                watched=tuple(self.watched[month][k] for k in sorted(self.watched[month])),
                bad=tuple(self.bad[month][k] for k in sorted(self.watched[month])),
            )
            for month in sorted(self.drawn)
        )  # fmt: skip
