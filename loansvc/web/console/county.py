"""County: villages by town and how each was rated, and the guarantee fund."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import Any

from flask import Response

from loansvc.application import GRADES
from loansvc.lending import Lending
from loansvc.villages import UNRATED
from loansvc.villages.history import history_of
from loansvc.web.access import underwriting
from loansvc.web.api import OnSchema, register_on, village_document
from loansvc.web.console.frame import asked, blueprint, page, signed_in
from loansvc.web.console.words import EVIDENCE_WORDS, STANDING_WORDS
from loansvc.web.presentation import village_history_document
from loansvc.web.requests import read_query

RATINGS = (*GRADES, UNRATED)


def asked_day() -> date:
    """The day that the page is asked about: today unless one was given."""
    on = read_query(OnSchema, asked(("on",)))["on"]
    return on if isinstance(on, date) else underwriting().today()


@blueprint.get("/villages")
@signed_in("read")
def villages() -> Response:
    """Every village as it stands on a day, drawn by town and in a table."""
    on = asked_day()
    register = register_on(on)
    towns: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for village in register.content.villages.values():
        towns[village.town].append(village_document(village, register, on))
    counts = Counter(row["rating"] for rows in towns.values() for row in rows)
    return page(
        "villages.html", on=on.isoformat(), towns=towns, ratings=RATINGS, counts=counts,
        register=register, standings=STANDING_WORDS,
    )  # fmt: skip


@blueprint.get("/villages/<code>")
@signed_in("read")
def village(code: str) -> Response:
    """What every register said of one village, the newest first."""
    found = village_history_document(history_of(code, underwriting().registry.editions))
    return page(
        "village.html", village=found, said=found["history"][::-1], standings=STANDING_WORDS,
        evidence_words=EVIDENCE_WORDS,
    )  # fmt: skip


@blueprint.get("/fund")
@signed_in("read")
def fund() -> Response:
    """The guarantee fund at this moment, beside what the policies let it carry."""
    return page("fund.html", fund=Lending(underwriting()).fund())
