"""What holds for every case under every shipped policy: better is never worse, shares are whole."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loansvc.application import (
    ENTITIES,
    GRADES,
    GROUPS,
    PRODUCTS,
    PURPOSES,
    REPAYMENTS,
    TALENT_TIERS,
    TOWNS,
)
from loansvc.policy import OUTCOMES, SHARERS, VILLAGE_RATINGS, Fund, Judgement, Policy, judge
from loansvc.registry import read_document

FOLDER = Path(__file__).parents[2] / "models" / "policies"
# Each case is judged by every edition of its product, whatever its days: one draw serves them all.
POLICIES: dict[str, list[Policy]] = {
    product: [read_document(path)[1] for path in sorted((FOLDER / product).glob("*.toml"))]
    for product in PRODUCTS
}
FUND_CAPS = {"F01", "F02", "F03", "F04"}


def one_of(*words: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from((*words, None))


def near(*bounds: int, most: int) -> st.SearchStrategy[int | None]:
    """Not known, on or beside a bound of the policies, or anything."""
    beside = [b + d for b in bounds for d in (-1, 0, 1) if b + d >= 0]
    return st.none() | st.sampled_from(beside) | st.integers(0, most)


BOUNDS_YUAN = (
    5_000, 50_000, 100_000, 135_000, 200_000, 300_000, 500_000, 1_000_000, 10_000_000,
)  # fmt: skip
scores = st.integers(520, 680)
amounts = st.one_of(
    st.sampled_from([bound + d for bound in BOUNDS_YUAN for d in (-1, 0, 1)]),
    st.integers(1, 150_000),
    st.integers(1, 12_000_000),
)
CHANGES = (  # days on which a keyed clause starts or has ended
    date(2020, 8, 1), date(2023, 10, 1), date(2026, 1, 1), date(2026, 1, 19), date(2028, 1, 1),
    date(2028, 1, 19),
)  # fmt: skip
days = st.one_of(
    st.sampled_from([day + timedelta(days=d) for day in CHANGES for d in (-1, 0)]),
    st.dates(date(2019, 8, 1), date(2029, 12, 31)),
)
facts_of_a_case = st.fixed_dictionaries(
    {
        "amount_yuan": amounts,
        "village_rating": st.sampled_from(("AAA", "AA", *VILLAGE_RATINGS)),
        "household_grade": one_of("AAA", "AA", *GRADES),
        "talent_tier": one_of("T1", "T2", *TALENT_TIERS),
        "entity": one_of(*ENTITIES),
        "groups": st.none() | st.lists(st.sampled_from(GROUPS), unique=True, max_size=3).map(tuple),
        "purpose": st.sampled_from(PURPOSES),
        "repayment": st.sampled_from(REPAYMENTS),
        "term_months": st.integers(1, 130),
        "age_years": st.integers(16, 70),
        "age_at_maturity_years": st.integers(17, 80),
        "household_debt_service_percent": near(55, most=500),
        "max_days_past_due_24m": near(30, 90, most=200),
        "months_since_first_credit": near(12, most=200),
        "unsecured_outstanding_yuan": near(500_000, most=600_000),
        "unsecured_total_yuan": near(500_000, most=1_000_000),
        "policy_loans": st.integers(0, 4),
        "policy_loan_overdue": st.sampled_from(["yes", "no", "no", "no"]),
        "outstanding_yuan": st.integers(0, 600_000),
        "town": one_of("护河镇", "太白镇", *TOWNS.values()),
        "employees": near(100, most=300),
        "hire_share_percent": near(5, 8, 10, 15, most=40),
        "days_past_due_now": near(1, most=60),
        "dishonest_debtor": one_of("yes", "no", "no"),
        "aml_listed": one_of("yes", "no", "no"),
        "village_flag": one_of("yes", "no", "no"),
        "repair_applied": one_of("yes", "no"),
        "park_resident": one_of("yes", "no"),
        "craftsman_level": near(2, most=4),
        "contest_award_level": near(2, most=4),
        "report_age_days": near(30, most=60),
        "applied_on": days,
        "loan_start": days,
        "guarantee_start": days,
    }
)
# One that nothing but the drawn grades, score and amount can keep from an approval.
CLEAN: dict[str, Any] = {
    "groups": ("veteran",), "purpose": "working_capital",
    "repayment": "instalment", "term_months": 12, "age_years": 36, "age_at_maturity_years": 37,
    "household_debt_service_percent": 15, "max_days_past_due_24m": 0,
    "months_since_first_credit": 61, "unsecured_outstanding_yuan": 0, "unsecured_total_yuan": 0,
    "policy_loans": 0, "policy_loan_overdue": "no", "outstanding_yuan": 0,
    "town": "护河镇", "employees": 40, "hire_share_percent": 20, "days_past_due_now": 0,
    "dishonest_debtor": "no", "aml_listed": "no", "village_flag": "no", "report_age_days": 3,
}  # fmt: skip
# Each figure where the policies tell it apart, known always: better and worse must be two values.
FIGURES: dict[str, st.SearchStrategy[int]] = {
    "hire_share_percent": st.integers(3, 17), "craftsman_level": st.integers(0, 4),
    "contest_award_level": st.integers(0, 4), "months_since_first_credit": st.integers(10, 14),
    "max_days_past_due_24m": st.sampled_from((0, 1, 29, 30, 89, 90)),
    "days_past_due_now": st.integers(0, 2), "household_debt_service_percent": st.integers(54, 57),
    "unsecured_outstanding_yuan": st.integers(0, 510_000),
    "unsecured_total_yuan": st.integers(490_000, 510_000), "policy_loans": st.integers(0, 4),
    "outstanding_yuan": st.integers(0, 600_000), "report_age_days": st.integers(29, 32),
}  # fmt: skip
any_case = st.builds(
    lambda facts, kind: facts if kind == 0 else facts | CLEAN, facts_of_a_case, st.integers(0, 3)
)
funds = st.builds(
    Fund,
    capital_yuan=st.integers(0, 20_000_000),
    guaranteed_yuan=st.integers(0, 200_000_000),
    applicant_guaranteed_yuan=st.integers(0, 2_000_000),
    compensation_rate_bp=st.integers(0, 500),
    related_guaranteed_yuan=st.integers(0, 2_000_000),
)
by_product = pytest.mark.parametrize("product", PRODUCTS)


def judged(policy: Policy, facts: dict[str, Any], *, score: int, fund: Fund | None) -> Judgement:
    return judge(policy, facts, score=score, lpr_bp=300, fund=fund)


def row_number(policy: Policy, judgement: Judgement) -> int:
    return next(i for i, row in enumerate(policy.tier_rows) if row is judgement.tier)


def assert_not_worse(policy: Policy, better: Judgement, worse: Judgement) -> None:
    assert OUTCOMES.index(better.outcome) <= OUTCOMES.index(worse.outcome)
    assert better.limit.limit_yuan >= worse.limit.limit_yuan
    assert better.price.rate_bp <= worse.price.rate_bp
    assert row_number(policy, better) <= row_number(policy, worse)


@by_product
@given(facts=any_case, a=scores, b=scores, fund=st.none() | funds)
def test_better_score_is_never_worse(
    product: str, facts: dict[str, Any], a: int, b: int, fund: Fund | None
) -> None:
    for policy in POLICIES[product]:
        better, worse = (
            judged(policy, facts, score=score, fund=fund) for score in (max(a, b), min(a, b))
        )
        assert_not_worse(policy, better, worse)


@by_product
@pytest.mark.parametrize(
    ("fact", "order"),
    [
        ("village_rating", GRADES),
        ("household_grade", GRADES),
        ("talent_tier", TALENT_TIERS),
        ("policy_loan_overdue", ("no", "yes")),
        ("dishonest_debtor", ("no", "yes")),
        ("aml_listed", ("no", "yes")),
        ("village_flag", ("no", "yes")),
        ("park_resident", ("yes", "no")),
    ],
)
@settings(max_examples=40)  # by eight words, four products and all their editions
@given(facts=any_case, score=scores, fund=st.none() | funds)
def test_better_word_is_never_worse(
    product: str,
    fact: str,
    order: tuple[str, ...],
    facts: dict[str, Any],
    score: int,
    fund: Fund | None,
) -> None:
    """Ratings, grades and tiers, lists and marks, all else equal."""
    for policy in POLICIES[product]:
        best_first = [
            judged(policy, facts | {fact: word}, score=score, fund=fund) for word in order
        ]
        for better, worse in pairwise(best_first):
            assert_not_worse(policy, better, worse)


@by_product
@pytest.mark.parametrize(
    ("fact", "sign"),
    [
        ("hire_share_percent", 1),
        ("craftsman_level", 1),
        ("contest_award_level", 1),
        ("months_since_first_credit", 1),
        ("max_days_past_due_24m", -1),
        ("days_past_due_now", -1),
        ("household_debt_service_percent", -1),
        ("unsecured_outstanding_yuan", -1),
        ("unsecured_total_yuan", -1),
        ("policy_loans", -1),
        ("outstanding_yuan", -1),
        ("report_age_days", -1),
    ],
)
@settings(max_examples=40)
@given(facts=any_case, values=st.data(), score=scores, fund=st.none() | funds)
def test_better_figure_is_never_worse(
    product: str,
    fact: str,
    sign: int,
    facts: dict[str, Any],
    values: st.DataObject,
    score: int,
    fund: Fund | None,
) -> None:
    """More newly hired, higher honours, fewer arrears and less debt, all else equal."""
    figures = values.draw(st.lists(FIGURES[fact], min_size=2, max_size=2))
    best, worst = sorted(figures, reverse=sign > 0)
    for policy in POLICIES[product]:
        better, worse = (
            judged(policy, facts | {fact: n}, score=score, fund=fund) for n in (best, worst)
        )
        assert_not_worse(policy, better, worse)


@by_product
@given(facts=any_case, score=scores, fund=funds)
def test_fund_only_moves_a_case_down_the_ladder_and_names_the_cap(
    product: str, facts: dict[str, Any], score: int, fund: Fund
) -> None:
    for policy in POLICIES[product]:
        free, bound = (judged(policy, facts, score=score, fund=f) for f in (None, fund))
        assert row_number(policy, free) <= row_number(policy, bound)
        assert (free.limit, free.price, free.findings) == (bound.limit, bound.price, bound.findings)
        assert OUTCOMES.index(free.outcome) <= OUTCOMES.index(bound.outcome)
        assert {cap for _, cap in bound.tier_caps} <= FUND_CAPS
        assert (bound.tier is not free.tier) == bool(bound.tier_caps)
        if bound.tier_caps:
            assert bound.tier_caps[0][0] is free.tier


@by_product
@given(facts=any_case, score=scores, fund=st.none() | funds)
def test_shares_are_whole_and_the_bank_keeps_a_fifth(
    product: str, facts: dict[str, Any], score: int, fund: Fund | None
) -> None:
    for policy in POLICIES[product]:
        shares = judged(policy, facts, score=score, fund=fund).tier.shares_percent
        assert set(shares) == set(SHARERS)
        assert sum(shares.values()) == 100
        assert shares["bank"] >= 20


@by_product
@given(facts=any_case, score=scores, fund=st.none() | funds)
def test_approval_is_within_the_limit_the_spread_and_the_ladder(
    product: str, facts: dict[str, Any], score: int, fund: Fund | None
) -> None:
    for policy in POLICIES[product]:
        judgement = judged(policy, facts, score=score, fund=fund)
        if judgement.outcome == "approve":
            assert facts["amount_yuan"] <= judgement.limit.limit_yuan
            assert judgement.tier.tier != "GX"
            assert judgement.score_outcome == "approve"
        assert judgement.price.rate_bp - 300 <= policy.most_spread_bp
        assert 0 <= judgement.price.subsidy_bp <= judgement.price.rate_bp
        assert judgement.limit.limit_yuan % policy.round_down_to_yuan == 0


@by_product
@given(facts=any_case, village_rating=st.sampled_from(VILLAGE_RATINGS), score=scores)
def test_village_never_lifts_a_knock_out(
    product: str, facts: dict[str, Any], village_rating: str, score: int
) -> None:
    refused = facts | {"max_days_past_due_24m": 90, "village_rating": village_rating}
    for policy in POLICIES[product]:
        assert judged(policy, refused, score=score, fund=None).outcome == "decline"


@by_product
@given(facts=any_case, score=scores, a=days, b=days)
def test_days_of_the_loan_change_money_alone(
    product: str, facts: dict[str, Any], score: int, a: date, b: date
) -> None:
    """Subsidy and loss shares are keyed to them; who is eligible and for how much is not."""
    for policy in POLICIES[product]:
        one, other = (
            judged(policy, facts | {"loan_start": d, "guarantee_start": d}, score=score, fund=None)
            for d in (a, b)
        )
        assert (one.outcome, one.findings, one.limit) == (
            other.outcome,
            other.findings,
            other.limit,
        )
        assert one.price.rate_bp == other.price.rate_bp
        assert one.tier.tier == other.tier.tier
