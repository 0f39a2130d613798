"""report, impact: many decisions added up, and what a draft would do to them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from loansvc.cli.decisions import as_json, print_json
from loansvc.files import write_whole
from loansvc.monitoring import report_page
from loansvc.monitoring.columns import (
    AMOUNTS,
    COUNTS,
    Column,
    notes,
    to_document,
    total_row,
    values,
)
from loansvc.monitoring.csv_table import csv_bytes
from loansvc.monitoring.figures import percent_text
from loansvc.monitoring.reading import decided_between
from loansvc.monitoring.report import Report, Row, report
from loansvc.settings import Settings
from loansvc.underwriting import Recorded, Underwriting

a_day = click.DateTime(formats=["%Y-%m-%d"])
a_target = click.Path(path_type=Path, dir_okay=False)


@click.command("report")
@click.option("--from", "since", type=a_day, required=True, help="First day of decision.")
@click.option("--to", "until", type=a_day, required=True, help="Last day, included.")
@click.option("--csv", "csv_file", type=a_target, help="Write one long table, too.")
@click.option("--html", type=a_target, help="Write a page with charts, too.")
@click.option("--all-cells", is_flag=True, help="Show villages of fewer than 3 people, too.")
@as_json
def report_(
    since: datetime, until: datetime, *, csv_file: Path | None, html: Path | None,
    all_cells: bool, json_: bool,
) -> None:  # fmt: skip
    """Add up what was decided in a period, by product, group, department, village and month."""
    if until < since:
        raise click.UsageError("--to must not be before --from.")
    root = Underwriting.open(Settings.from_environment())
    recorded = decided_between(root, since.date(), until.date())
    with progress(recorded, label="Reading") as counted:
        found = report(
            counted, root.registry, since=since.date(), until=until.date(), all_cells=all_cells
        )
    if csv_file is not None:
        _write(csv_file, csv_bytes(found))
    if html is not None:
        _write(html, report_page.page(found).encode())
    if json_:
        print_json(to_document(found))
        return
    _print_report(found)
    for path in filter(None, (csv_file, html)):
        click.echo(path)


@contextmanager
def progress(
    recorded: Iterator[Recorded], *, label: str, length: int | None = None
) -> Iterator[Iterator[Recorded]]:
    """The same decisions, a bar on standard error moving with them where a person looks on."""
    with click.progressbar(
        recorded, length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        yield iter(bar)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data, part_folder=path.parent)


# --- report as text -----------------------------------------------------------------------------


def _print_report(found: Report) -> None:
    click.echo(f"Decided from {found.since} to {found.until}: {found.total.applications}")
    for caution in found.cautions:
        click.echo(f"  note  {caution.en} ({caution.decisions} decisions)")
    total = total_row(found)
    for table in found.tables:
        rows = [*table.rows, total]
        click.echo(f"\n{table.en}" + ("" if table.adds_up else " (one may stand in several rows)"))
        for columns in (COUNTS, AMOUNTS):
            _print_columns(rows, columns)
    click.echo("")
    for _, en in notes(found):
        click.echo(f"  {en}")


def _print_columns(rows: list[Row], columns: tuple[Column, ...]) -> None:
    """Some columns of a table, each as wide as its longest figure."""
    lines = [("", [c.en for c in columns])]
    for row in rows:
        name = f"{row.key} {row.zh}" if row.zh == row.en else row.en  # a village has one name
        lines.append((name, [_text(c, v, row) for c, v in values(row) if c in columns]))
    label = max(map(_width, (name for name, _ in lines)))
    widths = [max(len(shown[i]) for _, shown in lines) for i in range(len(columns))]
    for name, shown in lines:
        figures = "".join(f"{text:>{w + 2}}" for text, w in zip(shown, widths, strict=True))
        click.echo(f"  {name}{' ' * (label - _width(name))}{figures}")


def _text(column: Column, value: int | None, row: Row) -> str:
    if value is None:
        return "*" if row.hidden else "-"
    return percent_text(value) if column.is_rate else f"{value:,}"


def _width(text: str) -> int:
    """Columns of a terminal; a Chinese character takes two."""
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)


COMMANDS = (report_,)
