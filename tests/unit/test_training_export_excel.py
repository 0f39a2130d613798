"""The workbook of a card: its formulas give the card's points, and no text is ever a formula.

The formulas are run by a small evaluator below: the dozen functions used, as Excel documents them.
"""

from __future__ import annotations

import io
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.utils.cell import range_boundaries

from loansvc.errors import TableRefused
from loansvc.scorecard import pd_ppm
from loansvc.training.card import Card
from loansvc.training.export.excel import FIRST_LINE, to_excel
from tests.property.export_cards import CARDS, card_of, expected_of, nasty, rows_of
from tests.unit.test_training_columns import DOCUMENT

N_ROWS = 2_000
Formula = Callable[["Book"], Any]
TOKEN = re.compile(
    r'(?P<text>"(?:[^"]|"")*")|(?P<ref>(?:\w+!)?\$?[A-Z]+\$?\d+(?::\$?[A-Z]+\$?\d+)?)'
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Z]+)|(?P<sign>[-+*/^&=(),])"
)


class NotAvailable(Exception):
    """#N/A, and what IFERROR catches."""


class Book:
    """A workbook whose formulas are worked out when they are asked for."""

    def __init__(self, book: Workbook) -> None:
        self.cells = {
            (s.title, c.row, c.column): c for s in book.worksheets for r in s.iter_rows() for c in r
        }
        self.formulas: dict[Any, Formula] = {}
        self.found: dict[Any, Any] = {}

    def value(self, at: tuple[str, int, int]) -> Any:
        cell = self.cells.get(at)
        if cell is None or cell.data_type != "f":
            return None if cell is None else cell.value
        if at not in self.found:
            if at not in self.formulas:
                self.formulas[at] = Parser(cell.value[1:], at[0]).whole()
            self.found[at] = self.formulas[at](self)
        return self.found[at]

    def type(self, row: int, value: Any) -> None:
        cell = self.cells["Score", row, 3]
        cell.value = value
        if isinstance(value, str):
            cell.data_type = "s"
        self.found.clear()


class Parser:
    """A formula, from the loosest operator to the tightest."""

    def __init__(self, text: str, sheet: str) -> None:
        self.sheet = sheet
        self.tokens = [(m.lastgroup, m.group()) for m in TOKEN.finditer(text)]
        assert "".join(t for _, t in self.tokens) == text, text
        self.at = 0

    def whole(self) -> Formula:
        formula = self.level(0)
        assert self.at == len(self.tokens)
        return formula

    def level(self, i: int) -> Formula:
        operators = ("=", "&", "+-", "*/", "^")
        if i == len(operators):
            return self.atom()
        left = self.level(i + 1)
        while self.at < len(self.tokens) and self.tokens[self.at][1] in tuple(operators[i]):
            sign = self.tokens[self.at][1]
            self.at += 1
            left = _binary(sign, left, self.level(i + 1))
        return left

    def atom(self) -> Formula:
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return lambda _: float(text)
        if kind == "text":
            return lambda _: text[1:-1].replace('""', '"')
        if kind == "ref":
            return self.reference(text)
        if text == "-":
            inner = self.level(4)
            return lambda book: -inner(book)
        if text == "(":
            inner = self.level(0)
            self.at += 1
            return inner
        assert self.tokens[self.at][1] == "("
        self.at += 1
        arguments: list[Formula] = []
        while self.tokens[self.at][1] != ")":
            arguments.append(self.level(0))
            self.at += self.tokens[self.at][1] == ","
        self.at += 1
        return lambda book: FUNCTIONS[text](book, *arguments)

    def reference(self, text: str) -> Formula:
        sheet, _, cells = text.rpartition("!")
        left, top, right, bottom = range_boundaries(cells.replace("$", ""))
        name = sheet or self.sheet
        if ":" not in cells:
            return lambda book: book.value((name, top, left))
        places = [[(name, r, c) for c in range(left, right + 1)] for r in range(top, bottom + 1)]
        kept: list[Any] = []

        def area(book: Book) -> list[list[Any]]:
            if name == "Score" or not kept:
                kept[:] = [[book.value(p) for p in row] for row in places]
            return kept

        return area


def _binary(sign: str, left: Formula, right: Formula) -> Formula:
    def plain(a: Any, b: Any) -> Any:
        if sign == "&":
            return f"{a}{b}"
        if sign == "=":
            return a == b
        return {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b,
                "^": lambda: a**b}[sign]()  # fmt: skip

    def formula(book: Book) -> Any:
        a, b = left(book), right(book)
        if isinstance(a, list):
            return [plain(x, y) for x, y in zip(_flat(a), _flat(b), strict=True)]
        return plain(a, b)

    return formula


def _flat(area: Any) -> list[Any]:
    return [v for row in area for v in (row if isinstance(row, list) else [row])]


def _iferror(book: Book, value: Formula, otherwise: Formula) -> Any:
    try:
        return value(book)
    except NotAvailable:
        return otherwise(book)


def _match(book: Book, value: Formula, area: Formula, kind: Formula) -> int:
    wanted, values = value(book), _flat(area(book))
    if kind(book):
        return bisect_right(values, wanted)
    if wanted not in values:
        raise NotAvailable
    return values.index(wanted) + 1


def _index(book: Book, area: Formula, row: Formula, column: Formula | None = None) -> Any:
    values, i = area(book), int(row(book))
    if column is not None:
        return values[i - 1][int(column(book)) - 1]
    return _flat(values)[i - 1]


