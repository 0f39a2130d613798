"""The shipped policies: what they promise in figures, and what every reader of them relies on."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from itertools import product as combinations_of
from pathlib import Path
from typing import Any

import pytest

from loansvc.application import CREDENTIAL_KINDS, GRADES, PRODUCTS, TALENT_TIERS
from loansvc.editions import Head
from loansvc.policy import SCORE_GRADES, VILLAGE_RATINGS, Judgement, Policy, judge
from loansvc.registry import read_document
from tests.contract.test_domain_references import sections

FOLDER = Path(__file__).parents[2] / "models" / "policies"
FILES = {product: FOLDER / product / "2026-07-01.toml" for product in PRODUCTS}
READ: dict[str, tuple[Head, Policy]] = {name: read_document(path) for name, path in FILES.items()}
POLICIES = {product: policy for product, (_, policy) in READ.items()}
EXAMPLE_FACTS: dict[str, dict[str, Any]] = {
    product: tomllib.loads(path.read_text("utf-8"))["example_facts"]
    for product, path in FILES.items()
}

S4321 = {"bank": 20, "local_guarantor": 40, "provincial_reguarantor": 30, "government": 10}
NATIONAL = {"bank": 20, "local_guarantor": 40, "provincial_reguarantor": 20, "national_fund": 20}
STARTUP = {"bank": 20, "local_guarantor": 80}
ALONE = {"bank": 100}

# Words by which a reference says that its source speaks of another place than Dangtu and Anhui.
ELSEWHERE = re.compile(
    r"not named|(?:another|one) county|county notice|[Pp]rovince talent|Hubei|Jiangsu|"
    r"Lianyungang|Mengcheng|Qiandongnan|Qilu|Shandong|Shenzhen|Tongling|Wuhu|Yiyang|Zhuzhou"
)


def judged(product: str, **facts: Any) -> Judgement:
    """What a shipped policy says of the facts its examples start from, some of them changed."""
    case = EXAMPLE_FACTS[product] | facts
    score, lpr_bp = case.pop("score"), case.pop("lpr_bp")
    if isinstance(case.get("groups"), list):
        case["groups"] = tuple(case["groups"])
    return judge(POLICIES[product], case, score=score, lpr_bp=lpr_bp, fund=None)


# --- the documents ------------------------------------------------------------------------------


@pytest.mark.parametrize("product", PRODUCTS)
def test_policy_holds_from_july_2026_for_a_year(product: str) -> None:
    head, policy = READ[product]
    assert (head.kind, head.product, policy.product) == ("policy", product, product)
    assert (head.valid_from, policy.review_by) == (date(2026, 7, 1), date(2027, 6, 30))


@pytest.mark.parametrize("product", PRODUCTS)
def test_policy_says_in_both_languages_that_it_is_an_example(product: str) -> None:
    statement = POLICIES[product].statement
    assert "示例，不是当涂县的规定" in statement
    assert "not an act of Dangtu county" in statement


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_clause_names_a_section_of_the_fact_sheet(product: str) -> None:
    without = [
        place for place, clause in POLICIES[product].clauses if "DOMAIN " not in clause.reference
    ]
    assert not without


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_proposal_is_to_be_verified(product: str) -> None:
    unmarked = [
        place
        for place, clause in POLICIES[product].clauses
        if ("proposal" in clause.reference or clause.source_grade in "ME") and not clause.verify
    ]
    assert not unmarked


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_decline_by_the_rules_of_another_place_is_to_be_verified(product: str) -> None:
    """What holds elsewhere declines nobody here before the county has confirmed it."""
    declines = [rule for rule in POLICIES[product].rules if rule.otherwise == "decline"]
    borrowed = [rule for rule in declines if ELSEWHERE.search(rule.clause.reference)]
    assert "K06" in {rule.id for rule in borrowed}
    assert [rule.id for rule in borrowed if not rule.clause.verify] == []


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_clause_not_to_be_verified_cites_a_section_with_sources(product: str) -> None:
    """Sections 9 and 10 hold proposals: alone they carry no clause."""
    unsourced = [
        place
        for place, clause in POLICIES[product].clauses
        if not clause.verify and sections(clause.reference) <= {"9", "10"}
    ]
    assert not unsourced


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_kind_of_credential_has_an_issuer(product: str) -> None:
    assert set(POLICIES[product].vouching) == set(CREDENTIAL_KINDS)


@pytest.mark.parametrize("product", PRODUCTS)
def test_policy_carries_examples_of_every_outcome(product: str) -> None:
    examples = tomllib.loads(FILES[product].read_text("utf-8"))["example"]
    assert len(examples) >= 8
    assert {e["expect"]["outcome"] for e in examples} == {"approve", "refer", "decline"}


@pytest.mark.parametrize("product", PRODUCTS)
def test_examples_cover_every_tier_of_the_ladder(product: str) -> None:
    examples = tomllib.loads(FILES[product].read_text("utf-8"))["example"]
    covered = {e["expect"].get("tier") for e in examples} - {None}
    assert covered == {row.tier for row in POLICIES[product].tier_rows}


@pytest.mark.parametrize("product", PRODUCTS)
def test_examples_cover_both_sides_of_every_rule(product: str) -> None:
    """Every rule but E08, which only the unknown can fail, is not met in some example."""
    examples = tomllib.loads(FILES[product].read_text("utf-8"))["example"]
    covered = {id_ for e in examples for id_ in e["expect"].get("not_met", [])}
    assert covered == {rule.id for rule in POLICIES[product].rules} - {"E08"}


def test_rule_id_means_the_same_over_products() -> None:
    """One id asks for one fact, with one consequence, at one stage."""
    meaning: dict[str, set[tuple[str, str, str]]] = {}
    for policy in POLICIES.values():
        for rule in policy.rules:
            meaning.setdefault(rule.id, set()).add((rule.stage, rule.requires.fact, rule.otherwise))
    assert {id_: kinds for id_, kinds in meaning.items() if len(kinds) > 1} == {}


def test_rule_and_cap_ids_are_apart() -> None:
    rules = {rule.id for policy in POLICIES.values() for rule in policy.rules}
    caps = {cap.id for policy in POLICIES.values() for cap in policy.caps}
    assert not rules & caps


@pytest.mark.parametrize("product", PRODUCTS)
def test_common_refusals_are_in_every_policy(product: str) -> None:
    ids = {rule.id for rule in POLICIES[product].rules}
    assert {"E01", "E02", "E08", "K01", "K02", "K05", "K06", "K07", "K08", "R01", "R02"} <= ids
    assert ids & {"K03", "K04"}


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_row_of_the_ladder_is_reached(product: str) -> None:
    """Each row serves an approved case, but the last, which leaves the case to a person."""
    policy = POLICIES[product]
    reached = [judged(product, **facts) for facts in _cases_for_tiers(product)]
    approved = {id(j.tier) for j in reached if j.outcome == "approve"}
    assert [row.tier for row in policy.tier_rows if id(row) not in approved] == ["GX"]
    assert "GX" in {j.tier.tier for j in reached}


def _cases_for_tiers(product: str) -> list[dict[str, Any]]:
    policy = POLICIES[product]
    tests = [test for row in policy.tier_rows for test in row.when]
    amounts = {t.at_most + d for t in tests if isinstance(t.at_most, int) for d in (0, 1)}
    axes: dict[str, list[Any]] = {
        "score": [policy.grade_floors[i][1] for i in range(len(SCORE_GRADES))],
        "entity": ["household", "cooperative"],
        "household_grade": [*GRADES, None],
        "village_rating": list(VILLAGE_RATINGS),
        "talent_tier": list(TALENT_TIERS),
        "amount_yuan": [10_000, *sorted(amounts)],
    }
    asked_for = {test.fact for test in tests} | {"score", "amount_yuan", "entity"}
    axes = {name: values for name, values in axes.items() if name in asked_for}
    axes.setdefault("village_rating", ["AA"])
    return [dict(zip(axes, case, strict=True)) for case in combinations_of(*axes.values())]


# --- golden figures -----------------------------------------------------------------------------


def test_contract_example_of_the_decision() -> None:
    """The examples start from a family farm: 627 points, AA in an AA village, 120,000 yuan."""
    judgement = judged("credit_loan")
    assert judgement.outcome == "approve"
    assert (judgement.grade, judgement.limit.limit_yuan, judgement.price.rate_bp) == (
        "R2",
        135_000,
        385,
    )
    assert (judgement.tier.tier, judgement.tier.counter_guarantee) == ("G1", "waived")
    assert shares(judgement) == S4321


@pytest.mark.parametrize(
    ("entity", "household_grade", "expected"),
    [
        ("household", "AAA", 300_000),
        ("household", "AA", 150_000),
        ("household", "A", 50_000),
        ("sole_trader", "AA", 150_000),
        ("family_farm", "AA", 150_000),
        (None, "AA", 150_000),
        ("micro_enterprise", "AAA", 3_000_000),
        ("cooperative", "AA", 1_000_000),
        ("village_collective", "A", 500_000),
        ("cooperative", "B", 0),
        ("household", None, 0),
    ],
)
def test_credit_loan_limit_by_entity_and_grade(
    entity: str | None, household_grade: str | None, expected: int
) -> None:
    """DOMAIN 9, in an AAA village."""
    facts = {"entity": entity, "household_grade": household_grade, "village_rating": "AAA"}
    assert judged("credit_loan", **facts).limit.limit_yuan == expected


@pytest.mark.parametrize(
    ("village_rating", "expected"),
    [
        ("AAA", 150_000),
        ("AA", 135_000),
        ("A", 120_000),
        ("unrated", 75_000),
        ("B", 60_000),
        ("C", 45_000),
        ("D", 30_000),
    ],
)
def test_credit_loan_limit_by_village(village_rating: str, expected: int) -> None:
    """DOMAIN 9: factor 1.0, 0.9, 0.8, unrated 0.5, for an AA household."""
    assert judged("credit_loan", village_rating=village_rating).limit.limit_yuan == expected


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (640, 135_000),
        (600, 135_000),
        (599, 108_000),
        (580, 108_000),
        (579, 67_000),
        (560, 67_000),
        (559, 0),
        (539, 0),
    ],
)
def test_credit_loan_limit_by_score(score: int, expected: int) -> None:
    assert judged("credit_loan", score=score).limit.limit_yuan == expected


@pytest.mark.parametrize(
    ("talent_tier", "limit_yuan", "ceiling_yuan", "rate_bp"),
    [
        ("T1", 5_000_000, 1_000_000, 350),
        ("T2", 3_000_000, 500_000, 350),
        ("T3", 1_000_000, 300_000, 365),
        ("T4", 500_000, 200_000, 380),
        ("T5", 300_000, 100_000, 380),
    ],
)
def test_talent_loan_by_tier(
    talent_tier: str, limit_yuan: int, ceiling_yuan: int, rate_bp: int
) -> None:
    """DOMAIN 9: limit, unsecured ceiling and at most LPR + 80."""
    on_credit = judged("talent_loan", talent_tier=talent_tier, amount_yuan=ceiling_yuan)
    guaranteed = judged("talent_loan", talent_tier=talent_tier, amount_yuan=ceiling_yuan + 1)
    assert (on_credit.limit.limit_yuan, on_credit.price.rate_bp) == (limit_yuan, rate_bp)
    assert (on_credit.tier.tier, shares(on_credit)) == ("G0", ALONE)
    assert (guaranteed.tier.tier, shares(guaranteed)) == ("G1", S4321)


@pytest.mark.parametrize(
    ("product", "facts", "limit_yuan"),
    [
        ("fast_loan", {}, 500_000),
        ("fast_loan", {"entity": "micro_enterprise"}, 4_000_000),
        ("online_loan", {}, 200_000),
        ("online_loan", {"months_since_first_credit": None}, 100_000),
    ],
)
def test_fast_and_online_limits(product: str, facts: dict[str, Any], limit_yuan: int) -> None:
    assert judged(product, **facts).limit.limit_yuan == limit_yuan


def test_fast_loan_is_never_approved_above_the_national_limit() -> None:
    """Which limit holds in Anhui after 2023-10-01 is not confirmed (DOMAIN 11)."""
    assert judged("fast_loan", amount_yuan=300_000).outcome == "approve"
    assert judged("fast_loan", amount_yuan=300_001).outcome == "refer"


def test_state_pays_half_of_the_rate_of_a_fast_loan() -> None:
    price = judged("fast_loan").price
    assert (price.rate_bp, price.subsidy_bp) == (400, 200)


@pytest.mark.parametrize("product", ["credit_loan", "talent_loan", "online_loan"])
def test_other_products_have_no_interest_subsidy(product: str) -> None:
    assert judged(product).price.subsidy_bp == 0


@pytest.mark.parametrize(
    ("product", "most_spread_bp"),
    [("credit_loan", 150), ("talent_loan", 80), ("fast_loan", 150), ("online_loan", 200)],
)
def test_spread_is_capped_by_product(product: str, most_spread_bp: int) -> None:
    policy = POLICIES[product]
    assert policy.most_spread_bp == most_spread_bp
    assert max(row.spread_bp for row in policy.price_rows) == most_spread_bp


@pytest.mark.parametrize("product", PRODUCTS)
def test_loss_shares_by_tier(product: str) -> None:
    """DOMAIN 10."""
    expected = {
        "G0": ALONE, "G1": S4321, "G1n": NATIONAL, "G2": STARTUP, "G3": S4321, "G4": S4321,
        "GX": ALONE,
    }  # fmt: skip
    for row in POLICIES[product].tier_rows:
        assert {name: n for name, n in row.shares_percent.items() if n} == expected[row.tier]


@pytest.mark.parametrize("product", PRODUCTS)
def test_fund_caps_and_liability(product: str) -> None:
    """Guarantee company regulation art. 15, 16; national fund 4 %; Civil Code art. 686, 692."""
    policy = POLICIES[product]
    caps = policy.fund_caps
    assert (caps.multiple, caps.single_client_percent, caps.compensation_rate_cap_bp) == (
        10,
        10,
        400,
    )
    assert (policy.liability, policy.liability_period_months, policy.lgd_percent) == (
        "general",
        6,
        60,
    )


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(
    "fact",
    [
        "max_days_past_due_24m",
        "household_debt_service_percent",
        "unsecured_outstanding_yuan",
        "unsecured_total_yuan",
        "groups",
        "talent_tier",
        "entity",
        "household_grade",
    ],
)
def test_what_is_not_known_is_never_declined(product: str, fact: str) -> None:
    assert judged(product, **{fact: None}).outcome in ("approve", "refer")


def shares(judgement: Judgement) -> dict[str, int]:
    """The shares that are not nought."""
    return {name: n for name, n in judgement.tier.shares_percent.items() if n}
