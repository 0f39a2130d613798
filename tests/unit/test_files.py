"""A folder in memory is its owner's, and goes once nobody holds it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from loansvc import files
from loansvc.files import folder_in_memory, make_room

MAKE = """
import sys
from pathlib import Path
from loansvc import files
files.MEMORY = Path(sys.argv[1])
print(files.folder_in_memory("t-", n_bytes=1), flush=True)
if sys.argv[2] == "held":
    sys.stdin.read()
"""


def made(memory: Path, how: str) -> tuple[Path, subprocess.Popen[str]]:
    """The folder of another process, which holds it until it is killed, or has ended already."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKE, str(memory), how], cwd=Path(__file__).parents[2], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    if how == "ended":
        process.communicate()
    return folder, process


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(files, "MEMORY", tmp_path)
    monkeypatch.setattr(files, "NEW_SECONDS", -1.0)
    return tmp_path


def test_it_is_made_once_for_its_owner_alone(memory: Path) -> None:
    folder = folder_in_memory("once-", n_bytes=1)
    assert folder == folder_in_memory("once-", n_bytes=1)
    assert (folder.parent, stat.S_IMODE(folder.stat().st_mode)) == (memory, 0o700)


def test_no_other_folder_is_asked_for_where_there_is_room(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a root that may only be read there is none."""

    def none() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert folder_in_memory("alone-", n_bytes=1).parent == memory


def test_those_that_nobody_holds_go_and_no_others(memory: Path) -> None:
    held, holder = made(memory, "held")
    left, _ = made(memory, "ended")
    other = memory / "u-of-somebody-else"
    other.mkdir()
    try:
        folder_in_memory("t-", n_bytes=1)
        assert (held.exists(), left.exists(), other.exists()) == (True, False, True)
    finally:
        holder.communicate()


def test_a_new_one_is_left_alone(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may be about to hold it."""
    monkeypatch.setattr(files, "NEW_SECONDS", 60.0)
    left, _ = made(memory, "ended")
    files._remove_abandoned(left)
    assert left.exists()
    os.utime(left, (0, 0))
    files._remove_abandoned(left)
    assert not left.exists()


def test_without_room_in_memory_it_lies_among_the_temporary_files(
    memory: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    assert folder_in_memory("much-", n_bytes=1 << 60).parent == elsewhere


def test_the_room_of_a_file_is_taken_or_it_is_not_made(tmp_path: Path) -> None:
    make_room(tmp_path / "some", 100_000)
    assert (tmp_path / "some").read_bytes() == bytes(100_000)
    assert (tmp_path / "some").stat().st_blocks * 512 >= 100_000
    with pytest.raises(OSError, match=r"File too large|No space left"):
        make_room(tmp_path / "much", 1 << 60)
