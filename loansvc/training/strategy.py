"""Strategy: what a cut-off brings, in yuan and in use of the guarantee fund; see `limits`, too.

Scales:
    approval_rate, bad_rate, fund_use   shares; 0 to 1, fund_use above 1 is over the cap
    expected_loss_yuan                  amount x PD x LGD, all who bear it together
    fund_loss_yuan                      the part of it that the local fund bears
    fund_guaranteed_yuan                what the fund stands in for: amount x its share
    profit_yuan                         margin on what is repaid, less the lender's part of the loss

A cut-off approves every score of at least that many points. The amounts are those asked for: who
is approved is assumed to draw all of it, and no other rule to turn anybody away. Losses are those
of the PD's 12 months. A PD trained on the accepted is too low for the rejected: see `reject`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.policy.terms import SHARERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values: TypeAlias = float | Sequence[float] | NDArray[Any] | pd.Series
LENDER, LOCAL_FUND = "bank", "local_guarantor"
MOST_ROWS_SHOWN = 40
OBJECTIVES = ("profit_yuan", "approval_rate", "amount_yuan")


@dataclass(frozen=True, slots=True)
class Fund:
    """What the guarantee fund has, may stand in for per yuan of it, and stands in for already.

    Source of the multiple: 融资担保公司监督管理条例 art. 15 (DOMAIN 3.3), 10 or 15.
    """

    capital_yuan: int
    multiple: int
    guaranteed_yuan: int = 0

    def __post_init__(self) -> None:
        if self.capital_yuan <= 0 or self.multiple <= 0 or self.guaranteed_yuan < 0:
            raise ValueError("a fund has capital and a multiple above 0, and guarantees none below")

    @property
    def cap_yuan(self) -> int:
        """The most it may stand in for."""
        return self.capital_yuan * self.multiple

    def use(self, guaranteed_yuan: Any) -> Any:
        """Its use with this much more guaranteed."""
        return (self.guaranteed_yuan + guaranteed_yuan) / self.cap_yuan


@dataclass(frozen=True, slots=True)
class Book:
    """The applications a strategy is tried on, one row each; see `book`."""

    pd_12m: NDArray[np.float64]
    bad: NDArray[np.float64]  # outcomes where they are known, else the PD
    is_observed: bool
    amount_yuan: NDArray[np.float64]
    lgd: NDArray[np.float64]
    lender_share: NDArray[np.float64]
    fund_share: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pd_12m)

    @property
    def loss_per_yuan(self) -> NDArray[np.float64]:
        """Expected loss of a yuan lent."""
        return self.pd_12m * self.lgd


def book(
    amount_yuan: Values,
    *,
    pd_12m: Values | None = None,
    is_bad: Values | None = None,
    lgd: Values = 0.6,
    shares_percent: Mapping[str, Values] | None = None,
) -> Book:
    """Applications with PD or outcome, or both; every other value one for all or one each.

    `shares_percent` as in a policy's tier: who bears what part of a loss, together 100; without it
    the lender bears all. `lgd` 0.6 is a proposal (DOMAIN 5); a stress is 0.9.

    Raises:
        ValueError: something is out of range, or neither PD nor outcome is given.
    """
    amount = np.asarray(amount_yuan, dtype=np.float64)
    n = len(amount)
    if pd_12m is None and is_bad is None:
        raise ValueError("give pd_12m, is_bad, or both")
    known = _each(is_bad if is_bad is not None else pd_12m, n)
    p = _each(pd_12m if pd_12m is not None else is_bad, n)
    shares = {k: _each(v, n) for k, v in (shares_percent or {LENDER: 100}).items()}
    if unknown := set(shares) - set(SHARERS):
        raise ValueError(f"nobody named {', '.join(sorted(unknown))} bears a loss here: {SHARERS}")
    if not np.allclose(sum(shares.values()), 100):
        raise ValueError("shares_percent must sum to 100 for each application")
    for name, values in (("pd_12m", p), ("is_bad", known), ("lgd", _each(lgd, n))):
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"{name} must lie between 0 and 1 everywhere")
    if n == 0 or not (amount > 0).all():
        raise ValueError("amount_yuan must be above 0 everywhere, for at least one application")
    nobody = np.zeros(n)
    return Book(
        p, known, is_bad is not None, amount, _each(lgd, n),
        shares.get(LENDER, nobody) / 100, shares.get(LOCAL_FUND, nobody) / 100,
    )  # fmt: skip


def _each(values: Any, n: int) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    if found.shape not in ((), (n,)):
        raise ValueError(f"one value for all or one for each of the {n} applications")
    return np.broadcast_to(found, (n,)).astype(np.float64)


# --- cut-offs -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constraint:
    """A bound on one column of the table; `at_most` False: at least."""

    column: str
    bound: float
    at_most: bool

    def met(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """At which cut-offs it holds."""
        values = table[self.column].to_numpy()
        return np.asarray(values <= self.bound if self.at_most else values >= self.bound)

    def __str__(self) -> str:
        word = "at most" if self.at_most else "at least"
        shown = (
            f"{self.bound:,.0f} yuan"
            if self.column.endswith("_yuan")
            else f"{100 * self.bound:g} %"
        )
        return f"{self.column} {word} {shown}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The cut-off that a search found, or why there is none.

    `binding`: what kept the objective from being larger; if there is no cut-off, the fewest
    constraints that cannot be met together.
    """

    cutoff: int | None
    row: Mapping[str, float]
    binding: tuple[str, ...]
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return asdict(self) | {"row": dict(self.row)}


