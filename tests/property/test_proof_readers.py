"""The verifier that a bank runs, on damaged proofs: it says yes or no and leaves no trace."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loansvc.ledger import verifier
from loansvc.ledger.checkpoints import advance
from loansvc.ledger.exporting import exported
from loansvc.ledger.receipts import checkpoint_document, receipt
from tests.property.damages import bytes_of, json_of
from tests.unit.test_ledger import append, open_ledger
from tests.unit.test_verifier import AT

KINDS = ("receipt", "checkpoint", "note", "export", "kept")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of each kind as a ledger gives it, and the key."""
    folder = tmp_path_factory.mktemp("proofs")
    ledger = open_ledger(folder)
    for number in range(1, 6):
        append(ledger, number)
        if number in (3, 5):
            advance(ledger, at=AT)
    with ledger.reading() as reading:
        [key] = reading.vault.signatures().keys
        kept = reading.checkpoint(3)
    assert kept is not None
    told = receipt(ledger, "A-2", client="bank", at=AT, since=3)
    newest = checkpoint_document(ledger, since=3)
    files = {
        "receipt": json.dumps(told), "checkpoint": json.dumps(newest),
        "note": newest["checkpoint"], "export": "".join(exported(ledger, at=AT)), "kept": kept.note,
        "key": str(key),
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    ledger._engine.dispose()
    return folder


def verified(folder: Path, kind: str, data: bytes) -> int:
    """Exit status of the verifier on these bytes, as a file of that kind."""
    damaged = folder / "damaged"
    damaged.write_bytes(data)
    file = folder / "receipt" if kind == "kept" else damaged
    kept = damaged if kind == "kept" else folder / "kept"
    key = (folder / "key").read_text()
    asked = [] if kind == "note" else ["--checkpoint", str(kept)]
    return verifier.main([str(file), "--key", key, *asked])


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_ledger_gives_holds(folder: Path, kind: str) -> None:
    assert verified(folder, kind, (folder / kind).read_bytes()) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_at_any_twentieth_gets_an_answer(folder: Path, kind: str) -> None:
    sample = (folder / kind).read_bytes()
    for n in range(20):
        status = verified(folder, kind, sample[: len(sample) * n // 20])
        assert status == (0 if kind == "kept" and n == 0 else 1)  # who kept none compares none


def one_line_of(sample: bytes, random: Random) -> bytes:
    """An export with one of its lines damaged as JSON."""
    lines = sample.splitlines(keepends=True)
    n = random.randrange(len(lines))
    lines[n] = json_of(lines[n], random) + b"\n"
    return b"".join(lines)


DAMAGES: dict[str, tuple[Callable[[bytes, Random], bytes], ...]] = {
    "receipt": (bytes_of, json_of), "checkpoint": (bytes_of, json_of), "note": (bytes_of,),
    "export": (bytes_of, one_line_of), "kept": (bytes_of,),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**64))
def test_a_damaged_file_gets_an_answer(folder: Path, kind: str, seed: int) -> None:
    random = Random(seed)
    data = random.choice(DAMAGES[kind])((folder / kind).read_bytes(), random)
    assert verified(folder, kind, data) in (0, 1)


@pytest.mark.parametrize("field", ["application_id", "client", "hash", "payload_digest"])
@pytest.mark.parametrize("half", ["\ud800", "a\udfff"])
def test_half_a_character_does_not_hold(folder: Path, field: str, half: str) -> None:
    told = json.loads((folder / "receipt").read_bytes())
    told["entry"][field] = half
    assert verified(folder, "receipt", json.dumps(told).encode()) == 1


@pytest.mark.parametrize("half", ["\ud800", "a\udfff"])
def test_half_a_character_in_a_signed_note_does_not_hold(folder: Path, half: str) -> None:
    for kind, at in itertools.product(("receipt", "checkpoint"), (0, 5)):
        told = json.loads((folder / kind).read_bytes())
        told["checkpoint"] = told["checkpoint"][:at] + half + told["checkpoint"][at:]
        assert verified(folder, kind, json.dumps(told).encode()) == 1
