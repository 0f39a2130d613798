"""What a policy changes against another, in sentences; nothing that differs goes untold."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc.editions import Reader, read_head
from loansvc.policy import Policy
from loansvc.policy.differences import NOT_COMPARED, PARTS, differences
from loansvc.policy.document import read_policy
from loansvc.registry import read_document
from tests.small import POLICY

FOLDER = Path(__file__).parents[2] / "models" / "policies"
SOURCE = {"reference": "test", "source_grade": "A"}
Change = Callable[[dict[str, Any]], None]


def read(*changes: Change) -> Policy:
    """The small policy of `tests/small_policy.toml`, changed, whatever its example gives then."""
    document = tomllib.loads(POLICY.replace("PRODUCT", "credit_loan"))
    document["example"][0]["expect"] = {"outcome": "approve"}
    for change in changes:
        change(document)
    with Reader(document, file="small.toml") as reader:
        return read_policy(reader, read_head(reader))


def put(*path: Any) -> Change:
    """A change: the last of the path under the others."""
    *outer, last, value = path

    def change(document: dict[str, Any]) -> None:
        table: Any = document
        for key in outer:
            table = table[key]
        table[last] = value

    return change


def told(change: Change, before: Policy | None = None) -> list[tuple[str, str, str]]:
    """Place, English and Chinese of each difference."""
    found = differences(before or read(), read(change))
    return [(c.place, c.en, c.zh) for c in found]


@pytest.mark.parametrize(
    ("change", "place", "en", "zh"),
    [
        pytest.param(
            put("cutoff", "approve_at_least", 570), "cutoff.approve_at_least",
            "Score for an approval: 570 points (was 580 points)",
            "批准所需的最低分：570分（原为580分）", id="cut-off",
        ),
        pytest.param(
            put("grade", 2, "score_at_least", 605), "grade.R3",
            "Lowest score of grade R3: 605 points (was 600 points)",
            "R3级最低分：605分（原为600分）", id="grade",
        ),
        pytest.param(
            put("rule", 1, "requires", {"max_days_past_due_24m": {"at_most": 59}}), "K01.requires",
            "K01 asks that longest arrears in 24 months is at most 59 days (was at most 89 days); "
            'its text is unchanged: "No arrears of 90 days or more in the last 24 months"',
            "K01要求近24个月最长逾期不超过59天（原为不超过89天）；"
            "表述未改：“近24个月没有90天及以上的逾期”",
            id="threshold",
        ),
        pytest.param(
            put("rule", 0, "requires", {"outstanding_yuan": {"at_most": 90_000}}), "E01.requires",
            "E01 asks that outstanding policy loans is at most 90,000 yuan "
            "(was age is at least 18 years); "
            'its text is unchanged: "Applicant is 18 or older"',
            "E01要求已有政策性贷款余额不超过9万元（原为年龄不低于18岁）；表述未改：“申请人年满18周岁”",
            id="another fact",
        ),
        pytest.param(
            put("rule", 1, "when", {"entity": ["household", "unknown"]}), "K01.when",
            "K01 applies to: kind of business is household or not known (was everyone)",
            "K01适用于：经营主体类型为农户、未知（原为所有情形）", id="for whom",
        ),
        pytest.param(
            put("rule", 1, "otherwise", "refer"), "K01.otherwise",
            "K01, where not met: refer to a person (was decline)",
            "K01未满足时：转人工（原为不予批准）", id="outcome",
        ),
        pytest.param(
            put("rule", 1, "if_unknown", "approve"), "K01.if_unknown",
            "K01, where not known: approve (was refer to a person)",
            "K01信息未知时：通过（原为转人工）", id="outcome where not known",
        ),
        pytest.param(
            put("rule", 1, "stage", "referral"), "K01.stage",
            "K01 is of kind: referral rule (was knock-out)",
            "K01的类别：转人工规则（原为否决规则）", id="stage",
        ),
        pytest.param(
            put("rule", 1, "en", "No long arrears"), "K01",
            'K01 reads "No long arrears" '
            '(was "No arrears of 90 days or more in the last 24 months")',
            "K01的英文表述改为“No long arrears”", id="English text",
        ),
        pytest.param(
            put("rule", 1, "reference", "notice 7"), "K01",
            'K01 rests on "notice 7" (was "test")', "K01：依据为“notice 7”（原为“test”）",
            id="source",
        ),
        pytest.param(
            put("fund", "verify", True), "fund", "The fund's caps is to be verified",
            "担保基金限额：须待核实", id="to be verified",
        ),
        pytest.param(
            put("limit_row", 0, "base_yuan", 160_000), "limit_row[0]",
            "Base limit for cases where household credit grade is AAA or AA: "
            "160,000 yuan (was 150,000 yuan)",
            "基础额度（信用户等级为AAA、AA）：16万元（原为15万元）", id="limit",
        ),
        pytest.param(
            put("limit_row", 0, "when", {"household_grade": ["AAA", "AA", "A"]}), "limit_row[0]",
            "Base limit (150,000 yuan) is for cases where household credit grade is A or better "
            "(was household credit grade is AAA or AA)",
            "基础额度（15万元）适用于信用户等级为A及以上（原为信用户等级为AAA、AA）",
            id="limit for others",
        ),
        pytest.param(
            put("limit_factor_percent", "R4", "AA", 75), "limit_factor_percent.R4",
            "Part of the base limit for score grade R4 by village rating: AA 75 % (was 70 %)",
            "评分等级R4按村信用等级的额度系数：AA 75%（原为70%）", id="cell of the matrix",
        ),
        pytest.param(
            put("cap", 0, "yuan", 400_000), "C01",
            "Cap C01: 400,000 yuan less outstanding policy loans, 0 yuan if not known "
            "(was 300,000 yuan less outstanding policy loans, 0 yuan if not known)",
            "上限C01：40万元减已有政策性贷款余额，未知时0元"
            "（原为30万元减已有政策性贷款余额，未知时0元）", id="cap",
        ),
        pytest.param(
            put("price", "most_spread_bp", 150), "price.most_spread_bp",
            "Highest rate: LPR + 150 bp (was LPR + 200 bp)",
            "利率上限：LPR+150BP（原为LPR+200BP）", id="highest rate",
        ),
        pytest.param(
            put("price_row", 0, "spread_bp", -10), "price_row[0]",
            "Rate for cases where household credit grade is AAA or AA: LPR - 10 bp "
            "(was LPR + 85 bp)",
            "利率（信用户等级为AAA、AA）：LPR-10BP（原为LPR+85BP）", id="rate",
        ),
        pytest.param(
            put("price", "subsidy_percent_of_rate", 50), "subsidy[0]",
            "Subsidy for everyone: the state pays 50 % of the interest "
            "(was the state pays none of the interest)",
            "贴息（所有情形）：财政承担利息的50%（原为财政不贴息）", id="subsidy",
        ),
        pytest.param(
            put("tier", 0, "when", {"grade": ["R1", "R2", "R3", "R4"],
                                    "village_rating": ["AAA", "AA"]}), "tier[0]",
            "Guarantee (G1) is for cases where score grade is R4 or better and village rating is "
            "AAA or AA (was amount asked for is at most 300,000 yuan)",
            "担保层级（G1）适用于评分等级为R4及以上且村信用等级为AAA、AA（原为申请金额不超过30万元）",
            id="tier for others",
        ),
        pytest.param(
            put("tier", 1, "shares_percent", {"bank": 30, "local_guarantor": 70}), "tier[1]",
            "Guarantee for cases where score grade is R5 or better: G3, the bank 30 %, "
            "the local guarantor 70 %; the spouse or one adult with an income gives a "
            "counter-guarantee (was G3, the bank 20 %, the local guarantor 40 %, the provincial "
            "re-guarantor 30 %, local government 10 %; the spouse or one adult with an income "
            "gives a counter-guarantee)",
            "担保层级（评分等级为R5及以上）：G3，银行30%、市县担保机构70%，"
            "需配偶或一名有收入的成年人提供反担保（原为G3，银行20%、市县担保机构40%、"
            "省级再担保机构30%、地方政府10%，需配偶或一名有收入的成年人提供反担保）",
            id="shares",
        ),
        pytest.param(
            put("guarantee", "liability", "joint"), "guarantee.liability",
            "Form of the guarantee: joint and several guarantee (was general guarantee)",
            "保证方式：连带责任保证（原为一般保证）", id="liability",
        ),
        pytest.param(
            put("fund", "compensation_rate_cap_bp", 505), "fund.compensation_rate_cap_bp",
            "Compensation rate, at most: 5.05 % (was 4.00 %)",
            "代偿率上限：5.05%（原为4.00%）", id="fund",
        ),
        pytest.param(
            put("fund", "related_percent", 15), "fund.related_percent",
            "Share of the fund for related parties, at most: 15 % (was none)",
            "关联方合计占基金比例上限：15%（原为无）", id="a cap that is new",
        ),
        pytest.param(
            put("vouching", "graduate", ["hrss", "youth_league"]), "vouching.graduate",
            'Who vouches for "graduate": human resources and social security or the Youth League '
            "(was human resources and social security)",
            "可出具“高校毕业生”证明的部门：人社部门、共青团（原为人社部门）", id="vouching",
        ),
        pytest.param(
            put("limit", "reassess_every_months", 12), "limit.reassess_every_months",
            "Limits are looked at every: 1 year (was none)", "额度复评周期：1年（原为无）",
            id="assessed again",
        ),
        pytest.param(
            put("review_by", date(2027, 12, 31)), "review_by",
            "To be reviewed by: 2027-12-31 (was 2027-06-30)",
            "复审日期：2027-12-31（原为2027-06-30）", id="review",
        ),
    ],
)  # fmt: skip
def test_a_change_is_one_sentence_in_two_languages(
    change: Change, place: str, en: str, zh: str
) -> None:
    assert told(change) == [(place, en, zh)]


def test_the_same_policy_has_no_differences() -> None:
    assert differences(read(), read()) == ()


def test_what_is_written_in_another_order_is_no_difference() -> None:
    change = put("limit_row", 0, "when", {"household_grade": ["AA", "AAA"]})
    assert told(change) == []


def test_another_first_day_and_other_examples_are_no_difference() -> None:
    def change(document: dict[str, Any]) -> None:
        document |= {"valid_from": date(2026, 9, 1), "reference": "other"}
        document["example_facts"]["age_years"] = 40

    assert told(change) == []


# --- texts that may be absent -------------------------------------------------------------------

TOLD = {"not_met_zh": "申请人未满18周岁", "not_met_en": "The applicant is under 18"}


def told_of(**texts: Any) -> Change:
    """A change of the small policy's first rule, E01."""
    return lambda document: document["rule"][0].update(texts)


