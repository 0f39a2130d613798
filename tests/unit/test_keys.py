"""Keys: two at once for rotation, expiry, revocation, and an entry of the ledger for every act."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from loansvc.errors import NotFound, SetupRefused
from loansvc.ledger import Ledger, keys
from tests import databases
from tests.databases import over_both
from tests.small import NOON

DAY = timedelta(days=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(databases.url_of(tmp_path), home=tmp_path, create=True)


def create(ledger: Ledger, **changes: Any) -> tuple[keys.ClientKey, str]:
    given: dict[str, Any] = {
        "client": "bank", "scopes": ("decide",), "now": NOON, "expires_at": NOON + 90 * DAY,
    }  # fmt: skip
    return keys.create(ledger, **(given | changes))


def acts(ledger: Ledger) -> list[tuple[str, str, dict[str, Any]]]:
    """Action, client and payload of every entry."""
    with ledger.reading() as reading:
        return [(e.outcome, e.client, payload) for e, payload in reading.all_recorded()]


def pem(private: Any) -> str:
    data = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return str(data, "ascii")


@over_both
def test_two_keys_may_be_in_use_and_no_third(ledger: Ledger) -> None:
    first, _ = create(ledger)
    create(ledger)
    with pytest.raises(SetupRefused, match=first.key_id):
        create(ledger)
    keys.revoke(ledger, first.key_id, now=NOON)
    create(ledger)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"client": "other"}, id="another client"),
        pytest.param({"holder": "A. Officer"}, id="another holder"),
        pytest.param({"scopes": ("read",)}, id="other scopes"),
        pytest.param({"now": NOON + 91 * DAY, "expires_at": NOON + 99 * DAY}, id="expired ones"),
    ],
)
def test_a_key_for_another_purpose_is_not_counted(ledger: Ledger, other: dict[str, Any]) -> None:
    create(ledger)
    create(ledger)
    create(ledger, **other)


@over_both
def test_both_keys_open_during_the_overlap_and_the_old_one_never_after(ledger: Ledger) -> None:
    old, old_token = create(ledger, holder="A. Officer", scopes=("decide", "review"))
    new, new_token = keys.rotate(
        ledger, old.key_id, now=NOON, overlap=DAY, expires_at=NOON + 90 * DAY
    )
    assert (new.client, new.holder, new.scopes) == (old.client, old.holder, old.scopes)
    for token in (old_token, new_token):
        assert keys.find(ledger, token, now=NOON + DAY - timedelta(seconds=1))
    assert keys.find(ledger, old_token, now=NOON + DAY) is None
    assert keys.find(ledger, new_token, now=NOON + DAY)


def test_a_rotation_never_lengthens_a_key(ledger: Ledger) -> None:
    old, token = create(ledger, expires_at=NOON + DAY)
    keys.rotate(ledger, old.key_id, now=NOON, overlap=5 * DAY, expires_at=NOON + 90 * DAY)
    assert keys.find(ledger, token, now=NOON + DAY) is None


def test_a_key_with_a_successor_has_no_second_one(ledger: Ledger) -> None:
    old, _ = create(ledger)
    keys.rotate(ledger, old.key_id, now=NOON, overlap=DAY, expires_at=NOON + 90 * DAY)
    with pytest.raises(SetupRefused, match="in use already"):
        keys.rotate(ledger, old.key_id, now=NOON, overlap=DAY, expires_at=NOON + 90 * DAY)


def test_a_key_that_is_not_in_use_is_not_rotated_or_revoked(ledger: Ledger) -> None:
    key, _ = create(ledger)
    keys.revoke(ledger, key.key_id, now=NOON)
    for key_id in (key.key_id, "0" * 12):
        with pytest.raises(NotFound):
            keys.rotate(ledger, key_id, now=NOON, overlap=DAY, expires_at=NOON + DAY)
        with pytest.raises(NotFound):
            keys.revoke(ledger, key_id, now=NOON)


@over_both
def test_every_act_on_a_key_is_an_entry_of_the_chain(ledger: Ledger) -> None:
    old, token = create(ledger, by="O. Perator", holder="A. Officer")
    new, _ = keys.rotate(
        ledger, old.key_id, now=NOON, overlap=DAY, expires_at=NOON + 9 * DAY, by="O. Perator"
    )
    keys.revoke(ledger, new.key_id, now=NOON, by="R. Evoker")
    found = acts(ledger)
    assert [(action, client) for action, client, _ in found] == [
        ("key_created", "bank"), ("key_rotated", "bank"), ("key_revoked", "bank"),
    ]  # fmt: skip
    assert [payload["by"] for *_, payload in found] == ["O. Perator", "O. Perator", "R. Evoker"]
    assert (found[1][2]["key_id"], found[1][2]["replaces"]) == (new.key_id, old.key_id)
    assert token.split("_", 2)[2] not in str(found)
    assert ledger.verify() == (3, [])


@over_both
def test_a_refused_key_leaves_no_entry(ledger: Ledger) -> None:
    create(ledger)
    create(ledger)
    with pytest.raises(SetupRefused):
        create(ledger)
    assert len(acts(ledger)) == 2


@pytest.mark.parametrize("holder", ["x" * 65, "a\nb", " A. Officer"])
def test_a_holder_is_one_plain_name(ledger: Ledger, holder: str) -> None:
    with pytest.raises(SetupRefused, match="holder"):
        create(ledger, holder=holder)


SIGNERS: dict[str, Any] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "ecdsa-p256-sha256": ec.generate_private_key(ec.SECP256R1()),
}


@pytest.mark.parametrize("algorithm", keys.ALGORITHMS)
@over_both
def test_a_key_that_signs_is_found_by_its_id_and_opens_nothing_as_a_token(
    ledger: Ledger, algorithm: str
) -> None:
    key, token = create(ledger, algorithm=algorithm, public_key=pem(SIGNERS[algorithm]))
    assert token == key.key_id
    assert keys.signing(ledger, key.key_id, now=NOON) == key
    assert keys.find(ledger, f"lsk_{key.key_id}_{'A' * 43}", now=NOON) is None


def test_a_key_with_a_secret_does_not_sign(ledger: Ledger) -> None:
    key, _ = create(ledger)
    assert keys.signing(ledger, key.key_id, now=NOON) is None


@pytest.mark.parametrize(
    ("algorithm", "public_key"),
    [
        pytest.param("ed25519", "", id="no key"),
        pytest.param("", pem(SIGNERS["ed25519"]), id="no algorithm"),
        pytest.param("ed25519", "not PEM", id="no PEM"),
        pytest.param("ed25519", pem(SIGNERS["ecdsa-p256-sha256"]), id="the other algorithm"),
        pytest.param("ecdsa-p256-sha256", pem(ec.generate_private_key(ec.SECP384R1())), id="curve"),
        pytest.param("ed25519", pem(rsa.generate_private_key(65537, 2048)), id="RSA"),
        pytest.param("hmac-sha256", pem(SIGNERS["ed25519"]), id="a shared secret"),
        pytest.param(
            "ed25519",
            SIGNERS["ed25519"]
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode(),
            id="the private key",
        ),
    ],
)
def test_what_is_no_public_key_of_the_algorithm_is_refused(
    ledger: Ledger, algorithm: str, public_key: str
) -> None:
    with pytest.raises(SetupRefused, match="no public key"):
        create(ledger, algorithm=algorithm, public_key=public_key)


def test_the_successor_of_a_key_that_signs_needs_a_new_public_key(ledger: Ledger) -> None:
    given = pem(SIGNERS["ed25519"])
    old, _ = create(ledger, algorithm="ed25519", public_key=given)
    for wrong in ("", given):
        with pytest.raises(SetupRefused):
            keys.rotate(
                ledger, old.key_id, now=NOON, overlap=DAY, expires_at=NOON + DAY, public_key=wrong
            )
    other = pem(ed25519.Ed25519PrivateKey.generate())
    new, _ = keys.rotate(
        ledger, old.key_id, now=NOON, overlap=DAY, expires_at=NOON + DAY, public_key=other
    )
    assert (new.algorithm, new.public_key) == ("ed25519", other.strip())


def test_a_key_that_opened_is_known_for_a_moment_and_not_once_it_expires(ledger: Ledger) -> None:
    key, token = create(ledger, expires_at=NOON + DAY)
    at = 100.0
    known = keys.Known(ledger, clock=lambda: at)
    assert known.find(token, now=NOON) == key
    keys.revoke(ledger, key.key_id, now=NOON)
    at += keys.KNOWN_S - 0.01
    assert known.find(token, now=NOON) == key
    assert known.find(token, now=NOON + DAY) is None
    at += 0.01
    assert known.find(token, now=NOON) is None


def test_what_opens_nothing_is_asked_for_each_time(ledger: Ledger) -> None:
    """A key that is made a moment after it was tried works at once."""
    key, token = create(ledger)
    known = keys.Known(ledger, clock=lambda: 100.0)
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert known.find(token, now=key.expires_at) is None
    assert known.find(wrong, now=NOON) is None
    assert known.find(token, now=NOON) == key
    assert known.find(wrong, now=NOON) is None


def test_known_are_so_many_keys_at_most(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_KNOWN", 2)
    known = keys.Known(ledger, clock=lambda: 100.0)
    for number in range(5):
        key, token = create(ledger, client=f"bank-{number}")
        assert known.find(token, now=NOON) == key
        assert len(known._found) <= 2
