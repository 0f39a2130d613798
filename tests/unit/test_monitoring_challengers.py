"""Contests of cards: what was recorded, added up; intervals; and the sequential rule's errors."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from math import exp
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loansvc.ledger.performance import Performance
from loansvc.monitoring.challengers import Contest, Sums, contests
from loansvc.monitoring.challengers_shown import verdict
from loansvc.monitoring.ends import end_of
from loansvc.monitoring.estimates import FEWEST_OF_A_CLASS, ginis, share
from loansvc.monitoring.reading import decided_between
from loansvc.monitoring.sequential import (
    ASKED_FOR,
    BETS,
    CHANCE,
    KEEP_WATCHING,
    PROMOTE,
    STOP,
    End,
    Evidence,
    Loan,
    evidence,
)
from loansvc.scorecard import DefaultDefinition
from loansvc.training.validation.discrimination import auc
from loansvc.training.validation.estimate import wilson as wilson_of_validation
from tests.small import (
    TODAY,
    an_application,
    publish_rival,
    small_models,
    small_underwriting,
)

LATER = date(2027, 12, 1)

# --- intervals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 50), (3, 50), (50, 50), (81, 263)])
def test_a_share_has_the_interval_of_a_validation(k: int, n: int) -> None:
    found, expected = share(k, n), wilson_of_validation(k, n)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_nothing_has_no_share() -> None:
    assert share(0, 0) is None


def drawn(seed: int, n: int, *, noise: tuple[float, float]) -> Any:
    """Scores of two cards and bad loans, with ties, of people whose risk both look at."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n)
    is_bad = rng.random(n) < 1 / (1 + np.exp(2 - risk))
    return *(np.round(600 - 20 * (risk + rng.normal(0, s, n))).astype(int) for s in noise), is_bad


def test_gini_is_twice_the_area_of_a_validation_less_one() -> None:
    first, second, is_bad = drawn(1, 400, noise=(1.0, 0.3))
    found = ginis(first.tolist(), second.tolist(), is_bad.tolist())
    assert found is not None
    a, b = (2 * auc(scores.astype(float), is_bad) - 1 for scores in (first, second))
    values = (found.first.value, found.second.value, found.difference.value)
    assert values == pytest.approx((a, b, b - a))


def test_the_paired_interval_holds_as_often_as_it_says() -> None:
    """Two cards alike, 300 draws of 150 loans: no difference is held in 91 to 99 percent."""
    held = 0
    for seed in range(300):
        found = ginis(*(part.tolist() for part in drawn(seed, 150, noise=(0.7, 0.7))))
        assert found is not None
        held += found.difference.low <= 0 <= found.difference.high
    assert 0.91 * 300 <= held <= 0.99 * 300


def test_a_paired_interval_is_narrower_than_its_parts() -> None:
    found = ginis(*(part.tolist() for part in drawn(3, 300, noise=(0.3, 0.3))))
    assert found is not None
    width = {name: getattr(found, name).high - getattr(found, name).low for name in
             ("first", "second", "difference")}  # fmt: skip
    assert width["difference"] < min(width["first"], width["second"])


def test_too_few_bad_loans_say_nothing_about_an_order() -> None:
    is_bad = [True] * (FEWEST_OF_A_CLASS - 1) + [False] * 50
    assert ginis(list(range(59)), list(range(59)), is_bad) is None
    assert ginis(list(range(60)), list(range(60)), [True, *is_bad]) is not None


# --- the sequential rule ------------------------------------------------------------------------

ppm = st.integers(1, 999_999)


def paid(champion_ppm: int, challenger_ppm: int, *, is_bad: bool) -> Evidence:
    return evidence([Loan(End(TODAY, is_bad), 1, champion_ppm, challenger_ppm)])


@given(ppm, ppm)
def test_half_way_between_both_neither_bet_wins_or_loses(champion: int, challenger: int) -> None:
    """So, nearer to the champion, a bet on the challenger loses on average: it is no cheat."""
    half_way = (champion + challenger) / 2_000_000
    good, bad = (paid(champion, challenger, is_bad=b) for b in (False, True))
    for name in ("for_challenger", "for_champion"):
        mean = (1 - half_way) * getattr(good, name) + half_way * getattr(bad, name)
        assert mean == pytest.approx(1)
    if champion < challenger:
        assert bad.for_challenger >= good.for_challenger


