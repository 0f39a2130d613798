"""erase, subject, retention: what a person may ask for, and what goes by itself.

An ID number is asked for or read from standard input: the command line of a process is seen by all.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.operators import operator, proposed_by
from loansvc.ledger.erasure import REASONS
from loansvc.privacy import Privacy
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting


def _id_number() -> str:
    """The ID number: asked for without showing it, or the first line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt("ID number", hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip()


def _privacy() -> Privacy:
    return Privacy(Underwriting.open(Settings.from_environment()))


@click.command()
@click.option("--reason", type=click.Choice(REASONS), required=True, help="By PIPL art. 47.")
@click.option("--reference", required=True, help="The paper that asks for it; no personal data.")
@click.option("--approver", required=True, help="Who approved it: somebody else than you.")
@proposed_by
@as_json
def erase(*, reason: str, reference: str, approver: str, proposer: str | None, json_: bool) -> None:
    """Destroy the key of one person, at every client; the ID number is asked for."""
    body = _privacy().erase(
        _id_number(), reason=reason, reference=reference, by=proposer or operator(),
        approver=approver,
    )  # fmt: skip
    if json_:
        print_json(body)
        return
    click.echo(
        f"erased   {body['decisions']} decisions, {body['outcomes']} outcomes, "
        f"{body['other_entries']} other entries   {body['erasure_id'] or 'nobody known'}"
    )


@click.group()
def subject() -> None:
    """One person."""


@subject.command()
def export() -> None:
    """Print everything the ledger holds of one person as JSON; the ID number is asked for."""
    print_json(_privacy().export(_id_number(), by=operator()))


@click.command()
@click.option("--apply", "apply_", is_flag=True, help="Erase the people of whom all is due.")
@as_json
def retention(*, apply_: bool, json_: bool) -> None:
    """List what is due to be erased, by class and since when."""
    privacy = _privacy()
    if apply_:
        length = privacy.retention()["people_due"]
        hidden = not sys.stderr.isatty()
        with click.progressbar(length=length, label="Erasing", file=sys.stderr, hidden=hidden) as b:
            n_erased = privacy.apply_retention(by=operator(), progress=b.update)
        click.echo(f"erased   {n_erased} people", err=json_)
    body = privacy.retention()
    if json_:
        print_json(body)
        return
    _print_retention(body)


def _print_retention(body: dict[str, Any]) -> None:
    click.echo(
        f"{body['people_due']} people due on {body['on']}, by the rules of {body['rules_of']}"
    )
    for row in body["classes"]:
        since = f"since {row['oldest_due_on']}" if row["oldest_due_on"] else ""
        mark = "   to be confirmed" if row["verify"] else ""
        click.echo(
            f"  {row['class']:<10} {row['years']} years {row['records_due']:>8} due "
            f"{since:<17}  [{row['grade']}] {row['source']}{mark}"
        )
    click.echo(f"  {body['records_waiting']} records wait for others of the same person")


COMMANDS = (erase, subject, retention)
