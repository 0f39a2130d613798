"""Budget: whether a draft moves recorded answers further than the policy in force allows.

Compared exactly, in whole numbers; the percentages told are rounded to one decimal. A change is a
change in either direction: fewer approvals are as much a surprise as more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from loansvc.errors import OverBudget
from loansvc.monitoring.figures import Figures, percent_text, tenths
from loansvc.monitoring.impact import Impact
from loansvc.monitoring.offers import Prices
from loansvc.policy import ChangeBudget

FLIPS = "flips"
SUMS = (
    ("limit_yuan", "额度合计", "limits", "most_limit_change_percent"),
    ("expected_loss_yuan", "预期损失", "expected loss", "most_expected_loss_change_percent"),
    ("local_guarantor_yuan", "担保资金占用", "fund use", "most_fund_use_change_percent"),
)
# One bound for both: a subsidy that goes moves what is paid as much as a rate that rises.
PRICES = (
    ("interest_yuan", "年利息", "interest", "most_interest_change_percent"),
    ("borrower_yuan", "借款人负担利息", "paid by borrowers", "most_interest_change_percent"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure beside its bound. `change`: in tenths of a percent, None from nothing to some.

    Flips are a share of the decisions; the others are changes of a sum and have a sign.
    """

    name: str
    zh: str
    en: str
    change: int | None
    most_percent: int
    is_over: bool

    @property
    def figure(self) -> str:
        """The figure as text."""
        return percent_text(self.change) if self.name == FLIPS else change_text(self.change)

    def text(self) -> str:
        """Figure and bound, such as "limits +3.1 % (at most 10 %)"."""
        return f"{self.en} {self.figure} (at most {self.most_percent} %)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Every figure beside its bound, and whether there is enough to refuse on."""

    n: int
    n_flips: int
    n_other_terms: int
    least_decisions: int
    measures: tuple[Measure, ...]

    @property
    def is_enough(self) -> bool:
        """Whether so many decisions were made again that a figure says something."""
        return self.n >= self.least_decisions

    @property
    def over(self) -> tuple[Measure, ...]:
        """The figures for which a publication is refused."""
        return tuple(m for m in self.measures if m.is_over) if self.is_enough else ()

    def text(self) -> str:
        """All of it in a line, as it is kept with a publication."""
        measures = ", ".join(m.text() for m in self.measures)
        counts = f"{self.n} decisions, {self.n_flips} change, {self.n_other_terms} with other terms"
        found = f"{counts}: {measures}"
        if not self.is_enough:
            return f"{found}; too few to refuse on (at least {self.least_decisions})"
        return f"{found}; {'over' if self.over else 'within'} the change budget"


def weigh(found: Impact, budget: ChangeBudget) -> Verdict:
    """The impact beside the budget."""
    flips = Measure(
        name=FLIPS,
        zh="结果改变",
        en="flips",
        change=tenths(found.n_flips, found.n) or 0,
        most_percent=budget.most_flips_percent,
        is_over=100 * found.n_flips > budget.most_flips_percent * found.n,
    )
    return Verdict(
        n=found.n,
        n_flips=found.n_flips,
        n_other_terms=found.n_other_terms,
        least_decisions=budget.least_decisions,
        measures=(
            flips,
            *_changes(SUMS, found.before, found.after, budget),
            *_changes(PRICES, found.prices_before, found.prices_after, budget),
        ),
    )


def _changes(
    rows: Iterable[tuple[str, str, str, str]], before: Figures | Prices, after: Figures | Prices,
    budget: ChangeBudget,
) -> Iterator[Measure]:  # fmt: skip
    for name, zh, en, bound in rows:
        was, now, most = getattr(before, name), getattr(after, name), getattr(budget, bound)
        yield Measure(
            name=name,
            zh=zh,
            en=en,
            change=change_of(was, now),
            most_percent=most,
            is_over=100 * abs(now - was) > most * was,
        )


def change_of(before: int, after: int) -> int | None:
    """The change in tenths of a percent of what was; None from nothing to something.

    >>> change_of(200, 190), change_of(0, 0), change_of(0, 5)
    (-50, 0, None)
    """
    size = tenths(abs(after - before), before)
    if size is None:
        return None if after else 0
    return size if after >= before else -size


def change_text(change: int | None) -> str:
    """A change as text.

    >>> change_text(31), change_text(-50), change_text(0), change_text(None)
    ('+3.1 %', '-5.0 %', '0.0 %', 'from nothing')
    """
    if change is None:
        return "from nothing"
    return ("+" if change > 0 else "") + percent_text(change)


def check(verdict: Verdict, name: str) -> None:
    """Let a publication pass, or refuse it.

    Raises:
        OverBudget: with each figure that is over, and its bound.
    """
    if verdict.over:
        figures = ", ".join(measure.text() for measure in verdict.over)
        raise OverBudget(
            f"{name}: would move recorded answers further than the policy in force allows: "
            f"{figures}, over {verdict.n} decisions. Look at them with loansvc impact {name}; "
            "change the draft, or say why it is meant: --force-reason TEXT"
        )
