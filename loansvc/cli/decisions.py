"""decide, explain, replay, example: the verb and the record of it, from the shell."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

import click

from loansvc.application import PRODUCTS
from loansvc.errors import NotFound
from loansvc.settings import Settings
from loansvc.underwriting import Recorded, Underwriting, now
from loansvc.web.examples import example_application
from loansvc.web.schemas import load_application
from loansvc.web.strict_json import loads

CLIENT = "cli"
as_json = click.option("--json", "json_", is_flag=True, help="Print exactly what the API answers.")
of_client = click.option("--client", help="Whose decision, where several used the same id.")


def print_json(document: Any) -> None:
    """A document as the API would answer it."""
    click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--preview", is_flag=True, help="Answer without recording.")
@click.option("--client", default=CLIENT, show_default=True, help="In whose name.")
@as_json
def decide(file: BinaryIO, *, preview: bool, client: str, json_: bool) -> None:
    """Decide the application in FILE (- for standard input) and record the decision."""
    root = Underwriting.open(Settings.from_environment(), create=True)
    codes = root.registry.village_codes
    application = load_application(loads(file.read()), today=root.today(), village_codes=codes)
    if preview:
        body = root.preview(application)
    else:
        body = root.decide(application, client=client)[0].answer()
    if json_:
        print_json(body)
        return
    _print_decision(body)


def _print_decision(body: dict[str, Any]) -> None:
    parts = [
        body["outcome"],
        f"{body['score']} points",
        f"PD {100 * body['pd_12m']:.2g} %",
        f"grade {body['grade']}",
    ]
    if body["offer"]:
        offer, guarantee = body["offer"], body["guarantee"]
        parts.append(f"limit {yuan(offer['limit_yuan'])}")
        parts.append(f"rate {offer['rate_bp'] / 100:.2f} %")
        bank = guarantee["shares_percent"]["bank"]
        parts.append(f"tier {guarantee['tier']} (bank bears {bank} %)")
    click.echo("   ".join(parts))
    for reason in body["reasons"]:
        points = f"{reason['points']:+d} points" if "points" in reason else ""
        click.echo(f"  {reason['code']:<5} {reason['en']:<60} {points}".rstrip())
    for warning in body["warnings"]:
        click.echo(f"  note  {warning['en']}")
    references = body["editions"]
    named = (f"{kind} {references[kind]['valid_from']}" for kind in references)
    click.echo(f"  under {' · '.join(named)}")


def yuan(amount: int) -> str:
    """An amount as the command line prints it."""
    return f"{amount:,}".replace(",", " ") + " yuan"


def client_of(root: Underwriting, application_id: str, client: str | None) -> str:
    """Whose decision is meant: whoever has the shell may name every client's.

    Raises:
        NotFound: several clients used the id and none is named.
    """
    clients = root.clients_of(application_id)
    if client is None and len(clients) > 1:
        raise NotFound(
            f"Several clients used this application_id: {', '.join(clients)}. "
            "Say whose: --client NAME"
        )
    return client or (clients or [CLIENT])[0]


def _find(root: Underwriting, application_id: str, client: str | None) -> Recorded:
    return root.find(application_id, client=client_of(root, application_id, client))


@click.command()
@click.argument("application_id")
@of_client
@as_json
def explain(application_id: str, *, client: str | None, json_: bool) -> None:
    """Show how the decision on APPLICATION_ID came about, as lines that add up."""
    root = Underwriting.open(Settings.from_environment())
    explanation = root.explain(_find(root, application_id, client))
    if json_:
        print_json(explanation)
        return
    score = explanation["score"]
    click.echo(f"{explanation['outcome']}   {explanation['application_id']}")
    click.echo(f"  {score['base_points']:>5}  base points")
    for line in score["characteristics"]:
        click.echo(f"  {line['points']:>+5}  {line['label_en']}: {_value(line)}")
    click.echo(f"  {score['village']['points']:>+5}  village ({score['village']['state']})")
    click.echo(f"  {score['total']:>5}  score")
    for rule in explanation["rules"]:
        read = "" if rule["value"] is None else f" (read: {rule['value']})"
        click.echo(f"  {rule['id']:<5} {rule['result']:<15} {rule['en']}{read}")
    for step, lines in explanation["derivation"].items():
        click.echo(f"  {step}")
        for line in lines:
            click.echo(f"    {_figure(line):>14}  {line['en']}")
    click.echo("  what would change the answer")
    for way in explanation["what_would_change"]:
        click.echo(f"    {way['en']}")
    click.echo(f"    {explanation['what_would_change_note']['en']}")


def _value(line: dict[str, Any]) -> str:
    """The value read and the bin it fell in, such as "35 [5 to below 55]"."""
    bin_ = line["bin"]
    if line["value"] is None:
        return "not known"
    if bin_["words"] or bin_["state"]:
        return f"{line['value']} [{' or '.join(bin_['words']) or 'not seen in training'}]"
    if bin_["from"] == line["value"] and bin_["to"] == line["value"] + 1:
        return str(line["value"])
    ends = f"from {bin_['from']} " if bin_["from"] is not None else ""
    ends += f"to below {bin_['to']}" if bin_["to"] is not None else ""
    return f"{line['value']} [{ends.strip() or 'any'}]"


def _figure(line: dict[str, Any]) -> str:
    if "yuan" in line:
        return yuan(line["yuan"])
    if "bp" in line:
        return f"{line['bp']} bp"
    return f"{line['percent']} %" if "percent" in line else ""


@click.command()
@click.argument("application_id", required=False)
@click.option("--all", "all_", is_flag=True, help="Replay every decision.")
@of_client
@as_json
@click.pass_context
def replay(
    context: click.Context,
    application_id: str | None,
    *,
    all_: bool,
    client: str | None,
    json_: bool,
) -> None:
    """Decide APPLICATION_ID again from what was recorded, and compare."""
    if all_ == (application_id is not None):
        raise click.UsageError("Give an APPLICATION_ID or --all.")
    root = Underwriting.open(Settings.from_environment())
    if application_id is not None:
        result = root.replay(_find(root, application_id, client))
        if json_:
            print_json(result)
        else:
            click.echo(_replay_line(result))
        context.exit(0 if result["identical"] else 1)
    n_replayed = n_different = 0
    for recorded in _every(root, client):
        result = root.replay(recorded)
        n_replayed += 1
        n_different += not result["identical"]
        if json_:
            print_json(result)
        elif not result["identical"]:
            click.echo(_replay_line(result))
    if not json_:
        click.echo(f"{n_replayed} replayed, {n_different} different")
    context.exit(1 if n_different else 0)


def _replay_line(result: dict[str, Any]) -> str:
    if result["identical"]:
        return f"identical   {result['application_id']}"
    where = ", ".join(difference["pointer"] for difference in result["differences"])
    return f"different   {result['application_id']}   {where}"


def _every(root: Underwriting, client: str | None) -> Iterator[Recorded]:
    """Every decision (of one client), newest first, with a progress bar on standard error."""
    page, before = root.page(client=client, limit=100)
    length = page[0].entry.sequence if page else 0
    with click.progressbar(length=length, label="Replaying", file=sys.stderr) as bar:
        while page:
            for recorded in page:
                yield recorded
                bar.update(1)
            if before is None:
                break
            page, before = root.page(client=client, limit=100, before=before)


@click.command()
@click.option("--product", type=click.Choice(PRODUCTS), default=PRODUCTS[0], show_default=True)
@click.option("--number", type=click.IntRange(0, 999_999), help="Default: from the clock.")
def example(product: str, number: int | None) -> None:
    """Print a valid application (invented) that the shipped editions approve."""
    number = int(time.time()) % 1_000_000 if number is None else number
    document = example_application(product, today=now().date(), number=number)
    click.echo(json.dumps(document, ensure_ascii=False, indent=1))


COMMANDS = (decide, explain, replay, example)
