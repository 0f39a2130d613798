"""Limits: how much each grade may be lent, and what the guarantee fund can carry of it.

Scales as in `strategy`, and

    loss_per_yuan       expected loss of a yuan lent, a share
    fund_share_of_cap   guaranteed here / the most the fund may stand in for, a share
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.training.strategy import Book, Fund, html_table
from loansvc.training.validation import GRADE_FLOORS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIMIT_STEP_YUAN = 10_000  # limits are written in whole ten thousands


@dataclass(frozen=True, slots=True)
class LimitStrategy:
    """What each limit brings in each grade, and the limits that keep the fund within its cap.

    `table`: one row a grade and limit, as if this grade alone were lent to. `within`: one row a
    grade, with the limit wanted and the limit that is left.
    """

    table: pd.DataFrame
    within: pd.DataFrame
    fund: Fund | None

    @property
    def fund_use(self) -> float | None:
        """Use of the fund under the limits that are left."""
        if self.fund is None:
            return None
        return float(self.fund.use(self.within["fund_guaranteed_yuan"].sum()))

    def to_dict(self) -> dict[str, Any]:
        """Both tables as lists of rows, and the fund."""
        return {
            "fund": None if self.fund is None else asdict(self.fund),
            "fund_use": self.fund_use,
            "limits": _plain(self.table),
            "within": _plain(self.within),
        }

    def _repr_html_(self) -> str:
        use = "" if self.fund_use is None else f" Use of the fund: {100 * self.fund_use:.1f} %."
        return (
            f"<p>Limits within the fund's cap, lowered from the weakest grade up.{use}</p>"
            f"{html_table(self.within)}<p>Each grade and limit by itself:</p>"
            f"{html_table(self.table)}"
        )

    def plot(self) -> Figure:
        """Expected loss per yuan, and wanted and remaining limits, by grade."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 5.2), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True)
        grades, at = list(self.within.index), np.arange(len(self.within))
        top.bar(at, 100 * self.within["loss_per_yuan"].fillna(0), color="#b5534a", width=0.6)
        top.set_ylabel("expected loss\n(% of a yuan lent)")
        bottom.bar(at - 0.2, self.within["wanted_yuan"] / 1e4, width=0.38, color="#c9d2da",
                   label="wanted")  # fmt: skip
        bottom.bar(at + 0.2, self.within["limit_yuan"] / 1e4, width=0.38, color="#2f6690",
                   label="within the fund's cap")  # fmt: skip
        bottom.set_ylabel("limit (10,000 yuan)")
        bottom.set_xlabel("grade")
        bottom.set_xticks(at, grades)
        bottom.legend(frameon=False)
        for ax in (top, bottom):
            ax.grid(axis="y", alpha=0.3)
            ax.set_axisbelow(True)
        return figure


def by_grade(
    grades: Sequence[str] | NDArray[Any],
    applications: Book,
    *,
    limits_yuan: Sequence[int],
    wanted_yuan: Mapping[str, int],
    fund: Fund | None = None,
) -> LimitStrategy:
    """Limits by grade, R1 first: each applicant is lent the amount asked for, up to the limit.

    `limits_yuan` are the rows of the table. `wanted_yuan` are the limits before the fund is looked
    at, none larger for a weaker grade; where the fund is too small they are lowered by
    LIMIT_STEP_YUAN at a time, the weakest grade first, to 0 before the next grade is touched.
    """
    known = [g for g in GRADE_FLOORS if g in wanted_yuan]
    of = np.asarray(grades)
    if len(known) != len(wanted_yuan) or of.shape != (len(applications),):
        raise ValueError(f"grades are of {', '.join(GRADE_FLOORS)}, one for each application")
    if unlisted := sorted(set(of.tolist()) - set(known)):
        raise ValueError(f"wanted_yuan names no limit for {', '.join(map(str, unlisted))}")
    if any(wanted_yuan[a] < wanted_yuan[b] for a, b in pairwise(known)):
        raise ValueError("a weaker grade must not have the larger limit")
    rows = [
        {"grade": g, "limit_yuan": limit, **_lent(applications, of == g, limit, fund)}
        for g in known
        for limit in limits_yuan
    ]
    left = _lowered(applications, of, {g: wanted_yuan[g] for g in known}, fund)
    within = [
        {"grade": g, "wanted_yuan": wanted_yuan[g], "limit_yuan": left[g],
         **_lent(applications, of == g, left[g], fund)}
        for g in known
    ]  # fmt: skip
    return LimitStrategy(
        pd.DataFrame(rows).set_index(["grade", "limit_yuan"]),
        pd.DataFrame(within).set_index("grade"),
        fund,
    )


def _lent(b: Book, here: NDArray[np.bool_], limit: int, fund: Fund | None) -> dict[str, float]:
    """What a limit brings in one grade. Loss per yuan is of what is lent; if none, asked for."""
    lent = np.minimum(b.amount_yuan[here], limit)
    loss = lent * b.loss_per_yuan[here]
    guaranteed = float((lent * b.fund_share[here]).sum())
    found = {
        "n": int(here.sum()),
        "lent_yuan": float(lent.sum()),
        "loss_per_yuan": _mean(b.loss_per_yuan[here], lent if lent.sum() else b.amount_yuan[here]),
        "expected_loss_yuan": float(loss.sum()),
        "fund_loss_yuan": float((loss * b.fund_share[here]).sum()),
        "fund_guaranteed_yuan": guaranteed,
    }
    return found | ({} if fund is None else {"fund_share_of_cap": guaranteed / fund.cap_yuan})


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    return float(np.average(values, weights=weights)) if len(values) else float("nan")


def _lowered(
    b: Book, of: NDArray[Any], wanted: dict[str, int], fund: Fund | None
) -> dict[str, int]:
    """Limits lowered from the weakest grade up until the fund carries them."""
    if fund is None:
        return wanted
    free, left = fund.cap_yuan - fund.guaranteed_yuan, dict(wanted)

    def guaranteed(grade: str, limit: int) -> float:
        here = of == grade
        return float((np.minimum(b.amount_yuan[here], limit) * b.fund_share[here]).sum())

    by = {grade: guaranteed(grade, limit) for grade, limit in left.items()}
    for grade in reversed(left):
        while sum(by.values()) > free and left[grade] > 0:
            # Down to the next whole step.
            left[grade] = (left[grade] - 1) // LIMIT_STEP_YUAN * LIMIT_STEP_YUAN
            by[grade] = guaranteed(grade, left[grade])
    return left


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of plain values; what is not known is None."""
    rows = table.reset_index().to_dict("records")
    return [
        {str(k): v if isinstance(v, str | int) else None if v != v else float(v)  # noqa: PLR0124 -- NaN
         for k, v in row.items()}
        for row in rows
    ]  # fmt: skip
