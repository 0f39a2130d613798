"""Publishing: a document checked, taken into the folder and locked, alone among publishers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from loansvc.editions import CHALLENGER, CHAMPION, COUNTY, ROLES, Edition, Head, digest_of, to_text
from loansvc.errors import EditionRefused
from loansvc.files import alone_in, write_whole
from loansvc.policy import Policy
from loansvc.policy.publication import faults
from loansvc.provenance import (
    NONE_NEEDED,
    impact_assessment_of,
    missing_from,
    operator_of,
    same_person,
)
from loansvc.reasons import NUMBER_TEXTS, WORD_TEXTS
from loansvc.registry import Registry, place_of
from loansvc.registry.challenging import challengers_in, terms_of
from loansvc.registry.documents import (
    FOLDERS,
    LOCK,
    edition_of,
    parse,
    parse_document,
    read_all,
    read_bytes,
    read_lock,
    read_locked,
)
from loansvc.scorecard import Scorecard, ScoredCharacteristic
from loansvc.succession import check_succession
from loansvc.villages import Register

MOST_REASON = 500  # characters: a sentence or two, and where the rest is filed
MOST_NAME = 100
FORMATS = {
    "scorecard": ".json",
    "villages": ".json",
    "policy": ".toml",
    "rates": ".json",
    "standard": ".toml",
}


def publish(
    folder: Path,
    source: Path,
    *,
    role: str,
    approver: str,
    proposer: str | None = None,
    valid_from: date | None = None,
    until: date | None = None,
    share_percent: int = 0,
    today: date | None = None,
    reason: str | None = None,
    measure: Callable[[Registry, Edition[Any]], str] | None = None,
    record: Callable[[Mapping[str, Any]], None] | None = None,
) -> Edition[Any]:
    """Check a document, take it into the folder and add it to the lock, alone among publishers.

    It holds once the lock names it; what was killed before that is put right by publishing again.

    `valid_from` may be later than the document's own first day. A file of the same stem ending in
    `.md` (the model card) comes along. A card must say how it was made and by whom, and every
    characteristic what it is called; whoever made it does not approve it. A register may say only
    what may follow the one before (`succession`); with `today`, it brings no new revocation or flag
    for a day already gone. `until`, the last day, and `share_percent`, how many applicants it
    decides, are a challenger's; the same document published again takes the place of its earlier
    publications from that day, and keeps their applicants where it can.

    `measure` is called for a policy or scorecard that is to decide, if only for some, once nothing
    else speaks against it, with the editions as they stand; it refuses, or gives a short text. That
    text, the `reason` and the `proposer`, who is not the approver, are kept with the publication.
    `record` is called with what the lock will say, right before it does: what cannot be recorded
    never holds.

    Raises:
        EditionRefused: the document is wrong, another edition starts on the same day, or the shares
            of a product's challengers would be more than the champion may give.
    """
    data = read_bytes(source, source.name)
    head, content = parse_document(data, source.name)
    if role not in ROLES or (role == CHALLENGER and head.kind != "scorecard"):
        raise EditionRefused(f"{source.name}: only a scorecard can be published as a challenger.")
    if role != CHALLENGER and (until or share_percent):
        raise EditionRefused(f"{source.name}: end and share are a challenger's: --role challenger")
    if not approver.strip():
        raise EditionRefused(f"{source.name}: name the approver: --approver NAME")
    if proposer is not None:
        _check_proposer(proposer, approver, source.name)
    _check_reason(reason, source.name)
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        entries = published_in(folder)
        entry: dict[str, Any] = {
            "kind": head.kind,
            "product": head.product,
            "role": role,
            "valid_from": (valid_from or head.valid_from).isoformat(),
            "approver": approver,
            "digest": digest_of(data),
            "path": _place_for(head, entries, digest_of(data)),
        }
        _check_publication(entry, head, entries, source.name)
        if role == CHALLENGER:
            draft = replace(
                edition_of(entry, head, content), until=until, share_percent=share_percent
            )
            entry |= terms_of(draft, challengers_in(folder, entries, head.product), source.name)
        if isinstance(content, Scorecard):
            training = parse(data, source.name, source.suffix).get("training")
            _check_governance(content, training, entry, entries, source.name)
        if isinstance(content, Policy):
            _check_policy(content, entry, entries, folder, source.name)
        if isinstance(content, Register):
            _check_register(content, entry, entries, folder, today=today, name=source.name)
        entry |= {"proposer": proposer} if proposer else {}
        entry |= {"reason": reason} if reason else {}
        if measure and (role == CHAMPION or share_percent) and head.kind in ("policy", "scorecard"):
            in_place = Registry(folder, read_all(folder, entries))
            impact = measure(in_place, edition_of(entry, head, content))
            entry |= {"impact": impact} if impact else {}
        _put(folder, entry["path"], data, card=source.with_suffix(".md"))
        if record:
            record(entry)
        lock = to_text({"editions": [*entries, entry]})
        write_whole(folder / LOCK, lock.encode(), part_folder=folder)
    return edition_of(entry, head, content)


def _put(folder: Path, path: str, data: bytes, *, card: Path) -> None:
    """The document, and the model card before it, in their place."""
    target = folder / path
    if target.exists() and target.read_bytes() != data:
        raise EditionRefused(f"{path}: is there with other content; an edition never changes.")
    target.parent.mkdir(parents=True, exist_ok=True)
    if card.exists() and card.resolve() != target.with_suffix(".md").resolve():
        write_whole(target.with_suffix(".md"), card.read_bytes(), part_folder=folder)
    write_whole(target, data, part_folder=folder)


def _place_for(head: Head, entries: Sequence[dict[str, Any]], digest: str) -> str:
    """Where the document lies, or will lie: kind, product, first day."""
    for entry in entries:
        if entry["digest"] == digest:
            return str(entry["path"])
    product = "" if head.product == COUNTY else f"{head.product}/"
    stem = f"{FOLDERS[head.kind]}/{product}{head.valid_from}"
    suffix = FORMATS[head.kind]
    # A second document of the same day (a challenger beside a champion) is told apart by digest.
    taken = any(entry["path"] == stem + suffix for entry in entries)
    return f"{stem}-{digest[7:15]}{suffix}" if taken else stem + suffix


def _check_proposer(proposer: str, approver: str, name: str) -> None:
    """Four eyes: whoever asks for a publication does not approve it."""
    if same_person(proposer, approver):
        raise EditionRefused(
            f"{name}: {approver} proposes it and cannot approve it. Name the other person: "
            "--approver NAME, or --proposer NAME"
        )
    if not proposer.strip() or not proposer.isprintable() or len(proposer) > MOST_NAME:
        raise EditionRefused(f"{name}: a proposer is a name of one line: --proposer NAME")


def _check_reason(reason: str | None, name: str) -> None:
    if reason is not None and (
        not reason.strip() or not reason.isprintable() or len(reason) > MOST_REASON
    ):
        raise EditionRefused(
            f"{name}: a reason is one line of at most {MOST_REASON} characters that says why: "
            "--force-reason TEXT"
        )


def _check_publication(
    entry: dict[str, Any], head: Head, entries: Sequence[dict[str, Any]], name: str
) -> None:
    if entry["valid_from"] < head.valid_from.isoformat():
        raise EditionRefused(f"{name}: cannot hold before its own first day {head.valid_from}.")
    if refusal := _place_taken(entry, entries):
        raise EditionRefused(f"{name}: {refusal}")


def _place_taken(entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a publication cannot start on its day beside those there are, and what to do, or None."""
    there = [other for other in entries if place_of(other) == place_of(entry)]
    if not there:
        return None
    if there[0]["digest"] == entry["digest"]:
        return (
            f"is already published, as {there[0]['path']} from {entry['valid_from']}; there is "
            "nothing to do. To let it hold again from a later day: --valid-from DATE"
        )
    return (
        f"another {entry['role']} {entry['kind']} of {entry['product']} starts on "
        f"{entry['valid_from']} ({there[0]['path']}). Choose a later first day: valid_from in the "
        "file, or --valid-from DATE"
    )


