"""decide: sums on paper, reasons that are true, and who bears what."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loansvc.decision import (
    Decision,
    Editions,
    Exposure,
    credentials_that_count,
    decide,
    expected_loss_yuan,
    weigh,
)
from loansvc.policy import SHARERS, Fund
from loansvc.registry import Registry
from loansvc.settings import shipped
from loansvc.villages import Appeal, Flag
from tests.small import (
    QIFANG,
    SHIQIAO,
    TODAY,
    WANGTAN,
    a_document,
    an_application,
    small_editions,
)

NOTHING = Exposure()


@pytest.fixture(scope="module")
def editions(tmp_path_factory: pytest.TempPathFactory) -> Editions:
    return small_editions(tmp_path_factory.mktemp("models"))


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def decided(editions: Editions, exposure: Exposure = NOTHING, **changes: Any) -> Decision:
    return decide(an_application(**changes), editions, exposure)


def test_the_contract_example_on_paper(editions: Editions) -> None:
    """580 + 30 (55 months) + 10 (no arrears) + 6 (village) = 626; 150,000 x 90 % = 135,000."""
    decision = decided(editions)
    assert (decision.outcome, decision.eligible, decision.grade) == ("approve", True, "R2")
    assert decision.score == 626
    assert decision.offer is not None
    assert decision.offer.limit_yuan == 135_000
    assert decision.offer.amount_yuan == 120_000
    assert decision.offer.rate_bp == 300 + 85
    assert decision.guarantee is not None
    assert decision.guarantee.tier == "G1"
    assert decision.guarantee.expected_loss_yuan == {"total": 580, "bank": 116}


def test_a_decline_offers_nothing(editions: Editions) -> None:
    decision = decided(editions, loan__purpose="securities")
    assert (decision.outcome, decision.offer, decision.guarantee) == ("decline", None, None)
    assert codes(decision) == ["R01"]


def test_a_rule_reason_says_what_was_read_and_asked_for(editions: Editions) -> None:
    [reason] = decided(editions, credit_report__max_days_past_due_24m=90).reasons[:1]
    assert (reason.code, reason.value, reason.threshold) == ("K01", "90", "<= 89")
    assert reason.en == "Not met: No arrears of 90 days or more in the last 24 months"
    assert reason.reference == "test"


def test_a_rule_that_says_what_is_so_where_it_is_not_met_gives_that_as_reason(
    editions: Editions,
) -> None:
    policy = editions.policy.content
    rules = tuple(
        replace(rule, not_met_zh="近24个月有90天及以上的逾期", not_met_en="Arrears of 90 days")
        for rule in policy.rules
        if rule.id == "K01"
    )
    told = replace(editions, policy=replace(editions.policy, content=replace(policy, rules=rules)))
    [reason] = decided(told, credit_report__max_days_past_due_24m=90).reasons[:1]
    assert (reason.zh, reason.en) == ("近24个月有90天及以上的逾期", "Arrears of 90 days")
    [reason] = decided(told, credit_report=...).reasons[:1]
    assert reason.en == "Not known: No arrears of 90 days or more in the last 24 months"


def test_a_good_score_is_no_reason_for_a_refusal_that_a_rule_asked_for(editions: Editions) -> None:
    decision = decided(
        editions, loan__purpose="property", loan__amount_yuan=50_000, applicant__village_code=QIFANG
    )
    assert codes(decision) == ["R01"]


def test_a_poor_score_is_explained_by_what_cost_points(editions: Editions) -> None:
    """580 - 40 + 10 - 8 = 542: refer, and never "score too low"."""
    decision = decided(editions, business__started_on="2026-03-01", applicant__village_code=QIFANG)
    assert (decision.score, decision.outcome) == (542, "refer")
    assert [(r.code, r.points) for r in decision.reasons] == [("S07", -70), ("V01", -8)]
    assert decision.reasons[0].en == "In business for less than 1 year"
    assert decision.reasons[0].zh == "经营年限不足1年"


def test_points_lost_on_an_approval_are_told_as_well(editions: Editions) -> None:
    decision = decided(editions, business__started_on="2024-11-23", loan__amount_yuan=50_000)
    assert (decision.outcome, codes(decision)) == ("approve", ["S07"])
    assert decision.reasons[0].en == "In business for less than 3 years"


def test_below_the_cut_off_is_a_decline(editions: Editions) -> None:
    """580 - 40 - 60 + 6 = 486."""
    decision = decided(
        editions, business__started_on="2026-03-01", credit_report__max_days_past_due_24m=45
    )
    assert (decision.score, decision.outcome) == (486, "decline")
    assert codes(decision) == ["S07", "S18"]


def test_a_rule_that_cannot_be_read_asks_for_a_person(editions: Editions) -> None:
    decision = decided(editions, credit_report=...)
    assert decision.outcome == "refer"
    assert decision.reasons[0].en.startswith("Not known: ")
    assert decision.eligible


@pytest.mark.parametrize("purpose", ["working_capital", "securities"])
def test_without_consent_to_automation_a_person_decides(editions: Editions, purpose: str) -> None:
    """Whatever the score and the rules say (PIPL art. 24)."""
    scopes = a_document()["consent"]["scopes"]
    scopes.remove("automated_decision")
    decision = decided(editions, consent__scopes=scopes, loan__purpose=purpose)
    assert decision.outcome == "refer"
    assert codes(decision)[0] == "A01"


def test_points_lost_are_no_reason_where_only_consent_is_lacking(editions: Editions) -> None:
    """The score would have been approved; what it cost did not send the case to a person."""
    scopes = a_document()["consent"]["scopes"]
    scopes.remove("automated_decision")
    changes: dict[str, Any] = {
        "business__started_on": "2024-11-23",
        "loan__amount_yuan": 50_000,
    }
    assert codes(decided(editions, **changes)) == ["S07"]
    assert codes(decided(editions, **changes, consent__scopes=scopes)) == ["A01"]


def test_a_scope_not_given_is_said_in_the_answer(editions: Editions) -> None:
    decision = decided(editions, consent__scopes=["credit_report", "automated_decision"])
    assert [w.code for w in decision.warnings if w.code.startswith("CONSENT")] == [
        "CONSENT_INCOME",
        "CONSENT_PUBLIC_RECORDS",
    ]


@pytest.mark.parametrize(
    ("mark", "code", "word"),
    [
        pytest.param(
            {"flags": (Flag(date(2026, 11, 1), TODAY, "upheld", "0" * 64),)},
            "VILLAGE_FLAGGED", "yes", id="a flag",
        ),
        pytest.param(
            {"appeal": Appeal(date(2026, 11, 1), "0" * 64)}, "VILLAGE_APPEAL", "no", id="an appeal"
        ),
    ],
)  # fmt: skip
def test_a_mark_of_the_village_is_told_and_changes_no_answer(
    editions: Editions, mark: dict[str, Any], code: str, word: str
) -> None:
    """Only a rule that asks for `village_flag` can refer for it; the small policy has none."""
    register = editions.villages.content
    village = replace(register.villages[WANGTAN], **mark)
    marked = replace(register, villages={**register.villages, WANGTAN: village})
    with_mark = replace(editions, villages=replace(editions.villages, content=marked))
    case = weigh(an_application(), with_mark, Exposure())
    assert case.facts["village_flag"] == word
    plain, told = decided(editions), decided(with_mark)
    assert [w.code for w in told.warnings if w not in plain.warnings] == [code]
    assert replace(told, warnings=(), village=plain.village) == replace(plain, warnings=())


def test_an_amount_above_the_limit_goes_to_a_person(editions: Editions) -> None:
    decision = decided(editions, loan__amount_yuan=135_001)
    assert (decision.outcome, codes(decision)) == ("refer", ["L01"])
    assert decision.offer is not None
    assert decision.offer.amount_yuan == 135_000


@pytest.mark.parametrize(("amount", "outcome"), [(4_999, "refer"), (5_000, "approve")])
def test_an_amount_below_the_smallest_loan_goes_to_a_person(
    editions: Editions, amount: int, outcome: str
) -> None:
    decision = decided(editions, loan__amount_yuan=amount)
    assert decision.outcome == outcome
    assert ("L02" in codes(decision)) == (outcome == "refer")


@pytest.mark.parametrize(
    "stated",
    [
        pytest.param({"applicant__aml_listed": True}, id="a list"),
        pytest.param({"applicant__dishonest_debtor": True}, id="another"),
        pytest.param(
            {"credit_report__days_past_due_now": 1, "credit_report__max_days_past_due_24m": 1},
            id="overdue now",
        ),
    ],
)
def test_what_is_stated_against_a_case_is_not_lost_on_a_policy_that_cannot_ask(
    editions: Editions, stated: dict[str, Any]
) -> None:
    """The small policy asks about none of these: a person looks, and is told at what."""
    decision = decided(editions, **stated)
    [reason] = [r for r in decision.reasons if r.code == "P01"]
    assert (decision.outcome, reason.value) == ("refer", next(iter(stated)).split("__")[1])


def test_what_is_stated_in_favour_changes_nothing(editions: Editions) -> None:
    clear = decided(editions, applicant__aml_listed=False, credit_report__days_past_due_now=0)
    assert clear == decided(editions)


def test_a_cap_that_holds_the_limit_down_is_named_beside_the_limit(editions: Editions) -> None:
    decision = decided(editions, Exposure(policy_loans=1, outstanding_yuan=200_000))
    assert codes(decision)[:2] == ["L01", "C01"]


def test_earlier_loans_take_their_part_of_the_limit(editions: Editions) -> None:
    exposure = Exposure(policy_loans=1, outstanding_yuan=200_000)
    decision = decided(editions, exposure)
    assert decision.offer is not None
    assert decision.offer.limit_yuan == 100_000


def test_a_fourth_policy_loan_is_declined(editions: Editions) -> None:
    assert decided(editions, Exposure(policy_loans=2)).outcome == "approve"
    assert codes(decided(editions, Exposure(policy_loans=3))) == ["K02"]


@pytest.mark.parametrize(
    ("changes", "cap"),
    [
        pytest.param({"capital_yuan": 20_000}, "F02", id="single client"),
        pytest.param({"guaranteed_yuan": 9_999_999}, "F01", id="multiple"),
        pytest.param({"compensation_rate_bp": 401}, "F03", id="compensation rate"),
    ],
)
def test_a_fund_that_cannot_carry_it_moves_the_case_down(
    editions: Editions, changes: dict[str, int], cap: str
) -> None:
    fund = Fund(capital_yuan=1_000_000, guaranteed_yuan=0, applicant_guaranteed_yuan=0,
                compensation_rate_bp=0)  # fmt: skip
    assert decided(editions, Exposure(fund=fund)).outcome == "approve"
    decision = decided(editions, Exposure(fund=replace(fund, **changes)))
    assert decision.outcome == "refer"
    assert decision.guarantee is not None
    assert decision.guarantee.tier == "GX"
    assert codes(decision)[:1] == [cap]


def without_fund_in_g3(given: Editions) -> Editions:
    """The same editions, the family tier carried by the province in the fund's place."""
    policy = given.policy.content
    shares = {**dict.fromkeys(SHARERS, 0), "bank": 20, "provincial_reguarantor": 80}
    rows = tuple(
        replace(row, shares_percent=shares) if row.tier == "G3" else row for row in policy.tier_rows
    )
    return replace(given, policy=replace(given.policy, content=replace(policy, tier_rows=rows)))


