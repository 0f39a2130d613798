"""Form: the fields of an application as a page asks for them, and back to the document.

What there is to ask for is read from the schema of the API, so that the two cannot part. A field
is called by its JSON pointer, as errors name it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, fields
from werkzeug.datastructures import MultiDict

from loansvc.application import CATALOGUE, PRODUCTS
from loansvc.monitoring.words import PRODUCT_WORDS
from loansvc.policy.wording import ISSUER_TEXTS, word_text
from loansvc.web.console.words import FIELD_WORDS, SECTION_WORDS, UNIT_WORDS, WORD_WORDS
from loansvc.web.fields import Day, Pattern, Text, Whole, Word, Words, YesNo
from loansvc.web.schemas import ApplicationSchema, CredentialSchema, Part

Pair = tuple[str, str]  # Chinese, English
N_CREDENTIALS = 4  # rows to fill in; the API takes more
YES_NO = {"yes": ("是", "yes"), "no": ("否", "no")}


@dataclass(frozen=True, slots=True)
class Field:
    """One thing asked for. `kind`: text, number, date, select, yes_no, checks or village."""

    pointer: str
    kind: str
    label: Pair
    unit: Pair
    words: dict[str, Pair]
    is_required: bool

    def value(self, form: MultiDict[str, str]) -> Any:
        """What was filled in, as JSON has it; None for nothing."""
        if self.kind == "checks":
            return form.getlist(self.pointer)
        text = form.get(self.pointer, "").strip()
        if self.kind == "yes_no":
            return {"yes": True, "no": False}.get(text)
        return (whole(text) if self.kind == "number" else text) if text else None


def whole(text: str) -> int | str:
    """A whole number; anything else as it is, for the schema to refuse.

    >>> whole("80000"), whole("8万"), whole("８")
    (80000, '8万', '８')
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else text


KINDS = {
    Words: "checks", Word: "select", YesNo: "yes_no", Whole: "number", Day: "date", Text: "text",
    Pattern: "text",
}  # fmt: skip


def _fields(schema: Schema, pointer: str) -> Iterator[Field]:
    """The fields of one object, in the order of the schema."""
    for name, field in schema.fields.items():
        if type(field) not in KINDS:  # a part, or related parties, which this form does not ask for
            continue
        kind = "village" if name == "village_code" else KINDS[type(field)]
        row = CATALOGUE.get(name)
        label = FIELD_WORDS.get(name) or ((row.zh, row.en) if row else (name, name))
        yield Field(f"{pointer}/{name}", kind, label, _unit(name), _words(field), field.required)


def _unit(name: str) -> Pair:
    row = CATALOGUE.get(name)
    unit = row.unit if row else name.rpartition("_")[2]
    return UNIT_WORDS.get(unit, ("", ""))


def _words(field: fields.Field[Any]) -> dict[str, Pair]:
    if isinstance(field, YesNo):
        return YES_NO
    words = field.words if isinstance(field, (Word, Words)) else ()
    if tuple(words) == PRODUCTS:
        return dict(PRODUCT_WORDS)
    known = {**ISSUER_TEXTS, **WORD_WORDS}
    return {word: known.get(word) or word_text(word) for word in words}


def _sections() -> dict[str, list[list[Field]]]:
    """The fields of every section, of credentials row by row; "" is the application itself."""
    schema = ApplicationSchema()
    found = {"": [list(_fields(schema, ""))]}
    for name in SECTION_WORDS:
        if name == "credentials":
            rows = (_fields(CredentialSchema(), f"/{name}/{i}") for i in range(N_CREDENTIALS))
            found[name] = [list(row) for row in rows]
        else:
            part = schema.fields[name]
            assert isinstance(part, Part)
            found[name] = [list(_fields(part.schema, f"/{name}"))]
    return found


SECTIONS = _sections()
FIELDS = {f.pointer: f for rows in SECTIONS.values() for row in rows for f in row}


def document_of(form: MultiDict[str, str]) -> dict[str, Any]:
    """The application that was filled in; a credential or report of which nothing is, is none."""
    document: dict[str, Any] = {}
    for pointer, field in FIELDS.items():
        *path, last = pointer.split("/")[1:]
        place = document
        for step in path:
            place = place.setdefault(step, {})
        place[last] = field.value(form)
    rows = document["credentials"].values()
    document["credentials"] = [row for row in rows if any(row.values())]
    if all(value is None for value in document["credit_report"].values()):
        document["credit_report"] = None
    return document


def filled_in(document: dict[str, Any]) -> dict[str, list[str]]:
    """What stands in each field for a document, by its pointer; several words of a list."""
    found = {}
    for pointer in FIELDS:
        value: Any = document
        for step in pointer.split("/")[1:]:
            value = _inside(value, step)
        found[pointer] = _filled(value)
    return found


def _filled(value: Any) -> list[str]:
    if isinstance(value, list):
        return value
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [] if value is None else [str(value)]


def _inside(value: Any, step: str) -> Any:
    if isinstance(value, list):
        return value[int(step)] if int(step) < len(value) else None
    return (value or {}).get(step)
