"""Kept: the file of checkpoints beside the database, which says what was signed once it is gone.

Notes in the order in which they were made, a blank line between one and the next. Who appends holds
the file's lock, and who copies it or reads all of it waits for that. A crash may leave half a note
at the end: whoever writes next takes it away first.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from loansvc.files import in_turn, sync_folder
from loansvc.ledger.verifier import Checkpoint, Refused, checkpoint_of

NAME = "checkpoints"  # in LOANSVC_HOME
LONGEST_NOTE = 1024  # bytes
TAIL = 4 * LONGEST_NOTE
Checked = Callable[[str], Checkpoint]  # of a note; raises Refused where it is not believed


def notes_in(path: Path) -> Iterator[str]:
    """The notes of a file one by one, whether they can be read or not; none where it is not."""
    if not path.exists():
        return
    note = ""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file, in_turn(file):
        for line in file:
            if line == "\n" and "\n\n" in note:  # the second blank line: the first is inside
                yield note
                note = ""
            elif line != "\n" or note:
                note += line
    if note:
        yield note


def last_in(path: Path, checked: Checked = checkpoint_of) -> Checkpoint | None:
    """The newest checkpoint of the file that was written whole and that `checked` believes."""
    try:
        with path.open("rb") as file:
            return _last(file, checked)[0]
    except FileNotFoundError:
        return None


def keep(path: Path, since: Callable[[int], Sequence[str]], checked: Checked) -> None:
    """Append the notes that `since` gives for the size of the last one there; on disk on return.

    One that `checked` does not believe stays, as evidence, and does not count.

    Raises:
        OSError: they could not be written.
    """
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # workers append one after the other
        last, end = _last(file, checked)
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


def _last(file: BinaryIO, checked: Checked) -> tuple[Checkpoint | None, int]:
    """The last checkpoint that is believed, and where whole notes end: half of one follows.

    Where no note is whole the file ends where it ends, unless it is no longer than a note.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - TAIL)
    file.seek(start)
    tail = file.read()
    end, at = None, len(tail)
    while at > 0:
        # The last blank line is inside the note, the one before it ahead of the note.
        before = tail.rfind(b"\n\n", 0, max(0, tail.rfind(b"\n\n", 0, at)))
        note = tail[before + 2 if before >= 0 else 0 : at].decode("utf-8", "replace")
        if not _is_whole(note):
            at = tail.rfind(b"\n", 0, at - 1) + 1
            continue
        end = start + at if end is None else end
        with suppress(Refused):
            return checked(note), end
        at = before + 1
    if end is None:
        end = size if size > LONGEST_NOTE else 0
    return None, end


def _is_whole(note: str) -> bool:
    try:
        checkpoint_of(note)
    except Refused:
        return False
    return True
