"""Plots of a validation report. Marks differ in shape as well as in colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from loansvc.training.plotting import BLUE, GREEN, GREY, ORANGE, RED, style
from loansvc.training.validation.estimate import NOT_ENOUGH, Estimate
from loansvc.training.validation.segments import AS_EXPECTED, Segment
from loansvc.training.validation.stability import SHIFTED

if TYPE_CHECKING:
    from loansvc.training.validation.report import ValidationReport

WIDTH, HEIGHT = 7.6, 3.6  # inches
MOST_ROWS = 24  # of villages or characteristics in one plot: more cannot be read
SCORE_STEP = 10  # points of a bar


def plots(report: ValidationReport) -> dict[str, Figure]:
    """Every plot that the report carries data for, in the order of the page."""
    makers: dict[str, Callable[[ValidationReport], Figure | None]] = {
        "scores": _scores, "roc": _roc, "grades": _grades, "periods": _periods,
        "stability": _stability, "village": _village, "groups": _groups, "fairness": _fairness,
    }  # fmt: skip
    found = {}
    for name, make in makers.items():
        with style():
            figure = make(report)
            if figure is not None:
                figure.draw_without_rendering()  # ticks and texts take the style now
                found[name] = figure
    return found


def _figure(rows: float | None = None) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH, HEIGHT if rows is None else 1.3 + 0.27 * rows))
    return figure, figure.add_subplot()


def _title(report: ValidationReport, text: str) -> str:
    return f"{text}（合成数据 synthetic）" if report.about.synthetic else text


def _scores(report: ValidationReport) -> Figure | None:
    of = report.counts
    if not of.n:
        return None
    figure, ax = _figure()
    edges = np.arange(of.scores.min() // SCORE_STEP, of.scores.max() // SCORE_STEP + 2) * SCORE_STEP
    for counts, colour, label, hatch in (
        (of.good, BLUE, "正常 good", None), (of.bad, ORANGE, "坏账 bad", "///"),
    ):  # fmt: skip
        shares = np.histogram(of.scores, edges, weights=counts)[0] / max(counts.sum(), 1)
        ax.bar(edges[:-1], 100 * shares, SCORE_STEP, align="edge", alpha=0.55, color=colour,
               label=label, hatch=hatch, edgecolor="white", linewidth=0.3)  # fmt: skip
    if report.about.cutoff is not None:
        ax.axvline(report.about.cutoff, color="black", linestyle="--", linewidth=1.2,
                   label=f"分数线 cut-off {report.about.cutoff}")  # fmt: skip
    ax.set(xlabel="分数 score", ylabel="百分比 percent", title=_title(report, "分数分布 Scores"))
    ax.legend()
    return figure


def _roc(report: ValidationReport) -> Figure | None:
    of, found = report.counts, report.discrimination
    if found is None:
        return None
    figure = Figure(figsize=(4.6, 4.4))
    ax = figure.add_subplot()
    good, bad = (np.concatenate([[0.0], np.cumsum(c) / c.sum()]) for c in (of.good, of.bad))
    ax.plot(100 * good, 100 * bad, color=BLUE, linewidth=1.8)
    ax.plot([0, 100], [0, 100], color=GREY, linestyle=":", linewidth=1)
    at = int(np.argmax(bad - good))
    ax.plot([100 * good[at]] * 2, [100 * good[at], 100 * bad[at]], color=RED, linestyle="--",
            label=f"KS {found.ks.value:.3f}")  # fmt: skip
    ax.set(xlabel="正常客户中的百分比 percent of good", ylabel="坏客户中的百分比 percent of bad",
           title=_title(report, f"ROC, AUC {found.auc.value:.3f}"), aspect="equal")  # fmt: skip
    ax.legend(loc="lower right")
    return figure


def _grades(report: ValidationReport) -> Figure | None:
    rows = [g for g in report.grades if g.n and g.bad_rate is not None]
    if not rows:
        return None
    figure, ax = _figure()
    floor = 0.05
    for i, row in enumerate(rows):
        assert row.bad_rate is not None, "kept above"
        assert row.mean_pd is not None, "there are cases"
        fits = row.verdict in {AS_EXPECTED, NOT_ENOUGH}
        colour = BLUE if fits else RED
        value, low, high = (max(100 * v, floor) for v in
                            (row.bad_rate.value, row.bad_rate.low, row.bad_rate.high))  # fmt: skip
        ax.errorbar(i, value, [[value - low], [high - value]], fmt="s", color=colour, capsize=7,
                    markersize=4, linewidth=2, label=None if i else "坏账率 bad rate")  # fmt: skip
        ax.plot(i + 0.14, 100 * row.mean_pd, "o", markerfacecolor="white", color="black",
                markersize=7, label="违约概率 PD" if not i else None)  # fmt: skip
        if not fits:
            ax.annotate("✗", (i, high), xytext=(0, 4), ha="center",
                        textcoords="offset points", color=RED)  # fmt: skip
    ax.set_xticks(range(len(rows)), [f"{r.name}\nn {r.n:,}" for r in rows])
    _percent_scale(ax, floor)
    ax.set(ylabel="百分比 percent",
           title=_title(report, "各等级校准 Calibration by grade (95 %)"))  # fmt: skip
    ax.legend()
    return figure


def _percent_scale(ax: Any, floor: float) -> None:
    ax.set_yscale("log")
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if t >= floor]
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()


def _periods(report: ValidationReport) -> Figure | None:
    of = report.out_of_time
    if of is None or not any(p.n for p in of.periods):
        return None
    figure = Figure(figsize=(WIDTH, 5.2))
    upper, lower = figure.subplots(2, 1, sharex=True)
    periods = [p for p in of.periods if p.n]
    at = np.arange(len(periods))
    _bars(upper, at, [p.auc for p in periods], marker="o", colour=BLUE)
    if report.discrimination is not None:
        upper.axhline(report.discrimination.auc.value, color=GREY, linestyle=":", linewidth=1)
    upper.set(ylabel="AUC", title=_title(report, f"各时段 By period ({of.column})"))
    _bars(lower, at, [p.bad_rate for p in periods], marker="s", colour=ORANGE, factor=100,
          label="坏账率 bad rate")  # fmt: skip
    pd = [np.nan if p.mean_pd is None else 100 * p.mean_pd for p in periods]
    lower.plot(at, pd, color="black", linestyle="--", linewidth=1.2, label="违约概率 PD")
    lower.set_xticks(at, [p.name for p in periods], rotation=0 if len(at) < 10 else 45)
    lower.set(ylabel="百分比 percent")
    lower.legend()
    return figure


def _bars(
    ax: Any, at: Any, estimates: Sequence[Estimate | None], *, marker: str, colour: str,
    factor: float = 1, label: str | None = None,
) -> None:  # fmt: skip
    known = [(x, e) for x, e in zip(at, estimates, strict=True) if e is not None]
    if not known:
        ax.text(0.5, 0.5, "数据不足 not enough data", transform=ax.transAxes, ha="center")
        return
    x = [k[0] for k in known]
    values = factor * np.array([[e.value, e.low, e.high] for _, e in known])
    errors = np.maximum(np.abs(values[:, :1] - values[:, 1:]).T, 0)
    ax.errorbar(x, values[:, 0], errors, fmt=marker, color=colour, capsize=3, label=label)


def _stability(report: ValidationReport) -> Figure | None:
    of = report.stability
    if of is None:
        return None
    rows = [r for r in (of.score, *of.characteristics) if r.psi is not None and r.critical]
    if not rows:
        return None
    rows = sorted(rows, key=lambda r: -_over(r))[:MOST_ROWS][::-1]
    figure, ax = _figure(len(rows))
    for y, row in enumerate(rows):
        shifted = row.verdict == SHIFTED
        ax.barh(y, _over(row), color=RED if shifted else BLUE, alpha=0.75,
                hatch="///" if shifted else None, edgecolor="white")  # fmt: skip
    ax.axvline(
        1, color="black", linestyle="--", linewidth=1.2, label="随机临界值 what chance gives (5 %)"
    )
    ax.set_yticks(range(len(rows)), [r.name for r in rows])
    ax.set(xlabel="PSI / 临界值 critical value",
           title=_title(report, "稳定性 Stability"), ylim=(-0.7, len(rows) - 0.3))  # fmt: skip
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower right")
    return figure


def _over(row: Any) -> float:
    return float(row.psi / row.critical)


def _village(report: ValidationReport) -> Figure | None:
    if report.village is None:
        return None
    rows = [s for s in report.village.segments if s.p is not None]
    rows = sorted(rows, key=lambda s: s.p or 0)[:MOST_ROWS]
    return _caterpillar(report, rows, "村 Villages: 最偏离预期者 furthest from expected")


def _groups(report: ValidationReport) -> Figure | None:
    rows = [s for g in report.groups for s in g.segments if s.p is not None]
    return _caterpillar(report, rows[:MOST_ROWS], "群体 Groups")


def _caterpillar(report: ValidationReport, rows: Sequence[Segment], title: str) -> Figure | None:
    if not rows:
        return None
    rows = sorted(rows, key=_ratio)
    figure, ax = _figure(len(rows))
    for y, row in enumerate(rows):
        assert row.observed_to_expected is not None, "p is known"
        fits, found = row.verdict == AS_EXPECTED, row.observed_to_expected
        ax.hlines(y, found.low, found.high, color=BLUE if fits else RED, linewidth=2.2)
        ax.plot(found.value, y, "o" if fits else "D", color=BLUE if fits else RED, markersize=5.5)
    ax.axvline(1, color="black", linestyle="--", linewidth=1)
    ax.set_yticks(range(len(rows)), [r.name for r in rows])
    ax.set(xlabel="实际 / 预期坏账 bad over expected bad (95 %)", title=_title(report, title),
           ylim=(-0.7, len(rows) - 0.3))  # fmt: skip
    return figure


def _ratio(of: Segment) -> float:
    return 0.0 if of.observed_to_expected is None else of.observed_to_expected.value


def _fairness(report: ValidationReport) -> Figure | None:
    rows = [
        (f.field, level)
        for f in report.protected.fields
        for level in f.levels
        if level.approval is not None
    ]
    if not rows:
        return None
    rows = rows[:MOST_ROWS][::-1]
    figure, ax = _figure(1.5 * len(rows))
    for y, (_, level) in enumerate(rows):
        for shift, found, marker, colour in (
            (0.16, level.approval, "o", BLUE), (-0.16, level.opportunity, "^", GREEN),
        ):  # fmt: skip
            if found is not None:
                ax.hlines(y + shift, 100 * found.low, 100 * found.high, color=colour, linewidth=2)
                ax.plot(100 * found.value, y + shift, marker, color=colour, markersize=5.5)
    ax.plot([], [], "o-", color=BLUE, label="批准率 approved")
    ax.plot([], [], "^-", color=GREEN, label="良好者批准率 approved of the good")
    ax.set_yticks(range(len(rows)), [f"{field}: {level.name}" for field, level in rows])
    ax.set(xlabel="百分比 percent (95 %)", title=_title(report, "批准率 Approvals"),
           ylim=(-0.7, len(rows) - 0.3))  # fmt: skip
    figure.legend(loc="outside lower center", ncols=2)
    return figure
