"""Validation: how well scores tell bad from good, whether their PD is right, and for whom.

report           `validate`: all of it, as an object that shows itself, a page, and JSON
findings         what a reviewer must answer, look at, or know, gravest first

sample           a table scored by a card, and the parts it falls into
counts           good and bad cases by score, from which the figures follow
estimate         a figure with its interval
discrimination   AUC, KS, Brier, log-loss; by period; the distance to the oracle
calibration      slope, intercept, error; by grade
segments         bad cases against those expected, by village, group, grade, period
stability        PSI on the card's own bins, with the critical value of the sample size
monotonicity     whether points keep their direction, and whether data agree
fairness, swap   approvals by protected field; the same cases with another sex or birth place
knockouts        rules that decline by themselves, beside the score
held_out         the figures of a manifest; predictions for cases a model has not seen
html, plots      the page

What is computed, with formulas and sources: docs/validation.md.
"""

from loansvc.training.columns import pd_of
from loansvc.training.validation.calibration import (
    GRADE_FLOORS,
    GradeFigures,
    by_grade,
    fit_calibration,
)
from loansvc.training.validation.discrimination import N_RESAMPLES, auc, auc_interval, ks
from loansvc.training.validation.held_out import Figures, figures, out_of_fold
from loansvc.training.validation.report import ValidationReport, validate
from loansvc.training.validation.swap import swap_records

__all__ = [
    "GRADE_FLOORS",
    "N_RESAMPLES",
    "Figures",
    "GradeFigures",
    "ValidationReport",
    "auc",
    "auc_interval",
    "by_grade",
    "figures",
    "fit_calibration",
    "ks",
    "out_of_fold",
    "pd_of",
    "swap_records",
    "validate",
]
