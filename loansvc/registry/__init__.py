"""Registry: the editions on disk, verified, by date or by digest.

`editions.lock` is the list of publications: which file, with which digest, holds from which day in
which role, and who approved it. A file is read only if the lock names it and its digest fits; a
wrong, truncated, changed, unlocked or missing file stops the start, with the file and the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from loansvc.decision import Editions
from loansvc.editions import COUNTY, Edition, in_force
from loansvc.errors import EditionRefused, NotFound
from loansvc.registry.documents import (
    LOCK,
    edition_files,
    read_all,
    read_document,
    read_lock,
    read_plain,
)

__all__ = ["LOCK", "Registry", "read_document", "read_plain"]

MOST_REMEMBERED = 512  # answers of `in_force`: four products, and the days that are asked about
PLACE = ("kind", "product", "role", "valid_from")  # one edition for each


class Registry:
    """Every published edition, read and checked once; immutable until `publish`."""

    def __init__(self, folder: Path, editions: Sequence[Edition[Any]]) -> None:
        self.folder = folder
        self.editions = tuple(editions)
        self._in_force = lru_cache(MOST_REMEMBERED)(self._find)
        # The code table: every village of every register published.
        self.village_codes = frozenset(
            code for e in self.editions if e.kind == "villages" for code in e.content.villages
        )

    @classmethod
    def open(cls, folder: Path) -> Registry:
        """The editions of a folder.

        Raises:
            EditionRefused: the lock or a file is wrong; says which and why.
        """
        entries = read_lock(folder)
        locked = {entry["path"] for entry in entries}
        for path in edition_files(folder):
            name = path.relative_to(folder).as_posix()
            if name not in locked:
                raise EditionRefused(
                    f"{name}: is not in {LOCK}. Publish it (loansvc publish FILE) or remove it."
                )
        places = [tuple(entry[k] for k in PLACE) for entry in entries]
        if len(set(places)) != len(places):
            kind, product, role, day = next(p for p in places if places.count(p) > 1)
            raise EditionRefused(
                f"{LOCK}: two editions of one kind, product and role start together: {role} "
                f"{kind} of {product}, {day}. Take one of the two out."
            )
        return cls(folder, read_all(folder, entries))

    def in_force(self, product: str, on: date, *, role: str = "champion") -> Editions:
        """The four editions for that product and day; only a scorecard can be a challenger.

        Raises:
            NoEditionInForce: one of them is missing.
        """
        return self._in_force(product, on, role)

    def _find(self, product: str, on: date, role: str) -> Editions:
        def one(kind: str, of: str, role: str = "champion") -> Edition[Any]:
            return in_force(self.editions, kind=kind, product=of, role=role, on=on)

        return Editions(
            scorecard=one("scorecard", product, role),
            villages=one("villages", COUNTY),
            policy=one("policy", product),
            rates=one("rates", COUNTY),
        )

    def by_digest(self, digest: str) -> Edition[Any]:
        """The first publication of the document with that digest.

        Raises:
            NotFound: no such document.
        """
        for edition in self.editions:
            if edition.digest == digest:
                return edition
        raise NotFound("There is no edition with this digest. See GET /v1/editions.")

    def recorded(self, references: dict[str, dict[str, str]]) -> Editions:
        """The editions a decision names, by digest and first day.

        Raises:
            NotFound: a document is no longer there.
        """
        found = {kind: self.recorded_one(reference) for kind, reference in references.items()}
        return Editions(**found)

    def recorded_one(self, reference: dict[str, str]) -> Edition[Any]:
        """That very publication, else the first one of the same document."""
        for edition in self.editions:
            publication = (edition.digest, edition.valid_from.isoformat())
            if publication == (reference["digest"], reference["valid_from"]):
                return edition
        return self.by_digest(reference["digest"])
