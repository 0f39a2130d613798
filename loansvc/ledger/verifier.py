"""verify.py: checks what a loansvc ledger gave you, without loansvc and without a network.

    python verify.py FILE --key KEY [--key KEY] [--checkpoint KEPT]

FILE is a receipt or a checkpoint as the service answers it, a checkpoint alone (text), or an export
(JSON lines). KEY is the public key of the installation, as you were given it when you joined; not
as it comes with what is to be checked. KEPT holds checkpoints that you kept from earlier: what was
signed then must still be so.

Exit status 0: everything holds. 1: something does not, and a sentence says what. 2: wrong usage.

One file, of the standard library of Python 3.9 or newer alone. The service itself proves and checks
with these functions. Sources: RFC 6962 and 9162 (tree and proofs), RFC 8032 (Ed25519), C2SP
tlog-checkpoint and signed-note (the form of a checkpoint).
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GENESIS = "sha256:" + "0" * 64  # what the first entry names as its predecessor
FIELDS = (
    "sequence", "kind", "decided_at", "client", "application_id", "decision_id", "product",
    "outcome", "tier", "scorecard", "villages", "policy", "rates", "subject_ref",
    "payload_digest", "previous_hash", "hash",
)  # fmt: skip
RECEIPT = {"entry", "leaf_index", "tree_size", "inclusion_path", "checkpoint", "consistency"}
CHECKPOINT = {"size", "root", "at", "checkpoint", "keys", "consistency"}
ED25519 = b"\x01"  # of C2SP signed-note; any other algorithm is 0xff and its name


class Refused(Exception):
    """Something does not hold; the text says what."""


# --- the tree -------------------------------------------------------------------------------------

_ENCODER = json.JSONEncoder(
    # `default`: a database may hold bytes where text was written; that is a change, not an error.
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=repr, check_circular=False,
)  # fmt: skip


def canonical(fields: Mapping[str, Any]) -> bytes:
    """The bytes of an entry that are hashed: all fields but the hash itself, as JSON.

    Sorted keys, no spaces, UTF-8: the same bytes from any language.
    """
    content = dict(fields)
    content.pop("hash", None)
    return _ENCODER.encode(content).encode("utf-8", "surrogateescape")


def leaf_hash(data: bytes) -> bytes:
    """The leaf of an entry's canonical bytes; 0x00 in front, so that no leaf passes for a node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The tree over leaves that come one by one; keeps a hash for each bit of its size."""

    def __init__(self) -> None:
        self.size = 0
        self._full: list[bytes] = []  # roots of the full subtrees, the largest first

    def add(self, leaf: bytes) -> None:
        """One more leaf."""
        size = self.size
        while size & 1:
            leaf = node_hash(self._full.pop(), leaf)
            size >>= 1
        self._full.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root over the leaves so far."""
        if not self._full:
            return hashlib.sha256(b"").digest()
        root = self._full[-1]
        for left in reversed(self._full[:-1]):
            root = node_hash(left, root)
        return root


def is_included(leaf: bytes, path: Sequence[bytes], *, index: int, size: int, root: bytes) -> bool:
    """Whether that leaf is the one of `index` in the tree of that size and root.

    Every node of the path is used, and none is missing. Source: RFC 9162, 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    at, last, here = index, size - 1, leaf
    for node in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            here = node_hash(node, here)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            here = node_hash(here, node)
        at, last = at >> 1, last >> 1
    return last == 0 and here == root


def is_consistent(
    path: Sequence[bytes], *, first: int, second: int, first_root: bytes, second_root: bytes
) -> bool:
    """Whether the second tree holds the first one unchanged, and only more after it.

    Every node of the path is used, and none is missing. Source: RFC 9162, 2.1.4.2.
    """
    if not 0 < first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    nodes = [first_root, *path] if first & (first - 1) == 0 else list(path)
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not nodes:
        return False
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, node)
        at, last = at >> 1, last >> 1
    return last == 0 and (old, new) == (first_root, second_root)


# --- Ed25519 (RFC 8032, 5.1) ----------------------------------------------------------------------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_I = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]  # X, Y, Z, T with x = X/Z, y = Y/Z, x*y = T/Z


