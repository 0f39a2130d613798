"""Strict JSON: bytes to a document, refusing everything that two readers could read in two ways.

UTF-8 without BOM; no NaN or Infinity; no key twice; no lone surrogate; at most 64 KiB, 8 levels and
2,000 values; numbers of at most 19 digits. Nothing of the input is quoted in a refusal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import orjson

from loansvc.errors import InvalidRequest

MOST_BYTES = 64 * 1024
MOST_DEPTH = 8
MOST_VALUES = 2000  # the longest application has about 400; each unknown field costs a sentence
MOST_DIGITS = 19  # a 64-bit number; longer ones are slow to read and never meant
LEAST_NUMBER, MOST_NUMBER = -(2**63), 10**MOST_DIGITS - 1

# Possessive and with the closing quote optional: it never fails half-way, so time is linear.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


def loads(data: bytes) -> Any:
    r"""The document in `data`.

    Raises:
        InvalidRequest: with a code for machines: body_too_large, not_utf8, too_deep,
            too_many_values, not_json, duplicate_key, not_finite, number_too_long, lone_surrogate.

    >>> loads(b'{"amount_yuan": 120000}')
    {'amount_yuan': 120000}
    >>> loads(b'{"a": 1, "\\u0061": 2}')
    Traceback (most recent call last):
    loansvc.errors.InvalidRequest: A key stands twice in one object. Send each key once.
    """
    if len(data) > MOST_BYTES:
        raise too_large()
    try:
        return _plain(data)
    except (_NotPlain, ValueError):
        return _read(data)


class _NotPlain(Exception):
    """Not a document that can be read without looking closer."""


def _plain(data: bytes) -> Any:
    """A document in which nothing can be read in two ways; anything else is looked at closely.

    orjson takes a key twice, and a number of any length as a float. Without an escape every member
    that it kept has its colon: where there are more, one was dropped, or a text holds them.
    """
    if b"\\" in data or data.count(b",") >= MOST_VALUES:
        raise _NotPlain
    document = orjson.loads(data)
    if _n_members([document], MOST_DEPTH) != data.count(b":"):
        raise _NotPlain
    return document


def _n_members(parts: Iterable[Any], levels: int) -> int:
    """How many members their objects have; no float or longer number, at most that many levels."""
    n = 0
    for part in parts:
        kind = type(part)
        if kind is dict:
            n += len(part) + _n_members(part.values(), levels - 1)
        elif kind is list:
            n += _n_members(part, levels - 1)
        elif kind is float or (kind is int and part > MOST_NUMBER):
            raise _NotPlain
    if levels < 0:
        raise _NotPlain
    return n


def _read(data: bytes) -> Any:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest(
            "The body is not UTF-8. Send JSON in UTF-8.", code="not_utf8"
        ) from None
    if text.startswith("\ufeff"):
        raise InvalidRequest(
            "The body starts with a byte order mark. Leave it out.", code="not_utf8"
        )
    outside = _STRING.sub(b"", data)
    if _depth(outside) > MOST_DEPTH:
        raise InvalidRequest(
            f"The body is nested deeper than {MOST_DEPTH} levels. Flatten it.", code="too_deep"
        )
    if outside.count(b",") >= MOST_VALUES:
        raise InvalidRequest(
            f"The body holds more than {MOST_VALUES} values. Send one document at a time.",
            code="too_many_values",
        )
    try:
        document = json.loads(
            text,
            object_pairs_hook=_no_duplicates,
            parse_constant=_not_finite,
            parse_float=_finite,
            parse_int=_short_integer,
        )
    except InvalidRequest:
        raise
    except ValueError as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidRequest(f"The body is not JSON{where}. Correct it.", code="not_json") from None
    if "\\u" in text:
        _refuse_lone_surrogates(document)
    return document


def too_large() -> InvalidRequest:
    """The refusal of a body that is too long, whoever notices it."""
    return InvalidRequest(
        f"The body is larger than {MOST_BYTES} bytes. No application is; send less.",
        code="body_too_large",
        status=413,
    )


def _depth(outside: bytes) -> int:
    """Deepest nesting of what stands outside strings; parsing would recurse to find it."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(outside):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise InvalidRequest(
            "A key stands twice in one object. Send each key once.", code="duplicate_key"
        )
    return table


def _not_finite(_text: str) -> Any:
    raise InvalidRequest("NaN and Infinity are not JSON. Leave the field out.", code="not_finite")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        _not_finite(text)
    return number


def _short_integer(text: str) -> int:
    number = int(text) if len(text.lstrip("-")) <= MOST_DIGITS else None
    if number is None or number < LEAST_NUMBER:
        raise InvalidRequest(
            f"A number has more than {MOST_DIGITS} digits, or more than 64 bits. Check its unit.",
            code="number_too_long",
        )
    return number


def _refuse_lone_surrogates(value: Any) -> None:
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise InvalidRequest(
                "A text holds half of a surrogate pair. Send whole characters.",
                code="lone_surrogate",
            )
    elif isinstance(value, dict):
        for key, part in value.items():
            _refuse_lone_surrogates(key)
            _refuse_lone_surrogates(part)
    elif isinstance(value, list):
        for part in value:
            _refuse_lone_surrogates(part)
