"""The rule book by date: what each product answers on the eve of a change and on the day itself.

Figures from the fact sheet (DOMAIN 2 to 4, 8 to 10); the LPR is the published one of the day.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loansvc.application import GRADES, PRODUCTS
from loansvc.editions import COUNTY, in_force
from loansvc.errors import NoEditionInForce
from loansvc.policy import Fund, Judgement, Policy, judge
from loansvc.reasons import PLAIN_REASONS
from loansvc.registry import Registry
from loansvc.settings import shipped

REGISTRY = Registry.open(shipped("models"))
HISTORY = {
    "credit_loan": ["2019-08-01", "2020-01-01", "2021-05-01", "2026-01-01", "2026-07-01",
                    "2026-11-26"],
    "fast_loan": ["2021-01-01", "2023-10-01", "2025-12-01", "2026-01-01", "2026-07-01",
                  "2026-11-26"],
    "online_loan": ["2021-01-01", "2026-01-01", "2026-07-01", "2026-11-26"],
    "talent_loan": ["2021-06-01", "2022-01-01", "2025-12-01", "2026-01-01", "2026-07-01",
                    "2026-11-26"],
}  # fmt: skip
DAYS = [(product, day) for product, days in HISTORY.items() for day in days]
# The policies of July 2026 could not ask for the facts that applications may state since then.
ASKED = [(product, day) for product, day in DAYS if day != "2026-07-01"]

# A plain case of each product, approved whenever the product is there.
PLAIN: dict[str, Any] = {
    "entity": "sole_trader", "town": "护河镇", "household_grade": "A", "village_rating": "A",
    "groups": ("veteran",), "talent_tier": "T3", "age_years": 40, "age_at_maturity_years": 41,
    "household_debt_service_percent": 20, "max_days_past_due_24m": 0, "days_past_due_now": 0,
    "dishonest_debtor": "no", "aml_listed": "no", "village_flag": "no", "repair_applied": "no",
    "months_since_first_credit": 60, "unsecured_outstanding_yuan": 0,
    "unsecured_total_yuan": 40_000, "report_age_days": 5, "policy_loans": 0,
    "policy_loan_overdue": "no", "outstanding_yuan": 0, "amount_yuan": 40_000, "term_months": 12,
    "purpose": "working_capital", "repayment": "instalment", "park_resident": "no",
    "craftsman_level": 0, "contest_award_level": 0,
}  # fmt: skip
FIRM: dict[str, Any] = {
    "entity": "micro_enterprise", "groups": (), "village_rating": "B", "household_grade": "B",
    "amount_yuan": 1_000_000, "employees": 40, "hire_share_percent": 15,
}  # fmt: skip


def policy_on(product: str, day: str) -> Policy:
    on = date.fromisoformat(day)
    policy: Policy = in_force(
        REGISTRY.editions, kind="policy", product=product, role="champion", on=on
    ).content
    return policy


def judged(product: str, day: str, *, fund: Fund | None = None, **facts: Any) -> Judgement:
    """What the policy and the LPR of a day say of the plain case, some facts changed."""
    on = date.fromisoformat(day)
    rates = in_force(REGISTRY.editions, kind="rates", product=COUNTY, role="champion", on=on)
    loan_start = facts.get("loan_start", on)
    days = {"applied_on": on, "loan_start": loan_start, "guarantee_start": loan_start}
    case = PLAIN | days | facts
    return judge(
        policy_on(product, day),
        {k: v for k, v in case.items() if k != "score"},
        score=case.get("score", 650),
        lpr_bp=rates.content.on(on).for_term(case["term_months"]),
        fund=fund,
    )


def not_met(judgement: Judgement) -> list[str]:
    return [finding.rule.id for finding in judgement.findings if finding.result == "not_met"]


def shares(judgement: Judgement) -> dict[str, int]:
    return {name: n for name, n in judgement.tier.shares_percent.items() if n}


# --- the editions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("product", PRODUCTS)
def test_editions_of_the_history(product: str) -> None:
    days = [
        str(e.valid_from) for e in REGISTRY.editions if (e.kind, e.product) == ("policy", product)
    ]
    assert sorted(days) == HISTORY[product]


@pytest.mark.parametrize(
    ("product", "eve"),
    [
        ("credit_loan", "2019-07-31"),
        ("fast_loan", "2020-12-31"),
        ("online_loan", "2020-12-31"),
        ("talent_loan", "2021-05-31"),
    ],
)
def test_no_policy_holds_before_the_first_day_of_a_product(product: str, eve: str) -> None:
    with pytest.raises(NoEditionInForce):
        policy_on(product, eve)


@pytest.mark.parametrize(("product", "day"), DAYS)
def test_plain_case_is_approved_on_the_first_day_of_every_edition(product: str, day: str) -> None:
    judgement = judged(product, day)
    assert (judgement.outcome, not_met(judgement)) == ("approve", [])


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_edition_says_at_its_top_what_changed(product: str) -> None:
    """The first edition says that it is one; the later ones name the edition before."""
    for before, day in zip([None, *HISTORY[product]], HISTORY[product], strict=False):
        text = (REGISTRY.folder / "policies" / product / f"{day}.toml").read_text("utf-8")
        top = text[: text.index("# How to read this file")]
        if day != "2026-07-01":
            assert (f"# Against {before}" if before else "# First edition") in top


def test_documentation_lists_every_edition_and_every_rule() -> None:
    text = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
    history = text[text.index("## History") :]
    listed: dict[str, list[str]] = {}
    product = ""
    for name, day in re.findall(r"^\| (?:\S+ `(\w+)`)? ?\| (\d{4}-\d\d-\d\d) \|", history, re.M):
        product = name or product
        listed.setdefault(product, []).append(day)
    assert listed == HISTORY
    policies = [policy_on(product, day) for product, day in DAYS]
    ids = {rule.id for policy in policies for rule in policy.rules}
    ids |= {cap.id for policy in policies for cap in policy.caps}
    table = text[text.index("**Ids in use**") : text.index("## History")]
    assert ids | set(PLAIN_REASONS) <= set(re.findall(r"\b[A-Z]\d\d\b", table))


# --- common refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(("product", "day"), DAYS)
@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        pytest.param({"age_years": 17}, "E01", id="under 18"),
        pytest.param({"age_at_maturity_years": 66}, "E02", id="over 65 at maturity"),
        pytest.param({"max_days_past_due_24m": 90}, "K01", id="90 days overdue in 24 months"),
        pytest.param({"household_debt_service_percent": 56}, "K02", id="debt service over 55 %"),
        pytest.param({"policy_loans": 3}, "K05", id="a fourth policy loan"),
        pytest.param({"policy_loan_overdue": "yes"}, "K06", id="overdue on an earlier one"),
        pytest.param({"purpose": "securities"}, "K07", id="for securities"),
        pytest.param({"purpose": "property"}, "K07", id="for property"),
        pytest.param({"purpose": "on_lending"}, "K07", id="for lending on"),
        pytest.param({"purpose": "consumption"}, "K08", id="for consumption"),
    ],
)
def test_common_refusals_hold_at_all_times(
    product: str, day: str, facts: dict[str, Any], rule: str
) -> None:
    """DOMAIN 9."""
    judgement = judged(product, day, **facts)
    assert judgement.outcome == "decline"
    assert rule in not_met(judgement)


@pytest.mark.parametrize(("product", "day"), ASKED)
@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        pytest.param({"days_past_due_now": 1}, "K11", id="overdue now"),
        pytest.param({"dishonest_debtor": "yes"}, "K12", id="a dishonest debtor"),
        pytest.param({"aml_listed": "yes"}, "K13", id="on an anti-money-laundering list"),
    ],
)
def test_lists_and_current_arrears_refuse(
    product: str, day: str, facts: dict[str, Any], rule: str
) -> None:
    """DOMAIN 9."""
    judgement = judged(product, day, **facts)
    assert (judgement.outcome, not_met(judgement)) == ("decline", [rule])


@pytest.mark.parametrize(("product", "day"), ASKED)
def test_knock_outs_are_told_in_the_stated_order(product: str, day: str) -> None:
    rules = [rule.id for rule in policy_on(product, day).rules]
    stages = "".join(id_[0] for id_ in rules)
    assert stages == "".join(sorted(stages))  # E, then K, then R
    stated = ["K13", "K12", "K11", "K01", "K06", "K05", "K03", "K04", "K02", "K07", "K08", "K09",
              "K10"]  # fmt: skip
    assert [id_ for id_ in rules if id_[0] == "K"] == [id_ for id_ in stated if id_ in rules]


@pytest.mark.parametrize(("product", "day"), ASKED)
def test_mark_of_conduct_only_asks_for_a_person(product: str, day: str) -> None:
    """DOMAIN 0, 8."""
    judgement = judged(product, day, village_flag="yes")
    assert (judgement.outcome, not_met(judgement)) == ("refer", ["R13"])


# --- credit loan: residence and price -------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "town", "outcome"),
    [
        ("2019-08-01", "护河镇", "approve"),
        ("2019-08-01", "乌溪镇", "approve"),
        ("2019-12-31", "太白镇", "decline"),
        ("2019-12-31", "姑孰镇", "decline"),
        ("2020-01-01", "太白镇", "refer"),
        ("2020-07-31", "太白镇", "refer"),
        ("2020-08-01", "太白镇", "approve"),
        ("2020-08-01", "护河镇", "approve"),
        ("2021-04-30", "太白镇", "approve"),
        ("2021-04-30", "姑孰镇", "decline"),
        ("2021-05-01", "姑孰镇", "approve"),
        ("2021-05-01", "当涂现代农业示范区", "approve"),
        ("2026-11-26", "姑孰镇", "approve"),
        ("2026-11-26", None, "refer"),
    ],
)
def test_credit_loan_spreads_from_the_pilot_towns_to_the_county(
    day: str, town: str | None, outcome: str
) -> None:
    """DOMAIN 2.1: 护河 and 乌溪 in 2019, 太白 in 2020 (day not found), the county in May 2021."""
    assert judged("credit_loan", day, town=town).outcome == outcome


@pytest.mark.parametrize(
    ("day", "lpr_bp"),
    [
        pytest.param("2019-08-19", 435, id="the base rate, before the first LPR"),
        pytest.param("2019-08-20", 425, id="the first LPR"),
        pytest.param("2020-04-19", 405, id="the day before a cut"),
        pytest.param("2020-04-20", 385, id="the day of a cut"),
        pytest.param("2022-08-22", 365, id="2022"),
        pytest.param("2026-11-26", 300, id="today"),
    ],
)
@pytest.mark.parametrize(("grade", "spread_bp"), [("AAA", 50), ("AA", 85), ("A", 120)])
def test_credit_loan_rate_is_lpr_and_the_household_grade(
    day: str, lpr_bp: int, grade: str, spread_bp: int
) -> None:
    """DOMAIN 8, 9."""
    price = judged("credit_loan", day, household_grade=grade).price
    assert (price.lpr_bp, price.rate_bp, price.subsidy_bp) == (lpr_bp, lpr_bp + spread_bp, 0)


@pytest.mark.parametrize("day", HISTORY["credit_loan"])
@pytest.mark.parametrize(
    ("entity", "grade", "village_rating", "limit_yuan"),
    [
        ("household", "AAA", "AAA", 300_000),
        ("household", "AA", "AA", 135_000),
        ("household", "A", "A", 40_000),
        ("family_farm", "AA", "unrated", 75_000),
        ("cooperative", "AAA", "AAA", 3_000_000),
        ("cooperative", "AA", "A", 800_000),
        ("village_collective", "A", "AAA", 500_000),
        ("household", "B", "AAA", 0),
    ],
)
def test_credit_loan_limits_have_not_changed(
    day: str, entity: str, grade: str, village_rating: str, limit_yuan: int
) -> None:
    """DOMAIN 9."""
    facts: dict[str, Any] = {
        "entity": entity,
        "household_grade": grade,
        "village_rating": village_rating,
    }
    assert judged("credit_loan", day, **facts).limit.limit_yuan == limit_yuan


LARGE: dict[str, Any] = {
    "entity": "cooperative", "household_grade": "AAA", "village_rating": "AAA",
    "amount_yuan": 3_000_000, "term_months": 36,
}  # fmt: skip


@pytest.mark.parametrize(
    ("day", "facts", "national_fund"),
    [
        pytest.param("2026-01-10", {"guarantee_start": date(2026, 1, 18)}, 20, id="the eve"),
        pytest.param("2026-01-10", {"guarantee_start": date(2026, 1, 19)}, 40, id="its first day"),
        pytest.param("2026-11-26", {}, 40, id="today"),
        pytest.param("2026-11-26", {"term_months": 12}, 20, id="not medium or long term"),
        pytest.param("2026-11-26", {"guarantee_start": date(2028, 1, 18)}, 40, id="its last day"),
        pytest.param("2026-11-26", {"guarantee_start": date(2028, 1, 19)}, 20, id="the day after"),
        pytest.param("2025-12-31", {"guarantee_start": date(2026, 1, 19)}, 20,
                     id="applied for before the plan was known"),
    ],
)  # fmt: skip
def test_national_fund_carries_more_of_guarantees_that_start_under_its_plan(
    day: str, facts: dict[str, Any], national_fund: int
) -> None:
    """DOMAIN 3.2: 40 % from 2026-01-19 for two years."""
    judgement = judged("credit_loan", day, **LARGE | facts)
    assert (judgement.outcome, judgement.tier.tier) == ("approve", "G1n")
    assert shares(judgement)["national_fund"] == national_fund
    assert shares(judgement)["bank"] == 20


@pytest.mark.parametrize(
    ("rate_bp", "national_fund", "codes"),
    [
        pytest.param(400, 40, [], id="4 %, the cap of the ordinary scheme"),
        pytest.param(401, 40, [], id="above it the plan still carries"),
        pytest.param(500, 40, [], id="5 %, the cap of the plan"),
        pytest.param(501, 0, ["F03"], id="above 5 % nobody does"),
    ],
)
def test_plan_has_a_compensation_cap_of_its_own(
    rate_bp: int, national_fund: int, codes: list[str]
) -> None:
    """DOMAIN 3.2: compensation cap 5 % under the plan, 4 % otherwise."""
    fund = Fund(
        capital_yuan=100_000_000, guaranteed_yuan=0, applicant_guaranteed_yuan=0,
        compensation_rate_bp=rate_bp,
    )  # fmt: skip
    judgement = judged("credit_loan", "2026-11-26", fund=fund, **LARGE)
    assert shares(judgement).get("national_fund", 0) == national_fund
    assert sorted({code for _, code in judgement.tier_caps}) == codes


# --- fast loan: groups, firms, limits, subsidy, waivers -------------------------------------------


@pytest.mark.parametrize("day", [d for d in HISTORY["fast_loan"] if d != "2026-07-01"])
@pytest.mark.parametrize(
    "group",
    [
        "registered_unemployed", "employment_difficulty", "veteran", "released_prisoner",
        "graduate", "overcapacity_worker", "returning_migrant", "online_merchant",
        "poverty_relieved", "farmer_founder",
    ],
)  # fmt: skip
def test_each_of_the_ten_groups_is_eligible(day: str, group: str) -> None:
    """DOMAIN 3.1."""
    assert judged("fast_loan", day, groups=(group,)).outcome == "approve"


@pytest.mark.parametrize(
    ("day", "groups", "outcome"),
    [
        pytest.param("2021-01-01", (), "decline", id="none of the groups"),
        pytest.param("2026-07-01", (), "refer", id="none, when two groups could not be told"),
        pytest.param("2026-11-26", (), "decline", id="none, since they can"),
        pytest.param("2021-01-01", ("ex_fisher",), "refer", id="an ex-fisher: the local clause"),
        pytest.param("2026-11-26", ("ex_fisher",), "refer", id="an ex-fisher today"),
        pytest.param("2026-11-26", ("ex_fisher", "farmer_founder"), "approve",
                     id="an ex-fisher through another group"),
        pytest.param("2025-11-30", ("technician_graduate",), "decline", id="before MoF 135"),
        pytest.param("2025-12-01", ("technician_graduate",), "approve", id="after MoF 135"),
        pytest.param("2026-11-26", None, "refer", id="not known"),
    ],
)  # fmt: skip
def test_groups_by_date(day: str, groups: tuple[str, ...] | None, outcome: str) -> None:
    assert judged("fast_loan", day, groups=groups).outcome == outcome


@pytest.mark.parametrize(
    ("day", "employees", "hire_share_percent", "outcome"),
    [
        ("2021-01-01", 100, 15, "approve"),
        ("2021-01-01", 100, 14, "decline"),
        ("2021-01-01", 101, 8, "approve"),
        ("2021-01-01", 101, 7, "decline"),
        ("2025-12-31", 100, 14, "decline"),
        ("2026-01-01", 100, 14, "refer"),
        ("2026-07-01", 100, 15, "refer"),
        ("2026-11-26", 100, 15, "approve"),
        ("2026-11-26", 100, 14, "refer"),
        ("2026-11-26", 100, 10, "refer"),
        ("2026-11-26", 100, 9, "decline"),
        ("2026-11-26", 101, 8, "approve"),
        ("2026-11-26", 101, 7, "refer"),
        ("2026-11-26", 101, 5, "refer"),
        ("2026-11-26", 101, 4, "decline"),
        ("2026-11-26", 40, None, "refer"),
        ("2026-11-26", None, None, "refer"),
    ],
)
def test_firms_by_their_share_of_new_hires(
    day: str, employees: int | None, hire_share_percent: int | None, outcome: str
) -> None:
    """DOMAIN 3.1: 15 %, over 100 staff 8 %; one county since 2026: 10 %, 5 %."""
    facts: dict[str, Any] = FIRM | {
        "employees": employees,
        "hire_share_percent": hire_share_percent,
    }
    assert judged("fast_loan", day, **facts).outcome == outcome


@pytest.mark.parametrize(
    ("day", "person_yuan", "firm_yuan"),
    [
        ("2021-01-01", 500_000, 3_000_000),
        ("2023-09-30", 500_000, 3_000_000),
        ("2023-10-01", 500_000, 4_000_000),
        ("2025-12-01", 500_000, 4_000_000),
        ("2026-11-26", 500_000, 4_000_000),
    ],
)
def test_fast_loan_limits_by_date(day: str, person_yuan: int, firm_yuan: int) -> None:
    """DOMAIN 3.1, 11."""
    assert judged("fast_loan", day).limit.limit_yuan == person_yuan
    firm = judged("fast_loan", day, **FIRM | {"amount_yuan": firm_yuan})
    assert (firm.outcome, firm.limit.limit_yuan) == ("approve", firm_yuan)
    assert judged("fast_loan", day, **FIRM | {"amount_yuan": firm_yuan + 1}).outcome == "refer"


@pytest.mark.parametrize(
    ("day", "amount_yuan", "outcome"),
    [
        ("2023-09-30", 500_000, "approve"),
        ("2023-09-30", 500_001, "refer"),
        ("2023-10-01", 300_000, "approve"),
        ("2023-10-01", 300_001, "refer"),
    ],
)
def test_a_person_checks_what_lies_between_the_two_limits(
    day: str, amount_yuan: int, outcome: str
) -> None:
    """DOMAIN 11: whether Anhui's 500,000 holds beside the national 300,000 is not confirmed."""
    assert judged("fast_loan", day, amount_yuan=amount_yuan).outcome == outcome


