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

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from loansvc.errors import TableRefused
from loansvc.scorecard import (
    ODDS,
    POINTS_TO_DOUBLE,
    SCORE_AT_ODDS,
    ScoredCharacteristic,
    pd_ppm,
)
from loansvc.training.export import (
    HIGHEST_PD_SCORE,
    LOWEST_PD_SCORE,
    as_doubles,
    check_fits,
    free_name,
    reachable,
    slots_in_order,
)

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
        (of.name, _case(of, _column("v", inputs[of.name]), dialect, _whole_at(of)))
        for of in scorecard.characteristics
    ]
    for pair in scorecard.pairs:
        parts.append((
            f"{pair.rows.name}*{pair.columns.name}",
            _case(
                pair.rows, _column("v", inputs[pair.rows.name]), dialect,
                # The default holds the pair of this turn; mypy cannot infer such a lambda's type.
                lambda row, pair=pair: _case(  # type: ignore[misc]
                    pair.columns, _column("v", inputs[pair.columns.name]), dialect,
                    lambda column: _whole(pair.points[row][column]),
                ),
            ),
        ))  # fmt: skip
    pointed: list[exp.Expr] = [_column("v", alias) for alias in keys.values()]
    pointed += [part.as_(f"p{i}") for i, (_, part) in enumerate(parts, 1)]
    total: exp.Expr = _whole(scorecard.base_points)
    for i in range(1, len(parts) + 1):
        total = exp.Add(this=total, expression=_column("p", f"p{i}"))
    if dialect == "sqlite" and numbers:
        pointed.append(_column("v", "is_number"))
        total = exp.Case().when(_column("p", "is_number"), total)

    taken = list(kept)
    last = [_column("s", alias).as_(name, quoted=True) for name, alias in keys.items()]
    answers = {"score": _column("s", "score"), "pd": _pd(*reachable(scorecard), dialect)}
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
        return exp.Cast(this=_utf8mb4(raw), to=exp.DataType.build("binary", "mysql"))
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


# --- the bins ------------------------------------------------------------------------------------


def _whole_at(of: ScoredCharacteristic) -> Callable[[int], exp.Expr]:
    return lambda slot: _whole(of.bins[slot].points)


def _case(
    of: ScoredCharacteristic,
    value: exp.Expr,
    dialect: str,
    points: Callable[[int], exp.Expr],
) -> exp.Expr:
    """The points of the bin that holds the value; the first WHEN that fits is the right one."""
    *first, (_, last) = list(slots_in_order(of))
    case = exp.Case()
    for kind, slot in first:
        case = case.when(_holds(of, kind, slot, value.copy(), dialect), points(slot), copy=False)
    return case.else_(points(last), copy=False)


def _holds(
    of: ScoredCharacteristic, kind: str, slot: int, value: exp.Expr, dialect: str
) -> exp.Expr:
    bin_ = of.bins[slot]
    if kind == "missing":
        return exp.Is(this=value, expression=exp.null())
    if kind == "range":
        return exp.LT(this=value, expression=_double(float(of.cuts[slot]), dialect))
    if kind == "values":
        listed = [_double(v, dialect) for v in as_doubles(bin_.values)]
    else:
        listed = [_word(w, dialect) for w in bin_.words]
    return exp.In(this=value, expressions=listed)


def _whole(points: int) -> exp.Expr:
    return exp.Literal.number(points)


def _double(value: float, dialect: str) -> exp.Expr:
    """A double that is this one to the last bit.

    SQLite reads more than 15 digits, or great and small exponents, one step off at times; a whole
    number times or by powers of two it reads and reckons exactly.
    """
    shortest = repr(abs(value))
    digits, _, exponent = shortest.partition("e")
    n_digits = len(digits.replace(".", "").strip("0"))
    # Clinger 1990: up to 15 digits and 10**22 both factors are exact, so one rounding is left.
    if dialect != "sqlite" or (n_digits <= 15 and abs(int(exponent or 0)) <= 6):
        literal = shortest if exponent else f"{digits.removesuffix('.0')}e0"
        number: exp.Expr = exp.Literal.number(literal)
    else:
        number = _by_powers_of_two(abs(value))
    return exp.Neg(this=number) if value < 0 else number


