"""Limits: what a person may decide, and what the rules, the fund and the record keep from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from loansvc.application import Loan
from loansvc.decision import Case
from loansvc.errors import FieldError, InvalidReview, ReviewRefused
from loansvc.identifiers import holds_personal_number
from loansvc.reasons import PLAIN_REASONS
from loansvc.reviewing.facts import By, Dispute, Override, Review, Said, open_disputes
from loansvc.reviewing.words import OVERRIDE_REASONS

LONGEST_NOTE = 200


def check_note(said: Review | Override) -> None:
    """Refuse a note that is long or may tell who somebody is.

    Raises:
        InvalidReview: it is, or it holds what looks like an ID or mobile number.
    """
    if said.note is None:
        return
    if not (0 < len(said.note) <= LONGEST_NOTE and said.note.isprintable()):
        says = f"Must be 1 to {LONGEST_NOTE} printable characters."
        raise InvalidReview([FieldError("/note", "wrong_form", says)])
    if holds_personal_number(said.note):
        says = "Must hold no ID number and no telephone number; leave it out."
        raise InvalidReview([FieldError("/note", "personal_number", says)])


def check_fields(override: Override, *, machine: str) -> None:
    """Refuse a reason or an offer that does not go with the outcome. `machine`: its outcome.

    Raises:
        InvalidReview: with every field error there is.
    """
    errors = []
    confirms = override.reason == "confirmed" and override.outcome != machine
    if confirms or override.outcome not in OVERRIDE_REASONS[override.reason][0]:
        says = "Is no reason for this outcome. See /docs for those that are."
        errors.append(FieldError("/reason", "not_of_this_outcome", says))
    if override.outcome == "decline" and (override.amount_yuan or override.term_months):
        says = "Is part of an approval alone; leave it out."
        errors.append(FieldError("/offer", "not_of_this_outcome", says))
    if errors:
        raise InvalidReview(errors)


def check_same(known: Said, said: Said, *, else_: str) -> None:
    """Let pass what was said before in the same words.

    Raises:
        ReviewRefused: `reference_reused` for something else, or the code for another reference.
    """
    if known != said:
        raise ReviewRefused("reference_reused" if known.reference == said.reference else else_)


def check_eyes(asked: By, decides: By) -> None:
    """Let two persons pass.

    Raises:
        ReviewRefused: they are one.
    """
    if decides.is_same_as(asked):
        raise ReviewRefused("four_eyes")


def allowed_yuan(case: Case) -> int:
    """The limit that the rules leave a case, whatever its score asks for.

    Raises:
        ReviewRefused: a rule declines it, or there is no limit; names the rules.
    """
    standing = [f.rule for f in case.judgement.findings if f.outcome == "decline"]
    limit = case.judgement.limit.limit_yuan
    if standing or not limit:
        errors = [FieldError("/outcome", rule.id, f"Stands: {rule.en}.") for rule in standing]
        if not limit:
            errors.append(FieldError("/outcome", "no_limit", "The rules leave this case no limit."))
        raise ReviewRefused("rules_stand", errors=errors)
    return limit


def check_offer(offered: Loan, *, asked: Loan, limit_yuan: int) -> None:
    """Refuse to offer more than the limit, or more or longer than was asked for.

    Raises:
        ReviewRefused: names the bound.
    """
    most, longest = min(limit_yuan, asked.amount_yuan), asked.term_months
    errors = []
    if offered.amount_yuan > most:
        says = f"Must be at most {most}."
        errors.append(FieldError("/offer/amount_yuan", "above_limit", says))
    if offered.term_months > longest:
        says = f"Must be at most {longest}."
        errors.append(FieldError("/offer/term_months", "above_limit", says))
    if errors:
        raise ReviewRefused("above_limit", errors=errors)


def check_fund(case: Case, recorded: Mapping[str, Any] | None) -> None:
    """Refuse an offer whose tier the fund cannot carry now, unless that tier was shown before.

    A decision would move down the ladder; a person approves the terms that were seen.

    Raises:
        ReviewRefused: names the caps that bind.
    """
    caps = list(dict.fromkeys(code for _, code in case.judgement.tier_caps))
    tier = case.judgement.tier.tier
    if caps and (tier == "GX" or recorded is None or tier != recorded["tier"]):
        errors = [FieldError("/offer/amount_yuan", c, f"{PLAIN_REASONS[c][2]}.") for c in caps]
        raise ReviewRefused("over_fund_cap", errors=errors)


def check_order(said: Dispute, earlier: Iterable[Dispute], *, applied_on: date) -> None:
    """Refuse a dispute that ends before it began, or begins twice.

    Raises:
        ReviewRefused: says which.
    """
    lodged = {one.about: one for one in open_disputes(earlier)}.get(said.about)
    if said.on < applied_on:
        raise ReviewRefused("before_application")
    if said.kind == "lodged":
        if lodged is not None:
            raise ReviewRefused("already_lodged")
        return
    if lodged is None:
        raise ReviewRefused("not_lodged")
    if said.on < lodged.on:
        raise ReviewRefused("before_lodging")
