"""ledger downgrade: what an operator does with a whole ledger."""

from __future__ import annotations

import click

from loansvc.errors import SetupRefused
from loansvc.ledger.migrating import losses, take_back
from loansvc.settings import Settings


@click.command()
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do it; without this it is only said what would go.")
def downgrade(revision: str, *, yes: bool) -> None:
    """Take the tables back to an earlier version, for the program of then; entries all stay."""
    settings = Settings.from_environment()
    url, patience_ms = settings.url, settings.busy_timeout_ms
    for version, says in losses(url, revision, busy_timeout_ms=patience_ms):
        click.echo(f"{version}   {says}")
    if not yes:
        raise SetupRefused(
            "Nothing was changed. Make a backup, stop the service or let the earlier one take "
            f"over, and run: loansvc ledger downgrade {revision} --yes"
        )
    take_back(url, revision, busy_timeout_ms=patience_ms)
    click.echo(f"The ledger's tables are of version {revision}.")


LEDGER_COMMANDS = (downgrade,)
