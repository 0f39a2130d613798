"""No regular expression of the program can be slowed down, or matches what it does not mean."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.unit.patterns import LENGTH, Expression, attacks, expressions, samples, shortest, sre

HANG_S = 1.0  # twenty times the 50 ms that are the goal: the figures are printed, not held to
# Where other digits and letters than those of ASCII are meant.
OF_ANY_SCRIPT = {
    "loansvc.identifiers _PERSONAL": "a number of a person may be written full-width",
    "loansvc.training.intake LOOKS_PERSONAL": "so may it in a table",
    "loansvc.training.intake LOOKS_LIKE_AN_AMOUNT": "tells a person of it, and reads no number",
    "loansvc.training.intake LOOKS_LIKE_A_DAY": "tells a person of it, and reads no day",
    "loansvc.training.validation.swap SENSITIVE": "names of columns are of any script",
    "loansvc.training.plotting mark": "letters of any script may stand in an id",
    "loansvc.training.plotting element": "the same",
}
MAY_END_IN_A_NEWLINE = {
    "loansvc.training.validation.swap SENSITIVE": "a name with a newline is as sensitive",
}
ALL = expressions()


def name_of(expression: Expression) -> str:
    place, _, called = expression.place.partition(" ")
    return f"{place.partition(':')[0]} {called}".rstrip()


def test_every_expression_is_found() -> None:
    """As many as there are calls; a few that are known, by name."""
    names = {name_of(e) for e in ALL}
    assert names >= {
        "loansvc.identifiers _ID_NUMBER", "loansvc.web.strict_json _STRING",
        "loansvc.ledger.keys _TOKEN", "loansvc.monitoring.csv_table FORMULA",
        "loansvc.registry.text _PLACE",
    }  # fmt: skip
    assert len(ALL) >= 45


def seconds_of(
    expression: Expression, *, length: int = LENGTH, hang_s: float = HANG_S
) -> Iterator[tuple[float, str]]:
    """Seconds of the processor with each attack, and with which; not beyond one that hangs."""
    pattern = expression.compiled
    for way in expression.runs_as:
        run = getattr(pattern, way)
        for text in attacks(expression, length=length):
            given = (
                text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
            )
            started = time.thread_time()
            run(given)
            seconds = time.thread_time() - started
            yield seconds, f"{way} {text[:12]!r}…{text[-12:]!r}"
            if seconds >= hang_s:
                return


def test_none_is_slow_on_50000_characters() -> None:
    slowest = sorted(((*max(seconds_of(e)), e.place) for e in ALL), reverse=True)
    print()
    for seconds, text, place in slowest[:8]:
        print(f"{seconds * 1000:8.1f} ms  {place}  {text}")
    assert [row for row in slowest if row[0] >= HANG_S] == []


def test_digits_and_letters_are_those_of_ascii() -> None:
    r"""`\d` and `\w` match digits and letters of every script unless told otherwise."""
    wide = {
        name_of(e)
        for e in ALL
        if isinstance(e.compiled.pattern, str)
        and not e.compiled.flags & re.ASCII
        and re.search(r"\\[dDwWb]", e.compiled.pattern)
    }
    assert wide - OF_ANY_SCRIPT.keys() == set()


def test_no_end_lets_a_last_newline_through() -> None:
    """`$` matches before it; `fullmatch` and a \\Z do not."""
    ends = {
        name_of(e)
        for e in ALL
        if (sre.AT, sre.AT_END) in list(_flat(e.tree)) and not e.compiled.flags & re.MULTILINE
    }
    assert ends - MAY_END_IN_A_NEWLINE.keys() == set()


def _flat(tree: object) -> Iterator[object]:
    if isinstance(tree, tuple) and len(tree) == 2 and tree[0] is sre.AT:
        yield tree
    elif isinstance(tree, list | tuple) or hasattr(tree, "data"):
        for part in tree:  # type: ignore[attr-defined]
            yield from _flat(part)


@pytest.mark.parametrize("slow", [r"\s*x", r"[ab]+;", r"([0-9]+,)*;"])
def test_an_expression_that_is_slow_is_found(slow: str) -> None:
    """Five times the length takes 25 times as long; an expression that is not slow, five times."""
    expression = Expression("here", re.compile(slow), frozenset({"search"}))
    short, long = (max(seconds_of(expression, length=n, hang_s=HANG_S))[0] for n in (1_000, 5_000))
    assert long >= 10 * short


def test_pieces_of_an_expression() -> None:
    tree = Expression("", re.compile(r"(ab|[0-9]{2,3})\s*x?"), frozenset()).tree
    assert samples(tree) == ["a", "b", "0", " ", "x"]
    assert shortest(tree) == "ab"
