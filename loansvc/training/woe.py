"""WoE: bins whose bad rate never turns, their weight of evidence, and a logistic regression on it.

The challenger of the boosted card, and what stands in for it where the bad cases are few. Needs
numpy and scikit-learn, nothing of the service.

    weight of evidence    ln(bad / good) of a bin against that of all cases, higher is riskier
    information value     sum of (share of bad - share of good) x weight of evidence
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from loansvc.training.cells import Input, Slots, sums_by_slot
from loansvc.training.compact import least_cases

MOST_BINS = 12
NO_GAIN = 2  # so many bins more without a gain, and no more are tried
MOST_PARTS = 32  # of a characteristic, to make bins of: the time grows with the cube
LEAST_SHARE = 0.05  # of the rows in one bin, as peers have it
SMOOTHING = 0.5  # of a case in each bin, split as in the whole: an empty side has no logarithm
# Where a bend gains this much in chi-square over the better of rising and falling, it is one. 12
# lets noise in, 30 keeps bends out: 20 has the best AUC on four of six small public sets.
BEND = 20.0
# A bin more has no price: one of two in chi-square cost 16 percent of the information on new cases
# (a weak number, 1,000 rows). The least share holds the bins.
PENALTY = 1.0  # C of the regression: standard deviation 1 of a weight around 0
FREE, ANY = 0, None  # directions: no order asked for; the better of rising, falling, and free


@dataclass(frozen=True, slots=True)
class WoeModel:
    """The trained model: a logistic regression on the weight of evidence of each slot."""

    inputs: tuple[Input, ...]
    evidence: tuple[NDArray[np.float64], ...]  # (n_slots,) each
    values: tuple[float, ...]  # information value of each
    regression: LogisticRegression
    used: NDArray[np.bool_]  # whose weight would not turn

    def log_odds_bad(self, slots: Slots) -> NDArray[np.float64]:
        """ln(bad / good) of each row of slots, before calibration, shape `(n_rows,)`."""
        found = self.regression.decision_function(_columns(slots, self.evidence)[:, self.used])
        return np.asarray(found, dtype=np.float64)


def _columns(slots: Slots, evidence: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.column_stack([e[column] for e, column in zip(evidence, slots.T, strict=True)])


def fit(
    slots: Slots,
    is_bad: NDArray[np.bool_],
    inputs: Sequence[Input],
    *,
    weights: NDArray[np.float64] | None = None,
    most: int = MOST_BINS,
    least_share: float = LEAST_SHARE,
) -> WoeModel:
    """Bin every characteristic, then weigh them against each other.

    A characteristic whose weight would turn its own evidence around is left out: its points would
    contradict its bins.
    """
    found = [
        evidence_of(of, column, is_bad, weights=weights, most=most, least_share=least_share)
        for of, column in zip(inputs, slots.T, strict=True)
    ]
    evidence = tuple(e for e, _ in found)
    columns = _columns(slots, evidence)
    used = np.ones(len(inputs), dtype=bool)
    while True:
        regression = LogisticRegression(C=PENALTY, solver="newton-cholesky", tol=1e-8)
        regression.fit(columns[:, used], is_bad, sample_weight=weights)
        turned = regression.coef_[0] < 0
        if not turned.any() or turned.all():
            break
        far = regression.coef_[0] <= regression.coef_[0].min() / 2  # several, if about as wrong
        used[np.flatnonzero(used)[far]] = False
    if turned.all():  # nothing says anything: everybody is as bad as all together
        rate = np.average(is_bad, weights=weights)
        regression.intercept_[:] = np.log(rate / (1 - rate))
    np.maximum(regression.coef_, 0, out=regression.coef_)
    return WoeModel(tuple(inputs), evidence, tuple(v for _, v in found), regression, used)


def evidence_of(
    of: Input,
    slots: NDArray[np.int32],
    is_bad: NDArray[np.bool_],
    *,
    weights: NDArray[np.float64] | None = None,
    most: int = MOST_BINS,
    least_share: float = LEAST_SHARE,
) -> tuple[NDArray[np.float64], float]:
    """The weight of evidence of each slot, and the information value of the characteristic.

    Special codes and "not known" have a bin each; with too few cases theirs is 0.
    """
    w = np.ones(len(slots)) if weights is None else weights
    n, n_bad = sums_by_slot(of, slots, w), sums_by_slot(of, slots, w * is_bad)
    least = max(least_share * n.sum(), float(least_cases(len(slots))))
    bins = np.arange(of.n_slots, dtype=np.int32)
    bins[: of.n_cells] = cells_to_bins(
        of, n[: of.n_cells], n_bad[: of.n_cells], most=most, least=least
    )
    in_bin, bad_in_bin = (sums_by_slot(of, bins, x) for x in (n, n_bad))
    woe, parts = _evidence(in_bin, bad_in_bin, n.sum(), n_bad.sum())
    thin = in_bin < least_cases(len(slots))
    woe[thin & (np.arange(len(woe)) >= of.n_cells)] = 0.0
    return woe[bins], float(parts[in_bin > 0].sum())


def cells_to_bins(
    of: Input, n: NDArray[np.float64], n_bad: NDArray[np.float64], *, most: int, least: float
) -> NDArray[np.int64]:
    """For every cell, the first cell of its bin; words without order by their bad rate."""
    if of.ordered:
        order, direction = np.arange(len(n)), of.direction or ANY
    else:
        rate = n_bad.sum() / max(n.sum(), 1.0)
        order, direction = np.argsort((n_bad + 5 * rate) / (n + 5), kind="stable"), FREE
    fine = _coarsened(n[order])
    parts = (np.add.reduceat(x[order], fine) for x in (n, n_bad))
    coarse = best_bins(*parts, most=most, least=least, direction=direction)
    starts = [int(fine[place]) for place in coarse]
    sizes = np.diff([*starts, len(n)])
    found = np.empty(len(n), dtype=np.int64)
    found[order] = np.repeat(order[starts], sizes)
    return found


def _coarsened(n: NDArray[np.float64]) -> NDArray[np.int64]:
    """The first cell of at most MOST_PARTS runs of about equal size."""
    if len(n) <= MOST_PARTS:
        return np.arange(len(n))
    part = (MOST_PARTS * (np.cumsum(n) - n / 2) / n.sum()).astype(np.int64)
    return np.flatnonzero(np.diff(part, prepend=-1))


def best_bins(
    n: NDArray[np.float64],
    n_bad: NDArray[np.float64],
    *,
    most: int,
    least: float,
    direction: int | None = ANY,
) -> list[int]:
    """The first cell of each bin: the greatest information value whose bad rate never turns.

    `direction` +1 rising, -1 falling, FREE, or ANY.

    >>> n, n_bad = np.full(4, 100.0), np.array([2.0, 2.0, 9.0, 8.0])
    >>> best_bins(n, n_bad, most=3, least=50, direction=1)
    [0, 2]
    """
    options = (direction,) if direction is not ANY else (1, -1, FREE)
    found = [_best(n, n_bad, most=most, least=least, direction=d) for d in options]
    if len(found) == 1:
        return found[0][1]
    (rising, falling, free) = found
    monotone = max(rising, falling, key=lambda f: f[0])
    return free[1] if free[0] > monotone[0] + BEND else monotone[1]


def information_value(n: NDArray[np.float64], n_bad: NDArray[np.float64]) -> float:
    """Of bins, by their cases and bad cases.

    >>> round(information_value(np.array([100.0, 100.0]), np.array([10.0, 30.0])), 3)
    0.417
    """
    return float(_evidence(n, n_bad, n.sum(), n_bad.sum())[1].sum())


def _evidence(
    n: NDArray[np.float64], n_bad: NDArray[np.float64], n_all: float, n_bad_all: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight of evidence, and its part of the information value, of each bin."""
    rate = n_bad_all / n_all
    bad = n_bad + SMOOTHING * 2 * rate
    good = np.maximum(n - n_bad, 0) + SMOOTHING * 2 * (1 - rate)
    woe = np.log(bad / good) - np.log(rate / (1 - rate))
    share = n_bad / n_bad_all - (n - n_bad) / (n_all - n_bad_all)
    return np.where(n > 0, woe, 0.0), share * woe


