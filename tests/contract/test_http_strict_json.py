"""The body: one reading of every byte, and a refusal where two readers could read two things."""

from __future__ import annotations

import json
import time

import pytest

from tests.contract.conftest import Api, is_problem
from tests.small import a_document

GOOD = json.dumps(a_document(1))
TEXT = GOOD.encode()


def put(field: str, raw: str) -> str:
    """The application with these very characters as the value of a field that stands once."""
    document = a_document(1)
    for part in (document, *[p for p in document.values() if isinstance(p, dict)]):
        if field in part:
            part[field] = "@@"
    text = json.dumps(document)
    assert text.count('"@@"') == 1
    return text.replace('"@@"', raw)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


REFUSED = [
    pytest.param(b"", "not_json", id="nothing"),
    pytest.param(b"{", "not_json", id="half an object"),
    pytest.param(TEXT + b"x", "not_json", id="more after the end"),
    pytest.param(TEXT + TEXT, "not_json", id="two documents"),
    pytest.param(b"{'a': 1}", "not_json", id="single quotes"),
    pytest.param(TEXT.replace(b"}", b",}", 1), "not_json", id="a comma too many"),
    pytest.param(b"/* */" + TEXT, "not_json", id="a comment"),
    pytest.param(b"\xff\xfe", "not_utf8", id="bytes that are not UTF-8"),
    pytest.param(GOOD.encode("utf-16"), "not_utf8", id="UTF-16"),
    pytest.param(GOOD.encode("utf-16-le"), "not_json", id="UTF-16 without a mark"),
    pytest.param(GOOD.encode("utf-32"), "not_utf8", id="UTF-32"),
    pytest.param(b"\xef\xbb\xbf" + TEXT, "not_utf8", id="byte order mark"),
    pytest.param(b'{"a": "\xed\xa0\x80"}', "not_utf8", id="a surrogate as bytes"),
    pytest.param(b'{"a": "\xc0\xaf"}', "not_utf8", id="an overlong form"),
    pytest.param(b'{"a": "\n"}', "not_json", id="a bare newline in a text"),
    pytest.param(put("amount_yuan", "1, \"amount_yuan\": 1"), "duplicate_key", id="a key twice"),
    pytest.param(
        put("amount_yuan", '1, "amount_yu\\u0061n": 1'), "duplicate_key",
        id="a key twice, once escaped",
    ),
    pytest.param(put("amount_yuan", "NaN"), "not_finite", id="NaN"),
    pytest.param(put("amount_yuan", "Infinity"), "not_finite", id="Infinity"),
    pytest.param(put("amount_yuan", "-Infinity"), "not_finite", id="-Infinity"),
    pytest.param(put("amount_yuan", "1e400"), "not_finite", id="1e400"),
    pytest.param(put("amount_yuan", "-1e400"), "not_finite", id="-1e400"),
    pytest.param(put("amount_yuan", "1" * 20), "number_too_long", id="20 digits"),
    pytest.param(put("amount_yuan", "-" + "1" * 20), "number_too_long", id="-20 digits"),
    pytest.param(put("amount_yuan", "-9223372036854775809"), "number_too_long", id="65 bits"),
    pytest.param(put("amount_yuan", "9" * 5000), "number_too_long", id="5000 digits"),
    pytest.param(put("consent_id", r'"\ud800"'), "lone_surrogate", id="half a pair in a value"),
    pytest.param(put("consent_id", r'"\udc00\ud800"'), "lone_surrogate", id="a pair turned"),
    pytest.param(put("consent_id", r'["\uD800"]'), "lone_surrogate", id="half a pair in a list"),
    pytest.param(b'{"\\ud800": 1}', "lone_surrogate", id="half a pair in a key"),
    pytest.param(nested(9), "too_deep", id="9 levels"),
    pytest.param(b'{"a":' * 9 + b"1" + b"}" * 9, "too_deep", id="9 objects"),
    pytest.param(b"[" * 9, "too_deep", id="9 levels never closed"),
    pytest.param(nested(32_000), "too_deep", id="32000 levels"),
    pytest.param(b"[" + b"1," * 2000 + b"1]", "too_many_values", id="2001 values"),
    pytest.param(
        b"{" + b",".join(b'"k%d":{}' % i for i in range(2001)) + b"}", "too_many_values",
        id="2001 fields",
    ),
    pytest.param(b'"\\"[[[[[[[[["' + b"[" * 9, "too_deep", id="brackets after an escaped quote"),
]  # fmt: skip


