"""Estimators: a card as scikit-learn knows models: fit, predict_proba, then `compile`.

    AdditiveBoostingScorecard   a blend of smooth, WoE and boosted tables (`blend`)
    WoeLogisticScorecard        weight of evidence and a logistic regression (`woe`)

What they predict is what is printed: whole points and their PD. `model_log_odds_bad` asks the
trained model behind the card. Rows are put in order before anything is drawn by chance, so neither
the order of the rows nor that of the columns changes a card; a whole number as sample weight counts
as so many rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import assert_all_finite, check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)
from threadpoolctl import threadpool_limits

from loansvc.scorecard.document import MOST_PAIRS
from loansvc.training import intake
from loansvc.training.agreement import agreement_of
from loansvc.training.blend import (
    FEW,
    N_FOLDS,
    Trained,
    fit_blend,
    fit_woe,
    has_enough,
    prior_shift,
)
from loansvc.training.card import Card
from loansvc.training.cells import Input, Slots, encode
from loansvc.training.compact import Limits, Lines, moved, to_lines
from loansvc.training.compiled import (
    STATEMENT,
    Compiled,
    Head,
    document_of,
)
from loansvc.training.inputs import Said, inputs_of
from loansvc.training.pairs.worth import PairTest
from loansvc.training.table import UnfitTable, as_frame
from loansvc.training.tabled import Tabled, Untabled, with_pairs

DEFAULT_SEED = 20261123  # a date, not chosen by its figures
MOST_BINS_ALLOWED = 40  # a document has at most 50, with codes and states
MOST_REPEATED = 2_000_000  # rows: above, whole-number weights weigh instead of repeating
NOT_PUBLISHED = "not published"


class _Scorecard(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # both untyped
    """What both have in common: the table in, the card out."""

    on_step: Callable[[], None] = staticmethod(lambda: None)  # after each bag and fold

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train on a table and its outcomes; the greater of the two classes is the bad one.

        Raises:
            UnfitTable: a ValueError that names the column and what to do.
        """
        self._check_parameters()
        frame = self._frame(X, reset=True)
        is_bad = self._outcomes(y, len(frame))
        frame, is_bad, weights = _weighted(frame, is_bad, sample_weight)
        if is_bad.all() or not is_bad.any():
            raise UnfitTable("The target holds one class only. Add cases of the other class.")
        said = self._said()
        found = intake.of_features(frame, is_bad, said)
        found.check()
        for finding in (*intake.of_bads(is_bad), *found):
            warnings.warn(finding.text, intake.TableWarning, stacklevel=2)
        self.findings_ = tuple(found)
        inputs = inputs_of(frame.drop(columns=found.dropped), said)
        slots = encode(frame, inputs)
        order = _canonical_order(slots, is_bad, weights)
        weights = None if weights is None else weights[order]
        self._finish(inputs, slots[order], is_bad[order], weights)
        assert (self.card_.score(frame) == self._points(slots)).all(), "the card is its lines"
        return self

    def _points(self, slots: Slots) -> NDArray[np.float64]:
        """The score of each row of slots, from the lines the card was printed from."""
        points = self.lines_.scores(slots, "points")
        return points if self.tabled_ is None else points + self.tabled_.scores(slots, "points")

    def _finish(
        self,
        inputs: tuple[Input, ...],
        slots: Slots,
        is_bad: NDArray[np.bool_],
        weights: NDArray[np.float64] | None,
    ) -> None:
        """Train, calibrate, and bring the model onto its card."""
        # Two threads on a busy machine can take many times as long as one.
        with threadpool_limits(1):
            trained = self._train(inputs, slots, is_bad, weights)
        self.prior_shift_ = 0.0
        if self.population_bad_rate is not None:
            rate = float(np.average(is_bad, weights=weights))
            self.prior_shift_ = prior_shift(rate, self.population_bad_rate)
        self.inputs_, self.model_ = inputs, trained.model
        self.calibration_ = trained.calibration
        self.lines_: Lines = to_lines(trained.tables, trained.calibration, self._limits())
        self.pair_test_: PairTest | None = None
        self.tabled_: Tabled | None = self._tabled(trained, slots, is_bad, weights)
        if self.tabled_ is not None:
            self.lines_ = self.tabled_.lines
        self.lines_ = moved(self.lines_, self.prior_shift_)
        self.parity_, self.n_iter_ = trained.parity, trained.n_iter
        self.calibration_slope_ = trained.slope
        # The tables equal the model within 1e-9, as was just asserted, and are quicker.
        model = self._calibrated(trained.tables.log_odds_bad(slots), slots)
        self.agreement_ = agreement_of(model, self.lines_, slots, self.tabled_)
        self.n_, self.n_bad_ = len(slots), int(is_bad.sum())
        self.card_ = self.compile().card

    def compile(
        self,
        *,
        reference: str = NOT_PUBLISHED,
        statement: str = STATEMENT,
        table: str = "table",
        target: str = "target",
        product: str | None = None,
        valid_from: date | None = None,
        review_by: date | None = None,
        synthetic: bool = False,
        window_months: int | None = None,
        training: Any = None,
    ) -> Compiled:
        """The card with its head, and how far it is from the trained model.

        With `product` a card the service can publish: all columns are of the CATALOGUE.

        Raises:
            UnfitTable: a product's card of another table; it says why.
        """
        check_is_fitted(self, "lines_")
        head = Head(
            reference=reference, statement=statement, table=table, target=target, product=product,
            valid_from=valid_from, review_by=review_by, synthetic=synthetic,
            window_months=window_months,
        )  # fmt: skip
        pairs = [] if self.tabled_ is None else self.tabled_.documents()
        document = document_of(head, self.lines_, pairs=pairs, training=training)
        return Compiled(
            Card.of(document), self.agreement_["largest_points"], self.agreement_, self.parity_
        )

    # --- answers ---------------------------------------------------------------------------------

    def score_points(self, X: Any) -> NDArray[np.int64]:
        """The score of every row in whole points, `(n_rows,)`."""
        check_is_fitted(self, "card_")
        return self.card_.score(self._frame(X, reset=False))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The probability of the good and of the bad class, by the printed card, `(n_rows, 2)`."""
        check_is_fitted(self, "card_")
        bad = self.card_.pd(self._frame(X, reset=False))
        return np.column_stack([1 - bad, bad])

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """ln(bad / good) of the printed PD, `(n_rows,)`."""
        good, bad = self.predict_proba(X).T
        return np.asarray(np.log(bad / good))

    def predict(self, X: Any) -> NDArray[Any]:
        """The likelier class of every row, by the printed card."""
        check_is_fitted(self, "card_")
        return np.asarray(self.classes_[(self.decision_function(X) > 0).astype(int)])

    def model_log_odds_bad(self, X: Any) -> NDArray[np.float64]:
        """ln(bad / good) by the trained model behind the card, calibrated, `(n_rows,)`.

        A word never seen is to the model as the rare ones are; where there are none, as if not
        known, while the card has neutral points for it.
        """
        check_is_fitted(self, "card_")
        slots = encode(self._frame(X, reset=False), self.inputs_)
        return self._calibrated(self.model_.log_odds_bad(slots), slots)

    def _calibrated(self, own: NDArray[np.float64], slots: Slots) -> NDArray[np.float64]:
        """Of the model's own log-odds: with tables, and for the population."""
        found = self.calibration_.log_odds_bad(own)
        if self.tabled_ is not None:
            found = found + self.tabled_.pairs.log_odds_bad(slots.astype(np.int64))
            found = self.tabled_.calibration.log_odds_bad(found)
        return np.asarray(found + self.prior_shift_)

    # --- what comes in ---------------------------------------------------------------------------

    def _frame(self, X: Any, *, reset: bool) -> pd.DataFrame:
        if hasattr(X, "collect"):  # a lazy frame of polars
            X = X.collect()
        if issparse(X) or not hasattr(X, "columns"):
            X = check_array(X, dtype=None, ensure_all_finite=False, estimator=self)
        validate_data(self, X, reset=reset, skip_check_array=True)
        frame = as_frame(X)
        if frame.empty:
            n_rows, n_columns = frame.shape
            raise UnfitTable(
                f"Found a table of {n_rows} rows (samples) and {n_columns} columns. "
                "Give at least one of each."
            )
        return frame.set_axis([str(c) for c in frame.columns], axis=1).reset_index(drop=True)

    def _outcomes(self, y: Any, n_rows: int) -> NDArray[np.bool_]:
        if y is None:
            raise UnfitTable(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        y = column_or_1d(y, warn=True)
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        check_consistent_length(np.empty(n_rows), y)
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind != "binary":
            raise UnfitTable(
                f"Only binary classification is supported. The type of the target is {kind}."
            )
        self.classes_, codes = np.unique(y, return_inverse=True)
        if self.classes_.dtype.kind not in "biuf":
            warnings.warn(
                f"The target holds words: {self.classes_[-1]} is taken for the bad outcome. "
                "Give 1 for bad and 0 for good to be sure.",
                intake.TableWarning, stacklevel=3,
            )  # fmt: skip
        return np.asarray(codes == 1 if len(self.classes_) == 2 else np.zeros(len(y), dtype=bool))

    def _said(self) -> Said:
        names = getattr(self, "feature_names_in_", None)
        columns = [f"x{i}" for i in range(self.n_features_in_)] if names is None else list(names)
        return Said.of(
            columns, monotone=self.monotone, special_codes=self.special_codes,
            categorical=self.categorical, orders=self.orders,
        )  # fmt: skip

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1000))

    def _check_parameters(self) -> None:
        if not 2 <= self.max_bins <= MOST_BINS_ALLOWED:
            raise UnfitTable(f"max_bins must be from 2 to {MOST_BINS_ALLOWED}.")
        if not 0 <= self.min_bin_share < 0.5:
            raise UnfitTable("min_bin_share must be at least 0 and below 0.5.")
        rate = self.population_bad_rate
        if rate is not None and not 0 < rate < 1:
            raise UnfitTable("population_bad_rate must lie between 0 and 1.")

    def _limits(self) -> Limits:
        return Limits(self.max_bins, self.min_bin_share, rare=(), apart_count=True)

    def _train(
        self,
        inputs: tuple[Input, ...],
        slots: Slots,
        is_bad: NDArray[np.bool_],
        weights: NDArray[np.float64] | None,
    ) -> Trained:
        raise NotImplementedError

    def _tabled(
        self,
        trained: Trained,
        slots: Slots,
        is_bad: NDArray[np.bool_],
        weights: NDArray[np.float64] | None,
    ) -> Tabled | None:
        """Two-way tables on top of the lines; a family may have none."""
        return None


