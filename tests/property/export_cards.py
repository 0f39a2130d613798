"""Cards and rows that every export must agree on: by hand, nasty on purpose, and as shipped."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from loansvc.scorecard import ScoredCharacteristic
from loansvc.training.card import Card
from tests.unit.test_training_columns import DOCUMENT, ROWS

SHIPPED = Path(__file__).parents[2] / "models/scorecards"
CARDS = ("by_hand", "nasty", *sorted(p.name for p in SHIPPED.iterdir()))
N_RANDOM = 10_000
Row = dict[str, Any]

HOSTILE_WORDS = (
    "", " ", "a", "A", "a ", " a", "it's", 'say "x"', "back\\slash", "\\'", "\\", "tab\there",
    "new\nline", "%_%", "%s", ":x", "NULL", "null", "NaN", "nan", "3", "3.0", "03", "词语", "é",
    "e\u0301", "😀", "--", "/*x*/ */", "$$", "{{x}}", "=1+1", "@x", "+1", "-1", "<&>]]>", "#N/A",
    "TRUE", "*", "?", "~*", "\\n", "x" * 300, "o''clock", "\u00a0", "`tick`", "$1", "a  b",
)  # fmt: skip
HOSTILE_NAMES = (
    'say "hi"', "it's; DROP TABLE applications; --", "back\\slash", "`tick`", "select", "score",
    "=1+1", "名称😀", "pd", "x" * 70, "points_select", "a.b", "%s {x} $1", "Pd_2", "<&>",
)  # fmt: skip


def number(*cuts: float, codes: Any = (), points: Any = None, missing: int = -7) -> dict[str, Any]:
    """The bins of a number."""
    edges = [None, *cuts, None]
    bins: list[dict[str, Any]] = []
    for i in range(len(cuts) + 1):
        span = {"from": edges[i], "to": edges[i + 1]}
        kept = {k: v for k, v in span.items() if v is not None}
        bins.append({**kept, "points": points[i] if points else (i * 7919) % 61 - 30, "n": 100 + i})
    bins += [{"values": list(c), "points": 11 + i} for i, c in enumerate(codes)]
    return {"type": "number", "bins": [*bins, {"state": "missing", "points": missing}]}


def nasty() -> dict[str, Any]:
    """Cuts that float32, DECIMAL and careless parsers flip; names and words that break quoting."""
    random = Random(20261123)  # the same card in every run
    characteristics: dict[str, Any] = {
        HOSTILE_NAMES[0]: number(-1e300, -5e-324, 1e-300, 1e-7, 0.1, 0.3, 0.1 + 0.2, 1 / 3, 1e22),
        HOSTILE_NAMES[1]: number(
            -(2.0**60), 2.0**24 + 1, 2.0**53, 2.0**53 + 2, 1e16 + 2, 1.7e299,
            codes=[[2.0**53, -999], [9e15 + 1]],
        ),
        HOSTILE_NAMES[2]: number(0, 7, 98, 99, codes=[[0, 99], [-1], [98.5, -0.1, 7]]),
        HOSTILE_NAMES[3]: number(),
        HOSTILE_NAMES[4]: number(0.5, codes=[[-9e99]]),
    }  # fmt: skip
    for name in HOSTILE_NAMES[5:12]:
        digits = random.choice((1, 3, 9, 17))
        scale = 10.0 ** random.randint(-12, 12)
        cuts = sorted({float(f"{random.uniform(-scale, scale):.{digits}g}") for _ in range(9)})
        codes = [[random.choice(cuts)], [random.uniform(-scale, scale)]]
        characteristics[name] = number(*cuts, codes=codes)
    for name, words in (
        (HOSTILE_NAMES[12], HOSTILE_WORDS),
        (HOSTILE_NAMES[13], ("b", "B", "b ", "'", '"')),
        (HOSTILE_NAMES[14], ("1", "2.5", "10", "-3")),
    ):
        groups = [list(words[i::7]) for i in range(7) if words[i::7]]
        bins = [{"words": g, "points": 3 * i - 8} for i, g in enumerate(groups)]
        states = [{"state": "missing", "points": 1}, {"state": "unseen", "points": -14}]
        characteristics[name] = {"type": "word", "words": list(words), "bins": [*bins, *states]}
    return {
        "statement": "A card that means no good: <&> \"quoted\" 'too' \\.",
        "base_points": 573,
        "characteristics": characteristics,
        "pairs": [
            _pair(HOSTILE_NAMES[0], [0.1, 1 / 3], [], HOSTILE_NAMES[12], HOSTILE_WORDS, random),
            _pair(HOSTILE_NAMES[2], [7, 50], [[7], [99, 0]], HOSTILE_NAMES[13],
                  ("b", "B", "b ", "'", '"'), random),
        ],
    }  # fmt: skip


def _pair(
    row: str, cuts: list[float], codes: Any, column: str, words: Any, random: Random
) -> dict[str, Any]:
    rows = [{k: v for k, v in b.items() if k not in ("points", "n")}
            for b in number(*cuts, codes=codes)["bins"]]  # fmt: skip
    half = len(words) // 2
    columns = [{"words": list(words[:half])}, {"words": list(words[half:])},
               {"state": "missing"}, {"state": "unseen"}]  # fmt: skip
    points = [[random.randint(-20, 20) for _ in columns] for _ in rows]
    return {"rows": {"name": row, "bins": rows}, "columns": {"name": column, "bins": columns},
            "points": points}  # fmt: skip


@cache
def card_of(name: str) -> Card:
    """One of CARDS."""
    if name == "by_hand":
        return Card.of(DOCUMENT)
    if name == "nasty":
        return Card.of(nasty())
    return Card.read(SHIPPED / name / "2026-07-01.json")


@cache
def rows_of(name: str) -> tuple[Row, ...]:
    """Every edge of every characteristic by itself, then 10,000 rows at random."""
    card, random = card_of(name), Random(f"rows of {name}")
    values = {c.name: _values(c, card, random) for c in card.scorecard.characteristics}
    rows = [{n: random.choice(v) for n, v in values.items()} for _ in range(N_RANDOM)]
    for characteristic, edges in values.items():
        rows += [{**random.choice(rows), characteristic: edge} for edge in edges[:400]]
    if name == "by_hand":
        rows += [{"age": age, "job": job} for age, job, _ in ROWS]
    # A number is a float64 wherever it is scored; whole ones may come as integers.
    return tuple(rows)


@cache
def expected_of(name: str) -> tuple[int, ...]:
    """The score of every row, row by row, by the scorecard itself."""
    card = card_of(name).scorecard
    return tuple(card.score(row) for row in rows_of(name))


def _values(of: ScoredCharacteristic, card: Card, random: Random) -> list[Any]:
    if of.described.words:
        near = [w + " " for w in of.described.words[:3]] + [w.upper() for w in of.described.words]
        return [None, *of.described.words, *near, "never seen", "", "NA", "\u200b"]
    axes = [a for p in card.scorecard.pairs for a in (p.rows, p.columns) if a.name == of.name]
    marks = {float(m) for a in (of, *axes) for m in (*a.cuts, *a.index) if not isinstance(m, str)}
    found: list[Any] = [None, math.nan]
    for mark in sorted(marks) or [0.0]:
        below, above = math.nextafter(mark, -math.inf), math.nextafter(mark, math.inf)
        found += [below, mark, above, float(f"{mark:.6g}"), mark * (1 + 1e-9), mark + 1, mark - 1]
    found += [0.0, -0.0, 1.0, -1.0, 1e308, -1e308, 5e-324, 2.0**53 + 2, 0.1, 1e15 + 0.5]
    low, high = (min(marks), max(marks)) if marks else (-10.0, 10.0)
    found += [random.uniform(low / 2, high / 2) for _ in range(50)]
    return found + [float(random.randint(-10, 200)) for _ in range(20)]
