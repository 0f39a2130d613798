"""What would change the answer, on editions small enough to do the sums on paper.

The card: base 580; in business below 12 months -40, below 36 months 0, from 36 months +30; no
arrears +10; the village of most tests +6 and AA. Approve from 580, refer from 540. Limit of an AA
household: 150,000 x 90 % from R3, x 70 % in R4.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from loansvc.application import Application
from loansvc.decision import Editions, Exposure, decide, weigh
from loansvc.policy import Fund
from loansvc.remedies import LEVERS, Way, note, ways
from loansvc.remedies.lever import Setting
from tests.small import QIFANG, SHIQIAO, an_application, small_editions

TEN_MONTHS_AGO = "2026-01-23"


@pytest.fixture(scope="module")
def editions(tmp_path_factory: pytest.TempPathFactory) -> Editions:
    return small_editions(tmp_path_factory.mktemp("models"))


def found(editions: Editions, exposure: Exposure | None = None, **changes: Any) -> list[Any]:
    """Each way as its outcome and (fact, from, to)."""
    given = ways(an_application(**changes), editions, exposure or Exposure())
    return [(w.outcome, *((c.fact, c.before, c.after) for c in w.changes)) for w in given]


# --- one change -----------------------------------------------------------------------------------


def test_an_amount_above_the_limit_comes_down_to_it(editions: Editions) -> None:
    """150,000 x 90 % = 135,000; a village rated AAA would give 150,000, still too little."""
    assert found(editions, loan__amount_yuan=200_000) == [
        ("approve", ("amount_yuan", 200_000, 135_000))
    ]


def test_a_better_village_rating_lifts_the_limit(editions: Editions) -> None:
    assert found(editions, loan__amount_yuan=140_000) == [
        ("approve", ("amount_yuan", 140_000, 135_000)),
        ("approve", ("village_rating", "AA", "AAA")),
    ]


def test_a_village_without_rating_needs_the_lowest_that_will_do(editions: Editions) -> None:
    """Unrated 50 % = 75,000; B gives the same, A gives 80 % = 120,000."""
    changes: dict[str, Any] = {"applicant__village_code": SHIQIAO, "loan__amount_yuan": 100_000}
    assert found(editions, **changes) == [
        ("approve", ("amount_yuan", 100_000, 75_000)),
        ("approve", ("village_rating", "unrated", "A")),
    ]


def test_a_better_rating_leaves_the_points_of_the_village(editions: Editions) -> None:
    """The village below has -8; its rating is another matter than its borrowers' record."""
    application = an_application(applicant__village_code=QIFANG, loan__amount_yuan=100_000)
    way = next(
        w for w in ways(application, editions, Exposure()) if w.changes[0].fact == "village_rating"
    )
    standing = way.editions.villages.content.standing(QIFANG, application.on)
    assert (standing.rating, standing.points) == ("A", -8)


def test_waiting_is_counted_to_the_month(editions: Editions) -> None:
    """10 months: 580 - 40 + 10 + 6 = 556, refer. 12 months: 596, R4, limit 105,000."""
    changes: dict[str, Any] = {"business__started_on": TEN_MONTHS_AGO, "loan__amount_yuan": 105_000}
    assert found(editions, **changes) == [("approve", ("business_age_months", 10, 12))]


def test_what_helps_too_little_is_passed_over(editions: Editions) -> None:
    """One yuan more than R4 allows: only R3 from 36 months in business carries it."""
    changes: dict[str, Any] = {"business__started_on": TEN_MONTHS_AGO, "loan__amount_yuan": 105_001}
    assert found(editions, **changes) == [("approve", ("business_age_months", 10, 36))]


def test_too_small_an_amount_goes_up_to_the_smallest_loan(editions: Editions) -> None:
    assert found(editions, loan__amount_yuan=3_000) == [("approve", ("amount_yuan", 3_000, 5_000))]


def test_what_the_fund_can_still_carry_is_exact(editions: Editions) -> None:
    """1,000,000 x 10 - 9,970,000 = 30,000, which is 40 % of 75,000."""
    fund = Fund(
        capital_yuan=1_000_000,
        guaranteed_yuan=9_970_000,
        applicant_guaranteed_yuan=0,
        compensation_rate_bp=0,
    )
    assert found(editions, Exposure(fund=fund)) == [("approve", ("amount_yuan", 120_000, 75_000))]


