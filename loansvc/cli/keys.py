"""keys: who may call the service, made, replaced, listed and revoked."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import click

from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.operators import open_ledger, operator
from loansvc.ledger import keys as client_keys
from loansvc.ledger.keys import ClientKey
from loansvc.underwriting import now

DEFAULT_SCOPES = ("decide", "read")
for_days = click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True)
a_public_key = click.option(
    "--public-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="PEM file: the client signs its requests with the other half.",
)


@click.group()
def keys() -> None:
    """Keys of the clients."""


@keys.command("create")
@click.argument("client")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(client_keys.SCOPES),
              default=DEFAULT_SCOPES, show_default=True, help="May be repeated.")  # fmt: skip
@click.option("--holder", default="", help="The person who has it; left out for a program.")
@for_days
@a_public_key
@click.option("--algorithm", type=click.Choice(client_keys.ALGORITHMS), help="Of --public-key.")
def create(
    client: str, *, scopes: tuple[str, ...], holder: str, days: int, public_key: Path | None,
    algorithm: str | None,
) -> None:  # fmt: skip
    """Make a key for CLIENT; its token is printed this once.

    Two keys of the same client, holder and scopes may be in use at once.
    """
    if (public_key is None) != (algorithm is None):
        raise click.UsageError("--public-key and --algorithm belong together.")
    at = now()
    key, token = client_keys.create(
        open_ledger(create=True), client=client, scopes=tuple(dict.fromkeys(scopes)), now=at,
        expires_at=at + timedelta(days=days), holder=holder, algorithm=algorithm or "",
        public_key=_read(public_key), by=operator(),
    )  # fmt: skip
    _show_new(key, token)


@keys.command()
@click.argument("key_id")
@click.option("--overlap-hours", type=click.IntRange(0, 24 * 90), default=24, show_default=True,
              help="How long the old key stays usable.")  # fmt: skip
@for_days
@a_public_key
def rotate(key_id: str, *, overlap_hours: int, days: int, public_key: Path | None) -> None:
    """Make the successor of KEY_ID, of the same client, holder and scopes."""
    at = now()
    key, token = client_keys.rotate(
        open_ledger(), key_id, now=at, overlap=timedelta(hours=overlap_hours),
        expires_at=at + timedelta(days=days), public_key=_read(public_key), by=operator(),
    )  # fmt: skip
    _show_new(key, token)
    click.echo(f"{key_id} is usable for {overlap_hours} hours more, at most.", err=True)


def _read(file: Path | None) -> str:
    return file.read_text("utf-8", errors="replace") if file else ""


def _show_new(key: ClientKey, token: str) -> None:
    click.echo(token)
    keep = "sign with keyid" if key.algorithm else "keep it now."
    last = f'{keep} "{key.key_id}".' if key.algorithm else keep
    click.echo(f"key {key.key_id} of {key.client} until {_day(key.expires_at)}: {last}", err=True)


@keys.command("list")
@as_json
def list_(*, json_: bool) -> None:
    """List the keys, without their secrets."""
    found = client_keys.listed(open_ledger())
    if json_:
        print_json([{"key_id": k.key_id, "client": k.client, "holder": k.holder,
                     "scopes": list(k.scopes), "algorithm": k.algorithm,
                     "expires_at": k.expires_at.isoformat(), "usable": k.usable_at(now())}
                    for k in found])  # fmt: skip
        return
    for k in found:
        state = "usable" if k.usable_at(now()) else "revoked" if k.revoked_at else "expired"
        about = "  ".join(filter(None, (" ".join(k.scopes), k.algorithm, k.holder)))
        click.echo(f"{k.key_id}  {k.client:<20} {state:<8} until {_day(k.expires_at)}  {about}")


def _day(at: datetime) -> str:
    return at.date().isoformat()


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Make a key useless, in every worker within seconds."""
    client_keys.revoke(open_ledger(), key_id, now=now(), by=operator())
    click.echo(f"revoked   {key_id}")


COMMANDS = (keys,)
