"""Letter as PDF: the same parts as on the page, in a font that holds every character of ours."""

from __future__ import annotations

from datetime import datetime

from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos

from loansvc.settings import shipped
from loansvc.web.console.letter import SIGNED, TITLE, Letter, Text

FONT = "letter"
MARGIN_MM, LINE_MM, NAME_MM = 20, 6.5, 32
TITLE_PT, ANSWER_PT, TEXT_PT, SMALL_PT = 18, 14, 11, 9


def pdf(letter: Letter, *, language: str, made_at: datetime) -> bytes:
    """The letter on A4, its text selectable, dated `made_at`."""
    paper = _paper(language, made_at)
    # Chinese has no spaces to break lines at.
    wrap = WrapMode.CHAR if language == "zh" else WrapMode.WORD

    def say(text: Text, size: int, *, align: str = "L", before_mm: float = 0.0) -> None:
        if before_mm:
            paper.ln(before_mm)
        paper.set_font(FONT, size=size)
        paper.multi_cell(
            0, LINE_MM * size / TEXT_PT, _in(text, language), align=align, wrapmode=wrap,
            new_x=XPos.LMARGIN, new_y=YPos.NEXT,
        )  # fmt: skip

    say(TITLE, TITLE_PT, align="C")
    paper.ln(LINE_MM)
    for name, value in letter.facts:
        paper.set_font(FONT, size=TEXT_PT)
        paper.cell(NAME_MM, LINE_MM, _in(name, language))
        say(value, TEXT_PT)
    say(letter.answer, ANSWER_PT, before_mm=LINE_MM)
    for part in letter.parts:
        say(part.heading, ANSWER_PT - 1, before_mm=LINE_MM / 2)
        for number, line in enumerate(part.lines, start=1):
            say((f"{number}. {line[0]}", f"{number}. {line[1]}"), TEXT_PT)
    paper.ln(LINE_MM * 2)
    for name in SIGNED:
        say((f"{name[0]}：" + "_" * 24, f"{name[1]}: " + "_" * 24), TEXT_PT, align="R", before_mm=4)
    for caution in letter.cautions:
        say(caution, SMALL_PT, before_mm=2)
    return bytes(paper.output())


def _paper(language: str, made_at: datetime) -> FPDF:
    paper = FPDF(format="A4")
    paper.set_margin(MARGIN_MM)
    paper.set_title(_in(TITLE, language))
    paper.set_lang("zh-CN" if language == "zh" else "en")
    paper.set_creation_date(made_at)
    paper.add_font(FONT, fname=shipped("fonts") / "NotoSansSC-subset.otf")
    paper.add_page()
    return paper


def _in(text: Text, language: str) -> str:
    return text[0] if language == "zh" else text[1]