@pytest.mark.parametrize(
    ("day", "loan_start", "rate_bp", "subsidy_bp"),
    [
        ("2021-01-01", None, 485, 250),
        ("2021-12-20", None, 480, 250),
        ("2022-01-20", None, 470, 250),
        ("2022-08-22", None, 465, 250),
        ("2023-06-20", None, 455, 250),
        ("2023-09-30", None, 445, 250),
        ("2023-09-30", "2023-10-01", 445, 222),
        ("2023-09-01", "2023-09-30", 445, 250),
        ("2023-10-01", None, 445, 222),
        ("2024-07-22", None, 435, 217),
        ("2024-10-21", None, 410, 205),
        ("2025-05-20", None, 400, 200),
        ("2026-07-01", None, 400, 200),
        ("2026-11-26", None, 400, 200),
    ],
)
def test_interest_subsidy_by_the_day_of_the_loan(
    day: str, loan_start: str | None, rate_bp: int, subsidy_bp: int
) -> None:
    """DOMAIN 3.1: the borrower pays LPR - 150 to 2023-09-30, half of the rate after."""
    facts: dict[str, Any] = {"loan_start": date.fromisoformat(loan_start)} if loan_start else {}
    price = judged("fast_loan", day, **facts).price
    assert (price.rate_bp, price.subsidy_bp) == (rate_bp, subsidy_bp)
    if subsidy_bp == 250:
        assert price.rate_bp - price.subsidy_bp == price.lpr_bp - 150


