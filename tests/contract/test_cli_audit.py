"""Two people publish and state the fund's capital, and the ledger tells who did what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loansvc.registry import Registry
from loansvc.registry.documents import read_lock
from tests.shell import run
from tests.small import POLICY, RATES, small_models

RATES_OF_DECEMBER = RATES | {"valid_from": "2026-12-20"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return small_models(tmp_path / "editions")


@pytest.fixture
def shell(tmp_path: Path, models: Path, capfd: pytest.CaptureFixture[str], monkeypatch: Any) -> Any:
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    monkeypatch.setenv("LOANSVC_OPERATOR", "P. Roposer")

    def call(*arguments: object) -> tuple[int, str, str]:
        return run(capfd, monkeypatch, *arguments)

    return call


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    file = tmp_path / "rates.json"
    file.write_text(json.dumps(RATES_OF_DECEMBER))
    return file


def acts(shell: Any, *arguments: object) -> list[dict[str, Any]]:
    status, out, said = shell("audit", "--json", *arguments)
    assert status == 0, said
    found: list[dict[str, Any]] = json.loads(out)["data"]
    return found


def test_a_publication_names_two_people_in_the_lock(shell: Any, draft: Path, models: Path) -> None:
    status, out, said = shell("publish", draft, "--approver", "R. Reviewer", "--json")
    assert status == 0, said
    assert (json.loads(out)["proposer"], json.loads(out)["approver"]) == (
        "P. Roposer", "R. Reviewer",
    )  # fmt: skip
    assert read_lock(models)[-1]["proposer"] == "P. Roposer"
    assert Registry.open(models).editions[-1].proposer == "P. Roposer"
    assert "proposer  P. Roposer" in shell("editions")[1]


def test_locks_from_before_name_no_proposer_and_read_as_ever(models: Path) -> None:
    assert all("proposer" not in entry for entry in read_lock(models))
    assert {edition.proposer for edition in Registry.open(models).editions} == {""}


@pytest.mark.parametrize(
    ("approver", "proposer"),
    [
        pytest.param("P. Roposer", None, id="the operator"),
        pytest.param(" p.  ROPOSER ", None, id="in other letters and spaces"),
        pytest.param("\uff30. Roposer", None, id="in wide letters"),
        pytest.param("P. Rop\u200boser", None, id="with a letter that is not seen"),
        pytest.param("A", "a", id="both named"),
    ],
)
def test_nobody_publishes_alone(
    shell: Any, draft: Path, models: Path, approver: str, proposer: str | None
) -> None:
    before = read_lock(models)
    named = ("--proposer", proposer) if proposer else ()
    status, out, said = shell("publish", draft, "--approver", approver, *named)
    assert (status, out, len(said.splitlines())) == (1, "", 1)
    assert "--approver NAME" in said
    assert read_lock(models) == before


def test_a_policy_and_a_rollback_need_two_people_too(
    shell: Any, tmp_path: Path, models: Path
) -> None:
    new = tmp_path / "policy.toml"
    new.write_text(POLICY.replace("PRODUCT", "credit_loan").replace("2026-07-01", "2026-12-24"))
    old = next(e.path for e in Registry.open(models).editions if e.kind == "rates")
    for file, more in ((new, ()), (models / old, ("--valid-from", "2027-01-01"))):
        assert shell("publish", file, "--approver", "P. Roposer", *more)[0] == 1
        status, _, said = shell("publish", file, "--approver", "R. Reviewer", *more)
        assert status == 0, said


def test_without_a_ledger_a_publication_makes_none(shell: Any, draft: Path, tmp_path: Path) -> None:
    assert shell("publish", draft, "--approver", "R. Reviewer")[0] == 0
    assert not (tmp_path / "home").exists()


def test_a_publication_is_an_entry_of_the_ledger(shell: Any, draft: Path) -> None:
    shell("ledger", "upgrade")
    assert shell("publish", draft, "--approver", "R. Reviewer")[0] == 0
    [act] = acts(shell)
    assert (act["action"], act["by"]) == ("published", "P. Roposer")
    assert act["details"]["approver"] == "R. Reviewer"
    assert act["details"]["digest"].startswith("sha256:")
    assert shell("ledger", "verify")[0] == 0


def test_what_cannot_be_recorded_is_not_published(
    shell: Any, draft: Path, models: Path, tmp_path: Path
) -> None:
    shell("ledger", "upgrade")
    (tmp_path / "home" / "vault.json").unlink()
    before = read_lock(models)
    status, _, said = shell("publish", draft, "--approver", "R. Reviewer")
    assert (status, "vault.json" in said) == (1, True)
    assert read_lock(models) == before


def test_a_refused_publication_is_no_entry(shell: Any, draft: Path) -> None:
    shell("ledger", "upgrade")
    assert shell("publish", draft, "--approver", "P. Roposer")[0] == 1
    assert acts(shell) == []


def test_the_capital_of_the_fund_is_stated_by_two_people(shell: Any) -> None:
    state = ("fund", "set", "--capital", 5_000_000, "--reference", "balance")
    for alone in (("P. Roposer",), ("A", "--proposer", "a")):
        status, _, said = shell(*state, "--approver", *alone)
        assert (status, "--approver NAME" in said) == (1, True)
    assert shell(*state, "--approver", "R. Reviewer")[0] == 0
    [act] = acts(shell)
    assert (act["action"], act["by"]) == ("fund_set", "P. Roposer")
    assert act["details"]["capital_yuan"] == 5_000_000


def test_every_act_is_listed_oldest_first_and_by_day(shell: Any, draft: Path) -> None:
    token = shell("keys", "create", "bank", "--holder", "A. Officer")[1].strip()
    shell("publish", draft, "--approver", "R. Reviewer")
    shell("fund", "set", "--capital", 1, "--reference", "b", "--approver", "R. Reviewer")
    shell("keys", "revoke", token.split("_")[1])
    found = acts(shell)
    assert [act["action"] for act in found] == [
        "key_created", "published", "fund_set", "key_revoked",
    ]  # fmt: skip
    assert [act["sequence"] for act in found] == [1, 2, 3, 4]
    day = found[0]["at"][:10]
    assert acts(shell, "--from", day, "--to", day) == found
    assert acts(shell, "--to", "2020-01-01") == acts(shell, "--from", "2999-01-01") == []
    status, out, _ = shell("audit")
    assert (status, len(out.splitlines())) == (0, 4)
    assert "holder A. Officer" in out
    assert token.split("_", 2)[2] not in out


def test_without_a_ledger_there_is_nothing_to_audit(shell: Any) -> None:
    status, _, said = shell("audit")
    assert (status, "There is no ledger" in said) == (1, True)
