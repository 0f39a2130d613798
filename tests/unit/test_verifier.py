"""verify.py: what a bank holds in its hands. Nothing but Python, and no change goes unseen."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loansvc.ledger import Ledger, exporting, verifier
from loansvc.ledger.checkpoints import advance
from loansvc.ledger.receipts import checkpoint_document, receipt
from loansvc.ledger.verifier import (
    Checkpoint,
    Key,
    Refused,
    check_checkpoint,
    check_export,
    check_receipt,
    checkpoint_of,
    ed25519_holds,
    key_of,
)
from tests.unit.test_ledger import append, open_ledger

AT = "2026-11-23T12:00:00.000+08:00"
# RFC 8032, 7.1, tests 1 to 3: public key, message, signature.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
        "b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
        "1d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
        "c6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger with checkpoints of 3, 5 and 7 entries."""
    ledger = open_ledger(tmp_path_factory.mktemp("ledger"))
    for number in range(1, 8):
        append(ledger, number)
        if number in (3, 5, 7):
            advance(ledger, at=AT)
    yield ledger
    ledger._engine.dispose()


@pytest.fixture(scope="module")
def keys(ledger: Ledger) -> list[Key]:
    with ledger.reading() as reading:
        return reading.vault.signatures().keys


@pytest.fixture(scope="module")
def kept(ledger: Ledger) -> list[Checkpoint]:
    with ledger.reading() as reading:
        found = [reading.checkpoint(size) for size in (3, 5)]
    return [one for one in found if one is not None]


@pytest.fixture
def a_receipt(ledger: Ledger) -> dict[str, Any]:
    return receipt(ledger, "A-4", client="bank", at=AT, since=5)


def test_it_imports_nothing_outside_the_standard_library() -> None:
    tree = ast.parse(Path(verifier.__file__).read_text())
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_signatures_of_rfc_8032_hold(key: str, message: str, signature: str) -> None:
    of = bytes.fromhex
    assert ed25519_holds(of(key), of(message), of(signature))
    assert not ed25519_holds(of(key), of(message) + b"x", of(signature))


def test_signatures_are_believed_as_another_program_believes_them() -> None:
    chance = random.Random(8032)
    for _ in range(25):
        private = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        public, message = private.public_key().public_bytes_raw(), chance.randbytes(40)
        signature = private.sign(message)
        assert ed25519_holds(public, message, signature)
        changed = bytearray(signature)
        changed[chance.randrange(64)] ^= 1 << chance.randrange(8)
        assert not ed25519_holds(public, message, bytes(changed))


def test_the_same_signature_written_another_way_is_none() -> None:
    """S and S + L are the same number to the curve: RFC 8032, 5.1.7 asks that S < L."""
    key, message, signature = (bytes.fromhex(text) for text in RFC_8032[1])
    other = int.from_bytes(signature[32:], "little") + verifier._L
    assert not ed25519_holds(key, message, signature[:32] + other.to_bytes(32, "little"))


@pytest.mark.parametrize("n", [0, 31, 33])
def test_a_key_or_signature_of_another_length_is_none(n: int) -> None:
    assert not ed25519_holds(b"\x01" * n, b"", b"\x00" * 64)
    assert not ed25519_holds(b"\x01" * 32, b"", b"\x00" * n)


def test_a_receipt_holds(
    a_receipt: dict[str, Any], keys: list[Key], kept: list[Checkpoint]
) -> None:
    said = check_receipt(a_receipt, keys, kept)
    assert said[0].startswith(
        "Entry 4 (decision on A-4) is one of the 7 entries signed by loansvc/"
    )
    assert said[1] == "It goes on from your checkpoint of 5 entries, and changes none of them."
    assert "Not checked" in check_receipt(a_receipt, keys)[1]


