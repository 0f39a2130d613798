"""Issuers: whose tokens are taken, for which client, and the keys that they are signed with.

A TOML file names them, each with a file of public keys (JWKS) beside it: nothing is fetched. Both
are read again when they change; a file that is wrong then leaves what was read before.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from loansvc.editions import Reader
from loansvc.errors import EditionRefused, SetupRefused
from loansvc.ledger.keys import SCOPES, is_client
from loansvc.registry.documents import parse

log = logging.getLogger("loansvc.web")
# Algorithm -> what its keys say of themselves. None with a shared secret, none for nothing.
KEY_KINDS = {"ES256": ("EC", "P-256"), "PS256": ("RSA", None), "EdDSA": ("OKP", "Ed25519")}
BINDINGS = ("refuse", "proxy")
LEAST_RSA_BITS = 2048
MOST_BYTES = 256 * 1024
LOOKED_AT_EVERY_S = 1.0
LONGEST_KID = 60

Key = ECKey | OKPKey | RSAKey


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are taken: the client and the most they may do stand here, not in the token.

    `keys`: by algorithm and key id. `binding`: what a token that is bound to a certificate or key
    (`cnf`) is worth: nothing ("refuse"), or the proxy has checked it ("proxy").
    """

    issuer: str
    client: str
    audience: str
    algorithms: tuple[str, ...]
    scopes: tuple[str, ...]
    binding: str
    keys: Mapping[tuple[str, str], Key]


class Issuers:
    """The issuers that a file names, as it stands."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._issuers, self._files = _read(file)
        self._stood = _stand(self._files)
        self._looked_at = time.monotonic()

    def find(self, issuer: str) -> Issuer | None:
        """The issuer of that name."""
        if time.monotonic() - self._looked_at >= LOOKED_AT_EVERY_S:
            self._look()
        return self._issuers.get(issuer)

    def _look(self) -> None:
        with self._lock:
            self._looked_at = time.monotonic()
            stands = _stand(self._files)
            if stands == self._stood:
                return
            try:
                self._issuers, self._files = _read(self._file)
            except SetupRefused as error:
                log.error("the issuers stay as they were: %s", error.detail)
            self._stood = _stand(self._files)


def _stand(files: list[Path]) -> list[tuple[int, int, int] | None]:
    """What tells a changed file from one that is as it was."""
    found: list[tuple[int, int, int] | None] = []
    for file in files:
        try:
            about = file.stat()
            found.append((about.st_mtime_ns, about.st_size, about.st_ino))
        except OSError:
            found.append(None)
    return found


def _read(file: Path) -> tuple[dict[str, Issuer], list[Path]]:
    """The issuers by name, and every file that was read.

    Raises:
        SetupRefused: a file is missing or wrong; says which, where, and what to write.
    """
    issuers: dict[str, Issuer] = {}
    files = [file]
    try:
        with Reader(parse(_bytes(file), file.name, ".toml"), file=file.name) as reader:
            for table in reader.tables("issuer", at_least=1):
                with table:
                    jwks = file.parent / table.text("jwks")
                    files.append(jwks)
                    one = _issuer(table, jwks)
                if one.issuer in issuers:
                    raise SetupRefused(f"{file.name}: an issuer is named twice; keep one.")
                issuers[one.issuer] = one
    except EditionRefused as error:
        raise SetupRefused(error.detail) from None
    return issuers, files


def _bytes(file: Path) -> bytes:
    try:
        if file.exists() and not file.is_file():  # a device would be read for ever
            raise SetupRefused(f"{file} cannot be read: it is no file. See LOANSVC_ISSUERS.")
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise SetupRefused(
            f"{file} cannot be read: {error.strerror}. See LOANSVC_ISSUERS."
        ) from None
    except ValueError:
        raise SetupRefused("A name in LOANSVC_ISSUERS cannot be read: it is none.") from None
    if len(data) > MOST_BYTES:
        raise SetupRefused(f"{file.name} is larger than {MOST_BYTES} bytes. Shorten it.")
    return data


def _issuer(table: Reader, jwks: Path) -> Issuer:
    client = table.text("client")
    if not is_client(client):
        table.refuse("client", "must be 1 to 64 of A-Z a-z 0-9 . _ - (letter first)")
    algorithms = table.words("algorithms", tuple(KEY_KINDS))
    return Issuer(
        issuer=table.text("issuer"),
        client=client,
        audience=table.text("audience"),
        algorithms=algorithms,
        scopes=table.words("scopes", SCOPES),
        binding=table.word("binding", BINDINGS, BINDINGS[0]),
        keys=_keys(parse(_bytes(jwks), jwks.name, ".json"), jwks.name, algorithms),
    )


def _keys(document: Any, name: str, algorithms: tuple[str, ...]) -> dict[tuple[str, str], Key]:
    """The public keys by algorithm and id; what is for other uses is left out."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise SetupRefused(f'{name}: is no JWKS. Write {{"keys": [ … ]}}.')
    found: dict[tuple[str, str], Key] = {}
    for number, one in enumerate(listed):
        kid = one.get("kid")
        place = f"{name}, keys[{number}]"
        if {"d", "k"} & set(one):
            raise SetupRefused(f"{place}: holds a secret. Give the public keys alone.")
        if not isinstance(kid, str) or not kid.isprintable() or not 0 < len(kid) <= LONGEST_KID:
            raise SetupRefused(f"{place}: needs a kid of 1 to {LONGEST_KID} characters.")
        for algorithm in algorithms:
            if not _is_for(one, algorithm):
                continue
            if (algorithm, kid) in found:
                raise SetupRefused(f"{place}: its kid stands twice. Give each key its own.")
            found[algorithm, kid] = _imported(one, place)
    if not found:
        raise SetupRefused(f"{name}: has no key for {', '.join(algorithms)}. Add one.")
    return found


def _is_for(jwk: dict[str, Any], algorithm: str) -> bool:
    kind, curve = KEY_KINDS[algorithm]
    return (
        (jwk.get("kty"), jwk.get("crv")) == (kind, curve)
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", algorithm) in (algorithm, curve)  # Ed25519 is EdDSA's newer name
    )


def _imported(jwk: dict[str, Any], place: str) -> Key:
    try:
        if jwk["kty"] == "RSA" and _bits(jwk["n"]) < LEAST_RSA_BITS:
            raise SetupRefused(f"{place}: has fewer than {LEAST_RSA_BITS} bits. Use a longer key.")
        key = import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError):
        raise SetupRefused(f"{place}: is no public key that can be read. Copy it again.") from None
    assert isinstance(key, ECKey | OKPKey | RSAKey), "its kind was asked for"
    return key


def _bits(modulus: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(modulus + "=="), "big").bit_length()