def test_from_a_decline_a_person_may_be_all_there_is_to_win(editions: Editions) -> None:
    """30 days past due: 580 - 40 - 60 + 6 = 486. With 36 months 556, refer; approve is no more."""
    changes: dict[str, Any] = {
        "business__started_on": TEN_MONTHS_AGO,
        "credit_report__max_days_past_due_24m": 30,
    }
    assert found(editions, **changes) == [("refer", ("business_age_months", 10, 36))]


# --- two changes ----------------------------------------------------------------------------------


def test_two_changes_where_no_single_one_will_do(editions: Editions) -> None:
    """At 12 months R4 and 105,000; each is as small as the other allows."""
    changes: dict[str, Any] = {"business__started_on": TEN_MONTHS_AGO, "loan__amount_yuan": 200_000}
    assert found(editions, **changes) == [
        ("approve", ("amount_yuan", 200_000, 105_000), ("business_age_months", 10, 12))
    ]


def test_a_search_cut_short_keeps_what_it_found(
    editions: Editions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The amount takes some twenty decisions, the village's rating the one after them."""
    changes: dict[str, Any] = {"loan__amount_yuan": 140_000}
    assert len(found(editions, **changes)) == 2
    monkeypatch.setattr("loansvc.remedies.search.MOST_DECISIONS", 20)
    assert found(editions, **changes) == [("approve", ("amount_yuan", 140_000, 135_000))]


# --- none -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({}, "Approved", id="approved"),
        pytest.param({"loan__purpose": "securities"}, "No change", id="never the purpose"),
        pytest.param({"credit_report__max_days_past_due_24m": 90}, "No change", id="nor history"),
        pytest.param(
            {"consent__scopes": ["credit_report", "income", "public_records"]},
            "never suggested", id="nor consent",
        ),
        pytest.param(
            {"credit_report": ...},
            "Not known: longest arrears in 24 months. What they would change depends",
            id="nothing is filled in",
        ),
    ],
)  # fmt: skip
def test_no_way_is_said_with_its_reason(
    editions: Editions, changes: dict[str, Any], told: str
) -> None:
    application = an_application(**changes)
    assert ways(application, editions, Exposure()) == ()
    assert told in note(weigh(application, editions, Exposure()), ())[1]


def test_a_lever_whose_start_is_not_known_is_not_used(editions: Editions) -> None:
    """Not known costs 10: 586, R4, 105,000. When the business began is not made up."""
    changes: dict[str, Any] = {"business__started_on": None, "loan__amount_yuan": 120_000}
    assert found(editions, **changes) == [
        ("approve", ("amount_yuan", 120_000, 105_000)),
        ("approve", ("village_rating", "AA", "AAA")),
    ]


# --- words ----------------------------------------------------------------------------------------


def test_a_way_is_said_in_both_languages(editions: Editions) -> None:
    [way] = ways(an_application(loan__amount_yuan=200_000), editions, Exposure())
    assert way.to_document() == {
        "outcome": "approve",
        "changes": [
            {
                "fact": "amount_yuan",
                "from": 200_000,
                "to": 135_000,
                "zh": "将申请金额由200,000元改为135,000元",
                "en": "Ask for 135,000 yuan instead of 200,000",
            }
        ],
        "zh": "将申请金额由200,000元改为135,000元：结果变为批准",
        "en": "Ask for 135,000 yuan instead of 200,000: the answer becomes approve",
    }


def test_two_changes_are_said_together(editions: Editions) -> None:
    changes: dict[str, Any] = {"business__started_on": TEN_MONTHS_AGO, "loan__amount_yuan": 200_000}
    [way] = ways(an_application(**changes), editions, Exposure())
    document = way.to_document()
    assert document["zh"] == (
        "同时：将申请金额由200,000元改为105,000元；再经营2个月后重新申请：结果变为批准"
    )
    assert document["en"] == (
        "Together: Ask for 105,000 yuan instead of 200,000; "
        "2 more months in business (wait, then apply again): the answer becomes approve"
    )


def setting_of(editions: Editions, **changes: Any) -> Setting:
    return Setting(an_application(**changes), editions)


def said(setting: Setting, name: str, step: int = 0) -> tuple[str, str]:
    lever = next(lever for lever in LEVERS if lever.name == name)
    return lever.texts(lever.value(setting), lever.steps(setting)[step])


