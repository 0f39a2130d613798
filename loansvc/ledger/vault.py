"""Vault: the outer keys, and with them pseudonyms, wrapped data keys, and the mark of the head.

A key of its own for each purpose, so that no table can be joined through a shared one:
    pseudonym        HMAC of an ID number, versioned; an unkeyed hash would be no pseudonym
    key_encryption   wraps the data key of each person
    chain            HMAC of the head of the chain, so that rewriting the rows is not enough
    signing          signs checkpoints of the tree over the chain, for whoever keeps them elsewhere
The keys lie in a file of mode 0600 made on first start, or come from the environment. Of each
purpose the highest version is the current one, unless `current` names another; the others are for
what was written before. A key of the commercial suite has `sm:` before its BASE64, and what follows
from it is of that suite: payloads follow key_encryption, digests follow chain.

The file is looked at again before every transaction: a new version holds in all workers at once.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from loansvc.errors import LedgerDamaged, SetupRefused
from loansvc.files import alone_in, write_whole
from loansvc.ledger import signing
from loansvc.ledger.ciphers import COMMERCIAL, INTERNATIONAL, KEY_BYTES, marks, seal, unseal

log = logging.getLogger("loansvc.ledger")
SIGNING = "signing"
PURPOSES = ("pseudonym", "key_encryption", "chain", SIGNING)
GIVEN = "LOANSVC_VAULT_KEYS"
DOMAIN = b"loansvc resident id\x00"  # keeps these pseudonyms apart from any other use of the key
WATCH_DOMAIN = b"loansvc probing\x00"  # marks of the watch are joined with nothing else
PARTY_DOMAIN = b"loansvc related party\x00"  # so that `related` cannot be joined with `subject`
SPLIT_DOMAIN = b"loansvc split\x00"  # kept nowhere; tells nothing of a pseudonym that is kept
SESSION_DOMAIN = b"loansvc console\x00"  # what marks a session marks nothing else
CURRENT = "current"
MARK_OF_SUITE = {INTERNATIONAL: "", COMMERCIAL: "sm:"}


@dataclass(frozen=True)
class OuterKey:
    """A key and the suite that it is for."""

    secret: bytes = field(repr=False)
    suite: str = INTERNATIONAL

    @cached_property
    def mac(self) -> Callable[[bytes], str]:
        """What gives the mark of a message under this key."""
        return marks(self.secret, self.suite)


class Keys(NamedTuple):
    """Every outer key by purpose and version, and the current version of each purpose.

    `in_order`: the versions of each purpose, the current one first, then newest first.
    """

    of: Mapping[str, Mapping[int, OuterKey]]
    current: Mapping[str, int]
    in_order: Mapping[str, list[int]]


class Vault:
    """The outer keys of one installation; `path` is where they lie, if in a file."""

    def __init__(self, keys: Keys, path: Path | None = None) -> None:
        self._keys = keys
        self.path = path
        self._seen = _state(path)

    @classmethod
    def open(
        cls, path: Path, *, given: str = "", create: bool = False, complete: bool = False,
        suite: str = INTERNATIONAL,
    ) -> Vault:  # fmt: skip
        """The vault from the environment's JSON if given, else from the file.

        `create`: make the file with new keys, of that suite, if it is not there. `complete`: add
        a signing key to a file of a version that had none.

        Raises:
            SetupRefused: the keys are missing, malformed or readable by others.
        """
        if given:
            return cls(_parse(given, GIVEN))
        if not path.exists():
            if not create:
                raise SetupRefused(
                    f"{path.name} is missing: without it the ledger cannot be opened. Restore it "
                    "from its own backup, or give LOANSVC_VAULT_KEYS."
                )
            _create(path, suite)
        if path.stat().st_mode & 0o077:
            raise SetupRefused(f"{path.name} can be read by others. Run: chmod 600 {path}")
        if complete:
            _complete(path, suite)
        return cls(_parse(path.read_bytes(), path.name), path)

    def refresh(self) -> Vault:
        """The keys of now, the file read again if another process has put a new one in its place.

        Called within the transaction: whoever writes later has seen the keys of who wrote before.
        What comes back stays as it is: a long look at the ledger still needs keys that were retired
        meanwhile. A file that is gone or wrong changes nothing: the keys at hand still fit.
        """
        state = _state(self.path)
        if self.path is not None and state is not None and state != self._seen:
            self._seen = state
            try:
                self._keys = _parse(self.path.read_bytes(), self.path.name)
            except (SetupRefused, OSError) as error:
                log.error("the vault's new file is not used: %s", error)
        return copy(self)

    @property
    def purposes(self) -> list[str]:
        """What there are keys for."""
        return list(self._keys.of)

    def versions(self, purpose: str) -> list[int]:
        """The versions of that purpose, the current one first, then newest first."""
        return self._keys.in_order.get(purpose, [])

    def current(self, purpose: str) -> int:
        """The version under which new records of that purpose are made."""
        return self._keys.current[purpose]

    def suite(self, purpose: str) -> str:
        """The suite of the current key of that purpose."""
        return self._keys.of[purpose][self.current(purpose)].suite

    def suite_of(self, purpose: str, version: int) -> str:
        """The suite of one key."""
        return self._keys.of[purpose][version].suite

    def signatures(self) -> signing.Signatures:
        """How checkpoints are signed and checked: with the current key, with any of them."""
        keys = self._keys.of[SIGNING]
        secrets_ = {version: (key.suite, key.secret) for version, key in keys.items()}
        return signing.Signatures(secrets_, self.current(SIGNING))

    def fingerprints(self) -> dict[tuple[str, int], str]:
        """What the ledger remembers of each key, so that a wrong one is noticed at start."""
        return {
            (purpose, version): key.mac(b"loansvc fingerprint")
            for purpose, versions in self._keys.of.items()
            for version, key in versions.items()
        }

    def pseudonyms(self, id_number: str) -> list[str]:
        """The keyed pseudonyms of a person, under the current key first."""
        return self._marks(DOMAIN, id_number, self.versions("pseudonym"))

    def party_marks(self, party: str, versions: Iterable[int] | None = None) -> list[str]:
        """The keyed pseudonyms of an ID number or social credit code as somebody's related party.

        Under every version of the key unless some are named: two marks of one party meet
        whichever key was current.
        """
        return self._marks(PARTY_DOMAIN, party, versions or self.versions("pseudonym"))

    def watch_mark(self, text: str) -> str:
        """The mark of a person or variant that is kept for a day, under the current key."""
        return self._marks(WATCH_DOMAIN, text, self.versions("pseudonym")[:1])[0]

    def split_mark(self, id_number: str) -> str:
        """The mark by which challengers share people out, under the oldest key that is there.

        So a new key moves nobody; that the oldest one is retired does.
        """
        return self._marks(SPLIT_DOMAIN, id_number, [min(self.versions("pseudonym"))])[0]

    def session_mark(self, text: str) -> str:
        """The mark of something that the console hands out for hours, under the current key."""
        return self._marks(SESSION_DOMAIN, text, self.versions("pseudonym")[:1])[0]

    def _marks(self, domain: bytes, text: str, versions: Iterable[int]) -> list[str]:
        keys, message = self._keys.of["pseudonym"], domain + text.encode("ascii")
        return [f"v{version}:{keys[version].mac(message)}" for version in versions]

    def new_data_key(self, subject_ref: str) -> tuple[bytes, int, bytes]:
        """A new data key for a person, the version that wraps it, and the wrapped key."""
        data_key = secrets.token_bytes(KEY_BYTES)
        return data_key, *self.wrap(subject_ref, data_key)

    def wrap(self, subject_ref: str, data_key: bytes) -> tuple[int, bytes]:
        """The current version, and a person's data key wrapped under it."""
        version = self.current("key_encryption")
        outer = self._keys.of["key_encryption"][version]
        label = _wrap_label(subject_ref, version)
        return version, seal(outer.secret, data_key, label, outer.suite)

    def unwrap(self, subject_ref: str, version: int, wrapped: bytes) -> bytes:
        """A person's data key.

        Raises:
            LedgerDamaged: it was changed, or wrapped under a key that is not here.
        """
        outer = self._keys.of["key_encryption"].get(version)
        if outer is None:  # another process may have begun to use a new one a moment ago
            self.refresh()
            outer = self._keys.of["key_encryption"].get(version)
        if outer is None:
            raise LedgerDamaged(
                f"The vault has no key_encryption key of version {version}. Restore it."
            )
        return unseal(outer.secret, wrapped, _wrap_label(subject_ref, version), outer.suite)

    def head_mac(self, sequence: int, entry_hash: str) -> str:
        """The mark of the chain's head, with the version of its key in front."""
        version = self.current("chain")
        return f"v{version}:{self._keys.of['chain'][version].mac(_head(sequence, entry_hash))}"

    def head_fits(self, sequence: int, entry_hash: str, mark: str) -> bool:
        """Whether the head was marked by this vault."""
        marks = (
            f"v{version}:{key.mac(_head(sequence, entry_hash))}"
            for version, key in self._keys.of["chain"].items()
        )
        # As bytes: what was put in its place may be of any kind.
        return any(hmac.compare_digest(one.encode(), str(mark).encode()) for one in marks)


