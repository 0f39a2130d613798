"""Run: a portfolio in parts, each written whole, so that a run that was ended goes on.

A part is a slice of one parquet file, or a whole file of text. Each is one COPY of DuckDB that
streams from file to file; a few run side by side, each on a thread of its own, under one ceiling of
memory. A part is done when its own small record is there; what is there is not made again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from loansvc import __version__
from loansvc.decision import Editions
from loansvc.errors import TableRefused
from loansvc.files import alone_in, write_whole
from loansvc.portfolio.dialect import DUCKDB
from loansvc.portfolio.sql import Asked, Query, portfolio_sql
from loansvc.portfolio.tables import FORMATS, Table, files_of, n_rows_of, quoted, table_of

RUN = "run.json"
PART_ROWS = 1_000_000
OWN_MEMORY = 150 * 2**20  # the interpreter and DuckDB's own code, taken off the ceiling
LEAST_MEMORY = 300 * 2**20
LOOK_EVERY_S = 0.2
DEFAULT_KEY = "application_id"
COPY = {
    "parquet": "FORMAT parquet",
    "csv": "FORMAT csv, HEADER true",
    "ndjson": "FORMAT json",
}
# Rows stay in their order: the villages are the side of a join that is kept, and small batches are
# passed on as they come, not behind the larger ones.
IN_ORDER = (
    "SET disabled_optimizers = 'build_side_probe_side,join_order'",
    "SET enable_caching_operators = false",
)
_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)i?B?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be scored, by which editions, into which folder or file."""

    given: str
    out: Path
    editions: Editions
    village_codes: frozenset[str]
    on: date
    only_score: bool = False
    keys: tuple[str, ...] | None = None
    format: str = "parquet"
    memory_bytes: int = 2**30
    threads: int = 2
    part_rows: int = PART_ROWS
    again: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or rows of it from the first to below the second; `weight` in bytes."""

    number: int
    path: Path
    rows: tuple[int, int] | None
    weight: float

    @property
    def name(self) -> str:
        """What its files begin with."""
        return f"part-{self.number:05d}"


@dataclass(slots=True)
class Summary:
    """What came of it. `missing`: columns that no file has, so that they are known of nobody."""

    rows: int = 0
    rejected: int = 0
    parts: int = 0
    taken_over: int = 0
    missing: list[str] = field(default_factory=list)
    editions: dict[str, dict[str, str]] = field(default_factory=dict)


def memory_bytes(said: str) -> int:
    """A ceiling such as 1GB or 512MB in bytes.

    Raises:
        TableRefused: it is no such text, or less than a run needs.

    >>> memory_bytes("1GB"), memory_bytes("512 MiB")
    (1073741824, 536870912)
    """
    match = _MEMORY.fullmatch(said.strip())
    if match is None:
        raise TableRefused(f"Memory {said!r} is not a size. Write it as 1GB or 512MB.")
    size = int(float(match[1]) * 2 ** (10 * " KMGT".index((match[2] or " ").upper())))
    if size < LEAST_MEMORY:
        raise TableRefused(
            f"Memory {said!r} is too little. Give {LEAST_MEMORY // 2**20}MB or more."
        )
    return size


def score(order: Order, *, progress: Callable[[float], None] = lambda share: None) -> Summary:
    """Score every part that is not there yet, then tell what all of them come to.

    `progress` is called with the share that is done, from 0 to 1.

    Raises:
        TableRefused: a file or column is not fit, the folder holds another run, or there is not
            enough memory.
    """
    single = order.out.suffix in FORMATS
    if single:
        order = replace(order, format="parquet")  # of the parts; the file is written at the end
    folder = order.out.with_name(order.out.name + ".parts") if single else order.out
    # Answers may lie below the folder that is read, and are not read again.
    inside = folder.resolve()
    files = [p for p in files_of(order.given) if inside not in p.resolve().parents]
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder), _database(order, folder) as connection:
        parts = _parts(connection, files, order)
        _same_run(order, files, folder)
        done = {part.number for part in parts if (folder / f"{part.name}.json").exists()}
        left = [part for part in parts if part.number not in done]
        _run_all(_Worker(order, folder, connection), left, parts, progress)
        summary = _summed(order, folder, parts, n_taken_over=len(done))
        if single:
            _join(connection, order, folder, parts)
            shutil.rmtree(folder)
    return summary


@contextmanager
def _database(order: Order, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory, within the ceiling; what does not fit goes beside the parts."""
    spill = folder / ".spill"
    connection = duckdb.connect()
    limit = max(order.memory_bytes - OWN_MEMORY, LEAST_MEMORY // 2)
    try:
        connection.execute(f"SET memory_limit = '{limit // 2**20}MiB'")
        connection.execute(f"SET temp_directory = {_literal(str(spill))}")
        yield connection
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _parts(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], order: Order
) -> list[Part]:
    found: list[Part] = []
    for path in files:
        with _told(path):
            n_rows = n_rows_of(connection, path)
        size = path.stat().st_size
        if n_rows is None or n_rows <= order.part_rows:
            found.append(Part(len(found), path, None, size or 1))
            continue
        for first in range(0, n_rows, order.part_rows):
            rows = (first, min(first + order.part_rows, n_rows))
            found.append(Part(len(found), path, rows, size * (rows[1] - first) / n_rows))
    return found


