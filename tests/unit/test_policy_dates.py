"""Clauses that hold for some days only, and the interest the state pays by the day of the loan."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from loansvc.errors import EditionRefused
from loansvc.policy import Fund, Judgement, judge
from tests.unit.test_policy_document import FACTS, SOURCE, at, read

KEYED: dict[str, Any] = {"keyed_on": "loan_start"}
REST: dict[str, Any] = {
    **KEYED, "until": date(2023, 9, 30), "borrower_pays_lpr_plus_bp": -150,
    "zh": "其余由财政承担", "en": "the state pays the rest", **SOURCE,
}  # fmt: skip
HALF: dict[str, Any] = {
    **KEYED, "from": date(2023, 10, 1), "percent_of_rate": 50, "zh": "财政贴息一半",
    "en": "the state pays half", **SOURCE,
}  # fmt: skip
NONE: dict[str, Any] = {"percent_of_rate": 0, "zh": "不贴息", "en": "no subsidy", **SOURCE}


def judged(*changes: Any, lpr_bp: int = 300, **facts: Any) -> Judgement:
    days = dict.fromkeys(("applied_on", "loan_start", "guarantee_start"), date(2026, 7, 1))
    known = {k: v for k, v in FACTS.items() if k not in ("score", "lpr_bp")} | days | facts
    return judge(read(*changes), known, score=600, lpr_bp=lpr_bp, fund=None)


def expecting(outcome: str) -> Any:
    """A change: what the one example expects, its figures left open."""
    return at("example", 0, "expect", put={"outcome": outcome})


def rule(**changes: Any) -> dict[str, Any]:
    return {
        "id": "R77", "stage": "referral", "requires": {"age_years": {"at_least": 60}},
        "otherwise": "refer", "if_unknown": "refer", "zh": "满60周岁", "en": "60 or older",
        **SOURCE, **changes,
    }  # fmt: skip


# --- the state's part of the interest -------------------------------------------------------------


@pytest.mark.parametrize(
    ("loan_start", "lpr_bp", "subsidy_bp"),
    [
        pytest.param(date(2023, 9, 30), 345, 235, id="430 less 345 - 150 on the last day"),
        pytest.param(date(2023, 10, 1), 345, 215, id="half of 430 from the next"),
        pytest.param(date(2023, 9, 30), 100, 185, id="the borrower never pays less than nothing"),
    ],
)
def test_the_state_pays_by_the_day_of_the_loan(
    loan_start: date, lpr_bp: int, subsidy_bp: int
) -> None:
    """LPR + 85, applied for on one day, whenever the loan starts."""
    price = judged(
        at("subsidy", put=[REST, HALF]), at("price", "subsidy_percent_of_rate"),
        lpr_bp=lpr_bp, applied_on=date(2023, 9, 1), loan_start=loan_start,
    ).price  # fmt: skip
    assert (price.rate_bp, price.subsidy_bp) == (lpr_bp + 85, subsidy_bp)


def test_one_period_needs_no_days() -> None:
    price = judged(at("subsidy", put=[NONE]), at("price", "subsidy_percent_of_rate")).price
    assert (price.subsidy_bp, price.subsidy.en) == (0, "no subsidy")


@pytest.mark.parametrize(
    ("periods", "place", "why"),
    [
        pytest.param([{**REST, "from": date(2021, 1, 1)}, HALF], "subsidy[0].from",
                     "leaves a gap before the first period", id="before the first"),
        pytest.param([REST, {**HALF, "from": date(2023, 10, 2)}], "subsidy[1].from",
                     "leaves a gap after 2023-09-30", id="a day between"),
        pytest.param([REST, {**HALF, "from": date(2023, 9, 30)}], "subsidy[1].from",
                     "overlaps the period before", id="a day twice"),
        pytest.param([NONE, HALF], "subsidy[1].keyed_on", "must be applied_on", id="two dates"),
        pytest.param([{**NONE, **KEYED, "until": date(2023, 9, 30)}], "subsidy",
                     "leaves a gap after 2023-09-30", id="after the last"),
        pytest.param([{**NONE, "borrower_pays_lpr_plus_bp": 0}], "subsidy[0]",
                     "either percent_of_rate or", id="both kinds"),
    ],
)  # fmt: skip
def test_periods_with_a_gap_or_an_overlap_are_refused(
    periods: list[dict[str, Any]], place: str, why: str
) -> None:
    with pytest.raises(EditionRefused) as refused:
        read(at("subsidy", put=periods), at("price", "subsidy_percent_of_rate"))
    assert refused.value.detail.startswith(f"small.toml, {place}: ")
    assert why in refused.value.detail


# --- clauses keyed to a day -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "result"),
    [
        pytest.param(date(2026, 1, 18), "not_applicable", id="the day before"),
        pytest.param(date(2026, 1, 19), "not_met", id="the first day"),
        pytest.param(date(2028, 1, 18), "not_met", id="the last day"),
        pytest.param(date(2028, 1, 19), "not_applicable", id="the day after"),
    ],
)
def test_a_rule_holds_from_its_first_to_its_last_day(day: date, result: str) -> None:
    keyed = rule(
        keyed_on="guarantee_start", **{"from": date(2026, 1, 19), "until": date(2028, 1, 18)}
    )
    findings = judged(at("rule", put=[keyed]), expecting("refer"), guarantee_start=day).findings
    assert [f.result for f in findings] == [result]


def test_a_row_holds_for_its_days_alone() -> None:
    row = {"keyed_on": "loan_start", "until": date(2026, 6, 30), "base_yuan": 20_000, **SOURCE}
    rows = [row, {"base_yuan": 10_000, **SOURCE}]
    bases = [
        judged(at("limit_row", put=rows), expecting("approve"), loan_start=day).limit.row.base_yuan
        for day in (date(2026, 6, 30), date(2026, 7, 1))
    ]
    assert bases == [20_000, 10_000]


@pytest.mark.parametrize(
    ("changes", "place", "why"),
    [
        pytest.param({**KEYED, "from": date(2026, 2, 1), "until": date(2026, 1, 31)},
                     "rule[0] R77.until", "must not be before from (2026-02-01)", id="ends first"),
        pytest.param({"from": date(2026, 2, 1)}, "rule[0] R77.keyed_on", "is missing",
                     id="no date"),
        pytest.param({"keyed_on": "loan_start"}, "rule[0] R77.keyed_on",
                     "needs from, until or both",
                     id="no days"),
        pytest.param({"keyed_on": "birthday", "from": date(2026, 2, 1)}, "rule[0] R77.keyed_on",
                     "must be one of applied_on, loan_start, guarantee_start", id="unknown date"),
        pytest.param({"when": {"loan_start": {"at_least": 1}}}, "rule[0] R77.when.loan_start",
                     "is a day: key the clause to it", id="a day as a number"),
    ],
)  # fmt: skip
def test_days_that_make_no_sense_are_refused(changes: dict[str, Any], place: str, why: str) -> None:
    with pytest.raises(EditionRefused) as refused:
        read(at("rule", put=[rule(**changes)]))
    assert refused.value.detail.startswith(f"small.toml, {place}: ")
    assert why in refused.value.detail


# --- what is never read ---------------------------------------------------------------------------


def test_a_row_that_a_row_above_always_takes_is_refused() -> None:
    """AAA and AA take the first row: a row for AAA below it is never read."""
    row = {"when": {"household_grade": ["AAA"]}, "spread_bp": 85, **SOURCE}
    with pytest.raises(EditionRefused, match=r"price_row\[1\]: is never read"):
        read(lambda document: document["price_row"].insert(1, row))


def test_a_rule_that_every_case_meets_is_refused() -> None:
    always = rule(requires={"policy_loan_overdue": ["yes", "no"]}, if_unknown="approve")
    with pytest.raises(EditionRefused, match="the rule never speaks"):
        read(at("rule", put=[always]))


def test_two_rules_that_ask_the_same_are_refused() -> None:
    with pytest.raises(EditionRefused, match="asks the same of the same cases as R77"):
        read(at("rule", put=[rule(), rule(id="R78", otherwise="decline")]))


def test_a_mark_of_conduct_only_asks_for_a_person() -> None:
    conduct = rule(requires={"village_flag": ["no"]}, otherwise="decline")
    with pytest.raises(EditionRefused, match="must be refer"):
        read(at("rule", put=[conduct]))


def test_kinds_of_credential_that_came_later_may_be_left_out() -> None:
    """A policy older than a kind has nobody vouch for it."""
    policy = read(at("vouching", "technician_graduate"))
    assert policy.vouching["technician_graduate"] == frozenset()


# --- rows that are never read ---------------------------------------------------------------------


def test_reach_is_worked_out_for_ladders_of_many_facts() -> None:
    """Nine facts have too many combinations to try each; a row inside another is still found."""
    facts: dict[str, Any] = {
        "grade": ["R1"], "household_grade": ["AAA"], "village_rating": ["AAA"],
        "park_resident": ["yes"], "entity": ["cooperative"], "repayment": ["harvest"],
        "craftsman_level": {"at_least": 2}, "contest_award_level": {"at_least": 2},
        "amount_yuan": {"at_most": 100_000},
    }  # fmt: skip
    tier = {"tier": "G1", "shares_percent": {"bank": 20, "local_guarantor": 80},
            "counter_guarantee": "waived", **SOURCE}  # fmt: skip
    last = {"tier": "GX", "shares_percent": {"bank": 100}, "counter_guarantee": "none", **SOURCE}
    by_fact = [{**tier, "when": {fact: test}} for fact, test in facts.items()]
    assert len(read(at("tier", put=[*by_fact, last]), expecting("approve")).tier_rows) == 10
    inside = {**tier, "when": facts}
    with pytest.raises(EditionRefused, match=r"tier\[9\]: is never read"):
        read(at("tier", put=[*by_fact, inside, last]), expecting("approve"))


# --- a scheme with a compensation cap of its own ------------------------------------------------


@pytest.mark.parametrize(
    ("rate_bp", "tier", "codes"),
    [
        pytest.param(400, "G1", [], id="within both caps"),
        pytest.param(401, "G1", [], id="above the fund's, within the row's"),
        pytest.param(500, "G1", [], id="the row's cap itself"),
        pytest.param(501, "GX", ["F03"], id="above the row's"),
    ],
)
def test_a_tier_may_state_the_compensation_cap_of_its_scheme(
    rate_bp: int, tier: str, codes: list[str]
) -> None:
    fund = Fund(
        capital_yuan=10_000_000, guaranteed_yuan=0, applicant_guaranteed_yuan=0,
        compensation_rate_bp=rate_bp,
    )  # fmt: skip
    known = {k: v for k, v in FACTS.items() if k not in ("score", "lpr_bp")}
    days = dict.fromkeys(("applied_on", "loan_start", "guarantee_start"), date(2026, 7, 1))
    policy = read(at("tier", 0, "compensation_rate_cap_bp", put=500))
    judgement = judge(policy, known | days, score=600, lpr_bp=300, fund=fund)
    assert judgement.tier.tier == tier
    assert [code for _, code in judgement.tier_caps] == codes
