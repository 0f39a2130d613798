"""The evidence file: a CSV of villages, read whole, or refused with every fault in it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

from loansvc.errors import TableRefused
from loansvc.identifiers import village_code_flaw
from loansvc.standards import MOST, contradictions, is_conduct
from loansvc.villages import EVIDENCE

COLUMNS = ("code", *EVIDENCE, "as_of")
MOST_BYTES = 32_000_000  # as of editions: the evidence of 50,000 villages has 6 MB
_DIGITS = re.compile(r"[0-9]{1,13}", re.ASCII)
_NEGATIVE = re.compile(r"-[0-9.]+", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SCIENTIFIC = re.compile(r"[0-9][.,][0-9]+E\+?[0-9]+", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One village of the file. A figure is None where its cell is empty: not known."""

    line: int
    code: str
    evidence: dict[str, int | None]
    as_of: date


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that is no larger than evidence can be."""
    if path.stat().st_size > MOST_BYTES:
        raise TableRefused(
            f"{path.name}: is larger than {MOST_BYTES} bytes. Give one row a village."
        )
    return path.read_bytes()


def read_rows(data: bytes, name: str, *, codes: frozenset[str], latest: date) -> list[Row]:
    """Every row of the file, or every fault in it on standard error.

    Raises:
        TableRefused: with the number of faults.
    """
    lines = list(_lines(_text(data, name), name))
    faults: list[str] = []
    rows: list[Row] = []
    if not lines:
        faults.append(f"{name}: is empty. The first line must be: {','.join(COLUMNS)}")
    elif faults := [f"{name}, line {lines[0][0]}, {f}" for f in _header_faults(lines[0][1])]:
        pass  # without the right columns nothing can be said of the rows
    elif len(lines) == 1:
        faults.append(f"{name}: has no row below the first line. Add one row a village.")
    else:
        reader = _RowReader(name, tuple(lines[0][1]), codes, latest, faults)
        rows = [row for line, cells in lines[1:] if (row := reader.read(line, cells))]
    if faults:
        for fault in faults:
            click.echo(fault, err=True)
        what = "fault" if len(faults) == 1 else "faults"
        raise TableRefused(
            f"{name}: {len(faults)} {what}, listed above; nothing was rated or written. "
            "Correct the file and run the command again."
        )
    return rows


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        raise TableRefused(
            f"{name}: is neither UTF-8 nor GB18030. Save the table again as 'CSV UTF-8'."
        ) from None
    raise TableRefused(
        f"{name}: is not UTF-8; it looks like GB18030, which Excel writes as plain CSV. "
        "Save it as 'CSV UTF-8', or run: iconv -f GB18030 -t UTF-8 FILE > FILE.utf8.csv"
    )


def _lines(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that has any; cells without spaces around them."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):  # Excel leaves lines of commas below a table
                yield line, stripped
            line = reader.line_num + 1
    except csv.Error as error:
        raise TableRefused(
            f"{name}, line {line}: is not CSV: {error}. Check the quotation marks there."
        ) from None


def _header_faults(header: Sequence[str]) -> list[str]:
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        return ["column code: columns must be parted by commas. Save it as CSV with commas."]
    faults = []
    for column in dict.fromkeys(header):
        shown = _shown(column)
        if is_conduct(column):
            faults.append(
                f"column {shown}: is a mark of conduct (乡风文明) and never rates a village. "
                "Remove the column; see docs/villages.md"
            )
        elif column not in COLUMNS:
            faults.append(f"column {shown}: is not known. Remove it, or correct its name.")
        elif header.count(column) > 1:
            faults.append(f"column {shown}: stands twice. Remove one.")
    faults += [f"column {c}: is missing. Add it." for c in COLUMNS if c not in header]
    return faults


def _shown(column: str) -> str:
    """The name of a column, short and without control characters."""
    text = "".join(c if c.isprintable() else "?" for c in column)
    return (text[:40] + "…" if len(text) > 40 else text) or "without a name"


class _RowReader:
    """Reads rows one by one and gathers what is wrong with them."""

    def __init__(
        self, name: str, header: tuple[str, ...], codes: frozenset[str], latest: date,
        faults: list[str],
    ) -> None:  # fmt: skip
        self._name, self._header, self._codes, self._latest = name, header, codes, latest
        self._faults = faults
        self._line_of: dict[str, int] = {}

    def read(self, line: int, cells: Sequence[str]) -> Row | None:
        """The row, or None where something is wrong with it."""
        n_faults = len(self._faults)
        if len(cells) != len(self._header):
            self._faults.append(
                f"{self._name}, line {line}: has {len(cells)} cells, the first line has "
                f"{len(self._header)}. Write numbers without commas, one cell a column."
            )
            return None
        row = dict(zip(self._header, cells, strict=True))
        self._check_code(line, row["code"])
        evidence = {name: self._number(line, name, row[name]) for name in EVIDENCE}
        for part, whole in contradictions(evidence):
            self._fault(line, part, f"must not be more than {whole}. Check both figures.")
        as_of = self._day(line, row["as_of"])
        if as_of is None or len(self._faults) > n_faults:
            return None
        return Row(line, row["code"], evidence, as_of)

    def _fault(self, line: int, column: str, says: str) -> None:
        self._faults.append(f"{self._name}, line {line}, column {column}: {says}")

    def _check_code(self, line: int, code: str) -> None:
        flaw = village_code_flaw(code, known=self._codes)
        if _SCIENTIFIC.fullmatch(code):
            says = "is a number of the spreadsheet's, which has lost digits. "
            self._fault(line, "code", says + "Format the column as text and enter it again.")
        elif flaw is not None and flaw.code == "village_unknown":
            self._fault(
                line,
                "code",
                "is not in the county's code table. Find the code: loansvc villages list NAME",
            )
        elif flaw is not None:
            self._fault(line, "code", flaw.detail)
        elif code in self._line_of:
            self._fault(line, "code", f"stands in line {self._line_of[code]} already. Keep one.")
        else:
            self._line_of[code] = line

    def _number(self, line: int, column: str, cell: str) -> int | None:
        if not cell:
            return None
        if _DIGITS.fullmatch(cell) and int(cell) <= MOST:
            return int(cell)
        if _NEGATIVE.fullmatch(cell):
            self._fault(line, column, "must not be negative. Check the figure.")
        else:
            says = f"must be a whole number from 0 to {MOST}, in digits alone, such as 7975000; "
            self._fault(line, column, says + "leave it empty if it is not known.")
        return None

    def _day(self, line: int, cell: str) -> date | None:
        try:
            day = date.fromisoformat(cell) if _DAY.fullmatch(cell) else None
        except ValueError:
            day = None
        if day is None:
            self._fault(line, "as_of", "must be the day of the evidence, such as 2026-06-30.")
        elif day > self._latest:
            self._fault(line, "as_of", f"must not be after {self._latest}. Correct the day.")
            return None
        return day
