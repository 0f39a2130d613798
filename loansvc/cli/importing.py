"""import-outcomes: what became of many loans, from a file of reports.

A row is an `application_id` and a report as the API takes it: NDJSON, or CSV with the names of the
fields in its first line. Each row is recorded or refused by itself; some share a commit. A line is
in memory, never the file.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import click

from loansvc.batching.working import LONGEST_PAUSE, REST
from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.reporting import a_file, a_target
from loansvc.errors import (
    Erased,
    InvalidOutcome,
    InvalidRequest,
    LedgerUnavailable,
    LoanError,
    NotFound,
    OutcomeRefused,
    SetupRefused,
)
from loansvc.files import whole_file
from loansvc.lending import Lending
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting
from loansvc.web.outcomes import RowSchema, row_of
from loansvc.web.strict_json import MOST_BYTES, loads, too_large

OF_A_ROW = (InvalidRequest, InvalidOutcome, OutcomeRefused, NotFound, Erased)
ROWS_AT_ONCE = 100  # whose refusals are in memory together
WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)
NUMBERS = ("amount_yuan", "days")  # in a CSV every field is a text

Lines = Iterator[tuple[int, bytes]]  # each with its number in the file, from 1
Read = Callable[[bytes], Any]
Refuse = Callable[[int, LoanError], None]


@click.command("import-outcomes")
@click.argument("file", type=a_file)
@click.option("--client", required=True, help="Whose decisions the reports are about.")
@click.option("--rejects", type=a_target, help="Write the refused lines' numbers and reasons here, "
              "as NDJSON.  [default: standard error]")  # fmt: skip
@as_json
def import_outcomes(file: Path, *, client: str, rejects: Path | None, json_: bool) -> None:
    """Record the reports in FILE (.ndjson, .jsonl or .csv) of what became of loans.

    The same file again changes nothing. A row that is refused keeps no other from being recorded;
    exit status 1 where there is one.
    """
    if file.suffix not in READERS:
        raise click.UsageError(f"FILE must end in {', '.join(READERS)}.")
    if rejects is not None and rejects.resolve() == file.resolve():
        raise click.UsageError("--rejects must be another file than FILE.")
    root = Underwriting.open(Settings.from_environment())
    bar = click.progressbar(
        length=file.stat().st_size, label="Recording", file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    )  # fmt: skip
    with file.open("rb") as opened, _told_to(rejects) as refuse, bar:
        lines = _lines(opened, moved=bar.update)
        read = READERS[file.suffix](lines)
        counts = record_all(root, lines, read, client=client, refuse=refuse)
    if json_:
        print_json(counts)
    else:
        click.echo("   ".join(f"{what.replace('_', ' ')} {n:,}" for what, n in counts.items()))
    if counts["refused"]:
        sys.exit(1)


def record_all(
    root: Underwriting, lines: Lines, read: Read, *, client: str, refuse: Refuse,
    rest: Callable[[float], None] = time.sleep,
) -> dict[str, int]:  # fmt: skip
    """How many rows were recorded, were so before, and were refused; each told to `refuse`.

    While others write it rests after each commit, as the worker of batches does: whoever is online
    comes first.

    Raises:
        SetupRefused: the ledger cannot be written; the same file again adds what lacks.
    """
    counts = Counter(recorded=0, recorded_before=0, refused=0)
    try:
        head = _last_sequence(root)
        while True:
            began_at = time.monotonic()
            of_round, refused = _round(root, lines, read, client=client)
            took_s = time.monotonic() - began_at
            for number, why in refused:
                refuse(number, why)
            if not of_round.total():
                return dict(counts)
            counts.update(of_round)
            expected, head = head + of_round["recorded"], _last_sequence(root)
            if head != expected:
                rest(min(LONGEST_PAUSE, REST * took_s))
    except LedgerUnavailable as error:
        raise SetupRefused(
            "The ledger cannot be written just now. Import the same file again: what is recorded "
            "stays, and is not recorded twice."
        ) from error


def _last_sequence(root: Underwriting) -> int:
    with root.ledger.reading() as ledger:
        return ledger.last_sequence


def _round(
    root: Underwriting, lines: Lines, read: Read, *, client: str
) -> tuple[Counter[str], list[tuple[int, LoanError]]]:
    """What became of some rows that share a commit, on disk on return; of none at the end."""
    lending, counts = Lending(root), Counter[str]()
    refused: list[tuple[int, LoanError]] = []
    with root.ledger.round() as held:
        for number, line in islice(lines, ROWS_AT_ONCE):
            try:
                application_id, fact = row_of(read(line))
                _, is_new = lending.record(application_id, fact, client=client)
                counts["recorded" if is_new else "recorded_before"] += 1
            except OF_A_ROW as error:
                counts["refused"] += 1
                refused.append((number, error))
            if not held.takes_more():
                break
    return counts, refused


# --- what is refused ----------------------------------------------------------------------------


@contextmanager
def _told_to(rejects: Path | None) -> Iterator[Refuse]:
    """Where refusals are told: in a file, whole or not at all, or on standard error."""
    if rejects is None:
        yield lambda number, why: click.echo(f"line {number}: {_in_a_line(why)}", err=True)
        return
    with whole_file(rejects) as part, part.open("x", encoding="utf-8") as file:

        def refuse(number: int, why: LoanError) -> None:
            errors = [asdict(error) for error in why.errors]
            told = {"line": number, "code": why.code, "detail": why.detail, "errors": errors}
            file.write(json.dumps(told, ensure_ascii=False) + "\n")

        yield refuse


def _in_a_line(why: LoanError) -> str:
    fields = [f"{error.pointer or '/'} {error.detail}" for error in why.errors]
    return "  ".join((why.detail, *fields))


# --- what is read -------------------------------------------------------------------------------


def _lines(file: BinaryIO, *, moved: Callable[[int], None]) -> Lines:
    """The lines that hold anything. Of one that is too long, enough to see that it is."""
    number = 0
    while line := file.readline(MOST_BYTES + 1):
        number += 1
        moved(len(line))
        piece = line
        while len(piece) > MOST_BYTES and not piece.endswith(b"\n"):
            piece = file.readline(MOST_BYTES + 1)
            moved(len(piece))
        if line.strip():
            yield number, line


def _ndjson(_lines: Lines) -> Read:
    return loads


def _csv(lines: Lines) -> Read:
    """How a line is read, by the names in the first one.

    Raises:
        SetupRefused: it names what is no field, one twice, or not all that every row needs.
    """
    _, first = next(lines, (0, b""))
    names = _cells(first.removeprefix(b"\xef\xbb\xbf"))  # Excel writes a mark before it
    fields = RowSchema().fields
    needed = {name for name, field in fields.items() if field.required}
    if len(set(names)) != len(names) or not needed <= set(names) <= set(fields):
        raise SetupRefused(
            "The first line must name fields of a report, each once, and among them "
            f"{', '.join(sorted(needed))}. There are: {', '.join(fields)}."
        )

    def read(line: bytes) -> dict[str, Any]:
        cells = _cells(line)
        if len(cells) != len(names):
            raise InvalidRequest(
                "The line has more or fewer fields than the first line. Correct it.", code="not_csv"
            )
        return {
            name: int(cell) if name in NUMBERS and WHOLE.fullmatch(cell) else cell
            for name, cell in zip(names, cells, strict=True)
            if cell
        }

    return read


def _cells(line: bytes) -> list[str]:
    """The fields of one line of a CSV; none may go on in the next line.

    Raises:
        InvalidRequest: it is none.
    """
    if len(line) > MOST_BYTES:
        raise too_large()
    try:
        return next(csv.reader([line.decode("utf-8").rstrip("\r\n")], strict=True))
    except UnicodeDecodeError:
        raise InvalidRequest("The line is not UTF-8. Save it so.", code="not_utf8") from None
    except (csv.Error, StopIteration):
        raise InvalidRequest("The line is not CSV. Correct its quotes.", code="not_csv") from None


READERS: dict[str, Callable[[Lines], Read]] = {".ndjson": _ndjson, ".jsonl": _ndjson, ".csv": _csv}
COMMANDS = (import_outcomes,)
