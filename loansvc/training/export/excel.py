"""Excel: the card as a person adds it up, and a sheet that adds it up while one types.

    Score    one line a characteristic: type a value, read its bin and points; their sum, the PD
    Card     every bin with its points, cases and bad rate
    Tables   the two-way tables, where there are any
    Lookup   from which value each line of the card starts, and which codes and words belong to it

Names and words are kept as texts, so that none that starts with = + - @ is ever a formula.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from loansvc.scorecard import ODDS, POINTS_TO_DOUBLE, SCORE_AT_ODDS, ScoredCharacteristic
from loansvc.scorecard.slots import HIGHEST_PD_SCORE, LOWEST_PD_SCORE, as_doubles
from loansvc.training.export import check_fits
from loansvc.training.export.bundle import zipped

if TYPE_CHECKING:
    from loansvc.training.card import Card

BELOW_ALL = -1e307  # the lowest cut a card may have is -1e300
FIRST_LINE = 6  # below title, statement, how to, an empty line and the heads
NOT_IN_EXCEL = "".join(map(chr, {*range(32)} - {9, 10}))
INPUT = PatternFill("solid", fgColor="FFF2CC")
HEAD = PatternFill("solid", fgColor="1F3864")
BAND = PatternFill("solid", fgColor="F2F5FA")
THIN = Border(bottom=Side("thin", color="D0D0D0"))


def to_excel(card: Card) -> bytes:
    """The workbook; the same card gives the same sheets, byte by byte.

    Raises:
        TableRefused: a name or a word that a cell cannot hold.
    """
    check_fits(card.scorecard, format_="Excel", also=NOT_IN_EXCEL)
    book = Workbook()
    first = book.active
    assert isinstance(first, Worksheet), "a new workbook starts with a sheet"
    first.title = "Score"
    sheets = {n: book.create_sheet(n) for n in ("Card", "Tables", "Lookup")}
    lookup = _Lookup(sheets["Lookup"])
    spans = _print_card(sheets["Card"], card)
    cells = _print_tables(sheets["Tables"], card)
    _print_score(first, card, spans, cells, lookup)
    if not card.scorecard.pairs:
        book.remove(sheets["Tables"])
    for sheet in book.worksheets:
        sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
        sheet.page_setup.paperSize = 9  # A4
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        if sheet.title in ("Score", "Card"):
            sheet.print_title_rows = f"{FIRST_LINE - 1}:{FIRST_LINE - 1}"
    book.properties.creator = "loansvc"
    book.properties.created = datetime(2000, 1, 1)  # noqa: DTZ001 -- openpyxl takes no offset
    buffer = io.BytesIO()
    book.save(buffer)
    return _without_time(buffer.getvalue())


def _without_time(book: bytes) -> bytes:
    """The same workbook without the instant at which it was written."""
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    core = files["docProps/core.xml"]
    modified = rb"(<dcterms:modified[^>]*>)[^<]*"
    files["docProps/core.xml"] = re.sub(modified, rb"\g<1>2000-01-01T00:00:00Z", core)
    return zipped(files)


# --- the sheet on which one types ----------------------------------------------------------------


def _print_score(
    sheet: Worksheet,
    card: Card,
    spans: Mapping[str, tuple[int, int]],
    cells: Sequence[tuple[str, str, str]],
    lookup: _Lookup,
) -> None:
    scorecard = card.scorecard
    _title(sheet, card, "Type a value into a yellow cell; leave it empty where it is not known. "
           "在黄色单元格填写；未知则留空。")  # fmt: skip
    _head(sheet, ("characteristic", "what it is", "value", "line", "bin", "points"))
    lines: dict[str, int] = {}
    for row, of in enumerate(scorecard.characteristics, FIRST_LINE):
        lines[of.name] = row
        start, end = spans[of.name]
        _text(sheet.cell(row, 1), of.name)
        _text(sheet.cell(row, 2), _label(of))
        typed = sheet.cell(row, 3)
        typed.fill, typed.alignment = INPUT, Alignment(horizontal="right")
        if of.described.words:
            typed.number_format = "@"
        sheet.cell(row, 4).value = "=" + lookup.line_of(of, f"$C{row}", sheet=sheet)
        sheet.cell(row, 5).value = f"=INDEX(Card!$B${start}:$B${end},$D{row})"
        sheet.cell(row, 5).alignment = Alignment(indent=1)
        sheet.cell(row, 6).value = f"=INDEX(Card!$F${start}:$F${end},$D{row})"
    row = FIRST_LINE + len(lines)
    for pair, (matrix, row_names, column_names) in zip(scorecard.pairs, cells, strict=True):
        at_row = lookup.line_of(pair.rows, f"$C{lines[pair.rows.name]}")
        at_column = lookup.line_of(pair.columns, f"$C{lines[pair.columns.name]}")
        _text(sheet.cell(row, 1), f"{pair.rows.name} * {pair.columns.name}")
        _text(sheet.cell(row, 2), "two-way table 二维表")
        sheet.cell(row, 3).value = f"={at_row}"
        sheet.cell(row, 4).value = f"={at_column}"
        sheet.cell(
            row, 5
        ).value = f'=INDEX({row_names},$C{row})&" / "&INDEX({column_names},$D{row})'
        sheet.cell(row, 6).value = f"=INDEX({matrix},$C{row},$D{row})"
        row += 1
    _text(sheet.cell(row, 1), "base points 基础分")
    sheet.cell(row, 6).value = scorecard.base_points
    _text(sheet.cell(row + 1, 1), "score 得分")
    sheet.cell(row + 1, 6).value = f"=SUM(F{FIRST_LINE}:F{row})"
    _text(sheet.cell(row + 2, 1), "pd 违约概率")
    bounded = f"MIN(MAX(F{row + 1},{LOWEST_PD_SCORE}),{HIGHEST_PD_SCORE})"
    odds = f"{ODDS}*2^(({bounded}-{SCORE_AT_ODDS})/{POINTS_TO_DOUBLE})"
    sheet.cell(row + 2, 6).value = f"=MIN(MAX(ROUND(1000000/(1+{odds}),0),1),999999)/1000000"
    sheet.cell(row + 2, 6).number_format = "0.0000%"
    for last in (row, row + 1, row + 2):
        for column in range(1, 7):
            sheet.cell(last, column).font = Font(name="Calibri", bold=True)
            sheet.cell(last, column).fill = BAND
    for line in range(FIRST_LINE, row + 3):
        for column in range(1, 7):
            sheet.cell(line, column).border = THIN
    _widths(sheet, (34, 44, 22, 6, 56, 9))
    sheet.freeze_panes = sheet.cell(FIRST_LINE, 1)


class _Lookup:
    """The sheet that says where a value belongs, and formulas that read it."""

    def __init__(self, sheet: Worksheet) -> None:
        self.sheet, self.row = sheet, 2
        self.spans: dict[int, tuple[str, str]] = {}
        for column, head in enumerate(("characteristic", "from, code or word", "line"), 1):
            _text(sheet.cell(1, column), head)
            sheet.cell(1, column).font = Font(name="Calibri", bold=True)
        _widths(sheet, (34, 34, 8))
        self.sheet.freeze_panes = "A2"

    def listed(self, name: str, rows: Sequence[tuple[Any, int]]) -> tuple[str, str]:
        """These keys and their lines, written down; where they stand."""
        first = self.row
        for key, slot in rows:
            _text(self.sheet.cell(self.row, 1), name)
            if isinstance(key, str):
                _text(self.sheet.cell(self.row, 2), key)
            else:
                _number(self.sheet.cell(self.row, 2), key)
            self.sheet.cell(self.row, 3).value = slot + 1
            self.row += 1
        return (f"Lookup!$B${first}:$B${self.row - 1}", f"Lookup!$C${first}:$C${self.row - 1}")

    def line_of(
        self, of: ScoredCharacteristic, cell: str, *, sheet: Worksheet | None = None
    ) -> str:
        """A formula for the line, among the bins, of the value in a cell; with a list to choose."""
        missing = of.missing + 1
        if of.described.words:
            words = [(w, i) for w, i in of.index.items() if isinstance(w, str)]
            keys, lines = self.listed(of.name, words)
            if sheet is not None:
                choice = DataValidation("list", formula1=keys, showErrorMessage=False)
                choice.add(cell.replace("$", ""))
                sheet.add_data_validation(choice)
            # EXACT tells capitals apart and knows no wildcards; MATCH does neither.
            found = f"SUMPRODUCT(EXACT({cell},{keys})*{lines})"
            return f"IF(ISBLANK({cell}),{missing},IF({found}=0,{of.unseen + 1},{found}))"
        cuts = [BELOW_ALL, *as_doubles(of.cuts)]
        starts, _ = self.listed(of.name, [(cut, i) for i, cut in enumerate(cuts)])
        line = f"MATCH({cell},{starts},1)"
        if of.index:
            codes = [(float(c), i) for c, i in of.index.items()]
            keys, lines = self.listed(of.name, codes)
            line = f"IFERROR(INDEX({lines},MATCH({cell},{keys},0)),{line})"
        return f"IF(ISBLANK({cell}),{missing},IF(ISNUMBER({cell}),{line},NA()))"


# --- the sheets one reads ------------------------------------------------------------------------


def _print_card(sheet: Worksheet, card: Card) -> dict[str, tuple[int, int]]:
    """Every bin; the first and last line of each characteristic."""
    _title(sheet, card, "score = base points + the points of one bin each. "
           "得分为基础分加每项一档的分数。")  # fmt: skip
    _head(sheet, ("characteristic", "bin", "档", "from", "to (below)", "points", "cases",
                  "bad rate"))  # fmt: skip
    row, spans = FIRST_LINE, {}
    for i, of in enumerate(card.scorecard.characteristics):
        listed = card.document["characteristics"][of.name]["bins"]
        spans[of.name] = (row, row + len(of.bins) - 1)
        for bin_, told in zip(of.bins, listed, strict=True):
            for column, text in enumerate((of.name, bin_.en, bin_.zh), 1):
                _text(sheet.cell(row, column), text)
            n, n_bad = told.get("n"), told.get("n_bad")
            rate = n_bad / n if n and n_bad is not None else None
            for column, number in enumerate((bin_.start, bin_.end, bin_.points, n, rate), 4):
                _number(sheet.cell(row, column), number)
            sheet.cell(row, 8).number_format = "0.0%"
            for column in range(1, 9):
                sheet.cell(row, column).border = THIN
                if i % 2:
                    sheet.cell(row, column).fill = BAND
            row += 1
    _text(sheet.cell(row, 1), "base points 基础分")
    sheet.cell(row, 6).value = card.scorecard.base_points
    sheet.cell(row, 1).font = sheet.cell(row, 6).font = Font(name="Calibri", bold=True)
    _widths(sheet, (34, 56, 44, 12, 12, 9, 9, 9))
    sheet.freeze_panes = sheet.cell(FIRST_LINE, 1)
    return spans


def _print_tables(sheet: Worksheet, card: Card) -> list[tuple[str, str, str]]:
    """The two-way tables; where the points of each, its rows and its columns stand."""
    _title(sheet, card, "points for two characteristics together 两项合并的分数")
    row, found = FIRST_LINE, []
    for pair in card.scorecard.pairs:
        _text(sheet.cell(row, 1), f"{pair.rows.name} * {pair.columns.name}")
        sheet.cell(row, 1).font = Font(name="Calibri", bold=True)
        n_rows, n_columns = len(pair.rows.bins), len(pair.columns.bins)
        for i, bin_ in enumerate(pair.columns.bins, 2):
            _text(sheet.cell(row, i), bin_.en)
            sheet.cell(row, i).alignment = Alignment(wrap_text=True, vertical="top")
        for i, (bin_, points) in enumerate(zip(pair.rows.bins, pair.points, strict=True), row + 1):
            _text(sheet.cell(i, 1), bin_.en)
            for j, number in enumerate(points, 2):
                sheet.cell(i, j).value = number
        last = get_column_letter(n_columns + 1)
        found.append((
            f"Tables!$B${row + 1}:${last}${row + n_rows}",
            f"Tables!$A${row + 1}:$A${row + n_rows}",
            f"Tables!$B${row}:${last}${row}",
        ))  # fmt: skip
        row += n_rows + 3
    _widths(sheet, (48, *[20] * 12))
    return found


# --- cells ---------------------------------------------------------------------------------------


def _text(cell: Cell | Any, text: str) -> None:
    """A text, whatever it starts with, now and after somebody edits the cell."""
    cell.value = text
    cell.data_type, cell.number_format, cell.quotePrefix = "s", "@", True


def _number(cell: Cell | Any, number: float | None) -> None:
    """A number to the last bit: openpyxl writes 16 digits of a float, which may be another one."""
    if isinstance(number, float):
        cell.value = repr(number)
        cell.data_type = "n"
    else:
        cell.value = number


def _label(of: ScoredCharacteristic) -> str:
    zh, en = of.described.zh or of.name, of.described.en or of.name
    return en if zh == en else f"{zh} {en}"


def _title(sheet: Worksheet, card: Card, how: str) -> None:
    named = card.document.get("product") or card.document.get("table") or "card"
    for row, text in enumerate((f"Scorecard 评分卡 {named}", card.scorecard.statement, how), 1):
        _text(sheet.cell(row, 1), text)
    _text(sheet.cell(4, 1), f"card {card.digest}")
    sheet.cell(1, 1).font = Font(name="Calibri", bold=True, size=14)
    sheet.cell(4, 1).font = Font(name="Calibri", size=8, color="808080")


def _head(sheet: Worksheet, names: Sequence[str]) -> None:
    for column, name in enumerate(names, 1):
        cell = sheet.cell(FIRST_LINE - 1, column)
        _text(cell, name)
        cell.font, cell.fill = Font(name="Calibri", bold=True, color="FFFFFF"), HEAD


def _widths(sheet: Worksheet, widths: Sequence[int]) -> None:
    for column, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(column)].width = width
