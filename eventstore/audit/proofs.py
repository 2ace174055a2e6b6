"""The proofs of RFC 9162 as values."""

from __future__ import annotations

from eventstore.audit import merkle
from eventstore.audit.tree import node_of
from eventstore.core.events import StreamKey
from eventstore.core.values import Value
from eventstore.errors import ThreadNotFound
from eventstore.storage.stream_heads import place_of
from eventstore.storage.transaction import Transaction
from eventstore.storage.tree_log import leaf_of_stream

__all__ = ["ConsistencyProof", "InclusionProof", "inclusion_of"]


class InclusionProof(Value):
    """The proof that a tree covers the end of a stream; ``docs/format.md`` says what a leaf is."""

    stream_id: str
    """The stream."""
    version: int
    """Version of its last event that is covered."""
    hash: str
    """Hash of that event."""
    leaf: int
    """Number of the leaf, from 0."""
    size: int
    """Number of leaves of the tree."""
    path: tuple[str, ...]
    """The hashes from the leaf up to the root."""


class ConsistencyProof(Value):
    """The proof that a tree begins with a smaller one."""

    first: int
    """Number of leaves of the smaller tree."""
    second: int
    """Number of leaves of the larger one."""
    path: tuple[str, ...]
    """The hashes of the proof."""


def inclusion_of(tx: Transaction, stream: StreamKey, size: int) -> InclusionProof:
    """Return the proof for the newest leaf of a stream among the first ones.

    Raises:
        ThreadNotFound: it has none.
    """
    place = place_of(tx, stream)
    found = None if place is None else leaf_of_stream(tx, place, size)
    if found is None:
        raise ThreadNotFound(stream.text)
    path = merkle.inclusion_proof(node_of(tx), found.number, size)
    return InclusionProof(
        stream_id=stream.text,
        version=found.leaf.version,
        hash=found.leaf.hash.hex(),
        leaf=found.number,
        size=size,
        path=tuple(node.hex() for node in path),
    )