def _same_run(order: Order, files: Sequence[Path], folder: Path) -> None:
    """The folder is empty, or holds parts of this very run; `again` empties it of parts."""
    asked = {
        "version": __version__,
        "editions": order.editions.references(),
        "product": order.editions.policy.content.product,
        "on": order.on.isoformat(),
        "columns": "score" if order.only_score else "decision",
        "keys": None if order.keys is None else list(order.keys),
        "format": order.format,
        "part_rows": order.part_rows,
        "files": [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in files],
    }
    record = folder / RUN
    if order.again:
        for path in folder.glob("part-*"):
            path.unlink()
        record.unlink(missing_ok=True)
    if record.exists() and any(folder.glob("part-*.json")):
        before = json.loads(record.read_bytes())["asked"]
        other = [name for name in asked if before.get(name) != asked[name]]
        if other:
            raise TableRefused(
                f"{folder} holds parts of another run (other {', '.join(other)}). Name another "
                "place, or begin anew with --again."
            )
    elif not record.exists() and any(folder.iterdir()):
        raise TableRefused(f"{folder} holds files of something else. Name an empty folder.")
    else:
        _write(record, {"asked": asked})


def _write(path: Path, document: Any) -> None:
    write_whole(path, json.dumps(document, indent=1).encode(), part_folder=path.parent)


