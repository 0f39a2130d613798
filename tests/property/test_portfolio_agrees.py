"""A portfolio's SQL says of every row what `decide` says, in every column, to the last bit."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from loansvc.application import PRODUCTS
from loansvc.decision import Exposure, decide
from loansvc.registry import Registry
from loansvc.settings import shipped
from loansvc.training.records import application_records
from loansvc.training.synthetic import generate
from loansvc.web.schemas import load_application
from tests.portfolio_rows import (
    agree,
    answers_in,
    answers_of,
    arrow,
    decided,
    row_of,
    rows_of,
    scored,
)

N_ROWS = 1_500
DAYS = (date(2026, 7, 15), date(2026, 12, 5), date(2028, 3, 31))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.open(shipped("models"))


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("on", DAYS, ids=str)
def test_rows_at_random_and_at_every_edge(
    registry: Registry, product: str, on: date, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cuts and thresholds and the numbers beside them, not known, least and most of each column."""
    editions = registry.in_force(product, on)
    rows = list(rows_of(editions, registry.village_codes, n=N_ROWS, seed=on.toordinal(), on=on))
    pq.write_table(arrow(rows), tmp_path / "in.parquet")
    summary = scored(
        tmp_path / "in.parquet", tmp_path / "out", editions, registry.village_codes, on
    )
    assert (summary.rows, summary.rejected, summary.missing) == (N_ROWS, 0, [])
    wanted = (decided(row, editions, on=on, patch=monkeypatch) for row in rows)
    found = answers_in(tmp_path / "out")
    agree(found, rows, wanted)
    assert {row["outcome"] for row in found} == {"approve", "refer", "decline"}


@pytest.mark.parametrize("product", PRODUCTS)
def test_applications_of_the_county(registry: Registry, product: str, tmp_path: Path) -> None:
    """The same applications through the service's own loader and `decide`."""
    on = date(2026, 12, 5)
    editions, codes = registry.in_force(product, on), registry.village_codes
    frame = generate(600, seed=61, product=product).frame
    records = application_records(frame, product=product, applied_on=on, seed=12)
    applications = [load_application(r, today=on, village_codes=codes) for r in records]
    rows = [row_of(application, editions) for application in applications]
    pq.write_table(arrow(rows), tmp_path / "in.parquet")
    scored(tmp_path / "in.parquet", tmp_path / "out", editions, codes, on)
    decisions = (decide(application, editions, Exposure()) for application in applications)
    agree(answers_in(tmp_path / "out"), rows, map(answers_of, decisions))


def test_a_training_table_is_scored_as_it_is(registry: Registry, tmp_path: Path) -> None:
    """Reals that are whole, NaN for not known, and columns that nobody asks for."""
    on = date(2026, 12, 5)
    editions = registry.in_force("credit_loan", on)
    frame = generate(800, seed=62).frame
    frame.to_parquet(tmp_path / "in.parquet")
    scored(
        tmp_path / "in.parquet", tmp_path / "out", editions, registry.village_codes, on,
        only_score=True,
    )  # fmt: skip
    found = answers_in(tmp_path / "out")
    assert list(found[0]) == ["row", "score", "pd_12m", "grade"]
    records = application_records(frame, product="credit_loan", applied_on=on, seed=1)
    for got, record in zip(found, records, strict=True):
        application = load_application(record, today=on, village_codes=registry.village_codes)
        decision = decide(application, editions, Exposure())
        assert (got["score"], got["grade"]) == (decision.score, decision.grade)
        assert got["pd_12m"] == decision.pd_ppm / 1_000_000
