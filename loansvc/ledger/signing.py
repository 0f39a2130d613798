"""Signing: by whom and how checkpoints are signed, and how that is checked.

Ed25519 (RFC 8032) is built in. Another algorithm is a plug-in: an entry point of the group
`loansvc.signers`, named by the algorithm's id, gives an object with the three functions of
`Algorithm`. A signing key of the commercial suite is for `sm2`. A note names its key by a hash over
the algorithm and the public key, so that notes of several keys and algorithms can be told apart.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from loansvc.errors import SetupRefused
from loansvc.ledger import verifier
from loansvc.ledger.ciphers import COMMERCIAL, INTERNATIONAL
from loansvc.ledger.verifier import Checkpoint, Key, checkpoint_of

GROUP = "loansvc.signers"
ALGORITHM_OF = {INTERNATIONAL: "ed25519", COMMERCIAL: "sm2"}
NAME_BYTES = 8  # of the first public key, in the name of the installation's ledger


class Algorithm(Protocol):
    """What a plug-in gives."""

    def public_key(self, seed: bytes) -> bytes:
        """The public key of a secret of 32 random bytes."""

    def sign(self, seed: bytes, message: bytes) -> bytes:
        """The signature of a message."""

    def holds(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether a signature is the key's; never raises."""


class Ed25519:
    """The algorithm that is built in; the secret is the seed of RFC 8032."""

    def public_key(self, seed: bytes) -> bytes:
        """The 32 bytes of the public key."""
        return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()

    def sign(self, seed: bytes, message: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return Ed25519PrivateKey.from_private_bytes(seed).sign(message)

    def holds(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature is the key's."""
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def is_known(suite: str) -> bool:
    """Whether keys of that suite can sign here."""
    name = ALGORITHM_OF[suite]
    return name == "ed25519" or bool(entry_points(group=GROUP, name=name))


def algorithm(name: str) -> Algorithm:
    """The algorithm of that id.

    Raises:
        SetupRefused: no plug-in gives it, or several do.
    """
    if name == "ed25519":
        return Ed25519()
    found = tuple(entry_points(group=GROUP, name=name))
    if len(found) != 1:
        raise SetupRefused(
            f"A signing key is for {name}, which {len(found)} plug-ins give. Install one that has "
            f"an entry point named {name} in the group {GROUP} (docs/ledger.md)."
        )
    given: Algorithm = found[0].load()
    return given


class Signatures:
    """The signing keys of one installation."""

    def __init__(self, secrets: Mapping[int, tuple[str, bytes]], current: int) -> None:
        """`secrets`: suite and secret of every version."""
        self._algorithms = {v: algorithm(ALGORITHM_OF[s]) for v, (s, _) in secrets.items()}
        self._seed = secrets[current][1]
        self._current = current
        public = {v: self._algorithms[v].public_key(secrets[v][1]) for v in secrets}
        # The name stays when keys change: it is the ledger's, not the key's.
        first = hashlib.sha256(public[min(public)]).hexdigest()
        self.origin = f"loansvc/{first[: 2 * NAME_BYTES]}"
        self._keys = {v: Key(self.origin, _kind(s), public[v]) for v, (s, _) in secrets.items()}

    @property
    def keys(self) -> list[Key]:
        """The public keys, the current one first."""
        return sorted(self._keys.values(), key=lambda key: key != self._keys[self._current])

    def sign(self, *, size: int, root: bytes, at: str) -> Checkpoint:
        """A checkpoint that says: the first `size` entries have this root."""
        text = f"{self.origin}\n{size}\n{base64.b64encode(root).decode()}\nat {at}\n"
        key = self._keys[self._current]
        signature = self._algorithms[self._current].sign(self._seed, text.encode())
        encoded = base64.b64encode(key.hash + signature).decode()
        return checkpoint_of(f"{text}\n— {self.origin} {encoded}\n")

    def checked(self, note: str) -> Checkpoint:
        """The checkpoint of a note that one of the keys signed.

        Raises:
            verifier.Refused: none did.
        """
        return verifier.signed(note, self._keys.values(), self._holds)

    def _holds(self, key: Key, message: bytes, signature: bytes) -> bool:
        [version] = [v for v, known in self._keys.items() if known == key]
        return self._algorithms[version].holds(key.public, message, signature)


def _kind(suite: str) -> bytes:
    """What stands before a public key: C2SP signed-note, "signature types"."""
    name = ALGORITHM_OF[suite]
    return verifier.ED25519 if name == "ed25519" else b"\xff" + name.encode()