@pytest.mark.parametrize("day", [d for d in HISTORY["fast_loan"] if d != "2026-07-01"])
@pytest.mark.parametrize(
    ("facts", "counter_guarantee"),
    [
        pytest.param({"amount_yuan": 100_000}, "waived", id="(a) to 100,000"),
        pytest.param({"amount_yuan": 100_001}, "one_natural_person", id="above"),
        pytest.param({**FIRM, "amount_yuan": 100_000}, "one_natural_person", id="(a) not a firm"),
        pytest.param({"village_rating": "A"}, "waived", id="(b) credit village"),
        pytest.param({"park_resident": "yes"}, "waived", id="(b) founders' park"),
        pytest.param({"craftsman_level": 2}, "waived", id="(c) craftsman of the prefecture"),
        pytest.param({"craftsman_level": 1}, "one_natural_person", id="a title of the county"),
        pytest.param({"contest_award_level": 3}, "waived", id="(c) contest of the province"),
        pytest.param({"household_grade": "AA"}, "waived", id="(d) credit-worthy household"),
    ],
)
def test_counter_guarantee_is_waived(
    day: str, facts: dict[str, Any], counter_guarantee: str
) -> None:
    """DOMAIN 3.1, waivers (a) to (d)."""
    plain = {"amount_yuan": 150_000, "village_rating": "B", "household_grade": "B"}
    judgement = judged("fast_loan", day, **{**plain, **facts})
    assert (judgement.tier.tier, judgement.tier.counter_guarantee) == ("G2", counter_guarantee)
    assert shares(judgement) == {"bank": 20, "local_guarantor": 80}


