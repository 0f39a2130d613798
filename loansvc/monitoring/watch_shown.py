"""Shown: what is watched as JSON, and the rows that text and page share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from loansvc.application import CATALOGUE
from loansvc.metrics import wilson
from loansvc.monitoring.drift import Comparison, Move
from loansvc.monitoring.lent import Vintage
from loansvc.monitoring.report import Row
from loansvc.monitoring.watch import BY, TOTAL, Part, Place, Scores, Watch

CURVE_MONTHS = (1, 3, 4, 5, 6, 9, 12, 18, 24)  # on book; text and page have room for a few
DIGITS = 6  # of shares and chances as JSON; what must add up is given as a fraction, too


def to_document(found: Watch) -> dict[str, Any]:
    """The JSON form. Rates are shares from 0 to 1; a hidden row has its number alone."""
    return {
        "from": found.report.since.isoformat(),
        "to": found.report.until.isoformat(),
        "as_of": found.as_of.isoformat(),
        "reference": found.reference
        and {"from": found.reference[0].isoformat(), "to": found.reference[1].isoformat()},
        "limits": asdict(found.limits),
        "broken": [asdict(breach) for breach in found.breaches],
        "cautions": [
            {"code": c.code, "zh": c.zh, "en": c.en, "decisions": c.decisions}
            for c in found.report.cautions
        ],
        "not_reproducible": found.n_not_reproducible,
        "total": _row(found, TOTAL, _total(found)),
        "by": {name: [_row(found, (name, r.key), r) for r in rows_of(found, name)] for name in BY},
        "drift": [_part(part) for part in found.parts],
        "loans": dict(found.loans),
        "silent_loans": found.n_silent,
        "calibration": [asdict(grade) for grade in found.calibration],
        "vintages": [_vintage(one) for one in found.vintages],
        "officers": [
            {
                "name": one.name, "hidden": one.hidden,
                **({} if one.hidden else {"known_loans": one.n, "bad": one.bad}),
            }
            for one in found.officers
        ],
    }  # fmt: skip


def rows_of(found: Watch, name: str) -> Iterator[Row]:
    """Rows of a table of the report in which somebody stands."""
    for table in found.report.tables:
        if table.name == name:
            yield from (row for row in table.rows if row.figures.applications)


def _total(found: Watch) -> Row:
    return Row(key="", zh="合计", en="total", figures=found.report.total)


def _row(found: Watch, place: Place, row: Row) -> dict[str, Any]:
    head = {
        "key": row.key, "zh": row.zh, "en": row.en, "suppressed": row.hidden,
        "applications": row.figures.applications,
    }  # fmt: skip
    if row.hidden or not row.figures.applications:
        return head
    figures, n, scores = row.figures, row.figures.applications, found.scores.get(place, Scores())
    return {
        **head,
        "approval_rate": _rate(figures.approved, n),
        "referral_rate": _rate(figures.referred, n),
        "override_rate": _rate(figures.by_person, n),
        "reversed": {"k": scores.reversed, "answered": scores.answered},
        "scored": scores.n,
        "mean_score": round(scores.points / scores.n, 2) if scores.n else None,
        "grades": dict(sorted(scores.grades.items())),
        "score_bands": {str(band): k for band, k in sorted(scores.bands.items())},
    }


def _rate(k: int, n: int) -> dict[str, Any]:
    """A share with its 95 percent interval."""
    low, high = wilson(k, n)
    return {"k": k, "share": _figure(k / n), "low": _figure(low), "high": _figure(high)}


def _part(part: Part) -> dict[str, Any]:
    head = {
        "product": part.product, "month": part.month, "scorecard": part.card,
        "suppressed": part.hidden, "applications": part.n,
    }  # fmt: skip
    if part.hidden:
        return head
    return {
        **head,
        "not_known": {name: _rate(k, part.n) for name, k in part.not_known.items()},
        "reference": {"scorecard": part.reference_card, "applications": part.n_reference},
        "comparisons": [_comparison(one) for one in part.comparisons],
        "mean_score": part.move and _move(part.move),
    }


def _comparison(one: Comparison) -> dict[str, Any]:
    return {
        name: _figure(value) if isinstance(value, float) else value
        for name, value in asdict(one).items()
        if value is not None
    }


def _move(of: Move) -> dict[str, Any]:
    """Fractions as text, such as "-17/250": they add up exactly, where decimals would not."""
    return {
        "now": str(of.now),
        "then": str(of.then),
        "change": str(of.change),
        "change_points": _figure(float(of.change)),
        "base": str(of.base),
        "characteristics": {name: str(part) for name, part in of.characteristics.items()},
        "villages": {code: str(part) for code, part in of.villages.items()},
    }


def _vintage(one: Vintage) -> dict[str, Any]:
    return {
        "month": one.month,
        "drawn": one.drawn,
        "by_months_on_book": [
            {"months": k, "watched": n, "bad": bad, "share": _figure(bad / n)}
            for k, (n, bad) in enumerate(zip(one.watched, one.bad, strict=True), start=1)
        ],
    }


def _figure(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


# --- text -----------------------------------------------------------------------------------------


def headline(found: Watch) -> tuple[str, str]:
    """Whether anything is broken, in zh and en."""
    n = len(found.breaches)
    if not n:
        return "未超出任何限值。", "No limit is broken."
    return f"超出限值：{n}项", f"Broken limits: {n}"


def reference_text(found: Watch) -> tuple[str, str]:
    """What the period is held against."""
    if found.reference is None:
        return (
            "参照：各评分卡自身的训练样本（不含评分分布、批准率和村）",
            "Reference: the training of each card itself (no scores, approvals or villages)",
        )
    first, last = found.reference
    return f"参照：{first}至{last}的决定", f"Reference: decisions from {first} to {last}"


def silence_text(found: Watch) -> tuple[str, str]:
    """How many loans are called good because nobody said anything."""
    n = found.n_silent
    return (
        f"其中{n:,}笔按“良好”计，但放款后没有任何报告",
        f"{n:,} of them count as good and nothing was reported of them since they were drawn",
    )


def percent(share: float | None) -> str:
    """A share in percent.

    >>> percent(0.1234), percent(None)
    ('12.3 %', '-')
    """
    return "-" if share is None else f"{100 * share:.1f} %"


def largest(of: Move, *, most: int = 5) -> list[tuple[str, float]]:
    """The parts that moved the mean score most, largest first; those of 0 left out."""
    parts = {**of.characteristics, **of.villages, **({"base": of.base} if of.base else {})}
    ordered = sorted(parts.items(), key=lambda part: (-abs(part[1]), part[0]))
    return [(name, float(value)) for name, value in ordered[:most] if value]


def label_of(name: str) -> tuple[str, str]:
    """What a part of the mean score is called: a characteristic, a village's code, or the base."""
    if name == "base":
        return "基础分", "base points"
    row = CATALOGUE.get(name)
    return (row.zh, row.en) if row else (name, name)


def least_known(part: Part, *, most: int = 3) -> list[tuple[str, float]]:
    """The characteristics that were least often known, with the share of cases without them."""
    ordered = sorted(part.not_known.items(), key=lambda one: (-one[1], one[0]))
    return [(name, k / part.n) for name, k in ordered[:most] if k]


def curve_months(found: Watch) -> list[int]:
    """Months on book of which any vintage says something, a few of them."""
    reached = max((len(v.watched) for v in found.vintages), default=0)
    return [k for k in CURVE_MONTHS if k <= reached]
