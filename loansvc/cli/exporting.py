"""card export: one card said again in another format, with the same points."""

from __future__ import annotations

from pathlib import Path

import click

from loansvc.cli.editions import a_file
from loansvc.cli.training import workshop

FORMATS = ("sql", "pmml", "onnx", "excel", "bundle")
DIALECTS = ("duckdb", "mysql", "postgres", "spark", "sqlite")


@click.command("export")
@click.argument("card", type=a_file)
@click.option("--to", "format_", type=click.Choice(FORMATS), required=True)
@click.option("--dialect", type=click.Choice(DIALECTS), help="Of SQL, which needs one.")
@click.option("--table", default="applications", show_default=True, help="Of SQL: the table read.")
@click.option("--key", multiple=True, help="Of SQL: columns to give back. Default: all scored.")
@click.option("--points", is_flag=True, help="Of SQL: the points of every characteristic too.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@workshop()
def export_(
    card: Path,
    *,
    format_: str,
    dialect: str | None,
    table: str,
    key: tuple[str, ...],
    points: bool,
    out: Path,
) -> None:
    """Write CARD, a card in JSON, as SQL, PMML, ONNX, Excel or an offline bundle.

    What each format can and cannot say stands in docs/exports.md.
    """
    from loansvc.files import write_whole
    from loansvc.training.card import Card

    if format_ == "sql" and dialect is None:
        raise click.UsageError(f"--to sql needs --dialect: one of {', '.join(DIALECTS)}.")
    if format_ != "sql" and (dialect is not None or key or points):
        raise click.UsageError("--dialect, --key and --points are of --to sql.")
    read = Card.read(card)
    if out.resolve() == card.resolve():
        raise click.UsageError("--out is the card itself. Name another file.")
    if format_ == "excel":
        read.to_excel(out)
    elif format_ == "bundle":
        read.to_bundle(out)
    else:
        if format_ == "onnx":
            data = read.to_onnx()
        elif format_ == "pmml":
            data = read.to_pmml().encode()
        else:
            assert dialect is not None, "asked for above"
            data = read.to_sql(dialect, table=table, key=key or None, points=points).encode()
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, data, part_folder=out.parent)
    click.echo(f"{out}   {format_}   card {read.digest}")
