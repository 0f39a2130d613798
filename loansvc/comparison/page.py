"""The page of a comparison: HTML that needs nothing else, no script, no other file, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from loansvc.comparison import SAME, Comparison, Difference, Figure, Line, Side

STYLE = """
.cmp { font: 14px/1.45 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  color: #1c2733; max-width: 60rem; }
.cmp h1 { font-size: 1.5rem; margin: 0 0 .3rem }
.cmp h2 { font-size: 1.15rem; margin: 1.8rem 0 .4rem }
.cmp h3 { font-size: 1rem; margin: 1.3rem 0 .3rem } .cmp code { color: #5a6877; font-size: .9em }
.cmp table { border-collapse: collapse; font-variant-numeric: tabular-nums }
.cmp th, .cmp td { padding: .18rem .7rem; border-bottom: 1px solid #e1e6eb; text-align: right;
  vertical-align: top }
.cmp th { font-weight: 600; color: #43515f; border-bottom-color: #9aa7b4 }
.cmp th:first-child, .cmp td:first-child { text-align: left; padding-left: 0 }
.cmp td.text { text-align: left; max-width: 22rem; overflow-wrap: anywhere }
.cmp th, .cmp td.state { white-space: nowrap; text-align: left }
.cmp th { text-align: right }
.cmp tr.same td { color: #8a96a3 } .cmp .up { color: #14663a } .cmp .down { color: #a32020 }
.cmp .lead { font-size: 1.05rem; margin: .6rem 0 } .cmp .note { color: #5a6877; margin: .2rem 0 }
.cmp .tag { font-size: .8rem; font-weight: 600; padding: .05rem .45rem; border-radius: .7rem;
  background: #e8edf2; color: #33414e; margin-left: .4rem; white-space: nowrap }
.cmp .synthetic { margin-left: 0; background: #fff3cf; color: #6b4e00 }
.cmp td.bar { width: 12rem; padding: .18rem 0 .18rem .7rem }
.cmp .axis { position: relative; height: 1.05em; border-left: 1px solid #9aa7b4; margin-left: 50% }
.cmp .axis i { position: absolute; top: .12em; height: .8em; display: block }
.cmp .axis i.up { background: #5fa37f; left: 0 }
.cmp .axis i.down { background: #d07a72; right: 100% }
.cmp .grid td, .cmp .grid th { padding: .15rem .45rem } .cmp details { margin-top: .8rem }
.cmp .wide { overflow-x: auto }
@media print { .cmp h3, .cmp tr { break-inside: avoid } }
"""


def page(comparison: Comparison) -> str:
    """The whole document."""
    title = f"{comparison.before.name} and {comparison.after.name}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Two scorecards: {escape(title)}</title>\n"
        "<style>body { margin: 1.5rem; background: #fff }</style>\n"
        f"</head>\n<body>\n{body(comparison)}\n</body>\n</html>\n"
    )


def body(comparison: Comparison) -> str:
    """What a notebook shows too."""
    changed, same = comparison.changed, comparison.same
    parts = [
        f"<style>{STYLE}</style>",
        "<h1>Two scorecards, bin by bin</h1>",
        _lead(comparison),
        _sides(comparison.before, comparison.after),
        _figures(comparison.figures),
        _overview(changed, n_same=len(same)),
        *map(_difference, changed),
    ]
    if same:
        parts.append(
            f"<details><summary>{_count(len(same))} with the same bins and points</summary>"
            f"{''.join(map(_difference, same))}</details>"
        )
    return f'<div class="cmp">{"".join(parts)}</div>'


def _lead(comparison: Comparison) -> str:
    least, most = comparison.least, comparison.most
    if not comparison.changed and least == most == 0:
        return '<p class="lead">Both give every applicant the same score.</p>'
    most_text = "" if comparison.exact else "at most "
    return (
        f'<p class="lead">From A to B the score of an applicant changes by {most_text}'
        f"<b>{_signed(least)}</b> to <b>{_signed(most)}</b> points.</p>"
        '<p class="note">The extremes of every combination of values, likely or not. '
        "20 points double the odds. What only one card scores counts 0 in the other.</p>"
    )


def _sides(before: Side, after: Side) -> str:
    rows: list[tuple[str, Callable[[Side], str]]] = [
        ("card", lambda s: escape(s.name)),
        ("of", lambda s: escape(s.product) or "–"),
        ("first day", lambda s: escape(s.valid_from) or "–"),
        ("reference", lambda s: escape(s.reference) or "–"),
        ("data", lambda s: '<span class="tag synthetic">synthetic</span>' if s.synthetic else "–"),
        ("base points", lambda s: str(s.base_points)),
        ("characteristics", lambda s: str(s.characteristics)),
    ]
    lines = (
        f'<tr><td>{label}</td><td class="text">{show(before)}</td>'
        f'<td class="text">{show(after)}</td></tr>'
        for label, show in rows
    )
    return _table(
        ('<th></th><th style="text-align:left">A</th><th style="text-align:left">B</th>'), lines
    )


def _figures(figures: Iterable[Figure]) -> str:
    lines = [_figure(f) for f in figures]
    if not lines:
        return '<p class="note">Neither manifest gives figures.</p>'
    head = "<th></th><th>A</th><th>B</th><th>B less A</th>"
    return (
        f"<h2>Figures of the manifests</h2>{_table(head, lines)}"
        '<p class="note">Each card on its own held-out cases: a difference between two sets of '
        "cases is not yet one between the cards.</p>"
    )


def _figure(figure: Figure) -> str:
    shown = [_number(v) for v in (figure.before, figure.after)]
    change, kind = "", ""
    if figure.before is not None and figure.after is not None:
        step = figure.after - figure.before
        change = f"{step:+,}" if isinstance(step, int) else f"{step:+.4f}"
        if step and figure.more_is_better is not None:
            kind = "up" if (step > 0) == figure.more_is_better else "down"
    return (
        f"<tr><td>{escape(figure.label)}</td><td>{shown[0]}</td><td>{shown[1]}</td>"
        f'<td class="{kind}">{change}</td></tr>'
    )


def _number(value: int | float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _overview(changed: Iterable[Difference], *, n_same: int) -> str:
    lines = [
        f"<tr><td>{_title(d)}</td>"
        f'<td class="state">{d.state}</td>'
        f"<td>{_signed(d.least)}</td><td>{_signed(d.most)}</td></tr>"
        for d in changed
    ]
    if not lines:
        return ""
    head = '<th></th><th style="text-align:left">what</th><th>from</th><th>to</th>'
    return (
        f"<h2>What changed</h2>{_table(head, lines)}"
        f'<p class="note">{_count(n_same)} with the same bins and points.</p>'
    )


def _title(of: Difference) -> str:
    code = "" if of.label == of.name else f" <code>{escape(of.name)}</code>"
    return f"{escape(of.label)}{code}"


def _difference(difference: Difference) -> str:
    heading = f'<h3>{_title(difference)}<span class="tag">{difference.state}</span></h3>'
    if difference.columns:
        return heading + _grid(difference)
    scale = difference.largest or 1
    head = "<th>value</th><th>A</th><th>B</th><th>B less A</th>"
    if difference.state != SAME:
        head += "<th></th>"
    shown = difference.state != SAME
    lines = (_line(line, scale, with_bar=shown) for line in difference.lines)
    return heading + _table(head, lines)


def _line(line: Line, scale: int, *, with_bar: bool) -> str:
    change, kind = line.change, "up" if line.change > 0 else "down"
    cells = (
        f"<td>{escape(line.value)}</td><td>{_points(line.before)}</td>"
        f'<td>{_points(line.after)}</td><td class="{kind if change else ""}">{_signed(change)}</td>'
    )
    if with_bar:
        bar = (
            f'<i class="{kind}" style="width:{100 * abs(change) / scale:.0f}%"></i>'
            if change
            else ""
        )
        cells += f'<td class="bar"><div class="axis">{bar}</div></td>'
    return f'<tr class="{"" if change else "same"}">{cells}</tr>'


def _grid(difference: Difference) -> str:
    """A two-way table: B less A in each cell, both points on a second line."""
    head = "<th></th>" + "".join(f"<th>{escape(c)}</th>" for c in difference.columns)
    lines_, width = difference.lines, len(difference.columns)
    rows = (lines_[at : at + width] for at in range(0, len(lines_), width))
    lines = (
        f"<tr><td>{escape(label)}</td>{''.join(map(_grid_cell, row))}</tr>"
        for label, row in zip(difference.rows, rows, strict=True)
    )
    return f'<div class="wide grid">{_table(head, lines)}</div>'


def _grid_cell(line: Line) -> str:
    kind = "up" if line.change > 0 else "down" if line.change < 0 else ""
    pair = f"{_points(line.before)} → {_points(line.after)}"
    return f'<td class="{kind}">{_signed(line.change)}<br><code>{pair}</code></td>'


def _table(head: str, lines: Iterable[str]) -> str:
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _points(points: int | None) -> str:
    return "–" if points is None else _signed(points)


def _signed(points: int) -> str:
    return f"{points:+d}" if points else "0"


def _count(n: int) -> str:
    return "1 characteristic" if n == 1 else f"{n} characteristics"
