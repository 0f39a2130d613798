"""Two small cards side by side: every difference can be counted on paper."""

from __future__ import annotations

import json
from copy import deepcopy
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loansvc.comparison import Comparison, Difference, compare
from loansvc.comparison.page import page
from loansvc.editions import Reader
from loansvc.scorecard.document import read_scorecard
from tests.small import CARD

MISSING = {"state": "missing", "points": -3}


def numbers(cuts: list[float], points: list[int], *codes: dict[str, Any]) -> list[dict[str, Any]]:
    """The bins of a number, its special codes, and "not known"."""
    lows, highs = [None, *cuts], [*cuts, None]
    bins = [
        {k: v for k, v in (("from", low), ("to", high), ("points", p)) if v is not None}
        for low, high, p in zip(lows, highs, points, strict=True)
    ]
    return [*bins, *codes, MISSING]


def without_points(bins: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in b.items() if k != "points"} for b in bins]


def number(bins: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return {"type": "number", "bins": bins, **changes}


def a_table_card(*, base: int = 500, pairs: list[Any] | None = None, **of: Any) -> dict[str, Any]:
    """A card of another table, sound as the service reads it."""
    card = {"table": "t", "statement": "s", "base_points": base, "characteristics": of}
    if pairs:
        card["pairs"] = pairs
    content = {k: v for k, v in card.items() if k != "table"}
    with Reader(content, file="card") as reader:
        read_scorecard(reader, own=True)
    return card


def changed(card: dict[str, Any], name: str, at: int, **values: Any) -> dict[str, Any]:
    card = deepcopy(card)
    card["characteristics"][name]["bins"][at] |= values
    return card


def one(found: Comparison) -> Difference:
    [difference] = found.differences
    return difference


def lines(of: Difference) -> list[tuple[str, int | None, int | None]]:
    return [(line.value, line.before, line.after) for line in of.lines]


def test_a_card_is_the_same_as_itself() -> None:
    found = compare(CARD, CARD)
    assert (found.least, found.most, found.changed) == (0, 0, ())
    assert [d.state for d in found.same] == ["same", "same"]


def test_changed_points_are_told_bin_by_bin() -> None:
    found = compare(CARD, changed(CARD, "business_age_months", 1, points=5))
    [age] = found.changed
    assert (age.state, age.least, age.most) == ("points changed", 0, 5)
    assert lines(age) == [
        ("below 12", -40, -40), ("12 to below 36", 0, 5), ("36 and more", 30, 30),
        ("not known", -10, -10),
    ]  # fmt: skip


def test_moved_cuts_are_told_on_the_cuts_of_both() -> None:
    before = a_table_card(age=number(numbers([25, 40], [-10, 0, 8])))
    after = a_table_card(age=number(numbers([25.5, 60], [-12, 0, 9])))
    age = one(compare(before, after))
    assert age.state == "bins moved"
    assert lines(age) == [
        ("below 25", -10, -12), ("25 to below 25.5", 0, -12), ("25.5 to below 40", 0, 0),
        ("40 to below 60", 8, 0), ("60 and more", 8, 9), ("not known", -3, -3),
    ]  # fmt: skip
    assert (age.least, age.most) == (-12, 1)


def test_a_cut_that_no_points_tell_apart_has_moved_all_the_same() -> None:
    before = a_table_card(age=number(numbers([25], [1, 1])))
    after = a_table_card(age=number(numbers([30], [1, 1])))
    assert one(compare(before, after)).state == "bins moved"


def test_a_whole_cut_and_the_same_decimal_cut_are_one() -> None:
    before = a_table_card(age=number(numbers([25], [-1, 1])))
    after = a_table_card(age=number(numbers([25.0], [-1, 1])))
    assert one(compare(before, after)).state == "same"


def test_a_special_code_that_only_one_card_knows_is_an_ordinary_value_of_the_other() -> None:
    before = a_table_card(age=number(numbers([25, 40], [-10, 0, 8])))
    codes = {"values": [-999, 25], "points": 2}
    after = a_table_card(age=number(numbers([25, 40], [-10, 0, 8], codes)))
    assert lines(one(compare(before, after))) == [
        ("below 25", -10, -10), ("25 to below 40", 0, 0), ("40 and more", 8, 8),
        ("code -999", -10, 2), ("code 25", 0, 2), ("not known", -3, -3),
    ]  # fmt: skip


def words(*groups: tuple[list[str], int], unseen: int = 0) -> dict[str, Any]:
    bins = [{"words": listed, "points": points} for listed, points in groups]
    states = [MISSING, {"state": "unseen", "points": unseen}]
    listed = [w for group, _ in groups for w in group]
    return {"type": "word", "words": listed, "bins": [*bins, *states]}


def test_words_are_compared_one_by_one() -> None:
    """However they are grouped, ordered, or known to one card only."""
    before = a_table_card(home=words((["own"], 5), (["rent", "free"], -5)))
    after = a_table_card(home=words((["free"], -9), (["own"], 5), (["boat"], 1), unseen=-2))
    home = one(compare(before, after))
    assert home.state == "bins moved"
    assert lines(home) == [
        ("own", 5, 5), ("rent", -5, -2), ("free", -5, -9), ("boat", 0, 1),
        ("not known", -3, -3), ("never seen in training", 0, -2),
    ]  # fmt: skip


def test_words_in_another_order_are_the_same() -> None:
    before = a_table_card(home=words((["own"], 5), (["rent", "free"], -5)))
    after = a_table_card(home=words((["free", "rent"], -5), (["own"], 5)))
    assert one(compare(before, after)).state == "same"


def test_what_only_one_card_scores_counts_nothing_in_the_other() -> None:
    age, term = number(numbers([25], [-7, 4])), number(numbers([12], [3, -6]))
    found = compare(a_table_card(age=age), a_table_card(term=term, base=510))
    assert [(d.name, d.state, d.least, d.most) for d in found.differences] == [
        ("age", "dropped", -4, 7), ("term", "added", -6, 3),
    ]  # fmt: skip
    assert (found.least, found.most) == (10 - 4 - 6, 10 + 7 + 3)


def test_words_that_became_numbers_are_no_lines_side_by_side() -> None:
    before = a_table_card(home=words((["own"], 5), (["rent"], -5)))
    found = compare(before, a_table_card(home=number(numbers([1], [2, 4]))))
    home = one(found)
    assert home.state == "another type"
    assert all((line.before is None) != (line.after is None) for line in home.lines)
    assert (home.least, home.most, found.exact) == (-3 - 5, 4 + 5, False)


def test_a_two_way_table_is_compared_cell_by_cell_whichever_way_it_is_turned() -> None:
    of: dict[str, Any] = {
        "age": number(numbers([30], [0, 0])),
        "term": number(numbers([12], [0, 0])),
    }
    age, term = ({"name": n, "bins": without_points(of[n]["bins"])} for n in ("age", "term"))
    first = {"rows": age, "columns": term, "points": [[1, 2, 0], [3, 4, 0], [0, 0, 0]]}
    turned = {"rows": term, "columns": age, "points": [[1, 3, 0], [9, 4, 0], [0, 0, 0]]}
    found = compare(a_table_card(pairs=[first], **of), a_table_card(pairs=[turned], **of))
    [table] = found.changed
    assert (table.name, table.state, table.least, table.most) == (
        "age x term", "points changed", 0, 7,
    )  # fmt: skip
    assert [line.value for line in table.lines if line.change] == ["below 30 x 12 and more"]
    assert (len(table.rows), len(table.columns), found.exact) == (3, 3, False)
    gone = compare(a_table_card(pairs=[first], **of), a_table_card(**of))
    assert [(d.state, d.least, d.most) for d in gone.changed] == [("dropped", -4, 0)]


def test_figures_stand_side_by_side_and_may_be_lacking() -> None:
    held = {"auc": 0.71, "ks": 0.3, "n": 100}
    before = {**CARD, "training": {"data": {"n": 900, "n_bad": 40}, "held_out": held}}
    found = compare(before, {**CARD, "training": {"held_out": held | {"auc": 0.72, "ks": "?"}}})
    figures = {f.label: (f.before, f.after) for f in found.figures}
    assert figures["AUC held out"] == (0.71, 0.72)
    assert figures["KS"] == (0.3, None)
    assert figures["loans trained on"] == (900, None)
    bare = {k: v for k, v in CARD.items() if k != "training"}
    assert compare(bare, bare).figures == ()


cards = st.lists(st.integers(-20, 20), min_size=1, max_size=4, unique=True).flatmap(
    lambda cuts: st.lists(st.integers(-50, 50), min_size=len(cuts) + 1, max_size=len(cuts) + 1).map(
        lambda points: a_table_card(age=number(numbers(sorted(cuts), points)))
    )
)


@given(cards, cards, st.one_of(st.none(), st.integers(-30, 30), st.floats(-30, 30)))
def test_no_score_moves_further_than_the_comparison_says(
    before: dict[str, Any], after: dict[str, Any], value: float | None
) -> None:
    """And each line is what both cards give."""
    found = compare(before, after)
    scores = []
    for card in (before, after):
        content = {k: v for k, v in card.items() if k != "table"}
        with Reader(content, file="card") as reader:
            scores.append(read_scorecard(reader, own=True).score({"age": value}))
    change = scores[1] - scores[0]
    assert found.least <= change <= found.most
    assert change in {line.change for line in found.differences[0].lines}


class Page(HTMLParser):
    """Collects what a page would fetch, and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.fetches: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetches += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "data")]
        if tag in ("script", "link", "iframe", "img"):
            self.fetches.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "meta":
            assert self.open.pop() == tag


def test_the_page_stands_alone_and_lets_no_text_out() -> None:
    """No file, script or network; names of a card are text, never markup."""
    evil: dict[str, Any] = {
        "<b>&": number(numbers([25], [-7, 4]), zh="<script>", en='"x" <img src=x>')
    }
    text = page(compare(a_table_card(**evil), a_table_card(**evil, base=510), names=("<i>", "&")))
    parsed = Page()
    parsed.feed(text)
    assert (parsed.fetches, parsed.open) == ([], [])
    assert "url(" not in text
    assert "http" not in text


def test_the_page_tells_the_same_in_a_notebook() -> None:
    found = compare(CARD, changed(CARD, "business_age_months", 1, points=5))
    assert found._repr_html_() in page(found)
    assert "经营年限" in page(found)
    assert "<b>0</b> to <b>+5</b> points" in page(found)


def test_the_page_of_equal_cards_says_so() -> None:
    assert "the same score" in page(compare(CARD, CARD))
    assert "What changed" not in page(compare(CARD, CARD))


@pytest.mark.parametrize("after", [CARD, changed(CARD, "business_age_months", 1, points=5)])
def test_everything_is_plain_values(after: dict[str, Any]) -> None:
    document = compare(CARD, after).to_dict()
    assert json.loads(json.dumps(document))["most"] == document["most"]
    assert all("change" in line for d in document["differences"] for line in d["lines"])
