"""Export: one card said again in other formats, each from its tables and giving the same points.

`sql`, `pmml`, `onnx_model`, `excel` and `bundle` each have one public function of a `Card`, and it
is pure: no file, no clock. What each format can and cannot say stands in docs/exports.md. Numbers
are compared as float64 everywhere, as they are where a table is scored.
"""

from __future__ import annotations

from collections.abc import Collection

from loansvc.errors import TableRefused
from loansvc.scorecard import Scorecard


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with `_` behind it until no other has it, in upper or lower case.

    >>> free_name("score", ["Score", "score_"])
    'score__'
    """
    folded = {t.casefold() for t in taken}
    while name.casefold() in folded:
        name += "_"
    return name


def check_fits(card: Scorecard, *, format_: str, also: str = "\0") -> None:
    """No name, word or statement holds a character the format cannot hold.

    Raises:
        TableRefused: naming the characteristic.
    """
    if any(char in also for char in card.statement):
        raise TableRefused(
            f"The card's statement holds a control character, which {format_} cannot hold. "
            "Take it out."
        )
    for characteristic in card.characteristics:
        described = characteristic.described
        texts = (characteristic.name, *described.words, described.zh, described.en)
        if any(char in also for text in texts for char in text or ""):
            raise TableRefused(
                f"Characteristic {characteristic.name!r}: its name or one of its words holds a "
                f"control character, which {format_} cannot hold. Rename it in the table."
            )
