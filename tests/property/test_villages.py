"""What holds of every village on every day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from loansvc.application import GRADES
from loansvc.villages import (
    UNRATED,
    Appeal,
    Flag,
    Register,
    Revocation,
    Standing,
    Village,
    rating_on,
)
from loansvc.villages.history import changes_by_themselves

DAYS = st.dates(date(2019, 8, 1), date(2032, 12, 31))
ROUTE = st.integers(0, 4000)


@st.composite
def villages(draw: st.DrawFn) -> Village:
    rating = draw(st.sampled_from((*GRADES, UNRATED)))
    rated = rating != UNRATED
    return Village(
        "340521102200", "王潭村", "乌溪镇", rating, draw(DAYS) if rated else None,
        draw(st.integers(-10, 10)) if rated else 0, 10, {}, None,
    )  # fmt: skip


@st.composite
def flags(draw: st.DrawFn) -> Flag:
    since = draw(DAYS)
    return Flag(since, since + timedelta(days=draw(ROUTE)), "upheld", "0" * 64)


def standing(village: Village, on: date) -> Standing:
    return Register({village.code: village}, synthetic=True, statement="").standing(
        village.code, on
    )


@given(villages(), DAYS, DAYS)
def test_a_revocation_changes_no_day_before_it(village: Village, taken: date, on: date) -> None:
    """And never makes a day better that follows."""
    revoked = replace(village, revocation=Revocation(taken, "fraud", "0" * 64))
    before, after = standing(village, on), standing(revoked, on)
    if on < taken or village.rating == UNRATED:
        assert after == before
    else:
        assert after.state == "revoked"
        assert GRADES.index(after.rating) >= GRADES.index("B")
        assert before.rating == UNRATED or GRADES.index(after.rating) >= GRADES.index(before.rating)


@given(villages(), st.lists(flags(), max_size=3), DAYS)
def test_flags_never_change_rating_state_or_points(
    village: Village, marks: list[Flag], on: date
) -> None:
    found = standing(replace(village, flags=tuple(marks)), on)
    flagged = any(f.since <= on <= f.until for f in marks)
    assert found == replace(standing(village, on), flagged=flagged)


@given(villages(), DAYS, st.none() | ROUTE, DAYS)
def test_appeals_never_change_rating_state_or_points(
    village: Village, lodged: date, days: int | None, on: date
) -> None:
    decided = None if days is None else lodged + timedelta(days=days)
    found = standing(replace(village, appeal=Appeal(lodged, "0" * 64, decided)), on)
    assert found == replace(standing(village, on), appeal=found.appeal)
    assert found.appeal == (lodged <= on and (decided is None or on < decided))


@given(villages(), st.none() | DAYS, DAYS, DAYS)
def test_a_history_names_every_day_on_which_a_village_counts_otherwise(
    village: Village, taken: date | None, after: date, on: date
) -> None:
    """So the newest change up to a day tells how the village counts on it."""
    revocation = Revocation(taken, "fraud", "0" * 64) if taken else None
    village = replace(village, revocation=revocation)
    changes = changes_by_themselves(village, after=after, before=date.max)
    counted = [rating_on(village, after)]
    counted += [(c.rating, c.state) for c in changes if c.on <= on]
    if on >= after:
        assert rating_on(village, on) == counted[-1]
