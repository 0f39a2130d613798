"""Outer keys change while the ledger is in use, and an old one goes when nothing needs it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from loansvc.errors import SetupRefused
from loansvc.ledger import Ledger, rotation, vault
from loansvc.ledger.rotation import retire, rotate, status
from loansvc.ledger.vault import add_key, drop_key
from loansvc.lending import Lending
from loansvc.privacy import Privacy
from loansvc.underwriting import Underwriting
from tests import databases
from tests.databases import over_both
from tests.small import an_application, publish_caps, small_models, small_underwriting, with_fund

SAYS: dict[str, Any] = {"at": "2026-11-23T13:00:00.000+08:00", "by": "test"}


@pytest.fixture
def root(tmp_path: Path, models: Path) -> Underwriting:
    root = small_underwriting(tmp_path, models=models)
    for number in range(7):
        root.decide(an_application(number), client="bank")
    return root


def again(root: Underwriting, tmp_path: Path) -> Underwriting:
    """What another process has of the same ledger."""
    home = tmp_path / "home"
    ledger = Ledger.open(databases.url_of(home), home=home)
    return Underwriting(root.registry, ledger, clock=root.clock)


def turn(ledger: Ledger, purpose: str, number: int = 1) -> tuple[int, int]:
    return rotate(ledger, purpose, suite="international", entry_id=f"adm_r{number}", **SAYS)


def drop(ledger: Ledger, purpose: str, version: int, number: int = 1) -> None:
    retire(ledger, purpose, version, entry_id=f"adm_d{number}", **SAYS)


def needs(ledger: Ledger, purpose: str) -> dict[int, int]:
    return {k["version"]: k["needed_by"] for k in status(ledger) if k["purpose"] == purpose}


@pytest.mark.parametrize("purpose", ["pseudonym", "key_encryption", "chain"])
@over_both
def test_everything_is_brought_under_the_new_key_and_the_old_one_goes(
    root: Underwriting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, purpose: str
) -> None:
    monkeypatch.setitem(rotation.BATCH, purpose, 3)
    other = again(root, tmp_path)
    ledger = root.ledger
    with pytest.raises(SetupRefused, match="current key"):
        drop(ledger, purpose, 1)
    version, n_done = turn(ledger, purpose)
    assert (version, n_done) == (2, 1 if purpose == "chain" else 7)
    assert needs(ledger, purpose)[1] == 0
    assert ledger.verify()[1] == []
    drop(ledger, purpose, 1)
    assert list(needs(ledger, purpose)) == [2]
    assert "1" not in json.loads((tmp_path / "home" / "vault.json").read_text())[purpose]
    assert (tmp_path / "home" / "vault.json").stat().st_mode & 0o777 == 0o600
    # A process that was there before knows it without a restart, and so does a new one.
    for one in (other, again(root, tmp_path)):
        assert one.ledger.verify()[1] == []
        recorded, is_new = one.decide(an_application(3), client="bank")
        assert not is_new
        assert recorded.application == an_application(3)
    with other.ledger.reading() as reading:
        assert reading.find_subject(an_application(3).applicant.id_number) is not None


@over_both
def test_a_rotation_that_was_killed_goes_on_where_it_stopped(
    root: Underwriting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rotation.BATCH, "key_encryption", 3)

    class Killed(Exception):
        pass

    def killed(_: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        rotate(root.ledger, "key_encryption", suite="international", entry_id="adm_0",
               progress=killed, **SAYS)  # fmt: skip
    assert needs(root.ledger, "key_encryption") == {1: 4, 2: 3}
    with pytest.raises(SetupRefused, match="4 records still need it"):
        drop(root.ledger, "key_encryption", 1)
    assert turn(root.ledger, "key_encryption") == (2, 4)
    assert root.ledger.verify()[1] == []


@over_both
def test_people_are_found_under_both_keys_while_pseudonyms_change(
    root: Underwriting, tmp_path: Path
) -> None:
    other = again(root, tmp_path)
    add_key(tmp_path / "home" / "vault.json", "pseudonym", "international")
    assert other.decide(an_application(8), client="bank")[1]
    for number in (1, 8):
        with root.ledger.reading() as reading:
            assert reading.find_subject(an_application(number).applicant.id_number) is not None
    assert root.ledger.verify()[1] == []
    assert turn(root.ledger, "pseudonym")[1] == 7
    assert len(needs(root.ledger, "pseudonym")) == 2


@over_both
def test_parties_meet_whichever_key_was_current(tmp_path: Path) -> None:
    """One marked before the new key, one after, and one once the old is gone."""
    models = small_models(tmp_path)
    publish_caps(models, tmp_path, related_percent=15, multiple=10, single_client_percent=10)
    root = small_underwriting(tmp_path, models=models)
    with_fund(root, 10_000_000)
    firm: dict[str, Any] = {"business__uscc": an_application(1).business.uscc}

    def related(number: int) -> Any:
        recorded, _ = root.decide(an_application(number, **firm), client="bank")
        assert recorded.exposure.fund is not None
        return recorded.exposure.fund.related_guaranteed_yuan

    assert related(1) == 0
    add_key(tmp_path / "home" / "vault.json", "pseudonym", "international")
    one = related(2)
    assert one > 0
    turn(root.ledger, "pseudonym")
    assert related(3) == 2 * one
    drop(root.ledger, "pseudonym", 1)
    assert related(4) == 3 * one
    assert root.ledger.verify()[1] == []
    root.ledger.rebuild()
    assert root.ledger.verify()[1] == []
    assert Lending(root).fund()["guaranteed_yuan"] == 4 * one


@pytest.mark.parametrize("dies", [False, True], ids=["goes on", "dies"])
@over_both
def test_what_is_decided_while_a_key_goes_leaves_no_mark_under_it(
    root: Underwriting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    """Other processes know the old key until it is out of the file."""
    other = again(root, tmp_path)

    def drop_late(*given: Any) -> None:
        assert other.decide(an_application(8), client="bank")[1]
        assert other.ledger.verify()[1] == []
        drop_key(*given)
        if dies:
            raise InterruptedError

    turn(root.ledger, "pseudonym")
    monkeypatch.setattr(vault, "drop_key", drop_late)
    with pytest.raises(InterruptedError) if dies else nullcontext():
        drop(root.ledger, "pseudonym", 1)
    assert again(root, tmp_path).ledger.verify()[1] == []
    under_1 = databases.sql(tmp_path / "home", "SELECT party FROM related WHERE party LIKE 'v1:%'")
    assert under_1 == []


@over_both
def test_an_erased_person_is_no_obstacle(root: Underwriting) -> None:
    says = {"reason": "withdrawn", "reference": "E-1", "by": "bank", "approver": "officer"}
    Privacy(root).erase(an_application(3).applicant.id_number, **says)
    for number, purpose in enumerate(("pseudonym", "key_encryption")):
        assert turn(root.ledger, purpose, number) == (2, 7)  # six, and the institution
        drop(root.ledger, purpose, 1, number)
    assert root.ledger.verify()[1] == []


@over_both
def test_keys_of_the_environment_are_changed_there(root: Underwriting, tmp_path: Path) -> None:
    home = tmp_path / "home"
    document = json.loads((home / "vault.json").read_text())

    def opened() -> Ledger:
        return Ledger.open(databases.url_of(home), home=home, vault_keys=json.dumps(document))

    with pytest.raises(SetupRefused, match="LOANSVC_VAULT_KEYS"):
        turn(opened(), "key_encryption")
    document["current"] = {"key_encryption": 1}
    add_key(home / "vault.json", "key_encryption", "international")
    document["key_encryption"]["2"] = json.loads((home / "vault.json").read_text())[
        "key_encryption"
    ]["2"]
    with pytest.raises(SetupRefused, match="LOANSVC_VAULT_KEYS"):
        turn(opened(), "key_encryption")  # the old one is still current
    del document["current"]
    assert turn(opened(), "key_encryption") == (2, 7)
    drop(opened(), "key_encryption", 1)
    assert opened().verify()[1] == []  # still in the environment, retired all the same
    del document["key_encryption"]["1"]
    assert opened().verify()[1] == []


@over_both
def test_who_looks_for_long_keeps_the_keys_of_the_beginning(root: Underwriting) -> None:
    """The snapshot still has what the retired key wrapped."""
    with root.ledger.reading() as reading:
        entry = reading.find("bank", an_application(3).application_id)
        turn(root.ledger, "key_encryption")
        drop(root.ledger, "key_encryption", 1)
        with root.ledger.reading() as other:
            assert other.vault.versions("key_encryption") == [2]
        assert entry is not None
        assert reading.payload_of(entry)["application"]


def test_a_vaults_new_file_that_is_wrong_changes_nothing(
    root: Underwriting, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home" / "vault.json").write_text("{}")
    assert root.decide(an_application(9), client="bank")[1]
    assert "is not used" in caplog.text


def test_a_key_of_no_purpose_is_refused(root: Underwriting) -> None:
    with pytest.raises(SetupRefused, match="There is no such key"):
        drop(root.ledger, "key_encryption", 7)
    with pytest.raises(SetupRefused, match="Purposes are"):
        turn(root.ledger, "laundry")


@over_both
def test_what_was_done_with_keys_is_in_the_chain(root: Underwriting, tmp_path: Path) -> None:
    turn(root.ledger, "chain")
    drop(root.ledger, "chain", 1)
    noted = "SELECT outcome FROM entry WHERE kind = 'administration' ORDER BY sequence"
    assert databases.sql(tmp_path / "home", noted) == [("key_rotated",), ("key_retired",)]