@given(ppm, ppm, st.booleans())
def test_no_bet_can_lose_more_than_its_stake(champion: int, challenger: int, bad: bool) -> None:
    found = paid(champion, challenger, is_bad=bad)
    assert min(found.for_challenger, found.for_champion) > 0


@given(ppm, st.booleans())
def test_two_cards_alike_are_no_evidence(one: int, bad: bool) -> None:
    found = paid(one, one, is_bad=bad)
    assert (found.for_challenger, found.for_champion) == (1, 1)


def test_a_sum_on_paper() -> None:
    """PDs of 10 and 30 percent, a bad loan: a whole stake pays 0.3 to 0.2, half of it half."""
    found = paid(100_000, 300_000, is_bad=True)
    assert found.for_challenger == pytest.approx(sum(1 + bet / 2 for bet in BETS) / len(BETS))
    assert found.for_champion == pytest.approx(sum(1 - bet / 2 for bet in BETS) / len(BETS))


def simulated(seed: int, n: int, *, champion: float, challenger: float) -> list[Loan]:
    """n loans, 7 percent bad; each card knows the log-odds of a loan up to so much noise."""
    chance = Random(f"loans {seed}")

    def of(log_odds: float) -> float:
        return 1 / (1 + exp(-log_odds))

    loans = []
    for sequence in range(n):
        risk = chance.gauss(-3, 1)
        is_bad = chance.random() < of(risk)
        pds = [round(1_000_000 * of(risk + chance.gauss(0, s))) for s in (champion, challenger)]
        loans.append(Loan(End(TODAY, is_bad), sequence, *(min(max(p, 1), 999_999) for p in pds)))
    return loans


def says(n_watches: int, n: int, **noise: float) -> list[str]:
    return [evidence(simulated(seed, n, **noise)).says for seed in range(n_watches)]


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_of_cards_alike_at_most_one_watch_in_twenty_promotes(noise: float) -> None:
    """Looked at after every loan, to the end of the watch."""
    found = says(150, 600, champion=noise, challenger=noise)
    assert found.count(PROMOTE) <= CHANCE * len(found)
    assert found.count(STOP) <= CHANCE * len(found)


def test_a_challenger_that_knows_less_is_not_promoted_and_is_found() -> None:
    found = says(40, 1000, champion=0.0, challenger=1.0)
    assert found.count(PROMOTE) == 0
    assert found.count(STOP) >= 0.8 * len(found)


def test_a_challenger_that_knows_more_is_found() -> None:
    found = says(40, 1000, champion=1.0, challenger=0.0)
    assert found.count(PROMOTE) >= 0.8 * len(found)
    assert found.count(STOP) == 0


def test_what_was_reached_stays_reached() -> None:
    """Else whoever looks often would be told otherwise than whoever looks once."""
    better = simulated(1, 1000, champion=1.0, challenger=0.0)
    worse = [
        replace(loan, end=End(LATER, loan.end.is_bad))
        for loan in simulated(2, 1000, champion=0.0, challenger=1.0)
    ]
    first, both = evidence(better), evidence([*worse, *better])
    assert (first.says, first.reached_on) == (PROMOTE, TODAY)
    assert (both.says, both.reached_on) == (PROMOTE, TODAY)
    assert both.n == 2000


def test_overwhelming_evidence_is_still_a_number() -> None:
    found = evidence(Loan(End(TODAY, True), n, 10_000, 900_000) for n in range(2000))
    assert found.says == PROMOTE
    assert ASKED_FOR < found.for_challenger < float("inf")


# --- how a loan ended ---------------------------------------------------------------------------

YEAR = DefaultDefinition()


@pytest.mark.parametrize(
    ("state", "expected"),
    [("good", False), ("bad", True), ("indeterminate", None), ("immature", None)],
)
def test_a_loan_ends_good_bad_or_neither(state: str, expected: bool | None) -> None:
    how = Performance(state=state, drawn_on=date(2026, 12, 1))
    found = end_of(how, YEAR, as_of=date(2028, 6, 1))
    assert found == (None if expected is None else End(LATER, expected))


