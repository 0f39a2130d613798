"""The village register: evidence that fits its ratings, and points that do not overreach."""

from collections import Counter
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loansvc.editions import Reader, read_head
from loansvc.rates import read_rates
from loansvc.training.rates import rates_document
from loansvc.training.villages import (
    A_PLUS_SHARES,
    LEAST_TAU,
    MOST_NPL,
    MOST_OVERDUE,
    MOST_TAU,
    VillageEffects,
    fit_villages,
    register_document,
)
from loansvc.villages import POINTS_CAP, Register, read_register

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
    return fit_villages(loans(shares | {WANGTAN: 0.0}, n=100))


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
    fitted = fit_villages(loans({"a": 0.0, "b": 0.04, "c": 0.08}, n=200)).by_code
    assert fitted["a"].points > 0 > fitted["c"].points
    assert abs(fitted["b"].points) <= 1


def test_few_loans_are_hardly_believed() -> None:
    """The same record, ten times the loans."""
    table = pd.concat(
        [loans({"few": 0.0, "x": 0.06}, n=30), loans({"many": 0.0, "y": 0.06}, n=300)]
    )
    fitted = fit_villages(table).by_code
    assert fitted["few"].credibility < fitted["many"].credibility
    assert fitted["few"].points < fitted["many"].points


def test_county_s_own_distance_from_the_card_is_no_village_s_merit() -> None:
    """When all villages pay alike, none gets points, whatever the card expected."""
    fitted = fit_villages(loans({"a": 0.04, "b": 0.04}, n=200, score=640))
    assert [e.points for e in fitted.by_code.values()] == [0, 0]


def test_points_are_capped() -> None:
    """Even for a village where everybody defaults."""
    fitted = fit_villages(loans({"a": 0.9, **{f"v{i}": 0.03 for i in range(9)}}, n=500))
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


def test_rates_document_holds_every_quote() -> None:
    """85 months, the first on the edition's first day."""
    with Reader(rates_document(), file="rates.json") as reader:
        head = read_head(reader)
        rates = read_rates(reader, valid_from=head.valid_from)
    assert len(rates.quotes) == 85
    assert head.valid_from == rates.quotes[0].effective_on == date(2019, 8, 20)
    assert rates.on(date(2026, 8, 20)).lpr_1y_bp == 300
