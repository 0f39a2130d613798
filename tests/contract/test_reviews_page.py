"""docs/reviews.md typed straight down: every answer is as printed, and every code is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from loansvc.errors import ReviewRefused
from loansvc.reviewing.words import DISPUTE_KINDS, DISPUTED, OVERRIDE_REASONS, REVIEW_REASONS
from loansvc.settings import shipped
from loansvc.underwriting import SHANGHAI, Underwriting
from tests.contract.test_villages_page import Reader

PAGE = (Path(__file__).parents[2] / "docs" / "reviews.md").read_text("utf-8")
WRITTEN_ON = datetime(2026, 11, 26, 12, 0, tzinfo=SHANGHAI)


def steps() -> Iterator[tuple[str, str]]:
    """Each command of the page with what it prints."""
    for text in re.findall(r"^```console\n(\$ .*?)^```$", PAGE, re.S | re.M):
        for command in text.removeprefix("$ ").split("\n$ "):
            line, _, answer = command.partition("\n")
            yield line, answer.rstrip("\n")


@pytest.fixture
def reader(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Reader:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(shipped("models")))
    defaults = Underwriting.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "clock", lambda: WRITTEN_ON)
    return Reader(capfd, monkeypatch)


def test_the_page_can_be_typed_straight_down(reader: Reader, tmp_path: Path) -> None:
    [(name, text)] = re.findall(r"^```json (\S+)\n(.*?)^```$", PAGE, re.S | re.M)
    (tmp_path / name).write_text(text, "utf-8")
    printed = list(steps())
    assert [(line, reader.types(line)) for line, _ in printed] == printed


def test_every_code_is_told_on_the_page() -> None:
    codes = {*ReviewRefused.texts, *REVIEW_REASONS, *OVERRIDE_REASONS, *DISPUTED, *DISPUTE_KINDS}
    assert {code for code in codes if f"`{code}`" not in PAGE} == {"lodged"}
