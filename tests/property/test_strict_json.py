"""A body is read by the quick reader as the close one reads it, or left to that."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loansvc.errors import InvalidRequest
from loansvc.web import strict_json
from loansvc.web.strict_json import loads
from tests.property.damages import bytes_of, json_of
from tests.property.strategies import documents
from tests.small import a_document


def read(data: bytes) -> Any:
    """What is read, types told apart, or the code of the refusal."""
    try:
        return repr(loads(data))
    except InvalidRequest as refusal:
        return refusal.code


def read_closely(data: bytes) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_json, "_plain", strict_json._read)
        return read(data)


@settings(max_examples=1000)
@given(st.integers(0, 2**32), documents)
def test_what_is_damaged_is_read_alike(seed: int, document: dict[str, Any]) -> None:
    random = Random(seed)
    sample = json.dumps(document, ensure_ascii=random.random() < 0.5).encode()
    data = random.choice((bytes_of, json_of))(sample, random)
    assert read(data) == read_closely(data)


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@given(st.binary(max_size=40))
@example(b'{"a": 1, "a": 2}')
@example(b'{"a": "::", "a": 1}')
@example(b'{"a": 1, "a": 2, "b": "\\u003a"}')
@example(b'{"a": ":"}')
@example(b"9999999999999999999")
@example(b"10000000000000000000")
@example(b"[18446744073709551615, 18446744073709551616]")
@example(b"[-9999999999999999999, -10000000000000000000, -9223372036854775809]")
@example(b"[1e999, 1.5, -0, -0.0, 01]")
@example(b'{"a": [1.5]}')
@example(nested(8))
@example(nested(9))
@example(b"[" * 8 + b"]" * 8)
@example(b"[" * 9 + b"]" * 9)
@example(b"[" + b"1," * 1999 + b"1]")
@example(b"[" + b"1," * 2000 + b"1]")
@example(b"\xef\xbb\xbf{}")
@example(b'"\xed\xa0\x80"')
@example(b"")
def test_odd_bytes_are_read_alike(data: bytes) -> None:
    assert read(data) == read_closely(data)


def test_an_application_is_read_by_the_quick_reader() -> None:
    document = a_document(1)
    data = json.dumps(document, ensure_ascii=False).encode()
    assert strict_json._plain(data) == document
