"""Challengers as tables: the rows that text and page share, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from loansvc.monitoring.words import OUTCOME_WORDS

Words = tuple[str, str]
Document = Mapping[str, Any]
CHAMPION, CHALLENGER = ("冠军", "champion"), ("挑战者", "challenger")
DECISIONS: tuple[Words, ...] = (("决定", "decisions"), ("笔数", "n"), ("占比", "share"))
SCORES: tuple[Words, ...] = (("评分与金额", "scores and amounts"), CHAMPION, CHALLENGER)
GINI: tuple[Words, ...] = (("Gini（到期贷款）", "Gini, loans with a known end"), ("值", "value"))
CALIBRATION: tuple[Words, ...] = (
    ("校准", "calibration"), ("笔数", "loans"), ("不良", "bad"), ("预期", "expected"),
    ("实际", "observed"),
)  # fmt: skip
SIDES = ((CHAMPION, "by_champion"), (CHALLENGER, "by_challenger"))


@dataclass(frozen=True, slots=True)
class Table:
    """A table: what its columns are called, the first of them what its rows are called."""

    head: tuple[Words, ...]
    rows: tuple[tuple[Words, tuple[str, ...]], ...]


def tables(contest: Document) -> Iterator[Table]:
    """The tables of one challenger, those without a row left out."""
    return (table for table in _tables(contest) if table.rows)


def _tables(contest: Document) -> Iterator[Table]:
    yield Table(DECISIONS, tuple(_decisions(contest)))
    if contest["decisions"]:
        yield Table(SCORES, tuple(_side_by_side(contest)))
    if contest["gini"]:
        names = (CHAMPION, CHALLENGER, ("之差", "difference"))
        yield Table(GINI, tuple((name, (_points(contest["gini"][name[1]]),)) for name in names))
    yield Table(CALIBRATION, tuple(_calibration(contest)))


def _decisions(contest: Document) -> Iterator[tuple[Words, tuple[str, ...]]]:
    yield ("两卡都评分", "judged by both"), (f"{contest['decisions']:,}", "")
    yield (
        ("由挑战者决定", "decided by the challenger"),
        (f"{contest['decided_by_challenger']:,}", ""),
    )
    if contest["agreement"]:
        yield ("结果相同", "same outcome"), ("", _percent(contest["agreement"]))
    for flip in contest["flips"]:
        was, would_be = OUTCOME_WORDS[flip["champion"]], OUTCOME_WORDS[flip["challenger"]]
        name = (f"{was[0]}→{would_be[0]}", f"{was[1]} -> {would_be[1]}")
        yield name, (f"{flip['n']:,}", _percent(flip["share"]))


def _side_by_side(contest: Document) -> Iterator[tuple[Words, tuple[str, ...]]]:
    sides = [contest[key] for _, key in SIDES]
    for percent in sides[0]["scores"]:
        name = (f"评分，第{percent}百分位", f"score, {percent} % at or below")
        yield name, tuple(str(side["scores"][percent]) for side in sides)
    for grade in sorted({grade for side in sides for grade in side["grades"]}):
        counts = tuple(f"{side['grades'].get(grade, 0):,}" for side in sides)
        yield (f"等级{grade}", f"grade {grade}"), counts
    for key, name in (
        ("approved_yuan", ("批准金额（元）", "approved, yuan")),
        ("expected_loss_yuan", ("其预期损失（元）", "expected loss of it, yuan")),
    ):
        yield name, tuple(f"{side[key]:,}" for side in sides)


def _calibration(contest: Document) -> Iterator[tuple[Words, tuple[str, ...]]]:
    for (zh, en), key in SIDES:
        for one in contest[key]["calibration"]:
            figures = (f"{one['loans']:,}", f"{one['bad']:,}", f"{100 * one['expected']:.2f} %")
            yield (f"{zh}{one['grade']}", f"{en} {one['grade']}"), (
                *figures, _percent(one["observed"], places=2),
            )  # fmt: skip


def _percent(found: Document, *, places: int = 1) -> str:
    value, low, high = (f"{100 * found[k]:.{places}f}" for k in ("value", "low", "high"))
    return f"{value} % ({low}, {high})"


def _points(found: Document) -> str:
    return f"{found['value']:.3f} ({found['low']:.3f}, {found['high']:.3f})"


def title(contest: Document) -> Words:
    """Which card beside which, until when, and how many it decides."""
    one, other = contest["challenger"], contest["champion"]
    until = one["until"]
    return (
        f"{contest['product']}：挑战者{one['valid_from']}（{one['digest'][7:15]}），冠军"
        f"{other['valid_from']}（{other['digest'][7:15]}），"
        f"{f'至{until}' if until else '无终止日'}，决定{one['share_percent']}%",
        f"{contest['product']}: challenger {one['valid_from']} ({one['digest'][7:15]}) beside "
        f"champion {other['valid_from']} ({other['digest'][7:15]}), "
        f"{f'until {until}' if until else 'without an end'}, decides {one['share_percent']} %",
    )