def _check_policy(
    policy: Policy,
    entry: dict[str, Any],
    entries: Sequence[dict[str, Any]],
    folder: Path,
    name: str,
) -> None:
    if refused := _policy_faults(policy, entry, entries, folder, name):
        raise EditionRefused(" ".join(refused), faults=refused)


def published_in(folder: Path) -> list[dict[str, Any]]:
    """The publications of a folder; none in one that has no lock yet."""
    return read_lock(folder) if (folder / LOCK).exists() else []


def policy_refusals(data: bytes, head: Head, policy: Policy, folder: Path, name: str) -> list[str]:
    """What `publish` would say against a policy that was read, a sentence each.

    Of one that is published already nothing is asked: it stays as it is.
    """
    entries, digest = published_in(folder), digest_of(data)
    if any(other["digest"] == digest for other in entries):
        return []
    entry = {
        "kind": head.kind,
        "product": head.product,
        "role": CHAMPION,
        "valid_from": head.valid_from.isoformat(),
        "digest": digest,
    }
    taken = _place_taken(entry, entries)
    found = [f"{name}: {taken}."] if taken else []
    return [*found, *_policy_faults(policy, entry, entries, folder, name)]


def _policy_faults(
    policy: Policy,
    entry: Mapping[str, Any],
    entries: Sequence[dict[str, Any]],
    folder: Path,
    name: str,
) -> list[str]:
    """What is asked of a policy that is new: a rollback is never barred."""
    if any(other["digest"] == entry["digest"] for other in entries):
        return []
    of_product = [e for e in entries if (e["kind"], e["product"]) == ("policy", entry["product"])]
    earlier = read_all(folder, sorted(of_product, key=lambda other: other["valid_from"]))
    return [f"{name}, {f}." for f in faults(policy, {e.path: e.content for e in earlier})]


def _check_governance(
    card: Scorecard,
    training: Any,
    entry: dict[str, Any],
    entries: Sequence[dict[str, Any]],
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
    entry: dict[str, Any],
    entries: Sequence[dict[str, Any]],
    folder: Path,
    *,
    today: date | None,
    name: str,
) -> None:
    kinds = ("villages", "standard")
    check_succession(
        register,
        [read_locked(folder, other, {}) for other in entries if other["kind"] in kinds],
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
