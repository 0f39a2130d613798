"""Editions: what is in force on a day, and two of them side by side, bin by bin or in words."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from loansvc.application import CATALOGUE
from loansvc.comparison import ADDED, BINS, DROPPED, POINTS, RETYPED, Difference, compare
from loansvc.editions import CHAMPION, Edition, holding
from loansvc.errors import NotFound
from loansvc.monitoring.words import PRODUCT_WORDS
from loansvc.policy.differences import PARTS, differences
from loansvc.web.access import underwriting
from loansvc.web.api import text_of
from loansvc.web.console.bars import Change, change_bar
from loansvc.web.console.county import asked_day
from loansvc.web.console.frame import blueprint, page, signed_in
from loansvc.web.console.words import KIND_WORDS
from loansvc.web.presentation import newest_first

ROLE_WORDS = {"champion": ("正式", "champion"), "challenger": ("试验", "challenger")}
STATE_WORDS = {
    POINTS: ("分值变化", POINTS), BINS: ("分组变化", BINS), ADDED: ("新增", ADDED),
    DROPPED: ("删除", DROPPED), RETYPED: ("类型变化", RETYPED),
}  # fmt: skip
COMPARED = ("scorecard", "policy")
NAMES: dict[str, Any] = {
    "kinds": KIND_WORDS, "roles": ROLE_WORDS,
    "products": {**PRODUCT_WORDS, "county": ("全县", "county")},
}  # fmt: skip


@blueprint.get("/editions")
@signed_in("read")
def editions() -> Response:
    """What is in force on a day, what comes later, and what each took the place of."""
    on, every = asked_day(), list(underwriting().registry.editions)
    return page(
        "editions.html", on=on.isoformat(),
        in_force=[(e, before(e, every)) for e in newest_first(holding(every, on=on))],
        later=[(e, before(e, every)) for e in newest_first(every) if e.valid_from > on], **NAMES,
    )  # fmt: skip


def before(edition: Edition[Any], among: list[Edition[Any]]) -> Edition[Any] | None:
    """The card or policy whose place this one took, or would take; None for the first of them."""
    if edition.kind not in COMPARED:
        return None
    champions = [
        e for e in among
        if (e.kind, e.product, e.role) == (edition.kind, edition.product, CHAMPION)
        and e.valid_from <= edition.valid_from and e is not edition
    ]  # fmt: skip
    return max(champions, key=lambda e: e.valid_from, default=None)


@blueprint.get("/editions/<earlier>/<later>")
@signed_in("read")
def changes(earlier: str, later: str) -> Response:
    """How a card or policy differs from another one, both by digest."""
    registry = underwriting().registry
    before, after = registry.by_digest(earlier), registry.by_digest(later)
    if before.kind != after.kind or after.kind not in COMPARED:
        raise NotFound("These two cannot be compared: take two scorecards or two policies.")
    pair: dict[str, Any] = {"before": before, "after": after, **NAMES}
    if after.kind == "policy":
        found = differences(before.content, after.content)
        by_part = {part: [one for one in found if one.part == part] for part in PARTS}
        return page("policy_changes.html", by_part=by_part, parts=PARTS, **pair)
    comparison = compare(*(json.loads(text_of(edition)) for edition in (before, after)))
    return page(
        "card_changes.html", comparison=comparison, states=STATE_WORDS,
        shown=[(_label(one), one, _lines(one)) for one in comparison.changed], **pair,
    )  # fmt: skip


def _label(difference: Difference) -> tuple[str, str]:
    row = CATALOGUE.get(difference.name)
    return (row.zh, row.en) if row else (difference.label, difference.label)


def _lines(difference: Difference) -> list[tuple[tuple[str, str], Change]]:
    """Each bin in words, with how far its points go up or down."""
    scale = difference.largest or 1
    return [
        ((_in_chinese(line.value), line.value), change_bar(line.before, line.after, scale))
        for line in difference.lines
    ]


def _in_chinese(value: str) -> str:
    """A range of values, as `comparison` says it in English.

    >>> [_in_chinese(text) for text in ("below 12", "12 to below 36", "36 and more", "not known")]
    ['不足12', '12至不足36', '36及以上', '未知']
    """
    if value.startswith("below "):
        return f"不足{value.removeprefix('below ')}"
    if value.endswith(" and more"):
        return f"{value.removesuffix(' and more')}及以上"
    known = {"any": "任意", "not known": "未知", "never seen in training": "训练中未出现"}
    return known.get(value) or value.replace(" to below ", "至不足")
