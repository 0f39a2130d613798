"""The form of the console asks for what the schema reads, and gives the same document back."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import MultiDict

from loansvc.application import PRODUCTS
from loansvc.web.console.form import FIELDS, document_of, filled_in
from loansvc.web.schemas import load_application
from tests.small import CODES, TODAY, a_document


def sent(filled: dict[str, list[str]]) -> MultiDict[str, str]:
    """What a browser sends of a form: of a box that is not ticked, nothing."""
    return MultiDict((name, value) for name, values in filled.items() for value in values)


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_form_that_is_sent_as_it_stands_is_the_application(product: str) -> None:
    document = a_document(1, product)
    again = document_of(sent(filled_in(document)))

    def read(it: object) -> object:
        return load_application(it, today=TODAY, village_codes=CODES)

    assert read(again) == read(document)


def test_what_is_left_empty_is_not_known() -> None:
    document = document_of(MultiDict())
    assert document["credit_report"] is None
    assert document["credentials"] == []
    assert document["loan"]["amount_yuan"] is None
    assert document["applicant"]["dishonest_debtor"] is None


def test_a_word_that_is_no_number_is_left_to_the_schema() -> None:
    document = document_of(MultiDict({"/loan/amount_yuan": "8万", "/loan/term_months": " 24 "}))
    assert document["loan"]["amount_yuan"] == "8万"
    assert document["loan"]["term_months"] == 24


def test_every_field_and_every_word_has_a_chinese_text() -> None:
    pairs = [f.label for f in FIELDS.values()] + [
        texts for f in FIELDS.values() for texts in f.words.values()
    ]
    assert [f.pointer for f in FIELDS.values() if f.label[0] == f.label[1]] == []
    assert [p for p in pairs if p[0] != p[1] and not any(c > "\u2e7f" for c in p[0])] == []
    words = {word for f in FIELDS.values() for word, texts in f.words.items() if texts[0] == word}
    assert words == {"AAA", "AA", "A", "B", "C", "D"}