@pytest.mark.parametrize(
    ("term_months", "outcome"), [(24, "approve"), (25, "refer"), (36, "refer"), (37, "decline")]
)
@pytest.mark.parametrize("day", HISTORY["fast_loan"])
def test_term_of_the_fast_loan(day: str, term_months: int, outcome: str) -> None:
    """DOMAIN 3.1: 2 years in Anhui, 3 nationally."""
    assert judged("fast_loan", day, term_months=term_months).outcome == outcome


# --- online loan ----------------------------------------------------------------------------------


@pytest.mark.parametrize("day", HISTORY["online_loan"])
@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        pytest.param({"repayment": "bullet"}, "approve", id="one year in one sum"),
        pytest.param({"repayment": "bullet", "term_months": 13}, "decline", id="a month longer"),
        pytest.param({"term_months": 13}, "refer", id="13 months by instalment"),
        pytest.param({"age_years": 60, "age_at_maturity_years": 61}, "approve", id="60"),
        pytest.param({"age_years": 61, "age_at_maturity_years": 62}, "decline", id="61"),
        pytest.param({"purpose": "consumption"}, "decline", id="consumption"),
        pytest.param({"max_days_past_due_24m": None}, "refer", id="no consent to the report"),
    ],
)
def test_online_loan_is_small_and_short(day: str, facts: dict[str, Any], outcome: str) -> None:
    """DOMAIN 4, 9."""
    assert judged("online_loan", day, **facts).outcome == outcome