def _by_powers_of_two(value: float) -> exp.Expr:
    mantissa, exponent = math.frexp(value)
    number: exp.Expr = exp.Literal.number(f"{int(mantissa * 2**53)}.0")
    exponent -= 53
    kind = exp.Mul if exponent > 0 else exp.Div
    left = abs(exponent)
    while left:
        step = min(left, 62)  # 2**62 is the greatest that every SQLite reads as a whole number
        number = kind(this=number, expression=exp.Literal.number(f"{2**step}.0"))
        left -= step
    return exp.paren(number)


def _word(word: str, dialect: str) -> exp.Expr:
    """A word. In hexadecimal where a setting decides what a backslash or a quote means."""
    is_plain = word.isprintable() and not any(c in word for c in "\\'\"")
    if dialect == "mysql" and not (is_plain and word.isascii()):
        if is_plain:  # whatever the connection's character set
            return _utf8mb4(exp.Literal.string(word))
        return exp.HexString(this=word.encode().hex())
    if dialect == "spark" and not is_plain:
        return exp.cast(exp.HexString(this=word.encode().hex()), "text")
    return exp.Literal.string(word)


def _utf8mb4(text: exp.Expr) -> exp.Expr:
    to = exp.DataType(this=exp.DataType.Type.CHARACTER_SET, kind=exp.Var(this="utf8mb4"))
    return exp.Cast(this=text, to=to)


# --- the PD --------------------------------------------------------------------------------------


def _pd(lowest: int, highest: int, dialect: str) -> exp.Expr:
    """The PD: whole parts per million, by one correctly rounded division by a million.

    The formula is the card's own. For no score does it come nearer than 0.00005 to a half, and a
    power in float64 is off by 0.000000001 at most: rounding gives the same whole number. SQLite
    need not have POWER: it gets the table.
    """
    score = _column("s", "score")
    million = exp.Literal.number("1e6")
    if dialect == "sqlite":
        case = exp.Case(this=score)
        low, high = (min(max(s, LOWEST_PD_SCORE), HIGHEST_PD_SCORE) for s in (lowest, highest))
        scores = [s for s in range(low, high + 1) if 1 < pd_ppm(s) < 999_999]
        for s in scores:
            case = case.when(_whole(s), _whole(pd_ppm(s)), copy=False)
        is_low = exp.LT(this=score.copy(), expression=_whole(SCORE_AT_ODDS))
        rest = exp.Case().when(score.copy().is_(exp.null()), exp.null())
        rest = rest.when(is_low, _whole(999_999))
        ppm = rest.else_(_whole(1))
        return exp.Div(this=case.else_(ppm) if scores else ppm, expression=million)
    number: exp.Expr = exp.cast(score, "double")
    if lowest < LOWEST_PD_SCORE or highest > HIGHEST_PD_SCORE:  # or the power would overflow
        number = _between(number, f"{LOWEST_PD_SCORE}e0", f"{HIGHEST_PD_SCORE}e0")
    doublings = exp.Div(
        this=exp.paren(exp.Sub(this=number, expression=exp.Literal.number(f"{SCORE_AT_ODDS}e0"))),
        expression=exp.Literal.number(f"{POINTS_TO_DOUBLE}e0"),
    )
    odds = exp.Mul(
        this=exp.Literal.number(f"{ODDS}e0"),
        expression=exp.Pow(this=exp.Literal.number("2e0"), expression=doublings),
    )
    exact = exp.Div(
        this=million.copy(),
        expression=exp.paren(exp.Add(this=exp.Literal.number("1e0"), expression=odds)),
    )
    half_up = exp.Floor(this=exp.Add(this=exact, expression=exp.Literal.number("0.5e0")))
    return exp.Div(this=_between(half_up, "1e0", "999999e0"), expression=million)


def _between(value: exp.Expr, low: str, high: str) -> exp.Expr:
    """LEAST and GREATEST by name: sqlglot would write DuckDB's with tests for NULL around them."""
    least = exp.Anonymous(this="LEAST", expressions=[value, exp.Literal.number(high)])
    return exp.Anonymous(this="GREATEST", expressions=[least, exp.Literal.number(low)])
