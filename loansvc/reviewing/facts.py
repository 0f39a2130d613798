"""Facts: what a person says about a decision, who said it, and which disputes are open.

Pure values; days are counted here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any, TypeVar

from loansvc.errors import LedgerDamaged
from loansvc.provenance import same_person

# 征信业管理条例 art. 25 (2) [A]: looked into and answered in writing within 20 days of receipt.
# Calendar days, the day of receipt not counted: 民法典 art. 200, 201 [A]. Its art. 203 moves a last
# day that is a public holiday on to the day after the holiday; no calendar of holidays is kept
# here, so that the day shown may be a few days early and is never late.
DISPUTE_DAYS = 20

Kind = TypeVar("Kind", bound="Said")


@dataclass(frozen=True, slots=True)
class By:
    """Who acts: the key and the person who holds it; from the shell a name alone."""

    key_id: str = ""
    holder: str = ""

    def is_same_as(self, other: By) -> bool:
        """Whether both are one person, as far as keys and names can tell.

        >>> By("k1", "A. Clerk").is_same_as(By("k2", " a. clerk"))
        True
        >>> By("k1").is_same_as(By("k2")), By("k1").is_same_as(By("k1", "A. Clerk"))
        (False, True)
        """
        if self.key_id and self.key_id == other.key_id:
            return True
        return bool(self.holder and other.holder) and same_person(self.holder, other.holder)

    @property
    def name(self) -> str:
        """The person, else the key."""
        return self.holder or f"key {self.key_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something said about a decision. `reference` is the caller's own id of it."""

    reference: str

    def to_record(self) -> dict[str, Any]:
        """The JSON form that is recorded; fields that are None are left out."""
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: _plain(value) for name, value in pairs if value is not None}

    @classmethod
    def from_record(cls: type[Kind], record: dict[str, Any]) -> Kind:
        """What has this record form.

        Raises:
            LedgerDamaged: it is the record form of none.
        """
        with suppress(KeyError, TypeError, ValueError):
            on = {"on": date.fromisoformat(record["on"])} if "on" in record else {}
            found = cls(**{**record, **on})
            kinds = {f.name: str(f.type).split(" | ") for f in fields(found)}
            values = ((getattr(found, name), names) for name, names in kinds.items())
            if all(type(v).__name__.replace("NoneType", "None") in names for v, names in values):
                return found
        raise LedgerDamaged(
            "What a person said is not recorded in the form in which it is kept. "
            "Run: loansvc ledger verify"
        )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(Said):
    """That a person is to decide. `note`: a short text without personal numbers."""

    asked_by: str
    reason: str
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override(Said):
    """What a person decided. Amount and term, of an approval: those recorded unless stated."""

    outcome: str
    reason: str
    amount_yuan: int | None = None
    term_months: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute(Said):
    """That an objection was lodged on a day, or how it ended; one at a time about each thing."""

    kind: str
    about: str
    on: date


def due_on(lodged_on: date) -> date:
    """The last day for the answer to an objection received that day.

    >>> due_on(date(2026, 11, 23))
    datetime.date(2026, 12, 13)
    """
    return lodged_on + timedelta(days=DISPUTE_DAYS)


def open_disputes(said: Iterable[Dispute]) -> list[Dispute]:
    """Of what was reported, oldest first, the objections that are not answered yet."""
    found: dict[str, Dispute] = {}
    for dispute in said:
        if dispute.kind == "lodged":
            found[dispute.about] = dispute
        else:
            found.pop(dispute.about, None)
    return list(found.values())