@pytest.mark.parametrize("day", HISTORY["online_loan"])
def test_online_loan_limits_and_unsecured_ceiling(day: str) -> None:
    assert judged("online_loan", day).limit.limit_yuan == 200_000
    assert judged("online_loan", day, months_since_first_credit=11).limit.limit_yuan == 100_000
    assert judged("online_loan", day, amount_yuan=100_000).tier.tier == "G0"
    assert judged("online_loan", day, amount_yuan=100_001).tier.tier != "G0"


@pytest.mark.parametrize("day", [d for d in HISTORY["online_loan"] if d != "2026-07-01"])
def test_online_limit_is_assessed_anew_every_year(day: str) -> None:
    """DOMAIN 4."""
    assert policy_on("online_loan", day).reassess_every_months == 12


# --- talent loan ----------------------------------------------------------------------------------


@pytest.mark.parametrize("day", HISTORY["talent_loan"])
@pytest.mark.parametrize(
    ("tier", "limit_yuan", "ceiling_yuan", "spread_bp"),
    [
        ("T1", 5_000_000, 1_000_000, 50),
        ("T2", 3_000_000, 500_000, 50),
        ("T3", 1_000_000, 300_000, 65),
        ("T4", 500_000, 200_000, 80),
        ("T5", 300_000, 100_000, 80),
    ],
)
def test_talent_loan_by_tier_and_date(
    day: str, tier: str, limit_yuan: int, ceiling_yuan: int, spread_bp: int
) -> None:
    """DOMAIN 9: limit, unsecured ceiling, at most LPR + 80."""
    on_credit = judged("talent_loan", day, talent_tier=tier, amount_yuan=ceiling_yuan)
    guaranteed = judged("talent_loan", day, talent_tier=tier, amount_yuan=ceiling_yuan + 1)
    assert (on_credit.outcome, on_credit.limit.limit_yuan) == ("approve", limit_yuan)
    assert on_credit.price.rate_bp == on_credit.price.lpr_bp + spread_bp
    assert (on_credit.tier.tier, guaranteed.tier.tier) == ("G0", "G1")


