"""The model that the peers serve: the boosted bags of a card, as a scikit-learn pipeline.
It is `predict_proba` on a one-row frame, as model servers are used. loansvc serves the card that is
made of the same training run, with everything around it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.pipeline import Pipeline

from loansvc.training.additive import AdditiveModel, model_columns
from loansvc.training.cells import Input, encode

MODEL = "model.joblib"


class Columns(TransformerMixin, BaseEstimator):
    """A frame of characteristics becomes the columns of the model."""

    def __init__(self, inputs: tuple[Input, ...]) -> None:
        self.inputs = inputs

    def fit(self, *_: Any) -> Columns:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        return model_columns(encode(frame, self.inputs), self.inputs)


class Bags(ClassifierMixin, BaseEstimator):
    """The mean of boosted trees that were trained on five folds."""

    def __init__(self, bags: tuple[Any, ...]) -> None:
        self.bags = bags
        self.classes_ = np.array([0, 1])

    def fit(self, *_: Any) -> Bags:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.mean([bag.predict_proba(columns) for bag in self.bags], axis=0)

    def predict(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape `(n_rows,)`: the probability, since some servers call nothing but `predict`."""
        return self.predict_proba(columns)[:, 1]


def load(folder: Path | str) -> Pipeline:
    """The pipeline that was written there."""
    return joblib.load(Path(folder) / MODEL)


def probability(model: Pipeline, record: dict[str, Any]) -> float:
    """Of default, of one applicant."""
    return float(model.predict_proba(pd.DataFrame([record]))[0, 1])


def write(folder: Path) -> dict[str, Any]:
    """Train, write the model, and give one applicant's record."""
    from loansvc.application import characteristics
    from loansvc.registry import Registry
    from loansvc.settings import shipped
    from loansvc.training.train import DEFAULT_SEED, train_scorecard
    from loansvc.underwriting import now
    from loansvc.web.examples import example_application
    from loansvc.web.schemas import load_application

    today = now().date()
    codes = Registry.open(shipped("models")).village_codes
    document = example_application("credit_loan", today=today, number=1)
    application = load_application(document, today=today, village_codes=codes)
    trained = train_scorecard(
        "credit_loan", seed=DEFAULT_SEED, n_applicants=20_000, valid_from=today,
        reference="bench", operator="bench", clock=now,
    )  # fmt: skip
    boosted: Any = trained.fit.trained.model
    boosted = boosted.members[-1]
    assert isinstance(boosted, AdditiveModel)
    pipeline = Pipeline([("columns", Columns(trained.fit.inputs)), ("bags", Bags(boosted.bags))])
    joblib.dump(pipeline, folder / MODEL)
    values, names = characteristics(application), {of.name for of in trained.fit.inputs}
    return {name: value for name, value in values.items() if name in names}
