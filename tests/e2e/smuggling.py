"""Requests on whose end two readers may disagree, each with an innocent one to go behind it.

A case is the bytes of the first. The innocent one asks for a decision of its own, so that its
answer is known wherever it comes, and so does what the first hides.
"""

from __future__ import annotations

from collections.abc import Iterator

FIRST, HIDDEN, INNOCENT = "FIRST", "HIDDEN", "INNOCENT"  # each one's application_id
TOKEN = b"K" * 60  # where the key is to stand, as long as a key
KEY = b"Host: x\r\nAuthorization: Bearer " + TOKEN + b"\r\n"
HEAD = b"POST /v1/decisions HTTP/1.1\r\nContent-Type: application/json\r\n" + KEY
GET = b"GET /v1/decisions/FIRST HTTP/1.1\r\n" + KEY
SMUGGLED = b"GET /v1/decisions/HIDDEN HTTP/1.1\r\n" + KEY + b"\r\n"
SECOND = b"GET /v1/decisions/INNOCENT HTTP/1.1\r\nConnection: close\r\n" + KEY + b"\r\n"
# Here the first one has ended for every reader, and what follows it hides nothing.
HIDES_NOTHING = {
    "chunks, last of many zeros",
    "chunks, a trailer with a length",
    "chunks, a trailer with chunked",
}
CHUNKED, NONE = b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"


def length(value: bytes | int) -> bytes:
    return b"Content-Length: %b\r\n" % (value if isinstance(value, bytes) else b"%d" % value)


