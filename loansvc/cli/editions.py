"""publish, editions: how editions are taken in and listed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.operators import open_ledger, operator, proposed_by
from loansvc.cli.reporting import measure
from loansvc.decision.split import MOST_SHARE_PERCENT
from loansvc.editions import CHALLENGER, ROLES, SAID, Edition, holding
from loansvc.errors import NoEditionInForce
from loansvc.ledger import is_there
from loansvc.ledger.administration import note
from loansvc.ledger.outbox import tell
from loansvc.monitoring.budget import check as check_budget
from loansvc.monitoring.reading import n_decided
from loansvc.registry import Registry
from loansvc.registry.publishing import publish
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting, new_id, now, stamp
from loansvc.web.presentation import edition_document, newest_first

a_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("publish")
@click.argument("file", type=a_file)
@click.option("--approver", required=True, help="Who takes responsibility.")
@proposed_by
@click.option("--role", type=click.Choice(ROLES), default=ROLES[0], show_default=True)
@click.option("--valid-from", type=a_day, help="Default: the document's own first day.")
@click.option("--until", type=a_day, help="Last day of a challenger, included. Default: no end.")
@click.option(
    "--share",
    type=click.IntRange(0, MOST_SHARE_PERCENT),
    default=0,
    help="Percent of applicants that a challenger decides. Default: none.",
)
@click.option("--force-reason", metavar="TEXT", help="Why, where it moves answers too far.")
@as_json
def publish_(
    file: Path, *, approver: str, proposer: str | None, role: str, valid_from: datetime | None,
    until: datetime | None, share: int, force_reason: str | None, json_: bool,
) -> None:  # fmt: skip
    """Check the edition in FILE, take it into the folder of editions and lock it.

    A policy or scorecard that is to decide is held against the last recorded decisions first, and
    refused where it moves them further than the policy in force allows, unless a reason is given.
    Two people publish: the proposer is not the approver. The ledger, if there is one, records it.
    A challenger is scored beside the champion until its last day; publish it again for another
    share or another end.
    """
    settings = Settings.from_environment()
    said: list[str] = []
    edition = publish(
        settings.models_folder,
        file,
        role=role,
        approver=approver,
        proposer=proposer or operator(),
        valid_from=valid_from.date() if valid_from else None,
        until=until.date() if until else None,
        share_percent=share,
        today=now().date(),
        reason=force_reason,
        measure=partial(
            _impact_of, file=file, settings=settings, is_forced=force_reason is not None, said=said
        ),
        record=partial(_recorded, settings),
    )
    if json_:
        print_json(_document(edition))
        return
    click.echo(f"{edition.path}   {edition.role} from {edition.valid_from}   {edition.digest}")
    for line in _terms_text(edition):
        click.echo(line)
    if edition.impact:
        click.echo(f"  impact  {edition.impact}")
    for line in said:
        click.echo(f"No impact was measured: {line}.", err=True)
    if edition.valid_from < now().date():
        click.echo("It holds from a day gone by; recorded decisions stay as they are.", err=True)
    elif edition.valid_from == now().date() and edition.kind in ("policy", "scorecard"):
        click.echo("It holds from today; what was decided today before stays as it is.", err=True)


def _recorded(settings: Settings, publication: Mapping[str, Any]) -> None:
    """Enter a publication in the ledger, where there is one, and tell clients of what decides."""
    if not is_there(settings.url):
        return
    at = now()
    with open_ledger(settings).writing() as ledger:
        entry = note(
            ledger, "published", at=stamp(at), entry_id=new_id("adm", at),
            by=publication["proposer"], **publication,
        )  # fmt: skip
        if publication["role"] == ROLES[0]:
            data = {name: publication[name] for name in ("kind", "product", "valid_from", "digest")}
            tell(
                ledger.connection, "edition.published", data, about=entry.decision_id,
                at=entry.decided_at,
            )  # fmt: skip


def _impact_of(
    registry: Registry, draft: Edition[Any], *, file: Path, settings: Settings, is_forced: bool,
    said: list[str],
) -> str:  # fmt: skip
    """What the last decisions say of a draft; empty, and `said` why, where none could be asked.

    Raises:
        OverBudget: it moves them too far, and no reason was given.
        SetupRefused: there is a ledger, and it cannot be opened.
    """
    if not is_there(settings.url):
        said.append("there is no ledger here")
        return ""
    root = Underwriting.open(settings, registry=registry)
    if not n_decided(root, draft.product, most=1):
        said.append(f"no decision on {draft.product} is recorded here")
        return ""
    try:
        _, verdict = measure(root, draft)
    except NoEditionInForce:
        said.append(f"nothing is in force on {draft.valid_from} that it takes the place of")
        return ""
    if not is_forced:
        check_budget(verdict, str(file))
    return verdict.text()


@click.command()
@click.option("--on", type=a_day, help="Only those in force on that day.")
@as_json
def editions(*, on: datetime | None, json_: bool) -> None:
    """List what is published."""
    registry = Registry.open(Settings.from_environment().models_folder)
    found = newest_first(holding(registry.editions, on=on.date()) if on else registry.editions)
    if json_:
        print_json({"data": [_document(e) for e in found]})
        return
    for e in found:
        click.echo(
            f"{e.kind:<10} {e.product:<12} {e.role:<10} {e.valid_from}  {e.digest[7:19]}  {e.path}"
        )
        for line in _terms_text(e):
            click.echo(line)
        for name in SAID:
            if text := getattr(e, name):
                click.echo(f"  {name}  {text}")


def _document(edition: Edition[Any]) -> dict[str, Any]:
    """What the API says of a publication, and end and share, which are not for clients."""
    terms = {
        "until": edition.until and edition.until.isoformat(),
        "share_percent": edition.share_percent,
    }
    return edition_document(edition) | (terms if edition.role == CHALLENGER else {})


def _terms_text(edition: Edition[Any]) -> list[str]:
    """End and share of a challenger, in a line."""
    if edition.role != CHALLENGER:
        return []
    end = f"until {edition.until}" if edition.until else "without an end"
    share, first = edition.share_percent, edition.share_from_percent
    buckets = f"   buckets from {first} %" if share else ""
    return [f"  challenger  {end}   decides {share} %{buckets}"]


COMMANDS = (publish_, editions)
