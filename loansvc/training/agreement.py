"""Agreement: how far the printed card is from the trained model, in points, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from loansvc.training.cells import Slots
from loansvc.training.compact import Calibration, Lines
from loansvc.training.tabled import Tabled


def agreement_of(
    model_log_odds_bad: NDArray[np.float64],
    lines: Lines,
    slots: Slots,
    tabled: Tabled | None = None,
) -> dict[str, float]:
    """How far the card is from the trained model on these rows, in points, step by step."""
    exact = Calibration(0.0, 1.0).score(model_log_odds_bad)
    compacted, points = (lines.scores(slots, step) for step in ("compacted", "points"))
    bound = lines.rounding_bound_points
    if tabled is not None:
        compacted = compacted + tabled.scores(slots, "compacted")
        points = points + tabled.scores(slots, "points")
        bound += tabled.rounding_bound_points
    return {
        "largest_compaction_points": _up(np.abs(compacted - exact).max()),
        "rounding_bound_points": _up(bound),
        "largest_rounding_points": _up(np.abs(points - compacted).max()),
        "largest_points": _up(np.abs(points - exact).max()),
        "mean_absolute_points": _up(np.abs(points - exact).mean()),
    }


def _up(value: Any) -> float:
    """Up in the third decimal, so that a bound stays one."""
    return float(np.ceil(value * 1000) / 1000)
