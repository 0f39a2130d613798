"""Command line: verbs as in the domain. Answers on stdout, refusals in one line on stderr.

A refusal of fields has one more line for each of them.
Exit 0 done (a decline is an answer), 1 refused, 2 wrong usage.
"""

from __future__ import annotations

import sys

import click

from loansvc import __version__
from loansvc.cli import (
    audit,
    cards,
    challengers,
    decisions,
    doctor,
    editions,
    exporting,
    fund,
    history,
    importing,
    keeping,
    keys,
    monitoring,
    outcomes,
    policies,
    portfolios,
    privacy,
    proofs,
    registering,
    reporting,
    reviews,
    service,
    simulating,
    training,
    validating,
    vaults,
    villages,
    webhooks,
    working,
)
from loansvc.errors import LoanError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def loansvc() -> None:
    """An application in; an explained, durable, replayable credit decision out."""


for _group in (
    decisions,
    outcomes,
    importing,
    fund,
    reviews,
    editions,
    policies,
    reporting,
    challengers,
    history,
    monitoring,
    training,
    simulating,
    validating,
    cards,
    portfolios,
    service,
    doctor,
    privacy,
    proofs,
    vaults,
    keys,
    audit,
    villages,
    working,
    webhooks,
):
    for _command in _group.COMMANDS:
        loansvc.add_command(_command)
for _command in (*keeping.LEDGER_COMMANDS, *proofs.LEDGER_COMMANDS):
    service.ledger.add_command(_command)
training.card.add_command(exporting.export_)
for _command in registering.COMMANDS:
    villages.villages.add_command(_command)


def main() -> None:
    """Run the command line; a refusal is exit status 1."""
    try:
        loansvc(standalone_mode=True)
    except LoanError as error:
        print(f"loansvc: {_told(error)}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # a full disk, a file system that is read-only, missing rights
        at = f"{error.filename}: " if error.filename else ""
        print(
            f"loansvc: {at}{error.strerror or error}. Check the place, its rights and the disk, "
            "and run it again.",
            file=sys.stderr,
        )
        sys.exit(1)


def _told(error: LoanError) -> str:
    """A refusal in one line, and below it a line for each field that needs correcting."""
    fields = [f"  {e.pointer or '/'}  {e.detail}" for e in error.errors]
    return "\n".join(" ".join(line.splitlines()) for line in (error.detail, *fields))
