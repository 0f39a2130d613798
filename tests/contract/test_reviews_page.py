"""Every code of docs/reviews.md is told there."""

from __future__ import annotations

from pathlib import Path

from loansvc.errors import ReviewRefused
from loansvc.reviewing.words import DISPUTE_KINDS, DISPUTED, OVERRIDE_REASONS, REVIEW_REASONS

PAGE = (Path(__file__).parents[2] / "docs" / "reviews.md").read_text("utf-8")


def test_every_code_is_told_on_the_page() -> None:
    codes = {*ReviewRefused.texts, *REVIEW_REASONS, *OVERRIDE_REASONS, *DISPUTED, *DISPUTE_KINDS}
    assert {code for code in codes if f"`{code}`" not in PAGE} == {"lodged"}
