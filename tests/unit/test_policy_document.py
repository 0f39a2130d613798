"""A policy document is read or refused, naming file, place and reason; then it judges."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from loansvc.application import CREDENTIAL_KINDS
from loansvc.editions import Reader, read_head
from loansvc.errors import EditionRefused
from loansvc.policy import Cap, Clause, Fund, Judgement, Policy, judge
from loansvc.policy.document import read_policy
from loansvc.policy.rules import SCORE_GRADES, VILLAGE_RATINGS
from loansvc.policy.terms import PROPOSED_CHANGE_BUDGET

SOURCE = {"reference": "notice 1", "source_grade": "A"}
FLOORS = {"R1": 640, "R2": 620, "R3": 600, "R4": 580, "R5": 560, "R6": 540}  # and R7 below
FACTS = {
    "score": 600, "lpr_bp": 300, "amount_yuan": 10_000, "village_rating": "AA",
    "household_grade": "AA", "age_years": 30, "groups": ["veteran"],
    "unsecured_outstanding_yuan": 0,
}  # fmt: skip

# Two rules, two limit rows, one cap, two price rows, two tiers: small enough to reckon by hand.
SMALL: dict[str, Any] = {
    "kind": "policy",
    "product": "credit_loan",
    "valid_from": date(2026, 7, 1),
    "review_by": date(2027, 6, 30),
    "reference": "a small policy",
    "statement": "for tests",
    "title": {"zh": "信用贷", "en": "Credit loan"},
    "vouching": {**{kind: ["hrss"] for kind in CREDENTIAL_KINDS}, **SOURCE},
    "rule": [
        {
            "id": "E01", "stage": "eligibility", "requires": {"age_years": {"at_least": 18}},
            "otherwise": "decline", "if_unknown": "refer", "zh": "年满18周岁", "en": "18 or older",
            **SOURCE,
        },
        {
            "id": "E04", "stage": "eligibility", "requires": {"household_grade": ["AAA", "AA"]},
            "when": {"village_rating": ["B", "C", "D"]},
            "otherwise": "decline", "if_unknown": "refer", "zh": "AA级及以上", "en": "AA or better",
            **SOURCE,
        },
    ],
    "cutoff": {"approve_at_least": 560, "refer_at_least": 540, **SOURCE},
    "grade": [
        *({"grade": g, "score_at_least": n} for g, n in FLOORS.items()),
        {"grade": "R7"},
    ],
    "limit": {"round_down_to_yuan": 1_000, "minimum_yuan": 5_000, **SOURCE},
    "limit_row": [
        {"when": {"household_grade": ["AAA", "AA"]}, "base_yuan": 50_500, **SOURCE},
        {"base_yuan": 10_000, **SOURCE},
    ],
    "limit_factor_percent": {
        **{g: {**dict.fromkeys(VILLAGE_RATINGS, 50), "AAA": 100, "AA": 100} for g in SCORE_GRADES},
        **SOURCE,
    },
    "cap": [
        {
            "id": "C01", "yuan": 60_000, "less": "unsecured_outstanding_yuan",
            "if_unknown_yuan": 20_000, "zh": "剩余额度", "en": "What is left", **SOURCE,
        }
    ],
    "price": {"most_spread_bp": 100, "subsidy_percent_of_rate": 50, **SOURCE},
    "price_row": [
        {"when": {"household_grade": ["AAA", "AA"]}, "spread_bp": 85, **SOURCE},
        {"spread_bp": 120, **SOURCE},
    ],
    "guarantee": {
        "lgd_percent": 60, "liability": "general", "liability_period_months": 6, **SOURCE,
    },
    "fund": {
        "multiple": 10, "single_client_percent": 10, "compensation_rate_cap_bp": 400, **SOURCE,
    },
    "tier": [
        {
            "tier": "G1", "when": {"grade": ["R1", "R2", "R3"]},
            "shares_percent": {"bank": 20, "local_guarantor": 80},
            "counter_guarantee": "waived", **SOURCE,
        },
        {"tier": "GX", "shares_percent": {"bank": 100}, "counter_guarantee": "none", **SOURCE},
    ],
    "example_facts": FACTS,
    "example": [
        {
            "says": "An AA household borrows", "given": {},
            "expect": {"outcome": "approve", "limit_yuan": 50_000, "tier": "G1"},
        }
    ],
}  # fmt: skip


def at(*path: Any, put: Any = None) -> Callable[[dict[str, Any]], None]:
    """A change: put a value at this path of the document, or take the key away."""

    def change(document: dict[str, Any]) -> None:
        *outer, last = path
        table: Any = document
        for key in outer:
            table = table[key]
        if put is None:
            del table[last]
        else:
            table[last] = put

    return change


def again(key: str, position: int = 0) -> Callable[[dict[str, Any]], None]:
    """A change: repeat one table of a list."""
    return lambda document: document[key].insert(position, copy.deepcopy(document[key][position]))


def without_when_first(key: str) -> Callable[[dict[str, Any]], None]:
    """A change: put a row for everyone before the last."""

    def change(document: dict[str, Any]) -> None:
        document[key].insert(0, copy.deepcopy(document[key][-1]))

    return change


def read(*changes: Callable[[dict[str, Any]], None]) -> Policy:
    document = copy.deepcopy(SMALL)
    for change in changes:
        change(document)
    with Reader(document, file="small.toml") as reader:
        return read_policy(reader, read_head(reader))


def judged(
    *changes: Callable[[dict[str, Any]], None], score: int = 600, fund: Fund | None = None,
    **facts: Any,
) -> Judgement:  # fmt: skip
    """What the small policy says of its example case, some facts changed."""
    plain = {k: v for k, v in FACTS.items() if k not in ("score", "lpr_bp")}
    return judge(
        read(*changes), plain | {"groups": ("veteran",)} | facts, score=score, lpr_bp=300, fund=fund
    )


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # head
        pytest.param(at("review_by"), "review_by: is missing", id="no review date"),
        pytest.param(
            at("review_by", put=date(2026, 6, 30)),
            "review_by: must not be before valid_from",
            id="review before the first day",
        ),
        pytest.param(
            at("colour", put="red"), "colour: is not a key this version knows", id="unknown key"
        ),
        pytest.param(at("statement"), "statement: is missing", id="no statement"),
        pytest.param(at("title", "en"), "title.en: is missing", id="no English title"),
        # clauses
        pytest.param(
            at("rule", 1, "reference"), "rule[1] E04.reference: is missing", id="no reference"
        ),
        pytest.param(
            at("tier", 0, "reference", put=" "),
            "tier[0] G1.reference: must be a text that is not empty",
            id="empty reference",
        ),
        pytest.param(
            at("limit_row", 0, "source_grade", put="E"),
            "limit_row[0].verify: must be true",
            id="weak source without mark",
        ),
        pytest.param(
            at("fund", "source_grade", put="Z"),
            "fund.source_grade: must be one of A, B, C, M, E",
            id="unknown source grade",
        ),
        # vouching
        pytest.param(
            at("vouching", "veteran"),
            "vouching.veteran: is missing",
            id="nobody vouches for a kind",
        ),
        pytest.param(
            at("vouching", "veteran", put=["cousin"]),
            "vouching.veteran: must be a list of hrss",
            id="unknown issuer",
        ),
        # rules
        pytest.param(again("rule"), "rule[1] E01.id: E01 is used twice", id="rule id twice"),
        pytest.param(
            at("rule", 0, "requires", put={"shoe_size": {"at_least": 1}}),
            "rule[0] E01.requires.shoe_size: is not a fact",
            id="unknown fact",
        ),
        pytest.param(
            at("rule", 0, "requires", put={"dependants": {"at_most": 3}}),
            "rule[0] E01.requires.dependants: may not be used by a policy (its use is model)",
            id="fact for scorecards only",
        ),
        pytest.param(
            at("rule", 1, "requires", put={"household_grade": ["AA", "A"]}),
            "rule[1] E04.requires: must admit every grade better than one it admits",
            id="rule that a better household fails",
        ),
        pytest.param(
            at("rule", 1, "when", put={"village_rating": ["AAA"]}),
            "rule[1] E04.when: must apply to every grade worse than one it applies to",
            id="rule for better villages only",
        ),
        pytest.param(
            at("rule", 1, "requires", put={"talent_tier": ["T2", "T3"]}),
            "rule[1] E04.requires: must admit every grade better than one it admits",
            id="rule that a better talent fails",
        ),
        pytest.param(
            at("rule", 0, "otherwise", put="approve"),
            "rule[0] E01.otherwise: must be one of refer, decline",
            id="rule without consequence",
        ),
        # score
        pytest.param(
            at("cutoff", "refer_at_least", put=561),
            "cutoff.refer_at_least: must not be above approve_at_least",
            id="cut-offs crossed",
        ),
        pytest.param(at("grade", 3), "grade: must be a list of at least 7", id="a grade left out"),
        pytest.param(
            at("grade", 3, "grade", put="R3"),
            "grade: must list R1, R2",
            id="a grade twice, one left out",
        ),
        pytest.param(
            at("grade", 3, "score_at_least", put=600),
            "grade: must have falling floors",
            id="two grades with one floor",
        ),
        pytest.param(
            at("grade", 6, "score_at_least", put=500),
            "grade[6] R7.score_at_least: is not a key this version knows",
            id="a floor under the last grade",
        ),
        # limit
        pytest.param(
            at("limit_row", 1, "when", put={"household_grade": ["A"]}),
            "limit_row: must end with a row for everyone",
            id="no limit row for everyone",
        ),
        pytest.param(
            without_when_first("limit_row"),
            "limit_row: has a row without `when` before the last",
            id="limit row after the one for everyone",
        ),
        pytest.param(
            at("limit_row", 0, "base_yuan", put=9_999),
            "limit_row: gives household_grade A a better base_yuan than AA",
            id="a higher limit for a worse household",
        ),
        pytest.param(
            at("limit_factor_percent", "R3", "unrated"),
            "limit_factor_percent.R3.unrated: is missing",
            id="a gap in the matrix",
        ),
        pytest.param(
            at("limit_factor_percent", "R4", "AAA", put=101),
            "limit_factor_percent.R4.AAA: is 101 and must not be above R3",
            id="the matrix turns along the score",
        ),
        pytest.param(
            at("limit_factor_percent", "R7", "AAA", put=40),
            "limit_factor_percent.R7.AA: is 100 and must not rise",
            id="the matrix turns along the village",
        ),
        # caps
        pytest.param(again("cap"), "cap[1] C01.id: C01 is used twice", id="cap id twice"),
        pytest.param(
            at("cap", 0, "yuan"),
            "cap[0] C01.yuan: is missing",
            id="a cap without a figure",
        ),
        pytest.param(
            at("cap", 0, "percent", put=50),
            "cap[0] C01.percent: is not a key",
            id="a percentage of nothing",
        ),
        pytest.param(
            at("cap", 0, "percent_of", put="revenue_12m_yuan"),
            "cap[0] C01.percent: is missing",
            id="a fact without a percentage",
        ),
        pytest.param(
            at("cap", 0, "less", put="entity"),
            "cap[0] C01.less: must be a number, and entity is a word",
            id="a cap less a word",
        ),
        pytest.param(
            at("cap", 0, "less", put="dependants"),
            "cap[0] C01.less.dependants: may not be used",
            id="a cap less a fact for scorecards",
        ),
        pytest.param(
            at("cap", 0, "when", put={"household_grade": ["A"]}),
            "cap[0] C01.when: must not depend on a grade",
            id="a cap by household grade",
        ),
        # price
        pytest.param(
            at("price_row", 0, "spread_bp", put=121),
            "price_row: gives household_grade A a better spread_bp than AA",
            id="a lower price for a worse household",
        ),
        # guarantee
        pytest.param(
            at("tier", 0, "shares_percent", put={"bank": 20, "local_guarantor": 79}),
            "tier[0] G1.shares_percent: sums to 99; loss shares must sum to 100",
            id="shares sum to 99",
        ),
        pytest.param(
            at("tier", 0, "shares_percent", put={"bank": 19, "local_guarantor": 81}),
            "tier[0] G1.shares_percent.bank: must be at least 20",
            id="the bank bears less than a fifth",
        ),
        pytest.param(
            at("tier", 0, "shares_percent", put={"bank": 20, "uncle": 80}),
            "tier[0] G1.shares_percent: sums to 20",
            id="a sharer nobody knows",
        ),
        pytest.param(
            at("tier", 0, "tier", put="GY"),
            "tier[0] GY.tier: must be one of G0",
            id="unknown tier",
        ),
        pytest.param(
            at("tier", 1, "tier", put="G0"),
            "tier[1] G0.tier: must not stand after G1",
            id="tiers out of order",
        ),
        pytest.param(
            at("tier", 0, "when", put={"grade": ["R2", "R3"]}),
            "tier[0] G1.when: must admit every grade better",
            id="a tier the best score misses",
        ),
        pytest.param(
            without_when_first("tier"),
            "tier[1] G1.tier: must not stand after GX",
            id="a tier after GX",
        ),
        pytest.param(
            at("tier", 0, "when"),
            "tier: has a row without `when` before the last",
            id="a tier after the one for everyone",
        ),
        pytest.param(
            at("tier", 1), "tier: must end with a row for everyone", id="no tier for everyone"
        ),
        pytest.param(
            at("tier", 1, "shares_percent", put={"bank": 60, "local_guarantor": 40}),
            "tier: must end with a tier that needs no local guarantor",
            id="the last tier needs the fund",
        ),
        pytest.param(
            at("guarantee", "liability", put="none"),
            "guarantee.liability: must be one of general, joint",
            id="unknown liability",
        ),
        # examples
        pytest.param(at("example"), "example: is missing", id="no example"),
        pytest.param(
            at("cutoff", "approve_at_least", put=601),
            "example[0].expect.outcome: is approve, but the policy gives refer",
            id="an example that no longer holds",
        ),
        pytest.param(
            at("example", 0, "expect", "outcome"),
            "example[0].expect.outcome: is missing",
            id="an example that expects nothing",
        ),
        pytest.param(
            at("example", 0, "expect", "colour", put="red"),
            "example[0].expect.colour: must be one of",
            id="an example that expects another thing",
        ),
        pytest.param(
            at("example", 0, "expect", "shares_percent", put={"bank": 100}),
            "example[0].expect.shares_percent: is {'bank': 100}, but the policy gives "
            "{'bank': 20, 'local_guarantor': 80}",
            id="an example that expects other shares",
        ),
        pytest.param(
            at("example_facts", "amount_yuan"),
            "example_facts.amount_yuan: is missing",
            id="examples without an amount",
        ),
        pytest.param(
            at("example", 0, "given", put={"shoe_size": 42}),
            "example[0].given.shoe_size: is not a fact",
            id="an example with an unknown fact",
        ),
        pytest.param(
            at("example", 0, "given", put={"household_grade": "AAAA"}),
            "example[0].given.household_grade: must be one of AAA",
            id="an example with an unknown word",
        ),
        pytest.param(
            at("example", 0, "given", put={"grade": "R1"}),
            "example[0].given.grade: follows from the score",
            id="an example that gives the grade",
        ),
        pytest.param(
            at("example", 0, "given", put={"village_rating": "unknown"}),
            "example[0].given.village_rating: must be one of",
            id="an example without a village rating",
        ),
    ],
)
def test_wrong_document_is_refused_with_file_and_place(change: Any, expected: str) -> None:
    with pytest.raises(EditionRefused) as refusal:
        read(change)
    assert str(refusal.value).startswith(f"small.toml, {expected}")


def test_order_is_checked_for_holders_of_several_groups() -> None:
    """A veteran and graduate would get less as AA than as A; either group alone would not."""
    rows = [
        {
            "when": {"groups": ["veteran"], "household_grade": ["AAA", "AA"]},
            "base_yuan": 10_000, **SOURCE,
        },
        {"when": {"groups": ["graduate"]}, "base_yuan": 20_000, **SOURCE},
        {"base_yuan": 10_000, **SOURCE},
    ]  # fmt: skip
    with pytest.raises(EditionRefused, match="gives household_grade A a better base_yuan than AA"):
        read(at("limit_row", put=rows))


# --- what is read -------------------------------------------------------------------------------


def test_every_clause_is_listed_with_its_place() -> None:
    assert [place for place, _ in read().clauses] == [
        "cutoff", "limit", "price", "guarantee", "vouching", "E01", "E04", "limit_row[0]",
        "limit_row[1]", "limit_factor_percent", "C01", "price_row[0]", "price_row[1]", "tier[0] G1",
        "tier[1] GX", "fund",
    ]  # fmt: skip


def test_policy_on_strong_sources_needs_no_verification() -> None:
    assert not read().to_verify


def test_one_weak_clause_marks_the_policy() -> None:
    assert read(at("fund", "verify", put=True)).to_verify


def test_example_may_say_that_a_fact_is_not_known() -> None:
    example = {
        "says": "Age is not known", "given": {"age_years": "unknown"},
        "expect": {"outcome": "refer", "not_met": [], "unknown": ["E01"]},
    }  # fmt: skip
    assert read(at("example", 0, put=example)).product == "credit_loan"


def test_example_may_say_that_someone_belongs_to_no_group() -> None:
    assert read(at("example", 0, "given", put={"groups": []})).product == "credit_loan"


# --- what it judges -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "grade", "outcome"),
    [
        pytest.param(600, "R3", "approve", id="a floor belongs to its grade"),
        pytest.param(599, "R4", "refer", id="R4 has no tier here"),
        pytest.param(540, "R6", "refer", id="the lower cut-off"),
        pytest.param(539, "R7", "decline", id="below it"),
        pytest.param(-200, "R7", "decline", id="no score is too low for a grade"),
    ],
)
def test_score_gives_grade_and_outcome(score: int, grade: str, outcome: str) -> None:
    judgement = judged(score=score)
    assert (judgement.grade, judgement.outcome) == (grade, outcome)


def test_worst_outcome_asked_for_is_the_outcome() -> None:
    judgement = judged(score=559, age_years=17)
    assert (judgement.score_outcome, judgement.outcome) == ("refer", "decline")


def test_eligibility_not_met_is_not_eligible() -> None:
    assert not judged(age_years=17).eligible


def test_eligibility_not_known_may_still_be_eligible() -> None:
    assert judged(age_years=None).eligible


def test_knock_out_leaves_the_applicant_eligible() -> None:
    judgement = judged(at("rule", 0, "stage", put="knock_out"), age_years=17)
    assert (judgement.eligible, judgement.outcome) == (True, "decline")


def test_limit_is_base_times_factor_rounded_down() -> None:
    limit = judged(village_rating="A").limit
    assert (limit.factor_percent, limit.before_caps_yuan, limit.limit_yuan) == (50, 25_250, 25_000)


def test_cap_that_binds_is_named() -> None:
    limit = judged(unsecured_outstanding_yuan=39_500).limit
    assert limit.bound_by is not None
    assert (limit.bound_by.id, limit.limit_yuan) == ("C01", 20_000)


def test_cap_that_does_not_bind_is_shown_but_not_named() -> None:
    limit = judged().limit
    assert [(cap.id, bound) for cap, bound in limit.caps] == [("C01", 60_000)]
    assert limit.bound_by is None


def test_cap_on_a_fact_not_known_takes_its_own_figure() -> None:
    assert judged(unsecured_outstanding_yuan=None).limit.limit_yuan == 20_000


@pytest.mark.parametrize(
    ("facts", "bound"),
    [
        pytest.param(
            {"revenue_12m_yuan": 20_001, "outstanding_yuan": 2_000}, 9_000, id="half, rounded down"
        ),
        pytest.param(
            {"revenue_12m_yuan": None, "outstanding_yuan": 2_000}, 700, id="base not known"
        ),
        pytest.param(
            {"revenue_12m_yuan": 20_001, "outstanding_yuan": None}, 700, id="part taken not known"
        ),
        pytest.param(
            {"revenue_12m_yuan": 0, "outstanding_yuan": 2_000}, 0, id="never below nothing"
        ),
    ],
)
def test_cap_is_a_figure_and_a_percentage_less_what_is_taken(
    facts: dict[str, int | None], bound: int
) -> None:
    cap = Cap(
        id="C01", when=(), yuan=1_000, percent=50, percent_of="revenue_12m_yuan",
        less="outstanding_yuan", if_unknown_yuan=700, zh="上限", en="Cap",
        clause=Clause("notice 1", "A", verify=False),
    )  # fmt: skip
    assert cap.bound_yuan(facts) == bound


def test_cap_at_the_limit_does_not_bind() -> None:
    limit = judged(unsecured_outstanding_yuan=9_500).limit
    assert (limit.before_caps_yuan, limit.caps[0][1], limit.bound_by) == (50_500, 50_500, None)


@pytest.mark.parametrize(
    ("taken_yuan", "limit_yuan"),
    [
        pytest.param(55_000, 5_000, id="the minimum is a limit"),
        pytest.param(55_001, 0, id="below it there is none"),
    ],
)
def test_limit_below_the_minimum_is_none(taken_yuan: int, limit_yuan: int) -> None:
    assert judged(unsecured_outstanding_yuan=taken_yuan).limit.limit_yuan == limit_yuan


@pytest.mark.parametrize(
    ("amount_yuan", "outcome", "above_limit"),
    [(50_000, "approve", False), (50_001, "refer", True)],
)
def test_amount_above_the_limit_is_referred(
    amount_yuan: int, outcome: str, above_limit: bool
) -> None:
    judgement = judged(amount_yuan=amount_yuan)
    assert (judgement.outcome, judgement.above_limit) == (outcome, above_limit)


def test_rate_is_lpr_and_spread_and_the_subsidy_is_rounded_down() -> None:
    price = judged().price
    assert (price.rate_bp, price.subsidy_bp) == (385, 192)


def test_spread_is_capped() -> None:
    assert judged(household_grade="A").price.spread_bp == 100


A_FUND = Fund(
    capital_yuan=80_000,
    guaranteed_yuan=792_000,
    applicant_guaranteed_yuan=0,
    compensation_rate_bp=400,
)


@pytest.mark.parametrize(
    ("change", "tier", "caps"),
    [
        pytest.param({}, "G1", (), id="a share of 8,000 just fits all caps"),
        pytest.param({"guaranteed_yuan": 792_001}, "GX", (("G1", "F01"),), id="multiple"),
        pytest.param({"applicant_guaranteed_yuan": 1}, "GX", (("G1", "F02"),), id="single client"),
        pytest.param({"compensation_rate_bp": 401}, "GX", (("G1", "F03"),), id="compensation rate"),
    ],
)
def test_fund_that_is_full_moves_the_case_down_and_names_the_cap(
    change: dict[str, int], tier: str, caps: tuple[tuple[str, str], ...]
) -> None:
    """80,000 of capital: 800,000 in all, 8,000 a client; 80 % of 10,000 is 8,000."""
    fund = Fund(**{name: getattr(A_FUND, name) for name in Fund.__slots__} | change)
    judgement = judged(fund=fund)
    assert judgement.tier.tier == tier
    assert tuple((row.tier, cap) for row, cap in judgement.tier_caps) == caps


def test_share_of_the_fund_is_rounded_up() -> None:
    """80 % of 10,001 is 8,000.8: it does not fit into 8,000."""
    assert judged(fund=A_FUND, amount_yuan=10_001).tier.tier == "GX"


def test_case_without_tier_is_referred() -> None:
    judgement = judged(score=599)
    assert (judgement.outcome, judgement.without_tier) == ("refer", True)


def test_grade_without_any_limit_speaks_through_its_score_alone() -> None:
    """The amount and the tier are no reasons beside it."""
    nothing = dict.fromkeys(VILLAGE_RATINGS, 0)
    judgement = judged(at("limit_factor_percent", "R7", put=nothing), score=539)
    assert (judgement.outcome, judgement.limit.limit_yuan) == ("decline", 0)
    assert not judgement.above_limit
    assert not judgement.without_tier


# --- how far a successor may move answers -------------------------------------------------------

BUDGET = {
    "most_flips_percent": 2, "most_limit_change_percent": 3,
    "most_expected_loss_change_percent": 4, "most_fund_use_change_percent": 6,
    "least_decisions": 30, **SOURCE,
}  # fmt: skip


def test_a_policy_states_how_far_its_successor_may_move_answers() -> None:
    policy = read(at("change_budget", put=BUDGET))
    budget = policy.change_budget
    assert (budget.most_flips_percent, budget.most_fund_use_change_percent) == (2, 6)
    assert budget.least_decisions == 30
    assert ("change_budget", budget.clause) in policy.clauses


def test_a_budget_older_than_the_bound_of_interest_has_the_proposed_one() -> None:
    assert read(at("change_budget", put=BUDGET)).change_budget.most_interest_change_percent == 10


def test_a_policy_states_how_far_interest_may_move() -> None:
    policy = read(at("change_budget", put={**BUDGET, "most_interest_change_percent": 7}))
    assert policy.change_budget.most_interest_change_percent == 7


def test_a_policy_that_states_no_change_budget_has_the_proposed_one() -> None:
    policy = read()
    assert policy.change_budget == PROPOSED_CHANGE_BUDGET
    assert not policy.to_verify


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("most_flips_percent", -1, "must be a whole number from 0 to 1000"),
        ("most_interest_change_percent", 1001, "must be a whole number from 0 to 1000"),
        ("least_decisions", 0, "must be a whole number from 1"),
        ("most_surprises_percent", 1, "is not a key this version knows"),
        ("reference", "", "must be a text that is not empty"),
    ],
)
def test_a_wrong_change_budget_is_refused(key: str, value: Any, says: str) -> None:
    with pytest.raises(EditionRefused, match=rf"change_budget\.{key}: {says}"):
        read(at("change_budget", put={**BUDGET, key: value}))
