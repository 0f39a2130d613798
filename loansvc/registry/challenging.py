"""Challenging: what a publication of a challenger may say beside those there are.

A challenger holds from its first to its last day. Its share is decided by it, in buckets of its own
(`decision/split.py`) for all of that time: what another challenger does later moves nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from loansvc.decision.split import MOST_SHARE_PERCENT
from loansvc.editions import CHALLENGER, Edition, not_ended
from loansvc.errors import EditionRefused
from loansvc.registry.documents import read_all

PERCENT = 100


def challengers_in(
    folder: Path, entries: Sequence[dict[str, Any]], product: str
) -> list[Edition[Any]]:
    """The challengers of a product that the lock names."""
    return read_all(
        folder, [e for e in entries if (e["product"], e["role"]) == (product, CHALLENGER)]
    )


def share_to_come(editions: Iterable[Edition[Any]], *, on: date) -> Edition[Any] | None:
    """A challenger that decides some applicants on that day or later, if there is one."""
    published = [e for e in editions if e.role == CHALLENGER]
    days = [on, *(e.valid_from for e in published if e.valid_from > on)]
    in_force = (e for day in days for e in not_ended(published, on=day))
    return next((e for e in in_force if e.share_percent), None)


def terms_of(draft: Edition[Any], others: Sequence[Edition[Any]], name: str) -> dict[str, Any]:
    """End and share as the lock will state them, with the place of the share.

    Raises:
        EditionRefused: it ends before it starts, or there is no room for its share.
    """
    if draft.until is not None and draft.until < draft.valid_from:
        raise EditionRefused(
            f"{name}: would end on {draft.until}, before its first day {draft.valid_from}. Choose "
            "a later last day: --until DATE"
        )
    if not 0 <= draft.share_percent <= MOST_SHARE_PERCENT:
        raise EditionRefused(
            f"{name}: a challenger decides 0 to {MOST_SHARE_PERCENT} percent: --share PERCENT"
        )
    terms: dict[str, Any] = {"until": draft.until.isoformat()} if draft.until else {}
    if draft.share_percent:
        terms |= {
            "share_percent": draft.share_percent,
            "share_from_percent": _free_from(draft, others, name),
        }
    return terms


def _free_from(draft: Edition[Any], others: Sequence[Edition[Any]], name: str) -> int:
    """Where the share begins: where that of an earlier publication did, if it can.

    Else it is looked for from a place that the digest draws, so that one challenger after another
    does not pick the same applicants.
    """
    beside = _beside(draft, others, name)
    taken = {
        (e.share_from_percent + step) % PERCENT for e in beside for step in range(e.share_percent)
    }
    before = [e.share_from_percent for e in others if e.digest == draft.digest and e.share_percent]
    drawn = int(draft.digest.removeprefix("sha256:"), 16) % PERCENT
    for start in (*before[-1:], *(n % PERCENT for n in range(drawn, drawn + PERCENT))):
        if taken.isdisjoint((start + step) % PERCENT for step in range(draft.share_percent)):
            return start
    raise EditionRefused(
        f"{name}: the shares of other challengers of {draft.product} leave no room for "
        f"{draft.share_percent} percent. Ask for a smaller one: --share PERCENT"
    )


def _beside(draft: Edition[Any], others: Sequence[Edition[Any]], name: str) -> list[Edition[Any]]:
    """Every challenger that holds a share on a day on which the draft holds.

    Raises:
        EditionRefused: on one of these days their shares are together more than may be given.
    """
    published = [*others, draft]
    starts = {e.valid_from for e in published if e.valid_from >= draft.valid_from}
    found = []
    for day in sorted(starts):
        in_force = not_ended(published, on=day)
        beside = [e for e in in_force if e is not draft]
        if len(beside) == len(in_force):
            continue  # published again from an earlier day on
        given = sum(e.share_percent for e in beside)
        if given + draft.share_percent > MOST_SHARE_PERCENT:
            raise EditionRefused(
                f"{name}: the challengers of {draft.product} would decide "
                f"{given + draft.share_percent} percent on {day}, and {MOST_SHARE_PERCENT} is the "
                f"most. Ask for {max(MOST_SHARE_PERCENT - given, 0)} at most, --share PERCENT, or "
                "end another first: publish it again with --until DATE"
            )
        found += beside
    return found
