"""Documents: the lock and the files it names, read whole or refused with file and reason."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from loansvc.decision.split import MOST_SHARE_PERCENT
from loansvc.editions import CHALLENGER, ROLES, SAID, Edition, Head, Reader, digest_of, read_head
from loansvc.errors import EditionRefused
from loansvc.policy.document import read_policy
from loansvc.rates import read_rates
from loansvc.registry.text import line_finder, text_of, toml_remedy
from loansvc.scorecard.document import read_scorecard
from loansvc.standards import read_standard
from loansvc.villages.document import read_register

LOCK = "editions.lock"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
# Below this folder: no name longer than file systems take, none that begins with a dot.
PATH = re.compile(
    r"([A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}/){0,9}[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", re.ASCII
)
MOST_BYTES = 32_000_000  # a register of 50,000 villages has 20 MB
MOST_KEPT = 500  # documents that a process keeps in mind
FOLDERS = {
    "scorecard": "scorecards",
    "villages": "villages",
    "policy": "policies",
    "rates": "rates",
    "standard": "standards/village_rating",
}


def read_lock(folder: Path) -> list[dict[str, Any]]:
    """The publications in the order in which they were made."""
    data = read_bytes(folder / LOCK, LOCK)
    with Reader(parse(data, LOCK, ".json"), file=LOCK) as reader:
        entries = []
        for table in reader.tables("editions"):
            with table:
                entries.append(
                    {
                        "kind": table.word("kind", tuple(FOLDERS)),
                        "product": table.text("product"),
                        "role": table.word("role", ROLES),
                        "valid_from": table.day("valid_from").isoformat(),
                        "approver": table.text("approver"),
                        "digest": _matching(
                            table, "digest", DIGEST, "sha256: and 64 figures 0-9 a-f"
                        ),
                        "path": _matching(table, "path", PATH, "that of a file in this folder"),
                        **{key: table.text(key) for key in SAID if key in table},
                        **_terms(table),
                    }
                )
        return entries


def _terms(table: Reader) -> dict[str, Any]:
    """End and share of a challenger, where they are stated."""
    if table.word("role", ROLES) != CHALLENGER:
        return {}
    terms: dict[str, Any] = {}
    if "until" in table:
        terms["until"] = table.day("until").isoformat()
        if terms["until"] < table.day("valid_from").isoformat():
            table.refuse("until", "is before valid_from; a challenger holds for a day at least")
    if "share_percent" in table:
        terms["share_percent"] = table.integer("share_percent", low=1, high=MOST_SHARE_PERCENT)
        terms["share_from_percent"] = table.integer("share_from_percent", low=0, high=99)
    return terms


def _matching(table: Reader, key: str, form: re.Pattern[str], says: str) -> str:
    value = table.text(key)
    if not form.fullmatch(value):
        table.refuse(key, f"must be {says}")
    return value


def edition_files(folder: Path) -> list[Path]:
    """Every file that lies where editions lie, whether the lock names it or not."""
    return sorted(
        path
        for kind, name in FOLDERS.items()
        for path in (folder / name).rglob("*")
        if path.is_file() and path.suffix != ".md"
    )


def read_all(folder: Path, entries: Sequence[dict[str, Any]]) -> list[Edition[Any]]:
    """The edition of every entry of the lock."""
    read: dict[str, tuple[str, Head, Any]] = {}  # a file published twice is read once
    return [read_locked(folder, entry, read) for entry in entries]


def read_locked(
    folder: Path, entry: dict[str, Any], read: dict[str, tuple[str, Head, Any]]
) -> Edition[Any]:
    """The edition of an entry; `read` keeps the files already read, by path.

    Raises:
        EditionRefused: the file has changed, or the lock says what the file does not.
    """
    path = entry["path"]
    if path not in read:
        data = read_bytes(folder / path, path)
        digest = digest_of(data)
        if digest == entry["digest"]:  # else it is refused below, and need not be read
            read[path] = (digest, *_parsed(data, digest, path))
    else:
        digest = read[path][0]
    if digest != entry["digest"]:
        raise EditionRefused(
            f"{path}: has changed since it was published (digest {digest}, {LOCK} "
            f"says {entry['digest']}). Restore the file; a change is a new edition."
        )
    _, head, content = read[path]
    if (head.kind, head.product) != (entry["kind"], entry["product"]):
        raise EditionRefused(f"{path}: is a {head.kind} of {head.product}, {LOCK} says otherwise.")
    if entry["valid_from"] < head.valid_from.isoformat():
        raise EditionRefused(f"{path}: {LOCK} lets it hold before its own first day.")
    return edition_of(entry, head, content)


# By path and digest. Whoever is forked need not read again what its parent has read: it starts
# at once, and shares the memory.
_kept: dict[tuple[str, str], tuple[Head, Any]] = {}


def _parsed(data: bytes, digest: str, path: str) -> tuple[Head, Any]:
    """Head and content of a document with that digest; nobody changes a content."""
    known = _kept.get((path, digest))
    if known is None:
        known = parse_document(data, path)
        if len(_kept) < MOST_KEPT:
            _kept[path, digest] = known
    return known


def edition_of(entry: dict[str, Any], head: Head, content: Any) -> Edition[Any]:
    """A publication with its document."""
    return Edition(
        kind=head.kind,
        product=head.product,
        role=entry["role"],
        valid_from=date.fromisoformat(entry["valid_from"]),
        approver=entry["approver"],
        digest=entry["digest"],
        path=entry["path"],
        head=head,
        content=content,
        proposer=entry.get("proposer", ""),
        reason=entry.get("reason", ""),
        impact=entry.get("impact", ""),
        until=date.fromisoformat(entry["until"]) if "until" in entry else None,
        share_percent=entry.get("share_percent", 0),
        share_from_percent=entry.get("share_from_percent", 0),
    )


def read_bytes(path: Path, name: str) -> bytes:
    """The bytes of a plain file of bearable size.

    Raises:
        EditionRefused: it is no such file, or the system does not let us read it.
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise EditionRefused(f"{name}: is missing or not a plain file. Restore it.")
        if path.stat().st_size > MOST_BYTES:
            raise EditionRefused(f"{name}: is larger than {MOST_BYTES} bytes; no edition is.")
        return path.read_bytes()
    except OSError as error:
        raise EditionRefused(
            f"{name}: cannot be read: {error.strerror}. Check the rights of file and folder, and "
            "the disk."
        ) from None


