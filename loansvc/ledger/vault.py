"""Vault: the outer keys, and with them pseudonyms, sealed payloads, and the mark of the chain head.

Three purposes, three keys, so that no table can be joined through a shared one:
    pseudonym        HMAC-SHA-256 of an ID number, versioned; an unkeyed hash would be no pseudonym
    key_encryption   wraps the data key of each person (AES-256-GCM)
    chain            HMAC of the head of the chain, so that rewriting the rows is not enough
The keys lie in a file of mode 0600 made on first start, or come from the environment.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from loansvc.errors import LedgerDamaged, SetupRefused
from loansvc.files import write_whole

PURPOSES = ("pseudonym", "key_encryption", "chain")
KEY_BYTES = 32
NONCE_BYTES = 12  # 96 random bits, as NIST SP 800-38D recommends for GCM
DOMAIN = b"loansvc resident id\x00"  # keeps these pseudonyms apart from any other use of the key
PARTY_DOMAIN = b"loansvc related party\x00"  # so that `related` cannot be joined with `subject`

Keys = Mapping[str, Mapping[int, bytes]]


class Vault:
    """The outer keys of one installation; the highest version of each is the current one."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    @classmethod
    def open(cls, path: Path, *, given: str = "", create: bool = False) -> Vault:
        """The vault from the environment's JSON if given, else from the file.

        `create`: make the file with new keys if it is not there.

        Raises:
            SetupRefused: the keys are missing, malformed or readable by others.
        """
        if given:
            return cls(_parse(given, "LOANSVC_VAULT_KEYS"))
        if not path.exists():
            if not create:
                raise SetupRefused(
                    f"{path.name} is missing: without it the ledger cannot be opened. Restore it "
                    "from its own backup, or give LOANSVC_VAULT_KEYS."
                )
            _create(path)
        if path.stat().st_mode & 0o077:
            raise SetupRefused(f"{path.name} can be read by others. Run: chmod 600 {path}")
        return cls(_parse(path.read_bytes(), path.name))

    def fingerprints(self) -> dict[tuple[str, int], str]:
        """What the ledger remembers of each key, so that a wrong one is noticed at start."""
        return {
            (purpose, version): _mac(key, b"loansvc fingerprint")
            for purpose, versions in self._keys.items()
            for version, key in versions.items()
        }

    def pseudonyms(self, id_number: str) -> list[str]:
        """The keyed pseudonyms of a person, under the current key first."""
        return self._marks(DOMAIN + id_number.encode("ascii"))

    def party_marks(self, party: str) -> list[str]:
        """The keyed pseudonyms of an ID number or social credit code as somebody's related party.

        Under every version of the key: two marks of one party meet whichever key was current.
        """
        return self._marks(PARTY_DOMAIN + party.encode("ascii"))

    def _marks(self, message: bytes) -> list[str]:
        versions = sorted(self._keys["pseudonym"].items(), reverse=True)
        return [f"v{version}:{_mac(key, message)}" for version, key in versions]

    def new_data_key(self, subject_ref: str) -> tuple[bytes, int, bytes]:
        """A new data key for a person, the version that wraps it, and the wrapped key."""
        version = max(self._keys["key_encryption"])
        data_key = secrets.token_bytes(KEY_BYTES)
        wrapped = seal(
            self._keys["key_encryption"][version], data_key, _wrap_label(subject_ref, version)
        )
        return data_key, version, wrapped

    def unwrap(self, subject_ref: str, version: int, wrapped: bytes) -> bytes:
        """A person's data key.

        Raises:
            LedgerDamaged: it was changed, or wrapped under a key that is not here.
        """
        outer = self._keys["key_encryption"].get(version)
        if outer is None:
            raise LedgerDamaged(
                f"The vault has no key_encryption key of version {version}. Restore it."
            )
        return unseal(outer, wrapped, _wrap_label(subject_ref, version))

    def head_mac(self, sequence: int, entry_hash: str) -> str:
        """The mark of the chain's head, with the version of its key in front."""
        version = max(self._keys["chain"])
        return f"v{version}:{_mac(self._keys['chain'][version], _head(sequence, entry_hash))}"

    def head_fits(self, sequence: int, entry_hash: str, mac: str) -> bool:
        """Whether the head was marked by this vault."""
        marks = (
            f"v{version}:{_mac(key, _head(sequence, entry_hash))}"
            for version, key in self._keys["chain"].items()
        )
        # As bytes: what was put in its place may be of any kind.
        return any(hmac.compare_digest(mark.encode(), str(mac).encode()) for mark in marks)


def seal(key: bytes, data: bytes, label: str) -> bytes:
    """`nonce || ciphertext || tag` of AES-256-GCM, bound to the label."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, label.encode())


def unseal(key: bytes, sealed: bytes, label: str) -> bytes:
    """What was sealed.

    Raises:
        LedgerDamaged: the bytes, the label or the key are not those of sealing.
    """
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], label.encode())
    except (InvalidTag, ValueError, TypeError):
        raise LedgerDamaged(
            "A sealed record cannot be opened: it was changed. Run: loansvc ledger verify"
        ) from None


def _wrap_label(subject_ref: str, version: int) -> str:
    return f"data key|{subject_ref}|{version}"


def _head(sequence: int, entry_hash: str) -> bytes:
    return f"chain head|{sequence}|{entry_hash}".encode()


def _mac(key: bytes, message: bytes) -> str:
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def _create(path: Path) -> None:
    keys = {p: {"1": base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()} for p in PURPOSES}
    # Of two processes starting at once one wins, and the other reads the winner's keys.
    text = json.dumps(keys, indent=1) + "\n"
    write_whole(path, text.encode(), part_folder=path.parent, replace=False)


def _parse(text: str | bytes, name: str) -> dict[str, dict[int, bytes]]:
    try:
        document = json.loads(text)
        keys = {
            purpose: {
                int(version): base64.b64decode(key, validate=True)
                for version, key in document[purpose].items()
            }
            for purpose in PURPOSES
        }
    except (ValueError, KeyError, AttributeError, TypeError):
        raise SetupRefused(
            f"{name} does not hold the outer keys as JSON: "
            '{"pseudonym": {"1": BASE64}, "key_encryption": …, "chain": …}.'
        ) from None
    if any(len(k) != KEY_BYTES for versions in keys.values() for k in versions.values()) or not all(
        keys.values()
    ):
        raise SetupRefused(f"{name}: every key must be {KEY_BYTES} bytes in base64, one at least.")
    return keys
