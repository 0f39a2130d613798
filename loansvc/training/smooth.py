"""Smooth: an additive logistic model whose neighbouring cells differ little, as the data will have.

Every slot has an effect. Along the cells of a characteristic the effects are a random walk, of
words a plain spread; how far they may walk (a variance each) is read from the data itself by
empirical Bayes: the step of Fellner and Schall between Newton's steps (Wood and Fasiolo 2017).
Special codes and "not known" share a spread of their own. Where a direction is declared, the
finished effects are set right by weighted isotonic regression.

`around` another additive model, the effects are what is to be added to that: it is believed until
the data speak against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack
from sklearn.isotonic import isotonic_regression

from loansvc.training.additive import Sum
from loansvc.training.cells import Input, Slots

CENTRING = 10.0  # of the mean effect of a characteristic, so that the base is the base
RIDGE = 1e-4  # keeps the matrix regular where a slot is empty
# The prior of a precision: as if one more effect of half a log-odds had been seen.
PRIOR_EFFECTS, PRIOR_SQUARES = 1.0, 0.25
LEAST_PRECISION, MOST_PRECISION = 0.1, 1e6
NEWTON_STEPS, SCHALL_STEPS = 8, 2
STEP = 0.02  # in log-odds: a Newton step that moves no case further is the last


@dataclass(frozen=True, slots=True)
class SmoothModel:
    """The trained model: its own sum, and what a fold needs to start near it."""

    inputs: tuple[Input, ...]
    sum: Sum
    precisions: NDArray[np.float64]
    effects: NDArray[np.float64]

    def log_odds_bad(self, slots: Slots) -> NDArray[np.float64]:
        """ln(bad / good) of each row of slots, before calibration, shape `(n_rows,)`."""
        return self.sum.log_odds_bad(slots)


def fit(
    slots: Slots,
    is_bad: NDArray[np.bool_],
    inputs: Sequence[Input],
    *,
    weights: NDArray[np.float64] | None = None,
    around: Sum | None = None,
    like: SmoothModel | None = None,
) -> SmoothModel:
    """Train on these rows; `like` gives the variances, and where to start, instead of the data."""
    problem = _Problem.of(slots, is_bad, inputs, weights, around)
    precisions = problem.first_precisions() if like is None else like.precisions
    effects = problem.first_effects() if like is None else like.effects
    for _ in range(NEWTON_STEPS if like is None else SCHALL_STEPS):
        before = effects
        effects, precisions = problem.newton(effects, precisions, learn=like is None)
        if np.abs(problem.design @ (effects - before)).max() < STEP:
            break
    return SmoothModel(tuple(inputs), problem.sum_of(effects, around), precisions, effects)


@dataclass(frozen=True, slots=True)
class _Problem:
    """The rows as a sparse design: one column a slot, and the base as the last."""

    inputs: tuple[Input, ...]
    first: NDArray[np.int64]  # the first column of each characteristic, and the base
    design: sparse.csr_matrix
    is_bad: NDArray[np.bool_]
    weights: NDArray[np.float64]
    offset: NDArray[np.float64]
    counts: NDArray[np.float64]
    penalties: tuple[NDArray[np.float64], ...]  # over the cells of each characteristic
    fixed: NDArray[np.float64]
    apart: NDArray[np.int64]  # columns of special codes and "not known"

    @classmethod
    def of(
        cls,
        slots: Slots,
        is_bad: NDArray[np.bool_],
        inputs: Sequence[Input],
        weights: NDArray[np.float64] | None,
        around: Sum | None,
    ) -> _Problem:
        first = np.concatenate([[0], np.cumsum([i.n_slots for i in inputs])]).astype(np.int64)
        w = np.ones(len(slots)) if weights is None else weights
        design = _design(slots, first)
        counts = design.T @ w
        return cls(
            inputs=tuple(inputs), first=first, design=design, is_bad=is_bad, weights=w,
            offset=np.zeros(len(slots)) if around is None else around.log_odds_bad(slots),
            counts=counts,
            penalties=tuple(_penalty(i) for i in inputs),
            fixed=_fixed(counts, inputs, first),
            apart=np.concatenate(
                [np.arange(a + i.n_cells, a + i.n_slots)
                 for i, a in zip(inputs, first[:-1], strict=True)]
            ),
        )  # fmt: skip

    def first_precisions(self) -> NDArray[np.float64]:
        """One a characteristic, and one of all that stands apart."""
        return np.array([4.0 * i.n_cells if i.ordered else 6.0 for i in self.inputs] + [4.0])

    def first_effects(self) -> NDArray[np.float64]:
        effects = np.zeros(len(self.counts))
        if not self.offset.any():
            rate = self.weights @ self.is_bad / self.weights.sum()
            effects[-1] = np.log(rate / (1 - rate))
        return effects

    def newton(
        self, effects: NDArray[np.float64], precisions: NDArray[np.float64], *, learn: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """One step of Newton's method; the variances are learnt between."""
        own = self.design @ effects
        p = 1 / (1 + np.exp(-(own + self.offset)))
        curvature = np.maximum(self.weights * p * (1 - p), 1e-6 * self.weights)
        scaled = self.design.copy()
        scaled.data = np.repeat(curvature, len(self.inputs) + 1)
        information = (self.design.T @ scaled).toarray()
        target = self.design.T @ (self.weights * (self.is_bad - p) + curvature * own)
        for _ in range(SCHALL_STEPS if learn else 1):
            penalised = self._penalised(information, precisions)
            lower, info = lapack.dpotrf(penalised, lower=1, clean=1)
            assert info == 0, "penalties leave no direction without curvature"
            effects = lapack.dpotrs(lower, target, lower=1)[0]
            if learn:
                precisions = self._learnt(effects, precisions, lower)
        return effects, precisions

    def _penalised(
        self, information: NDArray[np.float64], precisions: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        found = information + self.fixed
        for of, at, penalty, precision in zip(
            self.inputs, self.first[:-1], self.penalties, precisions[:-1], strict=True
        ):
            cells = slice(at, at + of.n_cells)
            found[cells, cells] += precision * penalty
        found[self.apart, self.apart] += precisions[-1]
        return found

    def _learnt(
        self,
        effects: NDArray[np.float64],
        precisions: NDArray[np.float64],
        lower: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Fellner and Schall: what the effects used up of their freedom, over their squares."""
        inverse, _ = lapack.dpotri(lower, lower=1)
        found = precisions.copy()
        for k, (of, at, penalty) in enumerate(
            zip(self.inputs, self.first[:-1], self.penalties, strict=True)
        ):
            cells = slice(at, at + of.n_cells)
            block = np.tril(inverse[cells, cells])
            block = block + np.tril(block, -1).T
            rank = of.n_cells - 1 if of.ordered else of.n_cells
            freedom = max(rank - precisions[k] * float(np.sum(block * penalty)), 1e-3)
            squares = float(effects[cells] @ penalty @ effects[cells])
            found[k] = (freedom + PRIOR_EFFECTS) / (squares + PRIOR_SQUARES / of.n_cells)
        seen = self.apart[self.counts[self.apart] > 0]
        if len(seen):
            freedom = max(len(seen) - precisions[-1] * float(inverse[seen, seen].sum()), 1e-3)
            squares = float(effects[seen] @ effects[seen])
            found[-1] = (freedom + PRIOR_EFFECTS) / (squares + PRIOR_SQUARES)
        return np.clip(found, LEAST_PRECISION, MOST_PRECISION)

    def sum_of(self, effects: NDArray[np.float64], around: Sum | None) -> Sum:
        """The finished sum, set right where a direction is declared."""
        base, entries = float(effects[-1]), np.split(effects[:-1], self.first[1:-1])
        if around is not None:
            base += around.base
            entries = [e + other for e, other in zip(entries, around.entries, strict=True)]
        counts = np.split(self.counts[:-1], self.first[1:-1])
        return Sum(
            base,
            tuple(
                _set_right(i, e, n) for i, e, n in zip(self.inputs, entries, counts, strict=True)
            ),
        )


def _design(slots: Slots, first: NDArray[np.int64]) -> sparse.csr_matrix:
    n_rows, width = len(slots), len(first)
    columns = np.column_stack([slots + first[:-1], np.full(n_rows, first[-1])]).astype(np.int32)
    starts = np.arange(0, n_rows * width + 1, width, dtype=np.int32)
    return sparse.csr_matrix(
        (np.ones(columns.size), columns.ravel(), starts), shape=(n_rows, int(first[-1]) + 1)
    )


def _penalty(of: Input) -> NDArray[np.float64]:
    """Of a random walk along the cells; of words without order, of their squares."""
    if not of.ordered:
        return np.eye(of.n_cells)
    steps = np.diff(np.eye(of.n_cells), axis=0)
    return np.asarray(steps.T @ steps)


def _fixed(
    counts: NDArray[np.float64], inputs: Sequence[Input], first: NDArray[np.int64]
) -> NDArray[np.float64]:
    found = np.zeros((len(counts), len(counts)))
    for of, at in zip(inputs, first[:-1], strict=True):
        slots = slice(at, at + of.n_slots)
        share = counts[slots] / counts[slots].sum()
        found[slots, slots] += CENTRING * np.outer(share, share) + RIDGE * np.eye(of.n_slots)
    found[-1, -1] = RIDGE / 100
    return found


def _set_right(
    of: Input, entries: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    if not of.direction or of.n_cells < 2:
        return entries
    known = isotonic_regression(
        entries[: of.n_cells],
        sample_weight=counts[: of.n_cells] + 1e-3,  # an empty cell follows its neighbours
        increasing=of.direction > 0,
    )
    return np.append(known, entries[of.n_cells :])
