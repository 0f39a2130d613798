"""Ways to damage a file: bits, cuts, pieces; and hostile values at any place of JSON and TOML."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

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
CELLS = (
    *(v.strip('"') for v in VALUES if len(v) < 9000), '"', '""', '"a\nb"', "=1+1", "a;b", "\t",
)  # fmt: skip
_TOML_VALUE = re.compile(r"(?<==)[ \t]*[^,\]}\n]+")
_CSV_CELL = re.compile(r"(?<=[,\n])[^,\n]*")


def bytes_of(sample: bytes, random: Random) -> bytes:
    """The sample with bits turned, cut, with pieces taken out, doubled or put in."""
    first, last = sorted(random.randrange(len(sample) + 1) for _ in range(2))
    match random.randrange(6):
        case 0:
            data = bytearray(sample)
            for _ in range(random.randint(1, 4)):
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            return bytes(data)
        case 1:
            return sample[:first]
        case 2:
            return sample[:first] + sample[last:]
        case 3:
            return sample[:last] + sample[first : first + 2000] + sample[last:]
        case 4:
            return sample[:first] + random.choice(NOISE) + sample[first:]
        case _:
            return random.randbytes(random.randrange(200))


def json_of(sample: bytes, random: Random) -> bytes:
    """A JSON sample with a hostile value, a key taken out, doubled or renamed, at any place."""
    document = json.loads(sample)
    places = sorted({p[:n] for p, _ in leaves(document) for n in range(1, len(p) + 1)}, key=str)
    place = random.choice(places)
    match random.randrange(8):
        case 0:
            return without(document, place)
        case 1:
            return renamed(document, place)
        case 2:
            return doubled(document, place)
        case 3:
            return random.choice(VALUES).encode()
        case _:
            return with_raw(document, place, random.choice(VALUES))


def toml_of(sample: bytes, random: Random) -> bytes:
    """A TOML sample with a hostile value in place of one, a line taken out, doubled or moved."""
    text = sample.decode()
    lines = text.splitlines(keepends=True)
    n = random.randrange(len(lines))
    match random.randrange(6):
        case 0:
            del lines[n]
        case 1:
            lines.insert(n, lines[n])
        case 2:
            lines[n] = random.choice(lines)
        case _:
            low, high = random.choice([m.span() for m in _TOML_VALUE.finditer(text)])
            lines = [text[:low], " ", random.choice(VALUES + OF_TOML), text[high:]]
    return "".join(lines).encode()


def csv_of(sample: bytes, random: Random) -> bytes:
    """A CSV sample with a hostile cell in place of one."""
    text = sample.decode("utf-8-sig")
    low, high = random.choice([m.span() for m in _CSV_CELL.finditer(text)])
    return (text[:low] + random.choice(CELLS) + text[high:]).encode("utf-8", "surrogatepass")


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