class AdditiveBoostingScorecard(_Scorecard):
    """A card from a blend of additive models; below 30 bad cases, from the WoE regression alone.

    Parameters:
        monotone: column to -1 (risk falls), 0 (free), +1 (risk rises); or a list, one a column.
            Default: the CATALOGUE's directions where all columns are of the CATALOGUE.
        special_codes: column to list of numbers that stand outside the order; or one list for all.
        categorical: columns to take as words; by default those of text are.
        orders: column to its words in order, so that a direction can hold.
        pairs: most two-way tables; none is kept that its own test does not find worth it
            (`pair_test_`).
        max_bins, min_bin_share: most bins of a characteristic, and least share of rows in one.
        population_bad_rate: of the population, where the sample was enriched.
        n_bags, max_iter: of the boosted member.
    """

    def __init__(
        self, *, monotone: Any = None, special_codes: Any = None, categorical: Any = None,
        orders: Any = None, pairs: int = 0, max_bins: int = 12, min_bin_share: float = 0.005,
        population_bad_rate: float | None = None, n_bags: int = N_FOLDS, max_iter: int = 3000,
        random_state: Any = DEFAULT_SEED,
    ) -> None:  # fmt: skip
        self.monotone, self.special_codes, self.categorical = monotone, special_codes, categorical
        self.orders, self.pairs = orders, pairs
        self.max_bins, self.min_bin_share = max_bins, min_bin_share
        self.population_bad_rate, self.n_bags = population_bad_rate, n_bags
        self.max_iter, self.random_state = max_iter, random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not 0 <= self.pairs <= MOST_PAIRS:
            raise UnfitTable(f"pairs must be from 0 to {MOST_PAIRS}.")
        if not 2 <= self.n_bags <= FEW or self.max_iter < 1:
            raise UnfitTable(f"n_bags must be from 2 to {FEW}, and max_iter at least 1.")

    def _train(
        self,
        inputs: tuple[Input, ...],
        slots: Slots,
        is_bad: NDArray[np.bool_],
        weights: NDArray[np.float64] | None,
    ) -> Trained:
        if not has_enough(is_bad):
            return fit_woe(
                slots, is_bad, inputs, seed=self._seed(), weights=weights, most=self.max_bins
            )
        return fit_blend(
            slots, is_bad, inputs, seed=self._seed(), weights=weights, n_folds=self.n_bags,
            max_iter=self.max_iter, on_bag=self.on_step,
        )  # fmt: skip

    def _tabled(
        self,
        trained: Trained,
        slots: Slots,
        is_bad: NDArray[np.bool_],
        weights: NDArray[np.float64] | None,
    ) -> Tabled | None:
        if not self.pairs or not has_enough(is_bad) or len(trained.tables.tables) < 2:
            return None

        def train(rows: NDArray[np.int64]) -> Untabled:
            part = None if weights is None else weights[rows]
            inner = self._train(trained.model.inputs, slots[rows], is_bad[rows], part)
            return Untabled(
                to_lines(inner.tables, inner.calibration, self._limits()), inner.out_of_fold
            )

        with threadpool_limits(1):
            found = with_pairs(
                Untabled(self.lines_, trained.out_of_fold), slots, is_bad, train=train,
                k=self.pairs, seed=self._seed(), weights=weights,
            )  # fmt: skip
        self.pair_test_ = found.test
        if found.test.is_worth_it:
            return found
        text = f"pairs: {found.test.sentence} The card has none."
        warnings.warn(text, intake.TableWarning, stacklevel=4)
        return None


