"""A document is read as the schema reads it, or the schema is asked: never a third thing."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError, fields, validate

from loansvc.errors import InvalidApplication
from loansvc.web import schemas
from loansvc.web.flat import flat
from loansvc.web.schemas import ApplicationSchema, StrictSchema, load_application
from tests.property.damages import json_of
from tests.property.strategies import documents
from tests.small import CODES, TODAY, a_document

SCHEMA = ApplicationSchema()
FLAT = flat(SCHEMA)
NOT_FLAT = object()


def by_schema(document: Any) -> Any:
    try:
        return SCHEMA.load(document)
    except ValidationError:
        return None


def told(document: Any) -> Any:
    """The application, or every error."""
    try:
        return load_application(document, today=TODAY, village_codes=CODES)
    except InvalidApplication as refusal:
        return refusal.errors


@given(documents)
def test_what_is_right_is_read_alike(document: dict[str, Any]) -> None:
    assert FLAT(document) == SCHEMA.load(document)


@settings(max_examples=1000)
@given(st.integers(0, 2**32), documents)
def test_what_is_damaged_is_read_alike_or_left_to_the_schema(
    seed: int, document: dict[str, Any]
) -> None:
    """Strictly JSON or not: values of any kind at any place, as Python reads them."""
    try:
        damaged = json.loads(json_of(json.dumps(document).encode(), Random(seed)))
    except (ValueError, RecursionError):
        return
    assert FLAT(damaged) == by_schema(damaged)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schemas, "_FLAT", lambda _: None)
        slowly = told(damaged)
    assert told(damaged) == slowly


@pytest.mark.parametrize("product", ["credit_loan", "talent_loan", "fast_loan", "online_loan"])
def test_every_example_is_read_without_the_schema(product: str) -> None:
    assert FLAT(a_document(1, product)) is not None


def test_the_schema_reads_what_is_no_plain_dictionary() -> None:
    class Other(dict[str, Any]):
        pass

    assert FLAT(Other(a_document())) is None
    assert told(Other(a_document())) == told(a_document())


def test_a_schema_with_steps_that_are_not_taken_is_refused() -> None:
    class Other(StrictSchema):
        word = fields.String(validate=validate.Length(max=3))

    with pytest.raises(AssertionError):
        flat(Other())
