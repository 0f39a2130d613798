"""Wheel and sdist: built twice to the same bytes, installed into an empty environment, and run."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CARRIED = (
    "loansvc/py.typed", "loansvc/gunicorn.conf.py", "loansvc/models/editions.lock",
    "loansvc/fonts/NotoSansSC-subset.otf", "loansvc/fonts/OFL.txt",
    "loansvc/web/console/static/console.css", "loansvc/web/console/static/chart-4.6.1.LICENSE.md",
    "loansvc/web/console/templates/base.html",
)  # fmt: skip


def run(*command: object, cwd: Path, **settings: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOANSVC_", "PYTHON"))}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=clean | settings, text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(source: Path, folder: Path, target: str) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "--directory", folder, "--target", target,
        cwd=source, SOURCE_DATE_EPOCH="1767225600")  # fmt: skip
    [found] = folder.iterdir()
    return found


@pytest.mark.slow
def test_wheel_and_sdist_are_built_to_the_same_bytes_and_run_in_an_empty_environment(
    tmp_path: Path,
) -> None:
    wheel, again = built(ROOT, tmp_path / "a", "wheel"), built(ROOT, tmp_path / "b", "wheel")
    assert wheel.read_bytes() == again.read_bytes()
    assert set(CARRIED) <= set(zipfile.ZipFile(wheel).namelist())

    sdist = built(ROOT, tmp_path / "c", "sdist")
    assert sdist.read_bytes() == built(ROOT, tmp_path / "d", "sdist").read_bytes()
    with tarfile.open(sdist) as held:
        held.extractall(tmp_path / "source", filter="data")
    [source] = (tmp_path / "source").iterdir()
    assert built(source, tmp_path / "e", "wheel").read_bytes() == wheel.read_bytes()

    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    pip = (environment / "bin" / "python", "-m", "pip", "install", "--quiet")
    run(*pip, "--require-hashes", "--only-binary", ":all:", "-r",
        source / "requirements" / "serve.txt", cwd=tmp_path)  # fmt: skip
    run(*pip, "--no-deps", wheel, cwd=tmp_path)
    loansvc = environment / "bin" / "loansvc"
    (tmp_path / "application.json").write_text(run(loansvc, "example", cwd=tmp_path), "utf-8")
    said = run(loansvc, "decide", "application.json", cwd=tmp_path)
    assert said.startswith("approve")
    assert "0 different" in run(loansvc, "replay", "--all", cwd=tmp_path)
    assert (tmp_path / "var" / "ledger.db").exists()
