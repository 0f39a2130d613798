"""The fact sheet: every section that a policy or a comment cites has its heading there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACT_SHEET = ROOT / "docs" / "domain.md"
SECTION = r"\d+(?:\.\d+)?"
# A list of sections after the word; rows of a table may stand between: "DOMAIN 1, row 8; 3.1".
# A full stop or a comma that only ends a sentence or a list belongs to neither.
CITATION = re.compile(rf"DOMAIN ({SECTION}(?:(?:, rows? \d+(?:, \d+)*;|,) {SECTION})*)")
ROWS = re.compile(r", rows? \d+(?:, \d+)*;?")
HEADING = re.compile(rf"^##+ ({SECTION})\.? ", re.MULTILINE)


def sections(text: str) -> set[str]:
    """Every section cited in a text."""
    lists = (ROWS.sub(",", found) for found in CITATION.findall(text))
    return {section for found in lists for section in re.findall(SECTION, found)}


def headings() -> list[str]:
    """The section numbers of the fact sheet, in order."""
    return HEADING.findall(FACT_SHEET.read_text("utf-8"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("(DOMAIN 3.1, 3.2, 10)", {"3.1", "3.2", "10"}, id="a list"),
        pytest.param("(DOMAIN 1, row 8; 3.1)", {"1", "3.1"}, id="a row, then a section"),
        pytest.param("(DOMAIN 1, rows 14, 15)", {"1"}, id="rows are no sections"),
        pytest.param("(DOMAIN 5, scale; DOMAIN 10, ladder)", {"5", "10"}, id="two citations"),
        pytest.param("by DOMAIN 4.", {"4"}, id="at the end of a sentence"),
        pytest.param('DOMAIN = b"id"; DOMAIN: A read', set(), id="no citation"),
    ],
)
def test_citations_are_read_as_written(text: str, expected: set[str]) -> None:
    assert sections(text) == expected


@pytest.mark.parametrize("folder", ["models", "loansvc"])
def test_every_section_cited_is_in_the_fact_sheet(folder: str) -> None:
    files = [p for p in (ROOT / folder).rglob("*") if p.suffix in {".py", ".toml"}]
    cited = {
        (section, p.relative_to(ROOT)) for p in files for section in sections(p.read_text("utf-8"))
    }
    assert cited
    known = headings()
    missing = sorted(f"{section} in {p}" for section, p in cited if section not in known)
    assert not missing


def test_no_section_of_the_fact_sheet_stands_twice() -> None:
    assert len(headings()) == len(set(headings()))
