"""Retention: how long what is recorded of a person stays, and who is due to be erased.

A record ends on a day (the decision that led to nothing, the loan that is over) and is due so many
years later. One key opens all of a person's records, so that a person is erased when every record
is due; a record that is due before the others waits for them and is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import func, select

from loansvc.ledger import tables
from loansvc.ledger.chain import Entry
from loansvc.ledger.commitments import Commitment
from loansvc.ledger.entries import Reading

RULES_OF = date(2026, 11, 26)  # the day from which the table below holds


@dataclass(frozen=True, slots=True)
class Rule:
    """One class of records: how many years after its end it is due, and by which source.

    `grade` as in docs/domain.md: A text read, B and C second hand, M from memory, E our proposal.
    """

    name: str
    years: int
    zh: str
    en: str
    source: str
    grade: str

    @property
    def verify(self) -> bool:
        """Whether a lawyer has to confirm it."""
        return self.grade in ("M", "E")

    def due_on(self, ended_on: date) -> date:
        """The first day on which a record that ended then has to go.

        >>> RULES["negative"].due_on(date(2024, 2, 29))
        datetime.date(2029, 3, 1)
        """
        try:
            return ended_on.replace(year=ended_on.year + self.years)
        except ValueError:  # 29 February
            return date(ended_on.year + self.years, 3, 1)


RULES = {
    rule.name: rule
    for rule in (
        Rule("not_drawn", 3, "未放款的申请", "applications without a loan",
             "PIPL art. 19 (no longer than needed); Civil Code art. 188 (claims lapse in 3 years)",
             "M"),
        Rule("human", 3, "人工复核与异议", "reviews, overrides and disputes",
             "as the application they are about", "E"),
        Rule("loan_over", 5, "已结清贷款", "loans that are over",
             "PIPL art. 19; 5 years as for negative items, a proposal", "E"),
        Rule("negative", 5, "不良信息", "loans that were overdue, restructured or claimed",
             "Credit reporting regulation (2013) art. 16: 5 years from the end of the event", "A"),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a person; `due_on` None while it has not ended."""

    rule: str
    due_on: date | None


@dataclass(slots=True)
class Review:
    """What is due by class (how many, and since when), who is, and what waits for the rest."""

    n_due: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    oldest: dict[str, date] = field(default_factory=dict)
    people: list[str] = field(default_factory=list)
    n_waiting: int = 0

    def add(self, subject_ref: str, records: list[Record], today: date) -> None:
        """Count the records of one person."""
        due = [r for r in records if r.due_on is not None and r.due_on <= today]
        for record in due:
            assert record.due_on is not None
            self.n_due[record.rule] += 1
            oldest = self.oldest.get(record.rule, record.due_on)
            self.oldest[record.rule] = min(oldest, record.due_on)
        if due and len(due) == len(records):
            self.people.append(subject_ref)
        else:
            self.n_waiting += len(due)


def review(ledger: Reading, *, at: datetime) -> Review:
    """What is due on that day."""
    found = Review()
    for ref in _perhaps_due(ledger, at.date()):
        found.add(ref, records_of(ledger, ref, at=at), at.date())
    return found


def is_due(ledger: Reading, subject_ref: str, *, at: datetime) -> bool:
    """Whether every record of a person is due."""
    found = Review()
    found.add(subject_ref, records_of(ledger, subject_ref, at=at), at.date())
    return bool(found.people)


def _perhaps_due(ledger: Reading, today: date) -> list[str]:
    """People with a record older than the shortest period; the others need not be looked at."""
    shortest = min(rule.years for rule in RULES.values())
    entry, key = tables.entry.c, tables.subject_key.c
    first = func.min(entry.decided_at)
    query = (
        select(entry.subject_ref)
        .join(tables.subject_key, key.subject_ref == entry.subject_ref)
        .where(entry.kind == "decision")
        .group_by(entry.subject_ref)
        # As text: any instant of that day comes before "T24".
        .having(first < f"{_years_back(today, shortest)}T24")
        .order_by(entry.subject_ref)
    )
    return list(ledger.connection.execute(query).scalars())


def _years_back(today: date, years: int) -> date:
    try:
        return today.replace(year=today.year - years)
    except ValueError:  # 29 February
        return date(today.year - years, 2, 28)


def records_of(ledger: Reading, subject_ref: str, *, at: datetime) -> list[Record]:
    """Every record of a person with the day on which it is due."""
    loans = ledger.fund.all_of(subject_ref)
    drawn = {(loan.client, loan.application_id) for loan in loans}
    entries = ledger.entries_of(subject_ref)
    return [
        *(_of_loan(loan, at) for loan in loans),
        *_of_entries(entries, without=drawn),
    ]


def _of_loan(loan: Commitment, at: datetime) -> Record:
    lapsed = loan.lapsed_by(at.isoformat(timespec="milliseconds"))
    if lapsed or loan.state == "taken_back":
        rule = RULES["not_drawn"]
        return Record(rule.name, rule.due_on(datetime.fromisoformat(loan.lapses_at).date()))
    rule = RULES["negative" if loan.overdue else "loan_over"]
    if loan.state != "repaid":
        return Record(rule.name, None)
    return Record(rule.name, rule.due_on(date.fromisoformat(loan.balance_on)))


def _of_entries(entries: Iterable[Entry], *, without: set[tuple[str, str]]) -> Iterator[Record]:
    for entry in entries:
        day = date.fromisoformat(entry.decided_at[:10])
        if entry.kind == "decision" and (entry.client, entry.application_id) not in without:
            yield Record("not_drawn", RULES["not_drawn"].due_on(day))
        elif entry.kind in ("review", "override", "dispute"):
            yield Record("human", RULES["human"].due_on(day))
