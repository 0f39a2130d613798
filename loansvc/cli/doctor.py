"""doctor: one look at everything a service needs, and what to do about what is amiss.

It changes nothing, and may be run beside a service. `wrong` keeps a service from starting, or
loses or shows what it must not; `note` is to be known.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import click
from sqlalchemy import select

from loansvc.application import PRODUCTS
from loansvc.cli.decisions import as_json, print_json
from loansvc.errors import LoanError, SetupRefused
from loansvc.ledger import Ledger, endpoints, outbox, tables
from loansvc.ledger import keys as client_keys
from loansvc.registry import Registry
from loansvc.settings import SHIPPED, Settings
from loansvc.underwriting import now
from loansvc.web.issuers import Issuers

WRONG, NOTE, OK = "wrong", "note", "ok"
LEAST_FREE_BYTES = 1_000_000_000  # some 250,000 decisions
SLOW_DISK_MS = 50.0  # to bring 4 KB to disk: beyond it the disk decides how fast decisions come
AHEAD = timedelta(seconds=5)  # of this clock, that an entry may be
SOON = timedelta(days=14)  # a key that ends within it wants replacing
UNTRIED = timedelta(minutes=5)  # a message goes out within a second where a worker runs
CHECKPOINT_LATE = timedelta(hours=1)
ANSWER_SECONDS = 3.0
FOREIGN = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.glusterfs", "ceph"})
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing, and what to do about it."""

    about: str
    level: str
    says: str
    remedy: str = ""


@click.command()
@as_json
@click.pass_context
def doctor(context: click.Context, *, json_: bool) -> None:
    """Look at settings, home, ledger, keys, clock, editions and service; exit 1 if any is wrong."""
    found = list(findings(now()))
    if json_:
        print_json({"findings": [asdict(one) for one in found]})
    else:
        for one in found:
            click.echo(f"{one.level:<6} {one.about:<9} {one.says}")
            if one.remedy:
                click.echo(f"{'':<16} -> {one.remedy}")
        n_wrong = sum(one.level == WRONG for one in found)
        click.echo(f"{n_wrong} wrong" if n_wrong else "nothing wrong")
    if any(one.level == WRONG for one in found):
        context.exit(1)


def findings(at: datetime) -> Iterator[Finding]:
    """What there is to say at that moment, from the settings on."""
    try:
        settings = Settings.from_environment()
    except SetupRefused as refusal:
        yield Finding("settings", WRONG, refusal.detail, "loansvc settings lists what there is")
        return
    yield from _of_settings(settings)
    if settings.home.is_dir():
        yield from _of_home(settings)
        yield from _of_ledger(settings, at)
    else:
        yield Finding("home", WRONG, f"There is no folder {settings.home.absolute()}.",
                      "loansvc serve makes it; or set LOANSVC_HOME")  # fmt: skip
    yield from _of_issuers(settings)
    yield from _of_editions(settings, at)
    yield from _of_service(settings)


# --- what is set up -------------------------------------------------------------------------------


def _of_settings(settings: Settings) -> Iterator[Finding]:
    yield Finding("settings", OK, f"home {settings.home.absolute()}, address {settings.address}")
    if settings.host in LOOPBACK:
        return
    if "key" in settings.ways:
        says = "Bearer keys are taken from the network: whoever reads one can use it."
        yield Finding("settings", NOTE, says, "in production: LOANSVC_ACCESS=signature,token")
    if not settings.public_url.startswith("https://"):
        says = "It listens for others and LOANSVC_PUBLIC_URL names no https address."
        yield Finding("settings", NOTE, says, "let a proxy speak TLS and name its address there")


def _of_home(settings: Settings) -> Iterator[Finding]:
    try:
        took_ms = _ms_to_disk(settings.home)
    except OSError as error:
        yield Finding("home", WRONG, f"Nothing can be written in it: {error.strerror or error}.",
                      "give the folder to the user of the service, or free its disk")  # fmt: skip
        return
    free = shutil.disk_usage(settings.home).free
    says = f"{free / 1e9:,.1f} GB free; 4 KB reach the disk in {took_ms:.1f} ms"
    if free < LEAST_FREE_BYTES:
        yield Finding("home", WRONG, says, "free its disk: a full one stops every decision")
    elif took_ms > SLOW_DISK_MS:
        yield Finding("home", NOTE, says, "the disk is slow: decisions wait for it")
    else:
        yield Finding("home", OK, says)
    yield from _of_files(settings)


