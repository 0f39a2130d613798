"""The tree: roots and proofs of RFC 6962, the same from tiles, leaf by leaf, and by definition."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loansvc.ledger.merkle import Growing, Tree
from loansvc.ledger.verifier import (
    Frontier,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
)

# The test vectors of certificate-transparency: data of the leaves, root after each of them.
LEAVES = [
    leaf_hash(bytes.fromhex(data))
    for data in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
# (index, size): path; (first, size): path
INCLUSION = {
    (0, 1): [], (0, 8): [A, B, C], (5, 8): [D, E, ROOTS[4]], (2, 3): [ROOTS[2]],
    (1, 5): [ROOTS[1], B, D],
}  # fmt: skip
CONSISTENCY = {
    (1, 1): [], (1, 8): [A, B, C], (6, 8): [F, E, ROOTS[4]], (2, 5): [B, D],
}  # fmt: skip


def by_definition(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(by_definition(leaves[:k]), by_definition(leaves[k:]))


def grown(leaves: Sequence[bytes]) -> tuple[Growing, dict[tuple[int, int], bytes]]:
    """The tree over these leaves, and all its tiles."""
    tiles: dict[tuple[int, int], bytes] = {}

    def keep(level: int, position: int, hashes: bytes) -> None:
        tiles[level, position] = hashes

    tree = Growing(keep)
    for leaf in leaves:
        tree.add(leaf)
    for level, position, hashes in tree.edges():
        tiles[level, position] = hashes
    return tree, tiles


def tree_of(leaves: Sequence[bytes], size: int | None = None) -> Tree:
    _, tiles = grown(leaves)
    return Tree(len(leaves) if size is None else size, lambda level, p: tiles[level, p])


def many(n: int) -> list[bytes]:
    return [leaf_hash(str(k).encode()) for k in range(n)]


@pytest.mark.parametrize("n", range(9))
def test_roots_are_those_of_certificate_transparency(n: int) -> None:
    frontier = Frontier()
    for leaf in LEAVES[:n]:
        frontier.add(leaf)
    tree, _ = grown(LEAVES[:n])
    assert {frontier.root().hex(), tree.root().hex(), tree_of(LEAVES[:n]).root().hex()} == {
        ROOTS[n]
    }


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_paths_are_those_of_certificate_transparency(index: int, size: int) -> None:
    path = tree_of(LEAVES[:size]).inclusion(index)
    assert [node.hex() for node in path] == INCLUSION[index, size]


@pytest.mark.parametrize(("first", "size"), CONSISTENCY)
def test_consistency_proofs_are_those_of_certificate_transparency(first: int, size: int) -> None:
    path = tree_of(LEAVES[:size]).consistency(first)
    assert [node.hex() for node in path] == CONSISTENCY[first, size]


# 256 and 65,536 leaves fill a tile and a tile of tiles.
SIZES = st.one_of(st.integers(0, 70), st.integers(250, 262), st.integers(500, 1100))


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_every_proof_is_believed_and_no_other(size: int, data: st.DataObject) -> None:
    """From tiles of a larger tree too; a missing, changed or further node is refused."""
    leaves = many(size)
    here = tree_of([*leaves, *many(data.draw(st.integers(0, 300)))], size)
    root = by_definition(leaves)
    assert here.root() == root
    if size == 0:
        return
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    inclusion, consistency = here.inclusion(index), here.consistency(first)

    def included(path: list[bytes]) -> bool:
        return is_included(leaves[index], path, index=index, size=size, root=root)

    def consistent(path: list[bytes]) -> bool:
        earlier = by_definition(leaves[:first])
        return is_consistent(path, first=first, second=size, first_root=earlier, second_root=root)

    for path, holds in ((inclusion, included), (consistency, consistent)):
        assert holds(path)
        assert not holds([*path, leaves[0]])
        assert not holds([leaves[0], *path])
        for at in range(len(path)):
            assert not holds(path[:at] + path[at + 1 :])
            changed = bytes([path[at][0] ^ 1]) + path[at][1:]
            assert not holds([*path[:at], changed, *path[at + 1 :]])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (4, 3), (0, 0)])
def test_a_leaf_outside_the_tree_is_not_in_it(index: int, size: int) -> None:
    assert not is_included(LEAVES[0], [], index=index, size=size, root=LEAVES[0])


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 3)])
def test_no_tree_goes_on_from_a_larger_one_or_from_nothing(first: int, second: int) -> None:
    root = by_definition(LEAVES[:3])
    assert not is_consistent([], first=first, second=second, first_root=root, second_root=root)


def test_a_leaf_is_proved_at_its_own_index_alone() -> None:
    size, tree = 8, tree_of(LEAVES)
    for index in range(size):
        path = tree.inclusion(index)
        believed = [
            at for at in range(size)
            if is_included(LEAVES[index], path, index=at, size=size, root=tree.root())
        ]  # fmt: skip
        assert believed == [index]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000])
def test_a_tree_goes_on_growing_from_its_tiles(size: int) -> None:
    """At the edges of tiles, and of tiles of tiles."""
    leaves = many(66_100)
    _, tiles = grown(leaves[:size])
    tree = Growing(
        lambda level, p, hashes: tiles.__setitem__((level, p), hashes), size=size,
        tile=lambda level, p: tiles[level, p],
    )  # fmt: skip
    for leaf in leaves[size:]:
        tree.add(leaf)
    tiles |= {(level, p): hashes for level, p, hashes in tree.edges()}
    frontier = Frontier()
    for leaf in leaves:
        frontier.add(leaf)
    assert tree.root() == frontier.root()
    assert tiles == grown(leaves)[1]
    here = Tree(len(leaves), lambda level, p: tiles[level, p])
    assert here.root() == frontier.root()
    for index in (0, 255, 256, 65_535, 65_536, 66_099):
        path = here.inclusion(index)
        assert is_included(leaves[index], path, index=index, size=len(leaves), root=frontier.root())
