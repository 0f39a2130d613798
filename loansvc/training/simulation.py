"""Simulation: months of the synthetic county, lived through in a ledger of its own.

People apply, a service decides, some cases go to a person, loans are paid out, and what becomes of
them is reported: by the same calls that a bank makes, only that the clock is the simulation's. Who
applies, who turns bad and when follows from the plan and its seed alone, whatever was decided; so
that what was done before is done again without effect, and a later call goes on from there.

From `drift_month` on other people come, and everybody repays worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from random import Random
from typing import Any

import numpy as np

from loansvc.application import from_record
from loansvc.errors import OutcomeRefused, ReviewRefused
from loansvc.ledger.commitments import Fact
from loansvc.lending import Lending
from loansvc.reviewing import By, Override, Review, Reviewing
from loansvc.training.county import DEFAULT_COUNTY, MIXES, County, Mix
from loansvc.training.records import application_records
from loansvc.training.synthetic import generate
from loansvc.underwriting import SHANGHAI, Underwriting

CLIENT = "simulation"
# The county's own trends and its wet year stand still at this month of its window: between two
# months of one plan nothing differs but the drift.
COUNTY_MONTH = 9
LAST_DAY = 28  # of a month on which something happens
# Design choices, none of them measured.
DRAWN_PERCENT = 95  # of offers
REVIEWED_PERCENT = 90  # of referrals
LATE_PERCENT = 6  # of good loans, once, for less than 60 days
OFFICERS = {"Officer A": 35, "Officer B": 45, "Officer C": 90}  # percent of reviews approved
DRIFT_BASE = 1.4  # on ln(bad / good): four times the odds
DRIFT_ONLINE = 0.35  # more of the people sell online


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is simulated. Months count from 1; `drift_month` 0: the county stays as it is.

    A bad loan is 90 days past due within `window_months` of being drawn, so that outcomes come in
    time to be learnt from.
    """

    first_day: date
    seed: int = 1
    product: str = "credit_loan"
    months: int = 24
    applications: int = 500  # a month
    drift_month: int = 13
    window_months: int = 6

    @property
    def last_month(self) -> int:
        """The month after which the last loan has had its window."""
        return self.months + self.window_months + 1

    def to_record(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self) | {"first_day": self.first_day.isoformat()}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Plan:
        """The plan whose JSON form this is."""
        return cls(**{**record, "first_day": date.fromisoformat(record["first_day"])})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens. `kind`: applied, review, override, or the kind of an outcome."""

    at: datetime
    kind: str
    document: dict[str, Any]
    days: int | None = None
    officer: str = ""
    outcome: str = ""

    @property
    def application_id(self) -> str:
        """Of whom."""
        return str(self.document["application_id"])

    @property
    def reference(self) -> str:
        """The id of this step among those of one application."""
        return f"{self.kind}-{self.at:%Y%m%d}"


def steps_of(plan: Plan, month: int) -> list[Step]:
    """What happens in that month, in order, should every offer be made and taken.

    >>> plan = Plan(first_day=date(2021, 6, 1), applications=20)
    >>> {step.kind for step in steps_of(plan, 1)} >= {"applied", "disbursed"}
    True
    """
    found = [
        step
        for began in range(1, min(month, plan.months) + 1)
        for step in _steps_of_people(plan, began)
        if _month_number(plan, step.at) == month
    ]
    return sorted(found, key=lambda step: (step.at, step.application_id))


def live(plan: Plan, root: Underwriting, month: int, on_step: Callable[[], object]) -> int:
    """Let one month happen on the ledger of `root`; how many applications were decided in it."""
    moment = [root.clock()]
    service = Underwriting(root.registry, root.ledger, clock=lambda: moment[0])
    n_decided = 0
    for step in steps_of(plan, month):
        moment[0] = step.at
        if step.kind == "applied":
            service.decide(from_record(step.document), client=CLIENT)
            n_decided += 1
        else:
            with suppress(OutcomeRefused, ReviewRefused):  # there is no offer, or no review
                _follow_up(service, step)
        on_step()
    return n_decided


def _follow_up(service: Underwriting, step: Step) -> None:
    """A step after the decision. What does not go with that is refused, as it would be a bank's.

    Raises:
        OutcomeRefused, ReviewRefused
    """
    name = step.application_id
    if step.kind == "review":
        if service.find(name, client=CLIENT).decision["outcome"] == "refer":
            review = Review(reference=step.reference, asked_by="officer", reason="referred")
            Reviewing(service).ask(name, review, by=By(holder="Clerk"), client=CLIENT)
    elif step.kind == "override":
        said = Override(reference=step.reference, outcome=step.outcome, reason="visit")
        Reviewing(service).override(name, said, by=By(holder=step.officer), client=CLIENT)
    else:
        with service.ledger.reading() as ledger:
            loan = ledger.fund.find(CLIENT, name)
        if loan is None:  # neither machine nor person approved
            return
        amount = loan.offered_yuan if step.kind == "disbursed" else None
        fact = Fact(
            reference=step.reference, kind=step.kind, on=step.at.date(), days=step.days,
            amount_yuan=amount,
        )  # fmt: skip
        Lending(service).record(name, fact, client=CLIENT)


# --- who comes, and what becomes of them ----------------------------------------------------------


@cache
def _steps_of_people(plan: Plan, month: int) -> tuple[Step, ...]:
    """Everything that becomes of those who apply in that month."""
    county, mix = _county(plan, month)
    seed = plan.seed * 1_000 + month
    people = generate(
        plan.applications, seed=seed, product=plan.product, county=county, mix=mix,
        months=range(COUNTY_MONTH, COUNTY_MONTH + 1),
    )  # fmt: skip
    rng = Random(seed)  # noqa: S311  # made-up people, not keys
    first = _first_day(plan, month)
    found: list[Step] = []
    for day in range(LAST_DAY):
        of_day = people.take(np.arange(day, plan.applications, LAST_DAY))
        on = first + timedelta(days=day)
        records = application_records(
            of_day.frame, product=plan.product, applied_on=on, seed=seed * 100 + day
        )
        for document, is_bad in zip(records, of_day.truth["is_bad"].tolist(), strict=True):
            at = datetime.combine(on, time(9), SHANGHAI) + timedelta(minutes=rng.randrange(480))
            found += _life(plan, document, at, rng, is_bad=is_bad)
    return tuple(found)


def _life(
    plan: Plan, document: dict[str, Any], at: datetime, rng: Random, *, is_bad: bool
) -> Iterator[Step]:
    yield Step(at, "applied", document)
    if rng.randrange(100) < REVIEWED_PERCENT:
        officer = rng.choice(list(OFFICERS))
        outcome = "approve" if rng.randrange(100) < OFFICERS[officer] else "decline"
        yield Step(at + timedelta(days=1), "review", document)
        yield Step(at + timedelta(days=2), "override", document, officer=officer, outcome=outcome)
    drawn_at = at + timedelta(days=rng.randrange(3, 8))
    if rng.randrange(100) >= DRAWN_PERCENT:
        return
    yield Step(drawn_at, "disbursed", document)
    due_at = drawn_at + timedelta(days=29 * rng.randint(1, plan.window_months - 3))
    if is_bad:
        for days in (31, 61, 91):
            past_due = due_at + timedelta(days=days)
            yield Step(past_due, "days_past_due", document, days=days)
        return
    if rng.randrange(100) < LATE_PERCENT:
        days = rng.randint(3, 55)
        yield Step(due_at + timedelta(days=days), "days_past_due", document, days=days)
    window = timedelta(days=30 * plan.window_months)
    yield Step(drawn_at + window, "days_past_due", document, days=0)
    term = timedelta(days=30 * document["loan"]["term_months"])
    yield Step(drawn_at + term, "repaid", document)


def _county(plan: Plan, month: int) -> tuple[County, Mix]:
    """The county of that month, and who asks in it."""
    mix = MIXES[plan.product]
    if not plan.drift_month or month < plan.drift_month:
        return DEFAULT_COUNTY, mix
    return replace(DEFAULT_COUNTY, base=DEFAULT_COUNTY.base + DRIFT_BASE), replace(
        mix, sells_online=mix.sells_online + DRIFT_ONLINE
    )


def _first_day(plan: Plan, month: int) -> date:
    months = plan.first_day.year * 12 + plan.first_day.month - 1 + month - 1
    return date(months // 12, months % 12 + 1, 1)


def _month_number(plan: Plan, at: datetime) -> int:
    """Which month of the plan an instant is in."""
    first = plan.first_day
    return (at.year - first.year) * 12 + at.month - first.month + 1
