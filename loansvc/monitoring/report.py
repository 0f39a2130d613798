"""Report: one period by product, group, department that vouched, village and month.

The county's yearly review, and any other period. Reads decisions as they were first recorded, of
every client, by the day on which they were decided; holds sums alone, never the decisions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from loansvc.application import GROUPS, ISSUERS, PRODUCTS, Application
from loansvc.decision import credentials_that_count
from loansvc.ledger import Entry
from loansvc.monitoring.figures import Figures, figures_of, figures_of_erased, final_figures
from loansvc.monitoring.words import DEPARTMENT_WORDS, GROUP_WORDS, NONE, PRODUCT_WORDS
from loansvc.policy import Policy
from loansvc.registry import Registry
from loansvc.reviewing import By
from loansvc.reviewing.showing import override_of
from loansvc.reviewing.words import OVERRIDE_REASONS
from loansvc.underwriting import Recorded

FEWEST_PEOPLE = 3  # in a row of these dimensions: fewer may tell who somebody is
# Departments with the groups: the row of one that vouches for a single group is that group's row.
BY_PERSON = ("override", "officer")  # tables of what people decided, empty where nobody did
SMALL_CELLS = ("group", "department", "village", *BY_PERSON)
# What makes every figure below one to be careful with: named at the top, with how many it touches.
CAUTIONS = ("SYNTHETIC_SCORECARD", "SYNTHETIC_REGISTER", "POLICY_TO_VERIFY")
ERASED = "erased"  # where a village would stand
ERASED_TEXTS = (
    "个人信息此后已删除的决定：只计笔数、批准金额和担保，不计申请金额、贴息、预期损失和群体",
    "Person erased since: counted with amount approved and guarantee, without the amount asked "
    "for, subsidy, expected loss and groups",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table. `hidden`: only the number of applications is shown."""

    key: str
    zh: str
    en: str
    figures: Figures
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One dimension. `adds_up`: every application stands in exactly one row."""

    name: str
    zh: str
    en: str
    adds_up: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """A warning that decisions of the period carry, and how many do."""

    code: str
    zh: str
    en: str
    decisions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A period, its total, and the same by each dimension."""

    since: date
    until: date
    total: Figures
    tables: tuple[Table, ...]
    cautions: tuple[Caution, ...]
    all_cells: bool

    @property
    def n_hidden(self) -> int:
        """Rows of which only the number of applications is shown."""
        return sum(row.hidden for table in self.tables for row in table.rows)


def report(
    recorded: Iterable[Recorded],
    registry: Registry,
    *,
    since: date,
    until: date,
    all_cells: bool = False,
    erased: Iterable[tuple[Entry, Mapping[str, Any]]] = (),
) -> Report:
    """The report on these decisions, which come newest first.

    `erased`: those whose person was erased since, with what remains of them.

    A group or a department counts by the credentials that counted for the decision; whoever has
    several stands in several rows. What people decided by now counts beside what the machine
    decided. Unless `all_cells`, rows of SMALL_CELLS with fewer than
    FEWEST_PEOPLE people are hidden, with as many more as it takes that the total does not give
    them away.

    Raises:
        NotFound: an edition that a decision names is no longer there.
    """
    sums = _Sums()
    for one in recorded:
        sums.add(one, registry)
    for entry, remains in erased:
        sums.add_erased(entry, remains)
    hidden = {
        name: frozenset() if all_cells else _hidden(getattr(sums, name), sums.people[name])
        for name in SMALL_CELLS
    }
    return Report(
        since=since,
        until=until,
        total=sums.total,
        tables=tuple(_tables(sums, hidden)),
        cautions=tuple(
            Caution(code=code, zh=zh, en=en, decisions=sums.n_cautions[code])
            for code in (*CAUTIONS, ERASED.upper())
            if sums.n_cautions[code]
            for zh, en in (sums.caution_texts[code],)
        ),
        all_cells=all_cells,
    )


def _people_by_key() -> dict[str, defaultdict[str, set[str]]]:
    return {name: defaultdict(set) for name in SMALL_CELLS}


