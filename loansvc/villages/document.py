"""The document of a village register: read line by line, or refused at its place. Reads no file.

A line says what is known of one village: rating with evidence, signatures, points, and what was
marked since (revocation, appeal, flags). All but the first and the points may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from loansvc.editions import Reader
from loansvc.identifiers import holds_personal_number, village_code_flaw
from loansvc.villages import (
    EVIDENCE,
    POINTS_CAP,
    RATINGS,
    UNRATED,
    Appeal,
    Flag,
    Lift,
    Register,
    Revocation,
    Village,
)
from loansvc.villages.signatures import Signature, digest_of_assessment, read_signatures

ARM_FIGURES = (
    "log_loss_ppm", "gain_ppm", "gain_error_ppm", "gain_low_ppm", "gain_high_ppm", "auc_bp",
)  # fmt: skip
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


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
        code, name, town = read_unit(reader)
        rating, assessed_on, evidence, signatures = read_assessment(
            reader, code=code, latest=valid_from, complete="signatures" in reader
        )
        points = reader.integer("points", low=-POINTS_CAP, high=POINTS_CAP)
        if points and rating == UNRATED:
            reader.refuse("points", "must be 0 for an unrated village")
        return Village(
            code=code,
            name=name,
            town=town,
            rating=rating,
            assessed_on=assessed_on,
            points=points,
            credibility_percent=reader.integer("credibility_percent", low=0, high=100),
            evidence=evidence,
            revocation=_read_revocation(reader) if "revocation" in reader else None,
            record=_read_record(reader.table("record")) if "record" in reader else {},
            signatures=signatures,
            flags=tuple(_read_flag(row) for row in reader.tables("flag")),
            appeal=_read_appeal(reader, valid_from) if "appeal" in reader else None,
        )


def read_unit(reader: Reader) -> tuple[str, str, str]:
    """Code, name and town of the village a line is about."""
    code = reader.text("code")
    if flaw := village_code_flaw(code, known=frozenset({code})):
        reader.refuse("code", flaw.detail.rstrip("."))
    return code, reader.text("name"), reader.text("town")


def read_assessment(
    reader: Reader, *, code: str, latest: date, complete: bool
) -> tuple[str, date | None, Mapping[str, Any], tuple[Signature, ...]]:
    """Rating, its day, its evidence and who signed them; all three where `complete`.

    Raises:
        EditionRefused: a day is after `latest`, or a signature is of other content.
    """
    rating = reader.word("rating", RATINGS)
    rated = rating != UNRATED
    assessed_on = reader.day("assessed_on") if rated else None
    if assessed_on is not None and assessed_on > latest:
        reader.refuse("assessed_on", "must not be after the register's first day")
    evidence = _read_evidence(reader.table("evidence"), latest) if rated else {}
    if not complete and "signatures" not in reader:  # most lines; a digest of each would be felt
        return rating, assessed_on, evidence, ()
    digest = digest_of_assessment(
        code=code, rating=rating, assessed_on=assessed_on, evidence=evidence
    )
    signatures = read_signatures(
        reader, digest=digest, assessed_on=assessed_on, latest=latest, complete=complete
    )
    return rating, assessed_on, evidence, signatures


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


def _read_flag(reader: Reader) -> Flag:
    with reader:
        flag = Flag(
            since=reader.day("from"),
            until=reader.day("until"),
            reason=reader.text("reason"),
            document_sha256=_read_sha256(reader),
            lifted=_read_lift(reader.table("lifted")) if "lifted" in reader else None,
        )
        if flag.until < flag.since:
            reader.refuse("until", "must not be before from")
        if flag.lifted is not None and flag.lifted.on > flag.until:
            reader.refuse("lifted.on", f"must not be after until, {flag.until}; it has ended then")
        if holds_personal_number(flag.reason):
            reader.refuse("reason", "must not hold an ID or phone number; the document has it")
        return flag


def _read_lift(reader: Reader) -> Lift:
    with reader:
        return Lift(reader.day("on"), _read_sha256(reader))


def _read_appeal(reader: Reader, valid_from: date) -> Appeal:
    with reader.table("appeal") as row:
        decided_on = row.day("decided_on") if "decided_on" in row else None
        appeal = Appeal(row.day("lodged_on"), _read_sha256(row), decided_on)
        if appeal.lodged_on > valid_from:
            row.refuse("lodged_on", "must not be after the register's first day")
        if decided_on is not None and decided_on < appeal.lodged_on:
            row.refuse("decided_on", "must not be before lodged_on")
        return appeal


def _read_sha256(reader: Reader) -> str:
    digest = reader.text("document_sha256")
    if not is_sha256(digest):
        reader.refuse("document_sha256", "must be the SHA-256 of the document, 64 hex digits")
    return digest


def is_sha256(text: str) -> bool:
    """Whether a text is a SHA-256 as registers write it.

    >>> is_sha256("0f" * 32), is_sha256("see the file")
    (True, False)
    """
    return _SHA256.fullmatch(text) is not None