def _add(p: _Point, q: _Point) -> _Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(n: int, p: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = _add(result, p)
        p, n = _add(p, p), n >> 1
    return result


def _point(data: bytes) -> _Point | None:
    """The point of its 32 bytes; None where they are no point, or another way to write one."""
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _I % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE = _point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def ed25519_holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the holder of that key signed that message."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, r = _point(public_key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or r is None or _BASE is None or s >= _L:
        return False
    mixed = hashlib.sha512(signature[:32] + public_key + message).digest()
    k = int.from_bytes(mixed, "little") % _L
    left, right = _times(s, _BASE), _add(r, _times(k, key))
    return (
        (left[0] * right[2] - right[0] * left[2]) % _P == 0
        and (left[1] * right[2] - right[1] * left[2]) % _P == 0
    )  # fmt: skip


# --- checkpoints ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """A public key with its name and algorithm; written NAME+HASH+BASE64."""

    name: str
    kind: bytes  # what stands before the key: ED25519, or 0xff and the name of another algorithm
    public: bytes

    @property
    def hash(self) -> bytes:
        """The four bytes by which a signature names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.kind + self.public).digest()[:4]

    def __str__(self) -> str:
        encoded = base64.b64encode(self.kind + self.public).decode()
        return f"{self.name}+{self.hash.hex()}+{encoded}"


def key_of(text: str) -> Key:
    """The key that is written there.

    Raises:
        Refused: it is none, or of an algorithm that this file cannot check.
    """
    name, plus, rest = text.strip().partition("+")
    hash_, plus, encoded = rest.partition("+")
    data = _bytes(encoded, "the key") if plus else b""
    key = Key(name, data[:1], data[1:])
    if not name or len(hash_) != 8 or key.hash.hex() != hash_:
        raise Refused(
            "The key is not complete. It is of the form NAME+HASH+BASE64: copy all of it."
        )
    if key.kind != ED25519 or len(key.public) != 32:
        raise Refused("The key is of an algorithm that this file cannot check; it knows Ed25519.")
    return key


@dataclass(frozen=True)
class Checkpoint:
    """A signed root: the first `size` entries of the ledger `origin` had it at that moment."""

    origin: str
    size: int
    root: bytes
    at: str
    text: str  # what is signed
    signatures: tuple[tuple[str, bytes], ...]  # name of the key; its hash and the signature

    @property
    def note(self) -> str:
        """Text and signatures as they are written."""
        lines = (f"— {name} {base64.b64encode(data).decode()}\n" for name, data in self.signatures)
        return f"{self.text}\n{''.join(lines)}"


_TEXT = re.compile(
    r"([^\s+]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/=]+)\nat ([0-9T:.+-]+)\n", re.ASCII
)
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)\n", re.ASCII)


def checkpoint_of(note: str) -> Checkpoint:
    """The checkpoint that is written there; its signatures are not checked yet.

    Raises:
        Refused: it is none.
    """
    text, blank, rest = note.partition("\n\n")
    head = _TEXT.fullmatch(text + "\n")
    lines = [_SIGNATURE.fullmatch(line) for line in rest.splitlines(keepends=True)]
    if head is None or not blank or not lines:
        raise Refused("What should be a checkpoint is not of its form.")
    signatures = []
    for line in lines:
        if line is None:
            raise Refused("A signature of a checkpoint is not of its form.")
        signatures.append((line[1], _bytes(line[2], "a signature")))
    root = _bytes(head[3], "the root of a checkpoint")
    if len(root) != 32:
        raise Refused("The root of a checkpoint is not of its form.")
    return Checkpoint(head[1], int(head[2]), root, head[4], text + "\n", tuple(signatures))


def checkpoints_of(text: str) -> list[Checkpoint]:
    """The checkpoints of a file, with a blank line between one and the next.

    Raises:
        Refused: one of them is none.
    """
    return [checkpoint_of(note) for note in re.split(r"(?<=\n)\n+(?!— )", text) if note.strip()]


def _ed25519(key: Key, message: bytes, signature: bytes) -> bool:
    return ed25519_holds(key.public, message, signature)


def signed(
    note: str, keys: Iterable[Key], holds: Callable[[Key, bytes, bytes], bool] = _ed25519
) -> Checkpoint:
    """The checkpoint that is written there, signed by one of the keys.

    Raises:
        Refused: it is not.
    """
    checkpoint = checkpoint_of(note)
    for key in keys:
        for name, data in checkpoint.signatures:
            if (name, data[:4]) == (key.name, key.hash) and key.name == checkpoint.origin:
                if holds(key, checkpoint.text.encode(), data[4:]):
                    return checkpoint
                raise Refused(f"The signature of the checkpoint of {checkpoint.size} is wrong.")
    raise Refused(f"The checkpoint of {checkpoint.size} is not signed by the key that you gave.")


# --- what is to be checked ------------------------------------------------------------------------


def check_entry(fields: Any) -> bytes:
    """The leaf of an entry whose hash fits it.

    Raises:
        Refused: it does not, or this is no entry.
    """
    _closed(fields, set(FIELDS), "the entry")
    for name, value in fields.items():
        if type(value) is not (int if name == "sequence" else str):
            raise Refused(f"The field {name} of the entry is not of its form.")
    data = canonical(fields)
    if fields["hash"] != digest_like(fields["hash"], data):
        raise Refused(f"Entry {fields['sequence']} was changed: its hash does not fit it.")
    return leaf_hash(data)


def digest_like(digest: str, data: bytes) -> str:
    """The digest of the data, by the algorithm that stands before the colon of another one.

    Raises:
        Refused: this Python does not know the algorithm.
    """
    name = digest.partition(":")[0]
    if name not in ("sha256", "sm3"):
        raise Refused("A digest is of no known algorithm.")
    try:
        return f"{name}:{hashlib.new(name, data).hexdigest()}"
    except ValueError:
        raise Refused(f"This Python cannot work out {name}. Use one with OpenSSL 3.") from None


def check_receipt(receipt: Any, keys: Sequence[Key], kept: Sequence[Checkpoint] = ()) -> list[str]:
    """What holds, sentence by sentence.

    Raises:
        Refused: something does not.
    """
    _closed(receipt, RECEIPT, "the receipt")
    checkpoint = signed(_text(receipt["checkpoint"], "checkpoint"), keys)
    leaf, entry = check_entry(receipt["entry"]), receipt["entry"]
    index, size = (
        _whole(receipt["leaf_index"], "leaf_index"),
        _whole(receipt["tree_size"], "tree_size"),
    )
    if index != entry["sequence"] - 1:
        raise Refused("The leaf index is not the one of the entry.")
    if size != checkpoint.size:
        raise Refused("The tree size is not the one of the checkpoint.")
    path = _path(receipt["inclusion_path"], "inclusion_path")
    if not is_included(leaf, path, index=index, size=size, root=checkpoint.root):
        raise Refused(f"Entry {index + 1} is not in the tree of the checkpoint of {size} entries.")
    return [
        f"Entry {index + 1} ({entry['kind']} on {entry['application_id'] or 'the ledger'}) is one "
        f"of the {size} entries signed by {checkpoint.origin} at {checkpoint.at}.",
        *check_consistency(receipt["consistency"], checkpoint, kept),
    ]


def check_consistency(
    proof: Any, checkpoint: Checkpoint, kept: Sequence[Checkpoint]
) -> Iterator[str]:
    """How the checkpoint goes on from those that were kept.

    Raises:
        Refused: it does not, or nobody can tell.
    """
    by_size, n_held = _by_size(kept), 0
    if proof is not None:
        _closed(proof, {"from", "path"}, "consistency")
        first = _whole(proof["from"], "from")
        path = _path(proof["path"], "path")
        if kept and first not in by_size:
            raise Refused(f"None of the checkpoints that you kept is of {first} entries.")
        if not kept:
            yield f"Not checked: that it goes on from {first} entries. Give --checkpoint KEPT."
        elif not is_consistent(
            path, first=first, second=checkpoint.size,
            first_root=by_size[first].root, second_root=checkpoint.root,
        ):  # fmt: skip
            raise Refused(f"The ledger does not go on from your checkpoint of {first} entries.")
        else:
            n_held += 1
            yield f"It goes on from your checkpoint of {first} entries, and changes none of them."
    same = by_size.get(checkpoint.size)
    if same is not None:
        if same.root != checkpoint.root:
            raise Refused(f"Your checkpoint of {same.size} entries has another root.")
        n_held += 1
        yield f"It is your checkpoint of {same.size} entries."
    if kept and not n_held:
        newest = max(by_size)
        raise Refused(f"To compare it with your checkpoint, ask for it again with ?from={newest}.")


def _by_size(kept: Iterable[Checkpoint]) -> dict[int, Checkpoint]:
    by_size: dict[int, Checkpoint] = {}
    for one in kept:
        if by_size.setdefault(one.size, one).root != one.root:
            raise Refused(f"Two of your checkpoints are of {one.size} entries and differ.")
    return by_size


def check_checkpoint(
    document: Any, keys: Sequence[Key], kept: Sequence[Checkpoint] = ()
) -> list[str]:
    """What holds of a checkpoint as the service answers it. The keys in it are not believed.

    Raises:
        Refused: something does not.
    """
    _closed(document, CHECKPOINT, "the checkpoint")
    checkpoint = signed(_text(document["checkpoint"], "checkpoint"), keys)
    said = (document["size"], document["root"], document["at"])
    if said != (checkpoint.size, base64.b64encode(checkpoint.root).decode(), checkpoint.at):
        raise Refused("What stands beside the checkpoint is not what was signed.")
    return [
        f"{checkpoint.size} entries were signed by {checkpoint.origin} at {checkpoint.at}.",
        *check_consistency(document["consistency"], checkpoint, kept),
    ]


def check_export(
    lines: Iterable[str], keys: Sequence[Key], kept: Sequence[Checkpoint] = ()
) -> list[str]:
    """What holds of an export, read line by line.

    Raises:
        Refused: something does not; names the first entry concerned.
    """
    rows = iter(lines)
    head = _json(next(rows, ""))
    _closed(head, {"export", "size", "client"}, "the first line")
    if _whole(head["export"], "export") != 1:
        raise Refused("The export is of a form that this file does not know. Get a newer one.")
    size, by_size = _whole(head["size"], "size"), _by_size(kept)
    tree, previous, n_entries, n_signed = Frontier(), GENESIS, 0, 0
    newest: Checkpoint | None = None
    for line in rows:
        row = _json(line)
        if isinstance(row, dict) and set(row) == {"checkpoint"}:
            before, newest = newest, signed(_text(row["checkpoint"], "checkpoint"), keys)
            n_signed += 1
            if before is not None and before.size == newest.size:
                raise Refused(f"The checkpoint of {newest.size} entries stands twice.")
            if (newest.size, newest.root) != (tree.size, tree.root()):
                raise Refused(f"The entries up to {tree.size} are not those that were signed.")
            continue
        leaf, previous = _row(row, tree.size + 1, previous, head["client"])
        tree.add(leaf)
        n_entries += isinstance(row, dict) and "entry" in row
        if tree.size in by_size and by_size[tree.size].root != tree.root():
            raise Refused(f"The entries up to {tree.size} are not those of your checkpoint.")
    if newest is None or newest.size != size:
        raise Refused(f"The export ends after {tree.size} of {size} entries: something is missing.")
    if by_size and max(by_size) > size:
        raise Refused(f"You kept a checkpoint of {max(by_size)} entries; this has only {size}.")
    return [
        f"{n_entries} entries in full and {size - n_entries} as hashes alone are those that "
        f"{newest.origin} signed at {newest.at}; {n_signed} checkpoints hold.",
        *([f"{len(by_size)} checkpoints that you kept hold."] if by_size else []),
    ]


def _row(row: Any, sequence: int, previous: str, client: Any) -> tuple[bytes, str]:
    """The leaf of a row of an export, and the hash that the next entry must name ("" any)."""
    if isinstance(row, dict) and set(row) == {"sequence", "leaf"} and client is not None:
        [leaf] = _path([row["leaf"]], "leaf")
        if row["sequence"] != sequence:
            raise Refused(f"Entry {sequence} is missing.")
        return leaf, ""
    with_payload = isinstance(row, dict) and "sealed" in row
    _closed(
        row, {"entry", "sealed"} if with_payload else {"entry"}, f"the line of entry {sequence}"
    )
    leaf, entry = check_entry(row["entry"]), row["entry"]
    if entry["sequence"] != sequence:
        raise Refused(f"Entry {sequence} is missing.")
    if previous not in ("", entry["previous_hash"]):
        raise Refused(f"Entry {sequence} does not follow the entry before it.")
    if with_payload:
        sealed = _bytes(_text(row["sealed"], "sealed"), "a payload")
        if entry["payload_digest"] != digest_like(entry["payload_digest"], sealed):
            raise Refused(f"The payload of entry {sequence} was changed.")
    return leaf, entry["hash"]


# --- reading strictly -----------------------------------------------------------------------------


def _json(text: str) -> Any:
    def closed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise Refused("A name stands twice in the JSON.")
        return dict(pairs)

    try:
        document = json.loads(text, object_pairs_hook=closed)
        if "\\u" in text:  # half of a surrogate pair could be read, and then not be hashed
            json.dumps(document, ensure_ascii=False).encode("utf-8")
        return document
    except (ValueError, RecursionError):
        raise Refused("This is not JSON, or it was cut.") from None


def _closed(document: Any, names: set[str], what: str) -> None:
    if not isinstance(document, dict) or set(document) != names:
        raise Refused(f"{what[0].upper()}{what[1:]} does not have the fields that it must have.")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise Refused(f"The field {name} is not of its form.")
    return value


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or value < 0:
        raise Refused(f"The field {name} is not of its form.")
    return value


def _path(value: Any, name: str) -> list[bytes]:
    if not isinstance(value, list):
        raise Refused(f"The field {name} is not of its form.")
    path = [_bytes(_text(node, name), name) for node in value]
    if any(len(node) != 32 for node in path):
        raise Refused(f"The field {name} is not of its form.")
    return path


def _bytes(text: str, what: str) -> bytes:
    """The bytes of base64 that is written as it must be: there is one way only."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        data = b""
    if base64.b64encode(data).decode() != text:
        raise Refused(f"What should be {what} is not base64 as it must be.")
    return data


# --- the command ----------------------------------------------------------------------------------


def check(lines: Iterable[str], keys: Sequence[Key], kept: Sequence[Checkpoint]) -> list[str]:
    """What holds of a receipt, checkpoint or export, whichever this is; an export is streamed.

    Raises:
        Refused: something does not hold.
    """
    rows = iter(lines)
    first = next(rows, "")
    if first.startswith('{"export"'):
        return check_export(itertools.chain([first], rows), keys, kept)
    text = first + "".join(rows)
    if not text.lstrip().startswith("{"):
        checkpoint = signed(text, keys)
        holds = f"{checkpoint.size} entries were signed by {checkpoint.origin} at {checkpoint.at}."
        return [holds, *check_consistency(None, checkpoint, kept)]
    document = _json(text)
    if isinstance(document, dict) and "entry" in document:
        return check_receipt(document, keys, kept)
    return check_checkpoint(document, keys, kept)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit status."""
    summary = "Check a receipt, a checkpoint or an export of a loansvc ledger, offline."
    parser = argparse.ArgumentParser(prog="verify.py", description=summary)
    parser.add_argument("file", help="receipt or checkpoint (JSON), or export (JSON lines)")
    parser.add_argument(
        "--key", action="append", required=True, help="public key: NAME+HASH+BASE64"
    )
    parser.add_argument(
        "--checkpoint", action="append", default=[], help="file of kept checkpoints"
    )
    given = parser.parse_args(arguments)
    try:
        keys = [key_of(text) for text in given.key]
        kept = [
            signed(one.note, keys)
            for path in given.checkpoint
            for one in checkpoints_of(Path(path).read_text("utf-8"))
        ]
        with Path(given.file).open(encoding="utf-8", newline="\n") as file:
            sentences = check(file, keys, kept)
    except Refused as refused:
        print(f"Does not hold: {refused}", file=sys.stderr)
        return 1
    except (OSError, UnicodeDecodeError) as error:
        print(f"Cannot be read: {error}", file=sys.stderr)
        return 1
    print("\n".join(sentences))
    return 0


if __name__ == "__main__":
    sys.exit(main())
