"""County: the synthetic county in figures. Every effect, rate and size, with its reason.

No real applicant stands behind any of it. The figures are design choices, not estimates, except
where a comment names an anchor. `synthetic` turns them into applicants.

Scales:
    effect     on ln(bad / good), before `County.strength`; positive is riskier
    share      0 to 1
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

# --- time ---------------------------------------------------------------------------------------

FIRST_DAY = date(2023, 7, 1)  # of the data window
WINDOW_MONTHS = 36
MATURITY_MONTHS = 18  # farm loans repay once a year after harvest (DOMAIN 5, windows [E])
RULE_CHANGE_MONTH = 18  # when the old acceptance rule was eased
SHOCK_FIRST_MONTH, SHOCK_LAST_MONTH = 20, 26  # a wet year for whoever plants or breeds
FARM_PURPOSES = ("planting", "breeding", "aquaculture")
FARM_GROUPS = ("farmer_founder", "ex_fisher")

# --- effects of words ---------------------------------------------------------------------------

GROUP_EFFECTS = {
    "graduate": -0.10, "returning_migrant": 0.0, "veteran": -0.25, "ex_fisher": 0.10,
    "employment_difficulty": 0.25, "farmer_founder": 0.05, "none": 0.0,
}  # fmt: skip
ENTITY_EFFECTS = {
    "household": 0.15, "sole_trader": 0.05, "micro_enterprise": 0.0, "family_farm": -0.05,
    "cooperative": -0.10, "village_collective": -0.30,
}  # fmt: skip
PURPOSE_EFFECTS = {
    "working_capital": 0.0, "equipment": -0.10, "planting": 0.10, "breeding": 0.15,
    "aquaculture": 0.20, "online_stock": 0.10, "renovation": -0.05,
}  # fmt: skip
EDUCATION_EFFECTS = {
    "primary": 0.30, "junior": 0.12, "senior": 0.0, "technical_college": -0.15,
    "university": -0.25,
}  # fmt: skip
# Nearly useless on purpose: a grade given by the lender is not a PD (DOMAIN 0, point 2).
GRADE_EFFECTS = {"AAA": -0.12, "AA": -0.06, "A": 0.0, "B": 0.10, "C": 0.20, "": 0.03}
GRADE_SHARES = {"AAA": 0.05, "AA": 0.22, "A": 0.38, "B": 0.10, "C": 0.02, "": 0.23}  # "": unrated

# Shares in the order of the effects above; farmers farm, graduates have studied.
ENTITY_SHARES = (0.18, 0.45, 0.30, 0.03, 0.02, 0.02)
ENTITY_SHARES_OF_FARMERS = (0.35, 0.10, 0.05, 0.35, 0.12, 0.03)
PURPOSE_SHARES = (0.45, 0.22, 0.04, 0.02, 0.02, 0.15, 0.10)
PURPOSE_SHARES_OF_FARMERS = (0.15, 0.12, 0.33, 0.15, 0.20, 0.03, 0.02)
EDUCATION_SHARES = (0.15, 0.42, 0.25, 0.13, 0.05)
EDUCATION_SHARES_OF_GRADUATES = (0, 0, 0, 0.45, 0.55)

# --- effects of numbers -------------------------------------------------------------------------

INCOME_LN_CENTRE, INCOME_EFFECT = 11.2, -0.25  # e^11.2 is 73,000 yuan a household and year
DEBT_SERVICE_EFFECT = 1.3  # all income into debt service
DEPENDANT_EFFECT, MOST_DEPENDANTS_THAT_TELL = 0.06, 4
TRAINING_EFFECT, MOST_TRAINING_THAT_TELLS = -0.15, 3  # a fourth certificate adds nothing
CRAFTSMAN_EFFECT, CONTEST_EFFECT = -0.10, -0.15  # per level
PARK_EFFECT, PARK_SCALE_MONTHS = -0.40, 18  # most of the help comes in the first year and a half
YOUNG_BUSINESS_EFFECT, YOUNG_BUSINESS_SCALE_MONTHS = 0.90, 18
EMPLOYEES_EFFECT = -0.20  # per unit of ln(1 + employees)
REVENUE_LN_CENTRE, REVENUE_EFFECT = 12.5, -0.18  # e^12.5 is 268,000 yuan a year
# Some online revenue helps, best around a third; all of it online is worse.
ONLINE_EFFECT, ONLINE_BEST_PERCENT, ONLINE_BEND = -0.30, 35, 0.25
INSURANCE_EFFECT = -0.65  # all 24 months paid
ARREARS_EFFECT, ARREARS_SCALE_DAYS = 1.5, 20
ACTIVE_LOAN_EFFECT, MOST_ACTIVE_LOANS_THAT_TELL = 0.08, 6
UNSECURED_EFFECT, UNSECURED_SCALE_YUAN = 0.35, 60_000
ENQUIRY_EFFECT, MOST_ENQUIRIES_THAT_TELL = 0.14, 8
HISTORY_EFFECT, HISTORY_SCALE_MONTHS = -0.50, 60
UTILISATION_EFFECT, UTILISATION_KNEE = 0.80, 0.4  # harmless up to 40 percent
GUARANTEE_EFFECT, GUARANTEE_SCALE_YUAN = 0.35, 80_000
LOAN_TO_REVENUE_EFFECT = 0.50
TERM_EFFECT_PER_MONTH, TERM_CENTRE_MONTHS = 0.012, 12

# --- three weak interactions, which an additive card cannot hold ---------------------------------

ARREARS_AND_FULL_CARD_EFFECT, FULL_CARD = 0.40, 0.7
FISHER_IN_AQUACULTURE_EFFECT = 0.35  # a former fisher who borrows for aquaculture
YOUNG_AND_STRETCHED_EFFECT, YOUNG_MONTHS, STRETCHED = 0.35, 12, 0.6  # loan in revenue over 0.6

# --- villages -----------------------------------------------------------------------------------

PILOT_TOWNS = ("340521102000", "340521105000")  # 乌溪 7 + 护河 5 villages = 12 (DOMAIN 2.1)
RATING_NOISE = 0.7  # the rating sees a village's quality with this much error (sd; quality has 1)
RATING_CUTS = {"AAA": 1.4, "AA": 0.6, "A": -0.6, "B": float("-inf")}  # best first
RATING_MEANS = {"AAA": -0.30, "AA": -0.15, "A": 0.0, "B": 0.25}  # effect on ln(bad / good)
RATING_SPREADS = {"AAA": 0.20, "AA": 0.25, "A": 0.30, "B": 0.35}  # sd inside the rating
ASSESSED_FROM_MONTH, ASSESSED_TO_MONTH = 6, 60  # others than the pilots; past 36 is "not yet"
VILLAGE_SIZE_SHAPE = 1.2  # gamma: a few large villages, many small ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Who asks for a product, and for how much. Shares of a mapping sum to 1."""

    groups: Mapping[str, float]
    craftsmen: float = 0.10  # share with a craftsman's title
    contest_winners: float = 0.06  # share; graduates win CONTEST_GRADUATE_EXTRA more
    in_park: float = 0.08  # share; graduates PARK_GRADUATE_EXTRA more
    in_talent_plan: float = 0.0  # share; for the policy alone, without effect
    sells_online: float = 0.20  # share at the start of the window; grows
    stocks_online: float = 0.15  # share of non-farmers who borrow for online stock
    loan_ln_median: float = 11.5  # e^11.5 is 99,000 yuan
    loan_yuan_most: int = 3_000_000
    terms: Mapping[int, float] = field(
        default_factory=lambda: {6: 0.08, 12: 0.50, 24: 0.25, 36: 0.17}
    )


