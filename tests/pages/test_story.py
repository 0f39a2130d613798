"""The runner tells a page that lies from one that does not; what is not run is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service import free_port
from tests.pages.story import NOT_RUN, ROOT, Story, blocks
from tests.pages.test_pages import PAGES, named

NOT_RUN_HERE = {
    "README.md": 1,
    "README.zh.md": 1,
    "docs/backup.md": 2,
    "docs/deployment.md": 3,
    "docs/how-to/postgresql.md": 1,
    "docs/how-to/spark.md": 1,
    "docs/operations.md": 2,
    "docs/portfolio.md": 2,
    "docs/reliability.md": 2,
    "docs/retraining.md": 1,
    "docs/tutorial/first_decision.md": 1,
    "docs/validation.md": 1,
}


_LINK = re.compile(r"\]\(([^)\s]+)\)")


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Each link of a page into the project: as written, the file, the heading if one is named."""
    for link in _LINK.findall(page.read_text("utf-8")):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            yield link, (page.parent / path).resolve() if path else page, anchor


def headings(page: Path) -> set[str]:
    """What headings are called in links, as GitHub names them."""
    found = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in found}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = [
        link
        for link, path, anchor in links(page)
        if not path.exists() or (anchor and anchor not in headings(path))
    ]
    assert lost == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {path for _, path, _ in links(index)}
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - linked == {index}


def test_both_readmes_have_the_same_blocks_tables_and_headings() -> None:
    """What machines read is the same, but for remarks; what people read is translated."""

    def shape(page: Path) -> list[object]:
        text = page.read_text("utf-8")
        held = [(b.word, b.info, re.sub(r" +# .*", "", b.text)) for b in blocks(text)]
        return [held, len(re.findall("^## ", text, re.M)), len(re.findall(r"^\|", text, re.M))]

    assert shape(ROOT / "README.md") == shape(ROOT / "README.zh.md")


def test_every_test_that_the_threat_model_names_is_there() -> None:
    page = (ROOT / "docs" / "explanation" / "threat_model.md").read_text("utf-8")
    names = set(re.findall(r"(?:tests/\w+/)?(test_\w+\.py)", page))
    there = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(names) > 10
    assert names <= there


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
