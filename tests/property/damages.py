"""Ways to damage a file: bits, cuts, pieces; and hostile values at any place of JSON and TOML."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import strategies as st

from tests.e2e.hostile import leaves, with_raw

# As they stand in a file. What is quoted is a text of that content.
NUMBERS = (
    "NaN", "Infinity", "-Infinity", "nan", "inf", "-inf", "1e400", "-1e400", "1e308", "9" * 20,
    "9" * 5000, "-1", "0", "-0", "-0.0", "1.5", "0.1", "1e-400", "9007199254740993", "2147483648",
)  # fmt: skip
TEXTS = (
    '""', '" "', '"\\u0000"', '"\\ud800"', '"\\n"', '"a\\u202eb"', '"=1+1"', '"' + "a" * 5000 + '"',
    '"2026-02-30"', '"0001-01-01"', '"9999-12-31"', '"20260101"', '"2026-W01-1"', '"../../etc/passwd"',
    '"/dev/zero"', '"nan"', '"1e400"', '"AAA"', '"credit_loan"', '"champion"', '"sha256:0"', '"²"', '"１"',
)  # fmt: skip
SHAPES = (
    "null", "true", "false", "[]", "{}", "[[]]", "[{}]", "[null]", '[""]', '{"": null}', "[1, 1]",
    "[" * 400 + "]" * 400, "[" * 30_000, '{"a":' * 300 + "1" + "}" * 300, '[["a", "b"]]', "[[1], 2]",
)  # fmt: skip
OF_TOML = (
    "1979-05-27T07:32:00Z", "1979-05-27", "0001-01-01", "9999-12-31", "07:32:00", "'''\na'''", "0x10", "1_000",
    "{ a = 1 }", "{ a = { b = 1 } }", "[1, 'a']", "+nan", "2026-02-30",
)  # fmt: skip
VALUES = NUMBERS + TEXTS + SHAPES
NOISE = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n\n", b'"', b"'", b",", b"{", b"}", b"[", b"]", b"=",
    b"#", b"\\", b"\\u0000", b"1e999", b"\xed\xa0\x80", b"\xe2\x80\xae", b"=cmd|'/C calc'!A0", "＝１".encode(),
)  # fmt: skip
_TOML_VALUE = re.compile(r"(?<==)[ \t]*[^,\]}\n]+")
_CSV_CELL = re.compile(r"(?<=[,\n])[^,\n]*")


def bytes_of(sample: bytes) -> st.SearchStrategy[bytes]:
    """The sample with bits turned, cut, with pieces taken out, doubled or put in."""
    place = st.integers(0, max(len(sample) - 1, 0))
    flips = st.lists(st.tuples(place, st.integers(0, 7)), min_size=1, max_size=4)

    def flipped(bits: list[tuple[int, int]]) -> bytes:
        data = bytearray(sample)
        for at, bit in bits:
            data[at] ^= 1 << bit
        return bytes(data)

    two = st.tuples(place, place).map(sorted)
    return st.one_of(
        flips.map(flipped),
        place.map(lambda n: sample[:n]),
        two.map(lambda p: sample[: p[0]] + sample[p[1] :]),
        two.map(lambda p: sample[: p[1]] + sample[p[0] : p[0] + 2000] + sample[p[1] :]),
        st.tuples(place, st.sampled_from(NOISE)).map(
            lambda p: sample[: p[0]] + p[1] + sample[p[0] :]
        ),
        st.binary(max_size=200),
    )


def json_of(sample: bytes) -> st.SearchStrategy[bytes]:
    """A JSON sample with a hostile value, a key taken out, doubled or renamed, at any place."""
    document = json.loads(sample)
    places = sorted({p[:n] for p, _ in leaves(document) for n in range(1, len(p) + 1)}, key=str)
    at = st.sampled_from(places)
    return st.one_of(
        st.tuples(at, st.sampled_from(VALUES)).map(lambda v: with_raw(document, v[0], v[1])),
        at.map(lambda place: without(document, place)),
        at.map(lambda place: renamed(document, place)),
        at.map(lambda place: doubled(document, place)),
        st.sampled_from(VALUES).map(lambda raw: raw.encode()),
    )


def toml_of(sample: bytes) -> st.SearchStrategy[bytes]:
    """A TOML sample with a hostile value in place of one, a line taken out or doubled."""
    text = sample.decode()
    spans = [found.span() for found in _TOML_VALUE.finditer(text)]
    lines = text.splitlines(keepends=True)
    line = st.integers(0, len(lines) - 1)
    return st.one_of(
        st.tuples(st.sampled_from(spans), st.sampled_from(VALUES + OF_TOML)).map(
            lambda v: f"{text[: v[0][0]]} {v[1]}{text[v[0][1] :]}".encode()
        ),
        line.map(lambda n: "".join(lines[:n] + lines[n + 1 :]).encode()),
        line.map(lambda n: "".join([*lines[:n], lines[n], *lines[n:]]).encode()),
        st.tuples(line, line).map(
            lambda p: "".join([*lines[: p[0]], lines[p[1]], *lines[p[0] + 1 :]]).encode()
        ),
    )


def csv_of(sample: bytes) -> st.SearchStrategy[bytes]:
    """A CSV sample with a hostile cell in place of one."""
    text = sample.decode("utf-8-sig")
    spans = [found.span() for found in _CSV_CELL.finditer(text)]
    cells = (
        *(v.strip('"') for v in VALUES if len(v) < 9000),
        '"',
        '""',
        '"a\nb"',
        "=1+1",
        "a;b",
        "\t",
    )
    return st.tuples(st.sampled_from(spans), st.sampled_from(cells)).map(
        lambda v: (text[: v[0][0]] + v[1] + text[v[0][1] :]).encode("utf-8", "surrogatepass")
    )


def _copy_to(document: Any, place: tuple[Any, ...]) -> tuple[Any, Any]:
    """A copy of a document, and what holds the last step of the place in it."""
    copied = json.loads(json.dumps(document))
    holder = copied
    for step in place[:-1]:
        holder = holder[step]
    return copied, holder


def without(document: Any, place: tuple[Any, ...]) -> bytes:
    copied, holder = _copy_to(document, place)
    del holder[place[-1]]
    return json.dumps(copied).encode()


def renamed(document: Any, place: tuple[Any, ...]) -> bytes:
    copied, holder = _copy_to(document, place)
    if isinstance(holder, dict):
        holder[f"{place[-1]}x"] = holder.pop(place[-1])
    else:
        holder.reverse()
    return json.dumps(copied).encode()


def doubled(document: Any, place: tuple[Any, ...]) -> bytes:
    copied, holder = _copy_to(document, place)
    if isinstance(holder, list):
        holder.append(holder[place[-1]])
        return json.dumps(copied).encode()
    text = json.dumps(holder[place[-1]])
    key = json.dumps(place[-1])
    holder[place[-1]] = "@@here@@"
    whole = json.dumps(copied)
    return whole.replace('"@@here@@"', f"{text}, {key}: {text}").encode()
