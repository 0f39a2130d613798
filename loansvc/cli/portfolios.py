"""portfolio: many applications at once, from files to files, recorded nowhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from loansvc.application import PRODUCTS
from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.extras import needs
from loansvc.errors import SetupRefused
from loansvc.registry import Registry
from loansvc.settings import Settings
from loansvc.underwriting import now


@click.group()
def portfolio() -> None:
    """Score or decide many applications at once, by SQL, recorded nowhere."""


@portfolio.command()
@click.argument("given", metavar="IN")
@click.argument("out", metavar="OUT", type=click.Path())
@click.option("--product", type=click.Choice(PRODUCTS), default=PRODUCTS[0], show_default=True)
@click.option("--on", type=a_day, help="By the editions in force that day. Default: today.")
@click.option("--columns", type=click.Choice(("score", "decision")), default="decision",
              show_default=True, help="Score, PD and grade alone, or everything.")  # fmt: skip
@click.option("--key", "keys", multiple=True, help="Columns to give back. Default: application_id.")
@click.option("--format", "format_", type=click.Choice(("parquet", "csv", "ndjson")),
              default="parquet", show_default=True, help="Of the parts in a folder.")  # fmt: skip
@click.option("--memory", default="1GB", show_default=True, help="The ceiling of the process.")
@click.option("--threads", type=click.IntRange(1, 256), default=2, show_default=True)
@click.option("--engine", type=click.Choice(("duckdb", "spark")), default="duckdb",
              show_default=True)  # fmt: skip
@click.option("--master", default="local[2]", show_default=True, help="Of Spark.")
@click.option("--again", is_flag=True, help="Begin anew; leave out what OUT holds of another run.")
@as_json
@click.pass_context
def score(
    context: click.Context, given: str, out: str, *, product: str, on: datetime | None,
    columns: str, keys: tuple[str, ...], format_: str, memory: str, threads: int, engine: str,
    master: str, again: bool, json_: bool,
) -> None:  # fmt: skip
    """Score the applications in IN, a file, a folder or a glob, into OUT.

    IN is parquet, CSV or NDJSON. OUT is a folder of parts, or one file by its ending. A run that
    was ended goes on with the parts that lack. What is wrong with a row stands in *.rejects.csv.
    With --engine spark: from parquet into a folder of parquet, and OUT.rejects.
    """
    _check_engine(context, engine)
    registry = Registry.open(Settings.from_environment().models_folder)
    day = on.date() if on else now().date()
    asked: dict[str, Any] = {
        "editions": registry.in_force(product, day), "village_codes": registry.village_codes,
        "on": day, "only_score": columns == "score", "keys": keys or None, "again": again,
    }  # fmt: skip
    if engine == "spark":
        summary = _on_spark(given, out, master=master, format_=format_, **asked)
    else:
        asked |= {"format": format_, "threads": threads}
        summary = _on_duckdb(given, out, memory=memory, **asked)
    if json_:
        print_json(summary)
        return
    click.echo(f"{summary['rows']:,} scored   {summary['rejected']:,} rejected   {out}")
    if summary.get("taken_over"):
        click.echo(f"  {summary['taken_over']} of {summary['parts']} parts were there from before")
    if summary["missing"]:
        click.echo(f"  no such column, so known of nobody: {', '.join(summary['missing'])}")
    references = summary["editions"]
    named = (f"{kind} {references[kind]['valid_from']}" for kind in references)
    click.echo(f"  under {' · '.join(named)}")
    if share := sum(c.share_percent for c in registry.challengers(product, day)):
        click.echo(f"  all by the champion; challengers decide {share} % of recorded applicants")


OF_THE_OTHER = {"spark": ("memory", "threads"), "duckdb": ("master",)}


def _check_engine(context: click.Context, engine: str) -> None:
    """Refuse what would be ignored."""
    for name in OF_THE_OTHER[engine]:
        if context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} means nothing with --engine {engine}. Leave it out.")


def _on_duckdb(given: str, out: str, *, memory: str, **asked: Any) -> dict[str, Any]:
    with needs("portfolio", "A portfolio run"):
        from loansvc.portfolio.run import Order, memory_bytes, score
    order = Order(given=given, out=Path(out), memory_bytes=memory_bytes(memory), **asked)
    with _bar() as progress:
        return asdict(score(order, progress=progress))


def _on_spark(
    given: str, out: str, *, master: str, format_: str, **asked: Any
) -> dict[str, Any]:  # fmt: skip
    if format_ != "parquet" or Path(out).suffix:
        raise click.UsageError("With --engine spark, OUT is a folder of parquet.")
    with needs("spark", "A portfolio run"):
        from pyspark.errors import PySparkException

        from loansvc.portfolio.spark import run, session_of
    try:
        session = session_of(master)
    except PySparkException as error:
        raise SetupRefused(
            f"Spark does not start ({error.getCondition()}). It needs Java 17 or later on PATH."
        ) from None
    try:
        return asdict(run(session, given, out, **asked))
    finally:
        session.stop()


@contextmanager
def _bar() -> Iterator[Callable[[float], None]]:
    """A bar on standard error that goes to where the run is, where a person looks on."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=1000, label="Scoring", file=sys.stderr, hidden=hidden) as bar:
        at = 0

        def progress(share: float) -> None:
            nonlocal at
            step = int(1000 * share) - at
            if step > 0:
                at += step
                bar.update(step)

        yield progress


COMMANDS = (portfolio,)
