"""The Merkle tree of RFC 9162, over an append-only list of leaves: roots and proofs.

A tree of n leaves is stored as its complete subtrees alone: the node (level, number) covers the
leaves from ``number << level`` on, ``1 << level`` of them. Appending a leaf completes one node for
each level on average every other time, so a thousand leaves cost two thousand nodes, however large
the tree is; and any root or proof of the past needs a few dozen nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

__all__ = [
    "EMPTY_ROOT",
    "Node",
    "Read",
    "appended",
    "consistency_proof",
    "inclusion_proof",
    "leaf_hash",
    "peaks_of",
    "root_of",
    "verify_consistency",
]

Node: TypeAlias = tuple[int, int]
"""Level and number of a complete subtree."""
Read: TypeAlias = Callable[[int, int], bytes]
"""Returns the hash of a node."""

EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\0" + leaf).digest()


def _joined(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def peaks_of(size: int) -> Iterator[Node]:
    """Yield the complete subtrees that a tree of this size consists of, the largest first."""
    start = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            yield level, start >> level
            start += 1 << level


def root_of(read: Read, size: int) -> bytes:
    """Return the root of the first leaves."""
    return _range(read, 0, size) if size else EMPTY_ROOT


def appended(
    peaks: Sequence[bytes], size: int, leaves: Sequence[bytes]
) -> Iterator[tuple[Node, bytes]]:
    """Yield each node that is completed by leaf hashes behind a tree of this size, in order.

    ``peaks`` are the hashes of :func:`peaks_of`.
    """
    stack = list(peaks)
    for number, leaf in enumerate(leaves, size):
        level, made = 0, leaf
        yield (0, number), made
        while number >> level & 1:
            made = _joined(stack.pop(), made)
            level += 1
            yield (level, number >> level), made
        stack.append(made)


def inclusion_proof(read: Read, number: int, size: int) -> list[bytes]:
    """Return the proof that the root of the first leaves covers one of them (section 2.1.3.1)."""
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if number < middle:
            path.append(_range(read, middle, end))
            end = middle
        else:
            path.append(_range(read, start, middle))
            start = middle
    return path[::-1]


def consistency_proof(read: Read, first: int, second: int) -> list[bytes]:
    """Return the proof that a tree begins with a smaller one (section 2.1.4.1)."""
    path: list[bytes] = []
    start, end, whole = 0, second, True
    if first in {0, second}:
        return path
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(_range(read, middle, end))
            end = middle
        else:
            path.append(_range(read, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(_range(read, start, end))
    return path[::-1]


def verify_consistency(
    first: int, second: int, roots: tuple[bytes, bytes], proof: Sequence[bytes]
) -> bool:
    """Return whether a proof shows that the second tree begins with the first (section 2.1.4.2)."""
    if first in {0, second}:
        return not proof and (first == 0 or roots[0] == roots[1])
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, roots[0])
    if not path:
        return False
    low, high = first - 1, second - 1
    while low & 1:
        low, high = low >> 1, high >> 1
    left = right = path[0]
    for node in path[1:]:
        if high == 0:
            return False
        if low & 1 or low == high:
            left, right = _joined(node, left), _joined(node, right)
            while low and not low & 1:
                low, high = low >> 1, high >> 1
        else:
            right = _joined(right, node)
        low, high = low >> 1, high >> 1
    return high == 0 and (left, right) == roots


def _range(read: Read, start: int, end: int) -> bytes:
    """Return the root over leaves from a start, where a complete subtree begins, to an end."""
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return read(level, start >> level)
    middle = start + _split(size)
    return _joined(_range(read, start, middle), _range(read, middle, end))


def _split(size: int) -> int:
    """Return the largest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1
