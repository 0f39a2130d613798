"""audit: what operators did, from the ledger."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.operators import open_ledger
from loansvc.ledger.administration import Act, acts


@click.command()
@click.option("--from", "first", type=a_day, help="First day.  [default: the first there is]")
@click.option("--to", "last", type=a_day, help="Last day.  [default: the last there is]")
@as_json
def audit(*, first: datetime | None, last: datetime | None, json_: bool) -> None:
    """List what operators did: keys, publications, fund, erasures, and what was flagged.

    The entries are of the ledger of decisions: loansvc ledger verify finds one changed or removed.
    """
    since = first.date().isoformat() if first else ""
    until = f"{last.date()}T24" if last else "T"  # as text, after every instant of that day
    with open_ledger().reading() as ledger:
        found = list(acts(ledger, since=since, until=until))
    if json_:
        print_json({"data": [asdict(act) for act in found]})
        return
    for act in found:
        click.echo(f"{act.at[:19]}  {act.action:<16} {act.by:<20} {act.client:<16} {_told(act)}")


def _told(act: Act) -> str:
    told = []
    for name, value in act.details.items():
        text = ",".join(map(str, value)) if isinstance(value, list) else value
        told.append(f"{name} {text}")
    return " · ".join(told)


COMMANDS = (audit,)