@pytest.mark.parametrize(
    ("day", "vouched"),
    [("2025-11-30", False), ("2025-12-01", True), ("2026-07-01", False), ("2026-11-26", True)],
)
def test_technician_colleges_senior_class_counts_from_december_2025(
    day: str, vouched: bool
) -> None:
    """DOMAIN 3.1, 4; the policies of July 2026 had no word for it."""
    for product in ("talent_loan", "fast_loan"):
        issuers = policy_on(product, day).vouching["technician_graduate"]
        assert (issuers == {"hrss"}) is vouched


def test_talent_loan_of_more_than_five_years_is_priced_on_the_long_lpr() -> None:
    """DOMAIN 8: 4.45 % on 2022-05-20; such a term goes to a person, 10 years are the most."""
    price = judged("talent_loan", "2022-05-20", term_months=84)
    assert (price.outcome, price.price.rate_bp) == ("refer", 445 + 65)
    assert judged("talent_loan", "2022-05-20", term_months=121).outcome == "decline"


# --- reports after the one-time repair ------------------------------------------------------------


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(
    ("day", "repair_applied", "days_past_due", "outcome"),
    [
        ("2025-12-31", "yes", 1, "approve"),
        ("2026-01-01", "yes", 1, "refer"),
        ("2026-01-01", "yes", 0, "approve"),
        ("2026-01-01", "no", 1, "approve"),
        ("2026-11-26", "yes", 1, "refer"),
        ("2027-12-31", "yes", 1, "refer"),
        ("2028-01-01", "yes", 1, "approve"),
    ],
)
def test_arrears_shown_after_the_repair_go_to_a_person(
    product: str, day: str, repair_applied: str, days_past_due: int, outcome: str
) -> None:
    """DOMAIN 0: small arrears are hidden, so the longest shown need not be the longest."""
    facts: dict[str, Any] = {
        "repair_applied": repair_applied,
        "max_days_past_due_24m": days_past_due,
    }
    assert judged(product, day, **facts).outcome == outcome


