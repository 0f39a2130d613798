"""Random valid applications, and small random editions to decide them by."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from loansvc.application import (
    CATALOGUE,
    CREDENTIAL_KINDS,
    EDUCATIONS,
    ENTITIES,
    GRADES,
    ISSUERS,
    LEVELS,
    PURPOSES,
    REPAYMENTS,
    SCOPES,
    Application,
)
from loansvc.decision import Editions, Exposure
from loansvc.editions import Edition, Head, Reader
from loansvc.identifiers import id_check_character
from loansvc.policy import Fund
from loansvc.policy.document import read_policy
from loansvc.policy.rules import SCORE_GRADES, VILLAGE_RATINGS
from loansvc.rates import Quote, Rates
from loansvc.scorecard.document import read_scorecard
from loansvc.villages import Register, Village
from loansvc.web.schemas import load_application
from tests.small import CODES, POLICY, TODAY, WANGTAN

FIRST_DAY = date(2026, 7, 1)


def whole(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


def days_back(most: int) -> st.SearchStrategy[str]:
    return whole(0, most).map(lambda n: (TODAY - timedelta(days=n)).isoformat())


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@st.composite
def id_numbers(draw: st.DrawFn) -> str:
    area = draw(st.sampled_from(["340521", "342525", "110105", "650000"]))
    born = date(1940, 1, 1) + timedelta(days=draw(whole(0, 31_000)))
    digits = f"{area}{born:%Y%m%d}{draw(whole(0, 999)):03d}"
    return digits + id_check_character(digits)


credentials = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(CREDENTIAL_KINDS),
        "issuer": st.sampled_from(ISSUERS),
        "number": st.just("N-1"),
        "issued_on": days_back(3000),
        "level": maybe(st.sampled_from(LEVELS)),
    }
)
documents = st.fixed_dictionaries(
    {
        "application_id": st.just("P-1"),
        "product": st.just("credit_loan"),
        "applied_on": st.just(TODAY.isoformat()),
        "applicant": st.fixed_dictionaries(
            {
                "id_number": id_numbers(),
                "village_code": st.just(WANGTAN),
                "household_grade": maybe(st.sampled_from(GRADES)),
                "education": maybe(st.sampled_from(EDUCATIONS)),
                "household_income_12m_yuan": maybe(whole(0, 1_000_000)),
                "household_debt_service_12m_yuan": maybe(whole(0, 500_000)),
                "dependants": maybe(whole(0, 10)),
            }
        ),
        "credentials": st.lists(credentials, max_size=4),
        "business": st.fixed_dictionaries(
            {
                "entity": maybe(st.sampled_from(ENTITIES)),
                "started_on": maybe(days_back(9000)),
                "employees": maybe(whole(0, 200)),
                "revenue_12m_yuan": maybe(whole(500_000, 10**9)),
                "online_revenue_12m_yuan": maybe(whole(0, 500_000)),
                "social_insurance_months_24m": maybe(whole(0, 24)),
            }
        ),
        "credit_report": maybe(
            st.fixed_dictionaries(
                {
                    "reported_on": days_back(30),
                    "max_days_past_due_24m": maybe(whole(0, 200)),
                    "active_loans": maybe(whole(0, 12)),
                    "unsecured_outstanding_yuan": maybe(whole(0, 600_000)),
                    "enquiries_6m": maybe(whole(0, 30)),
                    "months_since_first_credit": maybe(whole(0, 400)),
                    "card_utilisation_percent": maybe(whole(0, 120)),
                    "guarantees_given_yuan": maybe(whole(0, 10**6)),
                }
            )
        ),
        "loan": st.fixed_dictionaries(
            {
                "amount_yuan": whole(1, 600_000),
                "term_months": whole(1, 120),
                "purpose": st.sampled_from(PURPOSES),
                "repayment": st.sampled_from(REPAYMENTS),
            }
        ),
        "consent": st.fixed_dictionaries(
            {
                "consent_id": st.just("C-1"),
                "given_on": days_back(30),
                "scopes": st.lists(st.sampled_from(SCOPES), unique=True)
                | st.just(list(SCOPES)),  # the usual case, so that it is met often
            }
        ),
    }
)


def load(document: dict[str, Any]) -> Application:
    return load_application(json.loads(json.dumps(document)), today=TODAY, village_codes=CODES)


applications = documents.map(load)


@st.composite
def cards(draw: st.DrawFn) -> dict[str, Any]:
    """One to five characteristics, their points in the direction that the catalogue states."""
    names = ["business_age_months", "max_days_past_due_24m", "online_revenue_percent",
             "household_grade", "purpose"]  # fmt: skip
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    return {
        "statement": "random",
        "base_points": draw(whole(450, 700)),
        "characteristics": {name: {"bins": draw(bins(name))} for name in chosen},
    }


@st.composite
def bins(draw: st.DrawFn, name: str) -> list[dict[str, Any]]:
    row = CATALOGUE[name]
    n = len(row.words) if row.words else draw(whole(1, 4))
    points = draw(st.lists(whole(-60, 60), min_size=n, max_size=n))
    if row.direction:
        points.sort(reverse=row.direction > 0)
    states = [{"state": "missing", "points": draw(whole(-60, 60))}]
    if row.words:
        states.append({"state": "unseen", "points": draw(whole(-60, 60))})
        return [
            {"words": [w], "points": p} for w, p in zip(row.words, points, strict=True)
        ] + states
    cuts = sorted(draw(st.lists(whole(1, 200), min_size=n - 1, max_size=n - 1, unique=True)))
    ends = zip([None, *cuts], [*cuts, None], points, strict=True)
    keys = ("from", "to", "points")
    plain = [{k: v for k, v in zip(keys, e, strict=True) if v is not None} for e in ends]
    return plain + states


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """The small policy with random figures, every table still in its order of merit."""
    policy = tomllib.loads(POLICY.replace("PRODUCT", "credit_loan"))
    # The one example that holds whatever the figures.
    policy["example"][0] |= {"given": {"policy_loans": 99}, "expect": {"outcome": "decline"}}
    approve = draw(whole(520, 640))
    policy["cutoff"] |= {"approve_at_least": approve, "refer_at_least": draw(whole(480, approve))}
    floors = draw(st.lists(whole(480, 700), min_size=6, max_size=6, unique=True))
    for grade, floor in zip(policy["grade"], sorted(floors, reverse=True), strict=False):
        grade["score_at_least"] = floor
    ceiling = dict.fromkeys(VILLAGE_RATINGS, 200)
    for grade in SCORE_GRADES:
        ceiling = _falling_row(draw, ceiling)
        policy["limit_factor_percent"][grade] = dict(ceiling)
    high, low = draw(whole(0, 500_000)), draw(whole(0, 100_000))
    policy["limit_row"][0]["base_yuan"], policy["limit_row"][1]["base_yuan"] = high + low, low
    spread = draw(whole(0, 100))
    policy["price_row"][0]["spread_bp"] = spread
    policy["price_row"][1]["spread_bp"] = spread + draw(whole(0, 100))
    return policy


def _falling_row(draw: st.DrawFn, ceiling: dict[str, int]) -> dict[str, int]:
    """A row of the factor matrix: nowhere above the row before, falling from AAA to D."""
    row: dict[str, int] = {}
    limit = 200
    for rating in GRADES:
        limit = min(limit, ceiling[rating])
        limit = row[rating] = draw(whole(limit // 2, limit))
    row["unrated"] = draw(whole(0, ceiling["unrated"]))
    return row


def _edition(kind: str, content: Any) -> Edition[Any]:
    head = Head(kind, "credit_loan", FIRST_DAY, "random", date(2027, 6, 30))
    return Edition(kind, "credit_loan", "champion", FIRST_DAY, "test", f"sha256:{kind}", kind,
                   head, content)  # fmt: skip


@st.composite
def editions(draw: st.DrawFn) -> Editions:
    policy = draw(policies())
    for key in ("kind", "product", "valid_from", "review_by", "reference"):
        del policy[key]
    head = Head("policy", "credit_loan", FIRST_DAY, "random", date(2027, 6, 30))
    village = Village(WANGTAN, "王潭村", "乌溪镇", draw(st.sampled_from(GRADES)),
                      date(2026, 3, 31), draw(whole(-10, 10)), 10, {}, None)  # fmt: skip
    return Editions(
        scorecard=_edition("scorecard", read_scorecard(Reader(draw(cards()), file="card"))),
        villages=_edition("villages", Register({WANGTAN: village}, synthetic=False, statement="")),
        policy=_edition("policy", read_policy(Reader(policy, file="policy"), head)),
        rates=_edition("rates", Rates((Quote(date(2019, 8, 20), 300, 350),))),
    )


def with_village(given: Editions, **changes: Any) -> Editions:
    """The same editions, the village changed."""
    register = given.villages.content
    village = replace(register.villages[WANGTAN], **changes)
    return replace(
        given,
        villages=replace(given.villages, content=replace(register, villages={WANGTAN: village})),
    )


def with_base_points(given: Editions, more: int) -> Editions:
    """The same editions, every score moved by so many points."""
    card = given.scorecard.content
    moved = replace(card, base_points=card.base_points + more)
    return replace(given, scorecard=replace(given.scorecard, content=moved))


funds = st.builds(
    Fund,
    capital_yuan=whole(0, 2_000_000),
    guaranteed_yuan=whole(0, 20_000_000),
    applicant_guaranteed_yuan=whole(0, 200_000),
    compensation_rate_bp=whole(0, 800),
)
exposures = st.builds(
    Exposure,
    policy_loans=whole(0, 4),
    policy_loan_overdue=st.booleans(),
    outstanding_yuan=whole(0, 400_000),
    fund=maybe(funds),
)
