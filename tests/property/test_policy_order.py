"""What holds for every case under the shipped policies: better is never worse, shares are whole."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loansvc.application import (
    ENTITIES,
    GRADES,
    GROUPS,
    PRODUCTS,
    PURPOSES,
    REPAYMENTS,
    TALENT_TIERS,
)
from loansvc.policy import OUTCOMES, SHARERS, VILLAGE_RATINGS, Fund, Judgement, Policy, judge
from loansvc.registry import read_document

FOLDER = Path(__file__).parents[2] / "models" / "policies"
POLICIES: dict[str, Policy] = {
    product: read_document(FOLDER / product / "2026-07-01.toml")[1] for product in PRODUCTS
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
    }
)
# One that nothing but the drawn grades, score and amount can keep from an approval.
CLEAN: dict[str, Any] = {
    "groups": ("veteran",), "purpose": "working_capital",
    "repayment": "instalment", "term_months": 12, "age_years": 36, "age_at_maturity_years": 37,
    "household_debt_service_percent": 15, "max_days_past_due_24m": 0,
    "months_since_first_credit": 61, "unsecured_outstanding_yuan": 0, "unsecured_total_yuan": 0,
    "policy_loans": 0, "policy_loan_overdue": "no", "outstanding_yuan": 0,
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
)
by_product = pytest.mark.parametrize("product", PRODUCTS)


def judged(product: str, facts: dict[str, Any], *, score: int, fund: Fund | None) -> Judgement:
    return judge(POLICIES[product], facts, score=score, lpr_bp=300, fund=fund)


def row_number(product: str, judgement: Judgement) -> int:
    return next(i for i, row in enumerate(POLICIES[product].tier_rows) if row is judgement.tier)


def assert_not_worse(product: str, better: Judgement, worse: Judgement) -> None:
    assert OUTCOMES.index(better.outcome) <= OUTCOMES.index(worse.outcome)
    assert better.limit.limit_yuan >= worse.limit.limit_yuan
    assert better.price.rate_bp <= worse.price.rate_bp
    assert row_number(product, better) <= row_number(product, worse)


@by_product
@given(facts=any_case, a=scores, b=scores, fund=st.none() | funds)
def test_better_score_is_never_worse(
    product: str, facts: dict[str, Any], a: int, b: int, fund: Fund | None
) -> None:
    better, worse = (
        judged(product, facts, score=score, fund=fund) for score in (max(a, b), min(a, b))
    )
    assert_not_worse(product, better, worse)


@by_product
@pytest.mark.parametrize(
    ("fact", "order"),
    [("village_rating", GRADES), ("household_grade", GRADES), ("talent_tier", TALENT_TIERS)],
)
@given(facts=any_case, score=scores, fund=st.none() | funds)
def test_better_grade_is_never_worse(
    product: str,
    fact: str,
    order: tuple[str, ...],
    facts: dict[str, Any],
    score: int,
    fund: Fund | None,
) -> None:
    """Village rating, household grade and talent tier, all else equal."""
    best_first = [judged(product, facts | {fact: word}, score=score, fund=fund) for word in order]
    for better, worse in combinations(best_first, 2):
        assert_not_worse(product, better, worse)


@by_product
@given(facts=any_case, score=scores, fund=funds)
def test_fund_only_moves_a_case_down_the_ladder_and_names_the_cap(
    product: str, facts: dict[str, Any], score: int, fund: Fund
) -> None:
    free, bound = (judged(product, facts, score=score, fund=f) for f in (None, fund))
    assert row_number(product, free) <= row_number(product, bound)
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
    shares = judged(product, facts, score=score, fund=fund).tier.shares_percent
    assert set(shares) == set(SHARERS)
    assert sum(shares.values()) == 100
    assert shares["bank"] >= 20


@by_product
@given(facts=any_case, score=scores, fund=st.none() | funds)
def test_approval_is_within_the_limit_the_spread_and_the_ladder(
    product: str, facts: dict[str, Any], score: int, fund: Fund | None
) -> None:
    judgement, policy = judged(product, facts, score=score, fund=fund), POLICIES[product]
    if judgement.outcome == "approve":
        assert facts["amount_yuan"] <= judgement.limit.limit_yuan
        assert judgement.tier.tier != "GX"
        assert judgement.score_outcome == "approve"
    assert judgement.price.rate_bp - 300 <= policy.most_spread_bp
    assert judgement.limit.limit_yuan % policy.round_down_to_yuan == 0


@by_product
@given(facts=any_case, village_rating=st.sampled_from(VILLAGE_RATINGS), score=scores)
def test_village_never_lifts_a_knock_out(
    product: str, facts: dict[str, Any], village_rating: str, score: int
) -> None:
    refused = facts | {"max_days_past_due_24m": 90, "village_rating": village_rating}
    assert judged(product, refused, score=score, fund=None).outcome == "decline"