# --- for every edition ----------------------------------------------------------------------------


@pytest.mark.parametrize(("product", "day"), DAYS)
def test_rate_is_lpr_and_a_spread_below_the_cap(product: str, day: str) -> None:
    """DOMAIN 9: at most LPR + 150, online + 200, talent + 80."""
    most = {"credit_loan": 150, "fast_loan": 150, "online_loan": 200, "talent_loan": 80}[product]
    for score in (650, 610, 590, 570, 550):
        for grade in (*GRADES, None):
            price = judged(product, day, score=score, household_grade=grade).price
            assert price.lpr_bp < price.rate_bp <= price.lpr_bp + most


@pytest.mark.parametrize(("product", "day"), ASKED)
def test_related_parties_share_the_funds_cap(product: str, day: str) -> None:
    """DOMAIN 3.3, art. 16: one party 10 %, with related parties 15 % of the fund's capital."""
    fund = Fund(
        capital_yuan=1_000_000, guaranteed_yuan=0, applicant_guaranteed_yuan=0,
        compensation_rate_bp=0, related_guaranteed_yuan=145_000,
    )  # fmt: skip
    case: dict[str, Any] = {"score": 590, "household_grade": "AA"}
    above = judged(product, day, fund=fund, **case, amount_yuan=40_000)
    within = judged(product, day, fund=fund, **case, amount_yuan=5_000)
    assert {code for _, code in above.tier_caps} == {"F04"}
    assert within.tier_caps == ()
