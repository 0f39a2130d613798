"""Scorecards beside other models, on public credit data: every figure out of fold.

    make bench-models DATA=FOLDER [ARGS="--models boosting,woe --sets hmeq --json OUT.json"]

FOLDER holds parquet files with a column `target` (1 is bad). Protocol: stratified folds with one
seed; all five below 3,500 training rows, else the first three; at most 12,000 training rows a
fold; one thread; missing stays missing; levels beyond thirty become "other" on the training part.
Ours are measured as printed: whole points, not the model behind them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score, roc_curve
from sklearn.model_selection import StratifiedKFold, train_test_split

SEED = 20261123
N_FOLDS, FEW_FOLDS, MANY_ROWS, MOST_ROWS = 5, 3, 3_500, 12_000
MOST_LEVELS = 30
LEAST_PD = 1e-6  # as the card's own
N_CALIBRATION_BINS = 10
# Columns that are rewritten after the outcome, or say only when: see the notes beside the data.
LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "sba_national_dev": ("term", "approval_fy"),
    "sba_case_ca": ("term", "real_estate", "approval_fy", "selected"),
    "lendingclub_2007_2011": ("issue_year", "issue_month"),
}
# Codes that are states and not amounts, as the sources say.
SPECIAL_CODES: Mapping[str, Mapping[str, list[float]]] = {}

Predict = Callable[[pd.DataFrame], NDArray[np.float64]]
Fit = Callable[[pd.DataFrame, NDArray[np.int64], str], Predict]


@dataclass(frozen=True, slots=True)
class Measured:
    """One model on one data set: means over the folds."""

    data: str
    model: str
    auc: float
    ks: float
    brier: float
    log_loss: float
    calibration_error: float
    slope: float
    fit_seconds: float
    n_folds: int


FIGURES = ("auc", "ks", "brier", "log_loss", "calibration_error", "slope", "fit_seconds")


# --- the data -----------------------------------------------------------------------------------


def folds(frame: pd.DataFrame, y: NDArray[np.int64]) -> Iterator[tuple[Any, Any]]:
    """Training and test rows of each fold that counts."""
    split = StratifiedKFold(N_FOLDS, shuffle=True, random_state=SEED).split(frame, y)
    for fold, (train, test) in enumerate(split):
        if fold >= FEW_FOLDS and len(train) > MANY_ROWS:
            return
        if len(train) > MOST_ROWS:
            train = np.random.default_rng(fold).choice(train, MOST_ROWS, replace=False)  # noqa: PLW2901  # a part of it
        yield train, test


def lumped(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both parts with the rarer levels of long words as "other"."""
    train, test = train.copy(), test.copy()
    for name in words_of(train):
        kept = train[name].value_counts().index[: MOST_LEVELS - 1]
        if train[name].nunique() > MOST_LEVELS:
            for part in (train, test):
                part[name] = part[name].where(part[name].isna() | part[name].isin(kept), "other")
    return train, test


def words_of(frame: pd.DataFrame) -> list[str]:
    """The columns that are no numbers."""
    return [n for n in frame.columns if not pd.api.types.is_numeric_dtype(frame[n].dtype)]


