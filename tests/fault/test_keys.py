"""F22: without its keys the ledger is not opened, and nothing is written in their place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.service import Service, an_example
from tests.small import small_models

Breakage = Callable[[Path, Path], object]


def _other_key(vault: Path, other: Path) -> None:
    """One purpose's key is another ledger's."""
    keys, others = (json.loads(path.read_text("ascii")) for path in (vault, other))
    vault.write_text(json.dumps({**keys, "chain": others["chain"]}), "ascii")


def _short(vault: Path, _other: Path) -> None:
    keys = json.loads(vault.read_text("ascii"))
    keys["key_encryption"]["1"] = keys["key_encryption"]["1"][4:]
    vault.write_text(json.dumps(keys), "ascii")


def _as_folder(vault: Path, _other: Path) -> None:
    vault.unlink()
    vault.mkdir(mode=0o700)


BREAKAGES: dict[str, Breakage] = {
    "missing": lambda vault, _: vault.unlink(),
    "empty": lambda vault, _: vault.write_bytes(b""),
    "cut": lambda vault, _: vault.write_bytes(vault.read_bytes()[:-20]),
    "of another ledger": lambda vault, other: shutil.copy(other, vault),
    "one key of another ledger": _other_key,
    "a key too short": _short,
    "readable by others": lambda vault, _: vault.chmod(0o644),
    "a folder": _as_folder,
}


@pytest.mark.faults("F22", within_s=120)
def test_a_service_does_not_start_without_its_keys(
    tmp_path: Path, measured: Callable[[str], None]
) -> None:
    models = small_models(tmp_path)
    first, other = (Service(tmp_path / name, models) for name in ("home", "other"))
    for service in (first, other):
        service.start()
        assert service.post(an_example(1)).status == 201
        service.stop()
        # Two workers that leave in the same moment leave SQLite's log to one another.
        assert service.run("ledger", "verify").returncode == 0
    vault = first.home / "vault.json"
    kept, before = vault.read_bytes(), (first.home / "ledger.db").read_bytes()
    for what, breaks in BREAKAGES.items():
        breaks(vault, other.home / "vault.json")
        refused = first.run("serve", "--port", str(first.port))
        assert refused.returncode == 1, what
        assert refused.stderr.count("\n") == 1, what
        assert "vault" in refused.stderr, what
        assert what != "missing" or not vault.exists(), "made new keys beside an old ledger"
        assert (first.home / "ledger.db").read_bytes() == before, what
        _restore(vault, kept)
    first.start()
    assert first.post(an_example(1)).status == 200
    first.close()
    measured(f"{len(BREAKAGES)} of {len(BREAKAGES)}: exit 1, one line, nothing written; with the "
             "right keys back it answers as before")  # fmt: skip


def _restore(vault: Path, kept: bytes) -> None:
    if vault.is_dir():
        vault.rmdir()
    vault.unlink(missing_ok=True)
    vault.touch(mode=0o600)
    vault.write_bytes(kept)
