"""What is written from the program is as fresh as the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import reference


@pytest.fixture(scope="module")
def written() -> dict[Path, str]:
    return reference.written()


def test_everything_written_is_fresh(written: dict[Path, str]) -> None:
    stale = [path.name for path, text in written.items() if path.read_text("utf-8") != text]
    assert not stale, "run: make reference"


def test_every_refusal_is_told_once(written: dict[Path, str]) -> None:
    page = written[reference.PAGES / "problems.md"]
    for code in ("application_id_reused", "four_eyes", "overloaded", "not_json", "batch_too_large"):
        assert page.count(f"| `{code}` |") == 1, code


def test_every_call_names_its_scope(written: dict[Path, str]) -> None:
    rows = written[reference.PAGES / "calls.md"].splitlines()
    without = [row for row in rows if row.startswith("| `") and "|  |" in row]
    assert all("`GET /" in row and "/v1/" not in row for row in without), without
