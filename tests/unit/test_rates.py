"""A quote holds until the next one."""

from datetime import date
from typing import Any

import pytest

from loansvc.editions import Reader
from loansvc.errors import EditionRefused
from loansvc.rates import Quote, Rates, read_rates

MARCH, MAY = Quote(date(2025, 3, 20), 310, 360), Quote(date(2025, 5, 20), 300, 350)


@pytest.mark.parametrize(
    ("on", "quote"),
    [
        pytest.param(date(2025, 5, 19), MARCH, id="the day before a change"),
        pytest.param(date(2025, 5, 20), MAY, id="the first day counts"),
        pytest.param(date(2026, 11, 23), MAY, id="the last quote goes on"),
    ],
)
def test_a_quote_holds_until_the_next(on: date, quote: Quote) -> None:
    assert Rates((MARCH, MAY)).on(on) == quote


def test_terms_up_to_five_years_are_priced_on_the_one_year_quote() -> None:
    assert (MAY.for_term(60), MAY.for_term(61)) == (300, 350)


def test_a_quote_is_stale_after_45_days() -> None:
    assert not MAY.stale_on(date(2025, 7, 4))
    assert MAY.stale_on(date(2025, 7, 5))


@pytest.mark.parametrize(
    ("quotes", "says"),
    [
        pytest.param([MAY, MARCH], "ascending order", id="out of order"),
        pytest.param([MAY, MAY], "ascending order", id="twice a day"),
        pytest.param([MAY], "on or before the edition's first day", id="a gap at the start"),
        pytest.param([], "at least 1", id="none"),
    ],
)
def test_wrong_rates_are_refused(quotes: list[Quote], says: str) -> None:
    rows: list[dict[str, Any]] = [
        {"effective_on": q.effective_on.isoformat(), "lpr_1y_bp": q.lpr_1y_bp,
         "lpr_5y_bp": q.lpr_5y_bp}
        for q in quotes
    ]  # fmt: skip
    with pytest.raises(EditionRefused, match=says):
        read_rates(Reader({"quotes": rows}, file="r.json"), valid_from=date(2025, 4, 1))


def test_the_base_rate_is_not_stale_while_it_holds() -> None:
    """It was set in 2015 and held until the first LPR: nothing newer should have come."""
    base = Quote(date(2015, 10, 24), 435, 490)
    assert base.is_base_rate
    assert [base.stale_on(date(2019, 8, day)) for day in (19, 20)] == [False, True]
