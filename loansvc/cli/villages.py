"""villages rate: the county's rating office brings evidence, a dated standard gives the ratings.

All or nothing: a file with a fault is listed fault by fault, and nothing is rated or written.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from loansvc.cli.decisions import print_json
from loansvc.cli.editions import a_day, a_file
from loansvc.editions import COUNTY, Edition, digest_of, in_force, to_text
from loansvc.errors import EditionRefused, SetupRefused, TableRefused
from loansvc.files import write_whole
from loansvc.identifiers import village_code_flaw
from loansvc.registry import Registry, read_document
from loansvc.settings import Settings
from loansvc.standards import (
    ENOUGH,
    MEASURES,
    MOST,
    Line,
    Rating,
    Standard,
    contradictions,
    is_conduct,
    rate,
)
from loansvc.underwriting import now
from loansvc.villages import EVIDENCE, RATINGS, UNRATED, Village, rating_on

COLUMNS = ("code", *EVIDENCE, "as_of")
MOST_BYTES = 1_000_000  # 154 villages are 10 kB
WIDTH_OF_NAME = 14  # seven Chinese characters; the longest name of a village here has five
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


@dataclass(frozen=True, slots=True)
class Rated:
    """A row, its rating, the village as the newest register has it, and how it stands that day."""

    row: Row
    rating: Rating
    listed: Village
    standing: str
    state: str


@dataclass(frozen=True, slots=True)
class Source:
    """The standard applied. `published` False: a draft given with --standard."""

    standard: Standard
    valid_from: date
    reference: str
    digest: str
    published: bool


@click.group()
def villages() -> None:
    """Villages: ratings from evidence."""


@villages.command("rate")
@click.argument("evidence", type=a_file)
@click.option("--on", type=a_day, help="Default: today.")
@click.option("--standard", "draft", type=a_file, help="Default: the published one of that day.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="For the register.")
@click.option("--json", "json_", is_flag=True, help="Print every line behind every rating.")
def rate_(
    evidence: Path, *, on: datetime | None, draft: Path | None, out: Path | None, json_: bool
) -> None:
    """Rate the villages in EVIDENCE, a CSV file in UTF-8, by the standard in force.

    Columns: code, households_total, households_rated, households_a_plus, borrowers,
    borrowers_overdue, balance_yuan, npl_balance_yuan, as_of. An empty figure is one not known.
    """
    folder = Settings.from_environment().models_folder
    registry = Registry.open(folder)
    day = on.date() if on else now().date()
    source = _draft(draft) if draft else _published(registry, day)
    data = _read_bytes(evidence)
    latest = min(day, now().date())
    rows = _read_rows(data, evidence.name, codes=registry.village_codes, latest=latest)
    listed = _listed(registry)
    rated = [_rated(row, source.standard, listed[row.code], day) for row in rows]
    document = _document(rated, source, day, hashlib.sha256(data).hexdigest())
    if out is not None:
        _write(out, to_text(_register_part(document)), evidence=evidence, models=folder)
    if json_:
        print_json(document)
        return
    _print(rated, source, day)
    if out is not None:
        click.echo(f"{out}   {len(rated)} lines for the register")


def _published(registry: Registry, on: date) -> Source:
    edition: Edition[Standard] = in_force(
        registry.editions, kind="standard", product=COUNTY, role="champion", on=on
    )
    return Source(
        edition.content, edition.valid_from, edition.head.reference, edition.digest, published=True
    )


def _draft(path: Path) -> Source:
    head, content = read_document(path)
    if not isinstance(content, Standard):
        raise EditionRefused(f"{path.name}: is a {head.kind}, not a standard. Give a standard.")
    digest = digest_of(path.read_bytes())
    return Source(content, head.valid_from, head.reference, digest, published=False)


def _listed(registry: Registry) -> dict[str, Village]:
    """Every village of the code table, as the newest register that lists it has it."""
    registers = [e for e in registry.editions if e.kind == "villages"]
    by_age = sorted(registers, key=lambda e: e.valid_from)
    return {code: v for e in by_age for code, v in e.content.villages.items()}


def _rated(row: Row, standard: Standard, listed: Village, on: date) -> Rated:
    """A rating holds from the day of its evidence; what was taken away stays taken away."""
    rating = rate(row.evidence, standard)
    village = replace(listed, rating=rating.rating, assessed_on=row.as_of)
    return Rated(row, rating, listed, *rating_on(village, on))


# --- the file -----------------------------------------------------------------------------------


def _read_bytes(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise TableRefused(
            f"{path.name}: is larger than {MOST_BYTES} bytes. Give one row a village."
        )
    return path.read_bytes()


def _read_rows(data: bytes, name: str, *, codes: frozenset[str], latest: date) -> list[Row]:
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
            self._fault(line, "code", "is not in the county's code table. Check the 12 digits.")
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


# --- the answer ---------------------------------------------------------------------------------


def _document(
    rated: Sequence[Rated], source: Source, on: date, evidence_sha256: str
) -> dict[str, Any]:
    return {
        "on": on.isoformat(),
        "standard": {
            "valid_from": source.valid_from.isoformat(),
            "reference": source.reference,
            "digest": source.digest,
            "published": source.published,
            "statement": source.standard.statement,
        },
        "evidence_sha256": evidence_sha256,
        "villages": [_village(r) for r in rated],
    }


def _village(r: Rated) -> dict[str, Any]:
    return {
        "code": r.row.code,
        "name": r.listed.name,
        "town": r.listed.town,
        "rating": r.rating.rating,
        "registered_rating": r.listed.rating,
        "standing": {"rating": r.standing, "state": r.state},
        "evidence": {**r.row.evidence, "as_of": r.row.as_of.isoformat()},
        "bound": [_line(line) for line in r.rating.bound],
        "lines": [_line(line) for line in r.rating.lines],
    }


def _line(line: Line) -> dict[str, Any]:
    measure = MEASURES[line.measure]
    return {
        "for": line.rating,
        "measure": line.measure,
        "zh": measure.zh,
        "en": measure.en,
        "value": line.value,
        "of": line.whole,
        "at_least" if measure.more_is_better else "at_most": line.threshold,
        "result": line.result,
        "reference": line.clause.reference,
        "source_grade": line.clause.source_grade,
        "verify": line.clause.verify,
    }


def _register_part(document: dict[str, Any]) -> dict[str, Any]:
    """What the register's lines take over: rating, its day, its evidence. Points come elsewhere."""
    return document | {"villages": [_register_line(v) for v in document["villages"]]}


