"""What holds for every application, every card and every policy."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from loansvc.application import GRADES, Application, from_record, to_record
from loansvc.decision import Decision, Editions, Exposure, decide, weigh
from loansvc.explanation import lines_of
from loansvc.identifiers import id_check_character
from loansvc.policy import OUTCOMES, TIERS
from tests.property.strategies import (
    applications,
    editions,
    exposures,
    whole,
    with_base_points,
    with_village,
)
from tests.small import WANGTAN

thorough = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def assert_not_worse(better: Decision, worse: Decision) -> None:
    """Outcome, limit, rate and tier of the better case are at least as good."""
    assert OUTCOMES.index(better.outcome) <= OUTCOMES.index(worse.outcome)
    if worse.offer is None or worse.guarantee is None:
        return
    assert better.offer is not None
    assert better.guarantee is not None
    assert better.offer.limit_yuan >= worse.offer.limit_yuan
    assert better.offer.amount_yuan >= worse.offer.amount_yuan
    assert better.offer.rate_bp <= worse.offer.rate_bp
    assert TIERS.index(better.guarantee.tier) <= TIERS.index(worse.guarantee.tier)


@thorough
@given(applications, editions(), exposures)
def test_every_application_gets_a_whole_decision(
    application: Application, given_editions: Editions, exposure: Exposure
) -> None:
    decision = decide(application, given_editions, exposure)
    assert decision.outcome in OUTCOMES
    assert len(decision.reasons) <= 4
    if not decision.reasons and decision.outcome != "approve":
        # Only a card whose best score is below the cut-off has nothing to say.
        score = lines_of(application, given_editions, exposure, decision)["score"]
        assert all(line["points"] >= line["best_points"] for line in score["characteristics"])
        assert decision.village.points >= 0
    assert (decision.offer is None) == (decision.guarantee is None)
    assert decision.offer is None or decision.outcome != "decline"
    assert decision.offer is None or decision.offer.limit_yuan > 0
    json.dumps(decision.to_document(), allow_nan=False)


@thorough
@given(applications, editions(), exposures)
def test_deciding_again_gives_the_same(
    application: Application, given_editions: Editions, exposure: Exposure
) -> None:
    """From the recorded form as well: replay is `==`."""
    recorded = from_record(json.loads(json.dumps(to_record(application))))
    assert recorded == application
    again = decide(recorded, given_editions, exposure)
    assert again == decide(application, given_editions, exposure)


@thorough
@given(applications, editions(), exposures)
def test_the_explanation_adds_up_to_the_score(
    application: Application, given_editions: Editions, exposure: Exposure
) -> None:
    decision = decide(application, given_editions, exposure)
    score = lines_of(application, given_editions, exposure, decision)["score"]
    lines = sum(line["points"] for line in score["characteristics"])
    assert score["base_points"] + lines + score["village"]["points"] == decision.score


@thorough
@given(applications, editions(), exposures)
def test_shares_sum_to_100_and_the_bank_keeps_a_fifth(
    application: Application, given_editions: Editions, exposure: Exposure
) -> None:
    guarantee = decide(application, given_editions, exposure).guarantee
    if guarantee is None:
        return
    assert sum(guarantee.shares_percent.values()) == 100
    assert guarantee.shares_percent["bank"] >= 20
    loss = guarantee.expected_loss_yuan
    assert 0 <= loss["bank"] <= loss["total"]


@thorough
@given(applications, editions(), exposures, whole(1, 200))
def test_a_better_score_never_worsens_anything(
    application: Application, given_editions: Editions, exposure: Exposure, more: int
) -> None:
    worse = decide(application, given_editions, exposure)
    better = decide(application, with_base_points(given_editions, more), exposure)
    assert better.pd_ppm <= worse.pd_ppm
    assert_not_worse(better, worse)


@thorough
@given(applications, editions(), exposures, st.sampled_from(GRADES), st.sampled_from(GRADES))
def test_a_better_village_rating_never_worsens_anything(
    application: Application, given_editions: Editions, exposure: Exposure, a: str, b: str
) -> None:
    best, worst = sorted((a, b), key=GRADES.index)
    assert_not_worse(
        decide(application, with_village(given_editions, rating=best), exposure),
        decide(application, with_village(given_editions, rating=worst), exposure),
    )


@thorough
@given(applications, editions(), exposures, st.sampled_from(GRADES), st.sampled_from(GRADES))
def test_a_better_household_grade_never_worsens_anything(
    application: Application, given_editions: Editions, exposure: Exposure, a: str, b: str
) -> None:
    def graded(grade: str) -> Decision:
        applicant = replace(application.applicant, household_grade=grade)
        return decide(replace(application, applicant=applicant), given_editions, exposure)

    best, worst = sorted((a, b), key=GRADES.index)
    assert_not_worse(graded(best), graded(worst))


@thorough
@given(applications, editions(), exposures)
def test_the_fund_can_only_move_a_case_down_and_names_its_cap(
    application: Application, given_editions: Editions, exposure: Exposure
) -> None:
    bound = decide(application, given_editions, exposure)
    free = decide(application, given_editions, replace(exposure, fund=None))
    assert_not_worse(free, bound)
    assert (bound.score, bound.pd_ppm) == (free.score, free.pd_ppm)
    if bound.guarantee and free.guarantee and bound.guarantee.tier != free.guarantee.tier:
        against = {reason.code for reason in bound.reasons}
        assert against & {"F01", "F02", "F03"} or len(bound.reasons) == 4


@thorough
@given(applications, editions(), exposures, st.sampled_from(GRADES), whole(-10, 10))
def test_no_village_lifts_a_knock_out(
    application: Application, given_editions: Editions, exposure: Exposure, rating: str, points: int
) -> None:
    loan = replace(application.loan, purpose="securities")
    scopes = (*application.consent.scopes, "automated_decision")
    consent = replace(application.consent, scopes=scopes)
    village = with_village(given_editions, rating=rating, points=points)
    decision = decide(replace(application, loan=loan, consent=consent), village, exposure)
    assert decision.outcome == "decline"


@thorough
@given(
    applications,
    editions(),
    exposures,
    whole(0, 999),
    st.sampled_from(["340521", "540121", "654000"]),
)
def test_sex_and_birth_place_in_the_id_number_change_nothing(
    application: Application, given_editions: Editions, exposure: Exposure, sequence: int, area: str
) -> None:
    """Digits 1 to 6 and 15 to 17: registration place, ethnicity-bearing areas, sex."""
    number = application.applicant.id_number
    digits = f"{area}{number[6:14]}{sequence:03d}"
    applicant = replace(application.applicant, id_number=digits + id_check_character(digits))
    swapped = decide(replace(application, applicant=applicant), given_editions, exposure)
    assert swapped == decide(application, given_editions, exposure)


@thorough
@given(applications, editions(), exposures, whole(-10, 10), whole(-10, 10))
def test_village_points_move_the_score_and_nothing_else_of_the_person(
    application: Application, given_editions: Editions, exposure: Exposure, a: int, b: int
) -> None:
    assume(a != b)
    with_a = decide(application, with_village(given_editions, points=a), exposure)
    with_b = decide(application, with_village(given_editions, points=b), exposure)
    assert with_a.score - with_b.score == a - b
    assert application.applicant.village_code == WANGTAN


@thorough
@given(applications, editions(), exposures)
def test_a_decline_names_something_that_by_itself_asks_for_it(
    application: Application, given_editions: Editions, exposure: Exposure
) -> None:
    """A person who puts right all that is listed must not be declined for what was not."""
    case = weigh(application, given_editions, exposure)
    decision = decide(application, given_editions, exposure)
    if decision.outcome != "decline":
        return
    declining = {f.rule.id for f in case.judgement.findings if f.outcome == "decline"}
    kinds = {reason.kind for reason in decision.reasons}
    by_score = case.judgement.score_outcome == "decline" and kinds & {"scorecard", "village"}
    nothing_lost = not any(b.reason for b in case.bins) and case.standing.points >= 0
    assert declining & {r.code for r in decision.reasons} or by_score or nothing_lost
