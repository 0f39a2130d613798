"""Charts: horizontal bars as inline SVG, from numbers alone; no script, prints as it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABEL, FIGURE = 760, 190, 120  # of the picture, its names, its figures; in pixels
BAR, STEP, TOP = 16, 24, 26
# Told apart in grey print and by the colour-blind: blue, amber, brick (light to dark differs).
COLOURS = ("#3f78a8", "#e3b54d", "#a8493f")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, its parts from left to right (not negative), and the text at its end."""

    name: str
    parts: tuple[int, ...]
    text: str


def bars(rows: Sequence[Bar], *, legend: Sequence[str], title: str) -> str:
    """The chart; nothing where there is nothing to draw.

    The longest bar takes the whole width. `title` is read out by screen readers.

    >>> svg = bars([Bar("a", (2, 1), "3"), Bar("b", (0, 0), "0")], legend=("x", "y"), title="t")
    >>> svg.count("<rect"), bars([], legend=(), title="t")
    (4, '')
    """
    longest = max((sum(row.parts) for row in rows), default=0)
    if not longest:
        return ""
    top = TOP if len(legend) > 1 else 4
    height = top + STEP * len(rows)
    lines = (_bar(row, longest, y=top + STEP * i) for i, row in enumerate(rows))
    return (
        f'<svg class="bars" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">{_legend(legend)}{"".join(lines)}</svg>'
    )


def _bar(row: Bar, longest: int, *, y: int) -> str:
    room, x = WIDTH - LABEL - FIGURE, float(LABEL)
    parts = []
    for part, colour in zip(row.parts, COLOURS, strict=False):
        width = room * part / longest
        if part:
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'
            )
        x += width
    middle = y + BAR - 4
    return (
        f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">{escape(row.name)}</text>'
        f'{"".join(parts)}<text x="{x + 6:.1f}" y="{middle}">{escape(row.text)}</text>'
    )


def _legend(names: Sequence[str]) -> str:
    if len(names) < 2:
        return ""
    x, parts = LABEL, []
    for name, colour in zip(names, COLOURS, strict=False):
        parts.append(
            f'<rect x="{x}" y="4" width="12" height="12" fill="{colour}"/>'
            f'<text x="{x + 17}" y="14">{escape(name)}</text>'
        )
        # A Chinese character is twice as wide as a Latin one.
        x += 40 + sum(13 if ord(c) > 0x2E7F else 7 for c in name)
    return "".join(parts)
