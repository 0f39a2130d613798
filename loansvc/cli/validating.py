"""validate: a card held against a table of cases, as findings, a page and JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loansvc.cli.decisions import print_json
from loansvc.cli.training import workshop

if TYPE_CHECKING:
    from loansvc.training.validation import ValidationReport

a_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("validate")
@click.argument("card", metavar="CARD.json", type=a_file)
@click.argument("table", type=a_file)
@click.option("--target", required=True, help="Column: 1 bad, 0 good, empty where not known.")
@click.option("--reference", type=a_file, help="Development sample, for stability.")
@click.option("--time", help="Column of dates or months, for out of time.")
@click.option("--village", help="Column of village codes.")
@click.option("--group", "groups", multiple=True, help="Column of groups; again for more.")
@click.option("--protected", multiple=True, help="Column for fairness alone; again for more.")
@click.option("--cutoff", type=int, help="Scores below it are declined.")
@click.option(
    "--knockout", "knockouts", multiple=True, help="Column of yes and no; again for more."
)
@click.option("--oracle", help="Column of the true ln(bad / good), of the synthetic county.")
@click.option("--seed", type=int, default=20261123, show_default=True, help="Of the resamples.")
@click.option("--resamples", type=click.IntRange(100, 100_000), default=1000, show_default=True)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page to write, HTML that needs nothing else.",
)
@click.option("--json", "json_", is_flag=True, help="Print the whole report as JSON.")
@workshop()
def validate_(
    card: Path, table: Path, *, target: str, reference: Path | None, time: str | None,
    village: str | None, groups: tuple[str, ...], protected: tuple[str, ...], cutoff: int | None,
    knockouts: tuple[str, ...], oracle: str | None, seed: int, resamples: int, out: Path,
    json_: bool,
) -> None:  # fmt: skip
    """Hold a scorecard against TABLE (parquet or CSV): its figures, and what a reviewer must ask.

    Protected columns serve the check of fairness and are shown as groups and counts alone.
    """
    from loansvc.training.card import Card
    from loansvc.training.table import read_table
    from loansvc.training.validation import validate

    held = Card.read(card)
    report = validate(
        held,
        read_table(table, text=held.words),
        target=target,
        reference=None if reference is None else read_table(reference, text=held.words),
        time=time,
        village=village,
        groups=groups,
        protected=protected,
        cutoff=cutoff,
        knockouts={name: name for name in knockouts},
        oracle=oracle,
        seed=seed,
        n_resamples=resamples,
    )
    report.to_html(out)
    if json_:
        print_json(report.to_dict())
        return
    _print(report, out)


def _print(report: ValidationReport, out: Path) -> None:
    """The verdict, the findings gravest first, and where the page is."""
    about = report.about
    synthetic = "   synthetic" if about.synthetic else ""
    click.echo(f"{about.product or about.table or 'card'}   {about.digest[:19]}{synthetic}")
    click.echo(report.verdict.en)
    for finding in report.findings:
        click.echo(f"  {finding.gravity:<6}{finding.en}")
    click.echo(str(out))


COMMANDS = (validate_,)
