"""Synthetic: applicants of the synthetic county. No real person or village record is in it.

`generate` gives a `Population`: `frame` is what an analyst would get (the characteristics under
the application's own names, and a few columns for the policy), `truth` is what only the generator
knows, for everybody, also for those the old rule turned away:

    log_odds_bad    ln(bad / good) from the characteristics alone
    village_effect  what the village adds to it
    is_bad          defaulted within 12 months of the first draw
    accepted        whether the old rule lent; only then does an analyst know the outcome
    matured         whether the loan is old enough for its outcome to count

    ln(bad / good) = base + trend + strength x (effects + three interactions + shock)
                     + village effect + frailty
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from loansvc.application import BUSINESS_PURPOSES, EDUCATIONS, MODEL_CHARACTERISTICS, percent
from loansvc.training import county as c
from loansvc.training.county import DEFAULT_COUNTY, MIXES, County, Mix
from loansvc.training.divisions import divisions

REPORTED = (
    "max_days_past_due_24m", "active_loans", "unsecured_outstanding_yuan", "enquiries_6m",
    "months_since_first_credit", "card_utilisation_percent", "guarantees_given_yuan",
)  # fmt: skip
# Beside the characteristics: for the policy, for the village register, and to test that swapping
# sex or age changes nothing. Neither sex nor age has an effect of its own.
OTHER_COLUMNS = (
    "amount_yuan", "talent_plan_level", "village_code", "village_rating", "application_month",
    "sex", "age_years",
)  # fmt: skip

WINDOW = range(c.WINDOW_MONTHS)

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Population:
    """What an analyst would get, and the truth apart; the rows are the same people."""

    frame: pd.DataFrame
    truth: pd.DataFrame

    def take(self, rows: NDArray[Any]) -> Population:
        """These rows, by mask or by position, numbered anew."""
        return Population(
            self.frame.loc[rows].reset_index(drop=True), self.truth.loc[rows].reset_index(drop=True)
        )

    def with_known_outcome(self) -> Population:
        """Accepted by the old rule, and matured: all an analyst can train on."""
        return self.take((self.truth["accepted"] & self.truth["matured"]).to_numpy())


def generate(
    n_applicants: int, *, seed: int, product: str = "credit_loan",
    county: County = DEFAULT_COUNTY, mix: Mix | None = None, months: range = WINDOW,
) -> Population:  # fmt: skip
    """Applicants of one product, drawn with this seed; the villages depend on the county alone.

    `mix`: who asks, else as usual for the product. `months`: those of the window they ask in.

    >>> people = generate(100, seed=1)
    >>> people.frame.shape, people.truth.shape
    ((100, 33), (100, 5))
    """
    rng = np.random.default_rng(seed)
    mix, places = mix or MIXES[product], villages(county)
    month = rng.integers(months.start, months.stop, n_applicants)
    home = rng.choice(len(places), n_applicants, p=places["size"].to_numpy())
    x = _person(month, mix, rng)
    ability = rng.normal(
        size=n_applicants
    )  # unseen: ties revenue, insurance and behaviour together
    x |= _household(ability, rng)
    x |= _distinctions(x, month, mix, rng)
    x |= _business(x, ability, month, mix, rng)
    x |= _credit(x, ability, rng)
    x |= _loan(x, ability, mix, rng)
    log_odds_bad = _log_odds_bad(x, month, county)
    village_effect = places["effect"].to_numpy()[home]
    truth = {
        "log_odds_bad": log_odds_bad,
        "village_effect": village_effect,
        "is_bad": rng.random(n_applicants)
        < _share(log_odds_bad + village_effect + county.frailty * rng.normal(size=n_applicants)),
        "accepted": _accepted(x, month, county, rng),
        "matured": month < c.WINDOW_MONTHS - c.MATURITY_MONTHS,
    }
    x |= _place_and_time(places, home, month)
    shown = _hide(x, rng) if county.hides else x
    order = [*MODEL_CHARACTERISTICS, *OTHER_COLUMNS]
    return Population(pd.DataFrame({k: shown[k] for k in order}), pd.DataFrame(truth))


def villages(county: County = DEFAULT_COUNTY) -> pd.DataFrame:
    """The villages in order of code: rating, effect, month of first assessment, share of people.

    The rating sees the latent quality with error; the effect follows the rating with a spread.
    """
    rng = np.random.default_rng(county.village_seed)
    units = divisions()
    seen = rng.normal(size=len(units)) + c.RATING_NOISE * rng.normal(size=len(units))
    rating = [next(r for r, cut in c.RATING_CUTS.items() if quality > cut) for quality in seen]
    spread = _look(c.RATING_SPREADS, rating) * rng.normal(size=len(units))
    later = rng.integers(c.ASSESSED_FROM_MONTH, c.ASSESSED_TO_MONTH, len(units))
    size = rng.gamma(c.VILLAGE_SIZE_SHAPE, 1.0, len(units))
    pilot = [d.town_code in c.PILOT_TOWNS and d.kind == "village" for d in units]
    return pd.DataFrame(
        {
            "code": [d.code for d in units],
            "rating": rating,
            "effect": _look(c.RATING_MEANS, rating) + spread,
            "first_month": np.where(pilot, 0, later),
            "size": size / size.sum(),
        }
    )


# --- drawing ------------------------------------------------------------------------------------


def _share(log_odds: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def _look(table: Mapping[str, float], keys: Sequence[str] | NDArray[Any]) -> NDArray[Any]:
    return np.array([table[k] for k in keys])


def _pick(words: Sequence[Any], shares: Any, rng: Generator, n: int) -> NDArray[Any]:
    """One word a row; `shares` is one row of shares for all, or one row each."""
    bounds = np.cumsum(np.broadcast_to(shares, (n, len(words))), axis=1)
    index = (bounds < rng.random((n, 1))).sum(axis=1)
    picked: NDArray[Any] = np.array(words, dtype=object)[np.minimum(index, len(words) - 1)]
    return picked


def _person(month: NDArray[Any], mix: Mix, rng: Generator) -> Columns:
    """Who asks, in what form of business, for what. Farmers farm; graduates have studied."""
    n = len(month)
    group = _pick(list(mix.groups), list(mix.groups.values()), rng, n)
    farms, graduate = np.isin(group, c.FARM_GROUPS)[:, None], (group == "graduate")[:, None]
    # Whoever stocks an online shop would otherwise borrow for working capital.
    more_stock = mix.stocks_online - c.PURPOSE_SHARES[5]
    purposes = np.array(c.PURPOSE_SHARES) + more_stock * np.array([-1, 0, 0, 0, 0, 1, 0])
    entity = np.where(farms, c.ENTITY_SHARES_OF_FARMERS, c.ENTITY_SHARES)
    purpose = np.where(farms, c.PURPOSE_SHARES_OF_FARMERS, purposes)
    education = np.where(graduate, c.EDUCATION_SHARES_OF_GRADUATES, c.EDUCATION_SHARES)
    return {
        "primary_group": group,
        "entity": _pick(list(c.ENTITY_EFFECTS), entity, rng, n),
        "purpose": _pick(BUSINESS_PURPOSES, purpose, rng, n),
        "education": _pick(EDUCATIONS, education, rng, n),
        "household_grade": _pick(list(c.GRADE_SHARES), list(c.GRADE_SHARES.values()), rng, n),
        "sex": rng.integers(0, 2, n),
        "age_years": np.where(graduate[:, 0], rng.normal(26, 3, n), rng.normal(42, 9, n))
        .clip(18, 65)
        .round(),
    }


def _household(ability: NDArray[Any], rng: Generator) -> Columns:
    n = len(ability)
    income = np.exp(c.INCOME_LN_CENTRE + 0.25 * ability + 0.45 * rng.normal(size=n))
    return {
        "household_income_12m_yuan": income.round(-2),
        "household_debt_service_percent": (100 * rng.beta(1.2, 5, n)).round(),
        "dependants": rng.poisson(1.4, n).clip(0, 6),
    }


def _distinctions(x: Columns, month: NDArray[Any], mix: Mix, rng: Generator) -> Columns:
    """Certificates, titles, awards and park places; certificates become more common."""
    n, graduate = len(month), x["primary_group"] == "graduate"
    in_difficulty = x["primary_group"] == "employment_difficulty"
    certificates = rng.poisson(0.5 + 0.6 * month / c.WINDOW_MONTHS + 0.5 * in_difficulty)
    wins = rng.random(n) < mix.contest_winners + c.CONTEST_GRADUATE_EXTRA * graduate
    contest_level = _pick([1, 2, 3, 4], [0.6, 0.27, 0.1, 0.03], rng, n).astype(int)
    stays = rng.random(n) < mix.in_park + c.PARK_GRADUATE_EXTRA * graduate
    return {
        "training_certificates": certificates.clip(0, 6),
        "craftsman_level": np.where(rng.random(n) < mix.craftsmen, rng.integers(1, 5, n), 0),
        "contest_award_level": np.where(wins, contest_level, 0),
        "park_months": np.where(stays, rng.gamma(2, 8, n), 0).clip(0, 60).round(),
        "talent_plan_level": np.where(
            rng.random(n) < mix.in_talent_plan, rng.integers(1, 5, n), 0
        ),
    }  # fmt: skip


def _business(
    x: Columns, ability: NDArray[Any], month: NDArray[Any], mix: Mix, rng: Generator
) -> Columns:
    """Revenue grows with age, staff and ability; selling online becomes more common."""
    n, farms = len(month), np.isin(x["primary_group"], c.FARM_GROUPS)
    age = rng.gamma(1.4, 26, n).clip(0, 240).round()
    employees = rng.negative_binomial(1.0, 0.25, n).clip(0, 120)
    revenue = np.exp(
        12.0 + 0.008 * age + 0.30 * np.log1p(employees) + 0.35 * ability + 0.6 * rng.normal(size=n)
    ).clip(1e4, 5e7)
    online_share = (
        mix.sells_online + 0.20 * month / c.WINDOW_MONTHS + 0.3 * (x["purpose"] == "online_stock")
    )
    sells_online = rng.random(n) < online_share
    uninsured = rng.random(n) < np.where(farms, 0.45, 0.15)
    return {
        "business_age_months": age,
        "employees": employees,
        "revenue_12m_yuan": revenue.round(-3),
        "online_revenue_percent": np.where(sells_online, 100 * rng.beta(1.3, 2.2, n), 0).round(),
        "social_insurance_months_24m": np.where(
            uninsured, 0, rng.binomial(24, _share(1.2 + 0.5 * ability))
        ),
    }


def _credit(x: Columns, ability: NDArray[Any], rng: Generator) -> Columns:
    """What the credit report would say: arrears bring enquiries and full cards."""
    n, graduate = len(ability), x["primary_group"] == "graduate"
    income = x["household_income_12m_yuan"]
    loans = rng.poisson(0.9, n).clip(0, 12)
    in_arrears = rng.random(n) < _share(-2.3 - 0.4 * ability + 0.25 * loans)
    arrears = np.where(in_arrears, np.exp(rng.normal(2.3, 1.0, n)), 0).clip(0, 180).round()
    late = arrears > 0
    history = np.where(graduate, rng.gamma(2, 12, n), rng.gamma(2.2, 34, n))
    unsecured = np.where(loans > 0, income * rng.lognormal(-1.8, 1.0, n), 0)
    guarantees = np.where(rng.random(n) < 0.08, income * rng.lognormal(-0.7, 0.8, n), 0)
    return {
        "max_days_past_due_24m": arrears,
        "active_loans": loans,
        "unsecured_outstanding_yuan": unsecured.round(-2),
        "enquiries_6m": rng.poisson(0.9 + 0.5 * loans + 1.5 * late).clip(0, 25),
        "months_since_first_credit": history.clip(0, 360).round(),
        "card_utilisation_percent": (100 * rng.beta(1.1 + 0.6 * late, 2.0, n)).round(),
        "guarantees_given_yuan": guarantees.round(-3),
    }


def _loan(x: Columns, ability: NDArray[Any], mix: Mix, rng: Generator) -> Columns:
    n = len(ability)
    amount = np.exp(mix.loan_ln_median + 0.25 * ability + 0.6 * rng.normal(size=n))
    amount = amount.clip(1e4, mix.loan_yuan_most).round(-3)
    pairs = zip(
        amount.astype(int).tolist(), x["revenue_12m_yuan"].astype(int).tolist(), strict=True
    )
    return {
        "amount_yuan": amount,
        # The serving code's own rounding: an applicant must look the same in both places.
        "loan_to_revenue_percent": np.array([percent(part, whole) for part, whole in pairs]),
        "term_months": _pick(list(mix.terms), list(mix.terms.values()), rng, n).astype(int),
    }


def _place_and_time(places: pd.DataFrame, home: NDArray[Any], month: NDArray[Any]) -> Columns:
    rated = places["first_month"].to_numpy()[home] <= month
    return {
        "village_code": places["code"].to_numpy()[home],
        "village_rating": np.where(rated, places["rating"].to_numpy()[home], "unrated"),
        "application_month": month,
    }


# --- the truth ----------------------------------------------------------------------------------


def _log_odds_bad(x: Columns, month: NDArray[Any], county: County) -> NDArray[Any]:
    shocked = (month >= c.SHOCK_FIRST_MONTH) & (month <= c.SHOCK_LAST_MONTH)
    effects = (
        _effects_of_words(x)
        + _effects_of_household_and_business(x)
        + _effects_of_credit(x)
        + _interactions(x)
        + county.shock * (shocked & np.isin(x["purpose"], c.FARM_PURPOSES))
    )
    trend = county.trend * month / c.WINDOW_MONTHS
    return np.asarray(county.base + trend + county.strength * (effects - county.centre))


def _effects_of_words(x: Columns) -> NDArray[Any]:
    tables = {
        "primary_group": c.GROUP_EFFECTS, "entity": c.ENTITY_EFFECTS, "purpose": c.PURPOSE_EFFECTS,
        "education": c.EDUCATION_EFFECTS, "household_grade": c.GRADE_EFFECTS,
    }  # fmt: skip
    return np.asarray(np.sum([_look(table, x[name]) for name, table in tables.items()], axis=0))


def _effects_of_household_and_business(x: Columns) -> NDArray[Any]:
    online = x["online_revenue_percent"]
    bend = c.ONLINE_BEND * ((online - c.ONLINE_BEST_PERCENT) / c.ONLINE_BEST_PERCENT) ** 2
    young = np.exp(-x["business_age_months"] / c.YOUNG_BUSINESS_SCALE_MONTHS)
    return np.asarray(
        c.INCOME_EFFECT * (np.log(x["household_income_12m_yuan"]) - c.INCOME_LN_CENTRE)
        + c.DEBT_SERVICE_EFFECT * x["household_debt_service_percent"] / 100
        + c.DEPENDANT_EFFECT * np.minimum(x["dependants"], c.MOST_DEPENDANTS_THAT_TELL)
        + c.TRAINING_EFFECT * np.minimum(x["training_certificates"], c.MOST_TRAINING_THAT_TELLS)
        + c.CRAFTSMAN_EFFECT * x["craftsman_level"]
        + c.CONTEST_EFFECT * x["contest_award_level"]
        + c.PARK_EFFECT * np.tanh(x["park_months"] / c.PARK_SCALE_MONTHS)
        + c.YOUNG_BUSINESS_EFFECT * young
        + c.EMPLOYEES_EFFECT * np.log1p(x["employees"])
        + c.REVENUE_EFFECT * (np.log(x["revenue_12m_yuan"]) - c.REVENUE_LN_CENTRE)
        + (online > 0) * (c.ONLINE_EFFECT + bend)
        + c.INSURANCE_EFFECT * x["social_insurance_months_24m"] / 24
    )


def _effects_of_credit(x: Columns) -> NDArray[Any]:
    used = x["card_utilisation_percent"] / 100 - c.UTILISATION_KNEE
    history = x["months_since_first_credit"] / c.HISTORY_SCALE_MONTHS
    return np.asarray(
        c.ARREARS_EFFECT * (1 - np.exp(-x["max_days_past_due_24m"] / c.ARREARS_SCALE_DAYS))
        + c.ACTIVE_LOAN_EFFECT * np.minimum(x["active_loans"], c.MOST_ACTIVE_LOANS_THAT_TELL)
        + c.UNSECURED_EFFECT * np.tanh(x["unsecured_outstanding_yuan"] / c.UNSECURED_SCALE_YUAN)
        + c.ENQUIRY_EFFECT * np.minimum(x["enquiries_6m"], c.MOST_ENQUIRIES_THAT_TELL)
        + c.HISTORY_EFFECT * np.tanh(history)
        + c.UTILISATION_EFFECT * np.maximum(used, 0) / (1 - c.UTILISATION_KNEE)
        + c.GUARANTEE_EFFECT * np.tanh(x["guarantees_given_yuan"] / c.GUARANTEE_SCALE_YUAN)
        + c.LOAN_TO_REVENUE_EFFECT * np.tanh(x["loan_to_revenue_percent"] / 100)
        + c.TERM_EFFECT_PER_MONTH * (x["term_months"] - c.TERM_CENTRE_MONTHS)
    )


def _interactions(x: Columns) -> NDArray[Any]:
    late = x["max_days_past_due_24m"] > 0
    full = x["card_utilisation_percent"] / 100 > c.FULL_CARD
    fisher = (x["primary_group"] == "ex_fisher") & (x["purpose"] == "aquaculture")
    young = x["business_age_months"] < c.YOUNG_MONTHS
    stretched = x["loan_to_revenue_percent"] / 100 > c.STRETCHED
    return np.asarray(
        c.ARREARS_AND_FULL_CARD_EFFECT * (late & full)
        + c.FISHER_IN_AQUACULTURE_EFFECT * fisher
        + c.YOUNG_AND_STRETCHED_EFFECT * (young & stretched)
    )


def _accepted(x: Columns, month: NDArray[Any], county: County, rng: Generator) -> NDArray[Any]:
    """The old rule: arrears, debts, young businesses; some of the others by chance."""
    n = len(month)
    index = (
        0.03 * x["max_days_past_due_24m"]
        + 0.4 * x["active_loans"]
        + 1.2 * x["card_utilisation_percent"] / 100
        - 0.008 * x["business_age_months"]
        + 0.5 * rng.normal(size=n)
    )
    share = np.where(month < c.RULE_CHANGE_MONTH, *np.quantile(index, [0.60, 0.70]))
    return np.asarray((index < share) | (rng.random(n) < county.accepted_at_random))


# --- what stays unknown --------------------------------------------------------------------------


def _hide(x: Columns, rng: Generator) -> Columns:
    """The columns with values missing for reasons that lie in the person.

    A ratio is unknown wherever its denominator is: the service could not compute it either.
    """
    n, shown = len(x["employees"]), dict(x)
    farms = np.isin(x["primary_group"], c.FARM_GROUPS)
    no_income = rng.random(n) < 0.06
    # Small businesses cannot state their revenue.
    log_revenue = np.log(x["revenue_12m_yuan"])
    no_revenue = rng.random(n) < _share(-2.6 - 0.8 * (log_revenue - c.REVENUE_LN_CENTRE))
    no_report = rng.random(n) < np.where(x["primary_group"] == "graduate", 0.12, 0.05)
    no_card = rng.random(n) < 0.45
    unknown = {
        "household_income_12m_yuan": no_income,
        "household_debt_service_percent": no_income,
        "revenue_12m_yuan": no_revenue,
        "loan_to_revenue_percent": no_revenue,
        "online_revenue_percent": no_revenue | (rng.random(n) < 0.05),
        "social_insurance_months_24m": rng.random(n) < np.where(farms, 0.30, 0.08),
    } | {name: no_report | (no_card & (name == "card_utilisation_percent")) for name in REPORTED}
    for name, mask in unknown.items():
        shown[name] = np.where(mask, np.nan, x[name])
    shown["household_grade"] = np.array([grade or None for grade in x["household_grade"]])
    return shown