@pytest.mark.parametrize("which", ["small", "shipped"])
def test_an_approval_on_a_lower_tier_says_which_cap_bound(editions: Editions, which: str) -> None:
    """On the shipped card as well, where four characteristics cost points."""
    if which == "shipped":
        editions = Registry.open(shipped("models")).in_force("credit_loan", TODAY)
    editions = without_fund_in_g3(editions)
    full = Fund(capital_yuan=1_000_000, guaranteed_yuan=9_960_000, applicant_guaranteed_yuan=0,
                compensation_rate_bp=0)  # fmt: skip
    high, low = (decided(editions, Exposure(fund=fund)) for fund in (None, full))
    assert high.guarantee is not None
    assert low.guarantee is not None
    assert (high.guarantee.tier, high.outcome) == ("G1", "approve")
    assert (low.guarantee.tier, low.outcome) == ("G3", "approve")
    assert "F01" in codes(low)
    assert not {"F01", "F02", "F03", "F04"} & set(codes(high))


def test_a_credential_of_an_issuer_that_does_not_vouch_does_not_count(editions: Editions) -> None:
    veteran = {"kind": "veteran", "issuer": "hrss", "number": "1", "issued_on": "2020-01-01"}
    decision = decided(editions, credentials=[veteran])
    assert "CREDENTIAL_NOT_VOUCHED" in [w.code for w in decision.warnings]


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        pytest.param({}, True, id="vouched for and valid"),
        pytest.param({"issuer": "hrss"}, False, id="an issuer that does not vouch"),
        pytest.param({"expires_on": "2026-11-22"}, False, id="expired the day before"),
    ],
)
def test_credentials_that_count_are_vouched_for_and_valid(
    editions: Editions, changes: dict[str, str], counts: bool
) -> None:
    veteran = {"kind": "veteran", "issuer": "veterans_affairs", "number": "1",
               "issued_on": "2020-01-01", **changes}  # fmt: skip
    found = credentials_that_count(an_application(credentials=[veteran]), editions.policy.content)
    assert [c.kind for c in found] == ["veteran"] * counts


