"""Lent: what became of the loans behind decisions, by grade, month of first draw, and officer.

A loan counts from its first draw. Bad: 90 days past due within 12 months of it, restructured,
written off or claimed within them; indeterminate: 30 days or more and none of that; good: repaid,
or the 12 months over. A rate of bad loans is of those whose 12 months are over: bad ones are known
sooner than good ones, and would be too many before. A vintage has each month on book for itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from loansvc.ledger.commitments import Fact
from loansvc.metrics import chance_of_share, holm
from loansvc.villages.history import months_after

WINDOW_MONTHS = 12  # what pd_12m is a chance of
BAD_DAYS, INDETERMINATE_DAYS = 90, 30  # past due (DOMAIN 5 [B, C])
BAD_KINDS = ("restructured", "written_off", "claim_paid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """A loan as it is known on a day. `bad_months`: on book when it turned bad, rounded up.

    `months`: whole months on book by that day, at most WINDOW_MONTHS.
    """

    drawn_on: date
    state: str
    months: int
    bad_months: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether its window is over and it was good or bad; a bad loan is known sooner."""
        return self.months == WINDOW_MONTHS and self.state in ("good", "bad")


def loan_of(facts: Iterable[Fact], *, as_of: date) -> Loan | None:
    """The loan that these reports are of, as of that day; None where nothing was drawn."""
    known = [fact for fact in facts if fact.on <= as_of]
    drawn_on = next((fact.on for fact in known if fact.kind == "disbursed"), None)
    if drawn_on is None:
        return None
    months = max(k for k in range(WINDOW_MONTHS + 1) if k == 0 or _end(drawn_on, k) <= as_of)
    bad_on = min((day for f in known if (day := _reached(f, BAD_DAYS)) is not None), default=None)
    if bad_on is not None and bad_on <= _end(drawn_on, WINDOW_MONTHS):
        at = next(k for k in range(1, WINDOW_MONTHS + 1) if bad_on <= _end(drawn_on, k))
        return Loan(drawn_on=drawn_on, state="bad", months=months, bad_months=at)
    if months < WINDOW_MONTHS and not any(fact.kind == "repaid" for fact in known):
        return Loan(drawn_on=drawn_on, state="immature", months=months)
    late = any(_reached(fact, INDETERMINATE_DAYS) is not None for fact in known)
    return Loan(drawn_on=drawn_on, state="indeterminate" if late else "good", months=months)


def _end(drawn_on: date, months: int) -> date:
    return months_after(drawn_on, months)


def _reached(fact: Fact, days: int) -> date | None:
    """The day on which it was so many days past due; None where the fact says nothing of it."""
    if fact.kind in BAD_KINDS:
        return fact.on
    if fact.days is None or fact.days < days:
        return None
    return fact.on - timedelta(days=fact.days - days)


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
