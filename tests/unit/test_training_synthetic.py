"""The synthetic county is what its figures say, and its truth stays apart."""

import numpy as np
import pandas as pd
import pytest

from loansvc.application import BARRED_PURPOSES, CATALOGUE, MODEL_CHARACTERISTICS
from loansvc.training.county import MIXES, PILOT_TOWNS, County
from loansvc.training.divisions import divisions
from loansvc.training.synthetic import Population, generate, villages
from loansvc.training.validation import auc

N = 200_000
AUC_NOISE = 0.006  # two standard errors at 10,900 bad cases


@pytest.fixture(scope="module")
def people() -> Population:
    return generate(N, seed=1)


def oracle_auc(people: Population, log_odds_bad: pd.Series) -> float:
    return auc(-log_odds_bad.to_numpy(), people.truth["is_bad"].to_numpy())


def test_bad_rates_are_those_of_the_county(people: Population) -> None:
    """5.4 percent of all, 3.9 of the accepted, two thirds accepted."""
    truth = people.truth
    assert truth["is_bad"].mean() == pytest.approx(0.054, abs=0.003)
    assert truth.query("accepted")["is_bad"].mean() == pytest.approx(0.039, abs=0.003)
    assert truth["accepted"].mean() == pytest.approx(0.668, abs=0.01)


def test_oracle_reaches_what_the_county_allows(people: Population) -> None:
    """0.814 with the true village effect, 0.806 with the rating, 0.804 without."""
    truth, rating = people.truth, people.frame["village_rating"]
    shown = truth.groupby(rating)["village_effect"].transform("mean")
    log_odds_bad = truth["log_odds_bad"]
    with_village = oracle_auc(people, log_odds_bad + truth["village_effect"])
    with_rating = oracle_auc(people, log_odds_bad + shown)
    alone = oracle_auc(people, log_odds_bad)
    assert with_village == pytest.approx(0.814, abs=AUC_NOISE)
    assert with_rating == pytest.approx(0.806, abs=AUC_NOISE)
    assert alone == pytest.approx(0.804, abs=AUC_NOISE)
    assert with_village > with_rating > alone


def test_frame_holds_every_model_characteristic_in_the_catalogue_s_range(
    people: Population,
) -> None:
    """Whole numbers within bounds, or words of the catalogue; barred purposes never."""
    for name in MODEL_CHARACTERISTICS:
        row, known = CATALOGUE[name], people.frame[name].dropna()
        if row.words:
            assert set(known) <= set(row.words) - set(BARRED_PURPOSES)
        else:
            assert (known % 1 == 0).all()
            assert row.low is not None
            assert row.high is not None
            assert known.between(row.low, row.high).all()


def test_truth_is_not_in_the_frame(people: Population) -> None:
    """An analyst cannot see it by accident."""
    assert not set(people.truth) & set(people.frame)


@pytest.mark.parametrize("product", MIXES)
def test_same_seed_gives_the_same_people(product: str) -> None:
    """And another seed gives others."""
    one, two, other = (generate(300, seed=s, product=product) for s in (5, 5, 6))
    pd.testing.assert_frame_equal(one.frame, two.frame)
    pd.testing.assert_frame_equal(one.truth, two.truth)
    assert not one.frame.equals(other.frame)


@pytest.mark.parametrize("product", MIXES)
def test_shares_of_a_mix_sum_to_one(product: str) -> None:
    """Groups and terms are complete."""
    mix = MIXES[product]
    assert sum(mix.groups.values()) == pytest.approx(1)
    assert sum(mix.terms.values()) == pytest.approx(1)


def test_ratio_is_unknown_where_its_denominator_is(people: Population) -> None:
    """The service could not compute it either."""
    frame = people.frame
    assert frame.loc[frame["revenue_12m_yuan"].isna(), "loan_to_revenue_percent"].isna().all()
    assert frame.loc[frame["revenue_12m_yuan"].isna(), "online_revenue_percent"].isna().all()
    no_income = frame["household_income_12m_yuan"].isna()
    assert frame.loc[no_income, "household_debt_service_percent"].isna().all()


def test_without_a_credit_report_none_of_its_figures_is_known(people: Population) -> None:
    """It is there as a whole, but for the card that nearly half do not have."""
    frame = people.frame
    without = frame["active_loans"].isna()
    assert frame.loc[without, ["enquiries_6m", "max_days_past_due_24m"]].isna().all(axis=None)
    assert frame.loc[~without, ["enquiries_6m", "max_days_past_due_24m"]].notna().all(axis=None)


def test_missing_values_can_be_switched_off() -> None:
    """All but the grade of a household that was never rated."""
    frame = generate(500, seed=1, county=County(hides=False)).frame
    assert frame.drop(columns="household_grade").notna().all(axis=None)


def test_sex_has_no_effect(people: Population) -> None:
    """The one turns bad as often as the other."""
    rates = people.truth.groupby(people.frame["sex"])["is_bad"].mean()
    assert abs(rates[0] - rates[1]) < 4 * np.sqrt(0.054 / (N / 2))


def test_twelve_pilot_villages_are_rated_first() -> None:
    """The villagers' committees of two towns (DOMAIN 2)."""
    table = villages()
    first = table.loc[table["first_month"] == 0, "code"]
    assert len(first) == 12
    assert {d.town_code for d in divisions() if d.code in set(first)} == set(PILOT_TOWNS)


def test_villages_are_the_county_s_and_do_not_change_with_the_applicants() -> None:
    """154 real codes, no virtual community; their effects hang on the county's seed alone."""
    assert len(villages()) == 154
    assert not villages()["code"].str.endswith("498").any()
    assert villages()["size"].sum() == pytest.approx(1)
    pd.testing.assert_frame_equal(villages(), villages(County(base=-3.0)))