class WoeLogisticScorecard(_Scorecard):
    """A card from weight of evidence and a logistic regression; parameters as of the other."""

    def __init__(
        self, *, monotone: Any = None, special_codes: Any = None, categorical: Any = None,
        orders: Any = None, max_bins: int = 12, min_bin_share: float = 0.05,
        population_bad_rate: float | None = None, random_state: Any = DEFAULT_SEED,
    ) -> None:  # fmt: skip
        self.monotone, self.special_codes, self.categorical = monotone, special_codes, categorical
        self.orders, self.max_bins, self.min_bin_share = orders, max_bins, min_bin_share
        self.population_bad_rate, self.random_state = population_bad_rate, random_state

    def _train(
        self,
        inputs: tuple[Input, ...],
        slots: Slots,
        is_bad: NDArray[np.bool_],
        weights: NDArray[np.float64] | None,
    ) -> Trained:
        return fit_woe(
            slots, is_bad, inputs, seed=self._seed(), weights=weights, most=self.max_bins,
            least_share=self.min_bin_share,
        )  # fmt: skip


def _weighted(
    frame: pd.DataFrame, is_bad: NDArray[np.bool_], sample_weight: Any
) -> tuple[pd.DataFrame, NDArray[np.bool_], NDArray[np.float64] | None]:
    """Rows of weight 0 left out; whole numbers as so many rows; others as weights."""
    if sample_weight is None:
        return frame, is_bad, None
    weights = _check_sample_weight(sample_weight, np.empty((len(frame), 1)), dtype=np.float64)
    if (weights < 0).any() or not weights.any():
        raise UnfitTable("Sample weights must not be negative, nor all 0.")
    if (weights == np.round(weights)).all() and weights.sum() <= MOST_REPEATED:
        rows = np.repeat(np.arange(len(frame)), weights.astype(np.int64))
        return frame.iloc[rows].reset_index(drop=True), is_bad[rows], None
    used = weights > 0
    # On average 1: penalties and least shares speak of cases.
    weights = weights[used] / weights[used].mean()
    return frame[used].reset_index(drop=True), is_bad[used], weights


def _canonical_order(
    slots: Slots, is_bad: NDArray[np.bool_], weights: NDArray[np.float64] | None
) -> NDArray[np.intp]:
    """The rows in order of their slots and outcomes, whatever order they came in."""
    keys = [is_bad, *slots.T] if weights is None else [weights, is_bad, *slots.T]
    return np.lexsort(keys)