def test_what_nobody_drew_has_no_end() -> None:
    assert end_of(Performance(state="not_drawn"), YEAR, as_of=date(2028, 6, 1)) is None


@pytest.mark.parametrize("state", ["bad", "good"])
def test_a_bad_loan_waits_for_its_window_as_one_repaid_early_does(state: str) -> None:
    """Else the first months of a watch would know of bad loans alone."""
    how = Performance(state=state, drawn_on=date(2026, 12, 1))
    assert end_of(how, YEAR, as_of=LATER) is None
    assert end_of(how, YEAR, as_of=LATER + timedelta(days=1)) == End(LATER, state == "bad")


def test_the_window_is_the_cards() -> None:
    how = Performance(state="good", drawn_on=date(2026, 12, 1))
    half_a_year = DefaultDefinition(window_months=6)
    assert end_of(how, half_a_year, as_of=date(2027, 6, 2)) == End(date(2027, 6, 1), is_bad=False)


# --- what is added up ---------------------------------------------------------------------------


def test_a_score_at_a_percent_is_one_that_was_given() -> None:
    sums = Sums()
    sums.scores.update({580: 1, 600: 2, 620: 1})
    assert [sums.score_at(p) for p in (10, 25, 26, 50, 75, 76, 90)] == [
        580, 580, 600, 600, 600, 620, 620,
    ]  # fmt: skip


def test_whoever_decides_each_contest_holds_every_decision_once(tmp_path: Path) -> None:
    """Two challengers with shares, 20 and 40 points below the champion on every application."""
    models = small_models(tmp_path)
    points_below = {
        publish_rival(models, tmp_path, base_points=580 - p, share_percent=25): p for p in (20, 40)
    }
    root = small_underwriting(tmp_path, models=models)
    deciders: Counter[str] = Counter()
    for n in range(1, 21):
        recorded, _ = root.decide(an_application(n), client="bank")
        deciders[recorded.decision["editions"]["scorecard"]["digest"]] += 1
    found = contests(decided_between(root, TODAY, TODAY), lambda _: None)
    assert {contest.challenger for contest in found} == points_below.keys()
    assert len(deciders) == 3, "all of them decided somebody"
    for contest in found:
        assert (contest.n, contest.n_decided) == (20, deciders[contest.challenger])
        assert contest.of_champion.scores == {626: 20}
        assert contest.of_challenger.scores == {626 - points_below[contest.challenger]: 20}


def test_nothing_recorded_beside_is_no_contest_unless_one_is_expected() -> None:
    assert contests([], lambda _: None) == []
    key = ("credit_loan", "sha256:b", "sha256:a")
    assert contests([], lambda _: None, [key]) == [Contest(*key)]


# --- what it says -------------------------------------------------------------------------------


def an_evidence(**changes: Any) -> Evidence:
    plain = Evidence(KEEP_WATCHING, 3.0, 0.2, None, 120, 7)
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("found", "until", "expected", "en"),
    [
        pytest.param(an_evidence(n=0), None, KEEP_WATCHING, "no loan has a known end", id="none"),
        pytest.param(an_evidence(), None, KEEP_WATCHING,
                     "the evidence is 3.0:1 for the challenger, short of 20:1 (120 loans",
                     id="too little"),
        pytest.param(an_evidence(says=PROMOTE, reached_on=TODAY), date(2020, 1, 1), PROMOTE,
                     "reached 20:1 on 2026-11-23", id="promote, also when the watch is over"),
        pytest.param(an_evidence(says=STOP, reached_on=TODAY), None, STOP,
                     "the champion's PDs were nearer", id="stop"),
        pytest.param(an_evidence(), date(2026, 10, 31), STOP, "the watch is over", id="over"),
        pytest.param(an_evidence(), date(2026, 11, 1), KEEP_WATCHING, "3.0:1",
                     id="a loan of the last day may still be under way"),
    ],
)  # fmt: skip
def test_the_rule_says_what_to_do_and_why(
    found: Evidence, until: date | None, expected: str, en: str
) -> None:
    told = verdict(found, until=until, as_of=LATER, window_months=12)
    assert told["says"] == expected
    assert en in told["en"]
    assert told["zh"].split("：")[0] in ("继续观察", "建议晋升", "建议停止")
