"""PMML 4.4: the card as a Scorecard, with the reason codes of its characteristics.

The first attribute of a characteristic that fits is the right one, so "not known" stands first,
then special codes, words, numbers from left to right; words never seen are whatever is left. The
order of elements is that of the schema; the same card gives the same text, byte by byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from loansvc.reasons import MOST_REASONS
from loansvc.scorecard import ODDS, POINTS_TO_DOUBLE, SCORE_AT_ODDS, Scorecard, ScoredCharacteristic
from loansvc.scorecard.slots import HIGHEST_PD_SCORE, LOWEST_PD_SCORE, as_doubles, slots_in_order
from loansvc.training.export import check_fits, free_name

if TYPE_CHECKING:
    from loansvc.training.card import Card

NAMESPACE = "http://www.dmg.org/PMML-4_4"
# Of XML 1.0: no control characters but these three, and no lone surrogates or the last two.
NOT_IN_XML = "".join(map(chr, {*range(32), 0xFFFE, 0xFFFF} - {9, 10, 13}))


def to_pmml(card: Card, *, made_at: str | None = None) -> str:
    """The card as a PMML 4.4 document, UTF-8.

    Args:
        card: the card.
        made_at: an instant for the header, such as 2026-11-23T10:00:00Z; without it, none.

    Raises:
        TableRefused: a name or a word that XML cannot hold.
    """
    scorecard = card.scorecard
    check_fits(scorecard, format_="PMML", also=NOT_IN_XML)
    root = Xml.Element("PMML", {"xmlns": NAMESPACE, "version": "4.4"})
    header = _add(root, "Header", description=f"{scorecard.statement} Card {card.digest}.")
    _add(header, "Application", name="loansvc")
    if made_at is not None:
        _add(header, "Timestamp").text = made_at
    fields = _add(root, "DataDictionary", numberOfFields=str(len(card.names)))
    for of in scorecard.characteristics:
        types = {"optype": "continuous", "dataType": "double"}
        if of.described.words:
            types = {"optype": "categorical", "dataType": "string"}
        _add(fields, "DataField", name=of.name, displayName=of.described.en or of.name, **types)
    model = _add(
        root, "Scorecard", modelName="loansvc card", functionName="regression",
        initialScore=str(scorecard.base_points), useReasonCodes="true",
        reasonCodeAlgorithm="pointsBelow", baselineMethod="other",
    )  # fmt: skip
    schema = _add(model, "MiningSchema")
    for name in card.names:  # a word never seen is one for the card to judge, not an error
        _add(schema, "MiningField", name=name, usageType="active", invalidValueTreatment="asIs")
    _add_output(model, scorecard)
    characteristics = _add(model, "Characteristics")
    for of in scorecard.characteristics:
        listed = _characteristic(characteristics, of.name, of.code, of.best)
        for kind, slot in slots_in_order(of):
            attribute = _add(listed, "Attribute", partialScore=str(of.bins[slot].points))
            attribute.append(_holds(of, kind, slot))
    for pair in scorecard.pairs:
        name = f"{pair.rows.name}*{pair.columns.name}"
        # No reason names a cell (`Scorecard.pairs`): held against the lowest, it ranks last.
        lowest = min(min(row) for row in pair.points)
        listed = _characteristic(characteristics, name, name, lowest)
        for row_kind, row in slots_in_order(pair.rows):
            for kind, column in slots_in_order(pair.columns):
                points = str(pair.points[row][column])
                both = _add(_add(listed, "Attribute", partialScore=points), "CompoundPredicate",
                            booleanOperator="and")  # fmt: skip
                both.extend([
                    _holds(pair.rows, row_kind, row), _holds(pair.columns, kind, column),
                ])  # fmt: skip
    Xml.indent(root, " ")
    text: str = Xml.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add(parent: Xml.Element, tag: str, **attributes: str) -> Xml.Element:
    return Xml.SubElement(parent, tag, attributes)


def _characteristic(parent: Xml.Element, name: str, code: str, best: int) -> Xml.Element:
    return _add(parent, "Characteristic", name=name, reasonCode=code, baselineScore=str(best))


# --- predicates ----------------------------------------------------------------------------------


def _holds(of: ScoredCharacteristic, kind: str, slot: int) -> Xml.Element:
    """The predicate of one bin."""
    bin_ = of.bins[slot]
    if kind == "missing":
        return _simple(of.name, "isMissing")
    if kind == "unseen":
        return Xml.Element("True")
    if kind == "values":
        return _one_of(of.name, "real", [repr(v) for v in as_doubles(bin_.values)])
    if kind == "words":
        # Quotes and backslashes in an Array are read in different ways: such words stand alone.
        plain = [w for w in bin_.words if w and w.isprintable() and not any(c in w for c in '"\\')]
        alone = [_simple(of.name, "equal", w) for w in bin_.words if w not in plain]
        listed = [_one_of(of.name, "string", [f'"{w}"' for w in plain])] if plain else []
        return _compound("or", [*listed, *alone])
    sides = (("greaterOrEqual", bin_.start), ("lessThan", bin_.end))
    bounds = [_simple(of.name, side, repr(float(v))) for side, v in sides if v is not None]
    return _compound("and", bounds) if bounds else _simple(of.name, "isNotMissing")


def _simple(field: str, operator: str, value: str | None = None) -> Xml.Element:
    attributes = {"field": field, "operator": operator}
    return Xml.Element("SimplePredicate", attributes | ({} if value is None else {"value": value}))


def _one_of(field: str, kind: str, values: list[str]) -> Xml.Element:
    listed = Xml.Element("SimpleSetPredicate", {"field": field, "booleanOperator": "isIn"})
    _add(listed, "Array", type=kind, n=str(len(values))).text = " ".join(values)
    return listed


def _compound(operator: str, predicates: list[Xml.Element]) -> Xml.Element:
    if len(predicates) == 1:
        return predicates[0]
    element = Xml.Element("CompoundPredicate", {"booleanOperator": operator})
    element.extend(predicates)
    return element


# --- what it gives -------------------------------------------------------------------------------


def _add_output(model: Xml.Element, card: Scorecard) -> None:
    """`score`, `pd` and the reason codes by rank."""
    taken = [c.name for c in card.characteristics]
    score = free_name("score", taken)
    output = _add(model, "Output")
    _add(output, "OutputField", name=score, optype="continuous", dataType="integer",
         feature="predictedValue")  # fmt: skip
    for rank in range(1, min(MOST_REASONS, len(taken)) + 1):
        _add(output, "OutputField", name=free_name(f"reason_{rank}", taken), optype="categorical",
             dataType="string", feature="reasonCode", rank=str(rank))  # fmt: skip
    pd = _add(output, "OutputField", name=free_name("pd", [*taken, score]), optype="continuous",
              dataType="double", feature="transformedValue")  # fmt: skip
    # The card's own formula, in whole parts per million (see sql.py on why rounding is safe).
    low, high, million = str(LOWEST_PD_SCORE), str(HIGHEST_PD_SCORE), "1000000"
    bounded = _apply("max", _apply("min", _field(score), _constant(high)), _constant(low))
    doublings = _apply(
        "/", _apply("-", bounded, _constant(str(SCORE_AT_ODDS))), _constant(str(POINTS_TO_DOUBLE))
    )
    odds = _apply("*", _constant(str(ODDS)), _apply("pow", _constant("2"), doublings))
    ppm = _apply("/", _constant(million), _apply("+", _constant("1"), odds))
    whole = _apply("floor", _apply("+", ppm, _constant("0.5")))
    within = _apply("max", _apply("min", whole, _constant("999999")), _constant("1"))
    pd.append(_apply("/", within, _constant(million)))


def _apply(function: str, *arguments: Xml.Element) -> Xml.Element:
    element = Xml.Element("Apply", {"function": function})
    element.extend(arguments)
    return element


def _field(name: str) -> Xml.Element:
    return Xml.Element("FieldRef", {"field": name})


def _constant(value: str) -> Xml.Element:
    element = Xml.Element("Constant", {"dataType": "double"})
    element.text = repr(float(value))
    return element
