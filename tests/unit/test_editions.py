"""Which edition is in force, how a document is read, and how programs write one."""

from datetime import date
from typing import Any

import pytest

from loansvc.editions import Edition, Head, Reader, in_force, read_head, to_text
from loansvc.errors import EditionRefused, NoEditionInForce


def edition(valid_from: date, role: str = "champion") -> Edition[None]:
    head = Head("policy", "credit_loan", valid_from, "test", None)
    return Edition("policy", "credit_loan", role, valid_from, "t", "d", "p", head, None)


MARCH, JULY = edition(date(2026, 3, 1)), edition(date(2026, 7, 1))
CHALLENGER = edition(date(2026, 8, 1), "challenger")


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        pytest.param(date(2026, 6, 30), MARCH, id="the day before a change"),
        pytest.param(date(2026, 7, 1), JULY, id="the first day counts"),
        pytest.param(date(2026, 9, 1), JULY, id="a challenger is never in force as champion"),
    ],
)
def test_newest_started_edition_is_in_force(on: date, expected: Edition[None]) -> None:
    """An edition holds from its first day until the next one starts."""
    found = in_force(
        [JULY, CHALLENGER, MARCH], kind="policy", product="credit_loan", role="champion", on=on
    )
    assert found == expected


def test_nothing_in_force_says_what_to_do() -> None:
    with pytest.raises(NoEditionInForce, match="loansvc publish"):
        in_force([JULY], kind="policy", product="credit_loan", role="champion", on=date(2026, 1, 1))


def test_the_text_form_does_not_depend_on_the_order_of_keys() -> None:
    assert to_text({"a": 1, "b": {"c": [1], "d": 2}}) == to_text({"b": {"d": 2, "c": [1]}, "a": 1})


HEAD = {"kind": "policy", "product": "credit_loan", "valid_from": "2026-07-01", "reference": "r"}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"kind": "recipe"}, "kind"), ({"product": "county"}, "product"),
        ({"valid_from": "1 July"}, "valid_from"), ({"reference": ""}, "reference"),
        ({"review_by": "2026-06-30"}, "review_by"),
    ],
)  # fmt: skip
def test_a_wrong_head_is_refused_at_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(EditionRefused, match=rf"^x\.toml, {place}: "):
        read_head(Reader(HEAD | changes, file="x.toml"))


def test_a_key_nobody_asked_for_is_refused() -> None:
    with (
        pytest.raises(EditionRefused, match="colour: is not a key"),
        Reader({"colour": "red"}, file="x"),
    ):
        pass


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 10])
def test_a_whole_number_is_nothing_else(value: object) -> None:
    with pytest.raises(EditionRefused, match="whole number from 0 to 9"):
        Reader({"n": value}, file="x").integer("n", low=0, high=9)


@pytest.mark.parametrize("value", ["a", [], ["a", "a"], ["z"], [1]])
def test_a_list_of_words_is_checked(value: object) -> None:
    with pytest.raises(EditionRefused):
        Reader({"w": value}, file="x").words("w", ("a", "b"))


def test_the_place_of_an_inner_table_is_named_in_full() -> None:
    rows = list(Reader({"rule": [{}, {"when": {}}]}, file="x").tables("rule"))
    with pytest.raises(EditionRefused, match=r"x, rule\[1\]\.when\.fact: is missing"):
        rows[1].table("when").text("fact")