def _ms_to_disk(folder: Path) -> float:
    """How long a small write takes until it is on the disk."""
    with tempfile.TemporaryFile(dir=folder) as file:
        started = time.monotonic()
        file.write(bytes(4096))
        file.flush()
        os.fsync(file.fileno())
        return (time.monotonic() - started) * 1000


def _of_files(settings: Settings) -> Iterator[Finding]:
    if (settings.home / "demo-key").exists() and settings.host not in LOOPBACK:
        says = "A demo key lies there, and the service listens for others."
        yield Finding("home", NOTE, says, "loansvc keys revoke KEY_ID, and delete demo-key")
    kind = _file_system(settings.home)
    if kind in FOREIGN and settings.url.startswith("sqlite"):
        says = f"The ledger lies on {kind}: SQLite needs a disk of its own machine."
        yield Finding("home", WRONG, says, "take a local disk, or PostgreSQL: LOANSVC_DATABASE_URL")


def _file_system(folder: Path) -> str:
    """What kind of file system a folder lies on; "" where the system does not say."""
    try:
        lines = Path("/proc/mounts").read_text("utf-8").splitlines()
    except OSError:
        return ""
    mounts = [(line.split()[1], line.split()[2]) for line in lines]
    inside = [(place, kind) for place, kind in mounts if folder.resolve().is_relative_to(place)]
    return max(inside, default=("", ""), key=lambda one: len(one[0]))[1]


# --- what is kept ---------------------------------------------------------------------------------


def _of_ledger(settings: Settings, at: datetime) -> Iterator[Finding]:
    try:
        ledger = Ledger.open(
            settings.url, home=settings.home, vault_keys=settings.vault_keys,
            busy_timeout_ms=settings.busy_timeout_ms, suite=settings.cryptography,
        )  # fmt: skip
    except LoanError as refusal:
        yield Finding("ledger", WRONG, refusal.detail)
        return
    try:
        yield from _of_entries(ledger, at)
        yield from _of_keys(ledger, settings, at)
        yield from _of_webhooks(ledger, at)
    except LoanError as refusal:
        yield Finding("ledger", WRONG, refusal.detail)
    finally:
        ledger.close()


def _of_entries(ledger: Ledger, at: datetime) -> Iterator[Finding]:
    entry = tables.entry.c
    with ledger.snapshot() as connection:
        query = select(tables.entry).order_by(entry.sequence.desc()).limit(1)
        newest = connection.execute(query).first()
    n = newest.sequence if newest else 0
    yield Finding("ledger", OK, f"{n:,} entries, its keys are the right ones, none is lost")
    if newest is not None and datetime.fromisoformat(newest.decided_at) > at + AHEAD:
        says = f"This machine says {at:%Y-%m-%d %H:%M:%S}, the newest entry {newest.decided_at}."
        yield Finding("clock", WRONG, says,
                      "set the clock (NTP) before anything is decided")  # fmt: skip
    else:
        yield Finding("clock", OK, f"{at:%Y-%m-%d %H:%M:%S} in the county, not before any entry")
    last = ledger.last_kept()
    signed = last.size if last else 0
    late = last is None or datetime.fromisoformat(last.at) < at - CHECKPOINT_LATE
    if n > signed and late:
        yield Finding("ledger", NOTE, f"{n - signed:,} entries are not signed for yet.",
                      "loansvc ledger checkpoint; a running service does it by itself")  # fmt: skip


def _of_keys(ledger: Ledger, settings: Settings, at: datetime) -> Iterator[Finding]:
    usable = [key for key in client_keys.listed(ledger) if key.usable_at(at)]
    if usable:
        yield Finding("keys", OK, f"{len(usable)} of {len({k.client for k in usable})} clients")
    elif settings.issuers == SHIPPED:
        yield Finding("keys", NOTE, "No client has one.", "loansvc keys create CLIENT")
    for key in usable:
        if key.expires_at < at + SOON:
            says = f"{key.key_id} of {key.client} ends on {key.expires_at:%Y-%m-%d}."
            yield Finding("keys", NOTE, says, f"loansvc keys rotate {key.key_id}")


