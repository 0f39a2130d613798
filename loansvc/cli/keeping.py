"""ledger backup, restore, copy, downgrade: what an operator does with a whole ledger."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from loansvc.cli.operators import open_ledger, operator
from loansvc.errors import SetupRefused
from loansvc.ledger.backup import Act, go_on, put_back, take
from loansvc.ledger.migrating import losses, take_back
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting, new_id, now, stamp


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
    with closing(open_ledger(settings, source)) as ledger, progress("copying") as moved:
        n_entries = ledger.copy_to(target, progress=moved)
    click.echo(f"copied and verified   {n_entries} entries")
    click.echo("Name the new place to the service before it starts: LOANSVC_DATABASE_URL")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def backup(folder: Path) -> None:
    """Back the ledger up into a new FOLDER, while the service runs; verified, and without the keys.

    Keep vault.json apart, and every backup on another machine (docs/backup.md).
    """
    with closing(open_ledger(older=True)) as ledger, progress("backing up") as moved:
        manifest = take(ledger, folder, clock=lambda: stamp(now()), progress=moved)
    click.echo(
        f"backed up and verified   {manifest['entries']} entries, complete until "
        f"{manifest['complete_until']}"
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True), required=False)
@click.option("--accept", is_flag=True, help="Go on although entries that were signed for lack.")
def restore(folder: Path | None, *, accept: bool) -> None:
    """Put the backup in FOLDER in place of the ledger, which is moved aside.

    Without FOLDER: with --accept, go on from an older copy that was put in place by hand.
    """
    settings, at = Settings.from_environment(), now()
    by = Act(operator(), stamp(at), new_id("adm", at))
    if folder is None:
        _accept(settings, by, accept=accept)
        return
    with progress("restoring") as moved:
        restored = put_back(
            folder, settings.url, lambda url: open_ledger(settings, url, create=True, older=True),
            home=settings.home, by=by, accept_loss=accept, progress=moved,
        )  # fmt: skip
    if restored.aside is not None:
        click.echo(f"moved aside   {restored.aside}")
    Underwriting.open(settings)  # erases again whom the backup has brought back
    click.echo(
        f"restored and verified   {restored.n_entries} entries, complete until "
        f"{restored.complete_until}"
    )


def _accept(settings: Settings, by: Act, *, accept: bool) -> None:
    ledger = open_ledger(settings, older=True)
    lost = ledger.missing()
    if lost is None:
        raise SetupRefused("Nothing that was signed for lacks. Name the folder of a backup.")
    if not accept:
        ledger.check_whole()
    go_on(ledger, by, complete_until="", lost=lost)
    click.echo(f"accepted   entries {lost[0]} to {lost[1]} are lost")


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, for what takes long; none where nobody looks."""
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def moved(done: int, of: int) -> None:
            bar.length = max(of, 1)
            bar.update(done - bar.pos)

        yield moved


LEDGER_COMMANDS = (backup, restore, copy_, downgrade)
