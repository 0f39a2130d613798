"""Villages: a register of ratings and points, and how a village stands on a day. Reads no file.

A rating holds 24 months, then 3 months of grace one notch down, then the village is unrated.
Unrated is unknown, not bad. A revocation forces B from its day on, never before. A flag of conduct
or an appeal is told of a day and changes neither rating nor points: see `Standing`.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from loansvc.application import GRADES, whole_months
from loansvc.villages.signatures import Signature

UNRATED = "unrated"
RATINGS = (*GRADES, UNRATED)
STATES = ("rated", "grace", "expired", "revoked", "unrated")
VALID_MONTHS, GRACE_MONTHS = 24, 3  # DOMAIN 2.3 [E]
REVOKED_TO = "B"  # DOMAIN 2.3 [E]
POINTS_CAP = 10  # 0.35 in log-odds at 28.85 points each (DOMAIN 2.3 [E])
EVIDENCE = (
    "households_total", "households_rated", "households_a_plus", "borrowers", "borrowers_overdue",
    "balance_yuan", "npl_balance_yuan",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Revocation:
    """Why and when a rating was taken away."""

    on: date
    reason: str
    document_sha256: str


@dataclass(frozen=True, slots=True)
class Lift:
    """From a day on, a flag no longer holds; the document says why."""

    on: date
    document_sha256: str


@dataclass(frozen=True, slots=True)
class Flag:
    """A referral flag from marks of conduct (乡风文明), both days included.

    It asks that a person looks, and nothing else: no rating, point or figure of evidence knows it.
    """

    since: date
    until: date
    reason: str
    document_sha256: str
    lifted: Lift | None = None

    def holds_on(self, on: date) -> bool:
        """Whether it asks for a person on a day.

        >>> flag = Flag(date(2027, 1, 1), date(2027, 6, 30), "", "", Lift(date(2027, 3, 1), ""))
        >>> [flag.holds_on(date(*d)) for d in ((2026, 12, 31), (2027, 2, 28), (2027, 3, 1))]
        [False, True, False]
        """
        return self.since <= on <= self.until and (self.lifted is None or on < self.lifted.on)


@dataclass(frozen=True, slots=True)
class Appeal:
    """An appeal of the village. It pends from `lodged_on` until the day it is decided."""

    lodged_on: date
    document_sha256: str
    decided_on: date | None = None

    def pends_on(self, on: date) -> bool:
        """Whether it is lodged and not decided.

        >>> appeal = Appeal(date(2026, 9, 1), "0" * 64, decided_on=date(2026, 9, 20))
        >>> [appeal.pends_on(date(2026, m, d)) for m, d in ((8, 31), (9, 1), (9, 19), (9, 20))]
        [False, True, True, False]
        """
        return self.lodged_on <= on and (self.decided_on is None or on < self.decided_on)


@dataclass(frozen=True, slots=True)
class Village:
    """One line of the register. `points` is what the village's own record adds to a score.

    `record`: the loans behind the points (loans, loans_bad), where the register states them.
    `signatures`: none, in registers older than signing and in synthetic ones, or all three.
    """

    code: str
    name: str
    town: str
    rating: str
    assessed_on: date | None
    points: int
    credibility_percent: int
    evidence: Mapping[str, Any]
    revocation: Revocation | None
    record: Mapping[str, int] = field(default_factory=dict)
    signatures: tuple[Signature, ...] = ()
    flags: tuple[Flag, ...] = ()
    appeal: Appeal | None = None

    @property
    def assessment(self) -> tuple[str, date | None, Mapping[str, Any]]:
        """What three persons sign: the rating, the day it holds from, and the evidence."""
        return self.rating, self.assessed_on, self.evidence


@dataclass(frozen=True, slots=True)
class Standing:
    """How a village stands on a day. `state`: one of STATES.

    `flagged`: a person should look (`Flag`). `appeal`: one pends; the rating stands meanwhile.
    """

    code: str
    name: str
    town: str
    rating: str
    state: str
    assessed_on: date | None
    points: int
    credibility_percent: int
    flagged: bool = False
    appeal: bool = False


@dataclass(frozen=True, slots=True)
class Register:
    """Every village-level unit of the county.

    `fit`: the test that gave the points their weight. Read by people; scoring never looks at it.
    """

    villages: Mapping[str, Village]
    synthetic: bool
    statement: str
    fit: Mapping[str, Any] = field(default_factory=dict)

    def standing(self, code: str, on: date) -> Standing:
        """Rating and points of that village on that day; a code not listed is unrated."""
        village = self.villages.get(code)
        if village is None:
            return Standing(code, "", "", UNRATED, "unrated", None, 0, 0)
        rating, state = rating_on(village, on)
        counts = state != "expired"  # evidence too old for a rating is too old for points
        return Standing(
            village.code, village.name, village.town, rating, state, village.assessed_on,
            village.points if counts else 0, village.credibility_percent if counts else 0,
            flagged=any(flag.holds_on(on) for flag in village.flags),
            appeal=village.appeal is not None and village.appeal.pends_on(on),
        )  # fmt: skip


def rating_on(village: Village, on: date) -> tuple[str, str]:
    """The rating that counts on a day, and the state it is in.

    >>> qifang = Village(
    ...     "340521102201", "七房村", "乌溪镇", "AA", date(2024, 3, 31), 6, 10, {}, None
    ... )
    >>> [
    ...     rating_on(qifang, date(y, m, d))
    ...     for y, m, d in ((2026, 3, 30), (2026, 3, 31), (2026, 6, 30))
    ... ]
    [('AA', 'rated'), ('A', 'grace'), ('unrated', 'expired')]
    """
    if village.rating == UNRATED or village.assessed_on is None:
        return UNRATED, "unrated"
    months = whole_months(village.assessed_on, on)
    # 31 March plus three months ends on 30 June: a missing day counts as the month's last.
    if _past_last_day(village.assessed_on, on):
        months += 1
    rating, state = village.rating, "rated"
    if months >= VALID_MONTHS:
        rating, state = GRADES[min(GRADES.index(rating) + 1, len(GRADES) - 1)], "grace"
    if village.revocation is not None and village.revocation.on <= on:
        # Before expiry, so that time alone does not lift what was taken away.
        return GRADES[max(GRADES.index(rating), GRADES.index(REVOKED_TO))], "revoked"
    return (UNRATED, "expired") if months >= VALID_MONTHS + GRACE_MONTHS else (rating, state)


def _past_last_day(assessed_on: date, on: date) -> bool:
    """Whether `on` is the last day of a month too short for the day of assessment."""
    last = monthrange(on.year, on.month)[1]
    return on.day == last and assessed_on.day > last
