"""Pair search: which characteristics say more together than their sum, and what they say.

    grid      the slots of each characteristic in groups, on which trees may cut
    screen    every pair by what its residuals show beyond both margins
    boost     trees of four leaves, one pair each, in bags with a validation part of their own
    search    the best of all pairs, in stages, because pairs that tell the same compete
    join      the grid of a pair in a few groups an axis

All in ln(bad / good), on top of the additive card's log-odds out of fold: in sample that card has
already eaten what pairs would find. `pairs` makes tables of it that can be printed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Groups = NDArray[np.int64]

COARSE = 6  # groups of ordinary cells an axis while pairs are screened
# Pairs left after each stage. In one step from 30 to 10, AUC is 0.003 less on hmeq and on SBA.
STAGES = (60, 30, 16)
MAX_ROUNDS, VALIDATION_SHARE = 400, 0.15
LEAF_CASES, RIDGE = 5, 5.0
SWEEPS = 5  # in which both margins are taken out of a table
JOIN_ROUNDS = 4  # first axis, second axis, and again: they settle in two or three


@dataclass(frozen=True, slots=True)
class Pace:
    """How closely trees look: groups of cells an axis, learning rate, rounds of patience."""

    groups: int
    rate: float
    patience: int


# To choose at the pace of fitting takes several times as long, and chooses no better.
CHOOSING, FITTING = Pace(groups=32, rate=0.3, patience=8), Pace(groups=48, rate=0.1, patience=15)


@dataclass(frozen=True, slots=True)
class Axis:
    """The slots of one characteristic: `n_cells` ordinary ones, then `n_apart` outside the order.

    Apart stand special codes, "not known", and of words "never seen". `direction`: +1 risk grows
    along the cells, -1 it falls, 0 free.
    """

    n_cells: int
    n_apart: int = 1
    ordered: bool = True
    direction: int = 0

    @property
    def n_slots(self) -> int:
        """Ordinary cells and those apart."""
        return self.n_cells + self.n_apart


@dataclass(frozen=True, slots=True)
class Cases:
    """What pairs are found on. `offset`: ln(bad / good) of the additive card, out of fold."""

    codes: NDArray[np.int64]  # (n, d) slots
    is_bad: Values  # 0 or 1
    weights: Values
    offset: Values

    def rows(self, at: NDArray[np.int64]) -> Cases:
        """Some of the rows."""
        return Cases(self.codes[at], self.is_bad[at], self.weights[at], self.offset[at])


@dataclass(frozen=True, slots=True)
class Found:
    """What a pair says: `log_odds[rows[slot], columns[slot]]`, and how much stands behind it."""

    first: int
    second: int
    rows: Groups
    columns: Groups
    log_odds: Values
    information: Values  # sum of weight x p (1 - p) by cell

    @property
    def beyond_margins(self) -> float:
        """The variance it explains beyond what its rows and its columns say by themselves."""
        rest = without_margins(self.log_odds * self.information, self.information)
        return float((rest**2 / np.maximum(self.information, 1e-9)).sum())


def search(
    cases: Cases,
    axes: Sequence[Axis],
    lines: Sequence[Values],
    *,
    k: int,
    n_bags: int,
    seed: int,
    settle: Callable[[list[Found]], list[Found]] = list,
) -> list[Found]:
    """The `k` best pairs and their tables on fine grids, the strongest first.

    At every stage all that are left are fitted together, in one bag, and the weakest go. `settle`
    says what is left of the tables where not every table is allowed.
    """
    left = screen(cases, grid(cases, axes, lines, COARSE))[: STAGES[0]]
    groups = grid(cases, axes, lines, CHOOSING.groups)
    for stage, n_left in enumerate([*(n for n in STAGES[1:] if n > k), k]):
        tried = settle(boost(cases, groups, left, CHOOSING, n_bags=1, seed=seed + stage))
        tried = sorted(tried, key=lambda found: -found.beyond_margins)[:n_left]
        left = [(found.first, found.second) for found in tried if found.beyond_margins > 0]
    groups = grid(cases, axes, lines, FITTING.groups)
    found = boost(cases, groups, left, FITTING, n_bags=n_bags, seed=seed + len(STAGES))
    return sorted(found, key=lambda found: -found.beyond_margins)


# --- grids --------------------------------------------------------------------------------------


def grid(
    cases: Cases, axes: Sequence[Axis], lines: Sequence[Values], most: int
) -> tuple[Groups, ...]:
    """The group of each slot, for each characteristic: at most `most` of about equal weight.

    Words stand in the order of the additive card. A slot apart is always a group of its own.
    """
    return tuple(
        _groups(axis, line, sums_by(column, (axis.n_slots,), cases.weights)[0], most)
        for axis, line, column in zip(axes, lines, cases.codes.T, strict=True)
    )


def _groups(axis: Axis, line: Values, weight: Values, most: int) -> Groups:
    n_cells = axis.n_cells
    order = np.arange(n_cells) if axis.ordered else np.argsort(line[:n_cells], kind="stable")
    found = np.arange(n_cells)
    if n_cells > most:
        within = weight[:n_cells][order]
        middle = (np.cumsum(within) - within / 2) / max(within.sum(), 1e-9)
        quantile = np.searchsorted(np.linspace(0, 1, most + 1)[1:-1], middle)
        found = np.unique(quantile, return_inverse=True)[1]
    groups = np.empty(axis.n_slots, dtype=np.int64)
    groups[order] = found
    groups[n_cells:] = found.max(initial=-1) + 1 + np.arange(axis.n_apart)
    return groups


def sums_by(index: Groups, shape: tuple[int, ...], *values: Values) -> list[Values]:
    """The sum of each of the values by cell of a table of that shape.

    >>> sums_by(np.array([0, 2, 2]), (1, 3), np.array([1.0, 2.0, 3.0]))[0].tolist()
    [[1.0, 0.0, 5.0]]
    """
    size = int(np.prod(shape))
    return [np.asarray(np.bincount(index, v, size), np.float64).reshape(shape) for v in values]


# --- screening ----------------------------------------------------------------------------------


def screen(cases: Cases, groups: Sequence[Groups]) -> list[tuple[int, int]]:
    """Every pair, the best first: chi-square beyond both margins, less what chance would give."""
    p = probability(cases.offset)
    gradient, information = cases.weights * (cases.is_bad - p), cases.weights * p * (1 - p)
    at = [g[column] for g, column in zip(groups, cases.codes.T, strict=True)]
    sizes = [int(g.max()) + 1 for g in groups]
    scores = {}
    for a, b in combinations(range(len(groups)), 2):
        index = at[a] * sizes[b] + at[b]
        g, h = sums_by(index, (sizes[a], sizes[b]), gradient, information)
        g = without_margins(g, h)
        tells = h > 1
        chi_square = g[tells] ** 2 / (h[tells] + RIDGE)
        scores[a, b] = float((chi_square - h[tells] / (h[tells] + RIDGE)).sum())
    return sorted(scores, key=lambda pair: -scores[pair])


def without_margins(sums: Values, weight: Values) -> Values:
    """Weighted sums by cell, less what each row and each column explains.

    >>> sums = np.array([[1.0, 2.0], [3.0, 4.0]])  # rows and columns explain it all
    >>> bool(np.abs(without_margins(sums, np.ones((2, 2)))).max() < 1e-6)
    True
    """
    for _ in range(SWEEPS):
        sums = sums - weight * (sums.sum(1) / (weight.sum(1) + 1e-9))[:, None]
        sums = sums - weight * (sums.sum(0) / (weight.sum(0) + 1e-9))
    return sums


def probability(log_odds: Values) -> Values:
    """Of bad, at ln(bad / good)."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -500, 500))))


