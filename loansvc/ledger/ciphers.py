"""Ciphers: digests, keyed marks and seals, of two suites that may stand beside each other.

    international   SHA-256, HMAC-SHA-256, AES-256-GCM
    commercial      SM3, HMAC-SM3, SM4-GCM, as commercial cryptography (商用密码) asks for

A digest names its algorithm in front, a sealed payload in its first byte, an outer key its suite in
the vault: so what was written under one stays readable under the other.
Sources: NIST SP 800-38D (GCM), GB/T 32905-2016 (SM3), GB/T 32907-2016 (SM4).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.hashes import SM3, Hash
from cryptography.hazmat.primitives.hmac import HMAC

from loansvc.errors import LedgerDamaged
from loansvc.settings import CRYPTOGRAPHY

INTERNATIONAL, COMMERCIAL = CRYPTOGRAPHY
KEY_BYTES = 32
NONCE_BYTES = 12  # 96 random bits, as NIST SP 800-38D recommends for GCM
TAG_BYTES = 16
SM4_KEY_BYTES = 16  # an SM4 key has 128 bits; ours have 256, so it is derived


def digest(data: bytes, suite: str = INTERNATIONAL) -> str:
    """A digest with its algorithm in front.

    >>> digest(b"abc", COMMERCIAL)  # the first example of GB/T 32905
    'sm3:66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0'
    """
    if suite == COMMERCIAL:
        hashed = Hash(SM3())
        hashed.update(data)
        return "sm3:" + hashed.finalize().hex()
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_like(known: object, data: bytes) -> str:
    """A digest by the algorithm that a known one names, to be compared with it."""
    return digest(data, COMMERCIAL if str(known).startswith("sm3:") else INTERNATIONAL)


def mac(key: bytes, message: bytes, suite: str = INTERNATIONAL) -> str:
    """The keyed mark of a message, 64 hexadecimal digits."""
    return marks(key, suite)(message)


def marks(key: bytes, suite: str) -> Callable[[bytes], str]:
    """What gives the keyed mark of any message; the key is gone through once."""
    if suite == COMMERCIAL:
        return lambda message: _sm3_mac(key, message).hex()
    keyed = hmac.new(key, digestmod=hashlib.sha256)

    def mark(message: bytes) -> str:
        begun = keyed.copy()
        begun.update(message)
        return begun.hexdigest()

    return mark


def _sm3_mac(key: bytes, message: bytes) -> bytes:
    keyed = HMAC(key, SM3())
    keyed.update(message)
    return keyed.finalize()


def seal(key: bytes, data: bytes, label: str, suite: str = INTERNATIONAL) -> bytes:
    """`nonce || ciphertext || tag`, bound to the label."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    if suite == COMMERCIAL:
        encryptor = Cipher(SM4(_sm4_key(key)), GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(label.encode())
        return nonce + encryptor.update(data) + encryptor.finalize() + encryptor.tag
    return nonce + AESGCM(key).encrypt(nonce, data, label.encode())


def unseal(key: bytes, sealed: bytes, label: str, suite: str = INTERNATIONAL) -> bytes:
    """What was sealed.

    Raises:
        LedgerDamaged: the bytes, the label, the suite or the key are not those of sealing.
    """
    try:
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        if suite == COMMERCIAL:
            mode = GCM(nonce, rest[-TAG_BYTES:])
            decryptor = Cipher(SM4(_sm4_key(key)), mode).decryptor()
            decryptor.authenticate_additional_data(label.encode())
            return decryptor.update(rest[:-TAG_BYTES]) + decryptor.finalize()
        return AESGCM(key).decrypt(nonce, rest, label.encode())
    except (InvalidTag, ValueError, TypeError):
        raise LedgerDamaged(
            "A sealed record cannot be opened: it was changed. Run: loansvc ledger verify"
        ) from None


def _sm4_key(key: bytes) -> bytes:
    """The SM4 key of one of ours; derived, so that no key serves two ciphers."""
    return _sm3_mac(key, b"loansvc SM4-GCM")[:SM4_KEY_BYTES]
