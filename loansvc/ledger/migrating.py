"""Migrating: a ledger's tables brought to this version, or back to an earlier one; entries stay.

One transaction: whoever reads meanwhile sees the tables before or after, and a process killed in
the middle has changed nothing.
"""

from __future__ import annotations

from inspect import getdoc
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from loansvc.errors import LedgerDamaged, LedgerUnavailable, SetupRefused
from loansvc.ledger.entries import Reading
from loansvc.ledger.fund import rebuild
from loansvc.ledger.stores import (
    cause_of,
    database_errors,
    downgrade,
    open_engine,
    revision_of,
    scripts,
    unhurried,
    upgrade,
    writers,
)
from loansvc.ledger.vault import Vault

if TYPE_CHECKING:
    from alembic.script import Script

BEFORE_FUND = "0001"  # the tables that had no commitments yet


def migrate(engine: Engine, vault: Vault) -> None:
    """Bring the tables to this version, and fill those that follow from the entries."""
    with database_errors(), writers(engine).begin() as connection:
        unhurried(connection)
        before = revision_of(connection)
        upgrade(connection)
        if before == BEFORE_FUND:
            try:
                reading = Reading(connection, vault)
                rebuild(connection, vault, reading.all_recorded(), reading.reports_before)
            except LedgerDamaged:
                raise SetupRefused(
                    "The ledger is not upgraded: a record of it cannot be opened. Find it with the "
                    "version that wrote it (loansvc ledger verify), and restore the last backup "
                    "that verifies."
                ) from None


def losses(url: str, to: str, *, busy_timeout_ms: int) -> list[tuple[str, str]]:
    """What going back to that version takes away: versions, newest first, each with a sentence.

    Raises:
        SetupRefused: the ledger was never of that version, or cannot be opened.
    """
    engine = open_engine(url, busy_timeout_ms)
    try:
        with database_errors(), engine.connect() as connection:
            now = revision_of(connection)
    except LedgerUnavailable as error:
        raise SetupRefused(f"The ledger cannot be opened: {cause_of(error, engine.url)}") from error
    finally:
        engine.dispose()
    known = {script.revision: script for script in scripts()}  # newest first
    names = list(known)
    if now not in names or to not in names or names.index(to) <= names.index(now):
        raise SetupRefused(
            f"The ledger's tables are of version {now or 'none'}; {to} is no version before that. "
            f"Versions are {', '.join(reversed(names))}."
        )
    gone = names[names.index(now) : names.index(to)]
    return [(name, _told(known[name])) for name in gone]


def _told(script: Script) -> str:
    """What a migration brought, and what becomes of it on the way back: from its own words."""
    brought, *_ = (script.module.__doc__ or "").strip().split("\n\n")
    return " ".join(f"{brought} {getdoc(script.module.downgrade)}".split())


def take_back(url: str, to: str, *, busy_timeout_ms: int) -> None:
    """Bring the tables back to an earlier version, for the program of that version.

    Raises:
        SetupRefused: somebody holds them; nothing has changed.
    """
    engine = open_engine(url, busy_timeout_ms)
    try:
        with database_errors(), writers(engine).begin() as connection:
            unhurried(connection)
            downgrade(connection, to)
    except LedgerUnavailable as error:
        raise SetupRefused(
            f"The ledger's tables are as they were: {cause_of(error, engine.url)}. Run the same "
            "again when it is less busy, or stop the service first."
        ) from error
    finally:
        engine.dispose()