def log_loss(is_bad: Values, log_odds: Values) -> Values:
    """Of each case."""
    return np.asarray(np.logaddexp(0, log_odds) - is_bad * log_odds)


# --- boosting -----------------------------------------------------------------------------------


def boost(
    cases: Cases,
    groups: Sequence[Groups],
    pairs: Sequence[tuple[int, int]],
    pace: Pace,
    *,
    n_bags: int,
    seed: int,
) -> list[Found]:
    """The table of each pair on its grid: the mean of the bags."""
    rng = np.random.default_rng(seed)
    at = [g[column] for g, column in zip(groups, cases.codes.T, strict=True)]
    shapes = [(int(groups[a].max()) + 1, int(groups[b].max()) + 1) for a, b in pairs]
    index = [at[a] * shape[1] + at[b] for (a, b), shape in zip(pairs, shapes, strict=True)]
    bags = [_bag(cases, index, shapes, pace, rng) for _ in range(n_bags)]
    p = probability(cases.offset)
    found = []
    for k, (a, b) in enumerate(pairs):
        [information] = sums_by(index[k], shapes[k], cases.weights * p * (1 - p))
        mean = np.mean([bag[k] for bag in bags], axis=0)
        found.append(Found(a, b, groups[a], groups[b], mean, information))
    return found


