"""compare: two cards side by side."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import click

from loansvc.cli.decisions import print_json
from loansvc.comparison import Comparison, Difference, Line, compare
from loansvc.comparison.page import page
from loansvc.editions import ROLES, Edition, Reader, in_force
from loansvc.errors import EditionRefused, NotFound
from loansvc.files import write_whole
from loansvc.registry import Registry, read_plain
from loansvc.scorecard.document import read_scorecard
from loansvc.settings import Settings

LEAST_DIGITS = 4  # of a digest: enough among a county's editions, and refused where it is not
WIDTH = 44  # of a bin's text; a Chinese character counts as two


@click.command("compare")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page, too.")
@click.option("--json", "json_", is_flag=True, help="Print every bin of both, as JSON.")
def compare_(a: str, b: str, *, html: Path | None, json_: bool) -> None:
    """How card B differs from card A, bin by bin.

    A and B are files, or published cards: the first digits of a digest, or PRODUCT@DATE for the
    one in force on that day (PRODUCT@DATE:challenger for the challenger).
    """
    found = compare(_read(a), _read(b), names=(a, b))
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        write_whole(html, page(found).encode(), part_folder=html.parent)
    if json_:
        print_json(found.to_dict())
        return
    _print(found)
    if html is not None:
        click.echo(f"\n{html}")


# --- which card ---------------------------------------------------------------------------------


def _read(which: str) -> dict[str, Any]:
    """The document of a card, in a file or published, read and found sound."""
    path = Path(which)
    if not path.is_file():
        folder = Settings.from_environment().models_folder
        path = folder / _published(Registry.open(folder), which).path
    if path.suffix == ".toml":
        raise EditionRefused(
            f"{which}: is no card. compare is for scorecards; for policies: loansvc policy diff A B"
        )
    document = read_plain(path)
    # Not only cards of a product: whatever table a card was trained on, its bins can be compared.
    read_scorecard(Reader(document, file=path.name), own="product" not in document)
    return document


def _published(registry: Registry, which: str) -> Edition[Any]:
    """The card that PRODUCT@DATE or the first digits of a digest name.

    Raises:
        NotFound: none, or more than one.
    """
    cards = [e for e in registry.editions if e.kind == "scorecard"]
    product, at, day = which.partition("@")
    if at:
        day, _, role = day.partition(":")
        try:
            on = date.fromisoformat(day)
        except ValueError:
            raise NotFound(f"{which}: after @ comes a date such as 2026-09-01.") from None
        role = role or ROLES[0]
        return in_force(cards, kind="scorecard", product=product, role=role, on=on)
    digits = which.removeprefix("sha256:")
    found = {e.digest: e for e in cards if e.digest.startswith(f"sha256:{digits}")}
    if len(digits) < LEAST_DIGITS or len(found) != 1:
        is_known = len(digits) >= LEAST_DIGITS and found
        several = "more than one card" if is_known else "no file and no published card"
        raise NotFound(
            f"{which}: {several}. Give a file, PRODUCT@DATE, or at least {LEAST_DIGITS} digits of "
            "a digest that one card alone has; loansvc editions lists them."
        )
    return next(iter(found.values()))


# --- as text ------------------------------------------------------------------------------------


def _print(found: Comparison) -> None:
    for letter, side in (("A", found.before), ("B", found.after)):
        of = "   ".join(filter(None, (side.name, side.product, side.valid_from)))
        synthetic = "   synthetic" if side.synthetic else ""
        click.echo(
            f"{letter}  {of}   base {side.base_points}   "
            f"{side.characteristics} characteristics{synthetic}"
        )
    if found.changed or found.least:
        at_most = "" if found.exact else "at most "
        click.echo(
            f"From A to B a score changes by {at_most}{found.least:+d} to {found.most:+d} points; "
            f"the same: {len(found.same)} of {len(found.differences)}."
        )
    else:
        click.echo("Both give every applicant the same score.")
    click.echo(
        f"  {'':<{WIDTH}}{'A':>12}{'B':>12}" if found.figures else "", nl=bool(found.figures)
    )
    for figure in found.figures:
        values = (figure.before, figure.after)
        shown = ("-" if v is None else f"{v:,}" if type(v) is int else f"{v:.4f}" for v in values)
        click.echo("  {:<{width}}{:>12}{:>12}".format(figure.label, *shown, width=WIDTH).rstrip())
    for difference in found.changed:
        _print_difference(difference)


def _print_difference(of: Difference) -> None:
    click.echo(f"\n{of.name}   {of.state}   {of.least:+d} to {of.most:+d}")
    unchanged = 0
    for line in of.lines:
        if line.change or not of.columns:
            click.echo(_text(line))
        else:
            unchanged += 1
    if unchanged:
        click.echo(f"  {unchanged} cells unchanged")


def _text(line: Line) -> str:
    before, after = ("-" if p is None else f"{p:+d}" for p in (line.before, line.after))
    change = f"{line.change:+d}" if line.change else ""
    wide = sum(ord(c) > 0x2E7F for c in line.value)
    return f"  {line.value:<{WIDTH - wide}}{before:>6}{after:>6}{change:>6}".rstrip()


COMMANDS = (compare_,)
