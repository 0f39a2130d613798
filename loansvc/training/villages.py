"""Villages: the register edition, with points fitted after the card. Evidence is synthetic.

A village's points are what its own loans say beyond the card: `points = -Z x residual x 28.85`.

    residual   ln(bad / good) of its loans beyond the card's and the county's, one Newton step
    Z          credibility, weight x n / (n + K) for n loans with a known outcome
    K          1 / (tau^2 p (1 - p)): tau is the spread between villages, estimated at each fitting
    weight     0, 0.5 or 1: what an out-of-time test leaves of the village term (`trial_of`)

The loans are ones the card was not trained on, so nothing is counted twice; `record` counts them.
Ratings come from the synthetic county; when each was made, and what became of a few, is set out
here by hand. The evidence of a rating is drawn for its day: other borrowers than those of `record`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.editions import COUNTY
from loansvc.errors import TableRefused
from loansvc.scorecard import Scorecard
from loansvc.training import synthetic
from loansvc.training.compact import POINTS_PER_LOG_ODDS, SCORE_AT_EVEN_ODDS, Calibration
from loansvc.training.divisions import Division, divisions
from loansvc.training.records import plain
from loansvc.training.validation import auc, fit_calibration
from loansvc.villages import POINTS_CAP, UNRATED

VILLAGES_SEED = 20261124  # other applicants than any card was trained on
N_APPLICANTS = 32_000  # leaves about 65 loans a village, as in the pilot (DOMAIN 0, point 3)
# Between-village spread, in log-odds. From some 400 bad cases its estimate ranged from 0.15 to 0.48
# over six seeds, so it is held inside bounds: 0.3 is the spread of DOMAIN 0, point 3; 0.2 is a
# proposal [E].
LEAST_TAU, MOST_TAU = 0.2, 0.3
WEIGHTS = (0.5, 1.0)  # what of the village term may be kept; else 0
TESTED_SHARE = 1 / 3  # the later loans, on which the term is tested
LEAST_BADS = 10  # in each part, and as many good: with fewer nothing can be told, so no weight
N_RESAMPLES = 1_000  # of villages, for the interval of a gain
RATING_PRIOR_SD = 0.2  # in log-odds; fitted freely, ratings cost 0.005 to 0.009 AUC on 50 bad cases
FREE_SD = 10.0  # as good as no prior
COUNTY_PRIOR_SD = 1.0  # of the county's distance from the card, where there are few bad cases
CAP = POINTS_CAP / POINTS_PER_LOG_ODDS  # 0.35 in log-odds
FIRST_MONTH = date(
    2023, 7, 1
)  # of the synthetic window, whose 36 months end where the register starts
STATEMENT = (
    "本登记册中的信用村评定、指标和日期均为合成数据，仅村名和代码是真实的；仅供演示。"
    "Ratings, evidence and dates of this register are synthetic; only names and codes are real. "
    "For demonstration."
)
REFERENCE = "synthetic village register 2026-12 (rating scheme: DOMAIN 2.3, proposal)"

# Towns are assessed one after another, all villages of a town on one day, but for those below.
ASSESSED_ON = {
    "姑孰镇": date(2025, 1, 20), "黄池镇": date(2025, 3, 28), "乌溪镇": date(2026, 3, 31),
    "石桥镇": date(2025, 5, 30), "塘南镇": date(2025, 7, 25), "护河镇": date(2026, 3, 31),
    "太白镇": date(2025, 9, 26), "年陡镇": date(2025, 10, 31), "湖阳镇": date(2025, 11, 28),
    "大陇镇": date(2025, 12, 31), "江心乡": date(2026, 5, 29),
    "当涂大青山李白文化旅游区": date(2026, 6, 12), "当涂现代农业示范区": date(2026, 6, 12),
}  # fmt: skip
ASSESSED_EARLIER = {  # not reached by the round of their town
    "340521101207": date(2024, 3, 15),  # 三里村: 24 + 3 months over before the register's first day
    "340521103214": date(2024, 5, 20),  # 普济村: in grace on the first day, until 2026-08-19
    "340521106213": date(2024, 9, 10),  # 新桥村: in grace from 2026-09-10
    "340521112207": date(2024, 10, 15),  # 韩村村: in grace from 2026-10-15
}
NEVER_ASSESSED = ("340521110001", "340521110002", "340521500200")  # 年丰 查湾 松塘: unrated
REVOKED = {  # 宝塔村
    "340521100210": {
        "on": "2026-05-18",
        "reason": (
            "合成示例，并非真实事件：入户采集的数据经复核不实 "
            "synthetic example, not a real event: collected data found untrue"
        ),
        "document_sha256": hashlib.sha256("synthetic revocation of 宝塔村".encode()).hexdigest(),
    }
}

# What the evidence of each rating looks like: DOMAIN 2.3 thresholds [E]; B lies beyond those of A.
A_PLUS_SHARES = {"AAA": (0.80, 0.97), "AA": (0.70, 0.80), "A": (0.60, 0.70), "B": (0.40, 0.60)}
MOST_OVERDUE = {"AAA": 0.02, "AA": 0.05, "A": 0.10, "B": 0.15}
MOST_NPL = {"AAA": 0.015, "AA": 0.03, "A": 0.05, "B": 0.05}
HOUSEHOLDS_LN_MEDIAN, HOUSEHOLDS_LN_SPREAD = 7.0, 0.35  # e^7 is 1,100, as in the pilot (DOMAIN 2.1)
BORROWER_SHARE = 0.06  # of households: 65 of 1,100 in the pilot (DOMAIN 2.1)
COLLECTED_SHARE = 0.923  # of households in the pilot (DOMAIN 2.1)
BALANCE_YUAN = 72_500  # a borrower in the pilot (DOMAIN 2.1)


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
    drawn = np.random.default_rng(VILLAGES_SEED).integers(0, len(gains), (N_RESAMPLES, len(gains)))
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
    except (TypeError, ValueError) as error:
        raise TableRefused(
            f"Column applied_on or {scored}: {error}. Write days as 2026-07-01, scores as numbers."
        ) from None
    if not np.isfinite(table[scored]).all():
        raise TableRefused(f"Column {scored}: must be finite in every row.")
    return table


def village_loans(card: Scorecard, *, n_applicants: int, seed: int) -> pd.DataFrame:
    """Synthetic credit loans with a known outcome, scored by the card as the service would."""
    people = synthetic.generate(n_applicants, seed=seed).with_known_outcome()
    names = [c.name for c in card.characteristics]
    columns = [plain(people.frame[name]) for name in names]
    rows = (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))
    return pd.DataFrame(
        {
            "village_code": people.frame["village_code"],
            "village_rating": people.frame["village_rating"],
            "applied_on": people.frame["application_month"].map(_first_of_month),
            "score": [card.score(row) for row in rows],
            "is_bad": people.truth["is_bad"],
        }
    )


def _first_of_month(month: int) -> pd.Timestamp:
    """The first day of a month of the synthetic window.

    >>> _first_of_month(17).date()
    datetime.date(2024, 12, 1)
    """
    return pd.Timestamp(FIRST_MONTH) + pd.DateOffset(months=int(month))


# --- the register -------------------------------------------------------------------------------


def register_document(effects: VillageEffects, *, valid_from: date, seed: int) -> dict[str, Any]:
    """The register of every unit: rating, when it was made, synthetic evidence, record, points."""
    rng = np.random.default_rng(seed)
    ratings = dict(zip(*synthetic.villages()[["code", "rating"]].to_numpy().T, strict=True))
    tau = (
        f"tau {effects.tau:.2f} "
        f"(estimated {effects.tau_estimated:.2f}, bounded to {LEAST_TAU}-{MOST_TAU})"
    )
    document = {
        "kind": "villages",
        "product": COUNTY,
        "valid_from": valid_from.isoformat(),
        "reference": f"{REFERENCE}; {tau}, K {effects.prior_loans} loans",
        "synthetic": True,
        "statement": STATEMENT,
        "villages": [_village(d, ratings[d.code], effects, rng) for d in divisions()],
    }
    return document | ({"fit": fit_section(effects.trial)} if effects.trial else {})


def fit_section(trial: Trial) -> dict[str, Any]:
    """The test as the register states it, in whole numbers; read by people, not by scoring."""
    return {
        "weight_percent": round(100 * trial.weight),
        "rule": RULE,
        "zh": _finding_zh(trial),
        "en": _finding_en(trial),
        "tested_from": trial.tested_from.isoformat(),
        "loans_fitted": trial.n_fitted,
        "loans_fitted_bad": trial.n_fitted_bad,
        "loans_tested": trial.n_tested,
        "loans_tested_bad": trial.n_tested_bad,
        "arms": [
            {
                "arm": a.name,
                "log_loss_ppm": round(1e6 * a.log_loss),
                "gain_ppm": round(1e6 * a.gain),
                "gain_error_ppm": round(1e6 * a.gain_error),
                "gain_low_ppm": round(1e6 * a.gain_low),
                "gain_high_ppm": round(1e6 * a.gain_high),
                "auc_bp": round(1e4 * a.auc),
            }
            for a in trial.arms
        ],
    }


def _told(trial: Trial) -> Arm | None:
    """The arm that the finding speaks of: the chosen one, else the best of those refused."""
    arms = [a for a in trial.arms if a.weight]
    chosen = [a for a in arms if a.weight == trial.weight]
    return max(chosen or arms, key=lambda a: a.gain, default=None)


def _finding_en(trial: Trial) -> str:
    told = _told(trial)
    if told is None:
        return (
            f"Fewer than {LEAST_BADS} good or bad loans before or after {trial.tested_from}: the "
            "village term cannot be tested, and has no weight. All points are 0."
        )
    kept = f"It keeps weight {trial.weight:g}." if trial.weight else "It is dropped: all points 0."
    return (
        f"On loans from {trial.tested_from} on, the village term at weight {told.weight:g} gains "
        f"{told.gain:.5f} log-loss a loan over the card alone (standard error "
        f"{told.gain_error:.5f}; 95 % interval {told.gain_low:.5f} to {told.gain_high:.5f}). {kept}"
    )


def _finding_zh(trial: Trial) -> str:
    told = _told(trial)
    if told is None:
        return (
            f"{trial.tested_from} 之前或之后的好、坏贷款不足 {LEAST_BADS} 笔，村级项无法检验，"
            "权重为 0，各村加分均为 0。"
        )
    kept = f"保留权重 {trial.weight:g}。" if trial.weight else "不予采用，各村加分均为 0。"
    return (
        f"用 {trial.tested_from} 起的贷款作跨期检验：权重 {told.weight:g} 的村级项比仅用评分卡"
        f"每笔对数损失降低 {told.gain:.5f}（标准误 {told.gain_error:.5f}，95% 区间 "
        f"{told.gain_low:.5f} 至 {told.gain_high:.5f}）。{kept}"
    )


def _village(
    unit: Division, rating: str, effects: VillageEffects, rng: np.random.Generator
) -> dict[str, Any]:
    effect = effects.by_code.get(unit.code, VillageEffect(0, 0, 0.0, 0.0, 0))
    rated = unit.code not in NEVER_ASSESSED
    line: dict[str, Any] = {
        "code": unit.code,
        "name": unit.name,
        "town": unit.town,
        "rating": rating if rated else UNRATED,
        "points": effect.points if rated else 0,
        "credibility_percent": math.floor(100 * effect.credibility + 0.5) if rated else 0,
    }
    if rated:
        assessed_on = ASSESSED_EARLIER.get(unit.code, ASSESSED_ON[unit.town]).isoformat()
        line["assessed_on"] = assessed_on
        line["evidence"] = _evidence(rating, rng) | {"as_of": assessed_on}
        line["record"] = {"loans": effect.n, "loans_bad": effect.n_bad}
    if unit.code in REVOKED:
        line["revocation"] = REVOKED[unit.code]
    return line


def _evidence(rating: str, rng: np.random.Generator) -> dict[str, int]:
    """Synthetic figures of the day of assessment that fit the rating."""
    households = int(np.exp(HOUSEHOLDS_LN_MEDIAN + HOUSEHOLDS_LN_SPREAD * rng.normal()))
    rated = round(COLLECTED_SHARE * households)
    borrowers = int(rng.binomial(households, BORROWER_SHARE))
    overdue = math.floor(rng.uniform(0, MOST_OVERDUE[rating]) * borrowers)
    balance = borrowers * BALANCE_YUAN
    npl = math.floor(rng.uniform(0, MOST_NPL[rating]) * balance / 100) * 100
    # Up for the good, down for the bad, so that whole numbers stay inside the thresholds; and
    # below the share of the next better rating, which would else be the one to give.
    low, high = A_PLUS_SHARES[rating]
    a_plus = min(math.ceil(rng.uniform(low, high) * rated), math.ceil(high * rated) - 1)
    return {
        "households_total": households,
        "households_rated": rated,
        "households_a_plus": a_plus,
        "borrowers": borrowers,
        "borrowers_overdue": overdue,
        "balance_yuan": balance,
        "npl_balance_yuan": min(npl, overdue * BALANCE_YUAN),  # where nobody is late, none is bad
    }
