"""Kept: the file of checkpoints beside the database, which says what was signed once it is gone.

Notes in the order in which they were made, a blank line between one and the next. A crash may leave
half a note at the end: whoever writes next takes it away first.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from loansvc.files import sync_folder
from loansvc.ledger.verifier import Checkpoint, Refused, checkpoint_of

NAME = "checkpoints"  # in LOANSVC_HOME
LONGEST_NOTE = 1024  # bytes
TAIL = 4 * LONGEST_NOTE


def notes_in(path: Path) -> Iterator[str]:
    """The notes of a file one by one, whether they can be read or not; none where it is not."""
    if not path.exists():
        return
    note = ""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            if line == "\n" and "\n\n" in note:  # the second blank line: the first is inside
                yield note
                note = ""
            elif line != "\n" or note:
                note += line
    if note:
        yield note


def last_in(path: Path) -> Checkpoint | None:
    """The newest checkpoint of the file that was written whole."""
    try:
        with path.open("rb") as file:
            return _last(file)[0]
    except FileNotFoundError:
        return None


def keep(path: Path, since: Callable[[int], Sequence[str]]) -> None:
    """Append the notes that `since` gives for the size of the last one there; on disk on return.

    Raises:
        OSError: they could not be written.
    """
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # workers append one after the other
        last, end = _last(file)
        missing = since(last.size if last else 0)
        if not missing:
            return
        file.truncate(end)
        file.seek(end)
        file.write((("\n" if end else "") + "\n".join(missing)).encode())
        file.flush()
        os.fsync(descriptor)
    if is_new:
        sync_folder(path.parent)


def _last(file: BinaryIO) -> tuple[Checkpoint | None, int]:
    """The last whole checkpoint of an open file, and where it ends: what follows is half of one.

    Where there is none the file ends where it ends, unless it is no longer than a note.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - TAIL)
    file.seek(start)
    tail = file.read()
    end = len(tail)
    while end > 0:
        text = tail[:end].decode("utf-8", "replace")
        # The last blank line is inside the note, the one before it ahead of the note.
        begin = text.rfind("\n\n", 0, max(0, text.rfind("\n\n")))
        try:
            return checkpoint_of(text[begin + 2 :] if begin >= 0 else text), start + end
        except Refused:
            end = tail.rfind(b"\n", 0, end - 1) + 1
    return None, size if size > LONGEST_NOTE else 0
