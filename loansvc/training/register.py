"""Register: the village register of the synthetic county, with the points fitted on its loans.

Ratings come from the synthetic county; when each was made, and what became of a few, is set out
here by hand. The evidence of a rating is drawn for its day: other borrowers than those of `record`,
which counts the loans behind the points.
"""

from __future__ import annotations

import hashlib
import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from loansvc.editions import COUNTY
from loansvc.scorecard import Scorecard
from loansvc.training import county, synthetic
from loansvc.training.divisions import Division, divisions
from loansvc.training.records import plain
from loansvc.training.villages import (
    LEAST_BADS,
    LEAST_TAU,
    MOST_TAU,
    RULE,
    Arm,
    Trial,
    VillageEffect,
    VillageEffects,
)
from loansvc.villages import UNRATED

VILLAGES_SEED = 20261124  # other applicants than any card was trained on
N_APPLICANTS = 32_000  # leaves about 65 loans a village, as in the pilot (DOMAIN 0, point 3)
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
    "340521101207": date(2024, 3, 15),  # 三里村: 24 + 3 months over on 2026-06-15
    "340521103214": date(2024, 5, 20),  # 普济村: in grace until 2026-08-19
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
    return pd.Timestamp(county.FIRST_DAY) + pd.DateOffset(months=int(month))


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
        line["evidence"] = evidence_for(rating, rng) | {"as_of": assessed_on}
        line["record"] = {"loans": effect.n, "loans_bad": effect.n_bad}
    if unit.code in REVOKED:
        line["revocation"] = REVOKED[unit.code]
    return line


def evidence_for(rating: str, rng: np.random.Generator) -> dict[str, int]:
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
