"""Villages: a register of ratings and points, and how a village stands on a day. Reads no file.

A rating holds 24 months, then 3 months of grace one notch down, then the village is unrated.
Unrated is unknown, not bad. A revocation forces B from its day on, never before.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from loansvc.application import GRADES, whole_months
from loansvc.editions import Reader
from loansvc.identifiers import village_code_flaw

UNRATED = "unrated"
RATINGS = (*GRADES, UNRATED)
VALID_MONTHS, GRACE_MONTHS = 24, 3  # DOMAIN 2.3 [E]
REVOKED_TO = "B"  # DOMAIN 2.3 [E]
POINTS_CAP = 10  # 0.35 in log-odds at 28.85 points each (DOMAIN 2.3 [E])
EVIDENCE = (
    "households_total", "households_rated", "households_a_plus", "borrowers", "borrowers_overdue",
    "balance_yuan", "npl_balance_yuan",
)  # fmt: skip
ARM_FIGURES = (
    "log_loss_ppm", "gain_ppm", "gain_error_ppm", "gain_low_ppm", "gain_high_ppm", "auc_bp",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Revocation:
    """Why and when a rating was taken away."""

    on: date
    reason: str
    document_sha256: str


@dataclass(frozen=True, slots=True)
class Village:
    """One line of the register. `points` is what the village's own record adds to a score.

    `record`: the loans behind the points (loans, loans_bad), where the register states them.
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


@dataclass(frozen=True, slots=True)
class Standing:
    """How a village stands on a day. `state`: rated, grace, expired, revoked, unrated."""

    code: str
    name: str
    town: str
    rating: str
    state: str
    assessed_on: date | None
    points: int
    credibility_percent: int


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


def read_register(reader: Reader, *, valid_from: date) -> Register:
    """The register in a document: each village once, rated with full evidence or unrated.

    Raises:
        EditionRefused: naming the line and the field.
    """
    villages = [_read_village(row, valid_from) for row in reader.tables("villages", at_least=1)]
    by_code = {v.code: v for v in villages}
    if len(by_code) != len(villages):
        reader.refuse("villages", "lists a village twice")
    fit = _read_fit(reader.table("fit")) if "fit" in reader else {}
    if fit.get("weight_percent") == 0 and any(v.points or v.credibility_percent for v in villages):
        reader.refuse("villages", "must have no points and no credibility where fit has weight 0")
    return Register(
        villages=by_code,
        synthetic=reader.truth("synthetic", default=False),
        statement=reader.text("statement"),
        fit=fit,
    )


def _read_fit(reader: Reader) -> dict[str, Any]:
    """The out-of-time test of the village term, as `loansvc.training.villages` states it."""
    with reader:
        counts = ("loans_fitted", "loans_fitted_bad", "loans_tested", "loans_tested_bad")
        return {
            "weight_percent": reader.integer("weight_percent", low=0, high=100),
            "tested_from": reader.day("tested_from").isoformat(),
            **{name: reader.text(name) for name in ("rule", "zh", "en")},
            **{name: reader.integer(name, low=0, high=10**9) for name in counts},
            "arms": [_read_arm(arm) for arm in reader.tables("arms")],
        }


def _read_arm(reader: Reader) -> dict[str, Any]:
    with reader:
        return {"arm": reader.text("arm")} | {
            name: reader.integer(name, low=-(10**9), high=10**9) for name in ARM_FIGURES
        }


def _read_village(reader: Reader, valid_from: date) -> Village:
    with reader:
        code = reader.text("code")
        if flaw := village_code_flaw(code, known=frozenset({code})):
            reader.refuse("code", flaw.detail.rstrip("."))
        rating = reader.word("rating", RATINGS)
        rated = rating != UNRATED
        assessed_on = reader.day("assessed_on") if rated else None
        if assessed_on is not None and assessed_on > valid_from:
            reader.refuse("assessed_on", "must not be after the register's first day")
        points = reader.integer("points", low=-POINTS_CAP, high=POINTS_CAP)
        if points and not rated:
            reader.refuse("points", "must be 0 for an unrated village")
        return Village(
            code=code,
            name=reader.text("name"),
            town=reader.text("town"),
            rating=rating,
            assessed_on=assessed_on,
            points=points,
            credibility_percent=reader.integer("credibility_percent", low=0, high=100),
            evidence=_read_evidence(reader.table("evidence"), valid_from) if rated else {},
            revocation=_read_revocation(reader) if "revocation" in reader else None,
            record=_read_record(reader.table("record")) if "record" in reader else {},
        )


def _read_evidence(reader: Reader, valid_from: date) -> dict[str, Any]:
    with reader:
        evidence: dict[str, Any] = {
            name: reader.integer(name, low=0, high=10**12) for name in EVIDENCE
        }
        as_of = reader.day("as_of")
        if as_of > valid_from:
            reader.refuse("as_of", "must not be after the register's first day")
        for part, whole in (
            ("households_rated", "households_total"), ("households_a_plus", "households_rated"),
            ("borrowers_overdue", "borrowers"), ("npl_balance_yuan", "balance_yuan"),
        ):  # fmt: skip
            if evidence[part] > evidence[whole]:
                reader.refuse(part, f"must not be more than {whole}")
        return evidence | {"as_of": as_of.isoformat()}


def _read_record(reader: Reader) -> dict[str, int]:
    with reader:
        loans = reader.integer("loans", low=0, high=10**9)
        return {"loans": loans, "loans_bad": reader.integer("loans_bad", low=0, high=loans)}


def _read_revocation(reader: Reader) -> Revocation:
    with reader.table("revocation") as row:
        return Revocation(row.day("on"), row.text("reason"), row.text("document_sha256"))
