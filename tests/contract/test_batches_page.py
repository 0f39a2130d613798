"""What docs/batches.md says in figures is what the program does; its commands: tests/e2e."""

from __future__ import annotations

import re
from pathlib import Path

from loansvc.batching import working
from loansvc.errors import BatchRefused
from loansvc.ledger.batches import STATES
from loansvc.settings import Settings
from loansvc.web import admission, batches, lines

PAGE = (Path(__file__).parents[2] / "docs" / "batches.md").read_text("utf-8")


def test_every_bound_is_as_the_page_says() -> None:
    settings = Settings()
    for text in (
        f"`LOANSVC_BATCH_ROWS` ({settings.batch_rows:,})",
        f"`LOANSVC_BATCH_MB` ({settings.batch_mb})",
        f"`LOANSVC_BATCH_DAYS` ({settings.batch_days})",
        f"`LOANSVC_BATCH_QUEUE` ({settings.batch_queue}); then 429",
        f"| {admission.MOST_UPLOADS}; then 503",
        f"({batches.MOST_RESULTS:,} at most)",
        f"each 64 KiB within {lines.PIECE_SECONDS:.0f} s, all within 10 min",
        f"goes\non within {working.LEASE_MS // 1000} s",
        f"({working.MOST_SECONDS * 1000:.0f} ms, then the rows left over are put off; "
        f"{working.BESIDE_SECONDS * 1000:.0f} ms while\nothers write)",
    ):
        assert text in PAGE, text
    assert (lines.PIECE_BYTES, lines.LONGEST_SECONDS) == (64 * 1024, 600)
    assert (working.ROWS, working.REST, working.LONGEST_PAUSE) == (8, 3, 1)


def test_every_state_and_refusal_of_a_sender_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE))
    assert {*STATES, "batch_too_large", "too_many_batches", "erased"} <= told
    assert {"batch_too_large", "too_many_batches"} <= BatchRefused.texts.keys()