# Design choices, none of them measured: each product draws the people it is meant for.
MIXES: Mapping[str, Mix] = {
    "credit_loan": Mix(
        groups={
            "graduate": 0.12, "returning_migrant": 0.26, "veteran": 0.07, "ex_fisher": 0.05,
            "employment_difficulty": 0.10, "farmer_founder": 0.22, "none": 0.18,
        },
    ),
    # Talent credentials are common, businesses are young, loans are large (DOMAIN 9: up to 5 m).
    "talent_loan": Mix(
        groups={
            "graduate": 0.46, "returning_migrant": 0.20, "veteran": 0.10, "ex_fisher": 0.01,
            "employment_difficulty": 0.02, "farmer_founder": 0.06, "none": 0.15,
        },
        craftsmen=0.32, contest_winners=0.22, in_park=0.22, in_talent_plan=0.10,
        loan_ln_median=12.3, loan_yuan_most=5_000_000,
        terms={12: 0.30, 24: 0.30, 36: 0.40},
    ),
    # The priority groups of the start-up track; small loans (DOMAIN 9: individuals up to 500,000).
    "fast_loan": Mix(
        groups={
            "graduate": 0.20, "returning_migrant": 0.26, "veteran": 0.11, "ex_fisher": 0.08,
            "employment_difficulty": 0.22, "farmer_founder": 0.10, "none": 0.03,
        },
        loan_ln_median=11.0, loan_yuan_most=500_000,
        terms={12: 0.35, 24: 0.65},
    ),
    # Online merchants, at most 12 months and 200,000 yuan (DOMAIN 9).
    "online_loan": Mix(
        groups={
            "graduate": 0.18, "returning_migrant": 0.24, "veteran": 0.06, "ex_fisher": 0.02,
            "employment_difficulty": 0.06, "farmer_founder": 0.12, "none": 0.32,
        },
        sells_online=0.70, stocks_online=0.40, loan_ln_median=10.8, loan_yuan_most=200_000,
        terms={6: 0.25, 12: 0.75},
    ),
}  # fmt: skip
CONTEST_GRADUATE_EXTRA, PARK_GRADUATE_EXTRA = 0.06, 0.20


@dataclass(frozen=True, slots=True, kw_only=True)
class County:
    """What may be turned. The defaults give the oracle figures of the model cards."""

    base: float = -3.95  # ln(bad / good) of a plain applicant: 5.4 percent of all turn bad
    trend: float = 0.20  # over the whole window
    strength: float = 1.35  # of all effects together: sets the best AUC there can be
    centre: float = 0.2  # taken off the sum of effects, so that `base` means a plain applicant
    shock: float = 0.5  # effect on farm purposes in the shock months
    frailty: float = 0.5  # sd of what nobody can see
    accepted_at_random: float = 0.05  # one in twenty, whatever the old rule said
    hides: bool = True  # whether values go missing
    village_seed: int = 7  # villages stay the same when applicants are drawn anew


DEFAULT_COUNTY = County()
