"""The shipped policies, every edition: all that `policy check` generates reaches and holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from loansvc.policy.coverage import coverage
from loansvc.registry import read_document

FOLDER = Path(__file__).parents[2] / "models" / "policies"
FILES = sorted(FOLDER.rglob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name} {p.stem}")
def test_generated_cases_find_nothing_turned_around_and_no_side_untried(path: Path) -> None:
    head, policy = read_document(path)
    found = coverage(policy, first_day=head.valid_from)
    assert found.broken == ()
    for tried in (found.thresholds, found.word_tests):
        assert tried.reached == tried.of > 0
    reached = {r.kind: r for r in found.reached}
    assert (reached["cell"].reached, reached["grade"].reached) == (49, 7)
    assert reached["outcome"].reached == 3


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name} {p.stem}")
def test_every_rule_and_row_is_reached_or_named_with_a_reason(path: Path) -> None:
    head, policy = read_document(path)
    found = coverage(policy, first_day=head.valid_from)
    short = [r.kind for r in found.reached if r.reached < r.of]
    assert bool(short) == bool(found.missed)
    assert all(missed.why for missed in found.missed)
