"""docs/backup.md typed straight down in a shell, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from loansvc.ledger import Ledger
from loansvc.ledger.checkpoints import advance
from tests import databases, postgres
from tests.databases import POSTGRESQL, SQLITE
from tests.small import small_models, small_underwriting
from tests.unit.test_ledger import append

PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text("utf-8")
LASTING = ("pg_basebackup", "pg_receivewal")  # need a server set up for them


def commands(section: str) -> list[str]:
    """The lines to be typed of a section."""
    [text] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.S | re.M)
    blocks = re.findall(r"^ *```console\n(.*?)^ *```$", text, re.S | re.M)
    return [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]


class Shell:
    """A shell in which `loansvc` and PostgreSQL's programs are found, and `/mnt` is elsewhere."""

    def __init__(self, folder: Path, home: Path, url: str) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        (programs / "loansvc").write_text(f'#!/bin/sh\nexec {sys.executable} -m loansvc "$@"\n')
        (programs / "loansvc").chmod(0o755)
        for place in ("safe", "backup", "elsewhere"):
            (folder / "mnt" / place).mkdir(parents=True)
        server = postgres.shared()
        clean = {k: v for k, v in os.environ.items() if not k.startswith("LOANSVC_")}
        self.environment = {
            **clean,
            "LOANSVC_MODELS": str(small_models(folder / "small")),
            "PATH": f"{programs}:{postgres.binaries()}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": postgres.USER,
            "PGPASSWORD": postgres.PASSWORD,
        }  # fmt: skip
        self._said = [f"export LOANSVC_HOME={home}"]
        if not url.startswith("sqlite"):
            self.names(url)

    def names(self, url: str) -> None:
        """Name a database to what follows."""
        self._said.append(f"export LOANSVC_DATABASE_URL={url}")

    def types(self, lines: list[str], *, status: int = 0) -> str:
        """What those lines print, all of them in one shell with what was set before."""
        text = "\n".join(line.replace("/mnt/", f"{self.folder}/mnt/") for line in lines)
        script = "\n".join(["set -eu", *self._said, text])
        done = subprocess.run(
            ["bash", "-c", script], env=self.environment, cwd=self.folder, text=True,
            capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        self._said += [line.replace("/mnt/", f"{self.folder}/mnt/") for line in lines
                       if re.match(r"\w+=", line)]  # fmt: skip
        return done.stdout + done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def ledger(tmp_path: Path, both_databases: str) -> Ledger:
    made = small_underwriting(tmp_path).ledger
    for number in (1, 2, 3):
        append(made, number)
    advance(made, at="2026-11-23T12:00:00.000+08:00")
    return made


@pytest.fixture
def shell(tmp_path: Path, home: Path, ledger: Ledger) -> Shell:
    return Shell(tmp_path, home, databases.url_of(home))


def test_a_ledger_is_backed_up_lost_and_put_back_by_the_page(
    shell: Shell, ledger: Ledger, home: Path, tmp_path: Path, both_databases: str
) -> None:
    shell.types(commands("What is to be kept"))
    back_up = commands("Back up, while the service runs")
    # A folder's name is the moment: it must be the same in the next section.
    said = shell.types(["backup=/mnt/backup/ledger-1", *back_up[1:]])
    assert back_up[0].startswith("backup=/mnt/backup/ledger-$(date")
    assert "backed up and verified   3 entries" in said
    assert (tmp_path / "mnt" / "elsewhere" / "ledger-1.tar.gz").exists()
    ledger.close()
    (home / "vault.json").unlink()
    if both_databases == SQLITE:
        for path in home.glob("ledger.db*"):
            path.unlink()
    else:
        shell.names(postgres.shared().new(f"{ledger.url.database}_2"))
    said = shell.types(commands("Put it back"))
    assert "restored and verified   3 entries" in said
    assert "verified   4 entries" in said


@pytest.mark.parametrize("both_databases", [SQLITE], indirect=True)
def test_an_older_copy_is_accepted_by_the_page(shell: Shell, ledger: Ledger, home: Path) -> None:
    ledger.close()
    (home / "ledger.db").unlink()
    said = shell.types(["loansvc ledger upgrade"], status=1)
    assert "The ledger is an older copy: a checkpoint was signed over 3 entries" in said
    assert "The ledger is an older copy: a checkpoint was signed over" in PAGE
    said = shell.types(commands("An older copy"))
    assert "accepted   entries 1 to 3 are lost" in said


@pytest.mark.parametrize("both_databases", [POSTGRESQL], indirect=True)
def test_a_dump_is_put_into_another_database_by_the_page(
    shell: Shell, ledger: Ledger, home: Path
) -> None:
    lines = [line for line in commands("PostgreSQL") if not line.startswith(LASTING)]
    assert len(lines) == 3
    other = f"{ledger.url.database}_3"
    shell.types([line.replace("loansvc_2", other) for line in lines])
    with closing(Ledger.open(postgres.shared().url(other), home=home)) as copy:
        assert copy.verify() == (3, [])
