"""Plots: Chinese glyphs are really there, and matplotlib is as it was afterwards."""

from __future__ import annotations

import subprocess
import sys
import warnings
from importlib.resources import files

import matplotlib as mpl
import pytest
from fontTools.ttLib import TTFont
from matplotlib.figure import Figure

from loansvc.reasons import WORD_TEXTS
from loansvc.training.divisions import divisions
from loansvc.training.plotting import FONT, FONT_FILE, style, svg

FOLDER = files("loansvc").joinpath("fonts")


@pytest.fixture(scope="module")
def known() -> set[str]:
    with TTFont(str(FOLDER.joinpath(FONT_FILE))) as font:
        return {chr(code) for code in font.getBestCmap()}


def test_the_font_has_every_character_of_the_code_table(known: set[str]) -> None:
    table = FOLDER.joinpath("../training/divisions.csv").read_text(encoding="utf-8")
    assert {c for c in table if c.isprintable()} - known == set()


def test_the_font_has_every_character_of_our_texts(known: set[str]) -> None:
    """All Chinese in the package, wherever it stands."""
    package = files("loansvc")
    texts = [p.read_text(encoding="utf-8") for p in package.rglob("*.py")]  # type: ignore[attr-defined]
    used = {c for text in texts for c in text if "一" <= c <= "鿿"}
    assert used - known - {"鿿"} == set()
    assert {c for zh, _ in WORD_TEXTS.values() for c in zh} <= known


def test_the_font_comes_with_its_licence_and_is_small() -> None:
    assert "SIL OPEN FONT LICENSE" in FOLDER.joinpath("OFL.txt").read_text(encoding="utf-8")
    assert len(FOLDER.joinpath(FONT_FILE).read_bytes()) < 1_600_000


def test_every_village_and_label_is_drawn_without_a_missing_glyph() -> None:
    names = sorted({d.name for d in divisions()} | {d.town for d in divisions()})
    labels = ["坏账率 bad rate (95 %)", "各时段 By period −0.5 – ✓ ✗ ‼ · … ×"]
    with warnings.catch_warnings(), style():
        warnings.simplefilter("error")
        figure = Figure()
        for i, name in enumerate([*names, *labels]):
            figure.text(0, i / 200, name)
        figure.draw_without_rendering()
        text = svg(figure, name="names")
    assert text.startswith("<svg")


def test_a_glyph_that_nobody_has_is_noticed() -> None:
    """So that the test before can fail."""
    with style():
        figure = Figure()
        figure.text(0, 0, "\U000f0000")
        with pytest.warns(UserWarning, match="Glyph"):
            figure.draw_without_rendering()


def test_style_leaves_no_trace() -> None:
    before = dict(mpl.rcParams)
    with style():
        assert mpl.rcParams["font.family"][0] == FONT
    assert dict(mpl.rcParams) == before


def test_importing_the_report_loads_no_matplotlib() -> None:
    """Training on a server needs no plots."""
    code = "import sys, loansvc.training.validation as v; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_svg_is_the_same_twice_and_names_no_other_place() -> None:
    def drawn() -> str:
        with style():
            figure = Figure(figsize=(2, 2))
            figure.add_subplot().plot([1, 2], [1, 2], label="王潭村")
        return svg(figure, name="a b")

    first = drawn()
    assert first == drawn()
    assert "<metadata" not in first
    assert 'id="ab-' in first
