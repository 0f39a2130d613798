"""challengers: scorecards watched beside the one that decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from loansvc.application import PRODUCTS
from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, in_chinese, print_json
from loansvc.cli.reporting import a_target, progress, width, write
from loansvc.editions import CHALLENGER
from loansvc.errors import NoEditionInForce, NotFound
from loansvc.monitoring import challengers_page
from loansvc.monitoring.challengers import contests
from loansvc.monitoring.challengers_shown import to_document
from loansvc.monitoring.challengers_tables import tables, title
from loansvc.monitoring.ends import ends_in
from loansvc.monitoring.reading import decided_between, erased_between
from loansvc.registry import Registry
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting


@click.command("challengers")
@click.option("--product", type=click.Choice(PRODUCTS), help="Default: every product.")
@click.option(
    "--from",
    "since",
    type=a_day,
    help="First day of decision. Default: that of the first challenger.",
)
@click.option(
    "--to",
    "until",
    type=a_day,
    help="Last day, included; loans are looked at as of it. Default: today.",
)
@click.option("--html", type=a_target, help="Write a page, too.")
@in_chinese
@as_json
def challengers_(
    product: str | None, since: datetime | None, until: datetime | None, *, html: Path | None,
    zh: bool, json_: bool,
) -> None:  # fmt: skip
    """Show each challenger beside its champion: flips, scores, loss, and what became of loans.

    Flips and shares have intervals of 95 percent. Once loans have run for a year a sequential test
    says "keep watching", "promote" or "stop"; it may be looked at as often as anybody likes.
    """
    root = Underwriting.open(Settings.from_environment())
    last = until.date() if until else root.today()
    first = since.date() if since else _first_day(root.registry, product, default=last)
    if last < first and since:
        raise click.UsageError("--to must not be before --from.")
    if last < first:
        raise NotFound(f"The first challenger begins on {first}: ask again from that day on.")
    with progress(decided_between(root, first, last, product=product), label="Reading") as read:
        found = contests(read, ends_in(root, as_of=last), _in_force(root.registry, product, last))
    n_erased = len(erased_between(root, first.isoformat(), last.isoformat(), product=product))
    document = to_document(found, root.registry, since=first, until=last, n_erased=n_erased)
    if html is not None:
        write(html, challengers_page.page(document).encode())
    if json_:
        print_json(document)
        return
    for line in _lines(document, zh=zh):
        click.echo(line)
    if html is not None:
        click.echo(html)


def _first_day(registry: Registry, product: str | None, *, default: date) -> date:
    """The first day of a challenger of the product."""
    days = (
        e.valid_from
        for e in registry.editions
        if e.role == CHALLENGER and product in (None, e.product)
    )
    return min(days, default=default)


def _in_force(registry: Registry, product: str | None, on: date) -> Iterator[tuple[str, str, str]]:
    """Product, challenger and champion of those that are to be shown, met or not."""
    for one in (product,) if product else PRODUCTS:
        with suppress(NoEditionInForce):
            champion = registry.in_force(one, on).scorecard
            for challenger in registry.challengers(one, on):
                yield one, challenger.digest, champion.digest


def _lines(document: dict[str, Any], *, zh: bool) -> Iterator[str]:
    """The report as text."""
    language, at = ("zh", 0) if zh else ("en", 1)
    if not document["challengers"]:
        yield "没有挑战者。" if zh else "There is no challenger."
    for contest in document["challengers"]:
        yield title(contest)[at]
        yield f"  {contest['verdict'][language]}"
        for table in tables(contest):
            rows = [tuple(name[at] for name in table.head)]
            rows += [(name[at], *figures) for name, figures in table.rows]
            yield ""
            yield from _in_columns(rows)
        yield ""
    for note in document["notes"]:
        yield f"  {note[language]}"


def _in_columns(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for name, *figures in rows:
        cells = (" " * (w - width(f)) + f for f, w in zip(figures, widths[1:], strict=True))
        yield "  ".join([f"  {name}{' ' * (widths[0] - width(name))}", *cells]).rstrip()


COMMANDS = (challengers_,)
