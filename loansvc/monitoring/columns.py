"""Columns: what a report shows of each row, in the same order as text, JSON, CSV and page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loansvc.monitoring.figures import Figures
from loansvc.monitoring.report import FEWEST_PEOPLE, Report, Row


@dataclass(frozen=True, slots=True)
class Column:
    """A figure: its key, what it is called, and whether it is in tenths of a percent."""

    name: str
    zh: str
    en: str
    of: str  # the attribute of Figures
    is_rate: bool = False

    def value(self, figures: Figures) -> int | None:
        """The figure, a rate in tenths of a percent; None where there is nothing to share."""
        found: int | None = getattr(figures, self.of)
        return found


COUNTS = (
    Column("applications", "申请笔数", "applications", "applications"),
    Column("approved", "批准", "approved", "approved"),
    Column("referred", "转人工", "referred", "referred"),
    Column("declined", "不予批准", "declined", "declined"),
    Column("approval_rate_percent", "批准率", "approval rate", "approval_rate", is_rate=True),
    Column("by_person", "人工决定", "by a person", "by_person"),
    Column("finally_approved", "最终批准", "finally approved", "finally_approved"),
    Column("finally_declined", "最终不予批准", "finally declined", "finally_declined"),
)
AMOUNTS = (
    Column("asked_yuan", "申请金额", "asked for", "asked_yuan"),
    Column("approved_yuan", "批准金额", "approved amount", "approved_yuan"),
    Column("finally_approved_yuan", "最终批准金额", "finally approved", "finally_approved_yuan"),
    Column("guaranteed_yuan", "担保金额", "guaranteed", "guaranteed_yuan"),
    Column("guaranteed_share_percent", "担保比例", "guaranteed share", "guaranteed_share",
           is_rate=True),
    Column("local_guarantor_yuan", "本地担保承担", "local guarantor", "local_guarantor_yuan"),
    Column("subsidy_yuan", "预计年贴息", "subsidy a year", "subsidy_yuan"),
    Column("expected_loss_yuan", "预期损失", "expected loss", "expected_loss_yuan"),
    Column("expected_loss_bank_yuan", "其中银行承担", "of it the bank", "expected_loss_bank_yuan"),
)  # fmt: skip
COLUMNS = COUNTS + AMOUNTS


def values(row: Row) -> list[tuple[Column, int | None]]:
    """Each column with the figure shown: of a hidden row the number of applications alone."""
    shown = ("applications",) if row.hidden else tuple(c.name for c in COLUMNS)
    return [(c, c.value(row.figures) if c.name in shown else None) for c in COLUMNS]


def total_row(report: Report) -> Row:
    """The total as a row of its own."""
    return Row(key=f"{report.since}/{report.until}", zh="合计", en="total", figures=report.total)


def notes(report: Report) -> list[tuple[str, str]]:
    """How the figures are to be read, in Chinese and English."""
    found = [
        (
            "按作出决定的日期（北京时间）统计，首尾两日均计入；取系统当时记录的决定，含全部接入机构。",
            "By the day of the decision (county time), first and last day included; decisions as "
            "first recorded, of every client.",
        ),
        (
            "“批准”“转人工”“不予批准”及各项金额为系统作出的决定；“人工决定”“最终”各项计入至今的人工复核结果。",
            "Approved, referred, declined and the amounts are the machine's decisions; what is by "
            "a person, or final, counts what people have decided by now.",
        ),
        (
            "除申请金额外，各项金额只计批准的申请；每笔分摊额四舍五入到元后再相加。",
            "All amounts but the amount asked for count approvals alone; each share is rounded "
            "half up to whole yuan for each decision, then added.",
        ),
        (
            "担保金额＝批准金额×（100－银行承担比例）％；担保比例＝担保金额÷批准金额。",
            "Guaranteed = amount approved x (100 - the bank's share in percent) / 100; guaranteed "
            "share = guaranteed / amount approved.",
        ),
        (
            "预计年贴息＝批准金额×贴息基点÷10000，即按全额支用一年计算；预期损失取决定时的记录。",
            "Subsidy a year = amount approved x subsidy in basis points / 10,000, as if all of it "
            "were drawn for a year; expected loss as recorded with each decision.",
        ),
        (
            "一人可属多个群体，证明可来自多个部门：按群体和部门的各行之和可大于合计。"
            "只计决定时予以采信的证明。",
            "A person may belong to several groups and bring credentials from several departments: "
            "those rows may add up to more than the total. Only credentials that counted are read.",
        ),
    ]  # fmt: skip
    return [*found, _cells_note(report)]


def _cells_note(report: Report) -> tuple[str, str]:
    if report.all_cells:
        return (
            f"按要求列出全部单元格：不足{FEWEST_PEOPLE}人的村、群体、部门、理由和审核人也列出金额，可能识别到个人，"
            "请勿外传。",
            "All cells are shown as asked: villages, groups, departments, reasons and "
            f"officers of fewer than {FEWEST_PEOPLE} people, too. They may tell who somebody is; "
            "do not pass them on.",
        )
    return (
        f"不足{FEWEST_PEOPLE}人的村、群体、部门、理由和审核人（及为防止倒推而一并隐去的行）只列申请笔数，"
        f"本表隐去{report.n_hidden}行；完整数据见 --all-cells。",
        f"Villages, groups, departments, reasons and officers of fewer than {FEWEST_PEOPLE} "
        "people, and others so that these cannot be worked out, show the number of applications "
        f"alone: {report.n_hidden} rows here. All of them: --all-cells",
    )


# --- as JSON ------------------------------------------------------------------------------------


def to_document(report: Report) -> dict[str, Any]:
    """The JSON form: rates in percent with one decimal, None where hidden or nothing to share."""
    return {
        "from": report.since.isoformat(),
        "to": report.until.isoformat(),
        "cautions": [
            {"code": c.code, "zh": c.zh, "en": c.en, "decisions": c.decisions}
            for c in report.cautions
        ],
        "notes": [{"zh": zh, "en": en} for zh, en in notes(report)],
        "all_cells": report.all_cells,
        "suppressed_rows": report.n_hidden,
        "total": _figures_document(total_row(report)),
        "by": {
            table.name: {
                "adds_up": table.adds_up,
                "rows": [_row_document(row) for row in table.rows],
            }
            for table in report.tables
        },
    }


def _row_document(row: Row) -> dict[str, Any]:
    return {
        "key": row.key, "zh": row.zh, "en": row.en, "suppressed": row.hidden,
        **_figures_document(row),
    }  # fmt: skip


def _figures_document(row: Row) -> dict[str, int | float | None]:
    return {c.name: plain(c, value) for c, value in values(row)}


def plain(column: Column, value: int | None) -> int | float | None:
    """The figure as a number: yuan and counts whole, rates in percent."""
    return value / 10 if column.is_rate and value is not None else value
