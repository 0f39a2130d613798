"""Whoever applied, the table to train on has what the explanation of the decision shows."""

from __future__ import annotations

import tempfile
from datetime import date, datetime
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from loansvc.application import PRODUCTS, from_record
from loansvc.ledger import Ledger
from loansvc.monitoring.history import CHARACTERISTICS, History
from loansvc.registry import Registry
from loansvc.settings import shipped
from loansvc.training.records import application_records
from loansvc.training.synthetic import generate
from loansvc.underwriting import SHANGHAI, Underwriting

ON = date(2026, 12, 2)
FOLDER = tempfile.TemporaryDirectory()


@cache
def root() -> Underwriting:
    """The shipped editions, whose cards read every characteristic, and one ledger for all."""
    folder = Path(FOLDER.name)
    ledger = Ledger.open(f"sqlite:///{folder / 'ledger.db'}", home=folder, create=True)
    noon = datetime(2026, 12, 2, 12, tzinfo=SHANGHAI)
    return Underwriting(Registry.open(shipped("models")), ledger, clock=lambda: noon)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000), product=st.sampled_from(PRODUCTS), with_income=st.booleans())
def test_the_table_has_what_the_card_read(*, seed: int, product: str, with_income: bool) -> None:
    """Credentials that no issuer vouched for, and scopes not given, are left out of both."""
    people = generate(1, seed=seed, product=product).frame
    (record,) = application_records(people, product=product, applied_on=ON, seed=seed)
    if not with_income:
        record["consent"]["scopes"] = [s for s in record["consent"]["scopes"] if s != "income"]
    client = f"{product} {with_income}"
    recorded, _ = root().decide(from_record(record), client=client)
    lines = root().explain(recorded)["score"]["characteristics"]
    found = History(root(), ON, ON, as_of=ON, product=product).rows()
    row = next(row for row in found if row["decision_id"] == recorded.entry.decision_id)
    assert {line["name"]: line["value"] for line in lines} == {c: row[c] for c in CHARACTERISTICS}
