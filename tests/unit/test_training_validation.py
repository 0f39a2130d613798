"""Figures of discrimination and calibration, against cases that can be checked by hand."""

import numpy as np
import pytest

from loansvc.training.validation import (
    GRADE_FLOORS,
    auc,
    auc_interval,
    by_grade,
    fit_calibration,
    ks,
    out_of_fold,
    pd_of,
)

BAD, GOOD = True, False


@pytest.mark.parametrize(
    ("scores", "is_bad", "expected"),
    [
        pytest.param([560, 620], [BAD, GOOD], 1.0, id="the bad case scores below the good one"),
        pytest.param([620, 560], [BAD, GOOD], 0.0, id="above it"),
        pytest.param([600, 600], [BAD, GOOD], 0.5, id="a tie is half"),
        pytest.param([560, 600, 580, 620], [BAD, BAD, GOOD, GOOD], 0.75, id="three pairs of four"),
    ],
)
def test_auc_is_the_share_of_pairs_in_order(
    scores: list[int], is_bad: list[bool], expected: float
) -> None:
    """Higher scores are safer."""
    assert auc(np.array(scores), np.array(is_bad)) == expected


def test_interval_holds_the_auc() -> None:
    """And is the same for the same seed."""
    rng = np.random.default_rng(1)
    is_bad = rng.random(500) < 0.2
    scores = rng.normal(600, 20, 500) - 10 * is_bad
    low, high = auc_interval(scores, is_bad, seed=1)
    assert low < auc(scores, is_bad) < high
    assert (low, high) == auc_interval(scores, is_bad, seed=1)


def test_ks_is_one_when_scores_part_them() -> None:
    """And nothing when they are the same."""
    apart, same = np.array([560.0, 620.0]), np.array([600.0, 600.0])
    assert (ks(apart, np.array([BAD, GOOD])), ks(same, np.array([BAD, GOOD]))) == (1.0, 0.0)


def test_pd_is_the_card_s_own() -> None:
    """600 points are 50 : 1."""
    assert pd_of(np.array([600.0])).tolist() == [0.019608]


@pytest.mark.parametrize(("intercept", "slope"), [(0.0, 1.0), (-0.5, 0.8), (0.3, 1.3)])
def test_calibration_finds_intercept_and_slope(intercept: float, slope: float) -> None:
    """From outcomes drawn with them, within noise."""
    rng = np.random.default_rng(2)
    log_odds_bad = rng.normal(-1, 1, 40_000)
    is_bad = rng.random(40_000) < 1 / (1 + np.exp(-(intercept + slope * log_odds_bad)))
    found = fit_calibration(log_odds_bad, is_bad)
    assert found.intercept == pytest.approx(intercept, abs=0.08)
    assert found.slope == pytest.approx(slope, abs=0.08)


def test_grades_part_the_cases() -> None:
    """Every case in one grade; a score on a floor belongs to the better one."""
    scores = np.array([640.0, 639.0, 600.0, 539.0, 300.0])
    rows = by_grade(scores, np.array([GOOD, GOOD, BAD, GOOD, BAD]))
    assert {r.grade: (r.n, r.n_bad) for r in rows if r.n} == {
        "R1": (1, 0), "R2": (1, 0), "R3": (1, 1), "R7": (2, 1),
    }  # fmt: skip
    assert [r.grade for r in rows] == list(GRADE_FLOORS)


def test_jeffreys_interval_of_no_case_is_nearly_everything() -> None:
    """An empty grade says nothing."""
    empty = by_grade(np.array([600.0]), np.array([GOOD]))[0]
    assert (empty.n, empty.mean_pd) == (0, 0.0)
    assert empty.bad_rate_high - empty.bad_rate_low > 0.99


def test_out_of_fold_never_predicts_what_it_was_trained_on() -> None:
    """Each case once, by a model without it."""
    is_bad = np.arange(50) % 5 == 0

    def predict(train: np.ndarray, rest: np.ndarray) -> np.ndarray:
        assert not set(train) & set(rest)
        return rest.astype(float)

    out = out_of_fold(predict, is_bad, n_folds=5, seed=1)
    assert out.tolist() == list(range(50))
