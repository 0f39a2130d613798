#!/usr/bin/env python3
"""score.py: scores with the card beside it. Python 3.8 or later, nothing else; no network.

    python score.py applications.csv scores.csv [--key COLUMN] [--lang zh|en]
    python score.py --check

The card is card.json, read here from scratch: this file shares no line with the program that made
the card, and golden.json holds what that program answered. As a module:

    import score
    card = score.Card.read("card.json")
    card.score({"age": 41, "job": "clerk"})     # None: not known
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import re
import sys
from bisect import bisect_right
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MOST_REASONS = 4
# What a spreadsheet would run; also full-width, and behind what a reader may skip.
FORMULA = re.compile(r"[\s\ufeff\u200b\x00]*[=+\-@＝＋－＠]|[\t\r\n]")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


class Refused(Exception):
    """What cannot be scored, in a sentence that ends in what to do."""


class Axis:
    """Where a value stands among bins: special codes, words, `from <= value < to`, or a state."""

    def __init__(self, name: str, bins: list[dict[str, Any]]) -> None:
        self.name, self.bins = name, bins
        self.is_word = any("words" in b for b in bins)
        self.states = {b["state"]: i for i, b in enumerate(bins) if "state" in b}
        self.at: dict[Any, int] = {}
        for i, b in enumerate(bins):
            self.at.update((word, i) for word in b.get("words", ()))
            self.at.update((float(code), i) for code in b.get("values", ()))
        self.cuts = [float(b["to"]) for b in bins if "to" in b]

    def slot(self, value: Any) -> int:
        """The place of the bin; None, and a number that is none, are not known."""
        if value is None or value != value:  # noqa: PLR0124 -- NaN alone is not itself
            return self.states["missing"]
        if self.is_word:
            if not isinstance(value, str):
                raise Refused(f"{self.name} must be a text, or None where it is not known.")
            return self.at.get(value, self.states["unseen"])
        if isinstance(value, str):
            raise Refused(f"{self.name} must be a number, or None where it is not known.")
        number = float(value)
        found = self.at.get(number)
        return bisect_right(self.cuts, number) if found is None else found


class Card:
    """The card of a document, and the texts of its bins."""

    def __init__(self, document: dict[str, Any], texts: dict[str, Any] | None = None) -> None:
        self.base = document["base_points"]
        bins = {name: document["characteristics"][name]["bins"]
                for name in sorted(document["characteristics"])}  # fmt: skip
        self.axes = [Axis(name, listed) for name, listed in bins.items()]
        self.best = [_best(listed) for listed in bins.values()]
        self.pairs = [
            (Axis(p["rows"]["name"], p["rows"]["bins"]),
             Axis(p["columns"]["name"], p["columns"]["bins"]), p["points"])
            for p in document.get("pairs", [])
        ]  # fmt: skip
        words = {a.name for a in self.axes if a.is_word}
        for axis in (a for rows, columns, _ in self.pairs for a in (rows, columns)):
            axis.is_word = axis.name in words
        self.texts = texts or {}

    @classmethod
    def read(cls, path: str | Path, texts: str | Path | None = None) -> Card:
        """The card in a file, with the texts in another."""
        told = json.loads(Path(texts).read_text("utf-8")) if texts else None
        return cls(json.loads(Path(path).read_text("utf-8")), told)

    @property
    def names(self) -> list[str]:
        """The characteristics, in the order of their names."""
        return [a.name for a in self.axes]

    def score(self, values: dict[str, Any]) -> int:
        """The score: base points, the points of one bin each, and of the two-way tables."""
        total: int = self.base
        total += sum(a.bins[a.slot(values[a.name])]["points"] for a in self.axes)
        for rows, columns, points in self.pairs:
            total += points[rows.slot(values[rows.name])][columns.slot(values[columns.name])]
        return total

    def reasons(self, values: dict[str, Any], lang: str = "en") -> list[tuple[str, int, str]]:
        """Code, points lost against the best ordinary bin, and text; most points first."""
        found = []
        for axis, best in zip(self.axes, self.best):  # noqa: B905 -- strict is of Python 3.10
            slot = axis.slot(values[axis.name])
            lost = axis.bins[slot]["points"] - best
            told = self.texts.get(axis.name, {})
            if lost < 0:
                text = told[lang][slot] if told else axis.name
                found.append((told.get("code", axis.name), lost, text))
        return sorted(found, key=lambda reason: reason[1])[:MOST_REASONS]


def pd_ppm(score: int) -> int:
    """Probability of default in parts per million: 600 points are 50:1, 20 more double the odds."""
    with localcontext() as context:
        context.prec = 40
        odds = 50 * Decimal(2) ** (Decimal(score - 600) / 20)
        ppm = int(Decimal(1_000_000) / (1 + odds) + Decimal("0.5"))
    return min(max(ppm, 1), 999_999)


def _best(bins: list[dict[str, Any]]) -> int:
    """Points of the best bin that a tenth of the training cases reached."""
    plain = [b for b in bins if "state" not in b and "values" not in b]
    n_cases = sum(b.get("n", 0) for b in bins)
    ordinary = [b for b in plain if b.get("n", 0) * 10 >= n_cases]
    return max(int(b["points"]) for b in ordinary or plain)


# --- a CSV file ----------------------------------------------------------------------------------


def score_file(card: Card, source: Path, target: Path, *, key: str | None, lang: str) -> int:
    """Score every row, or refuse the file before anything is written; the number of rows."""
    with source.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        names = next(reader, [])
        for name in [*card.names, *([key] if key else [])]:
            if names.count(name) != 1:
                raise Refused(f"The file must have a column {name} exactly once. Add or rename it.")
        rows = []
        for i, cells in enumerate(reader, 1):
            if not cells:
                continue
            if len(cells) != len(names):
                raise Refused(f"Row {i} has {len(cells)} cells for {len(names)} columns.")
            row = dict(zip(names, cells))  # noqa: B905 -- strict is of Python 3.10
            values = {a.name: _cell(a, row[a.name], i) for a in card.axes}
            score = card.score(values)
            reasons = card.reasons(values, lang)
            rows.append((
                row[key] if key else i, score, f"{pd_ppm(score) / 1e6:.6f}",
                ";".join(f"{code}:{lost}" for code, lost, _ in reasons),
                "; ".join(text for _, _, text in reasons),
            ))  # fmt: skip
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")  # else a return within a cell ends the line
    for line in [(key or "row", "score", "pd", "reasons", "reasons_text"), *rows]:
        writer.writerow([_safe(cell) if isinstance(cell, str) else cell for cell in line])
    _write_whole(target, out.getvalue().encode("utf-8"))
    return len(rows)


def _safe(cell: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would run it; no number is."""
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell


def _write_whole(target: Path, data: bytes) -> None:
    """All of the file or none of it; a pipe or a device is written to as it is."""
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    target = target.resolve()  # through a link, to what it names
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        if part.exists():
            part.unlink()


def _cell(axis: Axis, cell: str, row: int) -> Any:
    """The value of a cell: an empty one is not known. Nothing else is: "NA" is a word."""
    if cell == "":
        return None
    if axis.is_word:
        return cell
    text = cell.strip()
    if text.lower() == "nan":
        return None
    number = float(text) if NUMBER.fullmatch(text) else float("inf")
    if number in (float("inf"), float("-inf")):
        raise Refused(
            f"Row {row}, column {axis.name}: must be a number with a decimal point, or empty where "
            "it is not known. Correct it; nothing was written."
        )
    return number


# --- the check -----------------------------------------------------------------------------------


def check(folder: Path) -> str:
    """Every file is the one of the manifest, and every golden case scores as recorded."""
    for line in (folder / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, name = line.split("  ", 1)
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise Refused(f"{name} is not the file that was delivered. Unpack the bundle again.")
    card = Card.read(folder / "card.json", folder / "texts.json")
    golden = json.loads((folder / "golden.json").read_text("utf-8"))
    for i, case in enumerate(golden["cases"], 1):
        values = dict(zip(golden["names"], case["values"]))  # noqa: B905 -- likewise
        score = card.score(values)
        found = [score, pd_ppm(score), [list(r[:2]) for r in card.reasons(values)]]
        if found != [case["score"], case["pd_ppm"], case["reasons"]]:
            raise Refused(f"Golden case {i} gives {found}, not what was recorded. Do not use it.")
    return f"{len(golden['cases'])} golden cases agree; every file is as delivered."


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 done, 1 refused, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="score.py", description="Score a CSV file offline.")
    parser.add_argument("source", nargs="?", type=Path, help="CSV in UTF-8, first line the names")
    parser.add_argument("target", nargs="?", type=Path, help="CSV to write")
    parser.add_argument("--key", help="column to carry over; without it, the number of the row")
    parser.add_argument("--lang", choices=("zh", "en"), default="en", help="of the reasons")
    parser.add_argument("--check", action="store_true", help="files and golden cases")
    given = parser.parse_args(arguments)
    if not given.check and (given.source is None or given.target is None):
        parser.error("give a CSV file to read and one to write, or --check")
    try:
        if given.check:
            print(check(HERE))
        else:
            card = Card.read(HERE / "card.json", HERE / "texts.json")
            n = score_file(card, given.source, given.target, key=given.key, lang=given.lang)
            print(f"{n} rows scored, written to {given.target}")
    except (Refused, OSError, UnicodeError, csv.Error) as refusal:
        print(f"refused: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
