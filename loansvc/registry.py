"""Registry: the editions on disk, verified, by date or by digest.

`editions.lock` is the list of publications: which file, with which digest, holds from which day in
which role, and who approved it. A file is read only if the lock names it and its digest fits; a
wrong, truncated, changed, unlocked or missing file stops the start, with the file and the reason.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from loansvc.decision import Editions
from loansvc.editions import (
    COUNTY,
    ROLES,
    Edition,
    Head,
    Reader,
    digest_of,
    in_force,
    read_head,
    to_text,
)
from loansvc.errors import EditionRefused, NotFound
from loansvc.files import alone_in, write_whole
from loansvc.policy.document import read_policy
from loansvc.provenance import (
    NONE_NEEDED,
    impact_assessment_of,
    missing_from,
    operator_of,
    same_person,
)
from loansvc.rates import read_rates
from loansvc.reasons import NUMBER_TEXTS, WORD_TEXTS
from loansvc.scorecard import Scorecard, ScoredCharacteristic
from loansvc.scorecard.document import read_scorecard
from loansvc.standards import read_standard
from loansvc.succession import check_succession
from loansvc.villages import Register
from loansvc.villages.document import read_register

LOCK = "editions.lock"
PLACE = ("kind", "product", "role", "valid_from")  # one edition for each
SAID = ("reason", "impact")  # what an entry of the lock may say beside it
MOST_REASON = 500  # characters: a sentence or two, and where the rest is filed
MOST_BYTES = 1_000_000  # a card or a policy is a page, not a data set
FOLDERS = {
    "scorecard": "scorecards",
    "villages": "villages",
    "policy": "policies",
    "rates": "rates",
    "standard": "standards/village_rating",
}
FORMATS = {
    "scorecard": ".json",
    "villages": ".json",
    "policy": ".toml",
    "rates": ".json",
    "standard": ".toml",
}


class Registry:
    """Every published edition, read and checked once; immutable until `publish`."""

    def __init__(self, folder: Path, editions: Sequence[Edition[Any]]) -> None:
        self.folder = folder
        self.editions = tuple(editions)
        # The code table: every village of every register published.
        self.village_codes = frozenset(
            code for e in self.editions if e.kind == "villages" for code in e.content.villages
        )

    @classmethod
    def open(cls, folder: Path) -> Registry:
        """The editions of a folder.

        Raises:
            EditionRefused: the lock or a file is wrong; says which and why.
        """
        entries = _read_lock(folder)
        locked = {entry["path"] for entry in entries}
        for path in _edition_files(folder):
            name = path.relative_to(folder).as_posix()
            if name not in locked:
                raise EditionRefused(
                    f"{name}: is not in {LOCK}. Publish it (loansvc publish FILE) or remove it."
                )
        places = [tuple(entry[k] for k in PLACE) for entry in entries]
        if len(set(places)) != len(places):
            kind, product, role, day = next(p for p in places if places.count(p) > 1)
            raise EditionRefused(
                f"{LOCK}: two editions of one kind, product and role start together: {role} "
                f"{kind} of {product}, {day}. Take one of the two out."
            )
        return cls(folder, _read_all(folder, entries))

    def in_force(self, product: str, on: date, *, role: str = "champion") -> Editions:
        """The four editions for that product and day; only a scorecard can be a challenger.

        Raises:
            NoEditionInForce: one of them is missing.
        """

        def one(kind: str, of: str, role: str = "champion") -> Edition[Any]:
            return in_force(self.editions, kind=kind, product=of, role=role, on=on)

        return Editions(
            scorecard=one("scorecard", product, role),
            villages=one("villages", COUNTY),
            policy=one("policy", product),
            rates=one("rates", COUNTY),
        )

    def by_digest(self, digest: str) -> Edition[Any]:
        """The first publication of the document with that digest.

        Raises:
            NotFound: no such document.
        """
        for edition in self.editions:
            if edition.digest == digest:
                return edition
        raise NotFound("There is no edition with this digest. See GET /v1/editions.")

    def recorded(self, references: dict[str, dict[str, str]]) -> Editions:
        """The editions a decision names, by digest and first day.

        Raises:
            NotFound: a document is no longer there.
        """
        found = {kind: self.recorded_one(reference) for kind, reference in references.items()}
        return Editions(**found)

    def recorded_one(self, reference: dict[str, str]) -> Edition[Any]:
        """That very publication, else the first one of the same document."""
        for edition in self.editions:
            publication = (edition.digest, edition.valid_from.isoformat())
            if publication == (reference["digest"], reference["valid_from"]):
                return edition
        return self.by_digest(reference["digest"])


def publish(
    folder: Path,
    source: Path,
    *,
    role: str,
    approver: str,
    valid_from: date | None = None,
    today: date | None = None,
    reason: str | None = None,
    measure: Callable[[Registry, Edition[Any]], str] | None = None,
) -> Edition[Any]:
    """Check a document, take it into the folder and add it to the lock, alone among publishers.

    It holds once the lock names it; what was killed before that is put right by publishing again.

    `valid_from` may be later than the document's own first day. A file of the same stem ending in
    `.md` (the model card) comes along. A card must say how it was made and by whom, and every
    characteristic what it is called; whoever made it does not approve it. A register may say only
    what may follow the one before (`succession`); with `today`, it brings no new revocation or flag
    for a day already gone.

    `measure` is called for a policy or scorecard that is to decide, once nothing else speaks
    against it, with the editions as they stand; it refuses, or gives a short text. That text and
    the `reason` are kept with the publication.

    Raises:
        EditionRefused: the document is wrong, or another edition starts on the same day.
    """
    data = _read_bytes(source, source.name)
    head, content = _read_document(data, source.name)
    if role not in ROLES or (role == "challenger" and head.kind != "scorecard"):
        raise EditionRefused(f"{source.name}: only a scorecard can be published as a challenger.")
    if not approver.strip():
        raise EditionRefused(f"{source.name}: name the approver: --approver NAME")
    _check_reason(reason, source.name)
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        entries = _read_lock(folder) if (folder / LOCK).exists() else []
        entry = {
            "kind": head.kind,
            "product": head.product,
            "role": role,
            "valid_from": (valid_from or head.valid_from).isoformat(),
            "approver": approver,
            "digest": digest_of(data),
            "path": _place_for(head, entries, digest_of(data)),
        }
        _check_publication(entry, head, entries, source.name)
        if isinstance(content, Scorecard):
            training = _parse(data, source.name, source.suffix).get("training")
            _check_governance(content, training, entry, entries, source.name)
        if isinstance(content, Register):
            _check_register(content, entry, entries, folder, today=today, name=source.name)
        entry |= {"reason": reason} if reason else {}
        if measure and role == ROLES[0] and head.kind in ("policy", "scorecard"):
            in_place = Registry(folder, _read_all(folder, entries))
            impact = measure(in_place, _edition(entry, head, content))
            entry |= {"impact": impact} if impact else {}
        _put(folder, entry["path"], data, card=source.with_suffix(".md"))
        lock = to_text({"editions": [*entries, entry]})
        write_whole(folder / LOCK, lock.encode(), part_folder=folder)
    return _edition(entry, head, content)


def _put(folder: Path, path: str, data: bytes, *, card: Path) -> None:
    """The document, and the model card before it, in their place."""
    target = folder / path
    if target.exists() and target.read_bytes() != data:
        raise EditionRefused(f"{path}: is there with other content; an edition never changes.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if card.exists() and card.resolve() != target.with_suffix(".md").resolve():
        write_whole(target.with_suffix(".md"), card.read_bytes(), part_folder=folder)
    write_whole(target, data, part_folder=folder)


def _place_for(head: Head, entries: Sequence[dict[str, str]], digest: str) -> str:
    """Where the document lies, or will lie: kind, product, first day."""
    for entry in entries:
        if entry["digest"] == digest:
            return entry["path"]
    product = "" if head.product == COUNTY else f"{head.product}/"
    stem = f"{FOLDERS[head.kind]}/{product}{head.valid_from}"
    suffix = FORMATS[head.kind]
    # A second document of the same day (a challenger beside a champion) is told apart by digest.
    taken = any(entry["path"] == stem + suffix for entry in entries)
    return f"{stem}-{digest[7:15]}{suffix}" if taken else stem + suffix


def _check_reason(reason: str | None, name: str) -> None:
    if reason is not None and (
        not reason.strip() or not reason.isprintable() or len(reason) > MOST_REASON
    ):
        raise EditionRefused(
            f"{name}: a reason is one line of at most {MOST_REASON} characters that says why: "
            "--force-reason TEXT"
        )


def _check_publication(
    entry: dict[str, str], head: Head, entries: Sequence[dict[str, str]], name: str
) -> None:
    if entry["valid_from"] < head.valid_from.isoformat():
        raise EditionRefused(f"{name}: cannot hold before its own first day {head.valid_from}.")
    if any(all(other[k] == entry[k] for k in PLACE) for other in entries):
        raise EditionRefused(
            f"{name}: another {entry['role']} {head.kind} of {head.product} starts on "
            f"{entry['valid_from']}. Choose a later first day: --valid-from DATE"
        )


def _check_governance(
    card: Scorecard,
    training: Any,
    entry: dict[str, str],
    entries: Sequence[dict[str, str]],
    name: str,
) -> None:
    """Made by one, approved by another; complete unless it held in this role before.

    So a rollback to a card older than these rules is never barred, a promotion is.
    """
    if same_person(operator_of(training), entry["approver"]):
        raise EditionRefused(
            f"{name}: {entry['approver']} made this card and cannot approve it. "
            "Have another person publish it: --approver NAME"
        )
    if any(all(other[k] == entry[k] for k in ("digest", "role")) for other in entries):
        return
    if missing := missing_from(training):
        raise EditionRefused(
            f"{name}: does not say how it was made; training lacks {', '.join(missing)}. "
            "Train it with these stated, or add them to the draft, and publish again."
        )
    if same_person(impact_assessment_of(training), NONE_NEEDED) and not card.synthetic:
        raise EditionRefused(
            f"{name}: training.governance.impact_assessment_id is {NONE_NEEDED!r}, but the card "
            "does not say that it is synthetic. Name the impact assessment (PIPL art. 55)."
        )
    if untold := [c.name for c in card.characteristics if not _is_told(c)]:
        raise EditionRefused(
            f"{name}: no reason could name {', '.join(untold)}. Give each characteristic its "
            "zh and en text, and every word of it."
        )


def _check_register(
    register: Register,
    entry: dict[str, str],
    entries: Sequence[dict[str, str]],
    folder: Path,
    *,
    today: date | None,
    name: str,
) -> None:
    kinds = ("villages", "standard")
    check_succession(
        register,
        [_read_locked(folder, other, {}) for other in entries if other["kind"] in kinds],
        valid_from=date.fromisoformat(entry["valid_from"]),
        again=any(other["digest"] == entry["digest"] for other in entries),
        today=today,
        name=name,
    )


def _is_told(of: ScoredCharacteristic) -> bool:
    """Whether a reason can say in zh and en what the characteristic and its words are."""
    described = of.described
    if described.own:
        return described.name not in (described.zh, described.en)
    if described.words:
        # A grade (AAA, B) is its own name in both languages.
        return all(word in WORD_TEXTS or word.isupper() for word in described.words)
    return described.name in NUMBER_TEXTS


# --- reading ------------------------------------------------------------------------------------


def _read_lock(folder: Path) -> list[dict[str, str]]:
    data = _read_bytes(folder / LOCK, LOCK)
    with Reader(_parse(data, LOCK, ".json"), file=LOCK) as reader:
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
                        "digest": table.text("digest"),
                        "path": table.text("path"),
                        **{key: table.text(key) for key in SAID if key in table},
                    }
                )
        return entries


def _edition_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for kind, name in FOLDERS.items()
        for path in (folder / name).rglob("*")
        if path.is_file() and path.suffix != ".md"
    )


def _read_all(folder: Path, entries: Sequence[dict[str, str]]) -> list[Edition[Any]]:
    read: dict[str, tuple[str, Head, Any]] = {}  # a file published twice is read once
    return [_read_locked(folder, entry, read) for entry in entries]


def _read_locked(
    folder: Path, entry: dict[str, str], read: dict[str, tuple[str, Head, Any]]
) -> Edition[Any]:
    path = entry["path"]
    if path not in read:
        data = _read_bytes(folder / path, path)
        digest = digest_of(data)
        if digest == entry["digest"]:  # else it is refused below, and need not be read
            read[path] = (digest, *_read_document(data, path))
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
    return _edition(entry, head, content)


def _edition(entry: dict[str, str], head: Head, content: Any) -> Edition[Any]:
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
        reason=entry.get("reason", ""),
        impact=entry.get("impact", ""),
    )


def _read_bytes(path: Path, name: str) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise EditionRefused(f"{name}: is missing or not a plain file. Restore it.")
    if path.stat().st_size > MOST_BYTES:
        raise EditionRefused(f"{name}: is larger than {MOST_BYTES} bytes; no edition is.")
    return path.read_bytes()


def _read_document(data: bytes, name: str) -> tuple[Head, Any]:
    """Head and content of one document, every key of it known and in place."""
    with Reader(_parse(data, name, Path(name).suffix), file=name) as reader:
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
    return _read_document(_read_bytes(path, name), name)


def read_plain(path: Path) -> dict[str, Any]:
    """A JSON document as it stands, whatever it holds.

    Raises:
        EditionRefused: it is not one.
    """
    document = _parse(_read_bytes(path, path.name), path.name, ".json")
    if not isinstance(document, dict):
        raise EditionRefused(f"{path.name}: must be a table of keys.")
    return document


def _parse(data: bytes, name: str, suffix: str) -> Any:
    try:
        text = data.decode("utf-8")
        if suffix == ".toml":
            return tomllib.loads(text)
        return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        form = suffix[1:].upper() or "JSON"
        raise EditionRefused(f"{name}: is not {form}: {error}. Correct it there.") from None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands twice in one table")
    return table


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
