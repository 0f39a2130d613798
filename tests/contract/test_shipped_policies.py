"""The shipped policies: what they promise in figures, and what every reader of them relies on."""

from __future__ import annotations

import re
import tomllib
from datetime import date, timedelta
from itertools import pairwise
from itertools import product as combinations_of
from pathlib import Path
from typing import Any

import pytest

from loansvc.application import CREDENTIAL_KINDS, PRODUCTS, TALENT_TIERS, TOWNS
from loansvc.editions import Head
from loansvc.policy import DATE_FACTS, Judgement, Policy, judge
from loansvc.policy.publication import faults
from loansvc.registry import read_document
from tests.contract.test_domain_references import sections

FOLDER = Path(__file__).parents[2] / "models" / "policies"
# Every edition by its name, such as "fast_loan/2023-10-01"; the golden figures below are of one.
FILES = {
    f"{product}/{path.stem}": path
    for product in PRODUCTS
    for path in sorted((FOLDER / product).glob("*.toml"))
}
READ: dict[str, tuple[Head, Policy]] = {name: read_document(path) for name, path in FILES.items()}
EDITIONS = {name: policy for name, (_, policy) in READ.items()}
EXAMPLES = {name: tomllib.loads(path.read_text("utf-8"))["example"] for name, path in FILES.items()}
FIRST_OF_2026 = "2026-07-01"
POLICIES = {product: EDITIONS[f"{product}/{FIRST_OF_2026}"] for product in PRODUCTS}
EXAMPLE_FACTS: dict[str, dict[str, Any]] = {
    name: tomllib.loads(path.read_text("utf-8"))["example_facts"] for name, path in FILES.items()
}
every_edition = pytest.mark.parametrize("edition", EDITIONS)

S4321 = {"bank": 20, "local_guarantor": 40, "provincial_reguarantor": 30, "government": 10}
NATIONAL = {"bank": 20, "local_guarantor": 40, "provincial_reguarantor": 20, "national_fund": 20}
STARTUP = {"bank": 20, "local_guarantor": 80}
ALONE = {"bank": 100}
PLAN = {"bank": 20, "local_guarantor": 20, "provincial_reguarantor": 20, "national_fund": 40}
TOLD_APART = (
    "R3",
    "R4",
    "R5",
    "R6",
)  # the last score grade that each ladder's rows admit, and one more
# Rules that no known value breaks: a report that was read, a home that the county's list holds.
ONLY_THE_UNKNOWN = {"E08"}

# Words by which a reference says that its source speaks of another place than Dangtu and Anhui.
ELSEWHERE = re.compile(
    r"not named|(?:another|one) county|county notice|[Pp]rovince talent|Hubei|Jiangsu|"
    r"Lianyungang|Mengcheng|Qiandongnan|Qilu|Shandong|Shenzhen|Tongling|Wuhu|Yiyang|Zhuzhou"
)


def judged(product: str, **facts: Any) -> Judgement:
    """What the policy of July 2026 says of its examples' facts, some of them changed."""
    return judged_by(f"{product}/{FIRST_OF_2026}", **facts)


def judged_by(edition: str, **facts: Any) -> Judgement:
    """What an edition says of the facts its examples start from, some of them changed."""
    days = dict.fromkeys(DATE_FACTS, READ[edition][0].valid_from)
    case = days | EXAMPLE_FACTS[edition] | facts
    score, lpr_bp = case.pop("score"), case.pop("lpr_bp")
    if isinstance(case.get("groups"), list):
        case["groups"] = tuple(case["groups"])
    return judge(EDITIONS[edition], case, score=score, lpr_bp=lpr_bp, fund=None)


# --- the documents ------------------------------------------------------------------------------


@every_edition
def test_edition_lies_under_its_product_and_first_day(edition: str) -> None:
    head, policy = READ[edition]
    assert f"{head.product}/{head.valid_from}" == f"{policy.product}/{head.valid_from}" == edition
    assert head.kind == "policy"


@pytest.mark.parametrize("product", PRODUCTS)
def test_edition_is_to_be_reviewed_by_its_last_day_at_the_latest(product: str) -> None:
    """So that no day of the history calls its own policy overdue."""
    heads = [head for head, policy in READ.values() if policy.product == product]
    for this, following in pairwise(heads):
        assert this.review_by is not None
        assert this.review_by >= following.valid_from - timedelta(days=1)


