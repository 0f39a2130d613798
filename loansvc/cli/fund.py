"""fund: the guarantee fund's capital, its state, and every movement of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, print_json, yuan
from loansvc.cli.operators import operator, proposed_by
from loansvc.cli.outcomes import today_or
from loansvc.lending import Lending
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting


@click.group()
def fund() -> None:
    """The guarantee fund."""


@fund.command("set")
@click.option("--capital", type=click.IntRange(0), required=True, help="Whole yuan.")
@click.option("--reference", required=True, help="The paper that states it.")
@click.option("--approver", required=True, help="Who approved it.")
@proposed_by
@click.option("--on", type=a_day, help="The day of the balance stated.  [default: today]")
@as_json
def set_(
    *, capital: int, reference: str, approver: str, proposer: str | None, on: datetime | None,
    json_: bool,
) -> None:  # fmt: skip
    """State the fund's capital: its caps are tested from now on.

    Claims paid count anew from here, so state what is left after them. Two people state it: the
    proposer is not the approver.
    """
    settings = Settings.from_environment()
    root = Underwriting.open(settings, create=True)
    lending = Lending(root)
    lending.set_fund(
        capital_yuan=capital, reference=reference, approver=approver, on=today_or(on, root),
        proposer=proposer or operator(),
    )  # fmt: skip
    _show(lending.fund(), json_=json_)


@fund.command()
@as_json
def status(*, json_: bool) -> None:
    """Show what the fund holds and what it may still carry."""
    _show(Lending(Underwriting.open(Settings.from_environment())).fund(), json_=json_)


def _show(body: dict[str, Any], *, json_: bool) -> None:
    if json_:
        print_json(body)
        return
    if body["set"] is None:
        click.echo("No capital is stated: caps are not tested. State it: loansvc fund set")
    else:
        stated = body["set"]
        click.echo(
            f"capital {yuan(body['capital_yuan'])} on {stated['on']} ({stated['reference']})"
        )
        click.echo(
            f"  {yuan(body['claims_paid_yuan']):>18}  claims paid since: compensation rate "
            f"{body['compensation_rate_bp'] / 100:.2f} %"
        )
        click.echo(f"  {yuan(body['capital_left_yuan']):>18}  capital left")
    click.echo(f"  {yuan(body['reserved_yuan']):>18}  reserved for open offers")
    click.echo(f"  {yuan(body['drawn_yuan']):>18}  share of loans drawn")
    for row in body["caps"]:
        related = f", related {yuan(row['related_yuan'])}" if row["related_percent"] else ""
        stop = "" if row["within_compensation_rate"] else "   above its compensation rate: none"
        click.echo(
            f"  {row['product']:<12} {row['multiple']} x: {yuan(row['free_yuan'])} free, "
            f"one client {yuan(row['single_client_yuan'])}{related}{stop}"
        )


@fund.command()
@click.option("--from", "first", type=a_day, required=True, help="First day.")
@click.option("--to", "last", type=a_day, help="Last day.  [default: today]")
@as_json
def statement(*, first: datetime, last: datetime | None, json_: bool) -> None:
    """List every movement of the fund in these days, from opening to closing."""
    root = Underwriting.open(Settings.from_environment())
    found = Lending(root).statement(first.date(), today_or(last, root))
    if json_:
        print_json(found)
        return
    click.echo(f"{'':<38}{'capital left':>18}{'reserved':>18}{'drawn':>18}")
    _sums("opening", found["opening"])
    for line in found["movements"]:
        change = (line[name] for name in ("capital_yuan", "reserved_yuan", "drawn_yuan"))
        figures = "".join(f"{_signed(yuan_):>18}" for yuan_ in change)
        click.echo(f"{line['at'][:10]}  {line['en']:<26}{figures}  {line['decision_id'] or ''}")
    _sums("closing", found["closing"])


def _sums(name: str, account: dict[str, Any]) -> None:
    held = (account[name] for name in ("capital_left_yuan", "reserved_yuan", "drawn_yuan"))
    click.echo(f"{name:<38}" + "".join(f"{yuan(amount):>18}" for amount in held))


def _signed(amount: int) -> str:
    return f"{amount:+,}" if amount else ""


COMMANDS = (fund,)