def _exact(book: Book, value: Formula, area: Formula) -> list[bool]:
    wanted = value(book)
    shown = wanted if isinstance(wanted, str) else f"{wanted:g}"
    return [shown == v for v in _flat(area(book))]


def _not_available(book: Book) -> Any:
    raise NotAvailable


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "IF": lambda b, c, x, y: x(b) if c(b) else y(b),
    "ISBLANK": lambda b, x: x(b) is None,
    "ISNUMBER": lambda b, x: isinstance(x(b), int | float),
    "IFERROR": _iferror,
    "INDEX": _index,
    "MATCH": _match,
    "EXACT": _exact,
    "SUMPRODUCT": lambda b, x: sum(x(b)),
    "SUM": lambda b, x: sum(v for v in _flat(x(b)) if v is not None),
    "MIN": lambda b, *x: min(v(b) for v in x),
    "MAX": lambda b, *x: max(v(b) for v in x),
    "ROUND": lambda b, x, n: math.floor(x(b) + 0.5) if n(b) == 0 else None,
    "NA": _not_available,
}


def opened(card: Card) -> Any:
    return load_workbook(io.BytesIO(to_excel(card)))


def score_rows(book: Book) -> tuple[int, int]:
    labels = {c.value: r for (s, r, col), c in book.cells.items() if s == "Score" and col == 1}
    return labels["score 得分"], labels["pd 违约概率"]


def typed(card: Card, book: Book, row: dict[str, Any]) -> None:
    for line, name in enumerate(card.names, FIRST_LINE):
        value = row[name]
        book.type(line, None if value is None or value != value else value)  # noqa: PLR0124


@pytest.mark.parametrize("name", CARDS)
def test_typed_values_add_up_to_the_score(name: str) -> None:
    """The rows on the edges come last; -1e308 and an empty word are not for a cell to hold."""
    card = card_of(name)
    book = Book(opened(card))
    score, probability = score_rows(book)
    n_compared = 0
    for row, expected in list(zip(rows_of(name), expected_of(name), strict=True))[-N_ROWS:]:
        if any(v == "" or (isinstance(v, float) and v < -1e307) for v in row.values()):
            continue
        typed(card, book, row)
        assert book.value(("Score", score, 6)) == expected, row
        assert book.value(("Score", probability, 6)) == pd_ppm(expected) / 1e6
        n_compared += 1
    assert n_compared > N_ROWS // 3


def test_a_person_reads_bin_and_points_of_what_they_typed() -> None:
    card = Card.of(DOCUMENT)
    book = Book(opened(card))
    typed(card, book, {"age": 45, "job": "3"})
    lines = [[book.value(("Score", r, c)) for c in (1, 5, 6)] for r in range(FIRST_LINE, 13)]
    assert lines == [
        ["age", "age 40 or more", 10], ["job", "job: 3", -5],
        ["age * job", "age 40 or more / job: clerk or 3", 7],
        ["base points 基础分", None, 500], ["score 得分", None, 512],
        ["pd 违约概率", None, pd_ppm(512) / 1e6], [None, None, None],
    ]  # fmt: skip


def test_a_text_where_a_number_belongs_has_no_score() -> None:
    card = Card.of(DOCUMENT)
    book = Book(opened(card))
    typed(card, book, {"age": "old", "job": None})
    with pytest.raises(NotAvailable):
        book.value(("Score", score_rows(book)[0], 6))


def formulas(book: Any) -> Iterator[tuple[str, Any]]:
    return ((s.title, c) for s in book.worksheets for r in s.iter_rows() for c in r
            if c.data_type == "f")  # fmt: skip


@pytest.mark.parametrize("name", CARDS)
def test_only_the_sheet_on_which_one_types_has_formulas(name: str) -> None:
    """A column called =1+1 is a text, here and when somebody has edited its cell."""
    book = opened(card_of(name))
    for sheet, cell in formulas(book):
        assert (sheet, cell.column > 2) == ("Score", True)
    texts = [c for s in book.worksheets for r in s.iter_rows() for c in r
             if isinstance(c.value, str) and c.value[:1] in "=+-@"
             and c.data_type != "f"]  # fmt: skip
    assert all(c.data_type == "s" and c.quotePrefix for c in texts)
    assert bool(texts) == (name == "nasty")


def test_the_card_is_printed_with_cases_and_bad_rates() -> None:
    card = card_of("credit_loan")
    sheet = opened(card)["Card"]
    rows = [[c.value for c in r] for r in sheet.iter_rows(min_row=FIRST_LINE, max_row=FIRST_LINE)]
    assert rows == [
        ["active_loans", "No active loan", "没有未结清贷款", None, 1, 3, 9932, 318 / 9932]
    ]  # fmt: skip
    n_bins = sum(len(c.bins) for c in card.scorecard.characteristics)
    assert sheet.cell(FIRST_LINE + n_bins, 6).value == card.scorecard.base_points
    assert opened(card).sheetnames == ["Score", "Card", "Lookup"]


def test_the_same_card_gives_the_same_bytes() -> None:
    assert to_excel(Card.of(nasty())) == to_excel(Card.of(nasty()))


def test_a_word_that_a_cell_cannot_hold_is_refused() -> None:
    document = {**DOCUMENT, "characteristics": {**DOCUMENT["characteristics"]}, "pairs": []}
    job = {**DOCUMENT["characteristics"]["job"], "words": ["\x07", "3"]}
    job["bins"] = [{"words": ["\x07"], "points": 5}, *job["bins"][1:]]
    document["characteristics"]["job"] = job
    with pytest.raises(TableRefused, match="which Excel cannot hold"):
        to_excel(Card.of(document))
