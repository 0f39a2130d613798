"""The page of a validation: HTML that needs nothing else, no script, no other file, no network.

A verdict is a word with a mark before it; colour only repeats it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from loansvc.training.plotting import svg
from loansvc.training.validation import words as w
from loansvc.training.validation.estimate import NOT_ENOUGH, Estimate
from loansvc.training.validation.findings import p_value
from loansvc.training.validation.plots import plots
from loansvc.training.validation.segments import Segment

if TYPE_CHECKING:
    from loansvc.training.validation.fairness import Level
    from loansvc.training.validation.monotonicity import Turn
    from loansvc.training.validation.report import Grouped, ValidationReport
    from loansvc.training.validation.stability import Shift

Row = Sequence[str]  # cells that are HTML already


def page(report: ValidationReport) -> str:
    """The whole document."""
    of = escape(w.name_of(report.about))
    return (
        '<!doctype html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>验证报告 Validation: {of}</title>\n"
        "<style>body { margin: 1.5rem; background: #fff }</style>\n"
        f"</head>\n<body>\n{body(report)}\n</body>\n</html>\n"
    )


def body(report: ValidationReport) -> str:
    """What a notebook shows too."""
    drawn = {name: svg(figure, name=name) for name, figure in plots(report).items()}
    sections = [(key, title, make(report)) for key, title, make in SECTIONS]
    kept = [(key, title, text) for key, title, text in sections if text]
    toc = "".join(f'<li><a href="#val-{key}">{title}</a></li>' for key, title, _ in kept)
    parts = [
        f"<style>{w.STYLE}</style>",
        f"<h1>验证报告 Validation report</h1>{_head(report)}{_findings(report)}",
        f"<nav><h2>目录 Contents</h2><ol>{toc}</ol></nav>",
        *(
            f'<section id="val-{key}"><h2>{i}. {title}</h2>{text}{_plots(key, drawn)}</section>'
            for i, (key, title, text) in enumerate(kept, start=1)
        ),
    ]
    return f'<div class="val">{"".join(parts)}</div>'


def _plots(key: str, drawn: dict[str, str]) -> str:
    return "".join(
        f'<figure role="img" aria-label="{escape(w.PLOTS[name][1])}">{drawn[name]}</figure>'
        for name in w.PLOTS
        if w.PLOTS[name][0] == key and name in drawn
    )


def _head(report: ValidationReport) -> str:
    about = report.about
    rows = [
        ("评分卡 card", escape(w.name_of(about))),
        ("依据 reference", escape(about.reference) or "–"),
        ("摘要 digest", f"<code>{escape(about.digest)}</code>"),
        ("特征 characteristics", str(len(about.characteristics))),
        ("样本 rows", f"{about.n:,}"),
        ("已知结果 known outcomes", f"{about.n_known:,}"),
        ("坏账 bad", f"{about.n_bad:,}"),
        ("分数线 cut-off", "–" if about.cutoff is None else str(about.cutoff)),
        ("重抽样 resamples", f"{about.n_resamples:,}, seed {about.seed}"),
    ]
    tag = '<p class="tag">合成数据 SYNTHETIC DATA</p>' if about.synthetic else ""
    return (
        f'{tag}<p class="lead" lang="zh">{escape(report.verdict.zh)}</p>'
        f'<p class="lead" lang="en">{escape(report.verdict.en)}</p>{_table([], rows)}'
    )


def _findings(report: ValidationReport) -> str:
    items = "".join(
        f'<li class="{f.gravity}"><b>{f.mark} {w.GRAVITIES[f.gravity]}</b>'
        f'<span lang="zh">{escape(f.zh)}</span><span lang="en">{escape(f.en)}</span></li>'
        for f in report.findings
    )
    return f'<h2>发现 Findings</h2><ul class="findings">{items or "<li>无 none</li>"}</ul>'


# --- sections -----------------------------------------------------------------------------------


def _discrimination(report: ValidationReport) -> str:
    of = report.discrimination
    if of is None:
        return w.NOTHING
    rows = [
        ("AUC", _interval(of.auc)), ("Gini", _interval(of.gini)), ("KS", _interval(of.ks)),
        ("Brier", _interval(of.brier, 5)),
        ("Brier, 一律平均坏账率 bad rate for all", f"{of.brier_of_bad_rate:.5f}"),
        ("对数损失 log-loss", _interval(of.log_loss, 4)),
    ]  # fmt: skip
    if of.development is not None:
        rows.append(("开发样本 development AUC", _interval(of.development)))
    return _table(("指标 figure", "数值 value (95 %)"), rows)


def _time(report: ValidationReport) -> str:
    of = report.out_of_time
    if of is None:
        return ""
    head = (*w.SEGMENT_HEAD, "AUC (95 %)")
    rows = [(*_segment(p), _interval(p.auc)) for p in of.periods]
    tests = [
        ("坏账率趋势 trend of the bad rate", of.trend_p),
        ("偏离预期的趋势 drift from the PD", of.drift_p),
        ("各期AUC差异 AUCs apart", of.auc_p),
    ]
    return _table(head, rows) + _table(
        ("检验 test", "p"), [(name, "–" if p is None else f"{p:.3f}") for name, p in tests]
    )


def _calibration(report: ValidationReport) -> str:
    of, text = report.calibration, w.NOTHING
    if of is not None:
        text = _table(
            ("指标 figure", "数值 value (95 %)"),
            [
                ("实际/预期坏账 bad over expected", _interval(of.observed_to_expected)),
                ("整体校准 in the large (0)", _interval(of.in_the_large)),
                ("截距 intercept (0)", _interval(of.intercept)),
                ("斜率 slope (1)", _interval(of.slope)),
                ("ECE (随机 by chance)", f"{of.ece:.4f} ({of.ece_by_chance:.4f})"),
                (f"Hosmer–Lemeshow, {of.n_groups}组 groups",
                 f"{of.hosmer_lemeshow:.1f}, {p_value(of.hosmer_lemeshow_p)}"),
                ("Spiegelhalter z", f"{of.spiegelhalter_z:.2f}, {p_value(of.spiegelhalter_p)}"),
            ],
        )  # fmt: skip
    return f"{text}<h3>各等级 By grade</h3>{_segments(report.grades)}"


def _stability(report: ValidationReport) -> str:
    of = report.stability
    if of is None:
        return ""
    head = ("分布 distribution", "箱数 bins", "PSI", "临界值 critical", "p",
            "均分变动 points", "结论 verdict")  # fmt: skip
    rows = [_shift(s) for s in (of.score, *sorted(of.characteristics, key=_size))]
    note = f"{of.n_now:,} / {of.n_then:,} (现在 now / 当时 then). {w.PSI_NOTE}"
    return f'<p class="note">{note}</p>{_table(head, rows)}'


def _size(of: Shift) -> float:
    return -(of.psi / of.critical) if of.psi is not None and of.critical else 0.0


def _shift(of: Shift) -> Row:
    known = of.psi is not None
    return (
        escape(of.name), str(of.n_bins) if known else "–", _number(of.psi, 4),
        _number(of.critical, 4), _number(of.p, 3), f"{round(of.points, 1) + 0.0:+.1f}",
        w.said(of.verdict),
    )  # fmt: skip


def _villages(report: ValidationReport) -> str:
    if report.village is None:
        return ""
    enough = sorted((s for s in report.village.segments if s.p is not None), key=lambda s: s.p or 0)
    thin = [s for s in report.village.segments if s.p is None]
    text = _segments(enough[: w.VILLAGES_SHOWN]) if enough else w.NOTHING
    for label, rest in (
        ("其余 the others", enough[w.VILLAGES_SHOWN :]),
        (w.said(NOT_ENOUGH), thin),
    ):
        if rest:
            summary = f"<summary>{label}: {len(rest)}</summary>"
            text += f"<details>{summary}{_segments(rest)}</details>"
    return f'<p class="note">{w.SEGMENT_NOTE}</p>{_spread(report.village)}{text}'


def _groups(report: ValidationReport) -> str:
    return "".join(
        f"<h3>{escape(g.column)}</h3>{_spread(g)}{_segments(g.segments)}" for g in report.groups
    )


def _spread(of: Grouped) -> str:
    if of.spread is None:
        return ""
    return (
        f"<p>彼此差异 apart from each other: chi² {of.spread.chi2:.1f}, {of.spread.degrees} "
        f"自由度 degrees, {p_value(of.spread.p)}; 标准差 sd ≈ {of.spread.sd:.2f} log-odds</p>"
    )


def _monotonicity(report: ValidationReport) -> str:
    head = ("特征 characteristic", "方向 direction", "分值 points", "相邻箱 pairs",
            "坏账率 bad rates", "转折 turn")  # fmt: skip
    rows = [
        (
            escape(d.name), "风险上升 risk rises" if d.direction > 0 else "风险下降 risk falls",
            w.said("keep" if d.points_keep else "turn"), str(d.n_compared), w.said(d.verdict),
            "; ".join(map(_turn, d.turns)) or "–",
        )
        for d in report.monotonicity
    ]  # fmt: skip
    return f'<p class="note">{w.MONOTONE_NOTE}</p>{_table(head, rows)}' if rows else ""


def _turn(of: Turn) -> str:
    return f"{escape(of.left)} → {escape(of.right)}: {of.left_rate:.1%} → {of.right_rate:.1%}"


def _swaps(report: ValidationReport) -> str:
    of = report.protected
    named = ", ".join(map(escape, of.sensitive_names)) or "无 none"
    head = ("字段 field", "变动 changed", "是否计分 scored", "样本 rows", "分数改变 scores changed",
            "最大改变 largest", "结论 verdict")  # fmt: skip
    rows = [
        (escape(s.field), f"{w.CHANGES[s.how]} {s.how}", "是 yes" if s.scored else "否 no",
         f"{s.n:,}", f"{s.n_changed:,}", str(s.largest_change), w.said(s.verdict))
        for s in of.swaps
    ]  # fmt: skip
    proxies = [
        (escape(f.field), escape(f.proxy.characteristic), f"{f.proxy.cramers_v:.3f}")
        for f in of.fields
        if f.proxy is not None
    ]
    text = f"<p>名称敏感的计分字段 scored fields with a sensitive name: <b>{named}</b></p>"
    if rows:
        text += _table(head, rows)
    if proxies:
        text += _table(("字段 field", "最相关特征 told most by", "Cramér's V"), proxies)
    return text


def _fairness(report: ValidationReport) -> str:
    text = ""
    for of in report.protected.fields:
        if of.levels:
            text += f"<h3>{escape(of.field)}</h3>{_table(w.LEVEL_HEAD, map(_level, of.levels))}"
    return f'<p class="note">{w.FAIR_NOTE}</p>{text}' if text else ""


def _level(of: Level) -> Row:
    return (
        escape(of.name), f"{of.n:,}", _percent(of.approval), _interval(of.approval_ratio, 2),
        w.said(of.ratio_verdict, between="<br>"), f"{of.n_good:,}", _percent(of.opportunity),
        _percent(of.opportunity_gap, signed=True), w.said(of.gap_verdict, between="<br>"),
    )  # fmt: skip


def _knockouts(report: ValidationReport) -> str:
    of = report.knockouts
    if of is None:
        return ""
    rules = [
        (
            escape(r.name),
            f"{r.n_declined:,}",
            f"{r.n_below_cutoff:,}",
            _percent(r.share_below_cutoff),
        )
        for r in of.rules
    ]
    cells = [
        ("是 yes" if c.knocked_out else "否 no", "以下 below" if c.below_cutoff else "以上 above",
         f"{c.n:,}", f"{c.n_known:,}", f"{c.n_bad:,}", _percent(c.bad_rate))
        for c in of.cells
    ]  # fmt: skip
    added = [
        ("未被否决者：线下与线上坏账率之差 bad rate below less above, of the rest",
         _percent(of.added_bad_rate, signed=True)),
        ("未被否决者的AUC AUC of the rest", _interval(of.auc_of_rest)),
    ]  # fmt: skip
    return (
        _table(("规则 rule", "否决 declined", "其中线下 below cut-off", "占比 share (95 %)"), rules)
        + _table(("否决 knocked out", "分数线 cut-off", "样本 rows", "已知 known", "坏账 bad",
                  "坏账率 bad rate (95 %)"), cells)
        + _table(("评分的增益 what the score adds", "数值 value (95 %)"), added)
    )  # fmt: skip


def _oracle(report: ValidationReport) -> str:
    of = report.oracle
    if of is None:
        return ""
    rows = [
        ("理论最优 oracle AUC", f"{of.oracle_auc:.4f}"),
        ("评分卡 card AUC", f"{of.card_auc:.4f}"),
        ("距离 distance", _interval(of.distance, 4)),
    ]
    return _table(("指标 figure", "数值 value (95 %)"), rows)


def _method(report: ValidationReport) -> str:
    return f'<div class="note">{w.METHOD}</div>'


SECTIONS: tuple[tuple[str, str, Callable[[ValidationReport], str]], ...] = (
    ("discrimination", "区分能力 Discrimination", _discrimination),
    ("calibration", "校准 Calibration", _calibration),
    ("time", "跨时间 Out of time", _time),
    ("stability", "稳定性 Stability", _stability),
    ("villages", "各村 Villages", _villages),
    ("groups", "各群体 Groups", _groups),
    ("monotonicity", "单调性 Monotonicity", _monotonicity),
    ("protected", "受保护字段与互换检验 Protected fields and swap test", _swaps),
    ("fairness", "公平性 Fairness", _fairness),
    ("knockouts", "一票否决 Knock-outs", _knockouts),
    ("oracle", "与理论最优的距离 Distance to the oracle", _oracle),
    ("method", "方法 Method", _method),
)


# --- cells --------------------------------------------------------------------------------------


def _segments(rows: Iterable[Segment]) -> str:
    return _table(w.SEGMENT_HEAD, [_segment(s) for s in rows])


def _segment(of: Segment) -> Row:
    return (
        escape(of.name), f"{of.n:,}", f"{of.n_bad:,}", f"{of.expected_bad:.1f}",
        _percent(of.bad_rate), "–" if of.mean_pd is None else f"{100 * of.mean_pd:.2f} %",
        _interval(of.observed_to_expected, 2), w.said(of.verdict),
    )  # fmt: skip


def _table(head: Sequence[str], rows: Iterable[Row]) -> str:
    """Tables are wider than a phone: each scrolls by itself."""
    top = "".join(f'<th scope="col">{w.two_lines(h)}</th>' for h in head)
    lines = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{c}</td>" for c in row[1:])}</tr>'
        for row in rows
    )
    head_ = f"<thead><tr>{top}</tr></thead>" if head else ""
    return f'<div class="wide"><table>{head_}<tbody>{lines}</tbody></table></div>'


def _interval(of: Estimate | None, digits: int = 3) -> str:
    if of is None:
        return "–"
    to = " … " if of.low < 0 else "–"
    low, high = f"{of.low:.{digits}f}", f"{of.high:.{digits}f}"
    return f'{of.value:.{digits}f} <span class="i">{low}{to}{high}</span>'


def _percent(of: Estimate | None, *, signed: bool = False) -> str:
    if of is None:
        return "–"
    value, low, high = (100 * v for v in (of.value, of.low, of.high))
    if signed:
        return f'{value:+.1f} <span class="i">{low:+.1f} … {high:+.1f}</span>'
    digits = 2 if high < 20 else 1
    return f'{value:.{digits}f} % <span class="i">{low:.{digits}f}–{high:.{digits}f}</span>'


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
