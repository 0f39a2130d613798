"""docs/villages.md typed straight down, on a copy of the editions: every answer is as printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from loansvc import cli
from loansvc.cli import drafts, editions, registering, villages
from loansvc.registry import Registry
from loansvc.settings import shipped
from loansvc.underwriting import SHANGHAI

PAGE = (Path(__file__).parents[2] / "docs" / "villages.md").read_text("utf-8")
WRITTEN_ON = datetime(2026, 11, 26, 12, 0, tzinfo=SHANGHAI)


def steps() -> Iterator[tuple[str, str, str]]:
    """In order: ("file", name, content) or ("command", line, answer)."""
    for kind, name, text in re.findall(r"^```(csv|console) ?(\S*)\n(.*?)^```$", PAGE, re.S | re.M):
        if kind == "csv":
            yield "file", name, text
            continue
        for command in text.removeprefix("$ ").split("\n$ "):
            line, _, answer = command.partition("\n")
            yield "command", line, answer.rstrip("\n")


class Reader:
    """Somebody who types what the page says, on the day it was written."""

    def __init__(self, capfd: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capfd, self._patch = capfd, patch

    def types(self, line: str) -> str:
        """What is then on the screen."""
        self._capfd.readouterr()
        first, *words = shlex.split(line)
        if first == "export":
            name, _, value = words[0].partition("=")
            self._patch.setenv(name, os.path.expandvars(value))
        elif first == "loansvc":
            self._patch.setattr(sys, "argv", [first, *words])
            with pytest.raises(SystemExit):
                cli.main()
        else:
            subprocess.run(["bash", "-c", line], check=True)
        out, err = self._capfd.readouterr()
        return (err + out).rstrip("\n")


@pytest.fixture
def reader(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Reader:
    shutil.copytree(shipped("models"), tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LOANSVC_MODELS", raising=False)
    for module in (drafts, editions, registering, villages):
        monkeypatch.setattr(module, "now", lambda: WRITTEN_ON)
    return Reader(capfd, monkeypatch)


def test_the_page_can_be_typed_straight_down(reader: Reader, tmp_path: Path) -> None:
    typed, printed, said = [], [], []
    for kind, line, text in steps():
        if kind == "file":
            (tmp_path / line).write_text(text, "utf-8")
            continue
        typed.append(line)
        printed.append((line, text))
        said.append((line, reader.types(line)))
    assert said == printed
    drafts_of_page = [line.rpartition(" --out ")[2] for line in typed if " --out " in line]
    published = [line.split()[2] for line in typed if line.startswith("loansvc publish")]
    assert set(published) <= set(drafts_of_page)
    assert len(Registry.open(tmp_path / "trial").editions) == len(published) + len(
        Registry.open(tmp_path / "models").editions
    )