def test_another_text_for_not_met_is_told() -> None:
    change = told_of(not_met_zh="申请人未成年", not_met_en="The applicant is no adult")
    assert told(change, read(told_of(**TOLD))) == [
        ("E01.not_met",
         'E01, where not met, reads "The applicant is no adult" (was "The applicant is under 18")',
         "E01未满足时的表述改为“申请人未成年”（原为“申请人未满18周岁”）"),
    ]  # fmt: skip


def test_a_first_text_for_not_met_is_told_once_for_all_rules() -> None:
    def change(document: dict[str, Any]) -> None:
        for rule in document["rule"]:
            rule.update(TOLD)

    [(place, en, zh)] = told(change)
    assert place == "not_met"
    assert en == "E01, K01, K02, R01: what is so where not met is told in words of its own"
    assert zh == "E01、K01、K02、R01首次写明未满足时的情形"


def test_a_text_for_not_met_that_still_tells_the_old_bound_is_told() -> None:
    change = told_of(**TOLD, requires={"age_years": {"at_least": 20}}, zh="满20", en="20 or older")
    [(_, en, zh), _] = told(change, read(told_of(**TOLD)))
    assert en.endswith('; what it says where not met is unchanged: "The applicant is under 18"')
    assert zh.endswith("；未满足时的表述未改：“申请人未满18周岁”")


