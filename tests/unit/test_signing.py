"""Signing keys: where they come from, how they change, and algorithms that others bring."""

from __future__ import annotations

import hashlib
import hmac
import json
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from loansvc.errors import SetupRefused
from loansvc.ledger import signing
from loansvc.ledger.checkpoints import advance
from loansvc.ledger.receipts import receipt
from loansvc.ledger.rotation import retire, rotate
from loansvc.ledger.verifier import Refused, check_receipt, key_of
from tests.databases import tampered
from tests.unit.test_ledger import append, open_ledger

AT = "2026-11-23T12:00:00.000+08:00"


def vault_without_signing(home: Path) -> Path:
    """The vault of a version that signed nothing yet."""
    path = home / "vault.json"
    document = json.loads(path.read_text())
    del document["signing"]
    path.write_text(json.dumps(document))
    return path


def test_a_vault_of_an_earlier_version_gets_a_signing_key(tmp_path: Path) -> None:
    append(open_ledger(tmp_path), 1)
    tampered(tmp_path, "DELETE FROM keyring WHERE purpose = 'signing'")
    path = vault_without_signing(tmp_path)
    before = json.loads(path.read_text())
    with pytest.raises(SetupRefused, match="loansvc ledger upgrade"):
        open_ledger(tmp_path, create=False)
    ledger = open_ledger(tmp_path)
    after = json.loads(path.read_text())
    assert {k: v for k, v in after.items() if k != "signing"} == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert advance(ledger, at=AT) is not None
    open_ledger(tmp_path)
    assert json.loads(path.read_text()) == after


def test_a_signing_key_that_was_lost_is_not_replaced(tmp_path: Path) -> None:
    open_ledger(tmp_path)
    path = vault_without_signing(tmp_path)
    before = path.read_bytes()
    with pytest.raises(SetupRefused, match=r"Restore the newest vault\.json"):
        open_ledger(tmp_path)
    assert path.read_bytes() == before


def test_keys_of_the_environment_must_have_a_signing_key(tmp_path: Path) -> None:
    """It is not made out of another: who has that one would sign as well."""
    open_ledger(tmp_path / "a")
    given = vault_without_signing(tmp_path / "a").read_text()
    with pytest.raises(SetupRefused, match="openssl rand -base64 32"):
        open_ledger(tmp_path / "b", vault_keys=given)


def test_the_name_of_the_ledger_stays_when_its_key_changes(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    append(ledger, 1)
    first = advance(ledger, at=AT)
    rotate(ledger, "signing", suite="international", at=AT, entry_id="adm_1", by="test")
    second = advance(ledger, at=AT)
    assert first is not None
    assert second is not None
    assert (second.origin, second.size) == (first.origin, 2)
    assert second.signatures[0][1][:4] != first.signatures[0][1][:4]
    with ledger.reading() as reading:
        new, old = reading.vault.signatures().keys
    assert ledger.verify() == (2, [])
    given = receipt(ledger, "A-1", client="bank", at=AT, since=1)
    assert len(check_receipt(given, [old, new], [first])) == 2
    with pytest.raises(Refused):
        check_receipt(given, [old])
    with pytest.raises(SetupRefused, match="only be checked while it is there"):
        retire(ledger, "signing", 1, at=AT, entry_id="adm_2", by="test")


class Toy:
    """An algorithm for tests: everybody who has the public key can sign."""

    def public_key(self, seed: bytes) -> bytes:
        return hashlib.sha256(b"toy" + seed).digest()

    def sign(self, seed: bytes, message: bytes) -> bytes:
        return hmac.digest(self.public_key(seed), message, "sha256")

    def holds(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(public_key, message, "sha256"), signature)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in that gives sm2."""
    point = EntryPoint("sm2", f"{__name__}:Toy", signing.GROUP)

    class Given(EntryPoint):
        def load(self) -> Toy:
            return Toy()

    found = EntryPoints([Given(point.name, point.value, point.group)])
    monkeypatch.setattr(signing, "entry_points", found.select)


@pytest.mark.usefixtures("toy")
def test_another_algorithm_signs_where_a_plug_in_gives_it(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, suite="commercial")
    assert json.loads((tmp_path / "vault.json").read_text())["signing"]["1"].startswith("sm:")
    append(ledger, 1)
    assert advance(ledger, at=AT) is not None
    assert ledger.verify() == (1, [])
    with ledger.reading() as reading:
        [key] = reading.vault.signatures().keys
    assert key.kind == b"\xffsm2"
    with pytest.raises(Refused, match="algorithm that this file cannot check"):
        key_of(str(key))


@pytest.mark.usefixtures("toy")
def test_what_two_algorithms_signed_verifies_together(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    append(ledger, 1)
    advance(ledger, at=AT)
    rotate(ledger, "signing", suite="commercial", at=AT, entry_id="adm_1", by="test")
    advance(ledger, at=AT)
    assert ledger.verify() == (2, [])


def test_without_a_plug_in_ed25519_signs_beside_the_commercial_suite(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, suite="commercial")
    document = json.loads((tmp_path / "vault.json").read_text())
    assert document["chain"]["1"].startswith("sm:")
    assert not document["signing"]["1"].startswith("sm:")
    append(ledger, 1)
    assert advance(ledger, at=AT) is not None
    assert ledger.verify() == (1, [])


def test_an_algorithm_that_nobody_gives_is_refused() -> None:
    with pytest.raises(SetupRefused, match=r"loansvc\.signers"):
        signing.algorithm("sm2")
