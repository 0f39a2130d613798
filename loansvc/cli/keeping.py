"""ledger copy, ledger downgrade: what an operator does with a whole ledger."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from loansvc.errors import SetupRefused
from loansvc.ledger import Ledger
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


@click.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy_(source: str, target: str) -> None:
    """Move a whole ledger: from the database at URL FROM into the empty one at TO.

    Both have the keys of LOANSVC_HOME. Stop the service first: what it records after the beginning
    is not copied. A password need not stand in a URL: PGPASSWORD, or ~/.pgpass.
    """
    settings = Settings.from_environment()
    ledger = Ledger.open(
        source, home=settings.home, vault_keys=settings.vault_keys,
        busy_timeout_ms=settings.busy_timeout_ms,
    )  # fmt: skip
    with progress("copying") as moved:
        n_entries = ledger.copy_to(target, progress=moved)
    click.echo(f"copied and verified   {n_entries} entries")
    click.echo("Name the new place to the service before it starts: LOANSVC_DATABASE_URL")


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, for what takes long; none where nobody looks."""
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def moved(done: int, of: int) -> None:
            bar.length = max(of, 1)
            bar.update(done - bar.pos)

        yield moved


LEDGER_COMMANDS = (copy_, downgrade)
