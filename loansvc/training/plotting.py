"""Plotting: one look for all plots, with Chinese glyphs on machines that have no Chinese font.

`style()` is a context: nothing of matplotlib changes outside it, except that it has seen one font
more. The font is a subset of Noto Sans CJK SC (fonts/OFL.txt): GB 2312, ASCII,
punctuation, and every character of the texts and villages of loansvc.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONT = "Noto Sans SC Subset"
FONT_FILE = "NotoSansSC-subset.otf"
# Told apart by people who see no red or green, and in grey (Okabe and Ito 2008).
BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#6b7785"
RC: dict[str, Any] = {
    "font.family": [FONT, "DejaVu Sans"],
    "font.size": 10.5,
    "axes.titlesize": 12,
    "axes.titleweight": "normal",  # the subset has one weight
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 150,
    "svg.fonttype": "path",  # glyphs go with the page: nobody needs the font to read it
}


def register() -> str:
    """Make the font known to matplotlib, once; its family."""
    from matplotlib import font_manager

    if FONT not in {font.name for font in font_manager.fontManager.ttflist}:
        with as_file(files("loansvc").joinpath("fonts", FONT_FILE)) as path:
            font_manager.fontManager.addfont(path)
    return FONT


@contextmanager
def style(**more: Any) -> Iterator[None]:
    """Draw in the house style; rcParams are as before afterwards.

    >>> from matplotlib.figure import Figure
    >>> with style():
    ...     figure = Figure()
    ...     title = figure.add_subplot().set_title("王潭村 bad rate")
    """
    from cycler import cycler
    from matplotlib import rc_context

    register()
    colours = cycler(color=[BLUE, ORANGE, GREEN, RED, GREY])
    settings: Any = {**RC, "axes.prop_cycle": colours, **more}
    with rc_context(settings):
        yield


def svg(figure: Figure, *, name: str) -> str:
    """The figure as an SVG element to put into a page: no link, no date, the same every time."""
    text = StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with style(**{"svg.hashsalt": name}):
        figure.savefig(text, format="svg", metadata=nothing)
    element = text.getvalue()
    element = element[element.index("<svg") :]
    return _own_ids(element, name)


def _own_ids(element: str, name: str) -> str:
    """Every id with the name before it, so that two figures of a page share none."""
    mark = re.sub(r"\W", "", name)
    element = re.sub(r'\bid="', f'id="{mark}-', element)
    element = re.sub(r'(href=")#', rf"\1#{mark}-", element)
    return re.sub(r"url\(#", f"url(#{mark}-", element)