@dataclass(frozen=True, slots=True)
class CutoffStrategy:
    """The table along the cut-off, indexed by it, lowest first."""

    table: pd.DataFrame
    n: int
    is_observed: bool
    fund: Fund | None

    def best(
        self,
        maximise: str = "profit_yuan",
        *,
        most_bad_rate: float | None = None,
        least_approval_rate: float | None = None,
        most_expected_loss_yuan: float | None = None,
        most_fund_use: float | None = 1.0,
    ) -> Choice:
        """The cut-off with the largest `maximise` among those that meet every constraint.

        Of equals the higher one. `most_fund_use` counts only where a fund was given.
        """
        if maximise not in self.table or maximise not in OBJECTIVES:
            raise ValueError(f"maximise one of {[c for c in OBJECTIVES if c in self.table]}")
        wanted = (
            Constraint("bad_rate", most_bad_rate, at_most=True)
            if most_bad_rate is not None else None,
            Constraint("approval_rate", least_approval_rate, at_most=False)
            if least_approval_rate is not None else None,
            Constraint("expected_loss_yuan", most_expected_loss_yuan, at_most=True)
            if most_expected_loss_yuan is not None else None,
            Constraint("fund_use", most_fund_use, at_most=True)
            if most_fund_use is not None and self.fund is not None else None,
        )  # fmt: skip
        constraints = [c for c in wanted if c is not None]
        met = self._met(constraints)
        if not met.any():
            return self._none(constraints)
        values = self.table[maximise]
        cutoff, free = _argmax(values[met]), _argmax(values)

        def without(c: Constraint) -> float:
            """The objective if this constraint were dropped."""
            return float(
                values[self._met([other for other in constraints if other is not c])].max()
            )

        binding = [str(c) for c in constraints if without(c) > values[cutoff]]
        if not binding:  # none alone: two stand in the same way
            binding = [str(c) for c in constraints if not c.met(self.table.loc[[free]])[0]]
        row = dict(zip(self.table.columns, self.table.loc[cutoff].to_numpy().tolist(), strict=True))
        told = dict.fromkeys((maximise, "approval_rate", "bad_rate"))
        text = f"{cutoff} points: " + ", ".join(f"{c} {_shown(c, row[c])}" for c in told)
        text += f". Bound by {' and '.join(binding)}." if binding else "."
        return Choice(cutoff, row, tuple(binding), text)

    def _met(self, constraints: Sequence[Constraint]) -> NDArray[np.bool_]:
        """At which cut-offs all of them hold."""
        everywhere = np.ones(len(self.table), dtype=bool)
        return np.asarray(
            np.logical_and.reduce([everywhere, *(c.met(self.table) for c in constraints)])
        )

    def _none(self, constraints: Sequence[Constraint]) -> Choice:
        """The fewest constraints that no cut-off meets together."""
        for size in range(1, len(constraints) + 1):
            for few in combinations(constraints, size):
                if not self._met(few).any():
                    reach = "; ".join(f"{c}: {self._where(c)}" for c in few)
                    text = f"No cut-off meets all. These bind: {reach}."
                    return Choice(None, {}, tuple(map(str, few)), text)
        raise AssertionError("called only when no cut-off meets all")

    def _where(self, constraint: Constraint) -> str:
        """Where one constraint holds by itself."""
        found = self.table.index[constraint.met(self.table)]
        if len(found) == 0:
            values = self.table[constraint.column]
            nearest = values.min() if constraint.at_most else values.max()
            return f"met nowhere, nearest is {_shown(constraint.column, float(nearest))}"
        return (
            f"met at {found[0]}" if len(found) == 1 else f"met between {found[0]} and {found[-1]}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The table as a list of rows, and what it was made of."""
        rows = self.table.reset_index().to_dict("records")
        plain = [{k: int(v) if k in ("cutoff", "n_approved") else float(v) for k, v in row.items()}
                 for row in rows]  # fmt: skip
        return {
            "n": self.n,
            "bad_rate_is_observed": self.is_observed,
            "fund": None if self.fund is None else asdict(self.fund),
            "cutoffs": plain,
        }

    def _repr_html_(self) -> str:
        kind = "observed" if self.is_observed else "expected, mean PD"
        is_long = len(self.table) > MOST_ROWS_SHOWN
        shown = self.table[self.table.index % 10 == 0] if is_long else self.table
        note = " Every tenth cut-off; all are in `table`." if is_long else ""
        return f"<p>{self.n:,} applications; bad rate {kind}.{note}</p>{html_table(shown)}"

    def plot(self, choice: Choice | None = None) -> Figure:
        """Rates, yuan and use of the fund along the cut-off; a choice as an upright line."""
        from matplotlib.figure import Figure

        panels = ["rates", "yuan", *(["fund"] if self.fund is not None else [])]
        figure = Figure(figsize=(8, 2.6 * len(panels)), layout="constrained")
        axes = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
        x = self.table.index.to_numpy()
        _plot_rates(axes[0], x, self.table, is_observed=self.is_observed)
        _plot_yuan(axes[1], x, self.table)
        if self.fund is not None:
            _plot_fund(axes[2], x, self.table)
        for ax in axes:
            ax.grid(alpha=0.3)
            ax.margins(x=0.01)
            if choice is not None and choice.cutoff is not None:
                ax.axvline(choice.cutoff, color="0.25", linestyle=":", linewidth=1.2)
        if choice is not None and choice.cutoff is not None:
            axes[0].set_title(f"chosen cut-off: {choice.cutoff} points", fontsize=10, loc="left")
        axes[-1].set_xlabel("cut-off (points; approved at or above)")
        return figure


def along_cutoff(
    scores: Values,
    applications: Book,
    *,
    fund: Fund | None = None,
    margin_percent: Values | None = None,
    cutoffs: Sequence[int] | None = None,
) -> CutoffStrategy:
    """The table along the cut-off; by default from the lowest to the highest score.

    `margin_percent`: what the lender earns on a yuan that is repaid, over the whole loan, after
    funding and running costs.

    >>> two = book([100_000, 100_000], pd_12m=[0.01, 0.10], lgd=0.5)
    >>> along_cutoff([620, 560], two).table["expected_loss_yuan"][[560, 561]].tolist()
    [5500.0, 500.0]
    """
    points = np.asarray(scores)
    if points.shape != (len(applications),) or (points != np.rint(points)).any():
        raise ValueError("scores must be whole points, one for each application")
    at = np.asarray(
        range(int(points.min()), int(points.max()) + 1) if cutoffs is None else sorted(set(cutoffs))
    )
    if len(at) == 0 or at[-1] > points.max():
        raise ValueError(f"a cut-off above {points.max():.0f} points approves nobody: leave it out")
    order = np.argsort(-points, kind="stable")
    n_approved = np.searchsorted(np.sort(points), at, side="left")
    n_approved = len(points) - n_approved

    def over(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum over everybody approved, at each cut-off."""
        return np.asarray(np.cumsum(values[order])[n_approved - 1])

    b = applications
    loss = b.amount_yuan * b.loss_per_yuan
    table = {
        "n_approved": n_approved,
        "approval_rate": n_approved / len(points),
        "bad_rate": over(b.bad) / n_approved,
        "amount_yuan": over(b.amount_yuan),
        "expected_loss_yuan": over(loss),
        "fund_loss_yuan": over(loss * b.fund_share),
        "fund_guaranteed_yuan": over(b.amount_yuan * b.fund_share),
    }
    if fund is not None:
        table["fund_use"] = fund.use(table["fund_guaranteed_yuan"])
    if margin_percent is not None:
        earned = b.amount_yuan * (1 - b.pd_12m) * _each(margin_percent, len(b)) / 100
        table["profit_yuan"] = over(earned - loss * b.lender_share)
    frame = pd.DataFrame(table, index=pd.Index(at, name="cutoff"))
    return CutoffStrategy(frame, len(points), b.is_observed, fund)


def _argmax(values: pd.Series[Any]) -> int:
    """The highest cut-off among the best."""
    return int(values.index[values.to_numpy() == values.max()][-1])


# --- shown --------------------------------------------------------------------------------------


def _shown(column: str, value: float) -> str:
    if value != value:  # noqa: PLR0124 -- NaN alone is not itself
        return "–"
    if column.endswith("_yuan") and column != "loss_per_yuan":
        return f"{value:,.0f} yuan"
    return f"{value:,.0f}" if column.startswith("n") else f"{100 * value:.2f} %"


def html_table(table: pd.DataFrame) -> str:
    """Every row; yuan in whole ones, shares in percent."""
    names = [*map(str, table.index.names), *map(str, table.columns)]
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in names)
    lines = (f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in _cells(table))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _cells(table: pd.DataFrame) -> Iterator[list[str]]:
    for place, values in zip(table.index, table.itertuples(index=False), strict=True):
        first = place if isinstance(place, tuple) else (place,)
        rest = (_shown(str(c), float(v)).removesuffix(" yuan")
                for c, v in zip(table.columns, values, strict=True))  # fmt: skip
        yield [
            *(f"{p:,}" if isinstance(p, int | np.integer) and p > 9_999 else str(p) for p in first),
            *rest,
        ]


def _plot_rates(ax: Any, x: NDArray[Any], table: pd.DataFrame, *, is_observed: bool) -> None:
    ax.plot(x, 100 * table["approval_rate"], color="#2f6690", label="approved")
    ax.set_ylabel("approved (%)", color="#2f6690")
    ax.set_ylim(0, 102)
    bad = ax.twinx()
    bad.plot(x, 100 * table["bad_rate"], color="#b5534a")
    kind = "observed" if is_observed else "expected"
    bad.set_ylabel(f"bad among approved,\n{kind} (%)", color="#b5534a")
    bad.set_ylim(bottom=0)


def _plot_yuan(ax: Any, x: NDArray[Any], table: pd.DataFrame) -> None:
    ax.plot(x, table["expected_loss_yuan"] / 1e6, color="#b5534a", label="expected loss")
    ax.plot(x, table["fund_loss_yuan"] / 1e6, color="#d9a05b", label="of it the local fund's")
    if "profit_yuan" in table:
        ax.plot(x, table["profit_yuan"] / 1e6, color="#3f7d58", label="expected profit")
        ax.axhline(0, color="0.5", linewidth=0.8)
    ax.set_ylabel("million yuan")
    ax.legend(frameon=False, fontsize=9)


def _plot_fund(ax: Any, x: NDArray[Any], table: pd.DataFrame) -> None:
    ax.plot(x, 100 * table["fund_use"], color="#6b4e8f")
    ax.axhline(100, color="#b5534a", linestyle="--", linewidth=1)
    ax.text(x[-1], 100, "cap ", ha="right", va="bottom", color="#b5534a", fontsize=9)
    ax.set_ylabel("use of the fund (%)")
    ax.set_ylim(bottom=0)