def _figures_by_key() -> defaultdict[str, Figures]:
    return defaultdict(Figures)


@dataclass(slots=True)
class _Sums:
    """What is held while the decisions go by."""

    total: Figures = field(default_factory=Figures)
    product: defaultdict[str, Figures] = field(default_factory=_figures_by_key)
    group: defaultdict[str, Figures] = field(default_factory=_figures_by_key)
    department: defaultdict[str, Figures] = field(default_factory=_figures_by_key)
    village: defaultdict[str, Figures] = field(default_factory=_figures_by_key)
    month: defaultdict[str, Figures] = field(default_factory=_figures_by_key)
    override: defaultdict[str, Figures] = field(default_factory=_figures_by_key)
    officer: defaultdict[str, Figures] = field(default_factory=_figures_by_key)
    people: dict[str, defaultdict[str, set[str]]] = field(default_factory=_people_by_key)
    village_names: dict[str, str] = field(default_factory=dict)
    n_cautions: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    caution_texts: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, one: Recorded, registry: Registry) -> None:
        """Count one decision wherever it belongs."""
        decision, application = one.decision, one.application
        act = override_of(one.acts)
        override = act[1] if act else None
        figures = figures_of(decision, asked_yuan=application.loan.amount_yuan)
        figures += final_figures(decision, override)
        village = decision["village"]["code"]
        policy = registry.recorded_one(decision["editions"]["policy"]).content
        groups, departments = standing_of(application, policy)
        self.total += figures
        self.product[decision["product"]] += figures
        self.village[village] += figures
        self.month[decision["decided_at"][:7]] += figures
        for group in groups:
            self.group[group] += figures
        for department in departments:
            self.department[department] += figures
        keys = {"group": groups, "department": departments, "village": (village,)}
        if override is not None:
            reason, officer = override["override"]["reason"], By(**override["by"]).name
            self.override[reason] += figures
            self.officer[officer] += figures
            keys |= {"override": (reason,), "officer": (officer,)}
        self._add_person(one.entry.subject_ref, keys)
        if village not in self.village_names:  # of the newest decision, which comes first
            self.village_names[village] = village_name(decision, registry)
        for warning in decision["warnings"]:
            if warning["code"] in CAUTIONS:
                self.n_cautions[warning["code"]] += 1
                self.caution_texts.setdefault(warning["code"], (warning["zh"], warning["en"]))

    def add_erased(self, entry: Entry, remains: Mapping[str, Any]) -> None:
        """Count what is left of a decision: everywhere but in a village, group or department."""
        figures = figures_of_erased(entry.outcome, remains)
        self.total += figures
        self.product[entry.product] += figures
        self.month[entry.decided_at[:7]] += figures
        self.village[ERASED] += figures
        self.village_names[ERASED] = "已删除 erased"
        self._add_person(entry.subject_ref, {**dict.fromkeys(SMALL_CELLS, ()), "village": [ERASED]})
        self.n_cautions[ERASED.upper()] += 1
        self.caution_texts[ERASED.upper()] = ERASED_TEXTS

    def _add_person(self, ref: str, keys: Mapping[str, Iterable[str]]) -> None:
        """Remember who stands in a row, until there are enough of them."""
        for name in SMALL_CELLS:
            for key in keys.get(name, ()):
                if len(self.people[name][key]) < FEWEST_PEOPLE:
                    self.people[name][key].add(ref)


