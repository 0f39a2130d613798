"""Villages: points fitted after the card, and the test out of time that decides their weight.

A village's points are what its own loans say beyond the card: `points = -Z x residual x 28.85`.

    residual   ln(bad / good) of its loans beyond the card's and the county's, one Newton step
    Z          credibility, weight x n / (n + K) for n loans with a known outcome
    K          1 / (tau^2 p (1 - p)): tau is the spread between villages, estimated at each fitting
    weight     0, 0.5 or 1: what an out-of-time test leaves of the village term (`trial_of`)

The loans are ones the card was not trained on, so nothing is counted twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.errors import TableRefused
from loansvc.training.compact import POINTS_PER_LOG_ODDS, SCORE_AT_EVEN_ODDS, Calibration
from loansvc.training.validation import auc, fit_calibration
from loansvc.villages import POINTS_CAP

# Between-village spread, in log-odds. From some 400 bad cases its estimate ranged from 0.15 to 0.48
# over six seeds, so it is held inside bounds: 0.3 is the spread of DOMAIN 0, point 3; 0.2 is a
# proposal [E].
LEAST_TAU, MOST_TAU = 0.2, 0.3
WEIGHTS = (0.5, 1.0)  # what of the village term may be kept; else 0
TESTED_SHARE = 1 / 3  # the later loans, on which the term is tested
LEAST_BADS = 10  # in each part, and as many good: with fewer nothing can be told, so no weight
N_RESAMPLES, RESAMPLES_SEED = 1_000, 20261124  # of villages, for the interval of a gain
RATING_PRIOR_SD = 0.2  # in log-odds; fitted freely, ratings cost 0.005 to 0.009 AUC on 50 bad cases
FREE_SD = 10.0  # as good as no prior
COUNTY_PRIOR_SD = 1.0  # of the county's distance from the card, where there are few bad cases
CAP = POINTS_CAP / POINTS_PER_LOG_ODDS  # 0.35 in log-odds
RULE = (
    "the loans are parted by day of application; the term is fitted on the earlier ones and tested "
    "on the later third; of the weights 0.5 and 1 the one with the greatest gain in log-loss is "
    "kept, if that gain is above its own standard error (paired, by village); else 0"
)


@dataclass(frozen=True, slots=True)
class VillageEffects:
    """What the loans say by village, and how far each village is to be believed."""

    tau: float  # inside its bounds
    tau_estimated: float
    prior_loans: int  # K, a whole number so that who reads it finds the same credibility
    by_code: Mapping[str, VillageEffect]
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class VillageEffect:
    """One village: loans with a known outcome, bad ones, residual in ln(bad / good), Z, points."""

    n: int
    n_bad: int
    residual: float
    credibility: float
    points: int


@dataclass(frozen=True, slots=True)
class Trial:
    """The out-of-time test: the loans on either side of the day, what each arm reached."""

    tested_from: date
    n_fitted: int
    n_fitted_bad: int
    n_tested: int
    n_tested_bad: int
    arms: tuple[Arm, ...]  # the card alone first; empty where there are too few bad cases
    weight: float


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to score the later loans. `gain` is in log-loss, below the card alone.

    `weight` is that of the village term; None for arms that are shown and cannot be chosen.
    """

    name: str
    weight: float | None
    log_loss: float
    auc: float
    gain: float = 0.0
    gain_error: float = 0.0
    gain_low: float = 0.0  # 95 percent interval, villages drawn anew
    gain_high: float = 0.0


def fit_villages(loans: pd.DataFrame) -> VillageEffects:
    """The effects from one row a loan, with the weight that the out-of-time test leaves them.

    Columns: `village_code`; `score` of the card, or `log_odds` (ln(good / bad)); `is_bad`;
    `applied_on`. With `village_rating` the test also shows what ratings would do.

    Raises:
        TableRefused: a column is missing, or a value in it.
    """
    table = _loans_of(loans)
    trial = trial_of(table)
    return replace(effects_of(table, weight=trial.weight), trial=trial)


def effects_of(loans: pd.DataFrame, *, weight: float = 1.0) -> VillageEffects:
    """The effects at a given weight, untested; `applied_on` is not needed.

    The county's own distance from the card is taken out first: it belongs in the card's next base.
    """
    is_bad, log_odds_bad = loans["is_bad"].to_numpy(bool), _log_odds_bad(loans)
    county = _county(log_odds_bad, is_bad)
    beyond = county.intercept + county.slope * log_odds_bad
    return _effects(loans["village_code"], is_bad, beyond, weight=weight)


def _effects(
    codes: pd.Series[Any], is_bad: NDArray[Any], log_odds_bad: NDArray[Any], *, weight: float
) -> VillageEffects:
    """The effects beyond those log-odds."""
    expected = 1 / (1 + np.exp(-log_odds_bad))
    sums = (
        pd.DataFrame(
            {
                "code": codes.to_numpy(),
                "n": 1,
                "n_bad": is_bad.astype(int),
                "excess": is_bad - expected,
                "information": expected * (1 - expected),
            }
        )
        .groupby("code")
        .sum()
    )
    estimated = _spread(sums["excess"].to_numpy(), sums["information"].to_numpy())
    tau = min(max(estimated, LEAST_TAU), MOST_TAU)
    prior_loans = round(1 / (tau**2 * float((expected * (1 - expected)).mean())))
    by_code = {
        str(code): _effect(
            int(row["n"]),
            int(row["n_bad"]),
            row["excess"] / row["information"],
            prior_loans,
            weight=weight,
        )
        for code, row in sums.iterrows()
    }
    return VillageEffects(tau, estimated, prior_loans, by_code)


