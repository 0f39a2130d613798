"""Every command and block of code in README.md and docs/ does what the page says."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.e2e.service import free_port
from tests.pages.story import ROOT, Story, blocks
from tests.postgres import a_server

PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_everything_on_the_page_runs(page: Path, checkout: Path) -> None:
    text = page.read_text("utf-8")
    with ExitStack() as held:
        server = None
        if any(block.word == "run" and "postgres" in block.text.split() for block in blocks(text)):
            server = held.enter_context(closing(a_server()))
        wrong = Story(text, checkout, port=free_port(), server=server).run()
    assert not wrong, f"{named(page)}\n" + "\n".join(wrong)