def _place(draft: Path, target: Path) -> None:
    """A whole file to its place, on disk before anything says that it is there."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(target)


# --- the parts -----------------------------------------------------------------------------------


class _Worker:
    """One part after another, each on a cursor of its own."""

    def __init__(self, order: Order, folder: Path, database: duckdb.DuckDBPyConnection) -> None:
        self.order, self.folder, self.database = order, folder, database
        self.running: dict[int, duckdb.DuckDBPyConnection] = {}
        self._lock = threading.Lock()

    def make(self, part: Part) -> None:
        """Write the part and its rejects, then the record that says so."""
        with self.database.cursor() as cursor, _told(part.path):
            for setting in IN_ORDER:  # of a cursor, which does not take them from its database
                cursor.execute(setting)
            self.running[part.number] = cursor
            try:
                self._make(part, cursor)
            finally:
                del self.running[part.number]

    def _make(self, part: Part, cursor: duckdb.DuckDBPyConnection) -> None:
        order = self.order
        keys = self._keys(cursor, part)
        table = table_of(cursor, part.path, keys=keys, rows=part.rows)
        query = self._query(table, keys)
        target = self.folder / f"{part.name}.{order.format}"
        draft = self.folder / f".{part.name}.draft"
        options = COPY[order.format]
        if order.format == "parquet":
            digests = {k: e["digest"] for k, e in order.editions.references().items()}
            options += f", KV_METADATA {{loansvc_editions: {_literal(json.dumps(digests))}}}"
        scored = _safe_keys(query.scored, keys) if order.format == "csv" else query.scored
        copied = f"COPY ({scored}) TO {_literal(str(draft))} ({options})"
        (n_good,) = cursor.execute(copied).fetchall()[0]
        n_rejected = self._reject(part, query, table, n_good, cursor)
        _place(draft, target)
        done = {
            "file": str(part.path), "first_row": part.rows[0] + 1 if part.rows else 1,
            "rows": n_good, "rejected": n_rejected, "missing": list(query.missing),
        }  # fmt: skip
        _write(self.folder / f"{part.name}.json", done)

    def _keys(self, cursor: duckdb.DuckDBPyConnection, part: Part) -> tuple[str, ...]:
        if self.order.keys is not None:
            return self.order.keys
        table = table_of(cursor, part.path, keys=(DEFAULT_KEY,), rows=part.rows)
        return (DEFAULT_KEY,) if DEFAULT_KEY in table.columns else ()

    def _query(self, table: Table, keys: Sequence[str]) -> Query:
        asked = Asked(
            source=table.source, table=table.columns, keys=keys, on=self.order.on,
            only_score=self.order.only_score, misshapen=table.misshapen,
        )  # fmt: skip
        codes = self.order.village_codes
        return portfolio_sql(asked, self.order.editions, village_codes=codes, dialect=DUCKDB)

    def _reject(
        self, part: Part, query: Query, table: Table, n_good: int,
        cursor: duckdb.DuckDBPyConnection,
    ) -> int:  # fmt: skip
        """Write what is wrong with the other rows, a line each; none, and no file, of good ones."""
        target = self.folder / f"{part.name}.rejects.csv"
        if part.rows is not None:
            n_all = part.rows[1] - part.rows[0]
        else:
            (n_all,) = cursor.execute(f"SELECT count(*) FROM {table.source}").fetchall()[0]
        if n_all == n_good:
            target.unlink(missing_ok=True)
            return 0
        flaws = ", ".join(
            f"({i}, {_literal(f.field)}, {_literal(f.code)}, {_literal(f.detail)})"
            for i, f in enumerate(query.flaws, 1)
        )
        draft = self.folder / f".{part.name}.rejects.draft"
        cursor.execute(
            f"COPY (SELECT {_literal(str(part.path))} AS file, r.loansvc_row AS row, f.field,"
            f" f.code, f.detail FROM ({query.rejected}) AS r JOIN (VALUES {flaws})"
            " AS f(id, field, code, detail) ON r.flaw = f.id ORDER BY 2, f.id)"
            f" TO {_literal(str(draft))} (FORMAT csv, HEADER true)"
        )
        _place(draft, target)
        return int(n_all - n_good)

    def share_running(self, weights: Mapping[int, float]) -> float:
        """The weight of what is done of the parts that are running."""
        total = 0.0
        for number, cursor in list(self.running.items()):
            with suppress(duckdb.Error):  # it may just have ended
                percent = cursor.query_progress()
                total += weights[number] * max(0.0, min(percent, 100.0)) / 100
        return total


def _safe_keys(select: str, keys: Sequence[str]) -> str:
    """Keys such as `=1+1` as text, for whoever opens the CSV in a spreadsheet."""
    signs = "'=', '+', '-', '@', chr(9), chr(13)"
    said = [
        f"CASE WHEN left(CAST({n} AS VARCHAR), 1) IN ({signs}) THEN '''' || {n}"
        f" ELSE CAST({n} AS VARCHAR) END AS {n}"
        for n in map(DUCKDB.named, keys)
    ]
    return f"SELECT * REPLACE ({', '.join(said)}) FROM ({select})" if said else select


def _run_all(
    worker: _Worker, left: Sequence[Part], parts: Sequence[Part],
    progress: Callable[[float], None],
) -> None:  # fmt: skip
    """A few at a time; where one fails the others are ended, and what is done stays."""
    total = sum(part.weight for part in parts)
    weights = {part.number: part.weight for part in parts}
    done = total - sum(part.weight for part in left)
    progress(done / total)
    if not left:
        return
    side_by_side = min(worker.order.threads, len(left))
    # DuckDB counts its own threads and one of the callers.
    worker.database.execute(f"SET threads = {worker.order.threads - side_by_side + 1}")
    with ThreadPoolExecutor(side_by_side) as pool:
        waiting: dict[Future[None], Part] = {pool.submit(worker.make, p): p for p in left}
        try:
            while waiting:
                ended, _ = wait(waiting, LOOK_EVERY_S, return_when=FIRST_COMPLETED)
                for future in ended:
                    done += waiting.pop(future).weight
                    future.result()
                progress(min(1.0, (done + worker.share_running(weights)) / total))
        except BaseException:
            for future in waiting:
                future.cancel()
            for cursor in list(worker.running.values()):
                cursor.interrupt()
            raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """An error of DuckDB as a refusal that names the file and quotes nothing of what is in it."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise TableRefused(
            f"{path}: it needs more memory than the ceiling. Give more with --memory, or fewer "
            "--threads."
        ) from None
    except duckdb.Error as error:
        line = re.search(r"(?:line|Line|value)[^0-9]{0,3}([0-9]+)", str(error))
        at = f", near line {line[1]}" if line else ""
        raise TableRefused(
            f"{path}: it cannot be read or written ({type(error).__name__}{at}). Check that it is "
            "whole and of the format its name says, and that there is room for the answer."
        ) from None