def _spread(excess: Any, information: Any) -> float:
    """Spread by moments: what the squared excess has beyond chance, 0 if it has nothing."""
    beyond = float((excess**2 - information).sum() / (information**2).sum())
    return math.sqrt(max(beyond, 0.0))


def _effect(
    n: int, n_bad: int, residual: float, prior_loans: int, *, weight: float
) -> VillageEffect:
    """The effect of a village with that many loans.

    >>> _effect(65, 5, 0.8, 585, weight=1.0)
    VillageEffect(n=65, n_bad=5, residual=0.8, credibility=0.1, points=-2)
    """
    credibility = weight * n / (n + prior_loans)
    points = round(-credibility * residual * POINTS_PER_LOG_ODDS)
    capped = min(max(points, -POINTS_CAP), POINTS_CAP)
    return VillageEffect(n, n_bad, residual, credibility, capped)


def _log_odds_bad(loans: pd.DataFrame) -> NDArray[np.float64]:
    if "log_odds" in loans:
        return -loans["log_odds"].to_numpy(float)
    return (SCORE_AT_EVEN_ODDS - loans["score"].to_numpy(float)) / POINTS_PER_LOG_ODDS


def _county(log_odds_bad: NDArray[np.float64], is_bad: NDArray[np.bool_]) -> Calibration:
    """How far the county lies from the card: with few bad cases, or one score, the level alone."""
    if _can_tell(is_bad) and np.ptp(log_odds_bad) > 0:
        return fit_calibration(log_odds_bad, is_bad)
    level = _shifts(np.ones((len(is_bad), 1)), is_bad, log_odds_bad, prior_sd=COUNTY_PRIOR_SD)
    return Calibration(intercept=float(level[0]), slope=1.0)


def _can_tell(is_bad: NDArray[np.bool_]) -> bool:
    return min(int(is_bad.sum()), int((~is_bad).sum())) >= LEAST_BADS


def _shifts(
    X: NDArray[Any], is_bad: NDArray[np.bool_], offset: NDArray[np.float64], *, prior_sd: float
) -> NDArray[np.float64]:
    """Shifts of ln(bad / good) by column, each with a normal prior around 0, by Newton's method."""
    shifts, prior = np.zeros(X.shape[1]), np.full(X.shape[1], prior_sd**-2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-(offset + X @ shifts)))
        slope = X.T @ (is_bad - p) - prior * shifts
        step = np.linalg.solve((X.T * (p * (1 - p))) @ X + np.diag(prior), slope)
        # One unit at a time: far from the solution the curvature is too small to be believed.
        shifts = shifts + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-10:  # far below what a point shows
            break
    return shifts


# --- the test out of time -----------------------------------------------------------------------


def trial_of(loans: pd.DataFrame) -> Trial:
    """What the village term gains on later loans when fitted on earlier ones, and its weight.

    Rule: `RULE`. With outcomes drawn 200 times for the shipped loans it kept a term in 15 percent
    where villages did not differ, and in 35, 58 and 98 percent at a spread of 0.2, 0.3 and 0.6;
    any gain above 0 would have kept one in 50 percent where they did not differ.
    """
    applied_on = loans["applied_on"].dt.normalize()  # no day is parted
    tested_from = applied_on.sort_values().iloc[int((1 - TESTED_SHARE) * len(loans))]
    late = (applied_on >= tested_from).to_numpy()
    is_bad = loans["is_bad"].to_numpy(bool)
    arms = _arms(loans, late) if _can_tell(is_bad[~late]) and _can_tell(is_bad[late]) else ()
    return Trial(
        tested_from=tested_from.date(),
        n_fitted=int((~late).sum()),
        n_fitted_bad=int(is_bad[~late].sum()),
        n_tested=int(late.sum()),
        n_tested_bad=int(is_bad[late].sum()),
        arms=arms,
        weight=_weight(arms),
    )


def _weight(arms: tuple[Arm, ...]) -> float:
    """The weight with the greatest gain among those whose gain is above its standard error."""
    kept = [(a.gain, a.weight) for a in arms if a.weight and a.gain > a.gain_error]
    return max(kept)[1] if kept else 0.0


