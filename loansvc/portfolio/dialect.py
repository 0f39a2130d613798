"""Dialect: the little that DuckDB and Spark 4 (ANSI) write differently. All else is one text.

`LEAST` and `GREATEST` pass over NULL in both; `&`, `BIT_COUNT` and `TRY_CAST` are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loansvc.errors import TableRefused


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one engine writes a name, a whole division, a match, the n-th word, a row for each."""

    name: str
    quote: str
    divide: Callable[[str, str], str]
    matches: Callable[[str, str], str]
    pick: Callable[[Sequence[str], str], str]
    pick_word: Callable[[Sequence[str], str], str]
    constant: Callable[[str], str]
    each_of: Callable[[Sequence[str]], str]
    days_between: Callable[[str, str], str]
    join: Callable[[str], str]

    def named(self, name: str) -> str:
        """A column by its name, whatever stands in it.

        >>> print(DUCKDB.named('row "№'), SPARK.named("row"))
        "row ""№" `row`
        """
        return self.quote + name.replace(self.quote, 2 * self.quote) + self.quote


def _enumerated(words: Sequence[str]) -> str:
    """DuckDB's own type of these words: a number in memory, a text in files, so written faster."""
    return f"ENUM({', '.join(dict.fromkeys(words))})"


DUCKDB = Dialect(
    name="duckdb",
    quote='"',
    divide=lambda a, b: f"({a} // {b})",
    matches=lambda value, pattern: f"regexp_full_match({value}, '{pattern}')",
    pick=lambda items, n: f"list_extract([{', '.join(items)}], {n})",
    pick_word=lambda words, n: (
        f"list_extract(CAST([{', '.join(words)}] AS {_enumerated(words)}[]), {n})"
    ),
    constant=lambda word: f"CAST({word} AS {_enumerated([word])})",
    each_of=lambda items: f"unnest(list_filter([{', '.join(items)}], lambda n: n IS NOT NULL))",
    days_between=lambda early, late: f"({late} - {early})",
    join=lambda words: f"array_to_string({words}, ',')",
)
# `$` also fits before a last line feed, and element_at gives the last item where a NULLIF is NULL.
SPARK = Dialect(
    name="spark",
    quote="`",
    divide=lambda a, b: f"({a} div {b})",
    matches=lambda value, pattern: f"({value} RLIKE '(?s)^({pattern})(?!.)')",
    pick=lambda items, n: f"get(array({', '.join(items)}), {n} - 1)",
    pick_word=lambda words, n: f"get(array({', '.join(words)}), {n} - 1)",
    constant=lambda word: word,
    each_of=lambda items: f"explode(array_compact(array({', '.join(items)})))",
    days_between=lambda early, late: f"datediff({late}, {early})",
    join=lambda words: f"array_join({words}, ',')",
)
DIALECTS = {dialect.name: dialect for dialect in (DUCKDB, SPARK)}


def text(value: str) -> str:
    """A word of an edition as a literal that both engines read alike.

    Raises:
        TableRefused: it holds a backslash or a control character, which they read differently.

    >>> text("it's")
    "'it''s'"
    """
    if "\\" in value or not value.isprintable():
        raise TableRefused(
            f"The word {value!r} of an edition holds a backslash or a control character, which no "
            "portfolio run can name. Take it out of the edition."
        )
    return "'" + value.replace("'", "''") + "'"
