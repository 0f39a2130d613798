"""Tables: the files of a portfolio, and how DuckDB reads each as the columns that SQL asks for.

Parquet brings its types. CSV and NDJSON are read as text, so that what is no number is a flaw of
one row and not the end of the run; a line that is no row at all is told as such, by its number.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from loansvc.errors import TableRefused
from loansvc.portfolio.columns import FIELDS
from loansvc.portfolio.dialect import DUCKDB
from loansvc.portfolio.sql import MISSHAPEN, ROW

if TYPE_CHECKING:
    import duckdb

FORMATS = {
    ".parquet": "parquet", ".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson",
}  # fmt: skip
LONGEST_LINE = 1_000_000
LINES_LOOKED_AT = 1000  # of NDJSON, for the names that are in it
SPARE = ("loansvc_spare",)  # where the first field too many of a CSV line goes
WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
# Wider than a BIGINT: compared as reals, and refused above 1e15 row by row.
REAL = {"DOUBLE", "FLOAT", "UBIGINT", "HUGEINT", "UHUGEINT"}
FITS = {
    "whole": {"whole", "real", "text"},
    "word": {"text", "truth"},
    "words": {"text", "texts"},
    "day": {"day", "text"},
    "code": {"text", "whole"},
}


@dataclass(frozen=True, slots=True)
class Table:
    """One file, or some rows of it: a FROM that reads it, and how its columns are kept."""

    source: str
    columns: Mapping[str, str]
    misshapen: bool


def files_of(given: str) -> list[Path]:
    """The files that are meant by a file, a folder or a glob, in order of name.

    Raises:
        TableRefused: there is none, or one of them is of no format that is read.
    """
    path = Path(given)
    if path.is_dir():
        found = [p for p in path.rglob("*") if p.suffix in FORMATS and p.is_file()]
    elif path.exists():
        found = [path]
    else:
        root = Path(path.anchor) if path.anchor else Path()
        found = [p for p in root.glob(str(path.relative_to(path.anchor))) if p.is_file()]
    strange = [p for p in found if p.suffix not in FORMATS]
    if strange:
        raise TableRefused(
            f"{strange[0]}: a portfolio is read from files that end in {', '.join(FORMATS)}. "
            "Rename or convert it."
        )
    if not found:
        raise TableRefused(f"{given}: there is no such file. Name a file, a folder or a glob.")
    return sorted(found)


def n_rows_of(connection: duckdb.DuckDBPyConnection, path: Path) -> int | None:
    """The rows of a parquet file by its own account; None of a text."""
    if FORMATS[path.suffix] != "parquet":
        return None
    metadata = f"SELECT sum(num_rows) FROM parquet_file_metadata({quoted(path)})"
    (n_rows,) = connection.execute(metadata).fetchall()[0]
    return int(n_rows)


def table_of(
    connection: duckdb.DuckDBPyConnection, path: Path, *, keys: Sequence[str],
    rows: tuple[int, int] | None,
) -> Table:  # fmt: skip
    """How a file is read; `rows`: from the first to below the second, of parquet alone.

    Raises:
        TableRefused: a column is of a type that no such field can be read from.
    """
    format_ = FORMATS[path.suffix]
    if format_ == "parquet":
        return _parquet(connection, path, keys, rows)
    return (_csv if format_ == "csv" else _ndjson)(path, keys)


def quoted(path: Path) -> str:
    """A path as a literal; what DuckDB would take for a glob is taken as it stands."""
    text = str(path).replace("'", "''")
    for sign in "[*?":
        text = text.replace(sign, f"[{sign}]")
    return f"'{text}'"


def _described(connection: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    rows = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return [(str(row[0]), str(row[1])) for row in rows]


def _wanted(names: Iterable[str], keys: Sequence[str]) -> list[str]:
    return [name for name in names if name in FIELDS or name in keys]


def _parquet(
    connection: duckdb.DuckDBPyConnection, path: Path, keys: Sequence[str],
    rows: tuple[int, int] | None,
) -> Table:  # fmt: skip
    types = dict(_described(connection, f"read_parquet({quoted(path)})"))
    columns, selected = {}, []
    for name in _wanted(types, keys):
        kept_as, said = _kept(DUCKDB.named(name), types[name])
        if name in FIELDS:
            check_fits(name, kept_as, types[name])
        columns[name] = kept_as
        selected.append(f"{said} AS {DUCKDB.named(name)}")
    selected.append(f"file_row_number + 1 AS {ROW}")
    where = f" WHERE file_row_number >= {rows[0]} AND file_row_number < {rows[1]}" if rows else ""
    read = f"read_parquet({quoted(path)}, file_row_number = true)"
    return Table(f"(SELECT {', '.join(selected)} FROM {read}{where})", columns, misshapen=False)


def _kept(name: str, type_: str) -> tuple[str, str]:
    """How a column of parquet is kept, and the text that reads it so."""
    if type_ in WHOLE:
        return "whole", name
    if type_ in REAL or type_.startswith("DECIMAL"):
        return "real", f"CAST({name} AS DOUBLE)"
    if type_ == "VARCHAR" or type_.startswith("ENUM"):
        return "text", f"CAST({name} AS VARCHAR)"
    if type_.startswith("TIMESTAMP"):
        return "day", f"CAST({name} AS DATE)"
    kinds = {"BOOLEAN": "truth", "DATE": "day", "VARCHAR[]": "texts"}
    return kinds.get(type_, "other"), name


def check_fits(name: str, kept_as: str, type_: str) -> None:
    """Pass a column of which such a field can be read.

    Raises:
        TableRefused: it is kept as something else.
    """
    field = FIELDS[name]
    is_truth = kept_as == "truth" and set(field.words) != {"yes", "no"}
    if kept_as in FITS[field.kind] and not is_truth:
        return
    reads = {
        "whole": "whole numbers", "word": "words as text", "words": "lists of words or text",
        "day": "dates", "code": "text",
    }[field.kind]  # fmt: skip
    raise TableRefused(f"Column {name} is {type_}, and {reads} are read. Convert the column.")


def _csv(path: Path, keys: Sequence[str]) -> Table:
    names, delimiter = _first_line(path)
    listed = ", ".join(f"'{_text(n)}': 'VARCHAR'" for n in (*names, *SPARE))
    # An empty field is '' and one that is not there NULL, which tells a line that is too short.
    read = (
        f"read_csv({quoted(path)}, auto_detect = false, header = true, delim = '{delimiter}',"
        f" quote = '\"', escape = '\"', columns = {{{listed}}}, null_padding = true,"
        f" nullstr = '\x01', max_line_size = {LONGEST_LINE})"
    )
    wanted = _wanted(names, keys)
    selected = [f"NULLIF({DUCKDB.named(n)}, '') AS {DUCKDB.named(n)}" for n in wanted]
    last, spare = DUCKDB.named(names[-1]), SPARE[0]
    selected += [
        f"row_number() OVER () AS {ROW}",
        f"({last} IS NULL OR {spare} IS NOT NULL) AS {MISSHAPEN}",
    ]
    columns = dict.fromkeys(wanted, "text")
    return Table(f"(SELECT {', '.join(selected)} FROM {read})", columns, misshapen=True)


def _first_line(path: Path) -> tuple[list[str], str]:
    """The names of the columns, and the sign between them: the one that is there most often.

    Raises:
        TableRefused: it is no text in UTF-8, or has no names or one of them twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline(LONGEST_LINE)
    except UnicodeDecodeError:
        raise TableRefused(f"{path}: it is not in UTF-8. Convert it.") from None
    delimiter = max(",;\t|", key=line.count)
    names = next(csv.reader([line], delimiter=delimiter), [])
    if not names or "" in names or len({n.casefold() for n in names}) < len(names):
        raise TableRefused(f"{path}: its first line must name every column, each once. Correct it.")
    return names, delimiter


