"""When a thread is given a request: as soon as it can be read, or must be refused."""

from __future__ import annotations

import pytest

from loansvc.web.arrivals import MOST_BYTES, MOST_HEADER_BYTES, n_missing

POST = b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("n", [0, 1, 4, 20, 26, 27, 28, len(POST), len(POST) + 1])
def test_headers_that_have_not_come_are_waited_for(n: int) -> None:
    assert n_missing((POST + b"\r\n")[:n]) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(POST + b"\r\n", 0, id="without a body"),
        pytest.param(POST + b"Content-Length: 10\r\n\r\n", 10, id="of a body nothing"),
        pytest.param(POST + b"content-LENGTH:10 \r\n\r\n123", 7, id="of a body a part"),
        pytest.param(POST + b"Content-Length: 10\r\n\r\n1234567890", 0, id="whole"),
        pytest.param(POST + b"Content-Length: 2\r\n\r\n12GET / HT", 0, id="the next behind it"),
    ],
)
def test_as_much_of_the_body_is_waited_for_as_was_declared(data: bytes, expected: int) -> None:
    assert n_missing(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n", id="no length is declared"),
        pytest.param(POST + b"Content-Length: ten\r\n\r\n", id="a length that is none"),
        pytest.param(POST + b"Content-Length: 99999999\r\n\r\n", id="a length that is refused"),
        pytest.param(POST + b"Content-Length: %d\r\n\r\n" % MOST_BYTES, id="a little too long"),
        pytest.param(
            POST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n", id="it waits for us"
        ),
        pytest.param(b"GET / HTTP/1.1\nHost: x\n", id="lines that end otherwise"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\n\r\n", id="one line that ends otherwise"),
        pytest.param(b"GARBAGE\r\n", id="a line that is none"),
        pytest.param(b"GET / HTTP/2.0\r\n", id="another version"),
        pytest.param(b"\x16\x03\x01\x02\x00", id="TLS"),
        pytest.param(b"\r\n", id="an empty line"),
        pytest.param(b"get / HTTP/1.1\r\n", id="small letters"),
        pytest.param(b"A" * 5000, id="a line without an end"),
        pytest.param(POST + b"a: b\r\n" * (MOST_HEADER_BYTES // 6), id="headers without an end"),
    ],
)
def test_what_can_be_refused_or_only_be_read_on_is_not_waited_for(data: bytes) -> None:
    assert n_missing(data) == 0
