"""Rotation: new outer keys, and what was under the old ones brought under them.

Payloads are never written anew: of a person only the wrapped data key and the pseudonym change. The
work goes in small transactions beside the service, which meanwhile reads both versions; killed in
the middle it goes on where it stopped. An old key may be retired once nothing needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from loansvc.errors import SetupRefused
from loansvc.ledger import Ledger, endpoints, tables, vault
from loansvc.ledger.administration import INSTALLATION, note
from loansvc.ledger.batches import Batches, n_wrapped
from loansvc.ledger.entries import Reading, Writing
from loansvc.ledger.fund import INSTITUTION, parties_of
from loansvc.ledger.vault import Vault

BATCH = {
    "key_encryption": 500,
    "pseudonym": 50,
}  # of one transaction: some 20 ms each
NOT_PEOPLE = (INSTITUTION, INSTALLATION)  # whose pseudonyms are of a name and not of an ID number
_KEY, _SUBJECT, _RELATED = tables.subject_key.c, tables.subject.c, tables.related.c
Progress = Callable[[int], None]


def status(ledger: Ledger) -> list[dict[str, Any]]:
    """Every outer key: purpose, version, suite, whether current, and how many records need it."""
    with ledger.reading() as reading:
        keys = reading.vault
        return [
            {
                "purpose": purpose, "version": version, "suite": keys.suite_of(purpose, version),
                "current": version == keys.current(purpose),
                "needed_by": needed_by(reading.connection, purpose, version),
            }
            for purpose in keys.purposes
            for version in sorted(keys.versions(purpose))
        ]  # fmt: skip


def needed_by(connection: Connection, purpose: str, version: int) -> int:
    """How many records still need that key; relations do not, each has a mark under all of them."""
    start = f"v{version}:%"
    count = select(func.count())
    questions = {
        "key_encryption": (count.where(_KEY.key_version == version),),
        "pseudonym": (count.where(_SUBJECT.pseudonym.like(start)),),
        "chain": (count.where(tables.chain_head.c.mac.like(start)),),
    }
    found = sum(connection.execute(q).scalar_one() for q in questions.get(purpose, ()))
    if purpose == "key_encryption":
        found += n_wrapped(connection, version) + endpoints.n_wrapped(connection, version)
    return found


def rotate(
    ledger: Ledger, purpose: str, *, suite: str, at: str, entry_id: str, by: str,
    progress: Progress = lambda _: None,
) -> tuple[int, int]:  # fmt: skip
    """The version that is current now, and how many records were brought under it.

    A rotation that was interrupted is finished before a new key is made.

    Raises:
        SetupRefused: no such purpose, or the keys come from the environment, not ours to write.
    """
    with ledger.reading() as reading:
        path, purposes = reading.vault.path, reading.vault.purposes
    if purpose not in purposes:
        raise SetupRefused(f"No key is of that purpose. Purposes are {', '.join(purposes)}.")
    if not _is_unfinished(ledger, purpose):
        if path is None:
            raise SetupRefused(
                "The outer keys come from LOANSVC_VAULT_KEYS and all is under the current ones. "
                'Add a version there with "current": {PURPOSE: the old version}, restart every '
                "process, take `current` away, restart again; then run this once more."
            )
        vault.add_key(path, purpose, suite)
    ledger.check_keys()
    n_done = sum(_count(progress, n) for n in BRING.get(purpose, _nothing)(ledger))
    with ledger.writing() as writing:
        version = writing.vault.current(purpose)
        note(
            writing, "key_rotated", at=at, entry_id=entry_id, by=by, purpose=purpose,
            version=version, records=n_done,
        )  # fmt: skip
    return version, n_done


def _count(progress: Progress, n: int) -> int:
    progress(n)
    return n


def _is_unfinished(ledger: Ledger, purpose: str) -> bool:
    return any(
        key["needed_by"] and not key["current"]
        for key in status(ledger)
        if key["purpose"] == purpose
    )


def _nothing(_ledger: Ledger) -> Iterator[int]:
    yield 0


def _wrap_again(ledger: Ledger) -> Iterator[int]:
    """Wrap every data key under the current version, a batch in each transaction."""
    table, after = tables.subject_key, ""
    change = update(table).where(_KEY.subject_ref == bindparam("ref"))
    while True:
        with ledger.writing() as writing:
            keys, connection = writing.vault, writing.connection
            old = select(table).where(
                _KEY.key_version != keys.current("key_encryption"), _KEY.subject_ref > after
            )
            rows = connection.execute(
                old.order_by(_KEY.subject_ref).limit(BATCH["key_encryption"])
            ).all()
            changed = []
            for row in rows:
                data_key = keys.unwrap(row.subject_ref, row.key_version, row.wrapped)
                version, wrapped = keys.wrap(row.subject_ref, data_key)
                changed.append({"ref": row.subject_ref, "key_version": version, "wrapped": wrapped})
            if changed:
                connection.execute(change, changed)
        if not rows:
            return
        after = rows[-1].subject_ref
        yield len(rows)


def _wrap_all_again(ledger: Ledger) -> Iterator[int]:
    """Wrap the keys of people and of batches, and the secrets of endpoints, again."""
    yield from _wrap_again(ledger)
    while True:
        with ledger.writing() as writing:
            most = BATCH["key_encryption"]
            n_done = Batches(writing.connection, writing.vault).wrap_again(most)
            n_done += endpoints.wrap_again(writing, most)
        if not n_done:
            return
        yield n_done


def _name_again(ledger: Ledger) -> Iterator[int]:
    """Give every person a pseudonym, and every relation a mark, under the current version."""
    after = ""
    while True:
        with ledger.writing() as writing:
            start = f"v{writing.vault.current('pseudonym')}:%"
            old = select(tables.subject).where(
                _SUBJECT.pseudonym.not_like(start), _SUBJECT.subject_ref > after
            )
            old = old.order_by(_SUBJECT.subject_ref).limit(BATCH["pseudonym"])
            rows = writing.connection.execute(old).all()
            for row in rows:
                _name_person_again(writing, row.subject_ref, row.pseudonym)
        if not rows:
            return
        after = rows[-1].subject_ref
        yield len(rows)


def _name_person_again(writing: Writing, ref: str, pseudonym: str) -> None:
    now = writing.vault.current("pseudonym")
    payloads = [writing.payload_of(e) for e in writing.entries_of(ref) if e.kind == "decision"]
    id_numbers = {p["application"]["applicant"]["id_number"] for p in payloads}
    names = [n for n in (*id_numbers, *NOT_PEOPLE) if pseudonym in writing.vault.pseudonyms(n)]
    if not names:
        raise SetupRefused(
            "A pseudonym is of nobody whose record is here. Run: loansvc ledger verify"
        )
    changed = {"pseudonym": writing.vault.pseudonyms(names[0])[0]}
    writing.connection.execute(update(tables.subject).where(_SUBJECT.subject_ref == ref), changed)
    parties = {party for payload in payloads for party in parties_of(payload)}
    marks = {mark for party in parties for mark in writing.vault.party_marks(party, [now])}
    there = select(_RELATED.party).where(_RELATED.subject_ref == ref)
    marks -= set(writing.connection.execute(there).scalars())
    if marks:
        pairs = [{"party": mark, "subject_ref": ref} for mark in sorted(marks)]
        writing.connection.execute(insert(tables.related), pairs)


def _mark_again(ledger: Ledger) -> Iterator[int]:
    """Mark the head under the current version."""
    with ledger.writing() as writing:
        head = writing.connection.execute(select(tables.chain_head)).first()
        if head is None:
            return
        if not writing.vault.head_fits(head.sequence, head.hash, head.mac):
            raise SetupRefused(
                "The head of the chain was not marked by this vault. Run: loansvc ledger verify"
            )
        mark = writing.vault.head_mac(head.sequence, head.hash)
        writing.connection.execute(update(tables.chain_head), {"mac": mark})
        yield 1


BRING: dict[str, Callable[[Ledger], Iterator[int]]] = {
    "key_encryption": _wrap_all_again, "pseudonym": _name_again, "chain": _mark_again,
}  # fmt: skip


def retire(ledger: Ledger, purpose: str, version: int, *, at: str, entry_id: str, by: str) -> None:
    """Take an old key out of use and out of the vault's file.

    Raises:
        SetupRefused: it is current, not there, or something still needs it.
    """
    with ledger.writing() as writing:
        _check_not_needed(writing, purpose, version)
        if purpose == "pseudonym":
            _check_marked(writing, version)
        writing.connection.execute(
            update(tables.keyring).where(
                tables.keyring.c.purpose == purpose, tables.keyring.c.version == version
            ),
            {"fingerprint": Ledger.RETIRED + writing.vault.fingerprints()[purpose, version]},
        )
        note(
            writing, "key_retired", at=at, entry_id=entry_id, by=by, purpose=purpose,
            version=version,
        )  # fmt: skip
        path = writing.vault.path
    if path is not None:
        vault.drop_key(path, purpose, version)
    ledger.check_keys()  # from now on nobody marks under it: what was marked goes
    ledger.leave_no_trace()


def _check_not_needed(reading: Reading, purpose: str, version: int) -> None:
    keys: Vault = reading.vault
    if version not in keys.versions(purpose):
        raise SetupRefused("There is no such key. See: loansvc vault status")
    if version == keys.current(purpose):
        raise SetupRefused(
            f"It is the current key of its purpose. First: loansvc vault rotate {purpose}"
        )
    if purpose not in BRING:
        raise SetupRefused("What was done with this key can only be checked while it is there.")
    n = needed_by(reading.connection, purpose, version)
    if n:
        raise SetupRefused(
            f"{n} records still need it. Bring them under the current key first: "
            f"loansvc vault rotate {purpose}"
        )


def _check_marked(writing: Writing, version: int) -> None:
    """Refuse if a relation that has a mark under an old version has none under the current."""
    count = select(func.count()).select_from(tables.related)
    old, now = f"v{version}:%", f"v{writing.vault.current('pseudonym')}:%"
    n_old, n_now = (
        writing.connection.execute(count.where(_RELATED.party.like(start))).scalar_one()
        for start in (old, now)
    )
    if n_now < n_old:
        raise SetupRefused(
            "Some relations have no mark under the current key. Run: loansvc ledger verify"
        )
