"""A row of the training frame and the application behind it show the same characteristics."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from loansvc.application import MODEL_CHARACTERISTICS, characteristics, from_record
from loansvc.identifiers import id_number_flaw, industry_flaw, uscc_flaw
from loansvc.training.county import MIXES
from loansvc.training.divisions import divisions
from loansvc.training.records import application_records, plain
from loansvc.training.synthetic import generate
from loansvc.web.schemas import load_application

N = 2_000
DAYS = [
    pytest.param(date(2026, 11, 23), id="a plain day"),
    pytest.param(date(2026, 8, 31), id="a day that most months do not have"),
    pytest.param(date(2028, 2, 29), id="a leap day"),
    pytest.param(date(2027, 1, 1), id="the first of a year"),
]
ALSO_EQUAL = ("age_years", "amount_yuan")


def rows_and_records(
    product: str, on: date, n: int = N
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    frame = generate(n, seed=11, product=product).frame
    columns = {str(name): plain(frame[name]) for name in frame}
    records = application_records(frame, product=product, applied_on=on, seed=12)
    for i, record in enumerate(records):
        yield {name: column[i] for name, column in columns.items()}, record


@pytest.mark.parametrize("on", DAYS)
@pytest.mark.parametrize("product", MIXES)
def test_serving_derives_the_characteristics_that_training_saw(product: str, on: date) -> None:
    """Every one a model may use, in 2,000 rows of each product: ratios, months, levels, unknown."""
    for row, record in rows_and_records(product, on):
        derived = characteristics(from_record(record))
        wanted = {name: row[name] for name in (*MODEL_CHARACTERISTICS, *ALSO_EQUAL)}
        assert {name: derived[name] for name in wanted} == wanted


@pytest.mark.parametrize("product", MIXES)
def test_records_are_applications_the_service_takes(product: str) -> None:
    """Field rules, cross rules and check characters hold."""
    on, codes = date(2026, 11, 23), frozenset(d.code for d in divisions())
    for _, record in rows_and_records(product, on, n=300):
        application = load_application(record, today=on, village_codes=codes)
        assert application == from_record(record)


def test_identifiers_have_right_check_characters() -> None:
    """ID number, social credit code, industry."""
    on = date(2026, 11, 23)
    for _, record in rows_and_records("credit_loan", on):
        assert id_number_flaw(record["applicant"]["id_number"], today=on) is None
        assert industry_flaw(record["business"]["industry"]) is None
        if "uscc" in record["business"]:
            assert uscc_flaw(record["business"]["uscc"]) is None


def test_same_seed_gives_the_same_records() -> None:
    """Also what the row leaves open."""
    on = date(2026, 11, 23)
    one, two = (list(rows_and_records("talent_loan", on, n=50)) for _ in range(2))
    assert one == two
