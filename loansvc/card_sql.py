"""Card SQL: the bins of a card and its PD as SQL expressions, for one table or for a portfolio.

Built as trees and rendered for each database; what a value is read from is the caller's. A double
is this double to the last bit, a word this word byte by byte, in each of the databases.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sqlglot import exp

from loansvc.scorecard import (
    ODDS,
    POINTS_TO_DOUBLE,
    SCORE_AT_ODDS,
    Number,
    ScoredCharacteristic,
    pd_ppm,
)
from loansvc.scorecard.slots import (
    HIGHEST_PD_SCORE,
    LOWEST_PD_SCORE,
    slots_in_order,
)


def case_of(
    of: ScoredCharacteristic,
    value: exp.Expr,
    dialect: str,
    points: Callable[[int], exp.Expr],
    *,
    in_whole: bool = False,
) -> exp.Expr:
    """The points of the bin that holds the value; the first WHEN that fits is the right one.

    `in_whole`: the value is a whole number, as all of the CATALOGUE are, and no double.

    >>> from loansvc.scorecard import Bin, Described, scored
    >>> of = scored(
    ...     Described.from_catalogue("employees"),
    ...     [Bin(-9, None, 3), Bin(4, 3, None), Bin(0, state="missing")],
    ... )
    >>> x, points = exp.column("x"), lambda slot: whole(of.bins[slot].points)
    >>> case_of(of, x, "duckdb", points, in_whole=True).sql("duckdb")
    'CASE WHEN x IS NULL THEN 0 WHEN x < 3 THEN -9 ELSE 4 END'
    """
    *first, (_, last) = list(slots_in_order(of))

    def write(number: Number) -> exp.Expr:
        return whole(int(number)) if in_whole else double(float(number), dialect)

    case = exp.Case()
    for kind, slot in first:
        case = case.when(
            _holds(of, kind, slot, value.copy(), dialect, write), points(slot), copy=False
        )
    return case.else_(points(last), copy=False)


def _holds(
    of: ScoredCharacteristic, kind: str, slot: int, value: exp.Expr, dialect: str,
    write: Callable[[Number], exp.Expr],
) -> exp.Expr:  # fmt: skip
    bin_ = of.bins[slot]
    if kind == "missing":
        return exp.Is(this=value, expression=exp.null())
    if kind == "range":
        return exp.LT(this=value, expression=write(of.cuts[slot]))
    if kind == "values":
        listed = [write(v) for v in bin_.values]
    else:
        listed = [word(w, dialect) for w in bin_.words]
    return exp.In(this=value, expressions=listed)


def whole(points: int) -> exp.Expr:
    """A whole number, such as points."""
    return exp.Literal.number(points)


def double(value: float, dialect: str) -> exp.Expr:
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


def word(word: str, dialect: str) -> exp.Expr:
    """A word. In hexadecimal where a setting decides what a backslash or a quote means."""
    is_plain = word.isprintable() and not any(c in word for c in "\\'\"")
    if dialect == "mysql" and not (is_plain and word.isascii()):
        if is_plain:  # whatever the connection's character set
            return utf8mb4(exp.Literal.string(word))
        return exp.HexString(this=word.encode().hex())
    if dialect == "spark" and not is_plain:
        return exp.cast(exp.HexString(this=word.encode().hex()), "text")
    return exp.Literal.string(word)


def utf8mb4(text: exp.Expr) -> exp.Expr:
    """MySQL's cast to all of Unicode."""
    to = exp.DataType(this=exp.DataType.Type.CHARACTER_SET, kind=exp.Var(this="utf8mb4"))
    return exp.Cast(this=text, to=to)


# --- the PD --------------------------------------------------------------------------------------


def pd_of(score: exp.Expr, lowest: int, highest: int, dialect: str) -> exp.Expr:
    """The PD, by one correctly rounded division of parts per million by a million."""
    ppm = ppm_of(score, lowest, highest, dialect)
    return exp.Div(this=ppm, expression=exp.Literal.number("1e6"))


def ppm_of(score: exp.Expr, lowest: int, highest: int, dialect: str) -> exp.Expr:
    """The PD in whole parts per million, of a score from `lowest` to `highest`.

    The formula is the card's own. For no score does it come nearer than 0.00005 to a half, and a
    power in float64 is off by 0.000000001 at most: rounding gives the same whole number. SQLite
    need not have POWER: it gets the table.
    """
    million = exp.Literal.number("1e6")
    if dialect == "sqlite":
        case = exp.Case(this=score)
        low, high = (min(max(s, LOWEST_PD_SCORE), HIGHEST_PD_SCORE) for s in (lowest, highest))
        scores = [s for s in range(low, high + 1) if 1 < pd_ppm(s) < 999_999]
        for s in scores:
            case = case.when(whole(s), whole(pd_ppm(s)), copy=False)
        is_low = exp.LT(this=score.copy(), expression=whole(SCORE_AT_ODDS))
        rest = exp.Case().when(score.copy().is_(exp.null()), exp.null())
        rest = rest.when(is_low, whole(999_999))
        ppm = rest.else_(whole(1))
        return case.else_(ppm) if scores else ppm
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
        this=million,
        expression=exp.paren(exp.Add(this=exp.Literal.number("1e0"), expression=odds)),
    )
    half_up = exp.Floor(this=exp.Add(this=exact, expression=exp.Literal.number("0.5e0")))
    return _between(half_up, "1e0", "999999e0")


def _between(value: exp.Expr, low: str, high: str) -> exp.Expr:
    """LEAST and GREATEST by name: sqlglot would write DuckDB's with tests for NULL around them."""
    least = exp.Anonymous(this="LEAST", expressions=[value, exp.Literal.number(high)])
    return exp.Anonymous(this="GREATEST", expressions=[least, exp.Literal.number(low)])
