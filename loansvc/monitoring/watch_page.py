"""The page of what is watched: limits that are broken first, then rates, drift and loans."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from loansvc.monitoring import page as frame
from loansvc.monitoring.charts import Bar, bars
from loansvc.monitoring.drift import Comparison, Move
from loansvc.monitoring.lent import Vintage
from loansvc.monitoring.page import both, heading
from loansvc.monitoring.report import Row
from loansvc.monitoring.watch import KIND_WORDS, TOTAL, Part, Watch
from loansvc.monitoring.watch_shown import (
    curve_months,
    headline,
    label_of,
    largest,
    least_known,
    percent,
    reference_text,
    rows_of,
    silence_text,
)
from loansvc.monitoring.words import PRODUCT_WORDS

BY_WORDS = {"product": ("按产品", "By product"), "group": ("按扶持群体", "By group"),
            "village": ("按村", "By village"), "month": ("按月", "By month")}  # fmt: skip
RATES = (
    ("", ""), ("申请笔数", "applications"), ("批准率", "approved"), ("转人工率", "referred"),
    ("人工决定率", "by a person"), ("平均评分", "mean score"),
)  # fmt: skip
TESTS = (
    ("比较", "compared"), ("PSI", "PSI"), ("随机临界值", "critical by chance"),
    ("参照占比", "share then"), ("本期占比", "share now"), ("校正p值", "adjusted p"),
)  # fmt: skip
NOTES = (
    ("p值按本次全部检验作Holm校正；临界值为单项检验的随机界限。",
     "p is corrected for all tests of the run (Holm); the critical value is of one test alone."),
    ("平均评分变动按变量和村分解，各部分之和等于变动；此处只列最大的五项，全部见JSON。",
     "What moved the mean score adds up to the change; the five largest parts are shown, all of "
     "them in the JSON form."),
    ("账龄曲线：放款满k个月的贷款中，此前已成为不良的比例。",
     "Vintages: of the loans on book for k months, the share that had turned bad by then."),
)  # fmt: skip


def page(found: Watch) -> str:
    """The whole document."""
    report = found.report
    parts = [
        f'<p class="lead">{report.since} – {report.until}</p>',
        heading(*headline(found)),
        *(frame.caution(breach.zh, breach.en) for breach in found.breaches),
        f'<p class="note">{both(*reference_text(found))}</p>',
        *(
            f'<p class="note">{both(f"{c.zh}（{c.decisions}笔）", f"{c.en} ({c.decisions})")}</p>'
            for c in report.cautions
        ),
        *(_rates(found, name) for name in ("month", "product", "group")),
        _grades(found),
        *(_part(part) for part in found.parts),
        *_loans(found),
        _rates(found, "village"),
        heading("说明", "How to read this"),
        frame.notes(NOTES),
    ]
    return frame.page("评分监测", "Monitoring", parts)


def _rates(found: Watch, name: str) -> str:
    lines = (_rate_line(found, name, row) for row in rows_of(found, name))
    return heading(*BY_WORDS[name]) + frame.table(RATES, lines)


def _rate_line(found: Watch, name: str, row: Row) -> str:
    figures, n = row.figures, row.figures.applications
    scores = found.scores.get((name, row.key))
    cells = ['<td class="hidden">∗</td>'] * 4
    if not row.hidden:
        rates = (figures.approved / n, figures.referred / n, figures.by_person / n)
        mean = f"{scores.points / scores.n:.1f}" if scores else "-"
        cells = [f"<td>{text}</td>" for text in (*map(percent, rates), mean)]
    return f"<tr><td>{both(row.zh, row.en)}</td><td>{n:,}</td>{''.join(cells)}</tr>"


def _grades(found: Watch) -> str:
    total = found.scores.get(TOTAL)
    if total is None:
        return ""
    grades = [Bar(grade, (n,), f"{n:,}") for grade, n in sorted(total.grades.items())]
    bands = [Bar(f"{b} – {b + 19}", (n,), f"{n:,}") for b, n in sorted(total.bands.items())]
    return (
        heading("评级和评分分布", "Grades and scores")
        + bars(grades, legend=(), title="grades")
        + bars(bands, legend=(), title="scores")
    )


def _part(part: Part) -> str:
    zh, en = PRODUCT_WORDS[part.product]
    title = heading(f"{zh} {part.month}", f"{en}, card {part.card[7:19]}")
    if part.hidden:
        return title + f'<p class="note">{part.n:,} ∗</p>'
    title += _least_known(part)
    if part.move is None:
        return title + f'<p class="note">{both("没有参照。", "There is no reference.")}</p>'
    sizes = both(
        f"本期{part.n:,}笔，参照{part.n_reference:,}笔",
        f"{part.n:,} now, {part.n_reference:,} of the reference",
    )
    lines = [_compared(one) for one in part.comparisons]
    compared = frame.table(TESTS, lines) if lines else ""
    return f'{title}<p class="note">{sizes}</p>{compared}{_moved(part.move)}'


def _least_known(part: Part) -> str:
    known = [(*label_of(name), percent(share)) for name, share in least_known(part)]
    if not known:
        return ""
    zh = "、".join(f"{label}{share}" for label, _, share in known)
    en = ", ".join(f"{label} {share}" for _, label, share in known)
    return f'<p class="note">{both(f"未知最多：{zh}", f"most often not known: {en}")}</p>'


def _compared(one: Comparison) -> str:
    words = KIND_WORDS[one.kind]
    if one.name != one.kind:
        of = label_of(one.name)
        words = (f"{of[0]}：{words[0]}", f"{of[1]}: {words[1]}")
    figures = ["-" if value is None else f"{value:.4f}" for value in (one.psi, one.critical)]
    figures += [percent(one.share_then), percent(one.share), f"{one.adjusted:.3f}"]
    cells = "".join(f"<td>{figure}</td>" for figure in figures)
    return f'<tr class="{"over" if one.is_over else ""}"><td>{both(*words)}</td>{cells}</tr>'


def _moved(of: Move) -> str:
    words = ("平均评分", "mean score")
    if not of.villages:
        words = ("平均评分（不含村级加减分）", "mean score without village points")
    lines = (
        f"<tr><td>{both(*label_of(name))}</td><td>{points:+.2f}</td></tr>"
        for name, points in largest(of)
    )
    return (
        f'<p class="note">{both(*words)} {float(of.then):.2f} → {float(of.now):.2f}</p>'
        + frame.table((("", ""), ("分值", "points")), lines)
    )


def _loans(found: Watch) -> Iterator[str]:
    yield heading("放款后的表现", "What became of the loans")
    if not found.loans:
        yield f'<p class="note">{both("尚无放款。", "No loan was drawn yet.")}</p>'
        return
    if found.n_silent:
        yield f'<p class="note">{both(*silence_text(found))}</p>'
    head = (("评级", "grade"), ("已知结果", "known"), ("不良", "bad"), ("不良率", "share bad"),
            ("预测违约率", "PD"), ("校正p值", "adjusted p"))  # fmt: skip
    yield frame.table(
        head,
        (
            f'<tr class="{"over" if g.is_over else ""}"><td>{g.grade}</td><td>{g.n:,}</td>'
            f"<td>{g.bad:,}</td><td>{percent(g.bad / g.n)}</td><td>{100 * g.pd_12m:.2f} %</td>"
            f"<td>{g.adjusted:.3f}</td></tr>"
            for g in found.calibration
        ),
    )
    months = curve_months(found)
    curve = [(f"{k}个月", f"{k} months") for k in months]
    yield frame.table(
        (("首次放款月", "first drawn"), ("放款笔数", "drawn"), *curve),
        (_vintage_line(one, months) for one in found.vintages),
    )
    if found.officers:
        yield frame.table(
            (("审核人", "officer"), ("已知结果", "known"), ("不良", "bad")),
            (
                f"<tr><td>{escape(one.name)}</td>"
                + ('<td class="hidden">∗</td>' * 2 if one.hidden
                   else f"<td>{one.n:,}</td><td>{one.bad:,}</td>")
                + "</tr>"
                for one in found.officers
            ),
        )  # fmt: skip


def _vintage_line(one: Vintage, months: list[int]) -> str:
    shares = (
        one.bad[k - 1] / one.watched[k - 1] if k <= len(one.watched) else None for k in months
    )
    cells = "".join(f"<td>{percent(share)}</td>" for share in shares)
    return f"<tr><td>{one.month}</td><td>{one.drawn:,}</td>{cells}</tr>"
