"""How far points move when a card is trained again: bootstrap refits, ours beside optbinning.

    make bench-models ARGS="--stability"

For each refit, the points that each characteristic gives to the rows of the whole table, centred;
taken at the bins of the card of the whole table, but for its lowest and highest one. A bin's
movement is half the range from the 5th to the 95th percentile over the refits.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tests.bench.models import SEED, words_of

N_REFITS = 20
POINTS_PER_LOG_ODDS = 20 / np.log(2)
Contributions = dict[str, NDArray[np.float64]]  # of each row, by characteristic, in points


def ours(train: pd.DataFrame, y: NDArray[np.int64], rows: pd.DataFrame) -> Contributions:
    """By the printed card."""
    from loansvc.training import AdditiveBoostingScorecard
    from loansvc.training.columns import points_by_slot, slots

    card = AdditiveBoostingScorecard(random_state=SEED).fit(train, y).card_.scorecard
    return {
        c.name: points_by_slot(c)[slots(c, rows)].astype(np.float64) for c in card.characteristics
    }


def optbinning(train: pd.DataFrame, y: NDArray[np.int64], rows: pd.DataFrame) -> Contributions:
    """Weight of evidence times its coefficient, on the same scale."""
    from optbinning import BinningProcess, Scorecard
    from sklearn.linear_model import LogisticRegression

    process = BinningProcess(list(train.columns), categorical_variables=words_of(train))
    card = Scorecard(process, LogisticRegression(max_iter=2000)).fit(train, y)
    woe = card.binning_process_.transform(rows)
    names = list(card.binning_process_.get_support(names=True))
    weights = dict(zip(names, card.estimator_.coef_[0], strict=True))
    return {n: woe[n].to_numpy(dtype=np.float64) * -POINTS_PER_LOG_ODDS * weights[n] for n in names}


def movements(
    contributions: Callable[[pd.DataFrame, NDArray[np.int64], pd.DataFrame], Contributions],
    frame: pd.DataFrame,
    y: NDArray[np.int64],
) -> NDArray[np.float64]:
    """The movement of each characteristic: the median over its middle bins, in points."""
    rng = np.random.default_rng(SEED)
    whole = contributions(frame, y, frame)
    drawn = [rng.integers(0, len(y), len(y)) for _ in range(N_REFITS)]
    refits = [contributions(frame.iloc[rows], y[rows], frame) for rows in drawn]
    found = []
    for name, points in whole.items():
        levels, at = np.unique(np.round(points, 6), return_inverse=True)
        given = [r.get(name, np.zeros(len(y))) for r in refits]
        means = np.array([np.bincount(at, g - g.mean()) / np.bincount(at) for g in given])
        low, high = np.quantile(means, [0.05, 0.95], axis=0)
        middle = ((high - low) / 2)[1:-1]
        if len(levels) > 2:
            found.append(float(np.median(middle)))
    return np.array(found)


def report(folder: Path, data: str = "german_statlog") -> None:
    """Ours and optbinning's, a line each."""
    frame = pd.read_parquet(folder / f"{data}.parquet")
    y = frame.pop("target").to_numpy(dtype=np.int64)
    frame = frame.assign(**{n: frame[n].astype(object) for n in words_of(frame)})
    print(f"{data}: movement of middle bins over {N_REFITS} bootstrap refits, in points")
    for name, contributions in (("boosting", ours), ("optbinning", optbinning)):
        moved = movements(contributions, frame, y)
        print(f"{name:<12} median characteristic {np.median(moved):.2f}, largest {moved.max():.2f}")
