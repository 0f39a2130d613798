"""review, override, reviews, dispute, disputes: what people do about decisions, from the shell."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from loansvc.application import MOST_YUAN
from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, client_of, of_client, print_json
from loansvc.cli.outcomes import today_or
from loansvc.errors import SetupRefused
from loansvc.reviewing import By, Dispute, Override, Review, Reviewing
from loansvc.reviewing.words import (
    ASKED_BY,
    DISPUTE_KINDS,
    DISPUTED,
    OUTCOMES,
    OVERRIDE_REASONS,
    REVIEW_REASONS,
)
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting

by_name = click.option("--by", required=True, help="Who you are; two people are needed.")
a_reference = click.option("--reference", required=True, help="Your own id of it.")
a_note = click.option("--note", help="A short text without names and numbers of persons.")
every_client = click.option("--client", help="Of this client alone.  [default: all]")


@click.command()
@click.argument("application_id")
@click.argument("reason", type=click.Choice(tuple(REVIEW_REASONS)))
@click.option("--asked-by", type=click.Choice(tuple(ASKED_BY)), default="officer",
              show_default=True, help="Who wants it.")  # fmt: skip
@a_reference
@by_name
@a_note
@of_client
@as_json
def review(
    application_id: str, *, reason: str, asked_by: str, reference: str, by: str, note: str | None,
    client: str | None, json_: bool,
) -> None:  # fmt: skip
    """Ask for a person's decision on APPLICATION_ID."""
    root = _root()
    said = Review(reference=reference, asked_by=asked_by, reason=reason, note=note)
    whose = client_of(root, application_id, client)
    found = Reviewing(root).ask(application_id, said, by=_by(by), client=whose)
    _told(found, "asked", json_=json_)


@click.command()
@click.argument("application_id")
@click.argument("outcome", type=click.Choice(OUTCOMES))
@click.option("--reason", type=click.Choice(tuple(OVERRIDE_REASONS)), required=True)
@click.option("--amount", type=click.IntRange(1, MOST_YUAN), help="Whole yuan; at most the limit.")
@click.option("--term", type=click.IntRange(1, 360), help="Months; at most those asked for.")
@a_reference
@by_name
@a_note
@of_client
@as_json
def override(
    application_id: str, *, outcome: str, reason: str, amount: int | None, term: int | None,
    reference: str, by: str, note: str | None, client: str | None, json_: bool,
) -> None:  # fmt: skip
    """Close the review of APPLICATION_ID with a person's decision: OUTCOME.

    Not by whoever asked for it. An approval has the terms that the rules give.
    """
    root = _root()
    said = Override(
        reference=reference, outcome=outcome, reason=reason, amount_yuan=amount, term_months=term,
        note=note,
    )  # fmt: skip
    whose = client_of(root, application_id, client)
    found = Reviewing(root).override(application_id, said, by=_by(by), client=whose)
    _told(found, outcome, json_=json_)


@click.command()
@click.option("--state", type=click.Choice(("open", "closed", "all")), default="open",
              show_default=True)  # fmt: skip
@every_client
@as_json
def reviews(*, state: str, client: str | None, json_: bool) -> None:
    """List what waits for a person's decision, newest first."""
    reviewing = Reviewing(_root())
    wanted, found, before = None if state == "all" else state, [], None
    while True:
        page, before = reviewing.queue(client=client, limit=100, before=before, state=wanted)
        found += page
        if before is None:
            break
    if json_:
        print_json({"data": found})
        return
    for row in found:
        became = f"{row['outcome']} -> {row.get('final_outcome', 'open')}"
        click.echo(
            f"{row['asked_at'][:10]}  {became:<20} {row['application_id']}   {row['reason']['en']}"
        )
    click.echo(f"{len(found)} {'' if wanted is None else f'{wanted} '}reviews")


@click.command()
@click.argument("application_id")
@click.argument("kind", type=click.Choice(tuple(DISPUTE_KINDS)))
@click.option(
    "--about", type=click.Choice(tuple(DISPUTED)), required=True, help="What is said to be wrong."
)
@click.option("--on", type=a_day, help="The day of receipt or answer.  [default: today]")
@a_reference
@by_name
@of_client
@as_json
def dispute(
    application_id: str, *, kind: str, about: str, on: datetime | None, reference: str, by: str,
    client: str | None, json_: bool,
) -> None:  # fmt: skip
    """Record that an objection to what the decision rests on was lodged, or how it ended."""
    root = _root()
    said = Dispute(reference=reference, kind=kind, about=about, on=today_or(on, root))
    whose = client_of(root, application_id, client)
    found = Reviewing(root).dispute(application_id, said, by=_by(by), client=whose)
    _told(found, kind, json_=json_)


@click.command()
@click.option("--overdue", is_flag=True, help="Those past their 20 days alone; exit 1 if any.")
@every_client
@as_json
@click.pass_context
def disputes(context: click.Context, *, overdue: bool, client: str | None, json_: bool) -> None:
    """List the objections that wait for an answer, the first due first."""
    found = Reviewing(_root()).open_disputes(client=client, overdue=overdue)
    if json_:
        print_json({"data": found})
    else:
        for row in found:
            late = "OVERDUE" if row["overdue"] else ""
            click.echo(
                f"due {row['due_on']}  {late:<8}{row['client']}   {row['application_id']}   "
                f"{row['about']['en']}, lodged {row['lodged_on']}"
            )
        click.echo(f"{len(found)} {'overdue' if overdue else 'open'} disputes")
    context.exit(1 if overdue and found else 0)


def _root() -> Underwriting:
    return Underwriting.open(Settings.from_environment())


def _by(name: str) -> By:
    """The person at the shell.

    Raises:
        SetupRefused: there is no name.
    """
    if not name.strip():
        raise SetupRefused("Say who you are: --by NAME")
    return By(holder=name.strip())


def _told(found: tuple[dict[str, Any], bool], what: str, *, json_: bool) -> None:
    document, is_new = found
    if json_:
        print_json(document)
        return
    before = "" if is_new else "   (recorded before)"
    click.echo(f"{what}   {document['application_id']}   {_says(document)}{before}")


def _says(document: dict[str, Any]) -> str:
    """What was recorded, in words."""
    if "kind" in document:
        due = f", due {document['due_on']}" if "due_on" in document else ""
        return f"{document['about']['en']} on {document['on']}{due}"
    if "terms" not in document:
        return str(document["reason"]["en"])
    offer, guarantee = document["terms"]["offer"], document["terms"]["guarantee"]
    return (
        f"{offer['amount_yuan']:,} yuan   {offer['term_months']} months   rate "
        f"{offer['rate_bp'] / 100:.2f} %   tier {guarantee['tier']}   {document['reason']['en']}"
    )


COMMANDS = (review, override, reviews, dispute, disputes)
