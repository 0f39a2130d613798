"""Backup: a whole ledger in a folder, taken while services write to it; and its way back.

In the folder: `ledger.db`, one SQLite file whatever the database; the two files that lie beside a
ledger, `checkpoints` and `erasures`; and `manifest.json`, which says what is there and the digest
of each file. The keys (vault.json) are not: whoever had both could read everything. They are backed
up apart, and no backup can be read without them.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url, select

from loansvc import __version__
from loansvc.errors import LedgerDamaged, SetupRefused
from loansvc.files import copy_in_turn, sync_folder, write_whole
from loansvc.ledger import Ledger, kept, tables
from loansvc.ledger.administration import note
from loansvc.ledger.copying import Progress
from loansvc.ledger.erasure import LIST
from loansvc.ledger.hot_copy import copy_in_use, make_one_file
from loansvc.ledger.older import accept, digits
from loansvc.ledger.stores import move_aside, revision_of

DATA, MANIFEST, KEYS = "ledger.db", "manifest.json", "vault.json"
BESIDE = (kept.NAME, LIST)  # kept in the folder of the keys, beside a ledger

Lost = tuple[int, int] | None  # the first and the last entry that are known to lack


def _no_progress(_done: int, _of: int) -> None:
    """Nobody looks."""


def _file_of(url: URL) -> Path | None:
    """The file of a SQLite database; None for another one."""
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None


# --- taking one -----------------------------------------------------------------------------------


def take(
    ledger: Ledger, folder: Path, *, clock: Callable[[], str], progress: Progress = _no_progress
) -> dict[str, Any]:
    """Back a ledger up into a new folder; the manifest.

    Of SQLite, every entry committed before `complete_until` is in it; of another database, what one
    snapshot shows that began then.

    Raises:
        SetupRefused: the folder is not fit, or something cannot be read or written.
        LedgerDamaged: the copy does not verify; it is not kept.
    """
    _check(folder, ledger.home)
    part = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir(mode=0o700, parents=True)
        manifest = _filled(ledger, part, clock, progress)
        part.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise SetupRefused(f"The backup cannot be written to {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def _check(folder: Path, home: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SetupRefused(f"There is something at {folder} already. Name a new folder.")
    if folder.resolve().is_relative_to(home.resolve()) or (folder.parent / KEYS).exists():
        raise SetupRefused(
            f"{folder} is beside the keys: whoever takes the one would have the other. "
            f"Name a folder elsewhere, and back {KEYS} up apart."
        )


def _filled(
    ledger: Ledger, folder: Path, clock: Callable[[], str], progress: Progress
) -> dict[str, Any]:
    for name in BESIDE:  # before the database: what they say was committed first
        if (ledger.home / name).exists():
            copy_in_turn(ledger.home / name, folder / name)
    file, source = folder / DATA, _file_of(ledger.url)
    if source is not None:
        until = copy_in_use(source, file, clock, progress)
    else:
        until = clock()
        ledger.copy_to(f"sqlite:///{file.absolute()}", progress=progress)
    file.chmod(0o600)
    manifest = {
        "kind": "backup of a loansvc ledger",
        "complete_until": until,
        "program": __version__,
        **_verified(ledger, file),
        "files": {path.name: _digest(path) for path in sorted(folder.iterdir())},
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    write_whole(folder / MANIFEST, text.encode(), part_folder=folder)
    for path in folder.iterdir():
        sync_folder(path)
    sync_folder(folder)
    return manifest


def _verified(ledger: Ledger, file: Path) -> dict[str, Any]:
    """What is in a copy, once it verifies with the keys of the ledger that it is of."""
    copy = ledger.beside(f"sqlite:///{file.absolute()}", file.parent)
    try:
        n_entries, problems = copy.verify()
        if problems:
            raise LedgerDamaged(
                f"The copy does not verify at entry {problems[0].sequence} and is not kept. "
                "See: loansvc ledger verify"
            )
        with copy.snapshot() as connection:
            head = connection.execute(select(tables.chain_head)).first()
            newest = select(tables.checkpoint.c.note).order_by(tables.checkpoint.c.size.desc())
            return {
                "entries": n_entries,
                "last_hash": head.hash if head else "",
                "tables": revision_of(connection),
                "checkpoint": connection.execute(newest.limit(1)).scalar(),
            }
    finally:
        copy.close()
        make_one_file(file)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{file_digest(file, 'sha256').hexdigest()}"


# --- putting one back -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Act:
    """Who puts a ledger back, when, and the id of the entry that will say so (adm_…)."""

    operator: str
    at: str
    entry_id: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What a ledger is after a backup was put back; `lost` are the entries that are known to lack.

    `aside`: where the ledger that was there lies now, if there was one.
    """

    n_entries: int
    complete_until: str
    lost: Lost
    aside: Path | None