@every_edition
def test_policy_says_in_both_languages_that_it_is_an_example(edition: str) -> None:
    statement = EDITIONS[edition].statement
    assert "示例，不是当涂县的规定" in statement
    assert "not an act of Dangtu county" in statement


@every_edition
def test_every_clause_names_a_section_of_the_fact_sheet(edition: str) -> None:
    without = [
        place for place, clause in EDITIONS[edition].clauses if "DOMAIN " not in clause.reference
    ]
    assert not without


@every_edition
def test_every_proposal_is_to_be_verified(edition: str) -> None:
    unmarked = [
        place
        for place, clause in EDITIONS[edition].clauses
        if ("proposal" in clause.reference or clause.source_grade in "ME") and not clause.verify
    ]
    assert not unmarked


@every_edition
def test_a_decline_by_the_rules_of_another_place_is_to_be_verified(edition: str) -> None:
    """What holds elsewhere declines nobody here before the county has confirmed it."""
    declines = [rule for rule in EDITIONS[edition].rules if rule.otherwise == "decline"]
    borrowed = [rule for rule in declines if ELSEWHERE.search(rule.clause.reference)]
    assert "K06" in {rule.id for rule in borrowed}
    assert [rule.id for rule in borrowed if not rule.clause.verify] == []


@every_edition
def test_every_clause_not_to_be_verified_cites_a_section_with_sources(edition: str) -> None:
    """Sections 9 and 10 hold proposals: alone they carry no clause."""
    unsourced = [
        place
        for place, clause in EDITIONS[edition].clauses
        if not clause.verify and sections(clause.reference) <= {"9", "10"}
    ]
    assert not unsourced


@every_edition
def test_every_kind_of_credential_has_an_issuer(edition: str) -> None:
    assert set(EDITIONS[edition].vouching) == set(CREDENTIAL_KINDS)


@every_edition
def test_policy_carries_examples_of_every_outcome(edition: str) -> None:
    examples = EXAMPLES[edition]
    assert len(examples) >= 8
    assert {e["expect"]["outcome"] for e in examples} == {"approve", "refer", "decline"}


@every_edition
def test_examples_cover_every_tier_of_the_ladder(edition: str) -> None:
    examples = EXAMPLES[edition]
    covered = {e["expect"].get("tier") for e in examples} - {None}
    assert covered == {row.tier for row in EDITIONS[edition].tier_rows}


@every_edition
def test_examples_cover_both_sides_of_every_rule(edition: str) -> None:
    """Every rule but those that only the unknown can fail is not met in some example."""
    expected = [e["expect"] for e in EXAMPLES[edition]]
    covered = {id_ for e in expected for id_ in e.get("not_met", [])}
    rules = {rule.id: rule for rule in EDITIONS[edition].rules}
    without = set(ONLY_THE_UNKNOWN)
    if "E05" in rules and rules["E05"].requires.words == frozenset(TOWNS.values()):
        without.add("E05")
        assert "E05" in {id_ for e in expected for id_ in e.get("unknown", [])}
    assert covered == set(rules) - without


def test_rule_id_means_the_same_over_products_and_years() -> None:
    """One id asks for one fact, with one consequence, at one stage."""
    meaning: dict[str, set[tuple[str, str, str]]] = {}
    for policy in EDITIONS.values():
        for rule in policy.rules:
            meaning.setdefault(rule.id, set()).add((rule.stage, rule.requires.fact, rule.otherwise))
    assert {id_: kinds for id_, kinds in meaning.items() if len(kinds) > 1} == {}


def test_rule_and_cap_ids_are_apart() -> None:
    rules = {rule.id for policy in EDITIONS.values() for rule in policy.rules}
    caps = {cap.id for policy in EDITIONS.values() for cap in policy.caps}
    assert not rules & caps


@every_edition
def test_common_refusals_are_in_every_policy(edition: str) -> None:
    ids = {rule.id for rule in EDITIONS[edition].rules}
    assert {"E01", "E02", "E08", "K01", "K02", "K05", "K06", "K07", "K08", "R01", "R02"} <= ids
    assert ids & {"K03", "K04"}