@pytest.mark.parametrize(
    ("name", "step", "zh", "en"),
    [
        ("term_months", 11, "将贷款期限由24个月改为12个月", "A term of 12 months instead of 24"),
        ("repayment", 0, "将还款方式由“收获后还款”改为“分期还款”",
         "Repay by instalment instead of after the harvest"),
        ("report_age_days", 0, "提供申请日前2天内出具的信用报告（现为3天）",
         "A credit report at most 2 days old instead of 3"),
        ("social_insurance_months_24m", 0, "社保再缴1个月", "1 more month of social insurance"),
        ("social_insurance_months_24m", 3, "社保再缴4个月", "4 more months of social insurance"),
        ("training_certificates", 0, "再取得1本技能培训证书", "1 more training certificate"),
        ("craftsman_level", 1, "取得省级工匠称号", "A craftsman title of provincial level"),
        ("contest_award_level", 0, "获得县级创业大赛奖项", "A contest award of county level"),
        ("talent_plan_level", 0, "入选县级人才计划", "A place in a talent plan of county level"),
        ("park_months", 0, "入驻创业园", "Residence in a founders' park"),
        ("park_months", 12, "入驻创业园并满12个月", "Residence in a founders' park for 12 months"),
        ("employees", 1, "再增加2名从业人员", "2 more employees"),
        ("household_grade", 0, "信用等级（农户或经营主体）评为AAA级",
         "If the household or business is rated AAA"),
        ("unsecured_outstanding_yuan", 9_999, "信用贷款余额由10,000元降至0元",
         "An unsecured balance of 0 yuan instead of 10,000"),
    ],
)  # fmt: skip
def test_a_change_is_said_plainly(
    editions: Editions, name: str, step: int, zh: str, en: str
) -> None:
    held = [
        {"kind": kind, "issuer": "hrss", "number": "1", "issued_on": "2025-09-10"}
        for kind in ("training_certificate", "craftsman_title")
    ]
    assert said(setting_of(editions, credentials=held), name, step) == (zh, en)


def test_a_first_certificate_is_said_as_the_first(editions: Editions) -> None:
    setting = setting_of(editions, credentials=[])
    assert said(setting, "training_certificates")[1] == "A training certificate"


def test_nobody_is_told_to_get_what_nobody_vouches_for(editions: Editions) -> None:
    vouching = dict.fromkeys(editions.policy.content.vouching, frozenset[str]())
    policy = replace(editions.policy.content, vouching=vouching)
    bare = replace(editions, policy=replace(editions.policy, content=policy))
    setting = setting_of(bare, credentials=[])
    barred = {"training_certificates", "craftsman_level", "contest_award_level",
              "talent_plan_level", "park_months"}  # fmt: skip
    assert {
        lever.name for lever in LEVERS if lever.name in barred and lever.steps(setting)
    } == set()


def moved(application: Application, editions: Editions, name: str, step: int = 0) -> Application:
    lever = next(lever for lever in LEVERS if lever.name == name)
    setting = Setting(application, editions)
    return lever.move(setting, lever.steps(setting)[step]).application


def test_whoever_is_hired_is_an_employee_too(editions: Editions) -> None:
    application = an_application(business__new_hires_12m=1)
    business = moved(application, editions, "new_hires_12m").business
    assert (business.new_hires_12m, business.employees) == (2, 4)


def test_a_loan_with_a_balance_is_not_talked_away(editions: Editions) -> None:
    """The example has one active loan and 40,000 yuan outstanding."""
    lever = next(lever for lever in LEVERS if lever.name == "active_loans")
    assert list(lever.steps(setting_of(editions))) == []
    assert list(lever.steps(setting_of(editions, credit_report__outstanding_yuan=None))) == [0]


def test_time_in_a_park_is_time_before_today(editions: Editions) -> None:
    park = {"kind": "park_resident", "issuer": "hrss", "number": "1", "issued_on": "2026-10-23"}
    application = an_application(credentials=[park])
    held = moved(application, editions, "park_months", step=10).credentials
    assert min(c.issued_on for c in held) == date(2025, 11, 23)


def test_a_way_keeps_what_it_was_decided_on(editions: Editions) -> None:
    application = an_application(loan__amount_yuan=200_000)
    way: Way = ways(application, editions, Exposure())[0]
    assert decide(way.application, way.editions, Exposure()).outcome == way.outcome
    assert replace(way.application, loan=application.loan) == application
