"""Signatures: three persons answer for a rating. Reads no file and no clock.

The village's Party organisation proposes, the town checks, the bank agrees (DOMAIN 2.3). Each signs
the rating, its day and its evidence: the signature states their digest, so that a change made after
it is found wherever the line is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Any

from loansvc.editions import Reader
from loansvc.identifiers import holds_personal_number
from loansvc.provenance import same_person

ROLES = ("village", "town", "bank")  # DOMAIN 2.3, assessor


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed which content, for whom, and when."""

    role: str
    name: str
    signed_on: date
    digest: str


def digest_of_assessment(
    *, code: str, rating: str, assessed_on: date | None, evidence: Mapping[str, Any]
) -> str:
    """The digest of what is signed, whatever order its keys stand in.

    >>> found = digest_of_assessment(code="1", rating="unrated", assessed_on=None, evidence={})
    >>> found[:15]
    'sha256:6f352bd0'
    """
    content = {
        "assessed_on": assessed_on and assessed_on.isoformat(),
        "code": code,
        "evidence": dict(evidence),
        "rating": rating,
    }
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def read_signatures(
    reader: Reader, *, digest: str, assessed_on: date | None, latest: date, complete: bool
) -> tuple[Signature, ...]:
    """The signatures of a line, which fit its content; all three where `complete`.

    Raises:
        EditionRefused: one is of other content, of another day, or of the same role or person.
    """
    signatures = tuple(
        _read_signature(row, digest=digest, assessed_on=assessed_on, latest=latest)
        for row in reader.tables("signatures")
    )
    roles = [s.role for s in signatures]
    if len(set(roles)) != len(roles):
        reader.refuse("signatures", "has two signatures of one role")
    if any(same_person(a.name, b.name) for a, b in combinations(signatures, 2)):
        reader.refuse(
            "signatures",
            "must be of different persons; one has signed twice; have another person sign",
        )
    if complete and len(roles) < len(ROLES):
        lacking = ", ".join(role for role in ROLES if role not in roles)
        reader.refuse("signatures", f"lacks that of {lacking}; add it: loansvc villages sign")
    return signatures


def _read_signature(
    reader: Reader, *, digest: str, assessed_on: date | None, latest: date
) -> Signature:
    with reader:
        signature = Signature(
            role=reader.word("role", ROLES),
            name=reader.text("name"),
            signed_on=reader.day("signed_on"),
            digest=reader.text("digest"),
        )
        if holds_personal_number(signature.name):
            reader.refuse("name", "must be a name, without an ID or phone number")
        if signature.digest != digest:
            reader.refuse(
                "digest", "is not that of this line, which was changed after it was signed; "
                "put it back, or rate and sign it again"
            )  # fmt: skip
        if assessed_on is not None and signature.signed_on < assessed_on:
            reader.refuse("signed_on", f"must not be before the evidence of {assessed_on}")
        if signature.signed_on > latest:
            reader.refuse("signed_on", f"must not be after {latest}")
        return signature
