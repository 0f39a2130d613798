"""CSV: a report as one long table that a spreadsheet opens as it stands and does not run.

UTF-8 with a byte order mark, so that Excel reads Chinese. A text that a spreadsheet would take for
a formula has an apostrophe before it; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
import re

from loansvc.monitoring.columns import COLUMNS, notes, plain, total_row, values
from loansvc.monitoring.report import Report, Row

# Full-width forms too: spreadsheets of East Asian locales read them alike (OWASP, CSV injection).
# Before them, what a reader may skip: spaces of any kind, and marks that are not seen.
FORMULA = re.compile(r"[\s\ufeff\u200b\x00]*[=+\-@＝＋－＠]|[\t\r\n]")
HEADER = (
    "dimension", "key", "label_zh", "label_en", "suppressed", *(c.name for c in COLUMNS)
)  # fmt: skip


def csv_bytes(report: Report) -> bytes:
    """The file: total first, then cautions and notes, then a row for each key of each dimension."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    writer.writerow(_line("total", total_row(report)))
    blank = [""] * len(COLUMNS)
    for caution in report.cautions:
        cells = map(safe_cell, ("caution", caution.code, caution.zh, caution.en, ""))
        writer.writerow([*cells, caution.decisions, *blank[1:]])
    for i, (zh, en) in enumerate(notes(report), start=1):
        writer.writerow([*map(safe_cell, ("note", str(i), zh, en, "")), *blank])
    for table in report.tables:
        for row in table.rows:
            writer.writerow(_line(table.name, row))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _line(dimension: str, row: Row) -> list[str | int | float]:
    texts = (dimension, row.key, row.zh, row.en, "yes" if row.hidden else "")
    figures = (plain(column, value) for column, value in values(row))
    return [*map(safe_cell, texts), *("" if f is None else f for f in figures)]


def safe_cell(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would run it.

    >>> [safe_cell(t) for t in ("=1+1", "  @SUM(A1)", "2026-11", "王潭村")]
    ["'=1+1", "'  @SUM(A1)", '2026-11', '王潭村']
    """
    return f"'{text}" if FORMULA.match(text) else text
