"""The village register: evidence that fits its ratings, and points that do not overreach."""

import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loansvc.editions import Reader, read_head
from loansvc.errors import EditionRefused, TableRefused
from loansvc.rates import read_rates
from loansvc.registry import read_document
from loansvc.standards import Standard, rate
from loansvc.training.rates import rates_document
from loansvc.training.register import (
    A_PLUS_SHARES,
    MOST_NPL,
    MOST_OVERDUE,
    fit_section,
    register_document,
)
from loansvc.training.villages import (
    LEAST_TAU,
    MOST_TAU,
    Arm,
    VillageEffects,
    _weight,
    effects_of,
    fit_villages,
)
from loansvc.villages import POINTS_CAP, Register
from loansvc.villages.document import read_register

MODELS = Path(__file__).parents[2] / "models"
STANDARD: Standard = read_document(MODELS / "standards" / "village_rating" / "2026-07-01.toml")[1]
FIRST_DAY = date(2026, 7, 1)
WANGTAN = "340521102200"


def loans(bad_by_village: dict[str, float], *, n: int, score: int = 580) -> pd.DataFrame:
    """So many loans a village, all with the same score, the given share of them bad."""
    parts = [
        pd.DataFrame(
            {
                "village_code": code,
                "score": score + np.arange(n) % 9 - 4,
                "is_bad": np.arange(n) < round(share * n),
            }
        )
        for code, share in bad_by_village.items()
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def effects() -> VillageEffects:
    rng = np.random.default_rng(4)
    shares = {f"3405211{i:05d}": float(rng.uniform(0.0, 0.09)) for i in range(40)}
    return effects_of(loans(shares | {WANGTAN: 0.0}, n=100))


@pytest.fixture(scope="module")
def document(effects: VillageEffects) -> dict[str, Any]:
    return register_document(effects, valid_from=FIRST_DAY, seed=1)


@pytest.fixture(scope="module")
def register(document: dict[str, Any]) -> Register:
    with Reader(document, file="villages.json") as reader:
        head = read_head(reader)
        return read_register(reader, valid_from=head.valid_from)


def test_good_record_adds_points_and_a_bad_one_takes_them() -> None:
    """In proportion to how far the village is to be believed."""
    fitted = effects_of(loans({"a": 0.0, "b": 0.04, "c": 0.08}, n=200)).by_code
    assert fitted["a"].points > 0 > fitted["c"].points
    assert abs(fitted["b"].points) <= 1


def test_few_loans_are_hardly_believed() -> None:
    """The same record, ten times the loans."""
    table = pd.concat(
        [loans({"few": 0.0, "x": 0.06}, n=30), loans({"many": 0.0, "y": 0.06}, n=300)]
    )
    fitted = effects_of(table).by_code
    assert fitted["few"].credibility < fitted["many"].credibility
    assert fitted["few"].points < fitted["many"].points


def test_county_s_own_distance_from_the_card_is_no_village_s_merit() -> None:
    """When all villages pay alike, none gets points, whatever the card expected."""
    fitted = effects_of(loans({"a": 0.04, "b": 0.04}, n=200, score=640))
    assert [e.points for e in fitted.by_code.values()] == [0, 0]


def test_points_are_capped() -> None:
    """Even for a village where everybody defaults."""
    fitted = effects_of(loans({"a": 0.9, **{f"v{i}": 0.03 for i in range(9)}}, n=500))
    assert fitted.by_code["a"].points == -POINTS_CAP


def test_spread_is_believed_only_inside_what_practice_knows(effects: VillageEffects) -> None:
    """Between-village spread is hard to see in few bad cases."""
    assert LEAST_TAU <= effects.tau <= MOST_TAU


def test_register_lists_every_unit_of_the_county(register: Register) -> None:
    """154, marked synthetic."""
    assert len(register.villages) == 154
    assert register.synthetic
    assert "synthetic" in register.statement


@pytest.mark.parametrize(
    ("on", "states"),
    [
        pytest.param(FIRST_DAY, {"grace": 1, "expired": 1}, id="on its first day"),
        pytest.param(date(2026, 11, 23), {"grace": 2, "expired": 2}, id="five months on"),
    ],
)
def test_register_has_a_village_in_every_standing(
    register: Register, on: date, states: dict[str, int]
) -> None:
    """Fresh, in grace, expired, revoked, never rated."""
    found = Counter(register.standing(code, on).state for code in register.villages)
    others = 154 - 3 - 1 - sum(states.values())
    assert found == {"unrated": 3, "revoked": 1, "rated": others, **states}


def test_wangtan_is_rated_as_the_examples_say(register: Register) -> None:
    """AA, assessed on 31 March 2026."""
    wangtan = register.villages[WANGTAN]
    assert (wangtan.name, wangtan.rating) == ("王潭村", "AA")
    assert wangtan.assessed_on == date(2026, 3, 31)


def test_evidence_fits_the_rating(register: Register) -> None:
    """A+ share at least, overdue share and bad balance at most what the rating allows."""
    for village in register.villages.values():
        if not village.evidence:
            continue
        e, rating = village.evidence, village.rating
        assert e["households_a_plus"] >= A_PLUS_SHARES[rating][0] * e["households_rated"]
        assert e["borrowers_overdue"] <= MOST_OVERDUE[rating] * e["borrowers"]
        assert e["npl_balance_yuan"] <= MOST_NPL[rating] * e["balance_yuan"]


def test_rating_is_the_one_the_standard_gives(register: Register) -> None:
    """No village is rated below what its evidence is good for."""
    for village in register.villages.values():
        assert rate(village.evidence, STANDARD).rating == village.rating


def test_unrated_village_has_no_points_and_no_evidence(register: Register) -> None:
    """Unknown, not bad: nothing of it is believed."""
    unrated = [v for v in register.villages.values() if v.rating == "unrated"]
    assert all(v.points == 0 and v.credibility_percent == 0 for v in unrated)
    assert not any(v.evidence or v.record for v in unrated)


def test_record_holds_the_loans_behind_the_points(register: Register) -> None:
    """None of the hundred went bad."""
    assert register.villages[WANGTAN].record == {"loans": 100, "loans_bad": 0}


def test_credibility_follows_from_record_and_k(effects: VillageEffects, register: Register) -> None:
    """Z = n / (n + K)."""
    wangtan = register.villages[WANGTAN]
    share = 100 / (100 + effects.prior_loans)
    assert wangtan.credibility_percent == pytest.approx(100 * share, abs=0.5)


def test_reference_states_the_estimate_and_what_became_of_it(
    effects: VillageEffects, document: dict[str, Any]
) -> None:
    """Spread used, spread estimated, K."""
    stated = f"tau {effects.tau:.2f} (estimated {effects.tau_estimated:.2f}, bounded to 0.2-0.3), "
    assert stated + f"K {effects.prior_loans} loans" in document["reference"]


def test_same_seed_gives_the_same_register(
    effects: VillageEffects, document: dict[str, Any]
) -> None:
    """So that it can be made again."""
    assert register_document(effects, valid_from=FIRST_DAY, seed=1) == document


# --- the test out of time -----------------------------------------------------------------------

N_VILLAGES = 40


def dated_loans(spread: float, *, seed: int, n: int = 6_000) -> pd.DataFrame:
    """Loans of 18 months with a known village effect of either sign in ln(bad / good)."""
    rng = np.random.default_rng(seed)
    village = rng.integers(0, N_VILLAGES, n)
    log_odds = rng.normal(2.5, 0.8, n)
    effect = spread * np.where(village % 2 == 0, 1, -1)
    return pd.DataFrame(
        {
            "village_code": [f"{v:012d}" for v in village],
            "log_odds": log_odds,
            "is_bad": rng.random(n) < 1 / (1 + np.exp(log_odds - effect)),
            "applied_on": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(rng.integers(0, 540, n), unit="D"),
        }
    )


@pytest.fixture(scope="module")
def spread_out() -> VillageEffects:
    return fit_villages(dated_loans(0.8, seed=1))


@pytest.fixture(scope="module")
def all_alike() -> VillageEffects:
    return fit_villages(dated_loans(0.0, seed=1))


def test_term_that_helps_later_loans_is_kept(spread_out: VillageEffects) -> None:
    """Where villages differ much, at full weight."""
    assert spread_out.trial is not None
    assert spread_out.trial.weight == 1.0
    assert spread_out.trial.arms[2].gain > spread_out.trial.arms[2].gain_error


def test_points_have_the_sign_of_the_planted_effect(spread_out: VillageEffects) -> None:
    """Even numbers were planted bad, odd ones good."""
    right = [
        e.points < 0 if int(code) % 2 == 0 else e.points > 0
        for code, e in spread_out.by_code.items()
    ]
    assert sum(right) >= 0.95 * N_VILLAGES


def test_term_that_does_not_help_is_dropped(all_alike: VillageEffects) -> None:
    """Where villages do not differ: no points, and no village is believed."""
    assert all_alike.trial is not None
    assert all_alike.trial.weight == 0.0
    assert {(e.points, e.credibility) for e in all_alike.by_code.values()} == {(0, 0.0)}


def test_no_spread_is_seldom_taken_for_one() -> None:
    """The rule asks for one standard error: by chance alone about one in six."""
    kept = [fit_villages(dated_loans(0.0, seed=s)).trial for s in range(20)]
    assert sum(trial is not None and trial.weight > 0 for trial in kept) <= 6


@pytest.mark.parametrize(
    ("gains", "weight"),
    [
        pytest.param(((0.002, 0.001), (0.003, 0.001)), 1.0, id="the greater gain"),
        pytest.param(((0.003, 0.001), (0.002, 0.001)), 0.5, id="half, where it gains more"),
        pytest.param(((0.002, 0.001), (0.003, 0.004)), 0.5, id="only above its error"),
        pytest.param(((0.001, 0.001), (0.001, 0.002)), 0.0, id="not at its error"),
        pytest.param(((-0.001, 0.0), (-0.002, 0.0)), 0.0, id="a loss"),
    ],
)
def test_weight_follows_the_rule(gains: Any, weight: float) -> None:
    arms = [
        Arm(f"{w}", w, 0.1, 0.7, gain=gain, gain_error=error)
        for w, (gain, error) in zip((0.5, 1.0), gains, strict=True)
    ]
    assert _weight((Arm("card alone", 0.0, 0.1, 0.7), *arms)) == weight


def test_later_loans_are_those_of_the_last_third_by_day(spread_out: VillageEffects) -> None:
    """No loan of a tested day is fitted on."""
    trial = spread_out.trial
    assert trial is not None
    assert trial.n_fitted + trial.n_tested == 6_000
    assert trial.n_tested == pytest.approx(2_000, abs=20)
    applied_on = dated_loans(0.8, seed=1)["applied_on"].dt.date
    assert trial.n_tested == (applied_on >= trial.tested_from).sum()


def test_order_of_the_rows_does_not_matter(spread_out: VillageEffects) -> None:
    shuffled = dated_loans(0.8, seed=1).sample(frac=1, random_state=3)
    again = fit_villages(shuffled)
    assert {c: e.points for c, e in again.by_code.items()} == {
        c: e.points for c, e in spread_out.by_code.items()
    }


def test_scores_and_log_odds_say_the_same(spread_out: VillageEffects) -> None:
    """A score is 28.85 points a unit of log-odds, 487.12 at even odds."""
    table = dated_loans(0.8, seed=1)
    table["score"] = 600 + (table.pop("log_odds") - np.log(50)) * 20 / np.log(2)
    again = fit_villages(table)
    assert {c: e.points for c, e in again.by_code.items()} == {
        c: e.points for c, e in spread_out.by_code.items()
    }


def test_ratings_are_shown_and_never_chosen() -> None:
    """With a prior, freely, and beside the village term."""
    table = dated_loans(0.8, seed=1)
    rating = np.where(table["village_code"].str[-1].astype(int) % 2 == 0, "B", "AAA")
    trial = fit_villages(table.assign(village_rating=rating)).trial
    assert trial is not None
    shown = [a for a in trial.arms if a.weight is None]
    assert len(shown) == 3
    assert all(a.gain > 0 for a in shown)
    assert trial.weight == 1.0


def test_too_few_bad_cases_leave_no_weight() -> None:
    """Nine bad loans tell nothing; nor do none."""
    for n_bad in (9, 0):
        table = dated_loans(0.0, seed=2, n=900)
        table["is_bad"] = np.arange(900) < n_bad
        fitted = fit_villages(table)
        assert fitted.trial is not None
        assert (fitted.trial.weight, fitted.trial.arms) == (0.0, ())
        assert all(e.points == 0 for e in fitted.by_code.values())
        assert "cannot be tested" in fit_section(fitted.trial)["en"]


def test_one_score_for_everybody_is_fitted() -> None:
    """Only the level can then be told."""
    table = dated_loans(0.8, seed=1).assign(log_odds=2.0)
    assert fit_villages(table).trial is not None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"applied_on": ...}, "Column applied_on is missing", id="no day"),
        pytest.param({"log_odds": ...}, "score (or log_odds)", id="no score"),
        pytest.param({"is_bad": None}, "Column is_bad, row 1: is empty", id="no outcome"),
        pytest.param({"is_bad": 2}, "Column is_bad: must be", id="neither good nor bad"),
        pytest.param({"village_code": 3.4e11}, "Read it as text", id="codes as decimals"),
        pytest.param({"log_odds": np.inf}, "Column log_odds: must be finite", id="infinite"),
        pytest.param({"applied_on": "soon"}, "Write days as", id="no date"),
    ],
)
def test_table_that_cannot_be_fitted_is_refused(change: dict[str, Any], says: str) -> None:
    table = dated_loans(0.0, seed=1, n=50)
    for column, value in change.items():
        table = table.drop(columns=column) if value is ... else table.assign(**{column: value})
    with pytest.raises(TableRefused, match=re.escape(says)):
        fit_villages(table)