def _arms(loans: pd.DataFrame, late: NDArray[np.bool_]) -> tuple[Arm, ...]:
    """Every arm fitted on the earlier loans and measured on the later ones."""
    codes, is_bad = loans["village_code"], loans["is_bad"].to_numpy(bool)
    log_odds_bad = _log_odds_bad(loans)
    county = _county(log_odds_bad[~late], is_bad[~late])
    base = county.intercept + county.slope * log_odds_bad

    def villages(beyond: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
        """The term of each later loan: whole points, since these are what is published."""
        fitted = _effects(codes[~late], is_bad[~late], beyond[~late], weight=weight).by_code
        points = codes[late].map({code: effect.points for code, effect in fitted.items()})
        return -points.fillna(0).to_numpy(float) / POINTS_PER_LOG_ODDS

    terms: list[tuple[str, float | None, NDArray[np.float64]]] = [
        (f"card and village term at weight {w:g}", w, villages(base, w)) for w in WEIGHTS
    ]
    if "village_rating" in loans:
        rated, free = (
            _rating_term(loans["village_rating"], is_bad, base, ~late, prior_sd=sd)
            for sd in (RATING_PRIOR_SD, FREE_SD)
        )
        both = np.clip(rated[late] + villages(base + rated, 1.0), -CAP, CAP)
        terms += [
            (f"card and rating (prior sd {RATING_PRIOR_SD:g})", None, rated[late]),
            ("card and rating (fitted freely)", None, free[late]),
            ("card, rating and village term", None, both),
        ]
    alone = _losses(base[late], is_bad[late])
    first = Arm("card alone", 0.0, float(alone.mean()), auc(-base[late], is_bad[late]))
    return (
        first,
        *(
            _arm(name, weight, base[late] + term, is_bad[late], alone, codes[late])
            for name, weight, term in terms
        ),
    )


def _rating_term(
    rating: pd.Series[Any], is_bad: NDArray[np.bool_], base: NDArray[np.float64],
    fitted: NDArray[np.bool_], *, prior_sd: float,
) -> NDArray[np.float64]:  # fmt: skip
    """What the rating adds to ln(bad / good) of every loan; capped unless it is fitted freely."""
    X = pd.get_dummies(rating).to_numpy(float)
    term: NDArray[np.float64] = X @ _shifts(
        X[fitted], is_bad[fitted], base[fitted], prior_sd=prior_sd
    )
    return np.clip(term, -CAP, CAP) if prior_sd < FREE_SD else term


def _losses(log_odds_bad: NDArray[np.float64], is_bad: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.logaddexp(0, np.where(is_bad, -log_odds_bad, log_odds_bad))


def _arm(
    name: str, weight: float | None, log_odds_bad: NDArray[np.float64],
    is_bad: NDArray[np.bool_], alone: NDArray[np.float64], codes: pd.Series[Any],
) -> Arm:  # fmt: skip
    """An arm beside the card alone, loan by loan; a village's loans stand or fall together."""
    losses = _losses(log_odds_bad, is_bad)
    paired = pd.DataFrame({"gain": alone - losses, "n": 1}).groupby(codes.to_numpy()).sum()
    gains, sizes = paired["gain"].to_numpy(), paired["n"].to_numpy()
    gain = float(gains.sum() / sizes.sum())
    drawn = np.random.default_rng(RESAMPLES_SEED).integers(0, len(gains), (N_RESAMPLES, len(gains)))
    low, high = np.quantile(gains[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [0.025, 0.975])
    return Arm(
        name,
        weight,
        log_loss=float(losses.mean()),
        auc=auc(-log_odds_bad, is_bad),
        gain=gain,
        gain_error=math.sqrt(float(((gains - gain * sizes) ** 2).sum())) / int(sizes.sum()),
        gain_low=float(low),
        gain_high=float(high),
    )


# --- loans --------------------------------------------------------------------------------------


def _loans_of(loans: pd.DataFrame) -> pd.DataFrame:
    """The columns that are read, complete and of the right kind."""
    scored = "log_odds" if "log_odds" in loans else "score"
    needed = ["village_code", scored, "is_bad", "applied_on"]
    for name in needed:
        if name not in loans:
            raise TableRefused(
                f"Column {name} is missing. Village effects need village_code, score (or "
                "log_odds), is_bad and applied_on, one row a loan. Add it."
            )
    table = loans[needed + [c for c in ["village_rating"] if c in loans]].reset_index(drop=True)
    if len(table) < 2:
        raise TableRefused("There are fewer than 2 loans. Give those with a known outcome.")
    for name in map(str, table):
        if table[name].isna().any():
            row = int(table[name].isna().to_numpy().argmax()) + 1
            raise TableRefused(
                f"Column {name}, row {row}: is empty. Leave out loans without a known outcome, "
                "and fill in what is missing of the others."
            )
    if not table["is_bad"].isin([0, 1]).all():
        raise TableRefused("Column is_bad: must be true or false (1 or 0) in every row.")
    if table["village_code"].dtype.kind == "f":
        raise TableRefused("Column village_code: is read as decimal numbers. Read it as text.")
    try:
        table = table.assign(
            village_code=table["village_code"].astype(str),
            applied_on=pd.to_datetime(table["applied_on"], format="ISO8601"),
            **{scored: table[scored].astype(float)},
        )
    except (TypeError, ValueError):
        raise TableRefused(
            f"Column applied_on or {scored} cannot be read. Write days as 2026-07-01, scores as "
            "numbers."
        ) from None
    if not np.isfinite(table[scored]).all():
        raise TableRefused(f"Column {scored}: must be finite in every row.")
    return table
