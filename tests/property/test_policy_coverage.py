"""What holds of every policy that is read: its cases find nothing turned around, nor a gap."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from loansvc.application import GRADES
from loansvc.editions import Reader, read_head
from loansvc.errors import EditionRefused
from loansvc.policy import DATE_FACTS, Policy
from loansvc.policy.coverage import coverage
from loansvc.policy.differences import differences
from loansvc.policy.document import read_policy
from loansvc.policy.rules import SCORE_GRADES, VILLAGE_RATINGS
from tests.small import POLICY

FIRST_DAY = date(2026, 7, 1)
SOURCE = {"reference": "test", "source_grade": "A"}

grades = st.sampled_from((*GRADES, "unknown"))
some_grades = st.lists(grades, min_size=1, max_size=4, unique=True)
amounts = st.integers(1, 400_000)
days = st.integers(0, 90).map(lambda n: FIRST_DAY + timedelta(days=n))
windows: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.tuples(
    st.sampled_from(["applied_on", "loan_start"]), days, days
).map(lambda w: {"keyed_on": w[0], "from": min(w[1:]), "until": max(w[1:])})


@st.composite
def rows(draw: st.DrawFn, figure: str, values: st.SearchStrategy[int]) -> list[dict[str, Any]]:
    """Rows for some grades or amounts on some days, and one for everyone; order not minded."""
    found: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 3))):
        when: dict[str, Any] = {}
        if draw(st.booleans()):
            when["household_grade"] = draw(some_grades)
        if draw(st.booleans()) or not when:
            when["amount_yuan"] = {"at_most": draw(amounts)}
        row = {"when": when, figure: draw(values), **SOURCE, **draw(windows)}
        found.append(row)
    return [*found, {figure: draw(values), **SOURCE}]


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """The small policy with other rows, factors and rules; only what is read."""
    document = tomllib.loads(POLICY.replace("PRODUCT", "credit_loan"))
    if draw(st.booleans()):
        document["limit_row"] = draw(rows("base_yuan", st.sampled_from([50_000, 100_000, 200_000])))
    if draw(st.booleans()):
        document["price_row"] = draw(rows("spread_bp", st.sampled_from([50, 100, 150])))
    if draw(st.booleans()):
        grade, rating = draw(st.sampled_from(SCORE_GRADES)), draw(st.sampled_from(VILLAGE_RATINGS))
        document["limit_factor_percent"][grade][rating] = draw(st.integers(0, 100))
    rule = {
        "id": "X01", "stage": "referral", "requires": {"household_grade": draw(some_grades)},
        "otherwise": "refer", "if_unknown": draw(st.sampled_from(["approve", "refer"])),
        "zh": "甲", "en": "x", **SOURCE, **draw(windows),
    }  # fmt: skip
    if draw(st.booleans()):
        document["rule"].append(rule)
    document["example"] = [{"says": "x", "given": {"age_years": 1}, "expect": {
        "outcome": "decline"}}]  # fmt: skip
    try:
        with Reader(document, file="small.toml") as reader:
            return read_policy(reader, read_head(reader))
    except EditionRefused:
        assume(False)
        raise


@given(policies())
def test_a_policy_that_is_read_holds_in_every_case_and_reaches_every_cell(policy: Policy) -> None:
    """What reading proves by tables, judging whole cases finds to be so."""
    found = coverage(policy, first_day=FIRST_DAY)
    assert found.broken == ()
    assert found.thresholds.reached == found.thresholds.of
    assert {r.kind: r.of - r.reached for r in found.reached if r.kind in ("cell", "grade")} == {
        "cell": 0, "grade": 0,
    }  # fmt: skip
    # Every rule, row and period that was read is reached; a cap may never bind, and where the
    # examples' own limit is 0 nobody is approved. Rows keyed to two dates at once may be missed:
    # a loan does not start before it is applied for, which the search heeds only afterwards.
    tables: tuple[tuple[Any, ...], ...] = (policy.limit_rows, policy.price_rows)
    dates = [{t.fact for row in rows for t in row.when} & set(DATE_FACTS) for rows in tables]
    two_dates = any(len(facts) > 1 for facts in dates)
    allowed = {"lowers a limit", "given"} | ({"read"} if two_dates else set())
    assert {m.what for m in found.missed} <= allowed


@given(policies(), policies())
def test_two_policies_differ_in_words_just_if_they_differ(one: Policy, other: Policy) -> None:
    """Nothing is told of a policy and itself; of two, the same places in either direction."""
    assert differences(one, one) == ()
    there, back = differences(one, other), differences(other, one)
    assert bool(there) == bool(back)
    assert all(change.part != "other" for change in there)
    kinds = {"added": "removed", "removed": "added", "changed": "changed"}
    assert sorted(c.kind for c in there) == sorted(kinds[c.kind] for c in back)
