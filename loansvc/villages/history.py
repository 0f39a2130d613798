"""History of a village: what each register said of it that was new, what followed by itself.

Reads no file and no clock: the editions come in. A register speaks from its first day until the
next one that says something new of the village.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from loansvc.editions import Edition
from loansvc.errors import NotFound
from loansvc.villages import GRACE_MONTHS, VALID_MONTHS, Register, Village, rating_on


@dataclass(frozen=True, slots=True)
class Change:
    """From a day on the village counts as this, without any new register."""

    on: date
    rating: str
    state: str


@dataclass(frozen=True, slots=True)
class Said:
    """One register that says something new. `counts`: how the village stands on its first day."""

    register: Edition[Register]
    village: Village
    counts: Change
    changes: tuple[Change, ...]


def history_of(code: str, editions: Iterable[Edition[Any]]) -> tuple[Said, ...]:
    """Every register that says something new of a village, in order of its first day.

    Raises:
        NotFound: no register lists it.
    """
    registers = sorted((e for e in editions if e.kind == "villages"), key=lambda e: e.valid_from)
    lines = [(e, e.content.villages[code]) for e in registers if code in e.content.villages]
    if not lines:
        raise NotFound(
            "There is no such village in any register. "
            "See GET /v1/villages, or in the shell: loansvc villages list NAME"
        )
    new = [
        (edition, village) for i, (edition, village) in enumerate(lines)
        if i == 0 or _told(village) != _told(lines[i - 1][1])
    ]  # fmt: skip
    ends = [edition.valid_from for edition, _ in new[1:]]
    return tuple(
        Said(
            edition,
            village,
            Change(edition.valid_from, *rating_on(village, edition.valid_from)),
            changes_by_themselves(village, after=edition.valid_from, before=end),
        )
        for (edition, village), end in zip(new, [*ends, date.max], strict=True)
    )


def _told(village: Village) -> Village:
    """What counts as news: all but the loans behind the points, which only explain them."""
    return replace(village, record={}, evidence=dict(village.evidence))


def changes_by_themselves(village: Village, *, after: date, before: date) -> tuple[Change, ...]:
    """The days between two others on which a line counts otherwise than the day before.

    >>> qifang = Village(
    ...     "340521102201", "七房村", "乌溪镇", "AA", date(2024, 3, 31), 6, 10, {}, None
    ... )
    >>> found = changes_by_themselves(qifang, after=date(2024, 4, 1), before=date.max)
    >>> [(str(change.on), change.rating, change.state) for change in found]
    [('2026-03-31', 'A', 'grace'), ('2026-06-30', 'unrated', 'expired')]
    """
    if village.assessed_on is None:
        return ()
    days = {
        months_after(village.assessed_on, VALID_MONTHS),
        months_after(village.assessed_on, VALID_MONTHS + GRACE_MONTHS),
        *([village.revocation.on] if village.revocation else []),
    }
    return tuple(
        Change(day, *rating_on(village, day))
        for day in sorted(days)
        if after < day < before
        and rating_on(village, day) != rating_on(village, day - timedelta(days=1))
    )


def months_after(day: date, months: int) -> date:
    """The day some months later; where that month is too short, its last day.

    >>> str(months_after(date(2024, 3, 31), 27)), str(months_after(date(2024, 2, 29), 24))
    ('2026-06-30', '2026-02-28')
    """
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
