"""Whatever was decided, rows add up to their total, and a draft alone makes an impact."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from loansvc.application import PRODUCTS, PURPOSES
from loansvc.editions import Edition
from loansvc.monitoring.budget import weigh
from loansvc.monitoring.csv_table import csv_bytes, safe_cell
from loansvc.monitoring.figures import Figures
from loansvc.monitoring.impact import impact, move_table
from loansvc.monitoring.offers import Prices
from loansvc.monitoring.report import (
    BY_PERSON,
    FEWEST_PEOPLE,
    SMALL_CELLS,
    Report,
    report,
    standing_of,
)
from loansvc.policy.terms import PROPOSED_CHANGE_BUDGET
from loansvc.registry import Registry
from loansvc.underwriting import Recorded
from tests.recorded import a_recorded
from tests.small import CODES, NOON, TODAY, small_models


@cache
def registry() -> Registry:
    return Registry.open(small_models(Path(tempfile.mkdtemp())))


def credential(kind: str, issuer: str) -> dict[str, str]:
    return {"kind": kind, "issuer": issuer, "number": "1", "issued_on": "2024-01-01"}


HELD = (
    credential("veteran", "veterans_affairs"), credential("graduate", "hrss"),
    credential("farmer_founder", "agriculture"), credential("training_certificate", "hrss"),
)  # fmt: skip
changes = st.fixed_dictionaries(
    {
        "product": st.sampled_from(PRODUCTS),
        "person": st.sampled_from("abcdef"),
        "decided_at": st.integers(0, 400).map(lambda n: NOON - timedelta(days=n)),
        "applicant__village_code": st.sampled_from(sorted(CODES)),
        "loan__amount_yuan": st.integers(1, 200_000),
        "loan__purpose": st.sampled_from(PURPOSES),
        "credentials": st.lists(st.sampled_from(HELD), max_size=3, unique_by=str),
        "credit_report__max_days_past_due_24m": st.integers(0, 120),
    }
)
overrides = st.none() | st.tuples(
    st.sampled_from(["visit", "facts_not_confirmed"]), st.sampled_from(["A. One", "B. Two"])
)


@st.composite
def ledgers(draw: st.DrawFn) -> list[Recorded]:
    drawn = draw(st.lists(st.tuples(changes, overrides), max_size=12))
    made = [
        declined(a_recorded(registry(), n, **one), by) for n, (one, by) in enumerate(drawn, start=1)
    ]
    return made[::-1]


def declined(recorded: Recorded, by: tuple[str, str] | None) -> Recorded:
    """The decision with a person's decline beside it, if there is one."""
    if by is None:
        return recorded
    reason, officer = by
    payload = {
        "override": {"outcome": "decline", "reason": reason},
        "by": {"key_id": "", "holder": officer},
    }
    entry = replace(recorded.entry, kind="override", outcome="decline")
    return replace(recorded, acts=((entry, payload),))


def reported(recorded: list[Recorded], *, all_cells: bool = False) -> Report:
    return report(
        recorded, registry(), since=date(2025, 1, 1), until=date(2026, 12, 31), all_cells=all_cells
    )


@settings(max_examples=60, deadline=None)
@given(ledgers())
def test_rows_add_up_to_the_total_where_each_application_has_one_row(
    recorded: list[Recorded],
) -> None:
    found = reported(recorded)
    assert {t.name for t in found.tables if t.adds_up} == {"product", "village", "month"}
    for table in found.tables:
        total = sum((row.figures for row in table.rows), Figures())
        if table.adds_up:
            assert total == found.total, table.name
        elif table.name in BY_PERSON:
            assert total.applications == found.total.by_person, table.name
        else:
            assert total.applications >= found.total.applications, table.name


@settings(max_examples=60, deadline=None)
@given(ledgers())
def test_every_figure_keeps_its_place(recorded: list[Recorded]) -> None:
    """Outcomes are all the applications; what is guaranteed or lost is within the amount."""
    f = reported(recorded).total
    assert f.approved + f.referred + f.declined == f.applications == len(recorded)
    assert f.finally_declined >= max(f.declined, f.by_person)
    assert f.finally_approved_yuan <= f.approved_yuan
    assert f.local_guarantor_yuan <= f.guaranteed_yuan <= f.approved_yuan <= f.limit_yuan
    assert f.approved_yuan <= f.asked_yuan
    assert f.expected_loss_bank_yuan <= f.expected_loss_yuan <= f.approved_yuan


