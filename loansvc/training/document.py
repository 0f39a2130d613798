"""Card: the scorecard document, as `loansvc.scorecard` reads it, with everything a reviewer asks.

Beside the bins it carries `golden`: sixty cases with their score, checked again at every load; and
`training`: how it was made (`manifest`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

from loansvc.editions import Reader
from loansvc.scorecard import Scorecard
from loansvc.scorecard.document import read_scorecard
from loansvc.training.cells import Input
from loansvc.training.compact import Line
from loansvc.training.fitting import Fit
from loansvc.training.manifest import Run, manifest
from loansvc.training.records import plain
from loansvc.training.synthetic import Population
from loansvc.training.validation import Figures

STATEMENT = (
    "本评分卡由合成数据训练，数据中没有任何真实申请人，仅供演示，不得用于实际授信。"
    "This scorecard was trained on synthetic data: no real applicant is in it. "
    "It is for demonstration and must not decide real loans."
)
N_GOLDEN = 60
REVIEW_AFTER_DAYS = 364  # a year, whichever day it starts on
UNSEEN_WORD = "never_seen"


def document_of(
    run: Run, fitted: Fit, trained_on: Population, held_out: Population, reached: Figures
) -> dict[str, Any]:
    """The whole document; reading it back is part of making it."""
    document: dict[str, Any] = {
        "kind": "scorecard",
        "product": run.product,
        "valid_from": run.valid_from.isoformat(),
        "review_by": (run.valid_from + timedelta(days=REVIEW_AFTER_DAYS)).isoformat(),
        "reference": run.reference,
        "synthetic": True,
        "statement": STATEMENT,
        "base_points": fitted.lines.base_points,
        "characteristics": {
            line.input.name: {"bins": bins_of(line)} for line in fitted.lines.lines
        },
        "training": manifest(run, fitted, trained_on, held_out, reached),
    }
    card = card_of(document)
    document["golden"] = [
        {
            "values": values,
            "score": card.score(dict(zip(_names(fitted.inputs), values, strict=True))),
        }
        for values in golden_values(fitted, held_out)
    ]
    card_of(document)
    return document


def card_of(document: Mapping[str, Any]) -> Scorecard:
    """The card in a document, read as the service reads it, except for the head."""
    head = ("kind", "product", "valid_from", "review_by", "reference")
    content = {key: value for key, value in document.items() if key not in head}
    with Reader(content, file=f"scorecard {document['product']}") as reader:
        return read_scorecard(reader)


# --- bins ---------------------------------------------------------------------------------------


def bins_of(line: Line) -> list[dict[str, Any]]:
    """The bins of one characteristic: numbers with equal points as one, codes, then the states."""
    of = line.input
    known = _word_bins(line) if of.is_word else _number_bins(line)
    known += [
        _counted(line, [of.n_cells + place]) | {"values": [code]}
        for place, code in enumerate(of.codes)
    ]
    known.append(_counted(line, [of.missing]) | {"state": "missing"})
    if of.is_word:
        known.append(_unseen(line))
    return known


def _unseen(line: Line) -> dict[str, Any]:
    """Words never seen: as the rare ones are, whose words may not be printed; else neutral."""
    of = line.input
    if not of.others:
        return {"state": "unseen", "points": line.neutral, "n": 0, "n_bad": 0}
    counted = _counted(line, [of.n_cells - 1]) | {"state": "unseen"}
    return counted if not of.rare else counted | {"n": 0, "n_bad": 0}


def _number_bins(line: Line) -> list[dict[str, Any]]:
    edges, bins = line.input.edges, []
    for cells in _runs_of_equal_points(line):
        bin_ = _counted(line, cells)
        if cells[0] > 0:
            bin_["from"] = edges[cells[0] - 1]
        if cells[-1] < len(edges):
            bin_["to"] = edges[cells[-1]]
        bins.append(bin_)
    return bins


def _word_bins(line: Line) -> list[dict[str, Any]]:
    """The best first, so that a reason names nothing the applicant is not.

    Of a CATALOGUE characteristic one bin a word; of another, words with equal points share one.
    """
    of_cell = line.input.words_by_cell
    groups = [[cell] for cell in range(line.input.n_cells) if of_cell[cell]]
    if line.input.own:
        by_points: dict[int, list[int]] = {}
        for [cell] in groups:
            by_points.setdefault(int(line.points[cell]), []).append(cell)
        groups = list(by_points.values())
    bins = [
        _counted(line, cells) | {"words": [word for cell in cells for word in of_cell[cell]]}
        for cells in groups
    ]
    return sorted(bins, key=lambda bin_: -bin_["points"])  # stable: ties in catalogue order


def _runs_of_equal_points(line: Line) -> list[list[int]]:
    cells = range(line.input.n_cells)
    return [list(run) for _, run in groupby(cells, key=lambda cell: line.points[cell])]


def _counted(line: Line, slots: Sequence[int]) -> dict[str, Any]:
    at = list(slots)
    return {
        "points": int(line.points[at[0]]),
        "n": int(line.table.counts[at].sum()),
        "n_bad": int(line.table.bads[at].sum()),
    }


# --- golden cases -------------------------------------------------------------------------------


def golden_values(fitted: Fit, held_out: Population) -> list[list[Any]]:
    """Nothing known; only words never seen; both sides of every printed edge; and real rows."""
    nothing: list[Any] = [None] * len(fitted.inputs)
    unseen = [UNSEEN_WORD if i.is_word else None for i in fitted.inputs]
    sides = [_both_sides(line) for line in fitted.lines.lines]
    n_edge_rows = max(len(s) for s in sides)
    edge_rows = [[s[row % len(s)] for s in sides] for row in range(n_edge_rows)]
    n_rows = N_GOLDEN - 2 - n_edge_rows
    columns = [plain(held_out.frame[name][:n_rows]) for name in _names(fitted.inputs)]
    return [nothing, unseen, *edge_rows, *(list(row) for row in zip(*columns, strict=True))]


def _both_sides(line: Line) -> list[Any]:
    """Every word, or the last number before and the first after each edge that is printed."""
    if line.input.words:
        return list(line.input.words)
    cuts = [bin_["to"] for bin_ in _number_bins(line) if "to" in bin_] or [0]
    return [value for cut in cuts for value in (cut - 1, cut)]


def _names(inputs: Sequence[Input]) -> list[str]:
    return [i.name for i in inputs]
