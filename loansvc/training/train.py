"""Train: a scorecard of one product, from the synthetic county to a document ready to publish.

The order is fixed: draw applicants, keep those whose outcome an analyst would know, lay a quarter
aside, train, collapse, recalibrate once on scores out of fold, compact, round, and only then look
at the cases laid aside. Everything random hangs on one seed; the time of day is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from loansvc.editions import to_text
from loansvc.files import write_whole
from loansvc.provenance import NONE_NEEDED
from loansvc.training.card import Card
from loansvc.training.cells import encode
from loansvc.training.document import document_of
from loansvc.training.fitting import N_FITS, Fit, fit_card
from loansvc.training.manifest import Run
from loansvc.training.report import model_card
from loansvc.training.synthetic import Population, generate
from loansvc.training.validation import Figures, ValidationReport, auc, figures, validate

DEFAULT_SEED = 20261123  # a date, not chosen by its figures
DEFAULT_APPLICANTS = 86_000  # leaves about 20,000 loans to train on and 6,700 to check with
HELD_OUT_SHARE = 0.25
# Through the door: everybody who applies, also whom the old rule turned away. Only the synthetic
# county knows their outcome, and only it knows how good a model could be (the oracle).
N_DOOR = 100_000
CUTOFF = 560  # from which the shipped policies may say yes
DOOR_SEED_STEP = 1_000_003  # a prime: fresh people for every seed

# What holds for every card of the synthetic county, unless the caller says otherwise.
INTENDED_USE = (
    "Demonstration, teaching and tests: one input of a decision on an example application. "
    "Not for real loans."
)
LIMITS = (
    "Synthetic data: the figures show that the method works, not how anybody pays.",
    "Additive: it cannot hold the three interactions of the synthetic county.",
    "Sex, age, hukou and conduct marks are not in it. Nor is the village: see the register.",
    "The supported group is scored; `employment_difficulty` includes disabled people: a reviewer "
    "must confirm that this difference is justified (PIPL art. 24).",
)

Progress = Callable[[str, int, int], None]


def no_progress(step: str, done: int, of: int) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class TrainedCard:
    """A card ready to publish, with what a reviewer wants to see beside it."""

    product: str
    valid_from: date
    document: dict[str, Any]
    markdown: str
    fit: Fit
    trained_on: Population
    held_out: Population
    figures: Figures

    def text(self) -> str:
        """The document as it is published: sorted keys, one bin a line."""
        return to_text(self.document)


def train_scorecard(
    product: str,
    *,
    seed: int,
    n_applicants: int,
    valid_from: date,
    reference: str,
    operator: str,
    clock: Callable[[], datetime],
    impact_assessment_id: str = NONE_NEEDED,
    intended_use: str = INTENDED_USE,
    limits: Sequence[str] = LIMITS,
    on_progress: Progress = no_progress,
) -> TrainedCard:
    """The card of one product, trained on synthetic applicants drawn with this seed.

    `clock` says when the run began and ended, for the manifest; nothing else depends on it.
    `on_progress(step, done, of)` is called before each step and once at the end.
    """
    started_at = clock()
    n_steps = 3 + N_FITS
    steps = iter(range(n_steps))
    on_progress("draw applicants", next(steps), n_steps)
    known = generate(n_applicants, seed=seed, product=product).with_known_outcome()
    trained_on, held_out = lay_aside(known, seed=seed)
    on_progress("train", next(steps), n_steps)
    fitted = fit_card(
        trained_on, seed=seed, on_bag=lambda: on_progress("train", next(steps), n_steps)
    )
    reached = held_out_figures(fitted, held_out, seed=seed)
    on_progress("check", next(steps), n_steps)
    run = Run(
        product=product, valid_from=valid_from, reference=reference, operator=operator,
        impact_assessment_id=impact_assessment_id, intended_use=intended_use, limits=limits,
        seed=seed, n_applicants=n_applicants, started_at=started_at, ended_at=clock(),
        door=through_the_door(fitted, product=product, seed=seed),
    )  # fmt: skip
    document = document_of(run, fitted, trained_on, held_out, reached)
    report = validated(document, trained_on, held_out, seed=seed).to_dict()
    del report["about"]["digest"]  # of the document before the report was in it
    document["training"]["validation"] = report
    on_progress("done", n_steps, n_steps)
    return TrainedCard(
        product, valid_from, document, model_card(document), fitted,
        trained_on, held_out, reached,
    )  # fmt: skip


def lay_aside(known: Population, *, seed: int) -> tuple[Population, Population]:
    """Three quarters to train on and a quarter to check with, with the same share of bad cases."""
    rng = np.random.default_rng(seed)
    is_bad = known.truth["is_bad"].to_numpy()
    held_out = np.zeros(len(is_bad), dtype=bool)
    for outcome in (False, True):
        rows = rng.permutation(np.flatnonzero(is_bad == outcome))
        held_out[rows[: round(HELD_OUT_SHARE * len(rows))]] = True
    return known.take(~held_out), known.take(held_out)


def held_out_figures(fitted: Fit, held_out: Population, *, seed: int) -> Figures:
    """What the printed card reaches on the cases laid aside."""
    return figures(
        fitted.lines.scores(encode(held_out.frame, fitted.inputs), "points"),
        held_out.truth["is_bad"].to_numpy(),
        true_log_odds_bad=held_out.truth["log_odds_bad"].to_numpy(),
        seed=seed,
    )


def validated(
    document: Mapping[str, Any], trained_on: Population, held_out: Population, *, seed: int
) -> ValidationReport:
    """The reviewer's report on the cases laid aside. Villages are left to the register."""
    data = held_out.frame.assign(
        is_bad=held_out.truth["is_bad"],
        half_year=held_out.frame["application_month"] // 6,
        true_log_odds_bad=held_out.truth["log_odds_bad"],
    )
    return validate(
        Card.of(document), data, target="is_bad", reference=trained_on.frame, time="half_year",
        groups=("primary_group", "entity"), protected={"sex": "sex", "age": "age_years"},
        cutoff=CUTOFF, oracle="true_log_odds_bad", seed=seed,
    )  # fmt: skip


def through_the_door(fitted: Fit, *, product: str, seed: int) -> dict[str, float]:
    """AUC of the card and of the oracle on everybody who applies, accepted or not."""
    people = generate(N_DOOR, seed=seed + DOOR_SEED_STEP, product=product)
    is_bad = people.truth["is_bad"].to_numpy()
    scores = fitted.lines.scores(encode(people.frame, fitted.inputs), "points")
    reached = auc(scores, is_bad)
    best = auc(-people.truth["log_odds_bad"].to_numpy(), is_bad)
    return {"n": N_DOOR, "auc": reached, "oracle_auc": best, "distance": best - reached}


def write(trained: TrainedCard, folder: Path) -> Path:
    """Write the document and the model card beside it, each whole; the path of the document.

    Named like the place a registry gives them: `<product>/<first day>.json` and `.md`.
    """
    path = folder / trained.product / f"{trained.valid_from}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, text in ((path, trained.text()), (path.with_suffix(".md"), trained.markdown)):
        write_whole(name, text.encode(), part_folder=path.parent)
    return path
