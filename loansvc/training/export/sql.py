"""SQL: the card as one SELECT, built once as a tree and rendered for each database.

Three steps that a reviewer can run one by one: the inputs as double or as text, the points of every
characteristic, their sum. What the databases do differently is settled in the first step:

    NaN          equal to itself and above all numbers in DuckDB, PostgreSQL and Spark: made NULL
    0.1          a DECIMAL: written 0.1e0, a double; in SQLite exactly, see `_double`
    'A' = 'a '   true in MySQL, and under COLLATE NOCASE: compared byte by byte
    3.0          text '3.0' in DuckDB, SQLite and Spark: '3', as where a table is scored
    "x"          a text in SQLite where there is no column x: every name stands behind the table's
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from loansvc.card_sql import case_of, pd_of, utf8mb4, whole
from loansvc.errors import TableRefused
from loansvc.scorecard import ScoredCharacteristic
from loansvc.scorecard.slots import reachable
from loansvc.training.export import check_fits, free_name

if TYPE_CHECKING:
    from loansvc.training.card import Card

DIALECTS = ("duckdb", "mysql", "postgres", "spark", "sqlite")
TYPED, POINTED, SCORED = "loansvc_1_inputs", "loansvc_2_points", "loansvc_3_score"
LONGEST_NAME = 63  # bytes, in PostgreSQL, which cuts what is longer without a word
# What a column of floats is called by the database itself, where its text ends in ".0" or is NaN.
FLOATS = {
    "duckdb": ("typeof", "DOUBLE", "FLOAT"),
    "postgres": ("pg_typeof", "double precision", "real"),
    "spark": ("typeof", "double", "float"),
    "sqlite": ("typeof", "real"),
}
COLLATIONS = {"duckdb": '"C"', "postgres": '"C"', "sqlite": "BINARY"}


def to_sql(
    card: Card,
    dialect: str,
    *,
    table: str | Sequence[str] = "applications",
    key: str | Sequence[str] | None = None,
    points: bool = False,
) -> str:
    """One SELECT of `score`, `pd` and the `key`, or every column the card scores.

    Args:
        card: the card.
        dialect: one of DIALECTS.
        table: its name, schema and catalogue before it with dots; or these in a list.
        key: columns to give back; without it, those that the card scores.
        points: also give `points_<name>` for every characteristic, and for every two-way table.

    Raises:
        TableRefused: no such dialect, or names that no table of it can have.
    """
    if dialect not in DIALECTS:
        raise TableRefused(f"Dialect {dialect!r} is not one of {', '.join(DIALECTS)}. Choose one.")
    scorecard = card.scorecard
    check_fits(scorecard, format_="SQL")
    names = card.names
    if dialect != "postgres" and len({n.casefold() for n in names}) < len(names):
        raise TableRefused(
            f"Two characteristics differ in upper and lower case only, and {dialect} takes them "
            "for one column. Rename one of them."
        )
    kept = tuple(names) if key is None else (key,) if isinstance(key, str) else tuple(key)
    inputs = {c.name: f"x{i}" for i, c in enumerate(scorecard.characteristics, 1)}
    keys = {name: f"k{i}" for i, name in enumerate(kept, 1)}

    typed: list[exp.Expr] = [_column("a", name).as_(alias) for name, alias in keys.items()]
    for of in scorecard.characteristics:
        raw = _column("a", of.name)
        value = _text_of(raw, dialect) if of.described.words else _number_of(raw, dialect)
        typed.append(value.as_(inputs[of.name]))
    numbers = [c.name for c in scorecard.characteristics if not c.described.words]
    if dialect == "sqlite" and numbers:
        typed.append(exp.and_(*(_is_number(_column("a", n)) for n in numbers)).as_("is_number"))

    parts: list[tuple[str, exp.Expr]] = [
        (of.name, case_of(of, _column("v", inputs[of.name]), dialect, _whole_at(of)))
        for of in scorecard.characteristics
    ]
    for pair in scorecard.pairs:
        parts.append((
            f"{pair.rows.name}*{pair.columns.name}",
            case_of(
                pair.rows, _column("v", inputs[pair.rows.name]), dialect,
                # The default holds the pair of this turn; mypy cannot infer such a lambda's type.
                lambda row, pair=pair: case_of(  # type: ignore[misc]
                    pair.columns, _column("v", inputs[pair.columns.name]), dialect,
                    lambda column: whole(pair.points[row][column]),
                ),
            ),
        ))  # fmt: skip
    pointed: list[exp.Expr] = [_column("v", alias) for alias in keys.values()]
    pointed += [part.as_(f"p{i}") for i, (_, part) in enumerate(parts, 1)]
    total: exp.Expr = whole(scorecard.base_points)
    for i in range(1, len(parts) + 1):
        total = exp.Add(this=total, expression=_column("p", f"p{i}"))
    if dialect == "sqlite" and numbers:
        pointed.append(_column("v", "is_number"))
        total = exp.Case().when(_column("p", "is_number"), total)

    taken = list(kept)
    last = [_column("s", alias).as_(name, quoted=True) for name, alias in keys.items()]
    answers = {
        "score": _column("s", "score"),
        "pd": pd_of(_column("s", "score"), *reachable(scorecard), dialect),
    }
    for name, answer in answers.items():
        taken.append(free_name(name, taken))
        last.append(answer.as_(taken[-1], quoted=True))
    for i, (name, _) in enumerate(parts, 1) if points else ():
        taken.append(free_name(_points_name(name, i), taken))
        last.append(_column("s", f"p{i}").as_(taken[-1], quoted=True))

    passed = [_column("p", a) for a in keys.values()]
    passed += [_column("p", f"p{i}") for i in range(1, len(parts) + 1)]
    select = (
        exp.select(*last)
        .from_(_step(SCORED, "s"))
        .with_(TYPED, as_=exp.select(*typed).from_(_table(table)))
        .with_(POINTED, as_=exp.select(*pointed).from_(_step(TYPED, "v")))
        .with_(SCORED, as_=exp.select(*passed, total.as_("score")).from_(_step(POINTED, "p")))
    )
    head = f"-- loansvc card {card.digest}, {dialect}: docs/exports.md says what is exact.\n"
    return head + select.sql(dialect=dialect, pretty=True, comments=False) + "\n"


def _points_name(name: str, i: int) -> str:
    """`points_<name>`, short enough not to be cut."""
    whole = f"points_{name}"
    if len(whole.encode()) <= LONGEST_NAME:
        return whole
    return f"points_{i}_{name.encode()[:40].decode(errors='ignore')}"


def _table(table: str | Sequence[str]) -> exp.Expr:
    parts = table.split(".") if isinstance(table, str) else list(table)
    if not 1 <= len(parts) <= 3 or not all(parts) or any("\0" in p for p in parts):
        raise TableRefused(f"Table {table!r} is not a name of one to three parts. Correct it.")
    named = [exp.to_identifier(p, quoted=True) for p in reversed(parts)]
    keys = ("this", "db", "catalog")
    return exp.alias_(
        exp.Table(**dict(zip(keys, named, strict=False))), exp.to_identifier("a"), table=True
    )


def _step(name: str, alias: str) -> exp.Expr:
    return exp.alias_(exp.to_table(name), alias, table=True)


def _column(table: str, name: str) -> exp.Column:
    """A column of one of the steps; of the table itself (`a`) its name is somebody else's."""
    named = exp.to_identifier(name, quoted=table == "a")
    return exp.column(named, table=exp.to_identifier(table))


