"""The table of faults in docs/reliability.md: filled in row by row, and never by a test not run."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tests.fault.table import BEGIN, END, FAULTS, Run, rows, write

DAY = date(2026, 11, 26)


def test_one_failure_is_enough_for_no() -> None:
    found = rows([Run("F5", "passed", ("93 runs",)), Run("F5", "failed", ())])
    assert found["F5"].endswith("| 93 runs | **no** |")


def test_a_skipped_fault_says_why() -> None:
    assert rows([Run("F5", "skipped", (), "no strace")])["F5"].endswith(
        "| not run here: no strace | - |"
    )


def test_a_row_that_was_not_run_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n", "utf-8")
    write(page, rows([Run("F6", "passed", ("first",))]), DAY)
    write(page, rows([Run("F5", "passed", ("second",))]), DAY)
    lines = page.read_text("utf-8").splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert [line[:6] for line in lines if line.startswith("| F")] == ["| F5 |", "| F6 |"]


def test_the_page_has_a_place_for_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "reliability.md"
    text = page.read_text("utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert set(FAULTS) == {f"F{n}" for n in range(1, 23)}