def standing_of(
    application: Application, policy: Policy
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Groups and departments of the credentials that count; ("none",) where none does."""
    counted = credentials_that_count(application, policy)
    kinds, issuers = ({c.kind for c in counted}, {c.issuer for c in counted})
    groups = tuple(g for g in GROUPS if g in kinds) or (NONE,)
    return groups, tuple(i for i in ISSUERS if i in issuers) or (NONE,)


def village_name(decision: Mapping[str, Any], registry: Registry) -> str:
    """Town and village, as the register that the decision names has them."""
    register = registry.recorded_one(decision["editions"]["villages"]).content
    village = register.villages.get(decision["village"]["code"])
    return f"{village.town} {village.name}" if village else str(decision["village"]["name"])


# --- small cells --------------------------------------------------------------------------------


def _hidden(figures: Mapping[str, Figures], people: Mapping[str, set[str]]) -> frozenset[str]:
    """Rows of too few people, and the smallest others until what is hidden is no single row's.

    Else the total less the rows that are shown would be the hidden row.
    """
    hidden = {key for key, refs in people.items() if len(refs) < FEWEST_PEOPLE}
    others = sorted(people.keys() - hidden, key=lambda key: (figures[key].applications, key))
    while hidden and others and not _is_safe(hidden, people):
        hidden.add(others.pop(0))
    return frozenset(hidden)


def _is_safe(hidden: set[str], people: Mapping[str, set[str]]) -> bool:
    together = set().union(*(people[key] for key in hidden))
    return len(hidden) > 1 and len(together) >= FEWEST_PEOPLE


# --- tables -------------------------------------------------------------------------------------


def _tables(sums: _Sums, hidden: Mapping[str, frozenset[str]]) -> Iterator[Table]:
    yield Table(
        name="product", zh="按产品", en="By product", adds_up=True,
        rows=_worded(sums.product, PRODUCTS, PRODUCT_WORDS),
    )  # fmt: skip
    yield Table(
        name="group", zh="按扶持群体", en="By group", adds_up=False,
        rows=_worded(sums.group, (*GROUPS, NONE), GROUP_WORDS, hidden["group"]),
    )  # fmt: skip
    yield Table(
        name="department", zh="按出具证明的部门", en="By department that vouched", adds_up=False,
        rows=_worded(sums.department, (*ISSUERS, NONE), DEPARTMENT_WORDS, hidden["department"]),
    )  # fmt: skip
    villages = tuple(
        Row(key=code, zh=sums.village_names[code], en=sums.village_names[code],
            figures=sums.village[code], hidden=code in hidden["village"])
        for code in sorted(sums.village)
    )  # fmt: skip
    yield Table(name="village", zh="按村", en="By village", adds_up=True, rows=villages)
    months = tuple(
        Row(key=month, zh=f"{month[:4]}年{int(month[5:])}月", en=month, figures=sums.month[month])
        for month in _every_month(sums.month)
    )
    yield Table(name="month", zh="按月", en="By month", adds_up=True, rows=months)
    reasons = {code: (zh, en) for code, (_, zh, en) in OVERRIDE_REASONS.items()}
    yield Table(
        name="override", zh="人工决定（按理由）", en="By a person, by reason", adds_up=False,
        rows=_worded(sums.override, sorted(sums.override), reasons, hidden["override"]),
    )  # fmt: skip
    officers = {name: (f"审核人{name}", name) for name in sorted(sums.officer)}
    yield Table(
        name="officer", zh="人工决定（按审核人）", en="By a person, by officer", adds_up=False,
        rows=_worded(sums.officer, officers, officers, hidden["officer"]),
    )  # fmt: skip


def _worded(
    sums: Mapping[str, Figures], keys: Iterable[str], words: Mapping[str, tuple[str, str]],
    hidden: frozenset[str] = frozenset(),
) -> tuple[Row, ...]:  # fmt: skip
    """Every key in its order, with zeros where nothing was decided."""
    return tuple(
        Row(key=key, zh=words[key][0], en=words[key][1], figures=sums.get(key, Figures()),
            hidden=key in hidden)
        for key in keys
    )  # fmt: skip


def _every_month(months: Iterable[str]) -> list[str]:
    """The months from the first to the last, those between that had no decision too.

    >>> _every_month(["2027-01", "2026-11"])
    ['2026-11', '2026-12', '2027-01']
    """
    counted = [int(m[:4]) * 12 + int(m[5:]) - 1 for m in months]
    if not counted:
        return []
    return [f"{n // 12:04d}-{n % 12 + 1:02d}" for n in range(min(counted), max(counted) + 1)]