# --- what the register says of it ---------------------------------------------------------------


def read(document: dict[str, Any]) -> Register:
    with Reader(document, file="villages.json") as reader:
        head = read_head(reader)
        return read_register(reader, valid_from=head.valid_from)


def test_register_states_the_test(spread_out: VillageEffects) -> None:
    """In whole numbers, and in words of both languages."""
    fit = read(register_document(spread_out, valid_from=FIRST_DAY, seed=1)).fit
    assert fit["weight_percent"] == 100
    assert fit["loans_tested"] + fit["loans_fitted"] == 6_000
    assert "It keeps weight 1." in fit["en"]
    assert "保留权重 1。" in fit["zh"]
    assert fit["arms"][0]["arm"] == "card alone"
    assert fit["arms"][2]["gain_ppm"] > 0


def test_register_says_why_all_points_are_0(all_alike: VillageEffects) -> None:
    register = read(register_document(all_alike, valid_from=FIRST_DAY, seed=1))
    assert register.fit["weight_percent"] == 0
    assert "It is dropped: all points 0." in register.fit["en"]
    assert {(v.points, v.credibility_percent) for v in register.villages.values()} == {(0, 0)}


def test_register_with_points_against_its_own_test_is_refused(all_alike: VillageEffects) -> None:
    document = register_document(all_alike, valid_from=FIRST_DAY, seed=1)
    document["villages"][0]["points"] = 3
    with pytest.raises(EditionRefused, match="must have no points"):
        read(document)


def test_register_without_a_test_is_still_read(document: dict[str, Any]) -> None:
    """As the one of 2026-07-01."""
    assert "fit" not in document
    assert read(document).fit == {}


def test_rates_document_holds_every_quote() -> None:
    """85 months, the first on the edition's first day."""
    with Reader(rates_document(), file="rates.json") as reader:
        head = read_head(reader)
        rates = read_rates(reader, valid_from=head.valid_from)
    assert len(rates.quotes) == 85
    assert head.valid_from == rates.quotes[0].effective_on == date(2019, 8, 20)
    assert rates.on(date(2026, 8, 20)).lpr_1y_bp == 300
