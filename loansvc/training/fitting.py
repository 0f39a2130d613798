"""Fitting: from people with a known outcome to a model, its tables, and the lines of a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loansvc.training.additive import N_BAGS, AdditiveModel, Tables, check_parity, collapse, fit
from loansvc.training.cells import Input, encode, inputs_for
from loansvc.training.compact import Calibration, Lines, to_lines
from loansvc.training.synthetic import Population
from loansvc.training.validation import fit_calibration, out_of_fold

N_FOLDS = 5
N_FITS = (N_FOLDS + 1) * N_BAGS  # the folds, and once more on everybody


@dataclass(frozen=True, slots=True)
class Fit:
    """One training: the model, its tables, and the card in its three steps."""

    inputs: tuple[Input, ...]
    model: AdditiveModel
    tables: Tables
    calibration: Calibration
    lines: Lines


def fit_card(people: Population, *, seed: int, on_bag: Callable[[], None] = lambda: None) -> Fit:
    """Train on people with a known outcome, and bring the model onto a card."""
    inputs = inputs_for(people.frame)
    cells, is_bad = encode(people.frame, inputs), people.truth["is_bad"].to_numpy()

    def predict(train: NDArray[np.int64], rest: NDArray[np.int64]) -> NDArray[np.float64]:
        model = fit(cells[train], is_bad[train], inputs, seed=seed, on_bag=on_bag)
        return model.log_odds_bad(cells[rest])

    unseen = out_of_fold(predict, is_bad, n_folds=N_FOLDS, seed=seed)
    calibration = fit_calibration(unseen, is_bad)
    model = fit(cells, is_bad, inputs, seed=seed, on_bag=on_bag)
    tables = collapse(model, cells, is_bad)
    check_parity(model, tables, cells, seed=seed)
    return Fit(inputs, model, tables, calibration, to_lines(tables, calibration))
