"""Levers on credentials: certificates, titles, awards, a place in a founders' park.

A new credential is one of the day of application from an issuer who vouches for its kind; where the
policy lets nobody vouch, there is no such lever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from loansvc.application import (
    ISSUERS,
    LEVELS,
    Credential,
    level_held,
    park_months,
    training_certificates,
    valid_credentials,
)
from loansvc.reasons import LEVEL_TEXTS
from loansvc.remedies.lever import MOST_MONTHS, Lever, Setting, Texts, counted, later, months_before

MOST_CERTIFICATES = 3
RECORDS = "public_records"  # the consent without which no credential is known


def _vouched_issuer(setting: Setting, kind: str) -> str | None:
    """An issuer who vouches for that kind, if the policy names any."""
    vouching = setting.editions.policy.content.vouching[kind]
    return next((issuer for issuer in ISSUERS if issuer in vouching), None)


def _with_credential(
    setting: Setting, kind: str, number: str, *, issued_on: date, level: str | None = None
) -> Setting:
    issuer = _vouched_issuer(setting, kind)
    assert issuer is not None, "steps are given only where somebody vouches"
    new = Credential(kind=kind, issuer=issuer, number=number, issued_on=issued_on, level=level)
    return setting.given(credentials=(*setting.application.credentials, new))


def _new_certificates(setting: Setting, to: int) -> Setting:
    for n in range(to - training_certificates(setting.application)):
        # Longer than any number that can be sent, so that it is none that is already held.
        setting = _with_credential(
            setting, "training_certificate", f"{n:065d}", issued_on=setting.application.on
        )
    return setting


def _certificate_texts(before: int, after: int) -> Texts:
    more = after - before
    if before == 0:
        return f"取得{more}本技能培训证书", "A training certificate" if more == 1 else counted(
            more, "training certificate")  # fmt: skip
    return f"再取得{more}本技能培训证书", counted(more, "more training certificate")


def _certificates() -> Lever:
    kind = "training_certificate"

    def steps(setting: Setting) -> Sequence[int]:
        if _vouched_issuer(setting, kind) is None:
            return ()
        held = training_certificates(setting.application)
        return range(held + 1, held + MOST_CERTIFICATES + 1)

    return Lever("training_certificates", frozenset({"training_certificates", "talent_tier"}),
                 RECORDS, lambda s: training_certificates(s.application), steps,
                 _new_certificates, _certificate_texts, "training_certificates")  # fmt: skip


def _levelled(name: str, kind: str, zh: str, en: str, *moves: str) -> Lever:
    """A title or award of a level above the one held: 1 county to 4 national."""

    def steps(setting: Setting) -> Sequence[int]:
        held = level_held(setting.application, kind)
        return range(held + 1, len(LEVELS) + 1) if _vouched_issuer(setting, kind) else ()

    def move(setting: Setting, level: int) -> Setting:
        issued_on = setting.application.on
        return _with_credential(setting, kind, "new", issued_on=issued_on, level=LEVELS[level - 1])

    def texts(_: int, level: int) -> Texts:
        level_zh, level_en = LEVEL_TEXTS[level]
        return zh.format(level=level_zh), en.format(level=level_en)

    return Lever(name, frozenset((*moves, "talent_tier")), RECORDS,
                 lambda s: level_held(s.application, kind), steps, move, texts, name)  # fmt: skip


def _park_months(setting: Setting) -> int | None:
    resident = valid_credentials(setting.application, "park_resident")
    return park_months(setting.application) if resident else None


def _park_steps(setting: Setting) -> Sequence[int]:
    months = _park_months(setting)
    if months is not None:
        return later(months)
    return range(MOST_MONTHS + 1) if _vouched_issuer(setting, "park_resident") else ()


def _in_park_for(setting: Setting, months: int) -> Setting:
    """Resident for so many months by a credential of that day; the longest residence counts."""
    application = setting.application
    issued_on = months_before(application.on, months)
    held = valid_credentials(application, "park_resident")
    if not held:
        return _with_credential(setting, "park_resident", "new", issued_on=issued_on)
    oldest = replace(min(held, key=lambda c: c.issued_on), issued_on=issued_on)
    return setting.given(credentials=(*application.credentials, oldest))


def _park_texts(before: int | None, after: int) -> Texts:
    if before is not None:
        more = after - before
        return f"在创业园再入驻{more}个月", f"{counted(more, 'more month')} in a founders' park"
    if after == 0:
        return "入驻创业园", "Residence in a founders' park"
    months = counted(after, "month")
    return f"入驻创业园并满{after}个月", f"Residence in a founders' park for {months}"


CREDENTIAL_LEVERS = (
    _certificates(),
    _levelled("craftsman_level", "craftsman_title", "取得{level}工匠称号",
              "A craftsman title of {level}", "craftsman_level"),
    _levelled("contest_award_level", "contest_award", "获得{level}创业大赛奖项",
              "A contest award of {level}", "contest_award_level"),
    _levelled("talent_plan_level", "talent_plan", "入选{level}人才计划",
              "A place in a talent plan of {level}"),
    Lever("park_months", frozenset({"park_months", "park_resident"}), RECORDS, _park_months,
          _park_steps, _in_park_for, _park_texts, "park_months"),
)  # fmt: skip
