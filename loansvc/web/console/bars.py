"""Bars: what a page draws of a decision, as numbers between 0 and 100 of a bar's width.

A chart is a table whose last column is a picture of its row: it reads out, wraps and prints like
one. Which way points go is said by sign and by place, never by colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from loansvc.policy.wording import SHARER_TEXTS

Text = tuple[str, str]  # Chinese, English
MARK = 1.0  # width of a sum


@dataclass(frozen=True, slots=True)
class Step:
    """One row of a waterfall. `total`: it stands at a sum, and does not add to it."""

    text: Text
    points: int
    best_points: int | None
    left: float
    width: float
    total: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """One part of a bar of a hundred percent."""

    name: str
    text: Text
    percent: int
    left: int


def waterfall(score: dict[str, Any]) -> list[Step]:
    """From base to score: what raised it, the most first, then what lowered it, then the village.

    `score` is that member of an explanation. Sums are marks, parts are bars from sum to sum.

    >>> line = {"label_zh": "", "label_en": "", "best_points": 30}
    >>> lines = [line | {"points": p, "bin": {"zh": "a", "en": "a"}} for p in (-10, 30)]
    >>> village = {"points": 0, "state": "rated"}
    >>> score = {"base_points": 580, "characteristics": lines, "village": village, "total": 600}
    >>> [(step.points, step.left, step.width) for step in waterfall(score)]
    [(580, 0.0, 1.0), (30, 0.0, 100.0), (-10, 66.7, 33.3), (0, 66.7, 0.0), (600, 66.7, 1.0)]
    """
    lines = sorted(score["characteristics"], key=lambda line: -line["points"])
    sums = list(accumulate((line["points"] for line in lines), initial=score["base_points"]))
    low: int = min(*sums, score["total"])
    high: int = max(*sums, score["total"])

    def at(points: int) -> float:
        return 100.0 * (points - low) / max(high - low, 1)

    def part(text: Text, before: int, points: int, best: int | None = None) -> Step:
        left, right = sorted((at(before), at(before + points)))
        return Step(text, points, best, round(left, 1), round(right - left, 1))

    def total(text: Text, points: int) -> Step:
        left = round(min(at(points), 100 - MARK), 1)
        return Step(text, points, None, left, MARK, total=True)

    return [
        total(("基础分", "Base"), score["base_points"]),
        *(part(_text(line), before, line["points"], line["best_points"])
          for before, line in zip(sums, lines, strict=False)),
        part(("所在村的还款记录", "The village's record of repayment"), sums[-1],
             score["village"]["points"]),
        total(("得分", "Score"), score["total"]),
    ]  # fmt: skip


def _text(line: dict[str, Any]) -> Text:
    """What the value is, as a bin says it; the name of the characteristic where it says nothing."""
    said = line["bin"]
    return said["zh"] or line["label_zh"], said["en"] or line["label_en"]


@dataclass(frozen=True, slots=True)
class Change:
    """Points before and after, None where a card does not score it, and a bar from the middle."""

    before: int | None
    after: int | None
    points: int
    left: float
    width: float


def change_bar(before: int | None, after: int | None, most: int) -> Change:
    """A change of points against the largest one beside it: to the right up, to the left down.

    >>> change_bar(3, -2, 10)
    Change(before=3, after=-2, points=-5, left=25.0, width=25.0)
    """
    points = (after or 0) - (before or 0)
    width = round(50.0 * abs(points) / most, 1)
    return Change(before, after, points, 50.0 if points > 0 else 50.0 - width, width)


def shares(guarantee: dict[str, Any]) -> list[Share]:
    """Who carries how much of a loss, from left to right; who carries nothing is left out."""
    found, left = [], 0
    for name, percent in guarantee["shares_percent"].items():
        if percent:
            found.append(Share(name, SHARER_TEXTS[name], percent, left))
            left += percent
    return found