def _of_webhooks(ledger: Ledger, at: datetime) -> Iterator[Finding]:
    """What clients are not told; nothing where all of it is on its way."""
    with ledger.snapshot() as connection:
        found, counted = endpoints.listed(connection), outbox.counted(connection)
        waiting = outbox.listed(connection, "waiting")
    for one in found:
        if one.disabled_at:
            says = f"{one.endpoint_id} of {one.client} was disabled on {one.disabled_at[:10]}."
            yield Finding("webhooks", NOTE, says,
                          f"ask the client; loansvc webhooks enable {one.endpoint_id}")  # fmt: skip
        if n := counted.get((one.endpoint_id, "failed"), 0):
            says = f"{n:,} messages to {one.endpoint_id} of {one.client} were given up."
            yield Finding("webhooks", NOTE, says, "loansvc webhooks failed")
    # Where one of them was tried there is a worker, and a receiver that keeps the others waiting.
    untried = not any(one.attempts for one in waiting)
    if untried and any(one.told_at < at - UNTRIED for one in waiting):
        says = f"For more than {UNTRIED.seconds // 60} minutes nobody has sent what waits."
        yield Finding("webhooks", NOTE, says, "run a worker: loansvc worker")


def _of_issuers(settings: Settings) -> Iterator[Finding]:
    if settings.issuers == SHIPPED:
        if settings.ways == ("token",):
            yield Finding("keys", WRONG, "Tokens alone are taken, and nobody may issue one.",
                          "name the issuers: LOANSVC_ISSUERS")  # fmt: skip
        return
    try:
        Issuers(settings.issuers)
    except SetupRefused as refusal:
        yield Finding("keys", WRONG, refusal.detail)


# --- what is in force, and who answers ------------------------------------------------------------


def _of_editions(settings: Settings, at: datetime) -> Iterator[Finding]:
    try:
        registry = Registry.open(settings.models_folder)
        in_force = {product: registry.in_force(product, at.date()) for product in PRODUCTS}
    except LoanError as refusal:
        yield Finding("editions", WRONG, refusal.detail)
        return
    says = f"{len(registry.editions)} published; all {len(PRODUCTS)} products can be decided today"
    yield Finding("editions", OK, says)
    for product, editions in in_force.items():
        if at.date() > (due := editions.policy.content.review_by):
            says = f"The policy of {product} was to be reviewed by {due}."
            yield Finding("editions", NOTE, says, "review it and publish what came of it")
    made_up = [p for p, editions in in_force.items() if editions.scorecard.content.synthetic]
    if made_up:
        says = f"Trained on synthetic data, not for real loans: the card of {', '.join(made_up)}."
        yield Finding("editions", NOTE, says, "train on loans of your own: loansvc train --data")
    quote = registry.in_force(PRODUCTS[0], at.date()).rates.content.on(at.date())
    if quote.stale_on(at.date()):
        yield Finding("editions", NOTE, f"The newest LPR quote is of {quote.effective_on}.",
                      "publish the quotes since: loansvc publish FILE")  # fmt: skip


def _of_service(settings: Settings) -> Iterator[Finding]:
    """Whether the service answers where it is to listen; that it does not is no fault of it."""
    connection = HTTPConnection(settings.host, settings.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(65_536)
    except ConnectionRefusedError:
        yield Finding("service", NOTE, f"Nobody listens at {settings.address}.", "loansvc serve")
        return
    except (OSError, HTTPException):
        says = f"Who listens at {settings.address} gives no answer in {ANSWER_SECONDS:.0f} s."
        yield Finding("service", WRONG, says, "see its log; restart it")
        return
    finally:
        connection.close()
    if answer.status == HTTPStatus.OK and b'"ready"' in body:
        yield Finding("service", OK, f"ready at {settings.address}")
    elif answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        yield Finding("service", WRONG, f"It answers at {settings.address} and is not ready.",
                      "see its log and what is wrong above")  # fmt: skip
    else:
        yield Finding("service", WRONG, f"Something else answers at {settings.address}.",
                      "stop it, or take another port: LOANSVC_PORT")  # fmt: skip


COMMANDS = (doctor,)
