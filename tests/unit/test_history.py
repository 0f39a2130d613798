"""History: each decision with what its card read and what became of it, as of a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc.lending import Lending
from loansvc.monitoring.history import (
    ANSWER,
    CHARACTERISTICS,
    COLUMNS,
    FOR_TRAINING,
    KNOWN,
    History,
    Row,
    repair_break,
)
from loansvc.privacy import Privacy
from loansvc.reviewing import By, Override, Review, Reviewing
from loansvc.underwriting import Underwriting
from loansvc.web.examples import invented_id_number
from tests.small import TODAY, Clock, a_fact, an_application, small_underwriting

YEAR = timedelta(days=366)
BEFORE_DECIDED = {**KNOWN, **CHARACTERISTICS, **ANSWER}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def root(tmp_path: Path, models: Path, clock: Clock) -> Iterator[Underwriting]:
    found = small_underwriting(tmp_path, models=models, clock=clock)
    yield found
    found.ledger.close()


def decided(root: Underwriting, number: int = 1, **changes: Any) -> str:
    return root.decide(an_application(number, **changes), client="bank")[0].entry.application_id


def report(root: Underwriting, name: str, *facts: Any) -> None:
    for fact in facts:
        Lending(root).record(name, fact, client="bank")


def drawn(root: Underwriting, number: int = 1, **changes: Any) -> str:
    name = decided(root, number, **changes)
    report(root, name, a_fact("disbursed", 100_000, on=root.today()))
    return name


def history(root: Underwriting, **changes: Any) -> History:
    given = {"as_of": root.today(), **changes}
    return History(root, date(2026, 1, 1), date(2031, 1, 1), **given)


def rows(root: Underwriting, **changes: Any) -> list[Row]:
    return list(history(root, **changes).rows())


def states(root: Underwriting, **changes: Any) -> list[tuple[str, int | None]]:
    return [(row["target_state"], row["target"]) for row in rows(root, **changes)]


def test_a_row_has_every_column_and_names_nobody(root: Underwriting) -> None:
    name = drawn(root)
    (row,) = rows(root)
    assert row.keys() == COLUMNS.keys()
    told = {str(value) for value in row.values()}
    entry = root.find(name, client="bank").entry
    assert not told & {name, "bank", entry.subject_ref, invented_id_number(1), entry.hash}
    assert (row["decision_id"], row["drawn_yuan"]) == (entry.decision_id, 100_000)
    assert {type(row[c]) for c, kind in COLUMNS.items() if kind is int} <= {int, type(None)}


def test_only_what_a_model_may_use_is_there_to_train_on() -> None:
    assert {"age_years", "sex", "town", "amount_yuan"}.isdisjoint(FOR_TRAINING)
    assert "target" in FOR_TRAINING
    assert not {*ANSWER, "drawn_yuan", "target_state"} & FOR_TRAINING.keys()


def test_nothing_of_after_the_decision_stands_in_what_was_known(
    root: Underwriting, clock: Clock
) -> None:
    name = drawn(root)
    (before,) = rows(root)
    clock.forward(days=100)
    report(root, name, a_fact("days_past_due", days=95, on=root.today()))
    (after,) = rows(root)
    assert {c: after[c] for c in BEFORE_DECIDED} == {c: before[c] for c in BEFORE_DECIDED}
    assert [(r["target_state"], r["target"]) for r in (before, after)] == [
        ("immature", None), ("bad", 1),
    ]  # fmt: skip
    (as_it_was,) = rows(root, as_of=TODAY)
    assert as_it_was == before


def test_whoever_was_turned_away_is_there_and_marked(root: Underwriting) -> None:
    decided(root, 1)
    decided(root, 2, loan__purpose="securities")
    decided(root, 3, loan__amount_yuan=200_000)
    found = rows(root)
    told = [(r["outcome"], r["rejected"], r["target_state"], r["target"]) for r in found]
    assert told == [
        ("refer", 1, "not_drawn", None),
        ("decline", 1, "not_drawn", None),
        ("approve", 0, "not_drawn", None),
    ]


def test_a_persons_decision_counts_from_its_day(root: Underwriting, clock: Clock) -> None:
    name = decided(root, 1, consent__scopes=["credit_report", "income", "public_records"])
    clock.forward(days=1)
    reviewing = Reviewing(root)
    review = Review(reference="V", asked_by="officer", reason="referred")
    reviewing.ask(name, review, by=By("1"), client="bank")
    approved = Override(reference="O", outcome="approve", reason="visit")
    reviewing.override(name, approved, by=By("2"), client="bank")
    told = [
        (row["outcome"], row["by_person"], row["final_outcome"], row["rejected"])
        for day in (TODAY, root.today())
        for row in rows(root, as_of=day)
    ]
    assert told == [("refer", 0, "refer", 1), ("refer", 1, "approve", 0)]


def test_the_window_is_that_of_the_card_unless_another_is_asked_for(
    root: Underwriting, clock: Clock
) -> None:
    drawn(root)
    clock.forward(days=200)
    assert states(root) == [("immature", None)]
    assert states(root, window_months=6) == [("good", 0)]


def test_what_was_withdrawn_is_no_mark(root: Underwriting, clock: Clock) -> None:
    name = drawn(root)
    clock.now += YEAR
    report(root, name, a_fact("days_past_due", days=95, on=root.today()))
    assert states(root) == [("bad", 1)]
    report(root, name, a_fact("withdrawn", corrects="days_past_due", on=root.today()))
    assert states(root) == [("good", 0)]


def test_people_who_were_erased_are_left_out_and_counted(root: Underwriting) -> None:
    for number in (1, 2):
        decided(root, number)
    Privacy(root).erase(
        invented_id_number(1), reason="withdrawn", reference="E-1", approver="a", by="b"
    )
    of = history(root)
    assert len(list(of.rows())) == 1
    assert of.left_out == {"erased": 1, "too_old": 0, "not_reproducible": 0}


def test_a_loan_whose_trouble_is_over_for_five_years_has_no_row(
    root: Underwriting, clock: Clock
) -> None:
    """Without its mark it would be told as good."""
    name = drawn(root)
    clock.forward(days=100)
    report(root, name, a_fact("days_past_due", days=95, on=root.today()))
    report(root, name, a_fact("repaid", on=root.today()))
    ended_on = root.today()
    clock.on(f"{ended_on.replace(year=ended_on.year + 5)}")
    of = history(root)
    assert (list(of.rows()), of.left_out["too_old"]) == ([], 1)
    assert states(root, as_of=root.today() - timedelta(days=1)) == [("bad", 1)]


@pytest.mark.parametrize(
    ("report_says", "n_rows"),
    [
        pytest.param({"max_days_past_due_24m": 5, "days_past_due_now": 0}, 0, id="arrears"),
        pytest.param({"max_days_past_due_24m": 0, "days_past_due_now": 0}, 1, id="none"),
        pytest.param({"max_days_past_due_24m": 5, "days_past_due_now": 5}, 1, id="not over then"),
    ],
)
def test_arrears_of_a_credit_report_are_used_for_five_years(
    root: Underwriting, clock: Clock, report_says: dict[str, int], n_rows: int
) -> None:
    decided(root, **{f"credit_report__{name}": value for name, value in report_says.items()})
    clock.on(f"{TODAY.replace(year=TODAY.year + 5)}")
    assert len(rows(root)) == n_rows
    assert len(rows(root, as_of=TODAY + 4 * YEAR)) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"credit_report__repair_applied": True}, 1),
        ({"credit_report__repair_applied": False}, 1),
        ({"credit_report__repair_applied": ..., "credit_report__reported_on": "2025-12-31"}, 0),
        ({"credit_report": ...}, None),
        ({"consent__scopes": ["income", "public_records", "automated_decision"]}, None),
    ],
)
def test_reports_of_before_and_after_the_repair_are_told_apart(
    changes: dict[str, Any], expected: int | None
) -> None:
    assert repair_break(an_application(**changes)) == expected


def test_a_product_alone(root: Underwriting) -> None:
    for product in ("credit_loan", "online_loan"):
        decided(root, product=product)
    assert [row["product"] for row in rows(root, product="online_loan")] == ["online_loan"]


def test_what_this_version_scores_otherwise_is_left_out(
    root: Underwriting, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(root)
    from loansvc.application import catalogue

    monkeypatch.setattr(catalogue, "_USED", tuple(
        (name, scope, (lambda _a: None) if name == "business_age_months" else of)
        for name, scope, of in catalogue._USED
    ))  # fmt: skip
    of = history(root)
    assert (list(of.rows()), of.left_out["not_reproducible"]) == ([], 1)
