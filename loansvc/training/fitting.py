"""Fitting: from people with a known outcome to a model, its tables, and the lines of a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loansvc.training.blend import N_FOLDS, Trained, fit_blend, fit_woe, has_enough
from loansvc.training.cells import Input, encode, inputs_for
from loansvc.training.compact import Lines, to_lines
from loansvc.training.synthetic import Population

N_FITS = 2 * N_FOLDS  # a bag a fold, and once more the other members


@dataclass(frozen=True, slots=True)
class Fit:
    """One training: the model with its tables, and the card in its three steps."""

    inputs: tuple[Input, ...]
    trained: Trained
    lines: Lines


def fit_card(people: Population, *, seed: int, on_bag: Callable[[], None] = lambda: None) -> Fit:
    """Train on people with a known outcome, and bring the model onto a card."""
    inputs = inputs_for(people.frame)
    slots, is_bad = encode(people.frame, inputs), people.truth["is_bad"].to_numpy()
    if has_enough(is_bad):
        trained = fit_blend(slots, is_bad, inputs, seed=seed, on_bag=on_bag)
    else:
        trained = fit_woe(slots, is_bad, inputs, seed=seed)
    return Fit(inputs, trained, to_lines(trained.tables, trained.calibration))
