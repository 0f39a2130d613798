"""Validation report: everything a reviewer of a card asks of a table with known outcomes.

`validate` computes; the report shows itself in a notebook, as a page (`html`) and as JSON. Rows
without a known outcome count for approvals and stability, and for nothing else. Protected fields
serve the checks of fairness alone: what leaves this module are names of groups, and counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.errors import TableRefused
from loansvc.files import write_whole
from loansvc.training.card import Card
from loansvc.training.columns import points_by_slot
from loansvc.training.table import as_frame, numbers
from loansvc.training.validation import fairness as fair
from loansvc.training.validation import sample as parts
from loansvc.training.validation.calibration import CalibrationFigures, calibration, grades
from loansvc.training.validation.counts import Counts
from loansvc.training.validation.discrimination import (
    Discrimination,
    OracleDistance,
    OutOfTime,
    auc_of,
    discrimination,
    oracle_distance,
    out_of_time,
)
from loansvc.training.validation.findings import Finding, findings
from loansvc.training.validation.knockouts import Overlap, overlap
from loansvc.training.validation.monotonicity import Direction, directions
from loansvc.training.validation.sample import Labels, Sample
from loansvc.training.validation.segments import Segment, Spread, segments, spread_of
from loansvc.training.validation.stability import Stability, stability
from loansvc.training.validation.swap import (
    holds_id_numbers,
    sensitive_names,
    swap_columns,
)
from loansvc.training.validation.verdict import Verdict, method, verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFAULT_SEED = 20261123  # a date, not chosen by its figures
N_RESAMPLES = 1000
DIGITS = 6  # more would only make a digest depend on the machine


@dataclass(frozen=True, slots=True)
class About:
    """Which card, which table, and what was asked."""

    digest: str
    product: str | None
    table: str | None
    reference: str
    valid_from: str | None
    synthetic: bool
    base_points: int
    characteristics: tuple[str, ...]
    target: str
    n: int
    n_known: int
    n_bad: int
    cutoff: int | None
    seed: int
    n_resamples: int


@dataclass(frozen=True, slots=True)
class Grouped:
    """One column of groups, and its parts."""

    column: str
    segments: tuple[Segment, ...]
    spread: Spread | None


@dataclass(frozen=True, slots=True)
class Protected:
    """All about protected fields: named by the card, scored when changed, told by the score."""

    sensitive_names: tuple[str, ...]
    swaps: tuple[fair.Swap, ...]
    fields: tuple[fair.Fairness, ...]


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What was found. A part is None when it was not asked for, or the data do not carry it."""

    about: About
    verdict: Verdict
    findings: tuple[Finding, ...]
    discrimination: Discrimination | None
    out_of_time: OutOfTime | None
    calibration: CalibrationFigures | None
    grades: tuple[Segment, ...]
    stability: Stability | None
    village: Grouped | None
    groups: tuple[Grouped, ...]
    monotonicity: tuple[Direction, ...]
    protected: Protected
    knockouts: Overlap | None
    oracle: OracleDistance | None
    counts: Counts  # for the plots; not in the JSON

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON: sorted keys, figures rounded to six places, no person in it."""
        content: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        del content["counts"]
        return dict(sorted(_plain(content | {"method": method()}).items()))

    def plots(self) -> dict[str, Figure]:
        """The plots by name, ready for a notebook or `savefig`."""
        from loansvc.training.validation.plots import plots

        return plots(self)

    def to_html(self, path: Path | str | None = None) -> str:
        """The page, which needs nothing but itself; written to `path`, too, if there is one."""
        from loansvc.training.validation.html import page

        text = page(self)
        if path is not None:
            path = Path(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text.encode(), part_folder=path.parent)
        return text

    def _repr_html_(self) -> str:
        from loansvc.training.validation.html import body

        return body(self)

    def __repr__(self) -> str:
        lines = [self.verdict.en, *(f"{f.mark} {f.en}" for f in self.findings)]
        return "\n".join(lines)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(value[k]) for k in sorted(value)}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        # An odd infinity, such as the log-loss of nobody, is "not known" in JSON.
        return round(value, DIGITS) + 0.0 if math.isfinite(value) else None
    return value


# --- making it ----------------------------------------------------------------------------------


def validate(
    card: Card,
    data: Any,
    *,
    target: str,
    reference: Any = None,
    time: str | None = None,
    village: str | None = None,
    groups: Sequence[str] = (),
    protected: Mapping[str, str] | Sequence[str] = (),
    cutoff: int | None = None,
    knockouts: Mapping[str, Any] | None = None,
    oracle: str | None = None,
    seed: int = DEFAULT_SEED,
    n_resamples: int = N_RESAMPLES,
) -> ValidationReport:
    """Hold a card against a table of cases, a pandas or polars frame.

    `target`: column of outcomes, 1 bad, 0 good, nothing where not known. `reference`: the
    development sample, for PSI. `protected`: columns, or what they are called -> column; an ID
    number is changed in its digits, never shown. `cutoff`: scores below it are declined.
    `knockouts`: rule -> column of yes and no, or such an array. `oracle`: column of the true
    ln(bad / good), which only a synthetic county has.

    Raises:
        TableRefused: names the column that is missing or not of its kind.
    """
    rows = Sample.of(card, data, target)
    fields = protected if isinstance(protected, Mapping) else {c: c for c in protected}
    draw = {"n_resamples": n_resamples, "seed": seed}
    counts = Counts.of(rows.scores[rows.known], rows.is_bad[rows.known])
    drawn = counts.resamples(n_resamples, np.random.default_rng(seed)) if counts.n else counts
    then = None if reference is None else _reference(card, reference, target)
    expected, is_bad = rows.expected[rows.known], rows.is_bad[rows.known]
    parts_: dict[str, Any] = {
        "about": _about(card, rows, target, cutoff, seed, n_resamples),
        "discrimination": discrimination(
            counts, drawn, development=None if then is None else _development(then, draw)
        ),
        "out_of_time": None if time is None else _out_of_time(rows, time, draw),
        "calibration": calibration(counts, drawn),
        "grades": grades(rows.scores[rows.known], expected, is_bad),
        "stability": None if then is None else _stability(card, rows, then),
        "village": None if village is None else _grouped(
            rows, village, parts.by_village(rows.column(village), village)
        ),
        "groups": tuple(
            _grouped(rows, g, parts.by_level(rows.column(g), g)) for g in groups
        ),
        "monotonicity": directions(
            card.scorecard.characteristics, [s[rows.known] for s in rows.slots], is_bad
        ),
        "protected": _protected(card, rows, fields, cutoff, seed),
        "knockouts": _knockouts(rows, knockouts, cutoff, draw),
        "oracle": _oracle(rows, oracle, draw),
    }  # fmt: skip
    listed = findings(parts_)
    return ValidationReport(
        verdict=verdict(parts_, listed), findings=listed, counts=counts, **parts_
    )


def _about(
    card: Card, rows: Sample, target: str, cutoff: int | None, seed: int, n_resamples: int
) -> About:
    head = card.document
    return About(
        digest=card.digest, product=head.get("product"), table=head.get("table"),
        reference=str(head.get("reference", "")), valid_from=head.get("valid_from"),
        synthetic=card.scorecard.synthetic, base_points=card.scorecard.base_points,
        characteristics=card.names, target=target, n=len(rows.scores),
        n_known=int(rows.known.sum()), n_bad=int(rows.is_bad.sum()), cutoff=cutoff, seed=seed,
        n_resamples=n_resamples,
    )  # fmt: skip


def _reference(card: Card, reference: Any, target: str) -> Sample:
    """The development sample; it need not hold outcomes."""
    names = set(map(str, as_frame(reference).columns))
    return Sample.of(card, reference, target if target in names else None)


def _development(then: Sample, draw: Mapping[str, int]) -> Any:
    return auc_of(then.scores[then.known], then.is_bad[then.known], **draw)


def _segments(rows: Sample, labels: Labels) -> tuple[Segment, ...]:
    at, order = labels
    return segments(at[rows.known], order, rows.expected[rows.known], rows.is_bad[rows.known])


def _grouped(rows: Sample, column: str, labels: Labels) -> Grouped:
    found = _segments(rows, labels)
    return Grouped(column, found, spread_of(found))


def _out_of_time(rows: Sample, column: str, draw: Mapping[str, int]) -> OutOfTime:
    at, order = parts.by_period(rows.column(column), column)
    found = []
    for i, of in enumerate(_segments(rows, (at, order))):
        here = rows.known & (at == i)
        area = auc_of(rows.scores[here], rows.is_bad[here], **draw)
        found.append(replace(of, auc=area))
    return out_of_time(column, found)


def _stability(card: Card, rows: Sample, then: Sample) -> Stability:
    characteristics = card.scorecard.characteristics
    return stability(
        (rows.scores, then.scores),
        [
            (of.name, now, before, points_by_slot(of))
            for of, now, before in zip(characteristics, rows.slots, then.slots, strict=True)
        ],
    )


def _protected(
    card: Card, rows: Sample, fields: Mapping[str, str], cutoff: int | None, seed: int
) -> Protected:
    for column in fields.values():
        rows.column(column)
    approved = np.zeros(len(rows.scores), dtype=bool) if cutoff is None else rows.scores >= cutoff
    return Protected(
        sensitive_names=sensitive_names(card.names),
        swaps=swap_columns(card, rows.frame, rows.scores, fields, seed=seed),
        fields=tuple(
            _fairness(card, rows, field, column, approved, with_cutoff=cutoff is not None)
            for field, column in fields.items()
            if not holds_id_numbers(rows.frame[column])
        ),
    )


def _fairness(
    card: Card, rows: Sample, field: str, column: str, approved: NDArray[np.bool_], *,
    with_cutoff: bool,
) -> fair.Fairness:  # fmt: skip
    at, order = parts.by_level(rows.frame[column], column)
    proxy = _proxy(card, rows, column, at)
    if not with_cutoff:
        return fair.Fairness(field, "", (), proxy)
    is_good = rows.known & ~rows.is_bad
    return fair.fairness(field, at, order, approved=approved, is_good=is_good, proxy=proxy)


def _proxy(card: Card, rows: Sample, column: str, at: NDArray[np.intp]) -> fair.Proxy | None:
    """The scored characteristic that tells most of the field, other than the field itself."""
    named = at >= 0
    if not named.any():
        return None
    told = {
        name: fair.cramers_v(slots[named], at[named])
        for name, slots in zip(card.names, rows.slots, strict=True)
        if name != column
    }
    if not told:
        return None
    most = max(told, key=lambda name: told[name])
    return fair.Proxy(most, told[most])


def _knockouts(
    rows: Sample, rules: Mapping[str, Any] | None, cutoff: int | None, draw: Mapping[str, int]
) -> Overlap | None:
    if not rules:
        return None
    if cutoff is None:
        raise TableRefused("Knock-outs are held against a cut-off. Give one.")
    columns = {n: rows.column(r) if isinstance(r, str) else pd.Series(r) for n, r in rules.items()}
    masks = {name: parts.truth_of(column, name) for name, column in columns.items()}
    for name, mask in masks.items():
        if mask.shape != rows.scores.shape:
            raise TableRefused(f"Knock-out {name} has {mask.size} values; the table has another "
                               f"number of rows, {len(rows.scores)}.")  # fmt: skip
    return overlap(masks, rows.scores, cutoff=cutoff, known=rows.known, is_bad=rows.is_bad, **draw)


def _oracle(rows: Sample, column: str | None, draw: Mapping[str, int]) -> OracleDistance | None:
    if column is None:
        return None
    true = numbers(rows.column(column))
    here = rows.known & ~np.isnan(true)
    return oracle_distance(rows.scores[here], true[here], rows.is_bad[here], **draw)
