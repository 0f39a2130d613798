"""Merkle: the tree over all entries, its root and its proofs, from tiles of 256 hashes.

A leaf is the hash of an entry's canonical bytes; shapes and proofs are those of RFC 6962, always of
SHA-256, whatever the digests of the entries are. The tree is cut into tiles of eight levels: tile
(0, p) holds the leaves from 256 p on, tile (l, p) the roots of the full tiles of level l - 1 from
256 p on. The last tile of each level grows. A proof reads about two tiles of each level.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from loansvc.ledger.verifier import node_hash

HASH = 32  # bytes
LEVELS = 8  # of the tree in one tile
WIDTH = 1 << LEVELS  # hashes in a full tile
TileOf = Callable[[int, int], bytes]  # level and position; raises where there is none


class Tree:
    """The tree over the first `size` leaves, read from tiles that hold at least those."""

    def __init__(self, size: int, tile: TileOf) -> None:
        self.size = size
        self._tile = tile

    def root(self) -> bytes:
        """The root."""
        return self._span(0, self.size) if self.size else hashlib.sha256(b"").digest()

    def inclusion(self, index: int) -> list[bytes]:
        """The proof that the leaf of that index is in the tree, from the leaf upwards.

        Source: RFC 6962, 2.1.1.
        """
        assert 0 <= index < self.size
        path, start, end = [], 0, self.size
        while end - start > 1:
            middle = start + _left(end - start)
            if index < middle:
                path.append(self._span(middle, end))
                end = middle
            else:
                path.append(self._span(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, first: int) -> list[bytes]:
        """The proof that the tree of the first leaves is the beginning of this one.

        Source: RFC 6962, 2.1.2.
        """
        assert 0 < first <= self.size
        path, start, end = [], 0, self.size
        whole = True  # whether the reader knows the root of what is left: it is that of `first`
        while first != end:
            middle = start + _left(end - start)
            if first <= middle:
                path.append(self._span(middle, end))
                end = middle
            else:
                path.append(self._span(start, middle))
                start, whole = middle, False
        return [*([] if whole else [self._span(start, end)]), *path[::-1]]

    def _span(self, start: int, end: int) -> bytes:
        """The root over the leaves from start up to end, as the tree is cut."""
        n = end - start
        if n & (n - 1) == 0:
            return self._full(n.bit_length() - 1, start // n)
        middle = start + _left(n)
        return node_hash(self._span(start, middle), self._span(middle, end))

    def _full(self, level: int, index: int) -> bytes:
        """The root of the full subtree of 2**level leaves at that place."""
        row, within = divmod(level, LEVELS)
        first = index << within  # hash of that row of tiles
        position, at = divmod(first, WIDTH)
        hashes = self._tile(row, position)[at * HASH : (at + (1 << within)) * HASH]
        return root_of(hashes)


class Growing:
    """A tree to which leaves are added; keeps the last tile of each level.

    `on_full` is told of each tile that is complete: level, position, hashes.
    """

    def __init__(
        self, on_full: Callable[[int, int, bytes], None], *, size: int = 0,
        tile: TileOf | None = None,
    ) -> None:  # fmt: skip
        self.size = size
        self._on_full = on_full
        self._edges: list[bytearray] = []
        n = size
        while n and tile is not None:
            held = n % WIDTH
            row = tile(len(self._edges), n // WIDTH)[: held * HASH] if held else b""
            self._edges.append(bytearray(row))
            n //= WIDTH

    def add(self, leaf: bytes) -> None:
        """One more leaf."""
        self.size += 1
        here, level = leaf, 0
        while True:
            if level == len(self._edges):
                self._edges.append(bytearray())
            edge = self._edges[level]
            edge += here
            if len(edge) < WIDTH * HASH:
                return
            tile = bytes(edge)
            self._on_full(level, (self.size >> LEVELS * (level + 1)) - 1, tile)
            edge.clear()
            here, level = root_of(tile), level + 1

    def edges(self) -> Iterator[tuple[int, int, bytes]]:
        """The tiles that are not full yet: level, position, hashes."""
        for level, edge in enumerate(self._edges):
            if edge:
                yield level, self.size >> LEVELS * (level + 1), bytes(edge)

    def root(self) -> bytes:
        """The root over the leaves so far."""
        root: bytes | None = None
        for edge in self._edges:  # from the right, where the small subtrees are
            end, n = len(edge), len(edge) // HASH
            while n:
                width = (n & -n) * HASH
                full = root_of(bytes(edge[end - width : end]))
                root = full if root is None else node_hash(full, root)
                end, n = end - width, n & (n - 1)
        return root if root is not None else hashlib.sha256(b"").digest()


def root_of(hashes: bytes) -> bytes:
    """The root over hashes whose number is a power of two."""
    assert hashes
    while len(hashes) > HASH:
        pairs = range(0, len(hashes), 2 * HASH)
        hashes = b"".join(
            hashlib.sha256(b"\x01" + hashes[at : at + 2 * HASH]).digest() for at in pairs
        )
    return hashes


def _left(n: int) -> int:
    """How many of n leaves go to the left: the largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1
