"""Villages: the register edition, with points fitted after the card. Evidence is synthetic.

A village's points are what its own loans say beyond the card: `points = -Z x residual x 28.85`.

    residual   ln(bad / good) of its loans beyond the card's and the county's, one Newton step
    Z          credibility, n / (n + K) for n loans with a known outcome
    K          1 / (tau^2 p (1 - p)): tau is the spread between villages, estimated at each fitting

The loans are ones the card was not trained on, so nothing is counted twice; `record` counts them.
Ratings come from the synthetic county; when each was made, and what became of a few, is set out
here by hand. The evidence of a rating is drawn for its day: other borrowers than those of `record`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from loansvc.editions import COUNTY
from loansvc.scorecard import Scorecard
from loansvc.training import synthetic
from loansvc.training.compact import POINTS_PER_LOG_ODDS, SCORE_AT_EVEN_ODDS
from loansvc.training.divisions import Division, divisions
from loansvc.training.records import plain
from loansvc.training.validation import fit_calibration
from loansvc.villages import POINTS_CAP, UNRATED

VILLAGES_SEED = 20261124  # other applicants than any card was trained on
N_APPLICANTS = 32_000  # leaves about 65 loans a village, as in the pilot (DOMAIN 0, point 3)
# Between-village spread, in log-odds. From some 400 bad cases its estimate ranged from 0.15 to 0.48
# over six seeds, so it is held inside bounds: 0.3 is the spread of DOMAIN 0, point 3; 0.2 is a
# proposal [E].
LEAST_TAU, MOST_TAU = 0.2, 0.3
STATEMENT = (
    "本登记册中的信用村评定、指标和日期均为合成数据，仅村名和代码是真实的；仅供演示。"
    "Ratings, evidence and dates of this register are synthetic; only names and codes are real. "
    "For demonstration."
)
REFERENCE = "synthetic village register 2026-07 (rating scheme: DOMAIN 2.3, proposal)"

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


@dataclass(frozen=True, slots=True)
class VillageEffects:
    """What the loans say by village, and how far each village is to be believed."""

    tau: float  # inside its bounds
    tau_estimated: float
    prior_loans: int  # K, a whole number so that who reads it finds the same credibility
    by_code: Mapping[str, VillageEffect]


@dataclass(frozen=True, slots=True)
class VillageEffect:
    """One village: loans with a known outcome, bad ones, residual in ln(bad / good), Z, points."""

    n: int
    n_bad: int
    residual: float
    credibility: float
    points: int


def fit_villages(loans: pd.DataFrame) -> VillageEffects:
    """The effects from one row a loan: village_code, score of the card, is_bad.

    The county's own distance from the card is taken out first: it belongs in the card's next base.
    """
    log_odds_bad = (SCORE_AT_EVEN_ODDS - loans["score"]) / POINTS_PER_LOG_ODDS
    county = fit_calibration(log_odds_bad.to_numpy(), loans["is_bad"].to_numpy())
    expected = 1 / (1 + np.exp(-(county.intercept + county.slope * log_odds_bad)))
    sums = (
        pd.DataFrame(
            {
                "code": loans["village_code"],
                "n": 1,
                "n_bad": loans["is_bad"].astype(int),
                "excess": loans["is_bad"] - expected,
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
            int(row["n"]), int(row["n_bad"]), row["excess"] / row["information"], prior_loans
        )
        for code, row in sums.iterrows()
    }
    return VillageEffects(tau, estimated, prior_loans, by_code)


def _spread(excess: Any, information: Any) -> float:
    """Spread by moments: what the squared excess has beyond chance, 0 if it has nothing."""
    beyond = float((excess**2 - information).sum() / (information**2).sum())
    return math.sqrt(max(beyond, 0.0))


def _effect(n: int, n_bad: int, residual: float, prior_loans: int) -> VillageEffect:
    """The effect of a village with that many loans.

    >>> _effect(65, 5, 0.8, 585)
    VillageEffect(n=65, n_bad=5, residual=0.8, credibility=0.1, points=-2)
    """
    credibility = n / (n + prior_loans)
    points = round(-credibility * residual * POINTS_PER_LOG_ODDS)
    capped = min(max(points, -POINTS_CAP), POINTS_CAP)
    return VillageEffect(n, n_bad, residual, credibility, capped)


def village_loans(card: Scorecard, *, n_applicants: int, seed: int) -> pd.DataFrame:
    """Synthetic credit loans with a known outcome, scored by the card as the service would."""
    people = synthetic.generate(n_applicants, seed=seed).with_known_outcome()
    names = [c.name for c in card.characteristics]
    columns = [plain(people.frame[name]) for name in names]
    rows = (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))
    return pd.DataFrame(
        {
            "village_code": people.frame["village_code"],
            "score": [card.score(row) for row in rows],
            "is_bad": people.truth["is_bad"],
        }
    )


# --- the register -------------------------------------------------------------------------------


def register_document(effects: VillageEffects, *, valid_from: date, seed: int) -> dict[str, Any]:
    """The register of every unit: rating, when it was made, synthetic evidence, record, points."""
    rng = np.random.default_rng(seed)
    ratings = dict(zip(*synthetic.villages()[["code", "rating"]].to_numpy().T, strict=True))
    tau = (
        f"tau {effects.tau:.2f} "
        f"(estimated {effects.tau_estimated:.2f}, bounded to {LEAST_TAU}-{MOST_TAU})"
    )
    return {
        "kind": "villages",
        "product": COUNTY,
        "valid_from": valid_from.isoformat(),
        "reference": f"{REFERENCE}; {tau}, K {effects.prior_loans} loans",
        "synthetic": True,
        "statement": STATEMENT,
        "villages": [_village(d, ratings[d.code], effects, rng) for d in divisions()],
    }


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
    # Up for the good, down for the bad, so that whole numbers stay inside the thresholds.
    a_plus = math.ceil(rng.uniform(*A_PLUS_SHARES[rating]) * rated)
    return {
        "households_total": households,
        "households_rated": rated,
        "households_a_plus": a_plus,
        "borrowers": borrowers,
        "borrowers_overdue": overdue,
        "balance_yuan": balance,
        "npl_balance_yuan": min(npl, overdue * BALANCE_YUAN),  # where nobody is late, none is bad
    }