@settings(max_examples=60, deadline=None)
@given(ledgers())
def test_what_is_hidden_is_never_one_row_alone_nor_fewer_than_three_people(
    recorded: list[Recorded],
) -> None:
    for table in reported(recorded).tables:
        people = people_by_row(recorded, table.name)
        hidden = {row.key for row in table.rows if row.hidden}
        rows = [row for row in table.rows if row.figures.applications]
        if table.name not in SMALL_CELLS:
            assert not hidden, table.name
            continue
        assert all(len(people[r.key]) >= FEWEST_PEOPLE for r in rows if not r.hidden), table.name
        if hidden and len(hidden) < len(rows):  # with every row hidden nothing can be subtracted
            assert len(hidden) > 1, table.name
            assert len(set.union(*(people[key] for key in hidden))) >= FEWEST_PEOPLE, table.name


def people_by_row(recorded: list[Recorded], name: str) -> dict[str, set[str]]:
    """Who stands in each row of a dimension whose small cells are hidden."""
    people: dict[str, set[str]] = {}
    for one in recorded:
        policy = registry().recorded_one(one.decision["editions"]["policy"]).content
        groups, departments = standing_of(one.application, policy)
        village = (one.application.applicant.village_code,)
        keys = {"group": groups, "department": departments, "village": village}
        for _, payload in one.acts:
            keys["override"] = (payload["override"]["reason"],)
            keys["officer"] = (payload["by"]["holder"],)
        for key in keys.get(name, ()):
            people.setdefault(key, set()).add(one.entry.subject_ref)
    return people


@given(st.text())
def test_no_cell_begins_a_formula(text: str) -> None:
    cell = safe_cell(text)
    assert cell in (text, f"'{text}")
    assert not cell.strip().startswith(("=", "+", "-", "@"))
    assert not cell.startswith(("\t", "\r", "\n"))


@settings(max_examples=20, deadline=None)
@given(ledgers())
def test_a_csv_is_one_table(recorded: list[Recorded]) -> None:
    text = csv_bytes(reported(recorded)).decode("utf-8-sig")
    assert len({len(row) for row in csv.reader(io.StringIO(text, newline=""))}) == 1


def identical() -> Edition[Any]:
    """The card in force, as a draft."""
    card = registry().in_force("credit_loan", TODAY).scorecard
    return replace(card, valid_from=TODAY + timedelta(days=1))


def lowered(points: int) -> Edition[Any]:
    draft = identical()
    card = draft.content
    return replace(draft, content=replace(card, base_points=card.base_points - points))


@settings(max_examples=40, deadline=None)
@given(ledgers())
def test_a_draft_that_is_what_is_in_force_changes_nothing(recorded: list[Recorded]) -> None:
    of_product = [one for one in recorded if one.decision["product"] == "credit_loan"]
    found = impact(of_product, registry(), identical())
    assert (found.flips, found.n_other_terms, found.score_change) == ((), 0, 0)
    assert found.before == found.after
    assert found.prices_before == found.prices_after
    assert all(p.before == p.after for parts in found.parts.values() for p in parts)
    assert weigh(found, PROPOSED_CHANGE_BUDGET).over == ()


@settings(max_examples=40, deadline=None)
@given(ledgers(), st.integers(0, 80))
def test_the_parts_of_an_impact_add_up(recorded: list[Recorded], points: int) -> None:
    """Rows by product, village and tier are the whole; fewer points approve nobody more."""
    of_product = [one for one in recorded if one.decision["product"] == "credit_loan"]
    found = impact(of_product, registry(), lowered(points))
    for name in ("product", "village"):
        parts = found.parts[name]
        assert sum((p.before for p in parts), Figures()) == found.before, name
        assert sum((p.after for p in parts), Figures()) == found.after, name
        for side in ("prices_before", "prices_after"):
            of_parts: Iterator[Prices] = (getattr(p, side) for p in parts)
            assert sum(of_parts, Prices()) == getattr(found, side), (name, side)
        assert sum(p.n_flips for p in parts) == found.n_flips == len(found.flips), name
        assert sum(p.n_other_terms for p in parts) == found.n_other_terms, name
    for prices in (found.prices_before, found.prices_after):
        assert 0 <= prices.subsidy_yuan <= prices.interest_yuan
        assert prices.approvals <= min(found.before.approved, found.after.approved)
    assert max(found.terms.values(), default=0) <= found.n_other_terms
    assert sum(t.n_after for t in found.tiers) == found.after.approved
    assert sum(t.after_yuan for t in found.tiers) == found.after.approved_yuan
    assert sum(map(sum, move_table(found))) == found.n == len(of_product)
    assert found.score_change == -points * found.n
    assert found.after.approved <= found.before.approved
