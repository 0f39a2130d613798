"""The runner tells a page that lies from one that does not; what is not run is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.service import free_port
from tests.pages.story import NOT_RUN, ROOT, Story, blocks
from tests.pages.test_pages import PAGES, named

NOT_RUN_HERE = {
    "README.md": 1,
    "docs/backup.md": 2,
    "docs/how-to/postgresql.md": 1,
    "docs/how-to/spark.md": 1,
    "docs/operations.md": 2,
    "docs/portfolio.md": 2,
    "docs/reliability.md": 2,
    "docs/retraining.md": 1,
    "docs/tutorial/first_decision.md": 1,
    "docs/validation.md": 1,
}


def told(checkout: Path, text: str) -> list[str]:
    return Story(text, checkout, port=free_port()).run()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("```console\n$ echo b\na\n```", id="prints something else"),
        pytest.param("```console\n$ echo a; echo b\na\n```", id="prints more"),
        pytest.param("```console\n$ false\n```", id="goes wrong"),
        pytest.param("```console\n$ true   # exit status 1\n```", id="does not go wrong"),
        pytest.param("```console\n$ loansvc explain NONE\n```", id="is refused"),
        pytest.param("```console\n$ loansvc --version\nloansvc: no\n```", id="is not refused"),
        pytest.param("```python\nassert False\n```", id="is a program that fails"),
        pytest.param("```json a.json\n{}\n```\n```console\n$ loansvc decide a.json\n```",
                     id="has a file that is not one"),
    ],
)  # fmt: skip
def test_a_page_that_lies_is_found_out(checkout: Path, text: str) -> None:
    assert len(told(checkout, text)) == 1


def test_a_page_that_does_not_lie_is_let_be(checkout: Path) -> None:
    text = (
        "<!-- run\n$ export WHO=world\nHELLO = hello\n-->\n"
        "```console\n$ echo HELLO \\\n    $WHO\nhello …\n```\n"
        "```console\n$ cat <<'END' | tail -1\n$ a\nb\nEND\nb\n```\n"
        "```python\nx = 1\n```\n```python\nprint(x)\n```\n```toml\na = 1\n```\n"
        "```console not-run: why\n$ false\n```\n"
        "```console\n$ loansvc explain NONE\nloansvc: There is no …\n```\n"
    )
    assert told(checkout, text) == []


@pytest.mark.parametrize("text", ["```json\n{\n```", "```toml\na =\n```"])
def test_data_that_cannot_be_read_is_found_out(checkout: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        told(checkout, text)


def test_what_is_not_run_is_known_and_says_why() -> None:
    found: dict[str, int] = {}
    for page in PAGES:
        for block in blocks(page.read_text("utf-8")):
            if block.info.startswith(NOT_RUN):
                assert len(block.info) > len(NOT_RUN) + 8, (page, block.line)
                found[named(page)] = found.get(named(page), 0) + 1
    assert found == NOT_RUN_HERE
    assert ROOT / "README.md" in PAGES