def as_categories(train: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Words as pandas categories with the levels of the training part."""
    levels = {n: pd.CategoricalDtype(sorted(train[n].dropna().unique())) for n in words_of(train)}
    known = {n: frame[n].where(frame[n].isin(t.categories)).astype(t) for n, t in levels.items()}
    return frame.assign(**known)


# --- the models ---------------------------------------------------------------------------------


def ours(family: str, **parameters: Any) -> Fit:
    """A card of ours, scored as it is printed."""

    def fit(X: pd.DataFrame, y: NDArray[np.int64], data: str) -> Predict:
        from loansvc.training import AdditiveBoostingScorecard, WoeLogisticScorecard

        kind = AdditiveBoostingScorecard if family == "boosting" else WoeLogisticScorecard
        codes = SPECIAL_CODES.get(data)
        estimator = kind(special_codes=codes, random_state=SEED, **parameters)
        card = estimator.fit(X, y).compile().card
        return card.pd

    return fit


def optbinning(X: pd.DataFrame, y: NDArray[np.int64], _: str) -> Predict:
    """Its scorecard: optimal binning, WoE, logistic regression; missing has its own WoE."""
    from optbinning import BinningProcess, Scorecard
    from sklearn.linear_model import LogisticRegression

    process = BinningProcess(list(X.columns), categorical_variables=words_of(X))
    card = Scorecard(process, LogisticRegression(max_iter=2000))
    # Without "empirical" missing counts as average, and hmeq falls from 0.91 to 0.89 in AUC.
    card.fit(_for_optbinning(X), y, metric_missing="empirical", metric_special="empirical")
    return lambda frame: card.predict_proba(_for_optbinning(frame))[:, 1]


def _for_optbinning(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{n: frame[n].astype(object) for n in words_of(frame)})


def logistic(X: pd.DataFrame, y: NDArray[np.int64], _: str) -> Predict:
    """Standardised numbers with a mark for missing, one column a level."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    words = words_of(X)
    numbers = [n for n in X.columns if n not in words]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), words),
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=2000))
    filled = {n: X[n].astype(object).where(X[n].notna(), "missing") for n in words}
    model.fit(X.assign(**filled), y)

    def predict(frame: pd.DataFrame) -> NDArray[np.float64]:
        filled = {n: frame[n].astype(object).where(frame[n].notna(), "missing") for n in words}
        return np.asarray(model.predict_proba(frame.assign(**filled))[:, 1])

    return predict


def boosting_unconstrained(X: pd.DataFrame, y: NDArray[np.int64], _: str) -> Predict:
    """scikit-learn's own, with interactions."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=1000, max_leaf_nodes=8, early_stopping=True,
        n_iter_no_change=30, categorical_features="from_dtype", random_state=SEED,
    ).fit(as_categories(X, X), y)  # fmt: skip
    return lambda frame: np.asarray(model.predict_proba(as_categories(X, frame))[:, 1])


def ebm(X: pd.DataFrame, y: NDArray[np.int64], _: str) -> Predict:
    """interpret's explainable boosting machine, with its own pairs; 4 outer bags for time."""
    from interpret.glassbox import ExplainableBoostingClassifier

    model = ExplainableBoostingClassifier(outer_bags=4, n_jobs=1, random_state=SEED).fit(X, y)
    return lambda frame: np.asarray(model.predict_proba(frame)[:, 1])


def lightgbm(X: pd.DataFrame, y: NDArray[np.int64], _: str) -> Predict:
    """Small trees, slow, stopped early on a fifth of the training part."""
    import lightgbm as lgb

    frame = as_categories(X, X)
    fit, stop = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=SEED)
    model = lgb.LGBMClassifier(
        n_estimators=3000, learning_rate=0.03, num_leaves=8, min_child_samples=20,
        subsample=0.8, subsample_freq=1, colsample_bytree=0.5, reg_lambda=1.0,
        n_jobs=1, random_state=SEED, verbose=-1,
    )  # fmt: skip
    model.fit(
        frame.iloc[fit], y[fit], eval_set=[(frame.iloc[stop], y[stop])],
        eval_metric="binary_logloss", callbacks=[lgb.early_stopping(100, verbose=False)],
    )  # fmt: skip
    return lambda other: np.asarray(model.predict_proba(as_categories(X, other))[:, 1])


def catboost(X: pd.DataFrame, y: NDArray[np.int64], _: str) -> Predict:
    """Small trees, slow, stopped early on a fifth of the training part."""
    from catboost import CatBoostClassifier

    words = words_of(X)

    def filled(frame: pd.DataFrame) -> pd.DataFrame:
        known = {n: frame[n].astype(object).where(frame[n].notna(), "missing") for n in words}
        return frame.assign(**known)

    fit, stop = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=SEED)
    model = CatBoostClassifier(
        iterations=3000, learning_rate=0.05, depth=4, cat_features=words, thread_count=1,
        random_seed=SEED, verbose=False, allow_writing_files=False, early_stopping_rounds=100,
    )  # fmt: skip
    frame = filled(X)
    model.fit(frame.iloc[fit], y[fit], eval_set=(frame.iloc[stop], y[stop]))
    return lambda other: np.asarray(model.predict_proba(filled(other))[:, 1])


