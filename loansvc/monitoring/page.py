"""Page: the frame of a page that needs nothing else, Chinese first, then English.

The look is that of a comparison of cards (`loansvc.comparison.page`); here is what is added to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from loansvc.comparison.page import STYLE

ADDED_STYLE = """
body { margin: 1.5rem; background: #fff }
.cmp { max-width: 76rem } .cmp .en { color: #5a6877; font-weight: 400 }
.cmp h1 .en, .cmp h2 .en { font-size: .8em; margin-left: .5em }
.cmp th .en { display: block; font-size: .82em }
.cmp td .en { display: block; font-size: .82em; line-height: 1.2; white-space: normal }
.cmp th, .cmp td { padding: .18rem .42rem; white-space: nowrap }
.cmp th { vertical-align: bottom } .cmp th .en { white-space: normal }
.cmp td code { font-size: .82em } .cmp tr.total td { font-weight: 600;
  border-top: 1px solid #9aa7b4 }
.cmp .caution { background: #fff3cf; color: #6b4e00; padding: .4rem .7rem; margin: .3rem 0 }
.cmp svg.bars { display: block; margin: .4rem 0 .8rem; max-width: 100%; height: auto;
  font-size: 12px }
.cmp svg.bars text { fill: #1c2733 }
.cmp ul.notes { color: #5a6877; padding-left: 1.1rem; margin: .4rem 0 }
.cmp ul.notes li { margin: .25rem 0 } .cmp td.hidden { color: #8a96a3 }
.cmp tr.over td { color: #a32020 } .cmp td.word { text-align: left }
.cmp table:has(td.word) th { text-align: left }
@page { size: A4 landscape; margin: 12mm }
@media print { body { margin: 0 } .cmp { font-size: 10px; max-width: none }
  .cmp .wide { overflow: visible }
  .cmp svg.bars, .cmp .caution { break-inside: avoid; print-color-adjust: exact;
    -webkit-print-color-adjust: exact }
  .cmp h2, .cmp .note { break-after: avoid } .cmp thead { display: table-header-group } }
"""


def page(title_zh: str, title_en: str, parts: Iterable[str]) -> str:
    """The whole document."""
    title = f"{escape(title_zh)} · {escape(title_en)}"
    return (
        '<!doctype html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}{ADDED_STYLE}</style>\n</head>\n<body>\n"
        f'<div class="cmp"><h1>{both(title_zh, title_en)}</h1>{"".join(parts)}</div>\n'
        "</body>\n</html>\n"
    )


def both(zh: str, en: str) -> str:
    """A text in both languages, once where they are the same."""
    if zh == en:
        return escape(zh)
    return f'{escape(zh)} <span class="en" lang="en">{escape(en)}</span>'


def heading(zh: str, en: str) -> str:
    """A heading of a part."""
    return f"<h2>{both(zh, en)}</h2>"


def caution(zh: str, en: str) -> str:
    """What must be known before any figure is read."""
    return f'<p class="caution">{both(zh, en)}</p>'


def notes(texts: Iterable[tuple[str, str]]) -> str:
    """How the figures are to be read."""
    items = (f"<li>{both(zh, en)}</li>" for zh, en in texts)
    return f'<ul class="notes">{"".join(items)}</ul>'


def table(head: Iterable[tuple[str, str]], lines: Iterable[str]) -> str:
    """A table; each line is a `<tr>`."""
    cells = "".join(f"<th>{both(zh, en)}</th>" for zh, en in head)
    return (
        f'<div class="wide"><table><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
