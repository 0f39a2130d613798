"""Telling: the reason codes of a case in SQL, at most four, in the order of `decision.telling`.

Every code has a number below 256. A few reasons in a row are one whole number, the first in its
lowest eight bits, so that engines add and compare where they would otherwise build lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loansvc.errors import TableRefused
from loansvc.policy import Policy
from loansvc.portfolio.dialect import Dialect, text
from loansvc.portfolio.steps import Steps
from loansvc.reasons import MOST_REASONS
from loansvc.scorecard import Scorecard

VILLAGE = "V01"
RANKS = 64  # more than the reasons that a score can have
ONE = 256  # what the next reason is multiplied by
NO_REASON = 2**20  # above every key of a reason


@dataclass(frozen=True, slots=True)
class Codes:
    """Every code that a case can be given, and the number of each; 0 is none.

    Rules come first in the order of the file, then `capped` in the order in which they are told,
    then those of the score, by code.
    """

    rules: tuple[str, ...]
    capped: tuple[str, ...]
    scored: tuple[str, ...]
    consent: str = "A01"

    @property
    def all(self) -> tuple[str, ...]:
        """In the order of their numbers, from 1."""
        return (*self.rules, *self.capped, *self.scored, self.consent)

    def first_of(self, part: Sequence[str]) -> int:
        """The number of the first code of a part."""
        if part is self.rules:
            return 1
        return 1 + len(self.rules) + (0 if part is self.capped else len(self.capped))

    def bit(self, code: str) -> int:
        """The bit of a code in the mask of `capped`."""
        return 1 << self.capped.index(code)


def codes_of(card: Scorecard, policy: Policy) -> Codes:
    """The codes that this card and this policy can give.

    Raises:
        TableRefused: there are more than 255, or more of the score than can be told apart.
    """
    capped = ("P01", "L01", *(cap.id for cap in policy.caps), "L02", "G01")
    scored = tuple(sorted([*(of.code for of in card.characteristics), VILLAGE]))
    codes = Codes(tuple(rule.id for rule in policy.rules), capped, scored)
    if len(codes.all) >= ONE or len(scored) > RANKS or len(capped) > 60:
        raise TableRefused(
            f"Card and policy can give {len(codes.all)} reason codes, and a portfolio run can tell "
            f"apart {ONE - 1}, {RANKS} of them of the score. Decide these applications one by one."
        )
    return codes


# --- points lost ----------------------------------------------------------------------------------


def key(points: str, best: int, rank: int) -> str:
    """What a characteristic cost, as a number to sort by: points, then code. From 0: nothing."""
    return f"({points} - {best}) * {RANKS} + {rank}" if best else f"{points} * {RANKS} + {rank}"


def keys_of(card: Scorecard, codes: Codes) -> dict[str, str]:
    """The key of every characteristic, and of the village, by the name of its column."""
    rank = {code: i for i, code in enumerate(codes.scored)}
    keys = {
        f"key_{i}": key(f"p{i}", of.best, rank[of.code])
        for i, of in enumerate(card.characteristics, 1)
    }
    return keys | {"key_v": key("village_points", 0, rank[VILLAGE])}


def least_after(names: Sequence[str], before: str | None) -> str:
    """The least key above the one before it, or of all."""
    if before is None:
        return f"LEAST({', '.join(names)})"
    rest = ", ".join(f"CASE WHEN {n} > {before} THEN {n} ELSE {NO_REASON} END" for n in names)
    return f"LEAST({rest})"


def told_of_score(codes: Codes) -> str:
    """The reasons of the score from its four least keys `least_1` to `least_4`."""
    first = codes.first_of(codes.scored)
    parts = []
    for n in range(MOST_REASONS):
        name = f"least_{n + 1}"
        parts.append(
            f"CASE WHEN {name} < 0 THEN CAST(({name} & {RANKS - 1}) + {first} AS BIGINT)"
            f" * {ONE**n} ELSE 0 END"
        )
    return " + ".join(parts)


# --- reasons in a row -----------------------------------------------------------------------------


def lowest(mask: str, first: int, n: int) -> str:
    """The code of the lowest bit of a mask, as the n-th of a row; 0 of an empty mask."""
    return (
        f"CASE WHEN {mask} = 0 THEN 0 ELSE"
        f" (CAST(BIT_COUNT(({mask} & -{mask}) - 1) AS BIGINT) + {first}) * {ONE**n} END"
    )


def joined(a: str, b: str) -> str:
    """The reasons of `a` and behind them those of `b`, where there is room."""
    return (
        f"CASE WHEN {b} = 0 THEN {a} WHEN {a} = 0 THEN {b} WHEN {a} < {ONE} THEN {a} + {b} * {ONE}"
        f" WHEN {a} < {ONE**2} THEN {a} + {b} * {ONE**2}"
        f" WHEN {a} < {ONE**3} THEN {a} + {b} * {ONE**3} ELSE {a} END"
    )


# --- the steps ------------------------------------------------------------------------------------


def tell(steps: Steps, card: Scorecard, policy: Policy, dialect: Dialect) -> None:
    """Add the steps that give `reason_1` to `reason_4`."""
    codes = codes_of(card, policy)
    keys = keys_of(card, codes)
    steps.extend("keyed", keys | {
        "above_said": "above_limit AND matrix_limit_yuan > 0",
        "decisive_1": "CASE judged WHEN 2 THEN declining WHEN 1 THEN referring ELSE 0 END",
        "lesser_1": "CASE judged WHEN 2 THEN referring ELSE 0 END",
        "told": "(judged = 0 AND automated) OR by_score <> 0",
    })  # fmt: skip
    bound_by = " ".join(
        f"WHEN bound_{i} = capped_yuan THEN {codes.bit(cap.id)}"
        for i, cap in enumerate(policy.caps, 1)
    )
    cap = f"CASE WHEN capped_yuan < matrix_limit_yuan THEN CASE {bound_by} ELSE 0 END ELSE 0 END"
    parts = [
        f"CASE WHEN unasked THEN {codes.bit('P01')} ELSE 0 END",
        f"CASE WHEN above_said THEN {codes.bit('L01')} + {cap if bound_by else 0} ELSE 0 END",
        f"CASE WHEN below_minimum THEN {codes.bit('L02')} ELSE 0 END",
        f"CASE WHEN without_tier AND factor_percent > 0 THEN {codes.bit('G01')} ELSE 0 END",
    ]
    masks = {"capped_1": f"CAST({' + '.join(parts)} AS BIGINT)"}
    for n in range(1, 5):
        more = dict(masks) if n == 1 else {
            f"{m}_{n}": f"{m}_{n - 1} & ({m}_{n - 1} - 1)" for m in ("decisive", "lesser", "capped")
        }  # fmt: skip
        before = None if n == 1 else f"least_{n - 1}"
        steps.extend(f"least{n}", more | {f"least_{n}": least_after([*keys], before)})

    def row_of(mask: str, part: Sequence[str]) -> str:
        first = codes.first_of(part)
        return " + ".join(lowest(f"{mask}_{n + 1}", first, n) for n in range(4))

    steps.extend("rows", {
        "decisive": row_of("decisive", codes.rules),
        "lesser": row_of("lesser", codes.rules),
        "capping": row_of("capped", codes.capped),
        "points": f"CASE WHEN told THEN {told_of_score(codes)} ELSE 0 END",
    })  # fmt: skip
    _order(steps, codes, dialect)


def _order(steps: Steps, codes: Codes, dialect: Dialect) -> None:
    """Behind one another as `decision.telling.reasons_for` has them."""
    two = ONE**2
    high = {name: dialect.divide(name, str(two)) for name in ("decisive", "points")}
    steps.extend("mixed", {
        "score_first": "by_score = judged",
        "mixing": "by_score = judged AND decisive <> 0",
    })  # fmt: skip
    steps.extend("queued", {
        "said_0": f"CASE WHEN automated THEN 0 ELSE {len(codes.all)} END",
        "next_1": f"CASE WHEN mixing THEN decisive % {two} ELSE decisive END",
        "next_2": f"CASE WHEN mixing THEN points % {two} WHEN score_first THEN points ELSE 0 END",
        "next_3": f"CASE WHEN mixing THEN {high['decisive']} ELSE 0 END",
        "next_4": f"CASE WHEN mixing THEN {high['points']} ELSE 0 END",
        "next_5": "capping",
        "next_6": "lesser",
        "next_7": "CASE WHEN score_first THEN 0 ELSE points END",
    })  # fmt: skip
    for n in range(1, 8):
        steps.extend(f"said{n}", {f"said_{n}": joined(f"said_{n - 1}", f"next_{n}")})
    alone = codes.first_of(codes.capped) + codes.capped.index("L01")
    steps.extend("sorted", {
        "said": f"CASE WHEN said_7 = 0 AND above_limit THEN {alone} ELSE said_7 END"
    })  # fmt: skip
    words = [text(code) for code in codes.all]
    steps.extend("named", {
        f"reason_{n}": dialect.pick_word(
            words, f"NULLIF(CAST({dialect.divide('said', str(ONE ** (n - 1)))}"
            f" % {ONE} AS INT), 0)")
        for n in range(1, 5)
    })  # fmt: skip
