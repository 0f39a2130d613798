"""PMML of a card: in the schema's order, the same every time; tests/property runs what it says."""

import copy
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from loansvc.errors import TableRefused
from loansvc.training.card import Card
from loansvc.training.export.pmml import NAMESPACE, to_pmml
from tests.property.export_cards import CARDS, card_of, nasty
from tests.unit.test_training_columns import DOCUMENT

# Of pmml-4-4.xsd: the children of each element, in the order it asks for.
ORDER = {
    "PMML": ["Header", "DataDictionary", "Scorecard"],
    "Header": ["Application", "Timestamp"],
    "DataDictionary": ["DataField"],
    "Scorecard": ["MiningSchema", "Output", "Characteristics"],
    "MiningSchema": ["MiningField"],
    "Output": ["OutputField"],
    "OutputField": ["Apply"],
    "Characteristics": ["Characteristic"],
    "Characteristic": ["Attribute"],
    "SimpleSetPredicate": ["Array"],
}
PREDICATES = {"SimplePredicate", "CompoundPredicate", "SimpleSetPredicate", "True"}
REQUIRED = {
    "DataField": {"name", "optype", "dataType"},
    "Scorecard": {"functionName", "initialScore", "useReasonCodes", "reasonCodeAlgorithm"},
    "Characteristic": {"name", "reasonCode", "baselineScore"},
    "Attribute": {"partialScore"},
    "SimplePredicate": {"field", "operator"},
    "CompoundPredicate": {"booleanOperator"},
    "SimpleSetPredicate": {"field", "booleanOperator"},
    "Array": {"n", "type"},
    "OutputField": {"name", "feature", "dataType", "optype"},
    "Apply": {"function"},
    "FieldRef": {"field"},
}


def parsed(text: str) -> Xml.Element:
    return Xml.fromstring(text.encode())


def tag(element: Xml.Element) -> str:
    return element.tag.removeprefix(f"{{{NAMESPACE}}}")


@pytest.mark.parametrize("name", CARDS)
def test_elements_stand_in_the_order_of_the_schema(name: str) -> None:
    root = parsed(card_of(name).to_pmml())
    assert (tag(root), root.get("version")) == ("PMML", "4.4")
    for element in root.iter():
        kind, children = tag(element), [tag(child) for child in element]
        assert REQUIRED.get(kind, set()) <= set(element.attrib)
        if kind == "Attribute":
            assert len(children) == 1
            assert children[0] in PREDICATES
        elif kind == "CompoundPredicate":
            assert len(children) > 1
            assert set(children) <= PREDICATES
        elif kind in ORDER:
            places = [ORDER[kind].index(child) for child in children]
            assert all(a <= b for a, b in pairwise(places))
        elif kind != "Apply":
            assert children == []


def test_it_is_the_same_every_time() -> None:
    card = Card.of(nasty())
    assert card.to_pmml() == Card.of(nasty()).to_pmml()
    assert "Timestamp" not in card.to_pmml()
    assert "<Timestamp>2026-11-23T10:00:00Z</Timestamp>" in to_pmml(
        card, made_at="2026-11-23T10:00:00Z"
    )


def test_points_are_lost_against_the_best_ordinary_bin() -> None:
    card = card_of("credit_loan")
    found = {
        e.get("reasonCode"): int(e.get("baselineScore", ""))
        for e in parsed(card.to_pmml()).iter(f"{{{NAMESPACE}}}Characteristic")
    }
    assert found == {c.code: c.best for c in card.scorecard.characteristics}


def test_a_bin_says_both_its_bounds() -> None:
    text = Card.of(DOCUMENT).to_pmml()
    for bound in (
        '<SimplePredicate field="age" operator="greaterOrEqual" value="24.5" />',
        '<SimplePredicate field="age" operator="lessThan" value="40.0" />',
        '<Array type="real" n="2">-1.0 -2.0</Array>',
        '<Array type="string" n="1">"clerk"</Array>',
    ):
        assert bound in text


@pytest.mark.parametrize("word", ["a\x00b", "\x1b[0m", "\uffff"])
def test_a_word_that_xml_cannot_hold_is_refused(word: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    job = document["characteristics"]["job"]
    job["words"], job["bins"][0]["words"], document["pairs"] = [word, "3"], [word], []
    with pytest.raises(TableRefused, match="control character, which PMML cannot hold"):
        Card.of(document).to_pmml()