def places(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the values of a document are."""
    if isinstance(document, dict | list):
        pairs = document.items() if isinstance(document, dict) else enumerate(document)
        for name, value in pairs:
            yield from places(value, (*at, name))
    else:
        yield at


def changed(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    here = copy
    for name in place[:-1]:
        here = here[name]
    here[place[-1]] = value
    return copy


def values_near(value: Any) -> Iterator[Any]:
    """Every value that differs from this one in a single place, and some of another kind."""
    yield from (None, [], {}, True)
    if isinstance(value, int):
        yield from (value + 1, value - 1, -value, value * 256, float(value), str(value))
        return
    for at, letter in enumerate(value):
        yield value[:at] + value[at + 1 :]
        for other in {chr(ord(letter) ^ 1), "A", "0", "=", " ", "\n", "é"} - {letter}:
            yield value[:at] + other + value[at + 1 :]
            yield value[:at] + other + value[at:]


def test_no_change_of_a_receipt_is_believed(
    a_receipt: dict[str, Any], keys: list[Key], kept: list[Checkpoint],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Every character of every field, left out, replaced and joined by another."""
    known = (keys[0].public, checkpoint_of(a_receipt["checkpoint"]).text.encode())
    [(_, signature)] = checkpoint_of(a_receipt["checkpoint"]).signatures

    def fast(key: Key, message: bytes, given: bytes) -> bool:  # the curve is tried above
        return (key.public, message, given) == (*known, signature[4:])

    monkeypatch.setattr(verifier.signed, "__defaults__", (fast,))
    assert check_receipt(a_receipt, keys, kept)
    n_tried, found = 0, list(places(a_receipt))
    assert len(found) == 17 + 2 + 3 + 1 + 5  # entry, sizes, path, note, consistency
    for place in found:
        value = a_receipt
        for name in place:
            value = value[name]
        for other in values_near(value):
            n_tried += 1
            with pytest.raises(Refused):
                check_receipt(changed(a_receipt, place, other), keys, kept)
    assert n_tried > 10_000


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.pop("entry"), lambda r: r.update(more=1), lambda r: r["entry"].pop("tier"),
        lambda r: r["entry"].update(more=""), lambda r: r["inclusion_path"].pop(),
        lambda r: r["inclusion_path"].reverse(), lambda r: r["consistency"]["path"].pop(),
        lambda r: r["inclusion_path"].append(r["inclusion_path"][0]),
    ],
)  # fmt: skip
def test_a_receipt_of_another_shape_is_not_believed(
    a_receipt: dict[str, Any], keys: list[Key], kept: list[Checkpoint],
    change: Callable[[dict[str, Any]], Any],
) -> None:  # fmt: skip
    change(a_receipt)
    with pytest.raises(Refused):
        check_receipt(a_receipt, keys, kept)


def test_a_receipt_signed_by_another_key_is_not_believed(
    a_receipt: dict[str, Any], tmp_path: Path
) -> None:
    other = open_ledger(tmp_path)
    with other.reading() as reading:
        keys = reading.vault.signatures().keys
    other._engine.dispose()
    with pytest.raises(Refused, match="not signed by the key"):
        check_receipt(a_receipt, keys)


def test_a_receipt_that_does_not_speak_of_a_kept_checkpoint_says_what_to_ask_for(
    ledger: Ledger, keys: list[Key], kept: list[Checkpoint]
) -> None:
    plain = receipt(ledger, "A-4", client="bank", at=AT)
    with pytest.raises(Refused, match=r"\?from=5"):
        check_receipt(plain, keys, kept)
    with pytest.raises(Refused, match="None of the checkpoints"):
        check_receipt(receipt(ledger, "A-4", client="bank", at=AT, since=4), keys, kept)


def test_a_checkpoint_of_another_ledger_is_no_beginning_of_this_one(
    a_receipt: dict[str, Any], keys: list[Key], kept: list[Checkpoint]
) -> None:
    forked = Checkpoint(kept[1].origin, 5, bytes(32), AT, kept[1].text, kept[1].signatures)
    with pytest.raises(Refused, match="does not go on from your checkpoint of 5"):
        check_receipt(a_receipt, keys, [forked])
    with pytest.raises(Refused, match="of 5 entries and differ"):
        check_receipt(a_receipt, keys, [forked, kept[1]])


def test_a_checkpoint_holds_and_no_change_of_it(
    ledger: Ledger, keys: list[Key], kept: list[Checkpoint]
) -> None:
    document = checkpoint_document(ledger, since=3)
    assert len(check_checkpoint(document, keys, kept)) == 2
    for place, other in (
        (("size",), 6), (("at",), "x"), (("root",), "x"), (("consistency", "from"), 5),
    ):  # fmt: skip
        with pytest.raises(Refused):
            check_checkpoint(changed(document, place, other), keys, kept)


