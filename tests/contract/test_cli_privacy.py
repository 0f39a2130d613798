"""erase, subject export, retention, vault: from the shell, the ID number never on the line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loansvc.cli.operators import operator
from tests import databases
from tests.databases import over_both
from tests.shell import run
from tests.small import a_document, small_models

Shell = Callable[..., tuple[int, str, str]]
ID_NUMBER = a_document(1)["applicant"]["id_number"]
NAME = a_document(1)["application_id"]
WHY = ("--reason", "withdrawn", "--reference", "E-1", "--approver", "officer")


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Shell:
    """The command line on the small editions, with a line on standard input."""
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_DATABASE_URL", databases.url_of(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(small_models(tmp_path / "editions")))

    def shell_(*arguments: object, line: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(line))
        return run(capfd, monkeypatch, *arguments)

    document = tmp_path / "application.json"
    document.write_text(json.dumps({**a_document(1), "applied_on": None}), "utf-8")
    assert shell_("decide", document)[0] == 0
    return shell_


@over_both
def test_a_person_is_erased_from_standard_input(shell: Shell) -> None:
    status, out, _ = shell("erase", *WHY, line=f"{ID_NUMBER}\n")
    assert status == 0
    assert out.startswith("erased   1 decisions, 0 outcomes, 0 other entries   era_")
    status, _, err = shell("explain", NAME)
    assert (status, "was erased" in err) == (1, True)
    assert shell("ledger", "verify")[1] == "verified   2 entries\n"
    again = json.loads(shell("erase", *WHY, "--json", line=f"{ID_NUMBER}\n")[1])
    assert again["decisions"] == 1
    assert ID_NUMBER not in str(again)


def test_a_wrong_number_is_refused_without_being_shown(shell: Shell) -> None:
    status, out, err = shell("erase", *WHY, line="340521199003072315\n")
    assert (status, out) == (1, "")
    assert "/id_number" in err
    assert "340521199003072315" not in err


def test_whoever_erases_is_not_who_approves(shell: Shell) -> None:
    arguments = (*WHY[:-1], operator())
    assert shell("erase", *arguments, line=f"{ID_NUMBER}\n")[0] == 1


@over_both
def test_every_decision_is_replayed_and_the_erased_ones_are_counted(shell: Shell) -> None:
    shell("erase", *WHY, line=f"{ID_NUMBER}\n")
    status, out, _ = shell("replay", "--all")
    assert (status, out) == (0, "0 replayed, 0 different, 1 erased\n")


@over_both
def test_an_export_is_json(shell: Shell) -> None:
    status, out, _ = shell("subject", "export", line=f"{ID_NUMBER}\n")
    assert status == 0
    [record] = json.loads(out)["records"]
    assert record["application_id"] == NAME
    assert record["explanation"]["outcome"] == record["outcome"]
    assert shell("subject", "export", line="11010519491231002X\n")[0] == 1


def test_retention_lists_every_class_with_its_source(shell: Shell) -> None:
    status, out, _ = shell("retention")
    assert (status, out.splitlines()[0][:10]) == (0, "0 people d")
    assert "art. 16" in out
    assert "to be confirmed" in out
    body = json.loads(shell("retention", "--apply", "--json")[1])
    assert body["people_due"] == 0


@over_both
def test_keys_are_changed_and_listed_without_their_bytes(shell: Shell, tmp_path: Path) -> None:
    assert shell("vault", "rotate", "key_encryption")[1] == (
        "rotated   key_encryption is of version 2; 1 records brought under it\n"
    )
    listed = shell("vault", "status")[1]
    assert "key_encryption     2  international  current  2 records" in listed
    for versions in json.loads((tmp_path / "home" / "vault.json").read_text()).values():
        assert not any(key in listed for key in versions.values())
    assert shell("vault", "retire", "key_encryption", "1") == (
        0,
        "retired   key_encryption 1\n",
        "",
    )
    assert shell("ledger", "verify")[0] == 0
