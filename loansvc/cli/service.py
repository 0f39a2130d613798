"""serve, ledger, settings: running the service."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from shlex import quote

import click

from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.keys import DEFAULT_SCOPES
from loansvc.cli.operators import open_ledger
from loansvc.errors import LedgerDamaged, SetupRefused
from loansvc.ledger import keys as client_keys
from loansvc.settings import PREFIX, Settings, shipped
from loansvc.underwriting import Underwriting
from loansvc.web.access import Access
from loansvc.web.examples import example_application

DEMO_CLIENT = "demo"


@click.command()
@click.option("--host", help="Address to listen on.  [default: LOANSVC_HOST or 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="[default: LOANSVC_PORT or 8000]")
def serve(*, host: str | None, port: int | None) -> None:
    """Start the service; make database, secrets and a demo key on first start."""
    environment = dict(os.environ)
    environment |= {PREFIX + "HOST": host} if host else {}
    environment |= {PREFIX + "PORT": str(port)} if port else {}
    settings = Settings.from_environment(environment)
    # Everything is opened and checked here once, so that a wrong edition, key or schema is one
    # clear line and not a worker that dies again and again.
    root = Underwriting.open(settings, create=True)
    root.check_ready()
    Access(root, settings)
    _check_free(settings)
    _welcome(root, settings)
    root.ledger.close()  # no connection is taken into a worker
    _run_gunicorn(environment)


def _run_gunicorn(environment: dict[str, str]) -> None:
    """Become gunicorn's master, with the program that was read for the checks."""
    from gunicorn.app.wsgiapp import run

    os.environ.update(environment)
    # As `gunicorn` has them: they are read again for a reload, and to start another master.
    sys.argv = ["gunicorn", "-c", str(shipped("gunicorn.conf.py"))]
    run()


def _check_free(settings: Settings) -> None:
    """Say in one line what gunicorn would say in eleven."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise SetupRefused(
                f"Cannot listen at {settings.address}: {error.strerror or error}. "
                "Choose another address: loansvc serve --host HOST --port PORT"
            ) from None


def _welcome(root: Underwriting, settings: Settings) -> None:
    """Where the docs are, and a request that works as pasted."""
    address = f"http://{settings.address}"
    console = f"   console {address}/console/" if "console" in settings.ways else ""
    _say(f"loansvc at {address}   docs {address}/docs{console}   home {settings.home.absolute()}")
    _say(f"Taken from clients: {', '.join(settings.ways)}. In production: signature, token.")
    key_file = (settings.home / "demo-key").absolute()
    if not client_keys.listed(root.ledger) and _is_loopback(settings.host):
        _create_demo_key(root, key_file)
    if not _opens(root, key_file):
        _say("Make a key for each client: loansvc keys create CLIENT")
        return
    example = (settings.home / "example.json").absolute()
    document = example_application(
        "credit_loan", today=root.today(), number=int(time.time()) % 1_000_000
    )
    example.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
    _say("Try it (an invented application; the shipped scorecard is trained on synthetic data):")
    _say(
        f"curl -s {address}/v1/decisions -H 'Content-Type: application/json' "
        f'-H "Authorization: Bearer $(cat {quote(str(key_file))})" '
        f"--data-binary {quote(f'@{example}')}"
    )


def _say(text: str) -> None:
    """A line for whoever starts it by hand; nobody waits for it where the disk of a log is full."""
    with suppress(OSError):
        click.echo(text)
        sys.stdout.flush()


def _opens(root: Underwriting, key_file: Path) -> bool:
    """Whether the demo key is there and still usable."""
    token = key_file.read_text("ascii", errors="replace") if key_file.exists() else ""
    return client_keys.find(root.ledger, token, now=root.clock()) is not None


def _is_loopback(host: str) -> bool:
    """Only a service that nobody else can reach gets a demo key."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _create_demo_key(root: Underwriting, path: Path) -> None:
    at = root.clock()
    _, token = client_keys.create(
        root.ledger, client=DEMO_CLIENT, scopes=DEFAULT_SCOPES, now=at,
        expires_at=at + timedelta(days=90), by="first start",
    )  # fmt: skip
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token)


@click.group()
def ledger() -> None:
    """The ledger of decisions."""


@ledger.command()
@click.option("--checkpoint", "outside", multiple=True,
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A file of checkpoints that was kept elsewhere. May be repeated.")  # fmt: skip
@click.option("--entries-only", is_flag=True, help="Chain, tree and checkpoints; no payloads.")
@as_json
def verify(*, outside: tuple[Path, ...], entries_only: bool, json_: bool) -> None:
    """Check every row: nothing edited, removed or reordered."""
    opened = open_ledger(older=True)
    n_entries, problems = opened.verify(outside=outside, entries_only=entries_only)
    if json_:
        rows = [{"sequence": p.sequence, "what": p.what} for p in problems]
        print_json({"entries": n_entries, "problems": rows})
    else:
        for p in problems:
            click.echo(f"entry {p.sequence}: {p.what}")
    if problems and all(p.follows for p in problems):
        raise LedgerDamaged(
            "The entries are whole, but tables that follow from them were changed. Stop the "
            "service, keep the files, and work them out anew: loansvc ledger rebuild"
        )
    if problems:
        raise LedgerDamaged(
            f"The ledger is damaged from entry {problems[0].sequence} on. Stop the service, keep "
            "the files, and restore the last backup that verifies."
        )
    if not json_:
        click.echo(f"verified   {n_entries} entries")


@ledger.command("rebuild")
def rebuild_() -> None:
    """Work loans and fund out anew from the entries, if those are whole."""
    click.echo(f"rebuilt   from {open_ledger().rebuild()} entries")


@ledger.command()
def upgrade() -> None:
    """Bring the ledger's tables to this version; make them where there are none."""
    open_ledger(create=True)
    click.echo("The ledger's tables are of this version.")


@click.command()
def settings() -> None:
    """List every setting, its value here, and what it means."""
    for name, value, says in Settings.from_environment().listed():
        click.echo(f"{name:<26} {value or '-':<28} {says}")


COMMANDS = (serve, ledger, settings)