def _bag(
    cases: Cases,
    index: Sequence[Groups],
    shapes: Sequence[tuple[int, int]],
    pace: Pace,
    rng: np.random.Generator,
) -> list[Values]:
    """Tables after the round that was best on this bag's validation part."""
    is_out = rng.random(len(cases.is_bad)) < VALIDATION_SHARE
    part, rest = cases.rows(np.flatnonzero(~is_out)), cases.rows(np.flatnonzero(is_out))
    at_part, at_rest = [i[~is_out] for i in index], [i[is_out] for i in index]
    cuts = [
        _Cuts.of(sums_by(i, s, np.ones(len(i)))[0]) for i, s in zip(at_part, shapes, strict=True)
    ]
    tables = [np.zeros(s) for s in shapes]
    here, there = part.offset.copy(), rest.offset.copy()
    best, best_round, kept = float(rest.weights @ log_loss(rest.is_bad, there)), -1, tables
    for round_ in range(MAX_ROUNDS):
        for k in rng.permutation(len(shapes)):
            p = probability(here)
            gradient = part.weights * (part.is_bad - p)
            g, h = sums_by(at_part[k], shapes[k], gradient, part.weights * p * (1 - p))
            step = pace.rate * _tree(g, h, cuts[k])
            tables[k] = tables[k] + step
            here += step.ravel()[at_part[k]]
            there += step.ravel()[at_rest[k]]
        loss = float(rest.weights @ log_loss(rest.is_bad, there))
        if loss < best:
            best, best_round, kept = loss, round_, list(tables)
        elif round_ - best_round >= pace.patience:
            break
    return kept


@dataclass(frozen=True, slots=True)
class _Cuts:
    """0 where a leaf on either side holds cases enough, else minus infinity.

    `along`: the first cut along the rows; before it and after it, the second cut along the columns.
    """

    along: tuple[Values, Values]
    across: tuple[Values, Values]

    @classmethod
    def of(cls, n: Values) -> _Cuts:
        """From the number of cases in each cell."""
        n = n.cumsum(0).cumsum(1)
        return cls(_allowed(n), _allowed(n.T))


def _allowed(n: Values) -> tuple[Values, Values]:
    before, after = (
        np.where((m < LEAF_CASES) | ((m[:, -1:] - m < LEAF_CASES) & (m < m[:, -1:])), -np.inf, 0.0)
        for m in (n[:-1], n[-1:] - n[:-1])
    )
    return before, after


def _tree(gradient: Values, information: Values, cuts: _Cuts) -> Values:
    """The step of the best tree of four leaves: one cut along an axis, one on each side of it."""
    g, h = gradient.cumsum(0).cumsum(1), information.cumsum(0).cumsum(1)
    along, across = _best_cuts(g, h, cuts.along), _best_cuts(g.T, h.T, cuts.across)
    is_turned = across[0] > along[0]
    gain, cut, *second = across if is_turned else along
    g, h = (gradient.T, information.T) if is_turned else (gradient, information)
    step = np.zeros(g.shape)
    if gain > 0:
        sides = (slice(None, cut + 1), slice(cut + 1, None))
        for side, at in zip(sides, second, strict=True):
            for leaf in (slice(None, at + 1), slice(at + 1, None)):
                step[side, leaf] = g[side, leaf].sum() / (h[side, leaf].sum() + RIDGE)
    return step.T if is_turned else step


