"""docs/portfolio.md typed straight down in a shell."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from loansvc.portfolio.columns import FIELDS
from loansvc.portfolio.sql import DECISION_COLUMNS

PAGE = (Path(__file__).parents[2] / "docs" / "portfolio.md").read_text("utf-8")


def typed() -> list[str]:
    """The lines of every block, the sign of the shell taken off."""
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE, re.S | re.M)
    return [re.sub(r"^\$ ", "", block, flags=re.M) for block in blocks]


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A folder with a `loansvc` in it."""
    (tmp_path / "loansvc").write_text(f'#!/bin/sh\nexec {sys.executable} -m loansvc "$@"\n')
    (tmp_path / "loansvc").chmod(0o755)
    return tmp_path


def run(shell: Path, text: str) -> str:
    script = f'set -eu; PATH="{shell}:$PATH"\n{text}'
    done = subprocess.run(
        ["bash", "-c", script], cwd=shell, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_typed_through(shell: Path) -> None:
    first, again = typed()
    said = run(shell, first)
    assert said.startswith("2 scored   1 rejected   answers.csv\n")
    assert "A-1,1," in said
    with (shell / "answers.rejects.csv").open(newline="") as lines:
        flaws = [(r["row"], r["field"], r["code"]) for r in csv.DictReader(lines)]
    assert flaws == [("3", "purpose", "not_a_choice"), ("3", "amount_yuan", "not_an_integer")]
    with (shell / "answers.csv").open(newline="") as lines:
        outcomes = {r["application_id"]: r["outcome"] for r in csv.DictReader(lines)}
    assert outcomes["A-2"] == "decline"
    said = run(shell, again)
    assert said.count("2 scored   1 rejected   scores") == 2
    assert said.count("1 of 1 parts were there from before") == 1


def test_every_column_is_described() -> None:
    for name in (*DECISION_COLUMNS, "row"):
        assert f"`{name}`" in PAGE or name.startswith("reason_"), name
    parts = {"birth_date", "started_on", "reported_on", "new_hires_12m", "automated_decision",
             "household_debt_service_12m_yuan", "online_revenue_12m_yuan"}  # fmt: skip
    assert parts <= set(FIELDS)
    assert all(f"`{name}`" in PAGE for name in parts)
