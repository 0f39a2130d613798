"""Keys from the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests import databases
from tests.databases import over_both
from tests.shell import run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path))
    monkeypatch.setenv("LOANSVC_DATABASE_URL", databases.url_of(tmp_path))
    monkeypatch.setenv("LOANSVC_OPERATOR", "O. Perator")
    return tmp_path


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def call(*arguments: object) -> tuple[int, str, str]:
        return run(capfd, monkeypatch, *arguments)

    return call


@over_both
def test_a_key_is_made_rotated_listed_and_revoked(shell: Any) -> None:
    status, token, said = shell("keys", "create", "bank", "--holder", "A. Officer")
    assert (status, token[:4]) == (0, "lsk_")
    assert "of bank until" in said
    old = token.split("_")[1]
    status, token, said = shell("keys", "rotate", old, "--overlap-hours", 2)
    assert (status, "2 hours more" in said) == (0, True)
    new = token.split("_")[1]
    listed = json.loads(shell("keys", "list", "--json")[1])
    assert [(k["key_id"], k["holder"], k["usable"]) for k in listed] == [
        (old, "A. Officer", True), (new, "A. Officer", True),
    ]  # fmt: skip
    assert shell("keys", "revoke", old)[0] == 0
    assert "revoked" in shell("keys", "list")[1].splitlines()[0]


def test_a_third_key_is_refused_in_one_line(shell: Any) -> None:
    for _ in range(2):
        assert shell("keys", "create", "bank")[0] == 0
    status, out, said = shell("keys", "create", "bank")
    assert (status, out, len(said.splitlines())) == (1, "", 1)
    assert "loansvc keys revoke" in said


def test_a_key_that_signs_is_made_from_a_file(shell: Any, tmp_path: Path) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    file = tmp_path / "bank.pem"
    file.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    sign = ("--public-key", file, "--algorithm", "ed25519")
    status, key_id, said = shell("keys", "create", "bank", *sign)
    assert (status, len(key_id.strip())) == (0, 12)
    assert f'sign with keyid "{key_id.strip()}"' in said
    assert shell("keys", "create", "bank", "--public-key", file)[0] == 2
    assert "ed25519" in shell("keys", "list")[1]