def test_without_consent_to_public_records_no_credential_counts(editions: Editions) -> None:
    scopes = ["credit_report", "income", "automated_decision"]
    application = an_application(consent__scopes=scopes)
    assert application.credentials
    assert credentials_that_count(application, editions.policy.content) == ()


def test_an_unrated_village_is_unknown_rather_than_bad(editions: Editions) -> None:
    decision = decided(editions, applicant__village_code=SHIQIAO, loan__amount_yuan=50_000)
    assert decision.village.points == 0
    assert decision.outcome == "approve"
    assert "VILLAGE_UNRATED" in [w.code for w in decision.warnings]


@pytest.mark.parametrize(
    ("amount", "pd", "lgd", "bank", "total_loss", "bank_loss"),
    [
        pytest.param(150_000, 19_608, 90, 100, 2647, 2647, id="G0 in DOMAIN 10"),
        pytest.param(150_000, 19_608, 90, 20, 2647, 529, id="G1 in DOMAIN 10"),
        pytest.param(120_000, 7_785, 60, 20, 561, 113, id="the contract example"),
        pytest.param(0, 7_785, 60, 20, 0, 0, id="nothing lent"),
    ],
)
def test_expected_loss_is_shared_to_the_yuan(
    amount: int, pd: int, lgd: int, bank: int, total_loss: int, bank_loss: int
) -> None:
    rest = 100 - bank
    shares = {"bank": bank, "local_guarantor": rest // 2, "provincial_reguarantor": rest * 3 // 8,
              "national_fund": 0, "government": rest // 8}  # fmt: skip
    total, parts = expected_loss_yuan(amount, pd, lgd, shares)
    assert (total, parts["bank"]) == (total_loss, bank_loss)
    assert sum(parts.values()) == total


def test_the_document_has_every_field_of_the_contract(editions: Editions, tmp_path: Path) -> None:
    document = decided(editions).to_document()
    assert set(document) == {
        "product", "applied_on", "outcome", "eligible", "score", "pd_12m", "grade", "village",
        "offer", "guarantee", "reasons", "editions", "warnings",
    }  # fmt: skip
    assert document["guarantee"]["coverage_percent"] == 80
    assert document["village"]["credibility"] == 0.10


def test_nothing_is_offered_that_the_rules_would_not_allow(editions: Editions) -> None:
    """Not even where a person decides because automation was not consented to."""
    scopes = a_document()["consent"]["scopes"]
    scopes.remove("automated_decision")
    decision = decided(editions, consent__scopes=scopes, loan__purpose="securities")
    assert (decision.outcome, decision.offer, decision.guarantee) == ("refer", None, None)


def test_a_referral_without_any_limit_offers_nothing(editions: Editions) -> None:
    decision = decided(editions, Exposure(policy_loans=1, outstanding_yuan=300_000))
    assert (decision.outcome, decision.offer) == ("refer", None)
    assert codes(decision)[0] == "L01"


def test_a_score_that_declines_is_told_before_rules_that_only_refer(editions: Editions) -> None:
    """580 - 40 + 0 + 6 = 546 with no report; 540 is the floor, so twelve points less decline."""
    decision = decided(
        editions, credit_report=..., business__started_on="2026-03-01",
        applicant__village_code=QIFANG,
    )  # fmt: skip
    assert (decision.score, decision.outcome) == (532, "decline")
    assert codes(decision)[:2] == ["S07", "S18"]


def test_what_is_known_of_earlier_loans_is_said(editions: Editions) -> None:
    assert "EXPOSURE_PARTIAL" in [w.code for w in decided(editions).warnings]
    known = [w.code for w in decided(editions, Exposure(policy_loan_overdue=False)).warnings]
    assert "EXPOSURE_PARTIAL" not in known
    assert "EXPOSURE_OWN_LEDGER" in known