def parse_document(data: bytes, name: str) -> tuple[Head, Any]:
    """Head and content of one document, every key of it known and in place."""
    suffix = Path(name).suffix
    document = parse(data, name, suffix)
    line_of = line_finder(text_of(data, name)) if suffix == ".toml" else lambda _: None
    with Reader(document, file=name, line_of=line_of) as reader:
        head = read_head(reader)
        if head.kind == "scorecard":
            return head, read_scorecard(reader)
        if head.kind == "villages":
            return head, read_register(reader, valid_from=head.valid_from)
        if head.kind == "policy":
            return head, read_policy(reader, head)
        if head.kind == "standard":
            return head, read_standard(reader, head)
        return head, read_rates(reader, valid_from=head.valid_from)


def read_document(path: Path, *, name: str | None = None) -> tuple[Head, Any]:
    """Head and content of a document that need not be published.

    `name` is what refusals call it, by default its file name.

    Raises:
        EditionRefused: naming the place and what is wrong with it.
    """
    name = name or path.name
    return parse_document(read_bytes(path, name), name)


def read_plain(path: Path) -> dict[str, Any]:
    """A JSON document as it stands, whatever it holds.

    Raises:
        EditionRefused: it is not one.
    """
    document = parse(read_bytes(path, path.name), path.name, ".json")
    if not isinstance(document, dict):
        raise EditionRefused(f"{path.name}: must be a table of keys.")
    return document


def parse(data: bytes, name: str, suffix: str) -> Any:
    """TOML or strict JSON: no key twice, no NaN, no half of a surrogate pair."""
    if suffix not in (".toml", ".json"):
        raise EditionRefused(
            f"{name}: is no edition. Policies and standards are .toml files, all others .json."
        )
    text = text_of(data, name)
    try:
        if suffix == ".toml":
            return tomllib.loads(text)
        document = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        if "\\u" in text:  # else every character is whole, as the text is
            json.dumps(document, ensure_ascii=False).encode("utf-8")
        return document
    except (ValueError, RecursionError) as error:
        remedy = toml_remedy(text, str(error)) if suffix == ".toml" else "Correct it there."
        raise EditionRefused(f"{name}: is not {suffix[1:].upper()}: {error}. {remedy}") from None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands twice in one table")
    return table


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
