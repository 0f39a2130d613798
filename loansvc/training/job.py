"""Job: one training on a file, from the table and what is said of it to a card with its manifest.

What is said of the columns comes in a TOML file:

    categorical = ["branch"]            # numbers that are names
    [monotone]
    age = -1                            # risk falls; 0 free, +1 it rises
    [special]
    utilisation = [-1, -9]              # codes, outside the order
    [order]
    grade = ["A", "B", "C"]             # so that a direction can hold
"""

from __future__ import annotations

import hashlib
import platform
import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loansvc.errors import TableRefused
from loansvc.provenance import NOT_STATED
from loansvc.training import compiled, document
from loansvc.training.blend import N_FOLDS, SLOPE_HIGH, SLOPE_LOW
from loansvc.training.compiled import Compiled
from loansvc.training.estimators import (
    DEFAULT_SEED,
    AdditiveBoostingScorecard,
    WoeLogisticScorecard,
)
from loansvc.training.inputs import check_known
from loansvc.training.intake import Finding, Findings, TableWarning, inspect
from loansvc.training.manifest import BLEND_KIND, LIBRARIES
from loansvc.training.pairs.worth import N_FOLDS as N_PAIR_FOLDS
from loansvc.training.table import numbers, read_table

KINDS = {
    "boosting": BLEND_KIND,
    "woe": "weight of evidence and logistic regression",
}
__all__ = ["DEFAULT_SEED", "Job", "n_steps", "read_spec", "run", "special_from"]
SPEC_KEYS = ("monotone", "special", "order", "categorical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is asked for. Days are ISO dates, or words that say why they are not known."""

    data: Path
    target: str
    family: str = "boosting"
    pairs: int = 0
    exclude: tuple[str, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    weights: str | None = None
    seed: int
    population_bad_rate: float | None = None
    product: str | None = None
    valid_from: date | None = None
    reference: str | None = None
    operator: str = NOT_STATED
    impact_assessment_id: str = NOT_STATED
    intended_use: str = NOT_STATED
    limits: tuple[str, ...] = ()
    first_application: str = NOT_STATED
    last_application: str = NOT_STATED
    outcome_known_on: str = NOT_STATED
    sampling: str = "every row of the table"
    storage: str = NOT_STATED
    synthetic: bool = False
    window_months: int | None = None


def read_spec(path: Path) -> dict[str, Any]:
    """What is said of columns in a TOML file.

    Raises:
        TableRefused: it cannot be read, or has a key that is none of SPEC_KEYS.
    """
    try:
        spec = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TableRefused(f"{path.name}: cannot be read as TOML: {error}") from None
    for key, value in spec.items():
        if key not in SPEC_KEYS:
            raise TableRefused(
                f"{path.name}: {key} is not known here. There are: {', '.join(SPEC_KEYS)}."
            )
        if not isinstance(value, list if key == "categorical" else dict):
            form = "a list of columns" if key == "categorical" else f"a table: [{key}]"
            raise TableRefused(f"{path.name}: {key} must be {form}.")
    for name, direction in spec.get("monotone", {}).items():
        if direction not in (-1, 0, 1) or isinstance(direction, bool):
            raise TableRefused(
                f"{path.name}: monotone.{name} must be -1 (risk falls), 0 (free) or 1 (risk rises)."
            )
    for key in ("special", "order"):
        for name, listed in spec.get(key, {}).items():
            if not isinstance(listed, list) or not listed:
                raise TableRefused(f"{path.name}: {key}.{name} must be a list that is not empty.")
    return spec


def special_from(texts: Sequence[str]) -> dict[str, list[float]]:
    """Codes as they stand on the command line.

    >>> special_from(["utilisation=-1,-9"])
    {'utilisation': [-1.0, -9.0]}

    Raises:
        TableRefused: not NAME=CODE,CODE.
    """
    found: dict[str, list[float]] = {}
    for text in texts:
        name, _, codes = text.rpartition("=")
        try:
            found.setdefault(name, []).extend(float(code) for code in codes.split(","))
        except ValueError:
            name = ""
        if not name:
            raise TableRefused(f"--special {text}: give it as COLUMN=CODE,CODE, all numbers.")
    return found


def n_steps(job: Job) -> int:
    """How often `run` calls `on_step`: after each bag and fold of every blend, and at the end.

    >>> n_steps(Job(data=Path("loans.csv"), target="bad", seed=1))
    11
    """
    if job.family == "woe":
        return 1
    n_blends = 1 + (N_PAIR_FOLDS if job.pairs else 0)  # the test of the pairs trains anew
    return 1 + n_blends * 2 * N_FOLDS


def run(
    job: Job,
    *,
    clock: Callable[[], datetime],
    on_findings: Callable[[Sequence[Finding]], None] = lambda found: None,
    on_step: Callable[[], None] = lambda: None,
) -> Compiled:
    """The card. Everything found in the table is told before anything is trained.

    Raises:
        TableRefused: the table has errors, cannot be read, or changes while it is.
    """
    started_at = clock()
    frame, sha256 = _read(job.data)
    found = _inspected(job, frame)
    on_findings(found)
    if found.errors:
        raise TableRefused(
            f"{job.data.name}: {len(found.errors)} of the findings above must be put right first."
        )
    estimator = _estimator(job)
    steps = iter(range(n_steps(job)))

    def step() -> None:
        taken = next(steps, None)
        assert taken is not None, "n_steps knows of every step"
        on_step()

    estimator.on_step = step
    is_bad, rest = frame[job.target], frame.drop(columns=_left_out(job))
    weights = None if job.weights is None else numbers(frame[job.weights])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TableWarning)  # told above, with the target's
        estimator.fit(rest, is_bad, sample_weight=weights)
    if estimator.pair_test_ is not None:
        on_findings([Finding("note", "", _of_pairs(estimator))])
    slope = estimator.calibration_slope_
    if not SLOPE_LOW <= slope <= SLOPE_HIGH:
        text = f"Calibration slope {slope:.2f} is outside {SLOPE_LOW} to {SLOPE_HIGH}: look again."
        on_findings([Finding("warning", "", text)])
    card: Compiled = estimator.compile(
        reference=job.reference or f"trained on {job.data.name}",
        table=job.data.name, target=job.target, product=job.product, valid_from=job.valid_from,
        synthetic=job.synthetic, window_months=job.window_months,
        statement=document.STATEMENT if job.synthetic else compiled.STATEMENT,
        training=_manifest(job, frame, sha256, estimator, found, started_at, clock()),
    )  # fmt: skip
    for _ in steps:  # the last; and those of blends that too few bad cases made do without
        on_step()
    return card


def _read(path: Path) -> tuple[pd.DataFrame, str]:
    """The table, and the SHA-256 of the bytes it was read from."""
    before = _sha256(path)
    frame = read_table(path)
    if _sha256(path) != before:
        raise TableRefused(
            f"{path.name}: changed while it was read. Train again when it is complete."
        )
    return frame, before


def _sha256(path: Path) -> str:
    """Empty where the file cannot be read; `read_table` says why."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _left_out(job: Job) -> list[str]:
    return [job.target, *job.exclude, *([job.weights] if job.weights else [])]


def _inspected(job: Job, frame: pd.DataFrame) -> Findings:
    names = [str(c) for c in frame.columns]
    if job.weights is not None:
        check_known([job.weights], names, "weights")
        if not (numbers(frame[job.weights]) >= 0).all():
            raise TableRefused(f"weights: {job.weights} must be known and not negative everywhere.")
    exclude = [*job.exclude, *([job.weights] if job.weights else [])]
    return inspect(frame, job.target, exclude=exclude, **_said(job))


def _said(job: Job) -> dict[str, Any]:
    return {
        "monotone": job.spec.get("monotone"),
        "special_codes": job.spec.get("special"),
        "categorical": job.spec.get("categorical"),
        "orders": job.spec.get("order"),
    }


def _estimator(job: Job) -> Any:
    common = _said(job) | {
        "random_state": job.seed, "population_bad_rate": job.population_bad_rate
    }  # fmt: skip
    if job.family == "woe":
        return WoeLogisticScorecard(**common)
    return AdditiveBoostingScorecard(pairs=job.pairs, **common)


def _of_pairs(estimator: Any) -> str:
    """What the test of two-way tables found, and whether the card has them."""
    kept = "" if estimator.tabled_ else " The card has none."
    return f"{estimator.pair_test_.sentence}{kept}"


def _manifest(
    job: Job, frame: pd.DataFrame, sha256: str, estimator: Any, found: Findings,
    started: datetime, ended: datetime,
) -> dict[str, Any]:  # fmt: skip
    """How the card was made, as `provenance.REQUIRED` lists it."""
    return {
        "data": {
            "source": job.data.name,
            "storage": job.storage,
            "sha256": sha256,
            "first_application": job.first_application,
            "last_application": job.last_application,
            "outcome_known_on": job.outcome_known_on,
            "sampling": job.sampling,
            "n": len(frame),
            "n_bad": int((frame[job.target] == 1).sum()),
        },
        "run": {
            "script": "loansvc train --data",
            "operator": job.operator,
            "started_at": started.isoformat(timespec="seconds"),
            "ended_at": ended.isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "libraries": {name: version(name) for name in LIBRARIES},
        },
        "model": {
            "kind": KINDS[job.family],
            "parameters": _plain(estimator.get_params()) | {"exclude": list(job.exclude)},
            "iterations": estimator.n_iter_,
            "seed": job.seed,
            "calibration": {
                "intercept": round(estimator.calibration_.intercept + estimator.prior_shift_, 6),
                "slope": round(estimator.calibration_slope_, 6),
            },
        },
        "agreement": dict(estimator.agreement_),
        "pairs": _of_pairs(estimator) if estimator.pair_test_ else "none asked for",
        "findings": [f.text for f in found],
        "governance": {
            "impact_assessment_id": job.impact_assessment_id,
            "intended_use": job.intended_use,
            "limits": list(job.limits) or [NOT_STATED],
        },
    }


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value