def _text(text: str) -> str:
    return text.replace("'", "''")


def _ndjson(path: Path, keys: Sequence[str]) -> Table:
    wanted = [name for name in _wanted(_names_of(path), keys) if not set(name) & set("\"'\\")]
    paths = ", ".join(f"'$.\"{_text(n)}\"'" for n in wanted)
    inner = (
        f"SELECT row_number() OVER () AS {ROW},"
        f" (json IS NULL OR json_type(json) <> 'OBJECT') AS {MISSHAPEN},"
        f" json_extract(json, [{paths}]) AS found"
        f" FROM read_ndjson_objects({quoted(path)}, ignore_errors = true)"
    )
    selected = [
        f"{_of_json(f'found[{i}]', name)} AS {DUCKDB.named(name)}"
        for i, name in enumerate(wanted, 1)
    ]
    source = f"(SELECT {ROW}, {MISSHAPEN}, {', '.join(selected)} FROM ({inner}))"
    return Table(source, dict.fromkeys(wanted, "text"), misshapen=True)


def _names_of(path: Path) -> list[str]:
    """The names in the first objects of a file, in order of appearance."""
    names: dict[str, None] = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in islice(file, LINES_LOOKED_AT):
            with suppress(ValueError):
                document = json.loads(line)
                names |= dict.fromkeys(document) if isinstance(document, dict) else {}
    return list(names)


def _of_json(value: str, name: str) -> str:
    """The text of a JSON value; a number is one only without quotes, as over HTTP."""
    field = FIELDS.get(name)
    kind = field.kind if field else "code"
    if kind == "whole":
        return f"NULLIF(CAST({value} AS VARCHAR), 'null')"
    plain = f"({value} ->> '$')"
    if kind == "words":
        listed = f"array_to_string(from_json({value}, '[\"VARCHAR\"]'), ',')"
        return f"CASE WHEN json_type({value}) = 'ARRAY' THEN {listed} ELSE {plain} END"
    if field and set(field.words) == {"yes", "no"}:
        return (
            f"CASE WHEN json_type({value}) <> 'BOOLEAN' THEN {plain}"
            f" WHEN {plain} = 'true' THEN 'yes' ELSE 'no' END"
        )
    return plain
