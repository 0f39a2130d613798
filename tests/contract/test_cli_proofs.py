"""receipt, ledger checkpoint, export, verifier, key, verify: from the shell, to the letter."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import shell
from tests.small import an_application, small_underwriting

Run = Callable[..., tuple[int, str, str]]
ID = "EXAMPLE-20261123-credit_loan-{:06d}"


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line, on a ledger of three decisions of two clients."""
    root = small_underwriting(tmp_path)
    for number in (1, 2, 3):
        root.decide(an_application(number), client="bank" if number < 3 else "other")
    root.ledger._engine.dispose()
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    return lambda *arguments: shell.run(capfd, monkeypatch, *arguments)


def test_what_the_shell_gives_verifies_with_what_the_shell_gives(tmp_path: Path, run: Run) -> None:
    """The steps of docs/ledger.md: verifier, key, receipt, export, kept checkpoint."""
    (tmp_path / "verify.py").write_text(run("ledger", "verifier")[1], "utf-8")
    key = run("ledger", "key")[1].strip()
    assert run("ledger", "export", tmp_path / "kept.txt", "--checkpoints") == (0, "", "")
    receipt = run("receipt", ID.format(2), "--from", "3", "--json")[1]
    (tmp_path / "receipt.json").write_text(receipt, "utf-8")
    assert run("ledger", "export", tmp_path / "all.jsonl", "--payloads") == (0, "", "")
    assert run("ledger", "export", tmp_path / "bank.jsonl", "--client", "bank") == (0, "", "")
    for name in ("receipt.json", "all.jsonl", "bank.jsonl", "kept.txt"):
        arguments = ["verify.py", name, "--key", key, "--checkpoint", "kept.txt"]
        done = subprocess.run(
            [sys.executable, "-I", *arguments], cwd=tmp_path, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b""), name


def test_a_receipt_is_told_in_words(run: Run) -> None:
    status, out, _ = run("receipt", ID.format(3))
    assert status == 0
    assert out.startswith("entry 3 of 3   decision   approve\n  hash        sha256:")
    assert run("receipt", "NOTHING")[0] == 1


def test_a_checkpoint_is_printed_as_it_is_kept(tmp_path: Path, run: Run) -> None:
    status, out, _ = run("ledger", "checkpoint")
    assert (status, (tmp_path / "home" / "checkpoints").read_text()) == (0, out)
    body = json.loads(run("ledger", "checkpoint", "--json")[1])
    assert (body["size"], body["checkpoint"]) == (3, out)


def test_verify_takes_a_checkpoint_from_outside(tmp_path: Path, run: Run) -> None:
    (tmp_path / "kept.txt").write_text(run("ledger", "checkpoint")[1])
    for options in ([], ["--entries-only"]):
        given = ["ledger", "verify", "--checkpoint", tmp_path / "kept.txt", *options]
        assert run(*given)[:2] == (0, "verified   3 entries\n")
    (tmp_path / "kept.txt").write_text("nothing of the kind\n")
    status, out, err = run("ledger", "verify", "--checkpoint", tmp_path / "kept.txt")
    assert (status, "a checkpoint in kept.txt cannot be believed" in out) == (1, True)
    assert "damaged" in err


def test_an_empty_ledger_has_nothing_to_sign(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small_underwriting(tmp_path).ledger._engine.dispose()
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    for arguments in (["ledger", "checkpoint"], ["ledger", "export", "-"]):
        status, _, err = shell.run(capfd, monkeypatch, *arguments)
        assert (status, err) == (1, "loansvc: The ledger has no entries yet.\n")


def test_checkpoints_are_exported_alone(run: Run) -> None:
    assert run("ledger", "export", "-", "--checkpoints", "--payloads")[0] == 2