# --- the end ------------------------------------------------------------------------------------


def _summed(order: Order, folder: Path, parts: Sequence[Part], *, n_taken_over: int) -> Summary:
    summary = Summary(parts=len(parts), taken_over=n_taken_over)
    missing: set[str] = set()
    for i, part in enumerate(parts):
        done = json.loads((folder / f"{part.name}.json").read_bytes())
        summary.rows += done["rows"]
        summary.rejected += done["rejected"]
        missing = set(done["missing"]) if i == 0 else missing & set(done["missing"])
    summary.missing = sorted(missing)
    summary.editions = order.editions.references()
    record = json.loads((folder / RUN).read_bytes())
    _write(folder / RUN, record | {"done": asdict(summary)})
    return summary


def _join(
    connection: duckdb.DuckDBPyConnection, order: Order, folder: Path, parts: Sequence[Part]
) -> None:
    """One file of all parts, one of all rejects, and the record of the run beside them."""
    out = order.out
    listed = ", ".join(quoted(folder / f"{part.name}.parquet") for part in parts)
    draft = folder / ".joined.draft"
    format_ = FORMATS[out.suffix]
    connection.execute(f"SET threads = {order.threads}")
    with _told(out):
        joined = f"SELECT * FROM read_parquet([{listed}])"
        if format_ == "csv":
            names = [str(row[0]) for row in connection.execute(f"DESCRIBE {joined}").fetchall()]
            joined = _safe_keys(joined, names[: names.index("row")])
        connection.execute(f"COPY ({joined}) TO {_literal(str(draft))} ({COPY[format_]})")
    rejects = [p for part in parts if (p := folder / f"{part.name}.rejects.csv").exists()]
    beside = out.with_name(f"{out.stem}.rejects.csv")
    beside.unlink(missing_ok=True)
    if rejects:
        text = b"".join(
            lines if i == 0 else lines.split(b"\n", 1)[1]
            for i, lines in enumerate(path.read_bytes() for path in rejects)
        )
        write_whole(beside, text, part_folder=out.parent)
    shutil.copyfile(folder / RUN, out.with_name(f"{out.stem}.run.json"))
    _place(draft, out)
