"""Verification: every row held against what was written, and the tables that follow from it.

The entries are read once, in order, whatever their number: the chain from one to the next, each
payload against its digest, and the tree against every checkpoint that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, func, select

from loansvc.errors import LedgerDamaged
from loansvc.ledger import kept, tables
from loansvc.ledger.chain import NAMES, Chain, Entry, Problem, canonical, payload_problem
from loansvc.ledger.following import Following
from loansvc.ledger.merkle import HASH, LEVELS, WIDTH, Growing
from loansvc.ledger.remains import ERASURES
from loansvc.ledger.stores import damage, streamed
from loansvc.ledger.tiles import FIND as FIND_TILE
from loansvc.ledger.tiles import n_hashes, n_tiles
from loansvc.ledger.vault import Vault
from loansvc.ledger.verifier import Refused, leaf_hash

DAMAGED = "the database file is damaged"


def verify(
    connection: Connection, vault: Vault, noted: Iterable[tuple[str, str]] = (), *,
    entries_only: bool = False, damaged: Callable[[], list[str]] | None = None,
) -> tuple[int, list[Problem]]:  # fmt: skip
    """How many entries there are, and every row that is not what was written, in order.

    `noted`: checkpoints from outside the database, each with where it is from. `entries_only`:
    without payloads and without the tables that follow from them. `damaged`: what the database
    finds wrong with its file, where that is looked for already.
    """
    payloads = not entries_only
    following = Following(connection, vault) if payloads else None
    n_entries, problems = entries_verified(
        connection, vault, noted, payloads=payloads, following=following
    )
    # What does not follow from spoilt entries says nothing of its own.
    if following is not None and all(problem.follows for problem in problems):
        problems += following.problems()
    if not problems:  # an index that does not fit its table gives other answers than the rows
        found = damaged() if damaged else damage(connection)
        problems += (Problem(n_entries, f"{DAMAGED}: {what}") for what in found)
    worst = [problem for problem in problems if not problem.follows] or problems
    return n_entries, sorted(worst, key=lambda problem: problem.sequence)


def entries_verified(
    connection: Connection, vault: Vault, noted: Iterable[tuple[str, str]] = (), *,
    payloads: bool = True, following: Following | None = None,
) -> tuple[int, list[Problem]]:  # fmt: skip
    """How many entries there are, and what is wrong with them, their head, tree and keys.

    `following` is given each entry with its payload, as long as nothing is wrong with them.
    """
    signed = _signed(connection, vault, noted)
    chain, tree, keys = Chain(), _Tree(connection, signed), _PersonsKeys(connection, vault)
    problems: list[Problem] = []
    for fields, sealed, version, wrapped in _rows(connection, payloads=payloads):
        data = canonical(fields)
        problems += chain.take(fields, data)
        if payloads:
            problems += payload_problem(fields, sealed)
            data_key = keys.of(fields, version, wrapped)
            if following is not None and not problems:
                following.take(Entry(**fields), sealed, data_key)
        tree.add(leaf_hash(data))
    problems += _head_problems(connection, vault, chain)
    problems += tree.problems(problems)
    return chain.sequence, problems + keys.problems + signed.problems


def _head_problems(connection: Connection, vault: Vault, chain: Chain) -> Iterator[Problem]:
    head = connection.execute(select(tables.chain_head)).first()
    n_entries = chain.sequence
    if head is None:
        if n_entries:
            yield Problem(n_entries, "the head of the chain is missing")
    elif not vault.head_fits(head.sequence, head.hash, head.mac):
        yield Problem(head.sequence, "the head of the chain was changed")
    elif head.sequence > n_entries:
        yield Problem(n_entries + 1, "entries at the end are missing")
    elif n_entries and (head.sequence, head.hash) != (n_entries, chain.hash):
        yield Problem(n_entries, "the chain does not end in its head")


# --- checkpoints ----------------------------------------------------------------------------------


@dataclass
class _Signed:
    """The roots that were signed, by size; what is wrong with the notes themselves."""

    roots: dict[int, dict[bytes, str]] = field(default_factory=dict)  # root: where it is noted
    recorded: int = 0  # the size that the tiles are of
    problems: list[Problem] = field(default_factory=list)


IN_DATABASE = "the ledger"


def _signed(connection: Connection, vault: Vault, noted: Iterable[tuple[str, str]]) -> _Signed:
    """Every checkpoint, its signature checked; those of the file must stand in the database too."""
    signed, signatures, last = _Signed(), vault.signatures(), 0
    recorded, notes = set(), list[str]()
    rows = select(tables.checkpoint).order_by(tables.checkpoint.c.size)
    for row in streamed(connection, rows):
        try:
            checkpoint = signatures.checked(str(row.note))
        except Refused as refused:
            signed.problems.append(Problem(row.size, f"its checkpoint was changed: {refused}"))
            continue
        if (checkpoint.size, checkpoint.at) != (row.size, row.at):
            signed.problems.append(Problem(row.size, "its checkpoint was replaced"))
            continue
        signed.roots.setdefault(row.size, {})[checkpoint.root] = IN_DATABASE
        signed.recorded = row.size
        recorded.add(row.size)
        notes.append(checkpoint.note)
    for where, note in noted:
        try:
            checkpoint = signatures.checked(note)
        except Refused as refused:
            if where == kept.NAME and _is_begun(note, notes):
                continue
            problem = f"a checkpoint in {where} cannot be believed: {refused}"
            signed.problems.append(Problem(last + 1, problem))
            continue
        last = checkpoint.size
        signed.roots.setdefault(last, {}).setdefault(checkpoint.root, where)
        if last not in recorded:
            problem = f"its checkpoint in {where} is not in the ledger"
            signed.problems.append(Problem(last, problem, follows=True))
    return signed


def _is_begun(note: str, recorded: Iterable[str]) -> bool:
    """Whether it is half of a recorded note: left by a crash, until the next one is written."""
    half = note.rstrip("\N{REPLACEMENT CHARACTER}")  # half of a letter
    return any(whole.startswith(half) for whole in recorded)


class _Tree:
    """The tree as the entries give it, held against checkpoints and tiles on the way."""

    def __init__(self, connection: Connection, signed: _Signed) -> None:
        self._connection = connection
        self._signed = signed
        self._growing = Growing(self._hold)
        self._changed: list[int] = []  # first entries of which a tile says otherwise
        self._n_tiles = 0
        self._ends: list[tuple[int, str]] = []  # sizes that hold ("") or where another is noted

    def add(self, leaf: bytes) -> None:
        """One more leaf."""
        self._growing.add(leaf)
        roots = self._signed.roots.get(self._growing.size)
        if roots is not None:
            here = self._growing.root()
            others = [where for root, where in roots.items() if root != here]
            self._ends.append((self._growing.size, others[0] if others else ""))

    def _hold(self, level: int, position: int, hashes: bytes) -> None:
        n = n_hashes(self._signed.recorded, level, position)
        found = self._connection.execute(
            FIND_TILE, {"at_level": level, "at_position": position}
        ).scalar()
        self._n_tiles += found is not None
        hashes = hashes[: n * HASH]
        if (found or b"") != hashes:
            at = _first_difference(found if isinstance(found, bytes) else b"", hashes)
            width = 1 << LEVELS * level
            self._changed.append((position * WIDTH + at) * width + 1)

    def problems(self, known: Iterable[Problem]) -> Iterator[Problem]:
        """What checkpoints and tiles say that the entries themselves do not."""
        for level, position, hashes in self._growing.edges():
            self._hold(level, position, hashes)
        size, places = self._growing.size, sorted(problem.sequence for problem in known)
        before, spoilt = 0, False
        for end, where in self._ends:
            if where:
                spoilt = True
                yield from self._unlike(before, end, where, places)
            before = end
        beyond = max(self._signed.roots, default=0)
        if beyond > size:
            yield Problem(size + 1, f"entries up to {beyond} were signed and are missing")
        elif not spoilt and not places:
            n = n_tiles(self._signed.recorded)
            count = select(func.count()).select_from(tables.tile)
            if self._changed:
                yield Problem(min(self._changed), "its tile of the tree was changed", follows=True)
            elif self._connection.execute(count).scalar() != n:
                yield Problem(size, "there are tiles of no entries", follows=True)

    def _unlike(self, before: int, end: int, where: str, places: list[int]) -> Iterator[Problem]:
        """Entries up to `end` are not those that were signed; from where on, if that is known."""
        known = min((place for place in places if before < place <= end), default=None)
        changed = [at for at in self._changed if before < at <= end]
        if known is not None and known <= min(changed, default=known):
            return  # it is told already
        what = f"the checkpoint of {end} entries in {where} was signed over others"
        yield Problem(min(changed, default=before + 1), what)


def _first_difference(one: bytes, other: bytes) -> int:
    """The place of the first hash in which two tiles differ."""
    n = min(len(one), len(other)) // HASH
    pairs = (
        at
        for at in range(n)
        if one[at * HASH : at * HASH + HASH] != other[at * HASH : at * HASH + HASH]
    )
    return next(pairs, n)


# --- rows and keys --------------------------------------------------------------------------------


def _rows(
    connection: Connection, *, payloads: bool
) -> Iterator[tuple[dict[str, Any], Any, Any, Any]]:
    """The fields of every entry, in order; with payloads, the sealed one and the key that opens it.

    In one query and not two: reading a row costs as much as checking it.
    """
    entry, key = tables.entry.c, tables.subject_key.c
    query = _entries()
    if payloads:
        query = _with_payloads(query).add_columns(key.key_version, key.wrapped)
        query = query.outerjoin(tables.subject_key, key.subject_ref == entry.subject_ref)
    n = len(NAMES)
    for row in streamed(connection, query):
        sealed, version, wrapped = row[n:] if payloads else (None, None, None)
        yield dict(zip(NAMES, row, strict=False)), sealed, version, wrapped


class _PersonsKeys:
    """The key of each person, unwrapped where it is met.

    `problems`: the first entry of each person whose payloads no key opens any more, unless erased;
    and each erasure that left the key where it was.
    """

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self._vault = vault
        self._erased = {row.application_id: row.sequence for row in connection.execute(ERASURES)}
        self._told: set[str] = set()
        self._last: tuple[object, bytes | None] = (None, None)
        self.problems: list[Problem] = []

    def of(self, fields: Mapping[str, Any], version: Any, wrapped: Any) -> bytes | None:
        """The key of that entry's person; None where there is none that can be opened."""
        ref = fields["subject_ref"]
        known = (ref, version, wrapped)
        if self._last[0] != known:  # the institution's own entries come one after the other
            self._last = known, self._unwrapped(*known)
        key = self._last[1]
        is_wrong = wrapped is not None if ref in self._erased else key is None
        if is_wrong and ref not in self._told:
            self._told.add(ref)
            self.problems.append(
                Problem(self._erased[ref], "the key that it destroyed is there again")
                if ref in self._erased
                else Problem(fields["sequence"], "the key of its payload is missing or was changed")
            )
        return key

    def _unwrapped(self, ref: str, version: Any, wrapped: Any) -> bytes | None:
        if wrapped is None:
            return None
        try:
            return self._vault.unwrap(ref, version, wrapped)
        except LedgerDamaged:
            return None


def entry_rows(
    connection: Connection, *, payloads: bool, until: int | None = None
) -> Iterator[tuple[dict[str, Any], object]]:
    """The fields of every entry, in order, and its sealed payload (None unless asked for)."""
    query = _entries()
    if until is not None:
        query = query.where(tables.entry.c.sequence <= until)
    if payloads:
        query = _with_payloads(query)
    for row in streamed(connection, query):
        yield dict(zip(NAMES, row, strict=False)), row[-1] if payloads else None


def _entries() -> Select[Any]:
    entry = tables.entry.c
    return select(*(entry[name] for name in NAMES)).order_by(entry.sequence)


def _with_payloads(query: Select[Any]) -> Select[Any]:
    payload = tables.payload.c
    joined = tables.entry.outerjoin(tables.payload, payload.sequence == tables.entry.c.sequence)
    return query.add_columns(payload.sealed).select_from(joined)
