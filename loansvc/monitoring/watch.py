"""Watch: a period of the ledger against what went before, and against limits.

One reading adds up what a report does (`report`), and beside it scores and grades, the bins of the
cards that decided (`drift`) and what became of the loans (`lent`). Sums are held, never decisions.
The reference is the card's own training, where it says how many stood in each bin; or some days of
the ledger, which know scores, approvals and villages, too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from loansvc.application import CATALOGUE
from loansvc.decision import weigh
from loansvc.ledger import Entry
from loansvc.metrics import wilson
from loansvc.monitoring.drift import Comparison, Move, Sums, comparisons, judged, move, of_training
from loansvc.monitoring.lent import Calibration, Lent, Loan, Vintage
from loansvc.monitoring.limits import Breach, Limits, of_editions
from loansvc.monitoring.report import FEWEST_PEOPLE, Report, Row, report, standing_of
from loansvc.registry import Registry
from loansvc.reviewing.showing import by_of, final_outcome, override_of
from loansvc.scorecard import POINTS_TO_DOUBLE, Scorecard
from loansvc.underwriting import Recorded

BY = ("product", "group", "village", "month")
TOTAL = ("total", "")
Days = tuple[date, date]
Key = tuple[str, str, str]  # product, digest of the card, month
Place = tuple[str, str]  # a table of the report, and the key of a row


@dataclass(slots=True)
class Scores:
    """Scores of some decisions: their number, sum, how many of each grade and in each band.

    A band of 20 points, in which the odds double, goes by its lowest score. `answered`: those that
    the machine approved or declined; `reversed`: of them, those of which a person decided the
    other.
    """

    n: int = 0
    points: int = 0
    answered: int = 0
    reversed: int = 0
    grades: Counter[str] = field(default_factory=Counter)
    bands: Counter[int] = field(default_factory=Counter)

    def add(self, one: Recorded) -> None:
        """Count one decision."""
        decision = one.decision
        if decision["outcome"] != "refer":
            self.answered += 1
            self.reversed += final_outcome(one) != decision["outcome"]
        self.n += 1
        self.points += decision["score"]
        self.grades[decision["grade"]] += 1
        self.bands[decision["score"] // POINTS_TO_DOUBLE * POINTS_TO_DOUBLE] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One product, card and month. `move` and comparisons: none where there is no reference.

    `not_known`: of each characteristic, how many cases it was not known of. `hidden`: of so few
    people that what is said of their characteristics would be said of somebody; `n` alone is told.
    """

    product: str
    card: str
    month: str
    n: int
    hidden: bool = False
    not_known: Mapping[str, int] = field(default_factory=dict)
    reference_card: str | None = None
    n_reference: int = 0
    move: Move | None = None
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """Loans that a person approved: those whose end is known, and how many turned bad."""

    name: str
    n: int
    bad: int
    hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The period: its report, scores by place, drift by part, loans, and limits that are broken."""

    report: Report
    as_of: date
    reference: Days | None
    limits: Limits
    scores: Mapping[Place, Scores]
    parts: tuple[Part, ...]
    loans: Mapping[str, int]
    n_silent: int
    calibration: tuple[Calibration, ...]
    vintages: tuple[Vintage, ...]
    officers: tuple[Officer, ...]
    breaches: tuple[Breach, ...]
    n_not_reproducible: int


def watch(
    recorded: Iterable[Recorded],
    registry: Registry,
    loan_of: Callable[[Recorded], Loan | None],
    *,
    since: date,
    until: date,
    as_of: date,
    limits: Limits,
    before: Iterable[Recorded] = (),
    reference: Days | None = None,
    all_cells: bool = False,
    erased: Iterable[tuple[Entry, Mapping[str, Any]]] = (),
) -> Watch:
    """The decisions of a period, newest first, beside those `before`, of the days `reference`.

    `loan_of`: what became of a decision by `as_of`, the day for which editions are looked at.

    Raises:
        NotFound: an edition that a decision names is no longer there.
    """
    then, now = _Sums(registry), _Sums(registry)
    for one in before:
        then.add(one)
    found = report(
        now.passing(recorded, loan_of), registry, since=since, until=until, all_cells=all_cells,
        erased=erased,
    )  # fmt: skip
    parts = _parts(now, then, limits, reference, all_cells=all_cells)
    calibration = now.lent.calibration(limits.calibration_alpha)
    breaches = [
        *of_editions(registry, limits, as_of=as_of),
        *_of_drift(parts),
        *_of_overrides(now.scores, limits),
        *_of_calibration(calibration),
    ]
    return Watch(
        report=found, as_of=as_of, reference=reference, limits=limits, scores=now.scores,
        parts=parts, loans=now.lent.n, n_silent=now.lent.n_silent, calibration=calibration,
        vintages=now.lent.vintages(),
        officers=tuple(_officers(found, now.lent)), breaches=tuple(breaches),
        n_not_reproducible=now.n_not_reproducible,
    )  # fmt: skip


@dataclass(slots=True)
class _Sums:
    """What is held while the decisions go by."""

    registry: Registry
    cards: dict[str, Scorecard] = field(default_factory=dict)
    of_card: defaultdict[Key, Sums] = field(default_factory=lambda: defaultdict(Sums))
    scores: defaultdict[Place, Scores] = field(default_factory=lambda: defaultdict(Scores))
    people: defaultdict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))
    lent: Lent = field(default_factory=Lent)
    n_not_reproducible: int = 0

    def passing(
        self, recorded: Iterable[Recorded], loan_of: Callable[[Recorded], Loan | None]
    ) -> Iterator[Recorded]:
        """The same decisions, counted as they go by."""
        for one in recorded:
            self.add(one)
            self._add_scores(one)
            self._add_loan(one, loan_of(one))
            yield one

    def add(self, one: Recorded) -> None:
        """Count the bins of one decision, if this version of the program derives its score."""
        editions = self.registry.recorded(one.decision["editions"])
        case, digest = weigh(one.application, editions, one.exposure), editions.scorecard.digest
        if case.score != one.decision["score"]:
            self.n_not_reproducible += 1
            return
        card = self.cards.setdefault(digest, editions.scorecard.content)
        key = (one.decision["product"], digest, one.decision["decided_at"][:7])
        self.of_card[key].add(case, card, approved=one.decision["outcome"] == "approve")
        if len(self.people[key]) < FEWEST_PEOPLE:
            self.people[key].add(one.entry.subject_ref)

    def _add_scores(self, one: Recorded) -> None:
        decision = one.decision
        policy = self.registry.recorded_one(decision["editions"]["policy"]).content
        groups, _ = standing_of(one.application, policy)
        places = [
            TOTAL, ("product", decision["product"]), ("month", decision["decided_at"][:7]),
            ("village", decision["village"]["code"]), *(("group", group) for group in groups),
        ]  # fmt: skip
        for place in places:
            self.scores[place].add(one)

    def _add_loan(self, one: Recorded, loan: Loan | None) -> None:
        if loan is None:
            return
        act, decision = override_of(one.acts), one.decision
        self.lent.add(
            loan, grade=decision["grade"], pd_ppm=round(decision["pd_12m"] * 1_000_000),
            officer=by_of(act[1]).name if act and act[0].outcome == "approve" else None,
        )  # fmt: skip

    def reference_for(self, product: str, card: str) -> tuple[str, Sums] | None:
        """What the same card decided of a product, else the one that decided most of it."""
        found: defaultdict[str, list[Sums]] = defaultdict(list)
        for (of, digest, _), sums in self.of_card.items():
            if of == product:
                found[digest].append(sums)
        by_card = {digest: together(sums) for digest, sums in found.items()}
        if not by_card:
            return None
        digest = card if card in by_card else max(by_card, key=lambda d: by_card[d].n)
        return digest, by_card[digest]


def together(sums: Iterable[Sums]) -> Sums:
    """The sums of one card as one."""
    found = Sums()
    for one in sums:
        found.base_points = one.base_points
        found.n += one.n
        found.approved += one.approved
        for counter in ("points", "scores", "villages", "village_points"):
            getattr(found, counter).update(getattr(one, counter))
        for name, counts in one.bins.items():
            known = found.bins.get(name, [0] * len(counts))
            found.bins[name] = [a + b for a, b in zip(known, counts, strict=True)]
    return found


# --- drift ----------------------------------------------------------------------------------------


def _parts(
    now: _Sums, then: _Sums, limits: Limits, reference: Days | None, *, all_cells: bool
) -> tuple[Part, ...]:
    """Every product, card and month; all their comparisons are judged as one family."""
    shown = {k for k in now.of_card if all_cells or len(now.people[k]) >= FEWEST_PEOPLE}
    against = {key: _reference(key, now, then, reference) for key in sorted(shown)}
    listed = [
        (key, comparison)
        for key, base in against.items()
        if base is not None and base[0] == key[1]  # of another card the bins are others
        for comparison in comparisons(now.of_card[key], base[1], now.cards[key[1]], limits.drift)
    ]
    verdicts = judged([comparison for _, comparison in listed], limits.drift)
    by_part: defaultdict[Key, list[Comparison]] = defaultdict(list)
    for (key, _), verdict in zip(listed, verdicts, strict=True):
        by_part[key].append(verdict)
    return tuple(
        _part(key, now, against[key], by_part[key])
        if key in shown
        else Part(product=key[0], card=key[1], month=key[2], n=now.of_card[key].n, hidden=True)
        for key in sorted(now.of_card)
    )


def _part(
    key: Key, now: _Sums, base: tuple[str, Sums] | None, verdicts: Iterable[Comparison]
) -> Part:
    sums, card = now.of_card[key], now.cards[key[1]]
    return Part(
        product=key[0],
        card=key[1],
        month=key[2],
        n=sums.n,
        not_known={c.name: sums.bins[c.name][c.missing] for c in card.characteristics},
        reference_card=base[0] if base else None,
        n_reference=base[1].n if base else 0,
        move=move(sums, base[1]) if base else None,
        comparisons=tuple(verdicts),
    )


def _reference(
    key: Key, now: _Sums, then: _Sums, reference: Days | None
) -> tuple[str, Sums] | None:
    """The card of the reference, and those whom it scored."""
    product, digest, _ = key
    if reference is not None:
        return then.reference_for(product, digest)
    trained_on = of_training(now.cards[digest])
    return None if trained_on is None else (digest, trained_on)


# --- limits ---------------------------------------------------------------------------------------

KIND_WORDS = {
    "score": ("评分分布", "score"),
    "characteristic": ("变量分布", "characteristic"),
    "missing": ("缺失率", "share not known"),
    "approval": ("批准率", "approval rate"),
}


def _of_drift(parts: Iterable[Part]) -> Iterator[Breach]:
    for part in parts:
        for one in part.comparisons:
            if not one.is_over:
                continue
            zh, en = KIND_WORDS[one.kind]
            name = "" if one.name == one.kind else f" {one.name}"
            label = f"“{CATALOGUE[one.name].zh}”" if name else ""
            at = f"{part.product} {part.month}"
            if one.psi is not None:
                figures = f"PSI {one.psi:.3f}"
            else:
                figures = f"{100 * (one.share_then or 0):.1f} % -> {100 * (one.share or 0):.1f} %"
            yield Breach(
                limit="drift_alpha",
                zh=f"{at}：{zh}{label}偏移，{figures}（p={one.adjusted:.1g}，{part.n}笔）",
                en=f"{at}: {en}{name} has shifted, {figures} "
                f"(p {one.adjusted:.1g}, {part.n} cases)",
            )


def _of_overrides(scores: Mapping[Place, Scores], limits: Limits) -> Iterator[Breach]:
    """Months in which people turned around more answers than the limit, by more than chance."""
    for (table, month), of in sorted(scores.items()):
        if table != "month" or not of.answered:
            continue
        if 100 * wilson(of.reversed, of.answered)[0] > limits.most_reversed_percent:
            share = f"{100 * of.reversed / of.answered:.1f} %"
            most = f"{limits.most_reversed_percent:g} %"
            yield Breach(
                limit="most_reversed_percent",
                zh=f"{month}：系统批准或不予批准的决定有{share}被人工改变（上限{most}）",
                en=f"{month}: people reversed {share} of the machine's answers (at most {most})",
            )


def _of_calibration(grades: Iterable[Calibration]) -> Iterator[Breach]:
    for one in grades:
        if one.is_over:
            pd, bad = f"{100 * one.pd_12m:.2f} %", f"{100 * one.bad / one.n:.2f} %"
            yield Breach(
                limit="calibration_alpha",
                zh=f"{one.grade}级：预测违约率{pd}，实际{bad}（{one.n}笔，p={one.adjusted:.1g}）",
                en=f"Grade {one.grade}: PD {pd}, bad {bad} of {one.n} (p {one.adjusted:.1g})",
            )


def _officers(found: Report, lent: Lent) -> Iterator[Officer]:
    """Officers as the report names them; hidden where the report hides them."""
    [table] = [table for table in found.tables if table.name == "officer"]
    for row in table.rows:
        yield _officer(row, lent)


def _officer(row: Row, lent: Lent) -> Officer:
    n, bad = lent.officer_n[row.key], lent.officer_bad[row.key]
    return Officer(name=row.key, n=n, bad=bad, hidden=row.hidden)
