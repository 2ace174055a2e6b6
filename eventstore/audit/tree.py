"""Issue tree heads: append the ends of the streams that changed, and sign the root.

The cost grows with what changed: the streams are found by the events since the place that the last
head reached, and appending a leaf completes about two nodes. On PostgreSQL that place stays behind
open transactions, whose events may still appear before it; a stream found twice is left out unless
it went on. Of two issuers that run at once one waits for the other, so heads never fork.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import islice
from typing import Final

from eventstore.audit import evidence_verifier as v
from eventstore.audit import merkle
from eventstore.audit.signing import Signer
from eventstore.audit.tree_heads import TreeHead
from eventstore.core.events import StreamKey
from eventstore.errors import BrokenChain
from eventstore.storage.interning import category_name, tenant_name
from eventstore.storage.log import Log
from eventstore.storage.recognising import id_of_store
from eventstore.storage.transaction import Transaction
from eventstore.storage.tree_log import (
    Leaf,
    StoredHead,
    add_head,
    add_leaves,
    add_nodes,
    changed_ends,
    last_safe_position,
    latest_head,
    lock_tree,
    node,
    tree_size,
)
from eventstore.storage.whole_store import START

__all__ = ["issue_head", "leaf_bytes", "node_of", "public_id", "tree_head"]

_AT_ONCE: Final = 1_000


def issue_head(tx: Transaction, log: Log, signer: Signer) -> TreeHead:
    """Append what changed since the last head, and sign and return the new one.

    If nothing changed, the last head is returned, unless another key signed it.

    Raises:
        BrokenChain: a stream does not end where its head says; nothing was signed.
        Refused: ``"distributed_schema"``.
    """
    lock_tree(tx)
    last = latest_head(tx)
    place = last_safe_position(tx, START if last is None else last.place)
    first = size = tree_size(tx)
    ends = changed_ends(tx, None if last is None else last.place)
    while some := [*islice(ends, _AT_ONCE)]:
        size = _append(tx, size, [_checked(tx, leaf, found) for leaf, found in some])
    if last is not None and size == first and last.key_id == signer.key_id:
        return tree_head(tx, last)
    root = merkle.root_of(node_of(tx), size)
    now = max(log.environment.clock(), 0 if last is None else last.issued_at_us)
    unsigned = TreeHead(
        store_id=public_id(tx),
        size=size,
        root=root.hex(),
        issued_at_us=now,
        key_id=signer.key_id,
        signature="",
    )
    signature = signer.sign(v.signed_bytes(unsigned.model_dump()))
    number = 0 if last is None else last.number + 1
    add_head(tx, StoredHead(number, size, root, now, signer.key_id, signature, place))
    tx.flush()
    return unsigned.model_copy(update={"signature": signature.hex()})


def tree_head(tx: Transaction, stored: StoredHead) -> TreeHead:
    """Return a stored head as it was issued."""
    return TreeHead(
        store_id=public_id(tx),
        size=stored.size,
        root=stored.root.hex(),
        issued_at_us=stored.issued_at_us,
        key_id=stored.key_id,
        signature=stored.signature.hex(),
    )


def public_id(tx: Transaction) -> str:
    """Return the name of the store in tree heads; the store's own id is a secret of cursors."""
    return sha256(b"eventstore/tree/1" + id_of_store(tx)).hexdigest()[:32]


def node_of(tx: Transaction) -> merkle.Read:
    """Return a function that reads nodes.

    It raises ``BrokenChain`` for one that is missing.
    """

    def read(level: int, number: int) -> bytes:
        found = node(tx, level, number)
        if found is None:
            raise BrokenChain("tree", number << level, "a node of the tree is missing")
        return found

    return read


def leaf_bytes(tx: Transaction, leaf: Leaf) -> bytes:
    """Return a leaf as the tree covers it."""
    stream = StreamKey("", category_name(tx, leaf.category), leaf.stream).text
    return v.leaf_of(tenant_name(tx, leaf.tenant), stream, leaf.version, leaf.hash)


def _checked(tx: Transaction, leaf: Leaf, found: bytes | None) -> Leaf:
    if found != leaf.hash:
        stream = StreamKey("", category_name(tx, leaf.category), leaf.stream).text
        raise BrokenChain(stream, leaf.version, "its last event is not what its head says")
    return leaf


def _append(tx: Transaction, size: int, leaves: Sequence[Leaf]) -> int:
    read = node_of(tx)
    peaks = [read(*peak) for peak in merkle.peaks_of(size)]
    hashes = [merkle.leaf_hash(leaf_bytes(tx, leaf)) for leaf in leaves]
    add_leaves(tx, size, leaves)
    add_nodes(tx, [*merkle.appended(peaks, size, hashes)])
    return size + len(leaves)
