"""What would change the answer, held against trying every step of every lever.

Small applications and editions, so that each lever has tens of steps and all can be decided.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loansvc.application import (
    CATALOGUE,
    GRADES,
    REPAYMENTS,
    SCOPES,
    Applicant,
    Application,
    Business,
    Consent,
    Credential,
    CreditReport,
    Loan,
    characteristics,
)
from loansvc.decision import Editions, Exposure, decide, weigh
from loansvc.editions import Edition, Head, Reader
from loansvc.policy import OUTCOMES, Fund
from loansvc.policy.document import read_policy
from loansvc.policy.rules import SCORE_GRADES
from loansvc.rates import Quote, Rates
from loansvc.remedies import LEVERS, Way, ways
from loansvc.remedies.lever import Lever, Setting
from loansvc.scorecard.document import read_scorecard
from loansvc.villages import Register, Village
from tests.property.strategies import applications, maybe, whole
from tests.small import POLICY, TODAY, WANGTAN

FIRST_DAY = date(2026, 7, 1)
thorough = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# What nobody can change, or must not be told to.
PROTECTED = {
    "age_years", "sex", "town", "education", "entity", "groups", "primary_group", "dependants",
    "max_days_past_due_24m", "months_since_first_credit", "purpose", "repair_applied",
    "dishonest_debtor", "aml_listed", "automated_decision", "policy_loans", "policy_loan_overdue",
    "outstanding_yuan", "village_flag",
}  # fmt: skip

# --- small cases ----------------------------------------------------------------------------------

small_credentials = st.lists(
    st.builds(
        Credential,
        kind=st.sampled_from(
            ["veteran", "training_certificate", "craftsman_title", "contest_award",
             "talent_plan", "park_resident"]
        ),
        issuer=st.sampled_from(["hrss", "veterans_affairs", "talent_office"]),
        number=st.sampled_from(["N-1", "N-2"]),
        issued_on=whole(0, 900).map(lambda n: TODAY - timedelta(days=n)),
        level=maybe(st.sampled_from(["county", "prefecture"])),
    ),
    max_size=3,
)  # fmt: skip


@st.composite
def small_applications(draw: st.DrawFn) -> Application:
    revenue, employees = draw(whole(10, 40)), draw(whole(0, 8))
    unsecured = draw(whole(0, 30))
    return Application(
        application_id="P-1",
        product="credit_loan",
        applied_on=TODAY,
        applicant=Applicant(
            id_number="999999197501010179",
            village_code=WANGTAN,
            household_grade=draw(maybe(st.sampled_from(GRADES))),
            household_income_12m_yuan=draw(maybe(whole(0, 40))),
            household_debt_service_12m_yuan=draw(maybe(whole(0, 30))),
        ),
        credentials=tuple(draw(small_credentials)),
        business=Business(
            started_on=draw(maybe(whole(0, 1500).map(lambda n: TODAY - timedelta(days=n)))),
            employees=employees,
            new_hires_12m=draw(maybe(whole(0, employees))),
            revenue_12m_yuan=revenue,
            online_revenue_12m_yuan=draw(maybe(whole(0, revenue))),
            social_insurance_months_24m=draw(maybe(whole(0, 24))),
        ),
        credit_report=CreditReport(
            reported_on=TODAY - timedelta(days=draw(whole(0, 45))),
            max_days_past_due_24m=draw(st.sampled_from([0, 0, 0, 30, 90])),
            days_past_due_now=draw(maybe(whole(0, 9))),
            active_loans=draw(whole(0, 5)),
            outstanding_yuan=draw(maybe(whole(unsecured, 40))),
            unsecured_outstanding_yuan=unsecured,
            enquiries_6m=draw(whole(0, 8)),
            card_utilisation_percent=draw(whole(0, 40)),
            guarantees_given_yuan=draw(whole(0, 20)),
        ),
        loan=Loan(
            amount_yuan=draw(whole(1, 60)),
            term_months=draw(whole(1, 24)),
            purpose="planting",
            repayment=draw(st.sampled_from(REPAYMENTS)),
        ),
        consent=Consent(consent_id="C-1", given_on=TODAY, scopes=SCOPES),
    )


SCORED = (
    "business_age_months", "max_days_past_due_24m", "household_grade", "household_income_12m_yuan",
    "household_debt_service_percent", "training_certificates", "craftsman_level",
    "contest_award_level", "park_months", "employees", "revenue_12m_yuan",
    "online_revenue_percent", "social_insurance_months_24m", "active_loans",
    "unsecured_outstanding_yuan", "enquiries_6m", "card_utilisation_percent",
    "guarantees_given_yuan", "loan_to_revenue_percent", "term_months",
)  # fmt: skip


@st.composite
def small_cards(draw: st.DrawFn) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(SCORED), min_size=1, max_size=5, unique=True))
    return {
        "statement": "random",
        "base_points": draw(whole(500, 600)),
        "characteristics": {name: {"bins": draw(small_bins(name))} for name in chosen},
    }


@st.composite
def small_bins(draw: st.DrawFn, name: str) -> list[dict[str, Any]]:
    row = CATALOGUE[name]
    n = len(row.words) if row.words else draw(whole(2, 4))
    points = draw(st.lists(whole(-40, 40), min_size=n, max_size=n))
    points.sort(reverse=row.direction > 0)
    missing = {"state": "missing", "points": draw(whole(-40, 40))}
    if row.words:
        plain = [{"words": [w], "points": p} for w, p in zip(row.words, points, strict=True)]
        return [*plain, missing, {"state": "unseen", "points": 0}]
    most = {"percent": 120, "level": 4, "count": 6}.get(row.unit, 45)
    cuts = sorted(draw(st.lists(whole(1, most), min_size=n - 1, max_size=n - 1, unique=True)))
    ends = zip([None, *cuts], [*cuts, None], points, strict=True)
    keys = ("from", "to", "points")
    return [
        *({k: v for k, v in zip(keys, e, strict=True) if v is not None} for e in ends),
        missing,
    ]


def a_rule(identity: str, requires: dict[str, Any], otherwise: str, **more: Any) -> dict[str, Any]:
    return {
        "id": identity, "stage": "knock_out", "requires": requires, "otherwise": otherwise,
        "if_unknown": "approve", "zh": "规则", "en": "rule", "reference": "random",
        "source_grade": "A", **more,
    }  # fmt: skip


@st.composite
def small_policies(draw: st.DrawFn) -> dict[str, Any]:
    """The small policy with small figures, and some rules over what can be acted on."""
    policy = tomllib.loads(POLICY.replace("PRODUCT", "credit_loan"))
    policy["example"][0] |= {"given": {"policy_loans": 99}, "expect": {"outcome": "decline"}}
    low = draw(whole(500, 600))
    policy["cutoff"] |= {"approve_at_least": low + draw(whole(0, 40)), "refer_at_least": low}
    floors = draw(st.lists(whole(480, 640), min_size=6, max_size=6, unique=True))
    for grade, floor in zip(policy["grade"], sorted(floors, reverse=True), strict=False):
        grade["score_at_least"] = floor
    for grade in SCORE_GRADES:  # R6 and R7 as in the small policy: no limit
        if grade in ("R4", "R5"):
            policy["limit_factor_percent"][grade] |= dict.fromkeys(("A", "AA", "AAA"), 60)
    policy["limit"] |= {
        "minimum_yuan": draw(whole(1, 12)),
        "round_down_to_yuan": draw(whole(1, 4)),
    }
    base = draw(whole(0, 60))
    policy["limit_row"][0]["base_yuan"] = base + draw(whole(0, 40))
    policy["limit_row"][1]["base_yuan"] = base
    clause = {"zh": "上限", "en": "cap", "reference": "random", "source_grade": "A"}
    caps = [
        {"id": "X1", "percent_of": "revenue_12m_yuan", "percent": draw(whole(50, 150)), **clause},
        {"id": "X2", "yuan": draw(whole(20, 60)), "less": "unsecured_outstanding_yuan", **clause},
    ]
    policy["cap"] += draw(st.lists(st.sampled_from(caps), max_size=1))
    policy["tier"][0]["when"]["amount_yuan"] = {"at_most": draw(whole(5, 60))}
    policy["rule"] += draw(
        st.lists(st.sampled_from(draw(some_rules())), max_size=4, unique_by=lambda r: r["id"])
    )
    return policy


@st.composite
def some_rules(draw: st.DrawFn) -> list[dict[str, Any]]:
    def bound(key: str, low: int, high: int) -> dict[str, int]:
        return {key: draw(whole(low, high))}

    asked: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"household_debt_service_percent": bound("at_most", 10, 80)}, {}),
        ({"unsecured_total_yuan": bound("at_most", 10, 60)}, {}),
        ({"loan_to_revenue_percent": bound("at_most", 20, 150)}, {}),
        ({"report_age_days": bound("at_most", 1, 40)}, {}),
        ({"days_past_due_now": {"at_most": 0}}, {}),
        ({"term_months": bound("at_most", 1, 20)}, {"when": {"repayment": ["bullet"]}}),
        ({"hire_share_percent": bound("at_least", 5, 60)}, {}),
        ({"talent_tier": ["T1", "T2", "T3", "T4", "T5"]}, {}),
        ({"park_resident": ["yes"]}, {}),
        ({"village_rating": ["AAA", "AA", "A"]}, {}),
        ({"household_grade": ["AAA", "AA"]}, {}),
    ]
    return [
        a_rule(f"X{i:02d}", requires, draw(st.sampled_from(["refer", "decline"])), **more)
        for i, (requires, more) in enumerate(asked)
    ]


@st.composite
def small_editions(draw: st.DrawFn) -> Editions:
    policy = draw(small_policies())
    for key in ("kind", "product", "valid_from", "review_by", "reference"):
        del policy[key]
    head = Head("policy", "credit_loan", FIRST_DAY, "random", date(2027, 6, 30))
    village = Village(WANGTAN, "王潭村", "乌溪镇", draw(st.sampled_from(GRADES)),
                      date(2026, 3, 31), draw(whole(-10, 10)), 10, {}, None)  # fmt: skip
    register = Register({WANGTAN: village}, synthetic=False, statement="")

    def edition(kind: str, content: Any) -> Edition[Any]:
        return Edition(kind, "credit_loan", "champion", FIRST_DAY, "test", f"sha256:{kind}", kind,
                       head, content)  # fmt: skip

    return Editions(
        scorecard=edition("scorecard", read_scorecard(Reader(draw(small_cards()), file="card"))),
        villages=edition("villages", register),
        policy=edition("policy", read_policy(Reader(policy, file="policy"), head)),
        rates=edition("rates", Rates((Quote(date(2019, 8, 20), 300, 350),))),
    )


small_exposures = st.builds(
    Exposure,
    policy_loans=st.sampled_from([0, 0, 0, 4]),
    policy_loan_overdue=st.none(),
    outstanding_yuan=st.sampled_from([0, 0, 299_980]),
    fund=maybe(
        st.builds(
            Fund,
            capital_yuan=whole(20, 300),
            guaranteed_yuan=whole(0, 1500),
            applicant_guaranteed_yuan=whole(0, 9),
            compensation_rate_bp=st.just(0),
        )
    ),
)

# --- every step -----------------------------------------------------------------------------------


def good_enough(outcome: str, target: str) -> bool:
    return OUTCOMES.index(outcome) <= OUTCOMES.index(target)


def outcome_of(setting: Setting, exposure: Exposure) -> str:
    return decide(setting.application, setting.editions, exposure).outcome


def first_good(lever: Lever, setting: Setting, exposure: Exposure, target: str) -> Any | None:
    """The first step at which deciding gives the target or better: each one tried."""
    tried = ((step, lever.move(setting, step)) for step in lever.steps(setting))
    return next(
        (step for step, moved in tried if good_enough(outcome_of(moved, exposure), target)), None
    )


def every_single(
    start: Setting, exposure: Exposure, outcome: str, found: tuple[Way, ...]
) -> list[tuple[tuple[str, Any], ...]]:
    """What the ways must be, pairs taken on trust: those are held against their own neighbours."""
    expected: list[tuple[tuple[str, Any], ...]] = []
    used: set[str] = set()
    about = {lever.name: lever.about for lever in LEVERS}
    for target in OUTCOMES[: OUTCOMES.index(outcome)]:
        for lever in LEVERS:
            step = None if lever.about in used else first_good(lever, start, exposure, target)
            if step is not None:
                used.add(lever.about)
                expected.append(((lever.name, step),))
        if not used:
            for way in found:
                if len(way.changes) == 2 and good_enough(way.outcome, target):
                    expected.append(tuple((c.fact, c.after) for c in way.changes))
                    used.update(about[c.fact] for c in way.changes)
    return expected[:3]


@thorough
@given(small_applications(), small_editions(), small_exposures)
def test_single_changes_are_those_of_trying_every_step(
    application: Application, editions: Editions, exposure: Exposure
) -> None:
    """Which levers, in which order, and by how little; one step less does not suffice."""
    case = weigh(application, editions, exposure)
    found = ways(application, editions, exposure)
    start = Setting(case.application, editions)
    assert [tuple((c.fact, c.after) for c in way.changes) for way in found] == every_single(
        start, exposure, case.judgement.outcome, found
    )


@thorough
@given(small_applications(), small_editions(), small_exposures)
def test_each_of_two_changes_is_the_smallest_beside_the_other(
    application: Application, editions: Editions, exposure: Exposure
) -> None:
    start = Setting(weigh(application, editions, exposure).application, editions)
    levers = {lever.name: lever for lever in LEVERS}
    for way in ways(application, editions, exposure):
        if len(way.changes) == 1:
            continue
        for kept, other in (way.changes, way.changes[::-1]):
            setting = levers[kept.fact].move(start, kept.after)
            assert not good_enough(outcome_of(setting, exposure), way.outcome)
            assert first_good(levers[other.fact], setting, exposure, way.outcome) == other.after


@thorough
@given(small_applications(), small_editions(), small_exposures, st.randoms(use_true_random=False))
def test_where_no_way_is_named_no_two_changes_drawn_by_lot_help(
    application: Application, editions: Editions, exposure: Exposure, lot: Any
) -> None:
    case = weigh(application, editions, exposure)
    outcome = case.judgement.outcome
    if outcome == "approve" or ways(application, editions, exposure):
        return
    setting = Setting(case.application, editions)
    usable = [lever for lever in LEVERS if lever.steps(setting)]
    for _ in range(30):
        first, second = lot.sample(usable, 2)
        if first.about == second.about:
            continue
        moved = first.move(setting, lot.choice(first.steps(setting)))
        moved = second.move(moved, lot.choice(second.steps(moved)))
        assert OUTCOMES.index(outcome_of(moved, exposure)) >= OUTCOMES.index(outcome)


@thorough
@given(small_applications(), small_editions(), small_exposures)
def test_every_way_is_better_verified_and_listed_in_order(
    application: Application, editions: Editions, exposure: Exposure
) -> None:
    before = decide(application, editions, exposure).outcome
    found = ways(application, editions, exposure)
    assert len(found) <= 3
    assert found == ways(application, editions, exposure)
    for way in found:
        assert decide(way.application, way.editions, exposure).outcome == way.outcome
        assert OUTCOMES.index(way.outcome) < OUTCOMES.index(before)
    levers = {lever.name: lever for lever in LEVERS}
    about = [levers[change.fact].about for way in found for change in way.changes]
    assert len(about) == len(set(about))
    outcomes = [OUTCOMES.index(way.outcome) for way in found]
    assert outcomes == sorted(outcomes)


@thorough
@given(small_applications(), small_editions(), small_exposures)
def test_giving_up_a_right_is_never_a_way(
    application: Application, editions: Editions, exposure: Exposure
) -> None:
    scopes = tuple(s for s in SCOPES if s != "automated_decision")
    without = replace(application, consent=replace(application.consent, scopes=scopes))
    assert ways(without, editions, exposure) == ()


# --- the levers -----------------------------------------------------------------------------------


def test_no_lever_names_what_nobody_can_change() -> None:
    for lever in LEVERS:
        assert not lever.moves & PROTECTED, lever.name


@thorough
@given(st.one_of(applications, small_applications()), small_editions(), st.data())
def test_a_lever_moves_its_facts_one_way_and_nothing_else(
    application: Application, editions: Editions, data: st.DataObject
) -> None:
    """Over random applications: facts that do not follow it are equal, and so are all protected."""
    application = weigh(application, editions, Exposure()).application
    setting = Setting(application, editions)
    before = characteristics(application)
    for lever in LEVERS:
        if lever.scope is not None and lever.scope not in application.consent.scopes:
            continue
        steps = lever.steps(setting)
        if not steps:
            continue
        places = sorted(data.draw(st.lists(whole(0, len(steps) - 1), min_size=2, max_size=2)))
        seen = [before]
        for place in places:
            moved = lever.move(setting, steps[place])
            seen.append(characteristics(moved.application))
            assert {n for n in before if seen[-1][n] != before[n]} <= lever.moves, lever.name
            assert untouched(moved.application) == untouched(application)
            assert lever.moves >= {"village_rating"} or moved.editions == editions
        for name in lever.moves & before.keys():
            row = CATALOGUE[name]
            if row.words and name not in ("household_grade", "talent_tier"):
                continue  # a word without an order: every step of its lever is tried
            known = [s[name] for s in seen if s[name] is not None]
            assert len(known) in (0, len(seen)), (lever.name, name)
            values = [row.words.index(word) for word in known] if row.words else known
            assert values in (sorted(values), sorted(values, reverse=True)), (lever.name, name)


def untouched(application: Application) -> list[Any]:
    """What stays as it is whatever is acted on."""
    applicant, business = application.applicant, application.business
    report = application.credit_report
    return [
        application.product, application.on, application.consent, applicant.id_number,
        applicant.village_code, applicant.education, applicant.dependants,
        applicant.dishonest_debtor, applicant.aml_listed, business.entity,
        application.loan.purpose, report and report.max_days_past_due_24m,
        report and report.months_since_first_credit, report and report.repair_applied,
    ]  # fmt: skip


@thorough
@given(small_applications(), small_editions(), small_exposures)
def test_a_better_village_rating_is_the_only_change_of_editions(
    application: Application, editions: Editions, exposure: Exposure
) -> None:
    for way in ways(application, editions, exposure):
        asks = any(change.fact == "village_rating" for change in way.changes)
        assert asks == (way.editions != editions)
        village = editions.villages.content.standing(WANGTAN, TODAY)
        assert way.editions.villages.content.standing(WANGTAN, TODAY).points == village.points
