"""Text: the bytes of a document as text, the line of a place in it, and what people write wrong.

TOML is written by people, often with an editor that means well: other quotation marks, commas in
numbers, another encoding. A refusal says what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

from loansvc.errors import EditionRefused

_AT = re.compile(r"\(at line ([0-9]+), column ([0-9]+)\)")
_HEADER = re.compile(r"^[ \t]*(\[\[?)[ \t]*([\w.-]+)[ \t]*\]", re.MULTILINE | re.ASCII)
_PLACE = re.compile(r"(?P<table>\w+)(?:\[(?P<i>\d+)\][^.]*)?(?:\.(?P<key>\w+))?", re.ASCII)
_SIGNS = {"，": ",", "＝": "=", "：": ":", "；": ";", "［": "[", "］": "]", "｛": "{", "｝": "}",
          "（": "(", "）": ")", "．": ".", "－": "-", "　": "a space"}  # fmt: skip
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_QUOTES = "“”„‟‘’「」『』＂＇"


def text_of(data: bytes, name: str) -> str:
    """The text of a document, without the mark that some editors put before it.

    Raises:
        EditionRefused: it is not UTF-8; says how to make it so.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    save = "Save it as UTF-8 (in Notepad: Save as, Encoding UTF-8)"
    like = "UTF-16" if data.startswith(UTF_16_MARKS) else "GB18030"
    try:
        data.decode(like)
    except UnicodeDecodeError:
        raise EditionRefused(f"{name}: is neither UTF-8 nor GB18030. {save}.") from None
    raise EditionRefused(
        f"{name}: is not UTF-8; it looks like {like}. {save}, or run: "
        f"iconv -f {like} -t UTF-8 FILE > FILE.utf8"
    )


# --- where a place stands -----------------------------------------------------------------------


def line_finder(text: str) -> Callable[[str], int | None]:
    r"""What tells the line of a place such as `rule[13] K02.otherwise` in a TOML text, from 1.

    The line of the key if the table writes it in one, else that of the table's head; None where
    the text has no such head. Nothing is searched until somebody asks.

    >>> line = line_finder("[price]\n[[rule]]\nid = 1\n[[rule]]\nid = 2\n")
    >>> line("rule[1] E01.id"), line("rule[1]"), line("rule[7]"), line("price")
    (5, 4, None, 1)
    """

    def line_of(place: str) -> int | None:
        found = _PLACE.match(place)
        if found is None:
            return None
        table, i, key = found["table"], found["i"], found["key"]
        if i is None and (top := _key_line(text, 0, table)) is not None:
            return top
        bracket = "[" if i is None else "[["
        start = next(islice(_heads(text, bracket, table), int(i or 0), None), None)
        if start is None:
            return None
        own = _key_line(text, start, key) if key else None
        return own or text.count("\n", 0, start) + 1

    return line_of


def _heads(text: str, bracket: str, table: str) -> Iterator[int]:
    """Where the heads of a table, or of the tables of a list, begin."""
    for head in _HEADER.finditer(text):
        if (head[1], head[2]) == (bracket, table):
            yield head.start(1)


def _key_line(text: str, start: int, key: str) -> int | None:
    """The line of a key in the table whose head is at `start`; at 0, of the document itself."""
    end = _HEADER.search(text, start + bool(start))
    found = re.compile(rf"^[ \t]*{key}[ \t]*[.=]", re.MULTILINE).search(
        text, start, end.start() if end else len(text)
    )
    return text.count("\n", 0, found.start()) + 1 if found else None


# --- what people write wrong --------------------------------------------------------------------


def toml_remedy(text: str, fault: str) -> str:
    """What to write instead, from the line that the fault names; a whole sentence.

    >>> toml_remedy("a = 350,000", "Expected newline (at line 1, column 8)")
    'A number has no commas: write 350_000.'
    """
    at = _AT.search(fault)
    if at is None:
        return "Correct it there."
    n, column = int(at[1]), int(at[2])
    line = text.replace("\r\n", "\n").split("\n")[n - 1]
    sign = line[column - 1 : column]
    for remedy in _REMEDIES:
        if says := remedy(text, line, sign, fault):
            return says
    return "Correct it there."


def _of_sign(_text: str, line: str, sign: str, _fault: str) -> str | None:
    number = re.search(r"=\s*([0-9]{1,3}(?:[,，][0-9]{3})+)(?![0-9])", line)
    if number:
        return f"A number has no commas: write {re.sub('[,，]', '_', number[1])}."
    if sign and sign in _QUOTES:
        return 'Quotation marks in TOML are straight: write " on both sides.'
    if sign and sign in _SIGNS:
        return f"{sign!r} is a full-width sign: write {_SIGNS[sign]}."
    return None


def _of_head(text: str, line: str, _sign: str, fault: str) -> str | None:
    head = _HEADER.match(line)
    if head is None or not fault.startswith("Cannot"):
        return None
    name = head[2]
    if head[1] == "[" and next(_heads(text, "[[", name), None) is not None:
        return f"There are several: write [[{name}]] in place of [{name}]."
    if (single := next(_heads(text, "[", name), None)) is not None and head[1] == "[[":
        return (
            f"Write [[{name}]] in place of [{name}] in line {text.count(chr(10), 0, single) + 1}."
        )
    return f"[{name}] stands twice; put what belongs together under one."


def _of_value(_text: str, line: str, sign: str, fault: str) -> str | None:
    value = line.partition("=")[2].strip()
    if re.match(r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}", value):
        if fault.startswith("Invalid date"):
            return "There is no such day."
        return "Write a day as 2026-09-01: four, two and two figures."
    if re.match(r"[0-9][0-9_]*[ \t]+[0-9_]", value):
        return "A number has no spaces: write 350_000."
    if sign == "%":
        return "Write the number alone, without %."
    if fault.startswith("Invalid value") and sign.isalpha():
        if value.lower().startswith(("true", "false")):
            return "Write true and false in small letters."
        return 'Put a text in quotation marks: write " on both sides.'
    return None


def _of_shape(_text: str, line: str, sign: str, fault: str) -> str | None:
    if fault.startswith("Expected '='") and sign == ":":
        return "Write = in place of the colon."
    if fault.startswith("Cannot overwrite"):
        return f"{line.partition('=')[0].strip()} stands twice in this table; keep one."
    if fault.startswith("Unclosed"):
        return "A comma is missing there, or a bracket is not closed."
    if fault.startswith("Illegal character '\\n'"):
        return 'The text is not closed: put " at its end.'
    return None


_REMEDIES = (_of_sign, _of_head, _of_value, _of_shape)