def _best(
    n: NDArray[np.float64],
    n_bad: NDArray[np.float64],
    *,
    most: int,
    least: float,
    direction: int,
) -> tuple[float, list[int]]:
    """The value in chi-square, and the first cell of each bin, by dynamic programming.

    `best[i, j]`: the greatest value of cells 0..j whose last bin is i..j. What may stand before
    it is looked up by bad rate, so that the rate never turns.
    """
    size, total, total_bad = len(n), n.sum(), n_bad.sum()
    if size == 1 or not 0 < total_bad < total:
        return 0.0, [0]
    w, b = (np.concatenate([[0.0], np.cumsum(x)]) for x in (n, n_bad))
    w, b = (np.maximum(x[None, 1:] - x[:-1, None], 0.0) for x in (w, b))
    allowed = np.triu(w >= least) & (w > 0)
    chi = total_bad * (total - total_bad) / total  # value x this is a chi-square
    value = np.where(allowed, chi * _evidence(w, b, total, total_bad)[1], -np.inf)
    rate = direction * b / np.where(w > 0, w, 1.0)
    best = np.where(np.arange(size)[:, None] == 0, value, -np.inf)
    steps: list[NDArray[np.int64]] = []
    top, ends = (float(best[:, -1].max()), 1), 0
    for k in range(2, min(most, size) + 1):
        best, came_from = _one_bin_more(best, value, rate)
        if not np.isfinite(best).any():
            break
        steps.append(came_from)
        gained = float(best[:, -1].max())
        if gained > top[0]:
            top, ends = (gained, k), int(best[:, -1].argmax())
        elif k >= top[1] + NO_GAIN:
            break
    if top[1] == 1:
        return 0.0, [0]
    starts = [ends]
    for came_from in reversed(steps[: top[1] - 1]):
        end = size - 1 if len(starts) == 1 else starts[-2] - 1
        starts.append(int(came_from[starts[-1], end]))
    return top[0], starts[::-1]


def _one_bin_more(
    best: NDArray[np.float64], value: NDArray[np.float64], rate: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    size = len(best)
    more = np.full_like(best, -np.inf)
    came_from = np.zeros((size, size), dtype=np.int64)
    for i in range(1, size):
        before, rates = best[:i, i - 1], rate[:i, i - 1]
        known = np.flatnonzero(np.isfinite(before))
        if not len(known):
            continue
        known = known[np.argsort(rates[known], kind="stable")]
        so_far = np.maximum.accumulate(before[known])
        is_new = np.concatenate([[True], so_far[1:] > so_far[:-1]])
        holder = known[np.maximum.accumulate(np.where(is_new, np.arange(len(known)), 0))]
        at = np.searchsorted(rates[known], rate[i, i:], side="right") - 1
        fits = (at >= 0) & np.isfinite(value[i, i:])
        more[i, i:] = np.where(fits, so_far[at] + value[i, i:], -np.inf)
        came_from[i, i:] = holder[at]
    return more, came_from
