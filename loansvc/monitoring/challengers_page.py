"""The page of `loansvc challengers`: Chinese first, then English; needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from loansvc.monitoring.challengers_tables import Table, tables, title
from loansvc.monitoring.page import both, caution, heading, notes, table
from loansvc.monitoring.page import page as framed


def page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    period = f"{document['from']} – {document['to']}"
    return framed(f"挑战者 {period}", f"Challengers {period}", _parts(document))


def _parts(document: Mapping[str, Any]) -> Iterator[str]:
    if not document["challengers"]:
        yield caution("没有挑战者。", "There is no challenger.")
    for contest in document["challengers"]:
        yield heading(*title(contest))
        yield caution(contest["verdict"]["zh"], contest["verdict"]["en"])
        yield from map(_table, tables(contest))
    yield notes((note["zh"], note["en"]) for note in document["notes"])


def _table(shown: Table) -> str:
    lines = (
        f"<tr><td class='word'>{both(*name)}</td>"
        + "".join(f"<td>{escape(figure)}</td>" for figure in figures)
        + "</tr>"
        for name, figures in shown.rows
    )
    return table(shown.head, lines)
