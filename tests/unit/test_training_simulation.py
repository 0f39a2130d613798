"""Months of the synthetic county: the same for the same plan, another county after the drift."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain
from pathlib import Path

import pytest

from loansvc.ledger import Ledger
from loansvc.registry import Registry
from loansvc.settings import shipped
from loansvc.training.simulation import CLIENT, Plan, Step, live, steps_of
from loansvc.underwriting import Underwriting

PLAN = Plan(first_day=date(2021, 6, 1), applications=56, months=4, drift_month=3)
LARGE = replace(PLAN, applications=2_000, months=2, drift_month=2)


def every_step(plan: Plan) -> list[Step]:
    return list(chain(*(steps_of(plan, month) for month in range(1, plan.last_month + 1))))


def test_a_plan_is_one_history_and_a_seed_another() -> None:
    """Month by month, in order, each step in its own month."""
    steps = every_step(PLAN)
    assert steps == every_step(replace(PLAN))
    assert steps != every_step(replace(PLAN, seed=2))
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    applied = Counter(step.at.date().replace(day=1) for step in steps if step.kind == "applied")
    assert applied == {date(2021, month, 1): 56 for month in (6, 7, 8, 9)}


def test_a_bad_loan_is_90_days_past_due_within_its_window() -> None:
    steps = every_step(replace(PLAN, applications=500))
    drawn = {s.application_id: s.at for s in steps if s.kind == "disbursed"}
    late = [s for s in steps if s.days is not None and s.days >= 90]
    assert len(late) > 50
    for step in late:
        assert step.at - drawn[step.application_id] <= timedelta(days=181)  # six months at least


def test_the_county_is_another_one_from_the_month_of_drift() -> None:
    """Twice as many turn bad, and many more sell online; before it and without it nothing moves."""

    def of(plan: Plan, month: int) -> tuple[float, float]:
        bad = [s for s in every_step(plan) if s.days == 91]
        people = {s.application_id: s for s in steps_of(plan, month) if s.kind == "applied"}
        businesses = [s.document["business"] for s in people.values()]
        online = sum(b.get("online_revenue_12m_yuan", 0) > 0 for b in businesses)
        return sum(s.application_id in people for s in bad) / 2_000, online / 2_000

    (bad, online), (bad_after, online_after) = of(LARGE, 1), of(LARGE, 2)
    assert bad_after > 1.5 * bad
    assert online_after > online + 0.2
    still = replace(LARGE, drift_month=0)
    assert of(still, 1) == (bad, online)
    assert of(still, 2) == pytest.approx((bad, online), rel=0.25)


def test_what_happened_is_done_again_without_effect(tmp_path: Path) -> None:
    """Decisions, reviews and reports alike: whoever was killed in a month begins it again."""
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", home=tmp_path, create=True)
    root = Underwriting(Registry.open(shipped("models")), ledger)
    steps: list[None] = []
    for month in (1, 2):
        assert live(PLAN, root, month, lambda: steps.append(None)) == 56
    assert len(steps) == len(steps_of(PLAN, 1)) + len(steps_of(PLAN, 2))

    def kinds() -> Counter[str]:
        with ledger.snapshot() as connection:
            rows = connection.exec_driver_sql("SELECT kind, client FROM entry").all()
        assert {row.client for row in rows} == {CLIENT}
        return Counter(row.kind for row in rows)

    before = kinds()
    assert before["decision"] == 112
    assert min(before["outcome"], before["review"], before["override"]) > 0
    live(PLAN, root, 2, lambda: None)
    assert kinds() == before
    assert ledger.verify() == (sum(before.values()), [])
    ledger.close()
