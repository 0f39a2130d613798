"""Whatever challengers are published one after another, their applicants never overlap."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loansvc.decision.split import BUCKETS, MOST_SHARE_PERCENT, holds
from loansvc.editions import Edition, Head, not_ended
from loansvc.errors import EditionRefused
from loansvc.registry.challenging import terms_of

DAY = date(2026, 7, 1)
N_DAYS = 12
HEAD = Head("scorecard", "credit_loan", DAY, "test", None)
publications = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.integers(0, N_DAYS - 1),
        st.none() | st.integers(0, N_DAYS - 1),
        st.integers(0, MOST_SHARE_PERCENT),
    ),
    max_size=8,
    unique_by=lambda one: one[:2],  # a document is published once a day
)


def a_draft(name: str, first: int, last: int | None, share_percent: int) -> Edition[Any]:
    digest = "sha256:" + sha256(name.encode()).hexdigest()
    return Edition(
        kind="scorecard", product="credit_loan", role="challenger",
        valid_from=DAY + timedelta(days=first), approver="test", digest=digest, path=name,
        head=HEAD, content=None, until=None if last is None else DAY + timedelta(days=last),
        share_percent=share_percent,
    )  # fmt: skip


def published(given_: list[tuple[str, int, int | None, int]]) -> list[Edition[Any]]:
    """Those that are not refused, one after another."""
    found: list[Edition[Any]] = []
    for one in given_:
        draft = a_draft(*one)
        with suppress(EditionRefused):
            terms = terms_of(draft, found, one[0])
            start = terms.get("share_from_percent", 0)
            found.append(replace(draft, share_from_percent=start))
    return found


@given(publications)
def test_shares_are_exact_and_never_overlap(given_: list[tuple[str, int, int | None, int]]) -> None:
    """On each day every bucket is one card's, and the champion has half of them at least."""
    found = published(given_)
    for offset in range(N_DAYS + 1):
        in_force = not_ended(found, on=DAY + timedelta(days=offset))
        held = [sum(holds(c, bucket) for c in in_force) for bucket in range(0, BUCKETS, 100)]
        assert max(held) <= 1
        assert sum(held) == sum(c.share_percent for c in in_force) <= MOST_SHARE_PERCENT
