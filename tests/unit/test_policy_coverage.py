"""Generated cases reach every clause of a policy; what none reaches is named with the reason."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from loansvc.editions import Reader, read_head
from loansvc.policy import SHARERS, Policy
from loansvc.policy import Test as Asks
from loansvc.policy.cases import cases_of, judged
from loansvc.policy.coverage import Coverage, coverage
from loansvc.policy.document import read_policy
from loansvc.policy.rules import DATE_FACTS, SCORE_GRADES, VILLAGE_RATINGS
from tests.small import POLICY

FIRST_DAY = date(2026, 7, 1)
SOURCE = {"reference": "test", "source_grade": "A"}
Change = Callable[[dict[str, Any]], None]


def read(*changes: Change) -> Policy:
    """The small policy of `tests/small_policy.toml`, changed."""
    document = tomllib.loads(POLICY.replace("PRODUCT", "credit_loan"))
    for change in changes:
        change(document)
    with Reader(document, file="small.toml") as reader:
        return read_policy(reader, read_head(reader))


def covered(*changes: Change) -> Coverage:
    return coverage(read(*changes), first_day=FIRST_DAY)


def a_rule(requires: dict[str, Any], **keys: Any) -> Change:
    """A change: one more rule."""
    rule = {
        "id": "X01", "stage": "referral", "requires": requires, "otherwise": "refer",
        "if_unknown": "refer", "zh": "甲", "en": "x", **SOURCE, **keys,
    }  # fmt: skip
    return lambda document: document["rule"].append(rule)


def missed(found: Coverage) -> dict[str, str]:
    return {f"{m.place} {m.what}": m.why for m in found.missed}


def test_everything_in_the_small_policy_is_reached() -> None:
    found = covered()
    assert {r.kind: (r.reached, r.of) for r in found.reached} == {
        "rule": (4, 4), "outcome": (3, 3), "grade": (7, 7), "limit_row": (2, 2), "cell": (49, 49),
        "cap": (1, 1), "price_row": (2, 2), "subsidy": (1, 1), "tier": (3, 3),
    }  # fmt: skip
    assert (found.missed, found.broken) == ((), ())


def test_thresholds_are_counted_once_each() -> None:
    """Six floors, of which two are cut-offs too; age, arrears, loans and one amount; five lists."""
    found = covered()
    assert (found.thresholds.reached, found.thresholds.of) == (10, 10)
    assert (found.word_tests.reached, found.word_tests.of) == (5, 5)


def test_a_bound_is_tried_on_it_and_one_step_beside_it() -> None:
    ages = {case.facts["age_years"] for case in cases_of(read(), first_day=FIRST_DAY)}
    assert ages == {None, 17, 18, 19, 36}


def test_a_case_changes_only_what_its_clause_asks_for() -> None:
    policy = read()
    plain = policy.example_facts
    for case in cases_of(policy, first_day=FIRST_DAY):
        if case.place in ("E01", "K01", "K02"):
            assert sum(plain[fact] != value for fact, value in case.facts.items()) <= 1


def test_every_cell_is_tried_with_its_grade_and_rating() -> None:
    policy = read()
    cases = cases_of(policy, first_day=FIRST_DAY)
    cells = {(policy.grade_for(c.facts["score"]), c.facts["village_rating"]) for c in cases}
    assert cells == {(grade, rating) for grade in SCORE_GRADES for rating in VILLAGE_RATINGS}


def test_no_case_is_tried_twice() -> None:
    cases = cases_of(read(), first_day=FIRST_DAY)
    assert len({tuple(sorted(case.facts.items())) for case in cases}) == len(cases)


def test_a_rule_for_some_is_tried_on_them_and_on_others() -> None:
    change = a_rule({"term_months": {"at_most": 12}}, when={"repayment": ["bullet"]})
    policy = read(change)
    results = {
        (case.facts.get("repayment"), case.facts.get("term_months")): next(
            f.result for f in judged(policy, case.facts).findings if f.rule.id == "X01"
        )
        for case in cases_of(policy, first_day=FIRST_DAY)
        if case.place == "X01"
    }
    assert results["bullet", 12] == "met"
    assert results["bullet", 13] == "not_met"
    assert results["bullet", None] == "unknown"
    assert results["harvest", 13] == "not_applicable"
    assert missed(covered(change)) == {}


def test_a_rule_of_groups_within_groups_is_met_by_who_belongs_to_both() -> None:
    change = a_rule({"groups": ["veteran", "graduate"]}, when={"groups": ["ex_fisher"]})
    assert missed(covered(change)) == {}


def test_a_rule_that_only_asks_that_something_is_known_is_never_not_met() -> None:
    assert missed(covered(a_rule({"age_years": {"at_least": 0}}))) == {}


# --- days ---------------------------------------------------------------------------------------

KEYED = {"keyed_on": "loan_start", "from": date(2026, 9, 1), "until": date(2026, 9, 30)}


def test_a_window_is_tried_on_its_days_and_the_days_beside_them() -> None:
    policy = read(a_rule({"household_grade": ["AAA", "AA"]}, **KEYED))
    days = {c.facts["loan_start"] for c in cases_of(policy, first_day=FIRST_DAY)}
    assert days >= {date(2026, 8, 31), date(2026, 9, 1), date(2026, 9, 30), date(2026, 10, 1)}


def test_no_case_lies_before_the_first_day_or_lends_before_it_is_asked() -> None:
    rules = [
        a_rule({"household_grade": ["AAA", "AA"]}, id=f"X0{i}", keyed_on=fact, **{"from": day})
        for i, (fact, day) in enumerate(
            [(fact, d) for fact in DATE_FACTS for d in (FIRST_DAY, date(2026, 9, 1))]
        )
    ]
    for case in cases_of(read(*rules), first_day=FIRST_DAY):
        days = [case.facts[fact] for fact in DATE_FACTS]
        assert days == sorted(days)
        assert days[0] >= FIRST_DAY


ENDED = {"keyed_on": "applied_on", "until": date(2026, 6, 30)}


@pytest.mark.parametrize(
    ("change", "places"),
    [
        pytest.param(
            a_rule({"household_grade": ["AAA"]}, **ENDED),
            {"X01 met", "X01 not_met", "X01 unknown"},
            id="a rule",
        ),
        pytest.param(
            lambda d: d["price_row"].insert(0, {"spread_bp": 10, **SOURCE, **ENDED}),
            {"price_row[0] read"},
            id="a row",
        ),
    ],
)
def test_what_had_ended_before_the_policy_began_is_named(change: Change, places: set[str]) -> None:
    found = missed(covered(change))
    assert set(found) == places
    assert set(found.values()) == {
        "its days end on 2026-06-30, before the policy's first day 2026-07-01; leave it out"
    }


def subsidies(*ends: date) -> Change:
    """A change: periods that end on these days, and one open at its end."""

    def change(document: dict[str, Any]) -> None:
        del document["price"]["subsidy_percent_of_rate"]
        document["subsidy"] = [
            {"percent_of_rate": 50 - i, "zh": "甲", "en": "x", "keyed_on": "loan_start", **SOURCE}
            for i in range(len(ends) + 1)
        ]
        for i, end in enumerate(ends):
            document["subsidy"][i]["until"] = end
            document["subsidy"][i + 1]["from"] = end.replace(day=1, month=end.month + 1)

    return change


def test_every_period_of_a_subsidy_is_reached_on_both_sides_of_its_days() -> None:
    found = covered(subsidies(date(2026, 8, 31), date(2026, 9, 30)))
    assert {(r.reached, r.of) for r in found.reached if r.kind == "subsidy"} == {(3, 3)}
    assert (found.thresholds.reached, found.thresholds.of) == (12, 12)


def test_a_period_that_had_ended_is_named() -> None:
    assert set(missed(covered(subsidies(date(2026, 5, 31))))) == {"subsidy[0] paid"}


# --- what is missed -----------------------------------------------------------------------------


def test_a_cap_above_every_limit_is_named_with_the_highest_limit() -> None:
    def change(document: dict[str, Any]) -> None:
        del document["cap"][0]["less"]

    assert missed(covered(change)) == {
        "C01 lowers a limit": "the tables give at most 150,000 yuan before caps; "
        "lower it or remove it"
    }


@pytest.mark.parametrize(
    "figures",
    [
        pytest.param({"yuan": 149_999}, id="a figure"),
        pytest.param({"yuan": 0, "percent": 50, "percent_of": "revenue_12m_yuan"}, id="a share"),
        pytest.param(
            {"percent": 100, "percent_of": "matrix_limit_yuan", "less": "outstanding_yuan"},
            id="the limit less what is lent",
        ),
    ],
)
def test_a_cap_that_can_bind_is_found_to_bind(figures: dict[str, Any]) -> None:
    def change(document: dict[str, Any]) -> None:
        document["example_facts"]["revenue_12m_yuan"] = 1_000_000
        cap = document["cap"][0]
        document["cap"] = [{k: v for k, v in cap.items() if k not in ("yuan", "less")} | figures]

    assert missed(covered(change)) == {}


def test_examples_of_which_none_can_be_approved_are_named() -> None:
    def change(document: dict[str, Any]) -> None:
        document["example_facts"] |= {"age_years": 17, "policy_loans": 3}
        document["example"] = [{"says": "x", "given": {}, "expect": {"outcome": "decline"}}]

    found = missed(covered(change))
    assert "[example_facts]" in found["approve given"]


# --- what is broken -----------------------------------------------------------------------------


def broken(policy: Policy) -> str:
    found = coverage(policy, first_day=FIRST_DAY).broken
    return "\n".join(found)


def test_shares_that_do_not_add_up_are_broken() -> None:
    policy = read()
    tier = replace(policy.tier_rows[0], shares_percent={**dict.fromkeys(SHARERS, 0), "bank": 10})
    says = broken(replace(policy, tier_rows=(tier, *policy.tier_rows[1:])))
    assert "tier[0]: shares sum to 10; they must sum to 100" in says
    assert "tier[0]: the bank bears 10 %; it must bear 20" in says


def test_a_worse_household_with_a_higher_limit_is_broken() -> None:
    policy = read()
    rows = tuple(replace(r, base_yuan=200_000 - r.base_yuan) for r in policy.limit_rows)
    assert "household_grade A gets a better limit than AA" in broken(
        replace(policy, limit_rows=rows)
    )


def test_a_worse_household_with_a_lower_rate_is_broken() -> None:
    policy = read()
    rows = tuple(replace(r, spread_bp=200 - r.spread_bp) for r in policy.price_rows)
    assert "household_grade A gets a better rate than AA" in broken(
        replace(policy, price_rows=rows)
    )


def test_a_worse_score_with_a_better_tier_is_broken() -> None:
    policy = read()
    turned = replace(policy.tier_rows[0], when=(Asks("grade", frozenset({"R4", "R5"})),))
    says = broken(replace(policy, tier_rows=(turned, *policy.tier_rows[1:])))
    assert "score 599 gets a better tier than 600" in says


def test_a_rule_that_a_better_village_fails_is_broken() -> None:
    policy = read()
    requires = Asks("village_rating", frozenset({"AA", "A", "B", "C", "D", "unrated"}))
    turned = replace(policy.rules[0], requires=requires)
    says = broken(replace(policy, rules=(turned, *policy.rules[1:])))
    assert "village_rating AA gets a better outcome than AAA" in says