@every_edition
def test_every_row_of_the_ladder_is_reached(edition: str) -> None:
    """Each row serves an approved case, but the last, which leaves the case to a person."""
    policy = EDITIONS[edition]
    reached = [judged_by(edition, **facts) for facts in _cases_for_tiers(edition)]
    approved = {id(j.tier) for j in reached if j.outcome == "approve"}
    assert [row.tier for row in policy.tier_rows if id(row) not in approved] == ["GX"]
    assert "GX" in {j.tier.tier for j in reached}


def _cases_for_tiers(edition: str) -> list[dict[str, Any]]:
    policy = EDITIONS[edition]
    tests = [test for row in policy.tier_rows for test in row.when]
    of_amount = [t.at_most for t in tests if t.fact == "amount_yuan"]
    amounts = {n + d for n in of_amount if isinstance(n, int) for d in (0, 1)}
    levels = {"employees": 10, "hire_share_percent": 20}  # firms of the fast loan hire enough
    axes: dict[str, list[Any]] = {
        "score": [floor for grade, floor in policy.grade_floors if grade in TOLD_APART],
        "entity": ["household", "cooperative"],
        "household_grade": ["AA", "A", None],
        "village_rating": ["AAA", "A", "unrated"],
        "talent_tier": list(TALENT_TIERS),
        "amount_yuan": [10_000, *sorted(amounts)],
        "park_resident": ["yes", "no"],
        "craftsman_level": [0, 2],
        "contest_award_level": [0, 2],
        "term_months": [12, 13],
        "guarantee_start": [date(2026, 1, 18), date(2026, 1, 19)],
    }
    asked_for = {test.fact for test in tests} | {"score", "amount_yuan", "entity"}
    axes = {name: values for name, values in axes.items() if name in asked_for}
    axes.setdefault("village_rating", ["AA"])
    cases = combinations_of(*axes.values())
    return [levels | dict(zip(axes, case, strict=True)) for case in cases]


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


@every_edition
def test_loss_shares_by_tier(edition: str) -> None:
    """DOMAIN 10; under the national fund's plan of 2026 it carries 40 % (DOMAIN 3.2)."""
    expected = {
        "G0": ALONE, "G1": S4321, "G1n": NATIONAL, "G2": STARTUP, "G3": S4321, "G4": S4321,
        "GX": ALONE,
    }  # fmt: skip
    for row in EDITIONS[edition].tier_rows:
        keyed = any(test.fact == "guarantee_start" for test in row.when)
        given = {name: n for name, n in row.shares_percent.items() if n}
        assert given == (PLAN if keyed else expected[row.tier])


@every_edition
def test_fund_caps_and_liability(edition: str) -> None:
    """Guarantee company regulation art. 15, 16; national fund 4 %; Civil Code art. 686, 692."""
    policy = EDITIONS[edition]
    caps = policy.fund_caps
    assert (caps.multiple, caps.single_client_percent, caps.compensation_rate_cap_bp) == (
        10,
        10,
        400,
    )
    assert caps.related_percent == (None if edition.endswith(FIRST_OF_2026) else 15)
    assert (policy.liability, policy.liability_period_months, policy.lgd_percent) == (
        "general",
        6,
        60,
    )


@every_edition
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
        "town",
        "employees",
        "days_past_due_now",
        "dishonest_debtor",
        "aml_listed",
        "village_flag",
        "repair_applied",
        "policy_loan_overdue",
    ],
)
def test_what_is_not_known_is_never_declined(edition: str, fact: str) -> None:
    assert judged_by(edition, **{fact: None}).outcome in ("approve", "refer")


def shares(judgement: Judgement) -> dict[str, int]:
    """The shares that are not nought."""
    return {name: n for name, n in judgement.tier.shares_percent.items() if n}


@pytest.mark.parametrize("product", PRODUCTS)
def test_ids_keep_their_meaning_through_all_editions_of_a_product(product: str) -> None:
    """So that none is a fault that a next edition could not put right."""
    mine = {name: policy for name, policy in EDITIONS.items() if name.startswith(f"{product}/")}
    assert len(mine) > 1
    for policy in mine.values():
        assert faults(policy, mine) == []
