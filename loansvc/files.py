"""Files: written whole or not at all, and still there after a crash; or in memory, and gone."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

MEMORY = Path("/dev/shm")  # noqa: S108  # a name is drawn there, for its owner alone
NEW_SECONDS = 60.0  # a folder that is younger may be about to be held


def write_whole(
    path: Path, data: bytes, *, part_folder: Path, replace: bool = True, secret: bool = False
) -> None:
    """Put a file in place so that a reader sees all of it or none.

    Written first in `part_folder`, which is on the same file system. `secret`: mode 0600.
    `replace` False is for new secrets: mode 0600, and a file that is there already stays.
    """
    part = part_folder / f".{path.name}.{secrets.token_hex(8)}.part"
    mode = 0o600 if secret or not replace else 0o644
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            part.replace(path)
        else:
            with suppress(FileExistsError):
                os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, piece by piece; put in the place of `path` when the block has ended.

    Where it ends otherwise, nothing is left, and what was there before stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{path.stem}.{secrets.token_hex(8)}.part{path.suffix}"
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's own entries last: without this a crash may forget a new file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_room(file: Path, n_bytes: int) -> None:
    """Make a file of that many zeros, its place on the disk or in memory taken.

    Whoever maps a file that lacks its place is killed where there is none left (SIGBUS).

    Raises:
        OSError: there is no such room.
    """
    with file.open("xb") as made:
        os.posix_fallocate(made.fileno(), 0, n_bytes)


@contextmanager
def in_turn(file: IO[Any]) -> Iterator[None]:
    """Read an open file while nobody appends to it: who does holds its lock (`flock`)."""
    fcntl.flock(file, fcntl.LOCK_SH)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def copy_in_turn(source: Path, target: Path) -> None:
    """Copy a file to which others append, with nothing half written at its end."""
    with source.open("rb") as file, in_turn(file):
        shutil.copyfile(source, target)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder against everybody else who asks this way; others wait."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@cache
def folder_in_memory(prefix: str, *, n_bytes: int) -> Path:
    """The folder of this process with that prefix, made at the first call, for its owner alone.

    It is held for as long as this process or a child of it lives. Those that nobody holds, because
    theirs was killed, are removed on the way. Where there is no room in memory for that many bytes,
    it lies among the temporary files.
    """
    has_room = os.access(MEMORY, os.W_OK)
    if has_room:
        for folder in MEMORY.glob(f"{prefix}*"):
            _remove_abandoned(folder)
        has_room = shutil.disk_usage(MEMORY).free > n_bytes
    # Where the root may only be read there is no folder for temporary files: not to be asked for.
    parent = MEMORY if has_room else Path(tempfile.gettempdir())
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    _hold(made)
    return made


def _remove_abandoned(folder: Path) -> None:
    """Remove a folder unless somebody holds it, or is about to."""
    with suppress(OSError):  # it is held, another user's, or gone already
        about = folder.lstat()
        if about.st_uid == os.getuid() and time.time() - about.st_mtime > NEW_SECONDS:
            descriptor = _hold(folder)
            try:
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)


def _hold(folder: Path) -> int:
    """Hold a folder until the descriptor is closed, here and in every child.

    Raises:
        OSError: somebody else does.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
