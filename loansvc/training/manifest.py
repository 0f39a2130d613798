"""Manifest: how a card was made: data, run, model, agreement, figures, findings.

For people, and for whoever has to trace a card years later (the lists of JR/T 0221-2021, DOMAIN 7).
`loansvc.provenance` lists what must be in it before a card is published. Scoring never looks at it.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from importlib.metadata import version
from typing import Any

from loansvc.training import county as c
from loansvc.training.additive import PARAMETERS, PARITY
from loansvc.training.agreement import agreement_of
from loansvc.training.blend import FEW, MEMBERS, N_FOLDS, SLOPE_HIGH, SLOPE_LOW, Blend
from loansvc.training.cells import Slots, encode
from loansvc.training.compact import LEAST_CASES, Lines
from loansvc.training.fitting import Fit
from loansvc.training.synthetic import Population
from loansvc.training.validation import Figures, by_grade

BLEND_KIND = "blend of additive models, collapsed into tables"
LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy")
TOO_GOOD_AUC = 0.95  # an application score this good has seen the outcome (DOMAIN 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One call of the training: what was asked for, by whom, when, and the check at the door.

    `impact_assessment_id`, `intended_use` and `limits` are the operator's word, not measured.
    """

    product: str
    valid_from: date
    reference: str
    operator: str
    impact_assessment_id: str
    intended_use: str
    limits: Sequence[str]
    seed: int
    n_applicants: int
    started_at: datetime
    ended_at: datetime
    door: Mapping[str, float]


def manifest(
    run: Run, fitted: Fit, trained_on: Population, held_out: Population, reached: Figures
) -> dict[str, Any]:
    """How the card was made, for people; scoring never looks at it."""
    cells = encode(held_out.frame, fitted.inputs)
    scores, is_bad = fitted.lines.scores(cells, "points"), held_out.truth["is_bad"].to_numpy()
    return {
        "data": _data(run, trained_on),
        "run": {
            "script": "loansvc.training.train.train_scorecard",
            "operator": run.operator,
            "started_at": run.started_at.isoformat(timespec="seconds"),
            "ended_at": run.ended_at.isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "libraries": {name: version(name) for name in LIBRARIES},
            "machine": f"{platform.system()} {platform.machine()}",
        },
        "governance": {
            "impact_assessment_id": run.impact_assessment_id,
            "intended_use": run.intended_use,
            "limits": list(run.limits),
        },
        "model": _model(run, fitted),
        "agreement": agreement(fitted, cells),
        "held_out": rounded(asdict(reached)) | {
            "by_grade": [rounded(asdict(row)) for row in by_grade(scores, is_bad)]
        },
        "through_the_door": rounded(run.door),
        "neutral": neutral_slots(fitted.lines),
        "findings": findings(fitted, reached, n_bad=int(trained_on.truth["is_bad"].sum())),
    }  # fmt: skip


def _data(run: Run, trained_on: Population) -> dict[str, Any]:
    last_month = c.WINDOW_MONTHS - c.MATURITY_MONTHS - 1
    return {
        "source": f"synthetic county, seed {run.seed}",
        "first_application": c.FIRST_DAY.isoformat(),
        "last_application": _month_end(last_month).isoformat(),
        "outcome_known_on": _month_end(c.WINDOW_MONTHS - 1).isoformat(),
        "sampling": "accepted by the old rule and matured; a quarter laid aside, stratified",
        "n_applicants": run.n_applicants,
        "n": len(trained_on.frame),
        "n_bad": int(trained_on.truth["is_bad"].sum()),
        "storage": "not kept: the script draws it again from the seed",
        "sha256": checksum(trained_on),
    }


def _month_end(months: int) -> date:
    """The last day of the month that many months after the first of the window."""
    count = c.FIRST_DAY.year * 12 + c.FIRST_DAY.month + months
    return date(count // 12, count % 12 + 1, 1) - timedelta(1)


def _model(run: Run, fitted: Fit) -> dict[str, Any]:
    trained = fitted.trained
    found: dict[str, Any] = {
        "kind": BLEND_KIND,
        "bags": N_FOLDS,
        "iterations": trained.n_iter,
        "parameters": PARAMETERS,
        "seed": run.seed,
        "calibration": {
            "intercept": round(trained.calibration.intercept, 6),
            "slope": round(trained.slope, 6),
        },
    }
    if isinstance(trained.model, Blend):
        shares = zip(MEMBERS, trained.model.shares.tolist(), strict=True)
        found["shares"] = rounded(dict(shares))
    return found


def checksum(people: Population) -> str:
    """SHA-256 of characteristics and outcomes as CSV: the same frame, the same checksum."""
    table = people.frame.assign(is_bad=people.truth["is_bad"].to_numpy())
    return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()


def agreement(fitted: Fit, cells: Slots) -> dict[str, float]:
    """How far the card is from the trained model on these cases, in points, step by step.

    The tables equal the model within `parity_bound` (asserted at every training). Joining cells
    into bins moved a case by at most `largest_compaction`; rounding cannot move any applicant
    whatever by more than `rounding_bound`. Together they moved one of these cases by `largest`.
    """
    trained = fitted.trained
    log_odds_bad = trained.calibration.log_odds_bad(trained.model.log_odds_bad(cells))
    return {"parity_bound_log_odds": PARITY} | agreement_of(log_odds_bad, fitted.lines, cells)


def findings(fitted: Fit, reached: Figures, *, n_bad: int) -> list[str]:
    """What a reviewer must look at before anything else."""
    found = []
    slope = fitted.trained.slope
    if not SLOPE_LOW <= slope <= SLOPE_HIGH:
        found.append(f"calibration slope {slope:.2f} is outside {SLOPE_LOW} to {SLOPE_HIGH}")
    if n_bad < FEW:
        found.append(f"only {n_bad} bad cases: fewer than {FEW} do not carry a card")
    if reached.auc > TOO_GOOD_AUC:
        found.append(f"AUC {reached.auc:.3f} is too good: look for what knows the outcome")
    return found


def neutral_slots(lines: Lines) -> dict[str, list[str]]:
    """Which slots have neutral points because fewer than LEAST_CASES tell."""
    thin = [line for line in lines.lines if line.table.n_missing < LEAST_CASES]
    words = [
        f"{line.input.name}: {word}"
        for line in lines.lines
        if not line.input.ordered
        for word, n in zip(line.input.words, line.table.n.tolist(), strict=True)
        if n < LEAST_CASES
    ]
    return {"not_known": [line.input.name for line in thin], "words": words}


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Decimals to six places: more would only make the digest depend on the machine."""
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in values.items()}
