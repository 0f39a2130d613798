"""Files: written whole or not at all, and still there after a crash."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfile
from typing import IO, Any


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
        copyfile(source, target)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder against everybody else who asks this way; others wait."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
