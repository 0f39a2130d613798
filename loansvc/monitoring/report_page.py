"""The page of a report: cautions, total, then a chart and a table for each dimension."""

from __future__ import annotations

from html import escape

from loansvc.monitoring import page as frame
from loansvc.monitoring.charts import Bar, bars
from loansvc.monitoring.columns import COLUMNS, notes, total_row, values
from loansvc.monitoring.figures import percent_text
from loansvc.monitoring.page import both, heading
from loansvc.monitoring.report import Report, Row, Table

MOST_BARS = 24  # more than these are in the table alone
LEGEND = ("批准 approved", "转人工 referred", "不予批准 declined")


def page(report: Report) -> str:
    """The whole document."""
    period = f"{report.since} – {report.until}"
    parts = [
        f'<p class="lead">{period}</p>',
        *(
            frame.caution(f"{c.zh}（{c.decisions}笔决定）", f"{c.en} ({c.decisions} decisions)")
            for c in report.cautions
        ),
        heading("合计", "Total"),
        _table([total_row(report)], None),
        *(_part(table, report) for table in report.tables),
        heading("说明", "How to read this"),
        frame.notes(notes(report)),
    ]
    return frame.page("贷款申请统计报告", "Report on loan applications", parts)


def _part(table: Table, report: Report) -> str:
    title = heading(table.zh, table.en)
    if not table.rows:
        return f'{title}<p class="note">{both("本期没有决定。", "Nothing was decided.")}</p>'
    total = total_row(report) if table.adds_up else None
    return title + _charts(table) + _table(table.rows, total)


def _charts(table: Table) -> str:
    """Numbers by outcome, then amounts; the largest rows where there are many."""
    shown = [row for row in table.rows if not row.hidden and row.figures.applications]
    some = ""
    if len(shown) > MOST_BARS:
        some = f"（最多的{MOST_BARS}行 the {MOST_BARS} largest）"
        shown = sorted(shown, key=lambda r: (-r.figures.applications, r.key))[:MOST_BARS]
    counts = [
        Bar(row.zh, (f.approved, f.referred, f.declined), f"{f.applications:,}")
        for row in shown
        for f in (row.figures,)
    ]
    amounts = [
        Bar(row.zh, (row.figures.approved_yuan,), f"{row.figures.approved_yuan:,}") for row in shown
    ]
    return (
        _captioned(bars(counts, legend=LEGEND, title=table.en), "申请笔数", "applications", some)
        + _captioned(
            bars(amounts, legend=(), title=f"{table.en}, yuan approved"),
            "批准金额（元）", "amount approved, yuan", some,
        )
    )  # fmt: skip


def _captioned(svg: str, zh: str, en: str, some: str) -> str:
    return f'<p class="note">{both(zh, en)}{some}</p>{svg}' if svg else ""


def _table(rows: list[Row] | tuple[Row, ...], total: Row | None) -> str:
    head = [("", ""), *((c.zh, c.en) for c in COLUMNS)]
    lines = [_line(row) for row in rows]
    if total is not None:
        lines.append(_line(total, kind="total"))
    return frame.table(head, lines)


def _line(row: Row, *, kind: str = "") -> str:
    code = f" <code>{escape(row.key)}</code>" if row.zh == row.en else ""  # a village
    cells = []
    for column, value in values(row):
        if row.hidden and value is None:
            cells.append('<td class="hidden">∗</td>')
        elif column.is_rate:
            cells.append(f"<td>{percent_text(value)}</td>")
        else:
            cells.append(f"<td>{value:,}</td>")
    return f'<tr class="{kind}"><td>{both(row.zh, row.en)}{code}</td>{"".join(cells)}</tr>'
