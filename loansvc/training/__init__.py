"""Training: the analysts' workshop. From loan histories to editions; serving never imports it.

table        a table, whatever it came as; its numbers and words
intake       what is wrong, or looks wrong, with it
inputs       what the caller says of its columns, and how each is cut
edges        where a number may be cut, so that a person would say it
cells        the steps in which a characteristic may move, and their slots
additive     boosted trees without interactions, and the tables they are equal to
smooth       an additive model whose neighbouring cells differ little
woe          weight of evidence, and a logistic regression on it
blend        the recipe: all of them, weighed against each other
compact      from exact tables to a few bins of whole points
tabled       two-way tables on top of the lines (`pairs/` finds, fits and tests them)
agreement    how far the card is from the model, in points
compiled     the document of a card of any table, and how far it is from the model
card         the card: reads, scores, writes, exports
columns      a card applied to a whole table at once
estimators   all of it behind scikit-learn's fit and predict_proba
job          one training on a file, with its manifest
validation/  a card held against data: the reviewer's report
export/      the card again as SQL, PMML, ONNX, Excel, and a bundle
reject       the turned-away, as a band of assumptions
strategy     cut-offs: approvals, losses, fund, profit
limits       limits by grade within the fund's cap
plotting     the font and the look of plots

divisions    the village-level units of the county, with their statistics codes
county       the synthetic county: every effect, rate and size, with its reason
synthetic    applicants of that county: what an analyst would get, and the truth apart
records      the application, as a bank would send it, behind a row of that frame
document     the scorecard document of a product with its golden cases
report       the model card, for people
train        a product's card from the county, in one call
manifest     how such a card was made
villages     points of villages, fitted after the card, and their test
register     the village register of the county

>>> from loansvc.training import AdditiveBoostingScorecard, Card, WoeLogisticScorecard
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loansvc.training.card import Card
    from loansvc.training.compiled import Compiled
    from loansvc.training.estimators import AdditiveBoostingScorecard, WoeLogisticScorecard

# Loaded when asked for, so that a part of the workshop does not need the packages of the rest.
_HOMES = {
    "AdditiveBoostingScorecard": "estimators",
    "Card": "card",
    "Compiled": "compiled",
    "WoeLogisticScorecard": "estimators",
}
__all__ = ["AdditiveBoostingScorecard", "Card", "Compiled", "WoeLogisticScorecard"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
