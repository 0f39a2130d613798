"""Lever: one thing to act on, as whole steps by which an application changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from loansvc.application import CATALOGUE, Application
from loansvc.decision import Editions

MOST_MONTHS = 36  # nobody is told to wait longer
Texts = tuple[str, str]  # zh, en


@dataclass(frozen=True, slots=True)
class Setting:
    """What is decided on: an application, its credentials those that count, and the editions."""

    application: Application
    editions: Editions

    def given(self, **parts: Any) -> Setting:
        """The same with these parts of the application in place of its own."""
        return Setting(replace(self.application, **parts), self.editions)

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        """These characteristics; not known without consent, as in `characteristics`."""
        scopes = self.application.consent.scopes
        rows = (CATALOGUE[name] for name in names)
        return {
            row.name: row.of(self.application) if row.scope is None or row.scope in scopes else None
            for row in rows
        }


@dataclass(frozen=True, slots=True)
class Lever:
    """One thing to act on. `moves`: the facts that follow it, each in one direction only.

    `value`: where it stands (None: nothing of the kind yet). `steps`: the values it can be brought
    to, in order of growing change; none where its start is not known. `about`: two levers about the
    same are not told together. `scope`: the consent without which it would move nothing.
    """

    name: str
    moves: frozenset[str]
    scope: str | None
    value: Callable[[Setting], Any]
    steps: Callable[[Setting], Sequence[Any]]
    move: Callable[[Setting, Any], Setting]
    texts: Callable[[Any, Any], Texts]
    about: str


def counted(count: int, thing: str) -> str:
    """A count and its noun, the plural in place.

    >>> counted(1, "month"), counted(12, "more month")
    ('1 month', '12 more months')
    """
    return f"{count} {thing}{'s' * (count != 1)}"


def months_before(on: date, months: int) -> date:
    """The day from which exactly so many full months have passed by `on`.

    >>> months_before(date(2026, 3, 31), 1), months_before(date(2026, 1, 15), 13)
    (datetime.date(2026, 2, 28), datetime.date(2024, 12, 15))
    """
    year, month = divmod(on.year * 12 + on.month - 1 - months, 12)
    for day in range(on.day, 27, -1):
        try:
            return date(year, month + 1, day)
        except ValueError:  # a month too short for that day
            continue
    return date(year, month + 1, on.day)


def later(start: int | None) -> Sequence[int]:
    """The months to come, as far as anybody is told to wait; none from a start not known."""
    return () if start is None else range(start + 1, start + MOST_MONTHS + 1)
