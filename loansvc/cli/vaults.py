"""vault: the outer keys, changed while the service runs."""

from __future__ import annotations

import sys
from datetime import date

import click

from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.operators import open_ledger, operator
from loansvc.errors import SetupRefused
from loansvc.ledger import rotation
from loansvc.registry import Registry
from loansvc.registry.challenging import share_to_come
from loansvc.settings import Settings
from loansvc.underwriting import new_id, now, stamp


@click.group()
def vault() -> None:
    """The outer keys."""


@vault.command()
@as_json
def status(*, json_: bool) -> None:
    """List the outer keys, never their bytes, and how many records need each."""
    found = rotation.status(open_ledger())
    if json_:
        print_json(found)
        return
    for key in found:
        state = "current" if key["current"] else "older"
        needed = f"{key['needed_by']} records" if key["needed_by"] else ""
        line = f"{key['purpose']:<16} {key['version']:>3}  {key['suite']:<14} {state:<8} {needed}"
        click.echo(line.rstrip())


@vault.command()
@click.argument("purpose")
@as_json
def rotate(purpose: str, *, json_: bool) -> None:
    """Make a new key of PURPOSE and bring everything under it, beside the running service."""
    ledger = open_ledger()
    at = now()
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=0, label="Rotating", file=sys.stderr, hidden=hidden) as bar:
        version, n_done = rotation.rotate(
            ledger, purpose, suite=Settings.from_environment().cryptography, at=stamp(at),
            entry_id=new_id("adm", at), by=operator(), progress=bar.update,
        )  # fmt: skip
    if json_:
        print_json({"purpose": purpose, "version": version, "records": n_done})
        return
    click.echo(f"rotated   {purpose} is of version {version}; {n_done} records brought under it")


@vault.command()
@click.argument("purpose")
@click.argument("version", type=click.IntRange(1))
def retire(purpose: str, version: int) -> None:
    """Destroy the key VERSION of PURPOSE, if nothing needs it any more.

    Backups made before need it: keep the older vault.json as long as them, and no longer.
    """
    at = now()
    ledger = open_ledger()
    if purpose == "pseudonym" and version == min(ledger.vault.versions(purpose)):
        _check_moves_nobody(at.date())
    rotation.retire(
        ledger, purpose, version, at=stamp(at), entry_id=new_id("adm", at), by=operator()
    )
    click.echo(f"retired   {purpose} {version}")


def _check_moves_nobody(today: date) -> None:
    """Refuse while a challenger decides some applicants: they are told by the oldest pseudonym.

    Raises:
        SetupRefused: with the challenger, and how to end its share.
    """
    editions = Registry.open(Settings.from_environment().models_folder).editions
    if challenger := share_to_come(editions, on=today):
        raise SetupRefused(
            f"Applicants are shared out under this key, and {challenger.path} decides "
            f"{challenger.share_percent} percent of them. End its share first: loansvc publish "
            "FILE --role challenger --valid-from DATE"
        )


COMMANDS = (vault,)