def _wrap_label(subject_ref: str, version: int) -> str:
    return f"data key|{subject_ref}|{version}"


def _head(sequence: int, entry_hash: str) -> bytes:
    return f"chain head|{sequence}|{entry_hash}".encode()


# --- the file -------------------------------------------------------------------------------------


def add_key(path: Path, purpose: str, suite: str) -> int:
    """Put a new key of that purpose into the file; its version, which is current from now on."""
    with alone_in(path.parent):
        document = json.loads(path.read_bytes())
        versions = document[purpose]
        version = max(map(int, versions)) + 1
        versions[str(version)] = _new_key(purpose, suite)
        document.get(CURRENT, {}).pop(purpose, None)
        _write(path, document)
    return version


def drop_key(path: Path, purpose: str, version: int) -> None:
    """Take a key out of the file."""
    with alone_in(path.parent):
        document = json.loads(path.read_bytes())
        document[purpose].pop(str(version), None)
        _write(path, document)


def _new_key(purpose: str, suite: str) -> str:
    secret = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    if purpose == SIGNING and not signing.is_known(suite):
        suite = INTERNATIONAL
    return MARK_OF_SUITE[suite] + secret


def _complete(path: Path, suite: str) -> None:
    """Give the file a signing key if it has none; whole and 0600 as before."""
    with alone_in(path.parent):
        try:
            document = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return  # reading it says what is wrong
        if isinstance(document, dict) and SIGNING not in document:
            document[SIGNING] = {"1": _new_key(SIGNING, suite)}
            _write(path, document)


