"""Two suites beside each other: what one wrote stays readable, and a mixed chain verifies."""

from __future__ import annotations

from pathlib import Path

import pytest

from loansvc.errors import LedgerDamaged, SetupRefused
from loansvc.ledger import Ledger, rotation
from loansvc.ledger.ciphers import COMMERCIAL, INTERNATIONAL, KEY_BYTES, digest, mac, seal, unseal
from loansvc.ledger.vault import Vault
from loansvc.settings import CRYPTOGRAPHY, Settings
from tests.databases import tampered
from tests.unit.test_ledger import ID_NUMBER, append

KEY = bytes(range(KEY_BYTES))


def test_sm3_is_the_standards() -> None:
    """GB/T 32905-2016, appendix A.2."""
    assert digest(b"abcd" * 16, COMMERCIAL) == (
        "sm3:debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    )


@pytest.mark.parametrize("suite", CRYPTOGRAPHY)
def test_what_is_sealed_is_opened_by_key_label_and_suite_alone(suite: str) -> None:
    sealed = seal(KEY, b"payload", "label", suite)
    assert unseal(KEY, sealed, "label", suite) == b"payload"
    other = INTERNATIONAL if suite == COMMERCIAL else COMMERCIAL
    for key, data, label, by in (
        (KEY[::-1], sealed, "label", suite), (KEY, sealed, "other", suite),
        (KEY, sealed, "label", other), (KEY, sealed[:-1], "label", suite),
        (KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]), "label", suite), (KEY, b"", "label", suite),
    ):  # fmt: skip
        with pytest.raises(LedgerDamaged):
            unseal(key, data, label, by)


def test_marks_of_the_two_suites_differ() -> None:
    assert mac(KEY, b"x", COMMERCIAL) != mac(KEY, b"x")
    assert len(mac(KEY, b"x", COMMERCIAL)) == 64


def ledger_of(home: Path, suite: str) -> Ledger:
    return Ledger.open(f"sqlite:///{home / 'ledger.db'}", home=home, create=True, suite=suite)


def test_a_new_ledger_is_of_the_suite_that_was_chosen(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, COMMERCIAL)
    entry = append(ledger, 1)
    assert entry.hash.startswith("sm3:")
    assert entry.payload_digest.startswith("sm3:")
    assert ledger.verify() == (1, [])
    with ledger.reading() as reading:
        assert reading.payload_of(entry)["n"] == 1
        assert reading.find_subject(ID_NUMBER) is not None
    # Whatever the setting says later: the keys say what they are for.
    assert append(ledger_of(tmp_path, INTERNATIONAL), 2).hash.startswith("sm3:")


def test_a_chain_of_both_suites_verifies_and_is_read(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, INTERNATIONAL)
    before = append(ledger, 1)
    for number, purpose in enumerate(("pseudonym", "key_encryption", "chain")):
        rotation.rotate(
            ledger, purpose, suite=COMMERCIAL, at="2026-11-23T13:00:00.000+08:00",
            entry_id=f"adm_{number}", by="test",
        )  # fmt: skip
    after = append(ledger, 2)
    assert (before.hash[:7], after.hash[:4]) == ("sha256:", "sm3:")
    assert after.subject_ref == before.subject_ref
    assert ledger.verify() == (5, [])
    with ledger.reading() as reading:
        assert [reading.payload_of(entry)["n"] for entry in (before, after)] == [1, 2]
    tampered(tmp_path, "UPDATE entry SET outcome = 'decline' WHERE sequence = 5")
    assert [problem.sequence for problem in ledger.verify()[1]] == [5]


def test_a_payload_of_no_known_schema_is_refused(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path, INTERNATIONAL)
    entry = append(ledger, 1)
    tampered(tmp_path, "UPDATE payload SET sealed = x'07' || substr(sealed, 2)")
    with ledger.reading() as reading, pytest.raises(LedgerDamaged, match="no schema known"):
        reading.payload_of(entry)


def test_a_suite_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SetupRefused, match="CRYPTOGRAPHY"):
        Settings.from_environment({"LOANSVC_CRYPTOGRAPHY": "rot13"})


def test_a_key_says_its_suite(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path / "vault.json", create=True, suite=COMMERCIAL)
    # Ed25519 is of neither suite; SM2 comes by a plug-in.
    suites = {purpose: vault.suite(purpose) for purpose in vault.purposes if purpose != "signing"}
    assert set(suites.values()) == {COMMERCIAL}