@pytest.mark.parametrize("to", ["/v1/decisions", "/v1/previews"])
@pytest.mark.parametrize(("body", "code"), REFUSED)
def test_a_body_that_could_be_read_in_two_ways_is_refused(
    shared: Api, to: str, body: bytes | str, code: str
) -> None:
    is_problem(shared.post(to=to, body=body), 400, code)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b" " * (65 * 1024), id="65 KiB of spaces"),
        pytest.param(TEXT + b" " * (65 * 1024), id="an application and 65 KiB of spaces"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="100000 levels"),
        pytest.param(b"\xff" * (65 * 1024), id="65 KiB of no UTF-8"),
    ],
)
def test_a_body_above_64_kib_is_refused(shared: Api, body: bytes) -> None:
    is_problem(shared.post(body=body), 413, "body_too_large")


def test_a_body_of_64_kib_is_read(shared: Api) -> None:
    body = TEXT + b" " * (64 * 1024 - len(TEXT))
    assert shared.post(to="/v1/previews", body=body).status_code == 200


def test_8_levels_are_read(shared: Api) -> None:
    is_problem(shared.post(body=nested(8)), 422, "invalid_application")


def test_2000_values_are_read(shared: Api) -> None:
    is_problem(shared.post(body=b"[" + b"1," * 1999 + b"1]"), 422, "invalid_application")


def test_commas_in_a_text_are_not_values(shared: Api) -> None:
    body = put("consent_id", f'"{"," * 64}"')
    assert shared.post(to="/v1/previews", body=body).status_code == 200


def test_brackets_in_a_text_are_not_levels(shared: Api) -> None:
    body = put("consent_id", '"[[[[[[[[[{{{{{{{{{"')
    assert shared.post(to="/v1/previews", body=body).status_code == 200


def test_a_whole_pair_of_surrogates_is_a_character(shared: Api) -> None:
    body = put("consent_id", r'"\ud842\udfb7"')
    assert shared.post(to="/v1/previews", body=body).status_code == 200


def test_escaped_and_plain_characters_are_the_same_application(api: Api) -> None:
    first = api.post(body=put("consent_id", '"编号"'))
    again = api.post(body=put("consent_id", r'"\u7f16\u53f7"'))
    assert (again.status_code, again.data) == (200, first.data)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'"' + b'\\"' * 32_000, id="escaped quotes, never closed"),
        pytest.param(b'"\\' * 32_000, id="quotes and backslashes"),
        pytest.param(b"\\" * 64_000, id="backslashes"),
        pytest.param(b"[" * 64_000, id="open brackets"),
        pytest.param(b'{"' + b"a" * 64_000, id="a key that never ends"),
        pytest.param(b"-" * 64_000, id="minus signs"),
        pytest.param(b"1" * 64_000, id="digits"),
        pytest.param(b"0." + b"1" * 64_000, id="decimals"),
        pytest.param(b"[" + b"1e308," * 10_000 + b"1]", id="many floats"),
        pytest.param(b'{"a":1,' * 8_000, id="half objects"),
        pytest.param(b"{" + b",".join(b'"%d":1' % i for i in range(6000)) + b"}", id="many keys"),
        pytest.param(b'["' + b"\\u0041" * 10_000 + b'"]', id="escapes"),
    ],
)
def test_no_body_takes_long_to_refuse(shared: Api, body: bytes) -> None:
    """Half a second is 50 times what the slowest takes; a quadratic reader took 12 s."""
    started = time.perf_counter()
    assert shared.post(body=body).status_code in (400, 422)
    assert time.perf_counter() - started < 0.5