def put_back(
    folder: Path,
    url: str,
    open_ledger: Callable[[str], Ledger],
    *,
    home: Path,
    by: Act,
    accept_loss: bool = False,
    progress: Progress = _no_progress,
) -> Restored:
    """Make a backup the ledger at that URL; what was there is moved aside, never deleted.

    `open_ledger` opens one at another URL with the keys of `home`, an older one too.

    Raises:
        SetupRefused: the backup is not whole, the place is in use or not empty, or more is known
            to have been recorded than the backup has and `accept_loss` is not given.
        LedgerDamaged: the backup does not verify. Nothing has changed in either case.
    """
    manifest, aside = _read(folder), None
    place = _file_of(make_url(url))
    work = (place.parent if place else home) / f".restore.{secrets.token_hex(4)}.part"
    try:
        shutil.copyfile(folder / DATA, work)
        work.chmod(0o600)
        ledger = open_ledger(f"sqlite:///{work.absolute()}")
        try:
            lost = _checked(ledger, folder, manifest, accept_loss=accept_loss)
            if place is None:
                ledger.copy_to(url, progress=progress)
        finally:
            ledger.close()
            make_one_file(work)
        if place is not None:
            aside = move_aside(place, f"before-{digits(by.at)}")
            work.replace(place)
            sync_folder(place.parent)
    except OSError as error:
        raise SetupRefused(f"The backup cannot be put back: {error}") from error
    finally:
        for path in work.parent.glob(work.name + "*"):
            path.unlink()
    _put_beside(folder, home)
    restored = open_ledger(url)
    try:
        go_on(restored, by, complete_until=manifest["complete_until"], lost=lost)
    finally:
        restored.close()
    return Restored(manifest["entries"], manifest["complete_until"], lost, aside)


def go_on(ledger: Ledger, by: Act, *, complete_until: str, lost: Lost) -> None:
    """Say in the chain that an older copy was put in place, and go on from there.

    The checkpoints of what is lost are moved aside; the note comes first, so that whoever is
    stopped in between is asked again.
    """
    with ledger.writing() as writing:
        note(
            writing, "restored", at=by.at, entry_id=by.entry_id, by=by.operator,
            complete_until=complete_until, lost=list(lost or ()),
        )  # fmt: skip
    if lost:
        accept(ledger.home, by.at)


def _read(folder: Path) -> dict[str, Any]:
    """The manifest of a backup whose files are as they were written."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        files = dict(manifest["files"])
        for key in ("entries", "last_hash", "complete_until"):
            manifest[key]
    except (OSError, ValueError, KeyError, TypeError):
        raise SetupRefused(
            f"{folder} is no whole backup: it has no {MANIFEST} that can be read. Name the folder "
            "that loansvc ledger backup wrote."
        ) from None
    for name, digest in files.items():
        path = folder / Path(name).name
        if not path.is_file() or _digest(path) != digest:
            raise SetupRefused(
                f"{path} is missing or not what was backed up. Take another copy of the backup."
            )
    return manifest


def _checked(ledger: Ledger, folder: Path, manifest: dict[str, Any], *, accept_loss: bool) -> Lost:
    """What is known to lack, once the copy is found to be what was backed up."""
    copy = ledger.beside(ledger.url.render_as_string(hide_password=False), folder)
    try:
        n_entries, problems = copy.verify()
    finally:
        copy.close()
    lost = ledger.missing()
    with ledger.snapshot() as connection:
        head = connection.execute(select(tables.chain_head)).first()
    if problems or (n_entries, head.hash if head else "") != (
        manifest["entries"], manifest["last_hash"],
    ):  # fmt: skip
        raise LedgerDamaged(
            "The backup does not verify with these keys. Take another copy of it, and the "
            f"{KEYS} of its time."
        )
    if lost and not accept_loss:
        raise SetupRefused(
            f"The backup ends at entry {n_entries}, and a checkpoint was signed over {lost[1]}. "
            f"Look for a newer backup. If there is none, entries {lost[0]} to {lost[1]} are lost "
            f"for good; say that this is known: loansvc ledger restore {folder} --accept"
        )
    return lost


def _put_beside(folder: Path, home: Path) -> None:
    """The files beside a ledger, where they were lost: newer ones stay."""
    for name in BESIDE:
        if (folder / name).exists() and not (home / name).exists():
            data = (folder / name).read_bytes()
            write_whole(home / name, data, part_folder=home, replace=False)