def test_a_key_that_was_copied_badly_is_none(keys: list[Key]) -> None:
    text = str(keys[0])
    assert key_of(text + "\n") == keys[0]
    for at in range(len(text)):
        with pytest.raises(Refused):
            key_of(text[:at] + "A" + text[at + 1 :] if text[at] != "A" else text[:at])


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Entries of two clients."""
    ledger = open_ledger(tmp_path_factory.mktemp("mixed"))
    for number in range(1, 7):
        append(ledger, number, client="bank" if number % 2 else "other")
        if number == 4:
            advance(ledger, at=AT)
    yield ledger
    ledger._engine.dispose()


def keys_of(ledger: Ledger) -> list[Key]:
    with ledger.reading() as reading:
        return reading.vault.signatures().keys


@pytest.mark.parametrize("client", [None, "bank"])
@pytest.mark.parametrize("payloads", [False, True])
def test_an_export_holds(mixed: Ledger, client: str | None, payloads: bool) -> None:
    lines = list(exporting.exported(mixed, at=AT, client=client, payloads=payloads))
    [said] = check_export(lines, keys_of(mixed))
    n = 3 if client else 6
    assert said.startswith(f"{n} entries in full and {6 - n} as hashes alone are those that")
    assert said.endswith("2 checkpoints hold.")


def test_an_export_for_one_client_tells_nothing_of_another(mixed: Ledger) -> None:
    told = "".join(exporting.exported(mixed, at=AT, client="bank", payloads=True))
    assert "A-3" in told
    assert "other" not in told
    assert "A-2" not in told


def test_an_export_is_held_against_kept_checkpoints(mixed: Ledger) -> None:
    lines = list(exporting.exported(mixed, at=AT))
    with mixed.reading() as reading:
        good = reading.checkpoint(4)
    assert good is not None
    assert check_export(lines, keys_of(mixed), [good])[1] == "1 checkpoints that you kept hold."
    for size, root in ((4, bytes(32)), (7, good.root)):
        bad = Checkpoint(good.origin, size, root, AT, good.text, good.signatures)
        with pytest.raises(Refused):
            check_export(lines, keys_of(mixed), [bad])


@pytest.mark.parametrize("client", [None, "bank"])
def test_no_change_of_an_export_is_believed(mixed: Ledger, client: str | None) -> None:
    """Lines left out, twice, swapped or cut, and each value of each line."""
    lines = list(exporting.exported(mixed, at=AT, client=client, payloads=True))
    keys = keys_of(mixed)
    assert check_export(lines, keys)
    spoilt: list[list[str]] = []
    for at in range(len(lines)):
        rest = lines[at + 1 :]
        spoilt += [lines[: at + 1] + lines[at:], lines[:at]]
        if "checkpoint" not in lines[at] or not rest:  # the last one vouches for all before it
            spoilt.append(lines[:at] + rest)
        if rest:
            spoilt.append([*lines[:at], rest[0], lines[at], *rest[1:]])
        row = json.loads(lines[at])
        for place in places(row):
            value = row
            for name in place:
                value = value[name]
            if place == ("client",):
                continue  # whose export it is only says who is left out
            other = value + 1 if isinstance(value, int) else f"{value}0"
            text = json.dumps(changed(row, place, other), ensure_ascii=False)
            spoilt.append([*lines[:at], text, *rest])
    for one in spoilt:
        with pytest.raises(Refused):
            check_export(one, keys)


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """verify.py by itself, without anything of loansvc in reach."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", *map(str, arguments)], capture_output=True, text=True,
        check=False, env={},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_the_file_works_alone(
    tmp_path: Path, ledger: Ledger, keys: list[Key], kept: list[Checkpoint],
    a_receipt: dict[str, Any],
) -> None:  # fmt: skip
    program = tmp_path / "verify.py"
    program.write_text(Path(verifier.__file__).read_text("utf-8"), "utf-8")
    files = {
        "receipt.json": json.dumps(a_receipt, indent=1),
        "checkpoint.json": json.dumps(checkpoint_document(ledger, since=5)),
        "export.jsonl": "".join(exporting.exported(ledger, at=AT)),
        "kept.txt": "\n".join(one.note for one in kept),
        "note.txt": checkpoint_document(ledger)["checkpoint"],
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    key = ("--key", str(keys[0]))
    for name in ("receipt.json", "checkpoint.json", "export.jsonl"):
        status, out, err = run(
            program, tmp_path / name, *key, "--checkpoint", tmp_path / "kept.txt"
        )
        assert (status, err) == (0, ""), name
        assert out.count("\n") == 2
    assert run(program, tmp_path / "note.txt", *key)[0] == 0
    spoilt = files["receipt.json"].replace('"approve"', '"decline"')
    (tmp_path / "spoilt.json").write_text(spoilt, "utf-8")
    status, out, err = run(program, tmp_path / "spoilt.json", *key)
    assert (status, out) == (1, "")
    assert err == "Does not hold: Entry 4 was changed: its hash does not fit it.\n"
    assert run(program, tmp_path / "absent.json", *key)[0] == 1
    assert run(program, tmp_path / "receipt.json")[0] == 2
