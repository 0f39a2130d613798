"""Operators: who is at the shell, and the ledger that they work on."""

from __future__ import annotations

import os
import pwd

import click

from loansvc.ledger import Ledger
from loansvc.settings import Settings

proposed_by = click.option(
    "--proposer",
    help="Who asks for it; never the approver.  [default: LOANSVC_OPERATOR or the login name]",
)


def operator() -> str:
    """Whoever is at the shell: as LOANSVC_OPERATOR says, else the login name."""
    try:
        return Settings.from_environment().operator or pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container may run under a number that has no name
        return f"user {os.geteuid()}"


def open_ledger(
    settings: Settings | None = None, url: str = "", *, create: bool = False, older: bool = False
) -> Ledger:
    """The ledger that the settings name, those of the environment unless given; or one at a URL.

    `older`: also where it lacks entries that were signed for.
    """
    settings = settings or Settings.from_environment()
    return Ledger.open(
        url or settings.url,
        home=settings.home,
        vault_keys=settings.vault_keys,
        busy_timeout_ms=settings.busy_timeout_ms,
        create=create,
        suite=settings.cryptography,
        older=older,
    )