def test_another_chinese_name_of_a_source_is_told() -> None:
    change = told_of(reference_zh="乙号文")
    assert told(change, read(told_of(reference_zh="甲号文"))) == [
        ("E01", 'E01 names its source in Chinese as "乙号文"',
         "E01：依据的中文表述为“乙号文”（原为“甲号文”）"),
    ]  # fmt: skip


# --- added, gone, in another order --------------------------------------------------------------

A_RULE = {
    "id": "K09", "stage": "knock_out", "requires": {"term_months": {"at_most": 60}},
    "when": {"repayment": ["bullet"]}, "otherwise": "decline", "if_unknown": "refer",
    "zh": "期限不超过5年", "en": "At most 5 years", **SOURCE,
}  # fmt: skip


def test_a_rule_that_is_new_and_one_that_is_gone_are_told_whole() -> None:
    more = read(lambda d: d["rule"].append(A_RULE))
    [added], [removed] = differences(read(), more), differences(more, read())
    assert (added.kind, removed.kind) == ("added", "removed")
    whole = (
        "At most 5 years. It is a knock-out, for cases where repayment is one sum at the end: "
        "asks that term is at most 5 years; not met: decline; not known: refer to a person"
    )
    assert added.en == f"K09 is new: {whole}"
    assert removed.en == f"K09 is gone: {whole}"
    assert added.zh == (
        "新增K09：期限不超过5年。否决规则，适用于还款方式为到期一次性还本；"
        "要求贷款期限不超过5年；未满足：不予批准；未知：转人工"
    )


