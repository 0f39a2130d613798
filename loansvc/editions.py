"""Edition: a dated, immutable, digested document with a reference and an approver.

Scorecards, village registers, policies, rates and standards are all editions. Here: the head they
share, which one is in force on a day, the digest, the text form that programs write, and `Reader`,
with which each kind reads its document and refuses what it does not know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Generic, NoReturn, TypeVar

from loansvc.application import PRODUCTS
from loansvc.errors import EditionRefused, NoEditionInForce

KINDS = ("scorecard", "villages", "policy", "rates")  # the four that a decision is made under
EVERY_KIND = (*KINDS, "standard")  # and those that help to make them
CALLED_BY = ("id", "tier", "grade")  # the keys by which a table of a list calls itself
LONGEST_NAME = 12  # characters; whatever is longer is no name
ALIKE = 0.8  # how alike a key must be to be taken for one that is missing (1: the same)
FIRST_YEAR, LAST_YEAR = 1900, 2999  # of a day in an edition: before and after it there are others
COUNTY = "county"  # the `product` of registers and rates, which hold for every product
CHAMPION, CHALLENGER = ROLES = ("champion", "challenger")

Content_co = TypeVar("Content_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Head:
    """What every edition says of itself, in its own file."""

    kind: str
    product: str
    valid_from: date
    reference: str
    review_by: date | None


SAID = ("proposer", "reason", "impact")  # of a publication, only where somebody said so


@dataclass(frozen=True, slots=True)
class Edition(Generic[Content_co]):
    """One publication: a document, the role it plays, and from which day.

    `valid_from` is the day of the publication, on or after the document's own; publishing an
    earlier document again for a later day is a rollback. `impact` says how far it moved recorded
    answers, `reason` why it was published all the same, `proposer` who asked for it; each is empty
    where nobody said.

    Of a challenger alone: `until` is its last day, None for no end; `share_percent` of the
    applicants are decided by it, whose buckets begin at `share_from_percent` (`decision.split`).
    """

    kind: str
    product: str
    role: str
    valid_from: date
    approver: str
    digest: str
    path: str
    head: Head
    content: Content_co
    proposer: str = ""
    reason: str = ""
    impact: str = ""
    until: date | None = None
    share_percent: int = 0
    share_from_percent: int = 0


def digest_of(data: bytes) -> str:
    """The digest by which an edition is known.

    >>> digest_of(b"")[:15]
    'sha256:e3b0c442'
    """
    return "sha256:" + hashlib.sha256(data).hexdigest()


def in_force(
    editions: Iterable[Edition[Any]], *, kind: str, product: str, role: str, on: date
) -> Edition[Any]:
    """The newest edition of that kind, product and role that has started; its first day counts.

    Raises:
        NoEditionInForce: none has started by then, or every challenger has ended.
    """
    of_kind = [e for e in editions if (e.kind, e.product, e.role) == (kind, product, role)]
    started = not_ended(of_kind, on=on)
    if not started:
        first = min((e.valid_from for e in of_kind if e.valid_from > on), default=None)
        raise NoEditionInForce(kind, product, role, on, first=first)
    return max(started, key=lambda e: e.valid_from)


def not_ended(publications: Iterable[Edition[Any]], *, on: date) -> list[Edition[Any]]:
    """Those that have started and not ended, of each document the newest publication alone.

    So a document published again, with another share or an earlier end, is spoken for anew from
    that day. First and last day count. In the order in which the documents first started.
    """
    newest: dict[str, Edition[Any]] = {}
    for one in sorted(publications, key=lambda e: e.valid_from):
        if one.valid_from <= on:
            newest[one.digest] = one
    return [e for e in newest.values() if e.until is None or on <= e.until]


def holding(editions: Iterable[Edition[Any]], *, on: date) -> list[Edition[Any]]:
    """Those in force on a day: of each kind and product the champion, and every challenger."""
    groups: dict[tuple[str, str, str], list[Edition[Any]]] = {}
    for edition in editions:
        groups.setdefault((edition.kind, edition.product, edition.role), []).append(edition)
    found = []
    for (_, _, role), group in groups.items():
        started = sorted(not_ended(group, on=on), key=lambda e: e.valid_from)
        found += started if role == CHALLENGER else started[-1:]
    return found


def to_text(document: Mapping[str, Any]) -> str:
    """The text form programs write: sorted keys, one list element (a bin, a village) a line.

    >>> print(to_text({"b": [{"z": 1, "y": [2]}, 3], "a": {"k": "甲"}}), end="")
    {
     "a": {
      "k": "甲"
     },
     "b": [
      {"y": [2], "z": 1},
      3
     ]
    }
    """
    return _text(document, indent=1) + "\n"


def _text(value: Any, *, indent: int) -> str:
    inner, outer = "\n" + " " * indent, "\n" + " " * (indent - 1)
    if isinstance(value, Mapping) and value:
        lines = (f"{_line(k)}: {_text(value[k], indent=indent + 1)}" for k in sorted(value))
        return "{" + inner + ("," + inner).join(lines) + outer + "}"
    if isinstance(value, list | tuple) and value:
        return "[" + inner + ("," + inner).join(map(_line, value)) + outer + "]"
    return _line(value)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


def read_head(reader: Reader) -> Head:
    """The head of a document, whatever its kind."""
    kind = reader.word("kind", EVERY_KIND)
    products = PRODUCTS if kind in ("scorecard", "policy") else (COUNTY,)
    head = Head(
        kind=kind,
        product=reader.word("product", products),
        valid_from=reader.day("valid_from"),
        reference=reader.text("reference"),
        review_by=reader.day("review_by") if "review_by" in reader else None,
    )
    if head.review_by is not None and head.review_by < head.valid_from:
        reader.refuse(
            "review_by", f"must not be before valid_from ({head.valid_from}); give a later day"
        )
    return head


class Reader:
    """Reads one table of a document, key by key, and refuses what is missing, wrong or unknown.

    Every refusal names the file and the place: `policies/x.toml, rule[3] K02.otherwise: must be …`,
    a list's tables counted from 0 and called by what they call themselves. `line_of` tells the line
    in which a place stands, for those who have the text. Use it as a context manager: leaving the
    block refuses keys that nobody asked for.

    >>> with Reader({"a": 1}, file="f.json") as r:
    ...     r.integer("a", low=0, high=9)
    1
    """

    def __init__(
        self,
        table: Any,
        *,
        file: str,
        place: str = "",
        line_of: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self.file, self.place, self.line_of = file, place, line_of
        if not isinstance(table, Mapping):
            raise EditionRefused(
                f"{file}, {place or 'document'}: must be a table of keys; write it as one."
            )
        self._table = table
        self._asked: set[str] = set()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        unknown = self._unasked()
        if kind is None and unknown:
            meant = get_close_matches(unknown[0], self._asked, n=1)
            remedy = f"write {meant[0]}, or remove it" if meant else "remove it"
            self.refuse(unknown[0], f"is not a key this version knows; {remedy}")

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)
        return key in self._table

    def keys(self) -> list[str]:
        """The keys there are, all taken as asked for."""
        self._asked.update(self._table)
        return list(self._table)

    def refuse(self, key: str, why: str) -> NoReturn:
        """Refuse the document at this key."""
        raise EditionRefused(self.fault(key, why))

    def fault(self, key: str, why: str) -> str:
        """The sentence of a refusal: file, line where it is known, place, and what is wrong."""
        place = self._place_of(key)
        line = self.line_of(place)
        at = self.file if line is None else f"{self.file}, line {line}"
        return f"{at}, {place}: {why}."

    def _place_of(self, key: str) -> str:
        return ".".join(part for part in (self.place, key) if part)

    def value(self, key: str) -> Any:
        """The value, which must be there."""
        if key not in self:
            meant = get_close_matches(key, self._unasked(), n=1, cutoff=ALIKE)
            instead = f"; write it in place of {meant[0]}" if meant else "; add it"
            self.refuse(key, f"is missing{instead}")
        return self._table[key]

    def _unasked(self) -> list[str]:
        return sorted(str(key) for key in set(self._table) - self._asked)

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        if default is not None and key not in self:
            return default
        value = self.value(key)
        if not isinstance(value, str) or not value.strip():
            self.refuse(key, "must be a text that is not empty")
        return str(value)

    def word(self, key: str, words: Sequence[str], default: str | None = None) -> str:
        """One of the given words."""
        value = self.text(key, default)
        if value not in words:
            self.refuse(key, f"must be one of {', '.join(words)}")
        return value

    def words(self, key: str, words: Sequence[str]) -> tuple[str, ...]:
        """A list of given words, none twice, at least one."""
        value = self.value(key)
        if not isinstance(value, list) or not value or any(v not in words for v in value):
            self.refuse(key, f"must be a list of {', '.join(words)}")
        if len(set(value)) != len(value):
            self.refuse(key, "names a word twice; keep one")
        return tuple(value)

    def integer(self, key: str, *, low: int, high: int, default: int | None = None) -> int:
        """A whole number between two others, both included."""
        if default is not None and key not in self:
            return default
        value = self.value(key)
        if type(value) is not int or not low <= value <= high:
            self.refuse(key, f"must be a whole number from {low} to {high}{_unquoted(value)}")
        return int(value)

    def number(self, key: str, *, low: float, high: float) -> float:
        """A number, whole or decimal, between two others; whole ones stay whole."""
        value = self.value(key)
        if type(value) not in (int, float) or not low <= value <= high:
            self.refuse(key, f"must be a number from {low} to {high}")
        return float(value) if type(value) is float else int(value)

    def truth(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.value(key) if key in self else default
        if not isinstance(value, bool):
            self.refuse(key, "must be true or false")
        return value

    def day(self, key: str) -> date:
        """A date: TOML's own, or ISO text in JSON; one from which days and years can be counted."""
        value = self.value(key)
        try:
            day = value if type(value) is date else date.fromisoformat(value)
        except (TypeError, ValueError):
            self.refuse(key, "must be a date such as 2026-09-01")
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            self.refuse(key, f"must be a date from {FIRST_YEAR} to {LAST_YEAR}")
        return day

    def table(self, key: str) -> Reader:
        """The table under this key."""
        return self._inner(self.value(key), key)

    def tables(self, key: str, *, at_least: int = 0) -> Iterator[Reader]:
        """The tables of the list under this key, in order."""
        value = self.value(key) if at_least or key in self else []
        if not isinstance(value, list) or len(value) < at_least:
            self.refuse(key, f"must be a list of at least {at_least} tables")
        return (self._inner(part, _called(f"{key}[{i}]", part)) for i, part in enumerate(value))

    def _inner(self, table: Any, key: str) -> Reader:
        return Reader(table, file=self.file, place=self._place_of(key), line_of=self.line_of)


def _called(place: str, table: Any) -> str:
    """The place of a table in a list, with what it calls itself, so that a person can look for it.

    >>> _called("rule[13]", {"id": "K02"}), _called("limit_row[3]", {"base_yuan": 1})
    ('rule[13] K02', 'limit_row[3]')
    """
    names = [table.get(key) for key in CALLED_BY] if isinstance(table, Mapping) else []
    name = next((n for n in names if isinstance(n, str) and n.isascii() and n.isalnum()), "")
    return f"{place} {name}" if 0 < len(name) <= LONGEST_NAME else place


def _unquoted(value: Any) -> str:
    """What to write in place of a whole number in quotation marks or with a decimal point."""
    figures = value.replace(",", "").replace("_", "").strip() if isinstance(value, str) else ""
    if figures.isascii() and figures.isdigit() and len(figures) <= LONGEST_NAME:
        return f", without quotation marks: write {int(figures)}"
    if type(value) is float and value.is_integer():
        return f", without a decimal point: write {int(value)}"
    return ""
