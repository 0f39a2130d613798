"""docs/growth.md: its SQL on a real PostgreSQL, and its sums."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from loansvc.registry import Registry
from loansvc.underwriting import Underwriting
from tests import databases
from tests.databases import POSTGRESQL, using
from tests.small import NOON, an_application, small_models, small_underwriting

PAGE = (Path(__file__).parents[2] / "docs" / "growth.md").read_text("utf-8")
COUNTIES = {"county": 1, "province": 104, "country": 2_844}


def test_a_ledger_goes_on_over_partitions_of_its_payloads(tmp_path: Path) -> None:
    [block] = re.findall(r"```sql\n(.*?)```", PAGE, re.S)
    for page, small in (("3000001", "4"), ("6000001", "6")):
        assert page in block
        block = block.replace(page, small)
    models = small_models(tmp_path)
    with using(POSTGRESQL), closing(small_underwriting(tmp_path, models=models).ledger) as ledger:
        root = Underwriting(Registry.open(models), ledger, clock=lambda: NOON)
        for number in range(1, 4):
            root.decide(an_application(number), client="bank")
        databases.sql(tmp_path / "home", *filter(str.strip, block.split(";")))
        for number in range(4, 9):
            root.decide(an_application(number), client="bank")
        query = "SELECT tableoid::regclass::text, count(*) FROM payload GROUP BY 1 ORDER BY 1"
        assert databases.sql(tmp_path / "home", query) == [
            ("payload_2", 2), ("payload_before", 3), ("payload_later", 3),
        ]  # fmt: skip
        assert root.ledger.verify() == (8, [])
        again = root.decide(an_application(2), client="bank")
        assert (again[0].entry.sequence, again[1]) == (2, False)


@pytest.mark.parametrize("place", COUNTIES)
def test_the_sums_of_the_page_add_up(place: str) -> None:
    [row] = re.findall(rf"^\| {place} \|(.*)\|$", PAGE, re.M)
    decisions, previews, disk, mean, most = (numbers(cell) for cell in row.split("|"))
    n_loans = 109_000 * 0.907 * 0.064
    asked = 2 * n_loans * COUNTIES[place]
    assert decisions == pytest.approx(asked, rel=0.05)
    assert previews == pytest.approx(3 * asked, rel=0.05)
    assert disk == pytest.approx(asked * 8.6e3 / 1e9, rel=0.05)
    assert mean == pytest.approx(asked / (250 * 8 * 3600), rel=0.15)
    assert most == pytest.approx(10 * mean)


def numbers(cell: str) -> float:
    """The number of a cell such as "12,700", "1.3 million", "0.2 /s" or "310 GB"."""
    [text] = re.findall(r"[0-9.,]+", cell)
    return float(text.replace(",", "")) * (1e6 if "million" in cell else 1)