def test_a_row_that_is_new_is_told_with_the_row_it_is_tried_before() -> None:
    row = {"when": {"entity": ["cooperative"]}, "base_yuan": 500_000, **SOURCE}
    [(place, en, _)] = told(lambda d: d["limit_row"].insert(0, row))
    assert place == "limit_row[0]"
    assert en == (
        "Base limit for cases where kind of business is cooperative is new: 500,000 yuan; "
        "tried before the row for cases where household credit grade is AAA or AA"
    )


def test_rows_in_another_order_are_told() -> None:
    row = {"when": {"entity": ["cooperative"]}, "base_yuan": 150_000, **SOURCE}
    first = read(lambda d: d["limit_row"].insert(0, row))
    [(place, en, _)] = told(lambda d: d["limit_row"].insert(1, row), first)
    assert place == "limit_row"
    assert en.startswith("Base limit: tried in another order, now household credit grade")


def test_rules_in_another_order_are_told() -> None:
    [(place, en, _)] = told(lambda d: d["rule"].reverse())
    assert place == "rule"
    assert en == "Rules in the order: R01, K02, K01, E01 (was E01, K01, K02, R01)"


def test_a_cap_that_is_gone_is_told_whole() -> None:
    [(place, en, _)] = told(lambda d: d["cap"].clear())
    assert place == "C01"
    assert en == (
        "Cap C01 is gone: policy loans in all. 300,000 yuan less outstanding policy loans, "
        "0 yuan if not known, for everyone"
    )


def test_a_subsidy_cut_into_periods_is_told_by_its_days() -> None:
    def change(document: dict[str, Any]) -> None:
        del document["price"]["subsidy_percent_of_rate"]
        period = {"zh": "财政贴息", "en": "Paid by the state", "keyed_on": "loan_start", **SOURCE}
        document["subsidy"] = [
            {**period, "until": date(2026, 9, 30), "percent_of_rate": 0},
            {**period, "from": date(2026, 10, 1), "borrower_pays_lpr_plus_bp": -150},
        ]

    assert [(place, en) for place, en, _ in told(change)] == [
        ("subsidy[0]",
         "Subsidy (the state pays none of the interest) is for cases where first day of the loan "
         "is until 2026-09-30 (was without that)"),
        ("subsidy[1]",
         "Subsidy for cases where first day of the loan is from 2026-10-01 is new: "
         "the borrower pays LPR - 150 bp, the state the rest"),
    ]  # fmt: skip


# --- nothing goes untold ------------------------------------------------------------------------


# Nothing a document could say: `clauses` names the source of each table; a percentage of nothing.
MEANINGLESS = {
    *(("Policy", name) for name in NOT_COMPARED), ("FundCaps", "clause"),
    ("ChangeBudget", "clause"), ("Cap", "percent"),
}  # fmt: skip


def altered(value: Any) -> Iterator[Any]:
    """The value with one thing in it changed, for everything in it that can be."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            if (type(value).__name__, field.name) not in MEANINGLESS:
                for other in altered(getattr(value, field.name)):
                    yield replace(value, **{field.name: other})
    elif isinstance(value, Mapping):
        for key, part in value.items():
            for other in altered(part):
                yield {**value, key: other}
    elif isinstance(value, tuple):
        for i, part in enumerate(value):
            for other in altered(part):
                yield (*value[:i], other, *value[i + 1 :])
    elif isinstance(value, frozenset):
        if len(value) > 1:
            yield value - {min(value)}
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, date):
        yield value + timedelta(days=1)


@pytest.mark.parametrize("product", ["credit_loan", "talent_loan"])
def test_every_figure_word_and_mark_that_differs_is_told_in_words(product: str) -> None:
    """Every number, day, list of words and mark of a shipped policy, one changed at a time."""
    _, policy = read_document(FOLDER / product / "2026-07-01.toml")
    others = list(altered(policy))
    assert len(others) > 200
    for other in others:
        found = differences(policy, other)
        assert found
        assert all(c.part in PARTS and c.part != "other" and c.zh and c.en for c in found)


def test_what_there_are_no_words_for_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loansvc.policy.differences._PARTS", ())
    [found] = differences(read(), read(put("limit", "minimum_yuan", 6_000)))
    assert (found.part, "compare the files" in found.en) == ("other", True)
