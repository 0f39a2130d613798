"""A warm `loansvc` for the shells of pages, and a folder as a checkout looks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages import warm
from tests.pages.story import ROOT


@pytest.fixture(scope="session")
def warm_loansvc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that holds the small `loansvc` and `python` of shells."""
    folder = tmp_path_factory.mktemp("warm")
    address = folder / "socket"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pages.warm", str(address)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for name in ("loansvc", "python"):
        shim = bin_folder / name
        shim.write_text(warm.SHIM.format(python=sys.executable, address=str(address), name=name))
        shim.chmod(0o755)
    yield bin_folder
    process.terminate()
    process.wait()
    process.stdout.close()


@pytest.fixture
def checkout(tmp_path: Path, warm_loansvc: Path) -> Path:
    """A folder with what a reader has in a checkout; its editions may be changed."""
    for name in ("deploy", "models"):  # copies: a page may write over them
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "bin").symlink_to(warm_loansvc)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(warm_loansvc)
    return tmp_path
