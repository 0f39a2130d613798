"""The explanation is arithmetic that a person can do again by hand."""

from dataclasses import replace
from typing import Any

import pytest

from loansvc.decision import Editions, Exposure, decide
from loansvc.explanation import explain
from loansvc.policy import Fund
from tests.small import an_application, small_editions


@pytest.fixture(scope="module")
def editions(tmp_path_factory: pytest.TempPathFactory) -> Editions:
    return small_editions(tmp_path_factory.mktemp("models"))


def explained(editions: Editions, **changes: Any) -> dict[str, Any]:
    application = an_application(**changes)
    decision = decide(application, editions, Exposure())
    return explain(application, editions, Exposure(), decision)


def figures(lines: list[dict[str, Any]]) -> dict[str, int]:
    """The figure of every line that has one."""
    return {line["step"]: line[k] for line in lines for k in ("yuan", "bp", "percent") if k in line}


def test_points_go_from_base_to_score(editions: Editions) -> None:
    score = explained(editions)["score"]
    assert score["base_points"] == 580
    assert [(c["name"], c["value"], c["points"]) for c in score["characteristics"]] == [
        ("business_age_months", 55, 30),
        ("max_days_past_due_24m", 0, 10),
    ]
    assert (score["village"]["points"], score["total"]) == (6, 626)


def test_the_limit_goes_from_base_to_rounding(editions: Editions) -> None:
    assert figures(explained(editions)["derivation"]["limit"]) == {
        "base": 150_000, "factor": 135_000, "C01": 300_000, "limit": 135_000,
    }  # fmt: skip


def test_the_cap_that_binds_is_said(editions: Editions) -> None:
    application = an_application()
    exposure = Exposure(policy_loans=1, outstanding_yuan=200_000)
    decision = decide(application, editions, exposure)
    lines = explain(application, editions, exposure, decision)["derivation"]["limit"]
    [cap] = [line for line in lines if line["step"] == "C01"]
    assert cap["en"] == (
        "Cap: policy loans in all: this one binds (300,000 - outstanding policy loans 200,000)"
    )
    assert cap["zh"] == "上限：政策性贷款合计，以此为准（300,000 - 已有政策性贷款余额200,000）"
    assert figures(lines)["limit"] == 100_000


def test_the_rate_is_quote_and_spread(editions: Editions) -> None:
    assert figures(explained(editions)["derivation"]["rate"]) == {
        "lpr": 300, "spread": 85, "rate": 385,
    }  # fmt: skip


def test_the_guarantee_names_every_share_and_the_loss(editions: Editions) -> None:
    """120,000 x 0.008057 x 60 % = 580; the others round to 232 + 174 + 58, the bank keeps 116."""
    assert figures(explained(editions)["derivation"]["guarantee"]) == {
        "tier": 80, "share_bank": 20, "share_local_guarantor": 40,
        "share_provincial_reguarantor": 30, "share_government": 10, "fund_share": 48_000,
        "expected_loss": 580, "loss_local_guarantor": 232, "loss_provincial_reguarantor": 174,
        "loss_government": 58, "bank_loss": 116,
    }  # fmt: skip


def test_every_sum_is_written_out(editions: Editions) -> None:
    """The lines as a person reads them, each worked out from those above it."""
    derivation = explained(editions)["derivation"]
    said = {line["step"]: line["en"] for lines in derivation.values() for line in lines}
    assert said["factor"] == "150,000 yuan x 90 % (grade R2, village AA)"
    assert said["rate"] == "Rate a year = 300 + 85"
    assert said["fund_share"] == "The guarantee fund carries = 120,000 x 40 %, rounded up"
    assert said["expected_loss"] == (
        "Expected loss = 120,000 yuan x PD 8057/1,000,000 x LGD 60 %, to the nearest yuan"
    )
    assert said["bank_loss"] == "Of it the bank = 580 - 464"


@pytest.mark.parametrize(
    ("fund", "en"),
    [
        pytest.param(
            Fund(capital_yuan=100_000, guaranteed_yuan=960_000, applicant_guaranteed_yuan=0,
                 compensation_rate_bp=0),
            "G1 not taken (F01 The guarantee would pass the fund's multiple): "
            "960,000 + 48,000 > 100,000 x 10", id="multiple"),
        pytest.param(
            Fund(capital_yuan=400_000, guaranteed_yuan=0, applicant_guaranteed_yuan=1,
                 compensation_rate_bp=0),
            "G1 not taken (F02 The guarantee would pass the fund's single-client cap): "
            "1 + 48,000 > 400,000 x 10 %", id="single client"),
        pytest.param(
            Fund(capital_yuan=400_000, guaranteed_yuan=0, applicant_guaranteed_yuan=0,
                 compensation_rate_bp=401),
            "G1 not taken (F03 The fund's compensation rate is above its cap): "
            "compensation rate 401 bp > 400 bp", id="compensation rate"),
    ],
)  # fmt: skip
def test_a_tier_the_fund_cannot_carry_is_shown_with_its_sum(
    editions: Editions, fund: Fund, en: str
) -> None:
    application, exposure = an_application(), Exposure(fund=fund)
    decision = decide(application, editions, exposure)
    lines = explain(application, editions, exposure, decision)["derivation"]["guarantee"]
    assert next(line["en"] for line in lines if line["step"] == "passed_over") == en


def test_every_rule_is_listed_with_what_it_read(editions: Editions) -> None:
    rules = {rule["id"]: rule for rule in explained(editions, credit_report=...)["rules"]}
    assert rules["E01"]["result"] == "met"
    assert rules["K01"]["result"] == "unknown"
    assert (rules["K01"]["value"], rules["K01"]["threshold"]) == (None, "<= 89")
    assert rules["R01"]["value"] == "working_capital"


def test_every_rule_says_in_words_what_it_read(editions: Editions) -> None:
    rules = {rule["id"]: rule for rule in explained(editions, credit_report=...)["rules"]}
    read = {id_: (rule["value_zh"], rule["value_en"]) for id_, rule in rules.items()}
    assert read["R01"] == ("流动资金", "working capital")
    assert read["E01"] == ("51岁", "51 years")
    assert read["K01"] == (None, None)


def test_a_decline_has_the_limit_and_all_its_rules(editions: Editions) -> None:
    explanation = explained(editions, loan__purpose="securities")
    assert list(explanation["derivation"]) == ["limit"]
    assert [r["id"] for r in explanation["rules"] if r["result"] == "not_met"] == ["R01"]


def test_every_rule_names_the_document_its_clause_stands_in(editions: Editions) -> None:
    """The small policy has the reference "test", as each of its clauses has."""
    rules = explained(editions)["rules"]
    assert {(rule["document"], rule["reference"]) for rule in rules} == {("test", "test")}


def test_a_source_without_a_chinese_name_is_told_as_it_is(editions: Editions) -> None:
    assert {rule["reference_zh"] for rule in explained(editions)["rules"]} == {"test"}


def test_a_source_is_told_to_chinese_readers_by_its_chinese_name(editions: Editions) -> None:
    policy = editions.policy.content
    first = replace(policy.rules[0], clause=replace(policy.rules[0].clause, reference_zh="甲号文"))
    told = replace(
        editions, policy=replace(editions.policy, content=replace(policy, rules=(first,)))
    )
    [rule] = explained(told)["rules"]
    assert (rule["reference"], rule["reference_zh"]) == ("test", "甲号文")