def _register_line(village: dict[str, Any]) -> dict[str, Any]:
    line = {k: village[k] for k in ("code", "name", "town", "rating")}
    if village["rating"] == UNRATED:  # the register keeps neither day nor evidence of these
        return line
    evidence = village["evidence"]
    return line | {"assessed_on": evidence["as_of"], "evidence": evidence}


def _write(out: Path, text: str, *, evidence: Path, models: Path) -> None:
    target = out.resolve()
    if target == evidence.resolve() or target.is_relative_to(models.resolve()):
        raise SetupRefused(
            f"{out}: is the evidence itself or lies among the editions, which never change. "
            "Choose another place for --out."
        )
    try:
        write_whole(out, text.encode(), part_folder=out.parent)
    except OSError as error:
        raise SetupRefused(
            f"{out}: cannot be written ({error.strerror}). Choose another place for --out."
        ) from None


def _print(rated: Sequence[Rated], source: Source, on: date) -> None:
    for r in rated:
        name = _padded(r.listed.name, WIDTH_OF_NAME)
        before = "" if r.listed.rating == r.rating.rating else f"register: {r.listed.rating}"
        says = "; ".join(_says(line) for line in r.rating.bound) or "meets all criteria"
        click.echo(f"{r.row.code}  {name}{r.rating.rating:<8} {before:<19} {says}".rstrip())
        if r.state in ("grace", "expired", "revoked"):
            click.echo(f"  note  {_note(r, on)}")
    counts = Counter(r.rating.rating for r in rated)
    found = ", ".join(f"{counts[rating]} {rating}" for rating in RATINGS if rating in counts)
    for sentence in source.standard.statement.splitlines():
        click.echo(f"  note  {sentence}")
    weak = sum(clause.verify for _, clause in source.standard.clauses)
    draft = "" if source.published else ", a draft that is not published"
    click.echo(f"{len(rated)} {'village' if len(rated) == 1 else 'villages'}: {found}")
    click.echo(
        f"  under  standard {source.valid_from} ({source.digest[7:19]}{draft}); "
        f"{weak} of its {len(source.standard.clauses)} clauses are to be verified"
    )


def _says(line: Line) -> str:
    """A line in words.

    >>> from loansvc.policy.rules import Clause
    >>> _says(Line("AA", "a_plus_per_mille", 866, 1323, 700, "not_met", Clause("x", "A", False)))
    'households A or better 65.45 %, AA asks at least 70 %'
    """
    measure = MEASURES[line.measure]
    if line.result == "unknown":
        return f"{measure.en} not known"
    asks = "any rating" if line.rating == ENOUGH else line.rating
    bound = "at least" if measure.more_is_better else "at most"
    threshold = f"{line.threshold / 10:g} %" if measure.whole else str(line.threshold)
    return f"{measure.en} {_read(line)}, {asks} asks {bound} {threshold}"


def _read(line: Line) -> str:
    """The value read; a share is rounded away from the threshold's favour, so it never flatters."""
    measure = MEASURES[line.measure]
    assert line.value is not None, "a line that is not known has no value to show"
    if not line.whole:
        return str(line.value)
    sign = 1 if measure.more_is_better else -1
    hundredths = sign * (sign * line.value * 10_000 // line.whole)
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def _note(r: Rated, on: date) -> str:
    if r.state == "revoked":
        return f"taken away in the register, and counts as {r.standing} until that is lifted there"
    return (
        f"evidence of {r.row.as_of} is old: on {on} the village counts as {r.standing} ({r.state})"
    )


def _padded(text: str, width: int) -> str:
    """Text and blanks up to a width on the screen, where a Chinese character takes two places."""
    taken = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
    return text + " " * max(width - taken, 1)


COMMANDS = (villages,)
