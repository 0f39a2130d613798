"""Registry: the editions on disk, verified, by date or by digest.

`editions.lock` is the list of publications: which file, with which digest, holds from which day in
which role, and who approved it. A file is read only if the lock names it and its digest fits; a
wrong, truncated, changed, unlocked or missing file stops the start, with the file and the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from loansvc.decision import Editions
from loansvc.editions import CHALLENGER, CHAMPION, COUNTY, Edition, in_force, not_ended
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


def place_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """What one publication alone can have: kind, product, role, first day.

    Challengers of one product may start together; of one document only one publication can.
    """
    place = tuple(entry[k] for k in ("kind", "product", "role", "valid_from"))
    return (*place, entry["digest"]) if entry["role"] == CHALLENGER else place


class Registry:
    """Every published edition, read and checked once; immutable until `publish`."""

    def __init__(self, folder: Path, editions: Sequence[Edition[Any]]) -> None:
        self.folder = folder
        self.editions = tuple(editions)
        self._in_force = lru_cache(MOST_REMEMBERED)(self._find)
        self._challengers = lru_cache(MOST_REMEMBERED)(self._find_challengers)
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
        places = [place_of(entry) for entry in entries]
        if len(set(places)) != len(places):
            kind, product, role, day, *_ = next(p for p in places if places.count(p) > 1)
            raise EditionRefused(
                f"{LOCK}: two editions of one kind, product and role start together: {role} "
                f"{kind} of {product}, {day}. Take one of the two out."
            )
        return cls(folder, read_all(folder, entries))

    def in_force(self, product: str, on: date, *, role: str = CHAMPION) -> Editions:
        """The four editions for that product and day; only a scorecard can be a challenger.

        Raises:
            NoEditionInForce: one of them is missing.
        """
        return self._in_force(product, on, role)

    def _find(self, product: str, on: date, role: str) -> Editions:
        def one(kind: str, of: str, role: str = CHAMPION) -> Edition[Any]:
            return in_force(self.editions, kind=kind, product=of, role=role, on=on)

        return Editions(
            scorecard=one("scorecard", product, role),
            villages=one("villages", COUNTY),
            policy=one("policy", product),
            rates=one("rates", COUNTY),
        )

    def challengers(self, product: str, on: date) -> tuple[Edition[Any], ...]:
        """The scorecards that challenge the champion of that product and day, oldest first.

        One that is the champion's own document is none.

        Raises:
            NoEditionInForce: there is no champion.
        """
        return self._challengers(product, on)

    def _find_challengers(self, product: str, on: date) -> tuple[Edition[Any], ...]:
        champion = self.in_force(product, on).scorecard
        published = [e for e in self.editions if (e.product, e.role) == (product, CHALLENGER)]
        return tuple(e for e in not_ended(published, on=on) if e.digest != champion.digest)

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
