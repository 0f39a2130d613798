"""Ways in which a published file can be broken, with a lock that does not hide it."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loansvc.editions import digest_of
from loansvc.registry import LOCK

Breakage = Callable[[Path], object]


def relocked(models: Path, path: Path) -> None:
    """Let the lock name the digest of the file as it is now, so that what is in it counts."""
    lock = json.loads((models / LOCK).read_text("utf-8"))
    name = path.relative_to(models).as_posix()
    for entry in lock["editions"]:
        if entry["path"] == name:
            entry["digest"] = digest_of(path.read_bytes())
    (models / LOCK).write_text(json.dumps(lock, ensure_ascii=False), "utf-8")


def _text(change: Callable[[str], str]) -> Breakage:
    def breaks(path: Path) -> None:
        before = path.read_text("utf-8")
        after = change(before)
        assert after != before
        path.write_text(after, "utf-8")

    return breaks


def _swap(old: str, new: str) -> Breakage:
    return _text(lambda text: text.replace(old, new, 1))


def _card(change: Callable[[dict[str, Any]], object]) -> Breakage:
    def breaks(text: str) -> str:
        card = json.loads(text)
        change(card)
        return json.dumps(card)

    return _text(breaks)


def _bins(card: dict[str, Any]) -> list[dict[str, Any]]:
    bins: list[dict[str, Any]] = card["characteristics"]["business_age_months"]["bins"]
    return bins


def _as_link(path: Path) -> None:
    shutil.move(path, path.with_name("elsewhere.md"))
    path.symlink_to("elsewhere.md")


def _as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _grown(n_bytes: int) -> Breakage:
    return lambda path: os.truncate(path, n_bytes)


def _cut(percent: int) -> Breakage:
    return lambda path: os.truncate(path, path.stat().st_size * percent // 100)


# Whatever the lock says, these are not read.
FILES: dict[str, Breakage] = {
    "empty": _cut(0),
    **{f"cut at {percent} %": _cut(percent) for percent in range(5, 100, 5)},
    "1 GB": _grown(1_000_000_000),
    "32 MB and a byte": _grown(32_000_001),
    "a link": _as_link,
    "a folder": _as_folder,
    "a pipe": _as_pipe,
    "gone": Path.unlink,
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe" + path.read_bytes()),
    "only zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}
CARDS: dict[str, Breakage] = {
    "nested 100,000 deep": lambda path: path.write_text("[" * 100_000 + "]" * 100_000, "ascii"),
    "a number of 5,000 digits": _swap("580", "9" * 5_000),
    "NaN": _card(lambda card: card.update(base_points=math.nan)),
    "infinity": _card(lambda card: card.update(base_points=math.inf)),
    "a text for points": _card(lambda card: card.update(base_points="580")),
    "half a point": _card(lambda card: _bins(card)[0].update(points=0.5)),
    "points beyond all others": _card(lambda card: _bins(card)[0].update(points=10**9)),
    "a gap between bins": _card(lambda card: _bins(card)[1].update({"from": 13})),
    "bins that overlap": _card(lambda card: _bins(card)[1].update({"from": 11})),
    "no bin": _card(lambda card: _bins(card).clear()),
    "no bin for missing": _card(lambda card: _bins(card).pop()),
    "an unknown key": _card(lambda card: card.update(surprise=1)),
    "an unknown characteristic": _card(
        lambda card: card["characteristics"].update(shoe_size={"bins": _bins(card)})
    ),
    "a key twice": _text(lambda text: text.replace("{", '{"base_points": 1, ', 1)),
    "another kind": _card(lambda card: card.update(kind="rates")),
    "another product": _card(lambda card: card.update(product="fast_loan")),
}  # fmt: skip
POLICIES: dict[str, Breakage] = {
    "grades that overlap": _swap("score_at_least = 620", "score_at_least = 650"),
    "a grade without a floor in between": _swap("score_at_least = 620", ""),
    "no last grade": _swap('[[grade]]\ngrade = "R7"\n', ""),
    "a gap in the limits": _swap(", unrated = 50 }", " }"),
    "a grade without limits": _text(
        lambda text: "\n".join(line for line in text.splitlines() if not line.startswith("R4 ="))
    ),
    "an unknown grade": _swap('grade = ["R1"', 'grade = ["R9"'),
    "an unknown tier": _swap('tier = "G3"', 'tier = "G9"'),
    "shares of 110": _swap("bank = 20,", "bank = 30,"),
    "no row for everybody": _swap('when = { grade = ["R1", "R2", "R3", "R4", "R5"] }\n'
                                  'shares_percent = { bank = 20',
                                  'when = { grade = ["R1"] }\nshares_percent = { bank = 10'),
    "29 February of 2027": _swap("2027-06-30", "2027-02-29"),
    "a key twice": _swap('product = "', 'kind = "policy"\nproduct = "'),
    "a YAML tag": _swap('reference = "test"', "reference: !!python/object:os.system x"),
    "an unknown key": _swap('reference = "test"', 'reference = "test"\nsurprise = 1'),
    "a limit without end": _swap("base_yuan = 150_000", "base_yuan = inf"),
    "an example that is not so": _swap('outcome = "approve", grade', 'outcome = "decline", grade'),
    "nested 100,000 deep": lambda path: path.write_text("a = " + "[" * 100_000, "ascii"),
}  # fmt: skip