# --- the inputs, as the card compares them -------------------------------------------------------


def _number_of(raw: exp.Expr, dialect: str) -> exp.Expr:
    """The column as double, NULL for not known; MySQL and SQLite have no NaN."""
    value = exp.cast(raw, "double")
    if dialect in ("mysql", "sqlite"):
        return value
    nan = exp.cast(exp.Literal.string("NaN"), "double")
    return exp.Nullif(this=value, expression=nan)


def _is_number(raw: exp.Expr) -> exp.Expr:
    """SQLite alone keeps texts in columns of numbers, and would read 'abc' as 0: no score."""
    kind = exp.Anonymous(this="typeof", expressions=[raw])
    return kind.isin(*(exp.Literal.string(t) for t in ("integer", "real", "null")))


def _text_of(raw: exp.Expr, dialect: str) -> exp.Expr:
    """The column as text, byte by byte; of a column of floats, 3.0 as '3' and NaN as NULL."""
    if dialect == "mysql":
        return exp.Cast(this=utf8mb4(raw), to=exp.DataType.build("binary", "mysql"))
    text: exp.Expr = exp.cast(raw.copy(), "text")
    function, *names = FLOATS[dialect]
    kind: exp.Expr = exp.Anonymous(this=function, expressions=[raw.copy()])
    if dialect == "postgres":
        kind = exp.cast(kind, "text")
    is_float = kind.isin(*(exp.Literal.string(n) for n in names))
    nan = exp.Literal.string("nan" if dialect == "duckdb" else "NaN")
    tail = exp.Substring(this=text.copy(), start=exp.Sub(
        this=exp.Length(this=text.copy()), expression=exp.Literal.number(1)))  # fmt: skip
    head = exp.Substring(
        this=text.copy(), start=exp.Literal.number(1),
        length=exp.Sub(this=exp.Length(this=text.copy()), expression=exp.Literal.number(2)),
    )  # fmt: skip
    told = (
        exp.Case()
        .when(exp.and_(is_float.copy(), exp.EQ(this=text.copy(), expression=nan)), exp.null())
        .when(exp.and_(is_float, exp.EQ(this=tail, expression=exp.Literal.string(".0"))), head)
        .else_(text)
    )
    if dialect not in COLLATIONS:
        return told
    return exp.Collate(this=exp.paren(told), expression=exp.Var(this=COLLATIONS[dialect]))


def _whole_at(of: ScoredCharacteristic) -> Callable[[int], exp.Expr]:
    return lambda slot: whole(of.bins[slot].points)