def cases() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every first request."""
    yield from _both()
    yield from _lengths()
    yield from _encodings()
    yield from _chunks()
    yield from _lines()
    yield from _targets()


def _both() -> Iterator[tuple[str, bytes]]:
    """A length and an encoding: one reader believes one, the other the other."""
    body = NONE + SMUGGLED
    for name, fields in {
        "length then chunked": length(len(body)) + CHUNKED,
        "chunked then length": CHUNKED + length(len(body)),
        "length short, chunked": length(4) + CHUNKED,
        "length 0, chunked": length(0) + CHUNKED,
        "chunked twice and a length": CHUNKED + CHUNKED + length(len(body)),
        "identity and a length": b"Transfer-Encoding: identity\r\n" + length(len(body)),
    }.items():
        yield name, HEAD + fields + b"\r\n" + body


def _lengths() -> Iterator[tuple[str, bytes]]:
    n = len(SMUGGLED)
    values = {
        "signed": b"+%d" % n, "negative": b"-1", "hexadecimal": b"0x%x" % n, "decimal": b"%d.0" % n,
        "with a comma": b"%d, %d" % (n, n), "two that differ in one": b"0, %d" % n,
        "with a space": b"%d 0" % n, "underscored": b"1_0", "empty": b"", "of another alphabet":
        "٣".encode(), "huge": b"9" * 40, "leading zeros": b"0000%d" % n, "null": b"%d\x00" % n,
        "semicolon": b"%d;0" % n, "quoted": b'"%d"' % n, "exponent": b"1e1",
    }  # fmt: skip
    for name, value in values.items():
        yield f"length {name}", HEAD + length(value) + b"\r\n" + SMUGGLED
    for name, one, two in (
        ("same", n, n), ("first 0", 0, n), ("second 0", n, 0), ("differing", n, n - 3),
    ):  # fmt: skip
        yield f"two lengths, {name}", HEAD + length(one) + length(two) + b"\r\n" + SMUGGLED
    yield "GET with a length", GET + length(n) + b"\r\n" + SMUGGLED
    yield "HEAD with a length", GET.replace(b"GET", b"HEAD") + length(n) + b"\r\n" + SMUGGLED
    yield "length in another case", HEAD + b"cONTENT-lENGTH: 0\r\n" + length(n) + b"\r\n" + SMUGGLED


def _encodings() -> Iterator[tuple[str, bytes]]:
    """Encodings that one reader takes for chunked, and another does not; the length is right."""
    fields = {
        "space before the colon": b"Transfer-Encoding : chunked",
        "tab before the colon": b"Transfer-Encoding\t: chunked",
        "tab after the colon": b"Transfer-Encoding:\tchunked",
        "no space": b"Transfer-Encoding:chunked",
        "trailing space": b"Transfer-Encoding: chunked ",
        "trailing tab": b"Transfer-Encoding: chunked\t",
        "vertical tab": b"Transfer-Encoding: \x0bchunked",
        "trailing vertical tab": b"Transfer-Encoding: chunked\x0b",
        "form feed": b"Transfer-Encoding: chunked\x0c",
        "null": b"Transfer-Encoding: chunked\x00",
        "other name": b"Transfer-Encoding: xchunked",
        "quoted": b'Transfer-Encoding: "chunked"',
        "upper case": b"TRANSFER-ENCODING: CHUNKED",
        "comma": b"Transfer-Encoding: chunked,",
        "chunked twice": b"Transfer-Encoding: chunked, chunked",
        "chunked, identity": b"Transfer-Encoding: chunked, identity",
        "identity, chunked": b"Transfer-Encoding: identity, chunked",
        "gzip, chunked": b"Transfer-Encoding: gzip, chunked",
        "parameter": b"Transfer-Encoding: chunked;q=1",
        "empty": b"Transfer-Encoding:",
        "folded": b"Transfer-Encoding:\r\n chunked",
        "folded name": b"X: y\r\n Transfer-Encoding: chunked",
        "underscore": b"Transfer_Encoding: chunked",
        "leading space": b" Transfer-Encoding: chunked",
        "after a bare CR": b"X: y\rTransfer-Encoding: chunked",
        "after a bare LF": b"X: y\nTransfer-Encoding: chunked",
        "in a name": b"X: y\r\nX Transfer-Encoding: chunked",
        "not ASCII": "Transfer-Encoding: chunkéd".encode(),
        "named by Connection": b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
        "old protocol": b"TE: chunked",
    }
    body = NONE + SMUGGLED
    for name, field in fields.items():
        yield f"encoding, {name}", HEAD + field + b"\r\n" + length(len(body)) + b"\r\n" + body
    old = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0")
    yield "chunked in HTTP/1.0", old + b"Connection: keep-alive\r\n" + CHUNKED + b"\r\n" + body


def _chunks() -> Iterator[tuple[str, bytes]]:
    """Chunks whose size two readers may read otherwise."""
    n = b"%x" % len(SMUGGLED)
    sizes = {
        "of a prefix": b"0x" + n, "signed": b"+" + n, "negative": b"-1", "underscored": b"1_0",
        "with a space": n + b" ", "space before": b" " + n, "with an extension": n + b";a=b",
        "with a line in the extension": n + b";a\nb", "with a CR in the extension": n + b";a\rb",
        "empty": b"", "huge": b"f" * 16, "overflowing": b"1" + b"0" * 16 + n, "not hex": b"g",
        "null": n + b"\x00",
    }  # fmt: skip
    for name, size in sizes.items():
        body = size + b"\r\n" + SMUGGLED + b"\r\n" + NONE
        yield f"chunk {name}", HEAD + CHUNKED + b"\r\n" + body
    bodies = {
        "bare LF": n + b"\n" + SMUGGLED + b"\n0\n\n",
        "bare CR": n + b"\r" + SMUGGLED + b"\r\n" + NONE,
        "too short": b"3\r\n" + SMUGGLED + b"\r\n" + NONE,
        "no end": n + b"\r\n" + SMUGGLED + NONE,
        "two bytes for its end": n + b"\r\n" + SMUGGLED + b"XX" + NONE,
        "last of many zeros": b"0" * 20 + b"\r\n\r\n" + SMUGGLED,
        "a trailer with a length": b"0\r\n" + length(len(SMUGGLED)) + b"\r\n" + SMUGGLED,
        "a trailer with chunked": b"0\r\n" + CHUNKED + b"\r\n" + SMUGGLED,
        "a request for a trailer": b"0\r\n" + SMUGGLED,
        "bare LF before the trailer": b"0\n" + SMUGGLED + b"\n",
    }
    for name, body in bodies.items():
        yield f"chunks, {name}", HEAD + CHUNKED + b"\r\n" + body


def _lines() -> Iterator[tuple[str, bytes]]:
    """Lines that one reader ends where another reads on."""
    n = len(SMUGGLED)
    heads = {
        "bare LF": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: %d\n\n" % n,
        "bare CR": HEAD[:-2] + b"\r" + length(n) + b"\r\n",
        "LF before the body": HEAD + length(n)[:-2] + b"\n\n",
        "a space in a name": HEAD + b"Content Length: 5\r\n" + length(n) + b"\r\n",
        "a space before the colon": HEAD + b"Content-Length : 0\r\n" + length(n) + b"\r\n",
        "an underscored length": HEAD + b"Content_Length: 0\r\n" + length(n) + b"\r\n",
        "a folded length": HEAD + b"Content-Length:\r\n 0\r\n" + length(n) + b"\r\n",
        "no colon": HEAD + b"Content-Length\r\n" + length(n) + b"\r\n",
        "no name": HEAD + b": 0\r\n" + length(n) + b"\r\n",
        "a null in a name": HEAD + b"Content-Length\x00: 0\r\n" + length(n) + b"\r\n",
        "empty lines before": b"\r\n\r\n" + HEAD + length(n) + b"\r\n",
        "two hosts": HEAD + b"Host: y\r\n" + length(n) + b"\r\n",
        "Connection names the length":
            HEAD + b"Connection: Content-Length\r\n" + length(n) + b"\r\n",
        "Expect": HEAD + b"Expect: 100-continue\r\n" + length(n) + b"\r\n",
        "Upgrade": HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + length(n) + b"\r\n",
    }  # fmt: skip
    for name, head in heads.items():
        yield f"lines, {name}", head + SMUGGLED


def _targets() -> Iterator[tuple[str, bytes]]:
    lines = {
        "absolute": b"GET http://x/v1/decisions/FIRST HTTP/1.1",
        "absolute, another host": b"GET http://y:81/v1/decisions/FIRST HTTP/1.1",
        "absolute, no host": b"GET http:///v1/decisions/FIRST HTTP/1.1",
        "two spaces": b"GET  /v1/decisions/FIRST HTTP/1.1",
        "a space in it": b"GET /v1/decisions/FIRST /v1/decisions/HIDDEN HTTP/1.1",
        "a line in it": b"GET /v1/decisions/FIRST%0d%0aHost:%20y HTTP/1.1",
        "a tab": b"GET\t/v1/decisions/FIRST\tHTTP/1.1",
        "no protocol": b"GET /v1/decisions/FIRST",
        "a later protocol": b"GET /v1/decisions/FIRST HTTP/2.0",
        "HTTP/1.2": b"GET /v1/decisions/FIRST HTTP/1.2",
        "HTTP/01.1": b"GET /v1/decisions/FIRST HTTP/01.1",
        "CONNECT": b"CONNECT x:80 HTTP/1.1",
        "an asterisk": b"OPTIONS * HTTP/1.1",
        "the preface of HTTP/2": b"PRI * HTTP/2.0",
        "an unknown method": b"GOT /v1/decisions/FIRST HTTP/1.1",
    }
    for name, line in lines.items():
        yield f"target, {name}", line + b"\r\n" + KEY + b"\r\n"