def _best_cuts(g: Values, h: Values, allowed: tuple[Values, Values]) -> tuple[float, int, int, int]:
    """Gain, the first cut along axis 0, and the second on each side; of sums from the corner on."""
    if len(g) == 1:
        return -np.inf, 0, 0, 0
    before, at_before = _best_second(g[:-1], h[:-1], allowed[0])
    after, at_after = _best_second(g[-1:] - g[:-1], h[-1:] - h[:-1], allowed[1])
    cut = int((before + after).argmax())
    return float(before[cut] + after[cut]), cut, int(at_before[cut]), int(at_after[cut])


def _best_second(g: Values, h: Values, allowed: Values) -> tuple[Values, Groups]:
    """The best cut along axis 1 of each row; the last place means none."""
    g_rest, h_rest = g[:, -1:] - g, h[:, -1:] - h
    gain = g * g / (h + RIDGE) + g_rest * g_rest / (h_rest + RIDGE) + allowed
    at = gain.argmax(1)
    return gain[np.arange(len(at)), at], at


# --- joining ------------------------------------------------------------------------------------


def join(found: Found, axes: Sequence[Axis], most: int) -> Found:
    """The same in at most `most` groups of ordinary cells an axis, by least weighted squares.

    Exact along one axis while the other is held, in turn.
    """
    weight = found.information + 1e-3  # an empty cell follows its neighbours
    rows, columns = (np.arange(size) for size in weight.shape)
    for _ in range(JOIN_ROUNDS):
        rows = _runs(*_summed(found.log_odds, weight, columns), axes[found.first].n_apart, most)
        columns = _runs(
            *_summed(found.log_odds.T, weight.T, rows), axes[found.second].n_apart, most
        )
    means, weights = _summed(found.log_odds, weight, columns)
    means, weights = _summed(means.T, weights.T, rows)
    return Found(
        found.first, found.second, rows[found.rows], columns[found.columns], means.T, weights.T
    )


def _summed(values: Values, weight: Values, groups: Groups) -> tuple[Values, Values]:
    """Means and weights with the columns joined into groups."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    weights = np.add.reduceat(weight, starts, axis=1)
    return np.add.reduceat(values * weight, starts, axis=1) / weights, weights


def _runs(values: Values, weight: Values, n_apart: int, most: int) -> Groups:
    """The group of each row: at most `most` runs of neighbours, and those apart by themselves.

    >>> rows = np.array([[0.0, 1.0], [0.1, 1.1], [5.0, 5.0], [9.0, 9.0]])
    >>> _runs(rows, np.ones((4, 2)), 1, 2).tolist()
    [0, 0, 1, 2]
    """
    size = len(values) - n_apart
    sums = [
        np.vstack([np.zeros(values.shape[1]), np.cumsum((weight * values**p)[:size], axis=0)])
        for p in (0, 1, 2)
    ]
    w, wx, wxx = (s[None, 1:] - s[:-1, None] for s in sums)
    cost = (wxx - wx**2 / np.where(w > 0, w, 1)).sum(2)
    cost[np.tril_indices(size, -1)] = np.inf
    best, came_from = [cost[0]], [np.zeros(size, dtype=np.int64)]
    for _ in range(1, min(most, size)):
        # Row i: the last run starts at i, after the best split of the rows before it.
        options = np.vstack([np.full(size, np.inf), best[-1][:-1, None] + cost[1:]])
        came_from.append(options.argmin(axis=0))
        best.append(options.min(axis=0))
    groups, end = np.empty(size, dtype=np.int64), size - 1
    for k in range(int(np.argmin([b[-1] for b in best])), -1, -1):
        start = int(came_from[k][end])
        groups[start : end + 1] = k
        end = start - 1
    return np.append(groups, groups.max() + 1 + np.arange(n_apart))
