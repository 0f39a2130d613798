"""webhooks: where clients are told what happened, and what became of the messages."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import click

from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.operators import open_ledger, operator
from loansvc.errors import LoanError, NotFound, SetupRefused
from loansvc.ledger import endpoints, outbox
from loansvc.ledger.endpoints import Endpoint
from loansvc.underwriting import new_id, now, stamp
from loansvc.webhooks.working import post

PING = "webhook.test"
STATES = ("waiting", "failed")
an_endpoint = click.argument("endpoint_id")


@click.group()
def webhooks() -> None:
    """Where clients are told of closed reviews, finished batches and new editions."""


@webhooks.command()
@click.argument("client")
@click.argument("url")
@click.option("--event", "events", multiple=True, type=click.Choice(outbox.EVENTS),
              default=outbox.EVENTS, show_default=True, help="May be repeated.")  # fmt: skip
def add(client: str, url: str, *, events: tuple[str, ...]) -> None:
    """Tell CLIENT at URL from now on; the secret that signs it is printed this once."""
    chosen = tuple(event for event in outbox.EVENTS if event in events)
    made, secret = endpoints.add(
        open_ledger(create=True), client=client, url=url, events=chosen, **_act()
    )
    click.echo(secret)
    click.echo(f"endpoint {made.endpoint_id} of {client}: keep it now.", err=True)


@webhooks.command("list")
@as_json
def list_(*, json_: bool) -> None:
    """List the endpoints, without their secrets, and how much waits for each or was given up."""
    with open_ledger().snapshot() as connection:
        found, counted = endpoints.listed(connection), outbox.counted(connection)
    rows = [
        {**_document(one), **{s: counted.get((one.endpoint_id, s), 0) for s in STATES}}
        for one in found
    ]
    if json_:
        print_json({"data": rows})
        return
    for row in rows:
        state = f"disabled {row['disabled_at'][:10]}" if row["disabled_at"] else "in use"
        counts = ", ".join(f"{row[name]} {name}" for name in STATES)
        click.echo(f"{row['endpoint_id']}  {row['client']:<20} {state}   {counts}   {row['url']}")
        click.echo(f"  {' '.join(row['events'])}")


def _document(one: Endpoint) -> dict[str, Any]:
    return {
        "endpoint_id": one.endpoint_id, "client": one.client, "url": one.url,
        "events": list(one.events), "added_at": one.added_at,
        "disabled_at": one.disabled_at or None,
    }  # fmt: skip


@webhooks.command()
@an_endpoint
def remove(endpoint_id: str) -> None:
    """Forget ENDPOINT_ID and its messages, sent or not."""
    endpoints.remove(open_ledger(), endpoint_id, **_act())
    click.echo(f"removed   {endpoint_id}")


@webhooks.command()
@an_endpoint
@click.option("--overlap-hours", type=click.IntRange(0, 24 * 90), default=24, show_default=True,
              help="How long the old secret signs too.")  # fmt: skip
def rotate(endpoint_id: str, *, overlap_hours: int) -> None:
    """Make the next secret of ENDPOINT_ID; it is printed this once."""
    overlap = timedelta(hours=overlap_hours)
    click.echo(endpoints.rotate(open_ledger(), endpoint_id, overlap=overlap, **_act()))
    click.echo(f"The old secret signs too for {overlap_hours} hours more.", err=True)


@webhooks.command()
@an_endpoint
def enable(endpoint_id: str) -> None:
    """Use ENDPOINT_ID again, which was disabled when its receiver answered 410."""
    endpoints.enable(open_ledger(), endpoint_id, **_act())
    click.echo(f"enabled   {endpoint_id}")


@webhooks.command()
@an_endpoint
def test(endpoint_id: str) -> None:
    """Send ENDPOINT_ID a signed message of type webhook.test now, once."""
    at = now()
    body = outbox.body_of(PING, {"endpoint_id": endpoint_id}, at=stamp(at))
    answer = post(open_ledger(), endpoint_id, new_id("msg", at), body, at=at)
    if not answer.is_taken:
        raise LoanError(
            f"The receiver did not take it: {answer}. Check the URL, its certificate and that it "
            "answers 2xx, and test again."
        )
    click.echo(f"taken   {answer}")


@webhooks.command("failed")
@as_json
def failed_(*, json_: bool) -> None:
    """List the messages that were given up, oldest first."""
    with open_ledger().snapshot() as connection:
        found = outbox.listed(connection, "failed")
    if json_:
        print_json({"data": [
            {"message_id": one.message_id, "endpoint_id": one.endpoint_id, "event": one.event,
             "data": json.loads(one.body)["data"], "attempts": one.attempts,
             "answer": one.answer, "failed_at": one.ended_at}
            for one in found]})  # fmt: skip
        return
    for one in found:
        click.echo(
            f"{one.ended_at[:19]}  {one.endpoint_id}  {one.event:<18} {one.message_id}  "
            f"{one.attempts} attempts, the last: {one.answer}"
        )


@webhooks.command()
@an_endpoint
@click.argument("message_id", required=False)
def retry(endpoint_id: str, message_id: str | None) -> None:
    """Send ENDPOINT_ID again what was given up, or MESSAGE_ID alone, from the first attempt on."""
    with open_ledger().writing() as ledger:
        one = endpoints.find(ledger.connection, endpoint_id)
        if one is not None and one.disabled_at:
            raise SetupRefused(f"It is disabled. First: loansvc webhooks enable {endpoint_id}")
        n_again = outbox.retry(ledger.connection, endpoint_id, message_id)
        if not n_again:
            raise NotFound("There is no such failed message. See: loansvc webhooks failed")
    click.echo(f"again   {n_again} messages wait")


def _act() -> dict[str, Any]:
    """Who acts, when, and the id of the entry that will say so."""
    at = now()
    return {"now": at, "entry_id": new_id("adm", at), "by": operator()}


COMMANDS = (webhooks,)
