"""receipt, and of ledger: checkpoint, export, verifier: what is proved to others."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

import click

from loansvc.cli.decisions import as_json, chosen, of_client, print_json
from loansvc.cli.operators import open_ledger
from loansvc.errors import NotFound
from loansvc.ledger import exporting, receipts, verifier
from loansvc.ledger.checkpoints import advance
from loansvc.underwriting import now, stamp

since_ = click.option(
    "--from", "since", type=click.IntRange(1), metavar="SIZE",
    help="Prove too that it goes on from an earlier checkpoint.",
)  # fmt: skip


@click.command()
@click.argument("application_id")
@of_client
@since_
@as_json
def receipt(application_id: str, *, client: str | None, since: int | None, json_: bool) -> None:
    """Prove that the decision on APPLICATION_ID is in the ledger that was signed.

    With --json it is what `verify.py` checks (loansvc ledger verifier).
    """
    ledger = open_ledger()
    with ledger.reading() as reading:
        whose = chosen(reading.clients_of(application_id), client)
    body = receipts.receipt(ledger, application_id, client=whose, at=stamp(now()), since=since)
    if json_:
        print_json(body)
        return
    entry, signed = body["entry"], verifier.checkpoint_of(body["checkpoint"])
    click.echo(f"entry {entry['sequence']} of {signed.size}   {entry['kind']}   {entry['outcome']}")
    click.echo(f"  hash        {entry['hash']}")
    click.echo(f"  signed at   {signed.at} by {signed.origin}")
    click.echo(f"  path        {len(body['inclusion_path'])} hashes; --json prints them")


@click.command()
@as_json
def checkpoint(*, json_: bool) -> None:
    """Sign the ledger as it is now, unless that is done, and print the checkpoint."""
    ledger = open_ledger()
    made = advance(ledger, at=stamp(now()))
    if made is None:
        raise NotFound("The ledger has no entries yet.")
    if json_:
        print_json(receipts.checkpoint_document(ledger, size=made.size))
        return
    click.echo(made.note, nl=False)


@click.command()
@click.argument("out", type=click.File("w", encoding="utf-8", atomic=True))
@click.option("--client", help="Entries of this client; a hash in the place of each other one.")
@click.option("--payloads", is_flag=True, help="With the sealed payloads, to check their digests.")
@click.option("--checkpoints", is_flag=True, help="The checkpoints alone, for those who keep them.")
def export(out: TextIO, *, client: str | None, payloads: bool, checkpoints: bool) -> None:
    """Write the ledger to OUT (- for standard output) as JSON lines that verify.py checks."""
    ledger = open_ledger()
    if checkpoints:
        if client is not None or payloads:
            raise click.UsageError("--checkpoints writes nothing else: leave the others out.")
        advance(ledger, at=stamp(now()))
        lines = exporting.checkpoints(ledger)
    else:
        lines = exporting.exported(ledger, at=stamp(now()), client=client, payloads=payloads)
    for line in lines:
        out.write(line)


@click.command("verifier")
def verifier_() -> None:
    """Print verify.py, which checks receipts and exports with nothing but Python."""
    sys.stdout.write(Path(verifier.__file__).read_text("utf-8"))


@click.command()
def key() -> None:
    """Print the public keys that sign checkpoints, to be given to each bank; the current first."""
    with open_ledger().reading() as reading:
        for one in reading.vault.signatures().keys:
            click.echo(str(one))


COMMANDS = (receipt,)
LEDGER_COMMANDS = (checkpoint, export, verifier_, key)