def _create(path: Path, suite: str) -> None:
    # Of two processes starting at once one wins, and the other reads the winner's keys.
    text = json.dumps({p: {"1": _new_key(p, suite)} for p in PURPOSES}, indent=1) + "\n"
    write_whole(path, text.encode(), part_folder=path.parent, replace=False)


def _write(path: Path, document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1) + "\n"
    write_whole(path, text.encode(), part_folder=path.parent, secret=True)


def _state(path: Path | None) -> tuple[int, ...] | None:
    """What tells one file at this place from the next."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _parse(text: str | bytes, name: str) -> Keys:
    try:
        document = json.loads(text)
        current = {purpose: int(version) for purpose, version in document.pop(CURRENT, {}).items()}
        keys = {
            purpose: {int(version): _key(key) for version, key in versions.items()}
            for purpose, versions in document.items()
        }
    except (ValueError, AttributeError, TypeError, RecursionError):
        keys, current = {}, {}
    missing = set(PURPOSES) - keys.keys()
    if missing == {SIGNING}:
        raise SetupRefused(
            f"{name} has no signing key, with which checkpoints of the ledger are signed. "
            + (
                'Add "signing": {"1": BASE64} of 32 bytes there: openssl rand -base64 32'
                if name == GIVEN
                else "Restore the newest vault.json, or where the ledger never had one: "
                "loansvc ledger upgrade"
            )
        )
    if missing:
        raise SetupRefused(
            f"{name} does not hold the outer keys as JSON: "
            '{"pseudonym": {"1": BASE64}, "key_encryption": …, "chain": …, "signing": …}.'
        )
    every = [key for versions in keys.values() for key in versions.values()]
    if any(len(key.secret) != KEY_BYTES for key in every) or not all(keys.values()):
        raise SetupRefused(f"{name}: every key must be {KEY_BYTES} bytes in base64, one at least.")
    if any(version not in keys.get(purpose, ()) for purpose, version in current.items()):
        raise SetupRefused(f"{name}: `current` must name a version that is there.")
    now = {p: current.get(p, max(versions)) for p, versions in keys.items()}
    in_order = {
        p: [now[p], *sorted(versions.keys() - {now[p]}, reverse=True)]
        for p, versions in keys.items()
    }
    return Keys(keys, now, in_order)


def _key(text: str) -> OuterKey:
    mark = MARK_OF_SUITE[COMMERCIAL]
    suite = COMMERCIAL if text.startswith(mark) else INTERNATIONAL
    return OuterKey(base64.b64decode(text.removeprefix(mark), validate=True), suite)
