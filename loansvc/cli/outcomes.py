"""outcome, outcomes: what became of an approved loan, from the shell."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import click

from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, client_of, of_client, print_json, yuan
from loansvc.ledger.commitments import KINDS, Fact
from loansvc.lending import Lending
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting


@click.command()
@click.argument("application_id")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--on", type=a_day, help="The day of the fact.  [default: today]")
@click.option(
    "--amount", type=click.IntRange(0), help="Whole yuan: disbursed, balance, claim_paid."
)
@click.option("--days", type=click.IntRange(0), help="Days past due: days_past_due.")
@click.option("--reference", required=True, help="Your own id of this report, once for each loan.")
@click.option("--corrects", metavar="REFERENCE", help="The report whose place this one takes.")
@of_client
@as_json
def outcome(
    application_id: str, *, kind: str, on: datetime | None, amount: int | None, days: int | None,
    reference: str, corrects: str | None, client: str | None, json_: bool,
) -> None:  # fmt: skip
    """Record what became of the loan that the decision on APPLICATION_ID approved.

    The same report again changes nothing. A report that was wrong is corrected by another of its
    kind, or withdrawn: both name it in --corrects.
    """
    root = Underwriting.open(Settings.from_environment())
    fact = Fact(
        reference=reference, kind=kind, on=today_or(on, root), amount_yuan=amount, days=days,
        corrects=corrects,
    )  # fmt: skip
    whose = client_of(root, application_id, client)
    recorded, is_new = Lending(root).record(application_id, fact, client=whose)
    if json_:
        print_json(recorded.answer())
        return
    says = "recorded" if is_new else "recorded before"
    click.echo(f"{says}   {_line(recorded.answer())}")


@click.command()
@click.argument("application_id")
@of_client
@as_json
def outcomes(application_id: str, *, client: str | None, json_: bool) -> None:
    """List what is recorded of the loan of APPLICATION_ID, and where it stands."""
    root = Underwriting.open(Settings.from_environment())
    whose = client_of(root, application_id, client)
    found = Lending(root).outcomes(application_id, client=whose)
    if json_:
        print_json(found)
        return
    loan = found["loan"]
    if loan is None:
        click.echo(f"no loan   {application_id}   the decision is no approval")
        return
    click.echo(
        f"{loan['state']}   {application_id}   outstanding {yuan(loan['outstanding_yuan'])}   "
        f"fund {yuan(loan['fund_yuan'])}   claims {yuan(loan['claims_yuan'])}"
    )
    for row in found["data"]:
        click.echo(f"  {_line(row)}")


def _line(row: dict[str, Any]) -> str:
    figure = yuan(row["amount_yuan"]) if "amount_yuan" in row else ""
    figure = f"{row['days']} days" if "days" in row else figure
    corrects = f"  corrects {row['corrects']}" if "corrects" in row else ""
    return f"{row['on']}  {row['kind']:<14} {figure:>16}  {row['reference']}{corrects}".rstrip()


def today_or(day: datetime | None, root: Underwriting) -> date:
    """The day given, or today in the county."""
    return day.date() if day else root.today()


COMMANDS = (outcome, outcomes)