MODELS: Mapping[str, Fit] = {
    "boosting": ours("boosting"),
    "boosting+10 pairs": ours("boosting", pairs=10),
    "woe": ours("woe"),
    "optbinning": optbinning,
    "logistic": logistic,
    "ebm": ebm,
    "lightgbm": lightgbm,
    "catboost": catboost,
    "hist boosting": boosting_unconstrained,
}


# --- measuring ----------------------------------------------------------------------------------


def measure(data: str, frame: pd.DataFrame, model: str) -> Measured:
    """The means over the folds of one model on one data set."""
    y = frame["target"].to_numpy(dtype=np.int64)
    X = frame.drop(columns=["target", *LEFT_OUT.get(data, ())])
    rows = []
    for train, test in folds(X, y):
        X_train, X_test = lumped(X.iloc[train], X.iloc[test])
        started = time.process_time()
        predict = MODELS[model](X_train, y[train], data)
        seconds = time.process_time() - started
        p = np.clip(predict(X_test), LEAST_PD, 1 - LEAST_PD)
        rows.append([*figures(p, y[test]), seconds])
    means: dict[str, Any] = dict(zip(FIGURES, np.mean(rows, axis=0).tolist(), strict=True))
    return Measured(data=data, model=model, n_folds=len(rows), **means)


def figures(p: NDArray[np.float64], y: NDArray[np.int64]) -> list[float]:
    """AUC, KS, Brier, log-loss, calibration error (ten equal parts), calibration slope."""
    false_positive, true_positive, _ = roc_curve(y, p)
    parts = np.array_split(np.argsort(p, kind="stable"), N_CALIBRATION_BINS)
    error = sum(len(part) * abs(p[part].mean() - y[part].mean()) for part in parts) / len(p)
    return [
        float(roc_auc_score(y, p)),
        float((true_positive - false_positive).max()),
        float(brier_score_loss(y, p)),
        float(log_loss(y, p)),
        float(error),
        slope(p, y),
    ]


def slope(p: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    """Of ln(bad / good) on the predicted one: 1 is right, below 1 too extreme."""
    from sklearn.linear_model import LogisticRegression

    log_odds = np.log(p / (1 - p)).reshape(-1, 1)
    return float(LogisticRegression(C=1e6, max_iter=1000).fit(log_odds, y).coef_[0, 0])


def main(arguments: list[str]) -> None:
    """Measure what is asked for, a line each."""
    parser = argparse.ArgumentParser(description="Scorecards beside other models")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--sets", default="")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--stability", action="store_true", help="how far points move, instead")
    asked = parser.parse_args(arguments)
    if asked.stability:
        from tests.bench.stability import report

        return report(asked.folder)
    paths = sorted(asked.folder.glob("*.parquet"), key=lambda p: p.stat().st_size)
    if asked.sets:
        paths = [p for p in paths if p.stem in asked.sets.split(",")]
    if not paths:
        parser.error(f"no such parquet file in {asked.folder}: name the folder with DATA=FOLDER")
    print(f"{'data':<22} {'model':<18}    auc     ks  brier logloss  caler  slope    fit s  folds")
    rows = []
    for path in paths:
        frame = pd.read_parquet(path)
        for model in asked.models.split(","):
            rows.append(measure(path.stem, frame, model))
            print(line(rows[-1]), flush=True)
    print_means(rows)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n")


def line(m: Measured) -> str:
    """One row of the table."""
    return (
        f"{m.data:<22} {m.model:<18} {m.auc:.4f} {m.ks:.4f} {m.brier:.4f}  {m.log_loss:.4f} "
        f"{m.calibration_error:.4f} {m.slope:6.3f} {m.fit_seconds:8.2f}  {m.n_folds}"
    )


def print_means(rows: list[Measured]) -> None:
    """The mean over the data sets, model by model."""
    frame = pd.DataFrame([asdict(r) for r in rows])
    for model, part in frame.groupby("model", sort=False):
        means: Any = part[list(FIGURES)].mean().to_dict()
        print(line(Measured(data="mean", model=str(model), n_folds=len(part), **means)))


if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        if os.environ.get(name) != "1":
            sys.exit(f"One thread a fit: set {name}=1, as make bench-models does")
    warnings.simplefilter("ignore")  # of the peers; ours are shown by their tests
    main(sys.argv[1:])
