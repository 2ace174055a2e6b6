"""The tables of the tree over the log: leaves, nodes and signed heads. All three only grow.

A leaf is the end that a stream had when a head was issued: its version and its hash. The leaves are
numbered from 0 in the order of issuing, over all tenants. ``audit/merkle.py`` says which nodes a
tree has; ``audit/tree.py`` decides what is written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from eventstore.core.events import Position
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction

__all__ = [
    "Leaf",
    "StoredHead",
    "StoredLeaf",
    "add_head",
    "add_leaves",
    "add_nodes",
    "changed_ends",
    "last_safe_position",
    "latest_head",
    "leaf_of_stream",
    "leaves_after",
    "leaves_that_differ",
    "lock_tree",
    "next_changed",
    "node",
    "nodes_between",
    "stored_heads",
    "tree_size",
]


class Leaf(NamedTuple):
    """The end of a stream."""

    tenant: int
    category: int
    stream: bytes
    version: int
    hash: bytes


class StoredLeaf(NamedTuple):
    """A leaf with its number."""

    number: int
    leaf: Leaf


class StoredHead(NamedTuple):
    """A signed head, and the place in the log up to which it covers every stream."""

    number: int
    size: int
    root: bytes
    issued_at_us: int
    key_id: str
    signature: bytes
    place: Position


_LOCK: Final = "SELECT id FROM {store} FOR UPDATE"
_HEAD: Final = "SELECT number, size, root, issued_at, key_id, signature, epoch, xid, position"
_LATEST: Final = f"{_HEAD} FROM {{tree_heads}} ORDER BY number DESC LIMIT 1"
_HEADS: Final = f"{_HEAD} FROM {{tree_heads}} WHERE number < ? ORDER BY number DESC LIMIT ?"
_LAST_LEAF: Final = "SELECT number FROM {tree_leaves} ORDER BY number DESC LIMIT 1"
_NODE: Final = "SELECT hash FROM {tree_nodes} WHERE level = ? AND number = ?"
_NODES: Final = (
    "SELECT number, hash FROM {tree_nodes} WHERE level = ? AND number >= ? AND number < ?"
)
_LEAF: Final = "number, tenant, category, stream, version, hash FROM {tree_leaves}"
_LEAVES: Final = f"SELECT {_LEAF} WHERE number >= ? ORDER BY number LIMIT ?"
_OF_STREAM: Final = (
    f"SELECT {_LEAF} WHERE tenant = ? AND category = ? AND stream = ? AND number < ?"
    " ORDER BY version DESC LIMIT 1"
)
_COVERED: Final = (
    "SELECT 1 FROM {tree_leaves} l WHERE l.tenant = s.tenant AND l.category = s.category"
    " AND l.stream = s.stream AND l.version >= s.version"
)
_END: Final = "SELECT s.tenant, s.category, s.stream, s.version, s.hash, e.hash FROM "
_EVENT: Final = (
    " LEFT JOIN {events} e ON e.tenant = s.tenant AND e.category = s.category"
    " AND e.stream = s.stream AND e.version = s.version"
)
_ALL_ENDS: Final = (
    f"{_END}{{streams}} s{_EVENT} WHERE (s.tenant, s.category, s.stream) > (?, ?, ?)"
    f" AND NOT EXISTS ({_COVERED}) ORDER BY s.tenant, s.category, s.stream LIMIT ?"
)
_CHANGED: Final = (
    "SELECT DISTINCT c.tenant, c.category, c.stream FROM {events} c"
    " WHERE (c.epoch, c.xid, c.position) > (?, ?, ?)"
)
_CHANGED_ON_SQLITE: Final = (
    # NOT INDEXED: it would rather walk through all events in the order of their streams
    "SELECT DISTINCT c.tenant, c.category, c.stream FROM {events} c NOT INDEXED"
    " WHERE c.position > ?"
)
_CHANGED_ENDS: Final = (
    # CROSS JOIN: SQLite would rather walk through all streams in their order
    f"{_END}(CHANGED) c CROSS JOIN {{streams}} s{_EVENT} WHERE c.tenant = s.tenant"
    f" AND c.category = s.category AND c.stream = s.stream AND NOT EXISTS ({_COVERED})"
    " ORDER BY s.tenant, s.category, s.stream"
)
_DIFFER: Final = (
    "SELECT l.number, l.tenant, l.category, l.stream, l.version, l.hash, e.hash"
    " FROM {tree_leaves} l LEFT JOIN {events} e ON e.tenant = l.tenant"
    " AND e.category = l.category AND e.stream = l.stream AND e.version = l.version"
    " WHERE l.tenant = ? AND (e.hash IS NULL OR e.hash <> l.hash)"
    " ORDER BY l.category, l.stream, l.version"
)

_NEXT_CHANGED: Final = (
    "SELECT s.category, s.stream FROM {streams} s WHERE s.tenant = ?"
    " AND (s.category, s.stream) > (?, ?) AND NOT EXISTS (SELECT 1 FROM {tree_leaves} l"
    " WHERE l.tenant = s.tenant AND l.category = s.category AND l.stream = s.stream"
    " AND l.version >= s.version AND l.number < ?) ORDER BY s.category, s.stream LIMIT 1"
)

_PLACE: Final = ("tenant", "category", "stream", "version", "hash")
_ADD_LEAF: Final = Insert("tree_leaves", ("number", *_PLACE))
_ADD_NODE: Final = Insert("tree_nodes", ("level", "number", "hash"))
_ADD_HEAD: Final = Insert(
    "tree_heads",
    ("number", "size", "root", "issued_at", "key_id", "signature", "epoch", "xid", "position"),
)
_AT_ONCE: Final = 1_000


def lock_tree(tx: Transaction) -> None:
    """Wait for another transaction that issues a head; on SQLite there is only one that writes."""
    if not tx.ordering.single_writer:
        tx.one(_LOCK)


def latest_head(tx: Transaction) -> StoredHead | None:
    """Return the head that was issued last."""
    row = tx.one(_LATEST)
    return None if row is None else _stored(row)


def stored_heads(tx: Transaction, before: int, limit: int) -> list[StoredHead]:
    """Return the heads before a number, the newest first."""
    return [_stored(row) for row in tx.all(_HEADS, (before, limit))]


def _stored(row: Sequence[Any]) -> StoredHead:
    number, size, root, issued_at_us, key_id, signature, *place = row
    return StoredHead(
        number, size, bytes(root), issued_at_us, key_id, bytes(signature), Position(*place)
    )


def tree_size(tx: Transaction) -> int:
    """Return the number of leaves."""
    row = tx.one(_LAST_LEAF)
    return 0 if row is None else int(row[0]) + 1


def node(tx: Transaction, level: int, number: int) -> bytes | None:
    """Return the hash of a node."""
    row = tx.one(_NODE, (level, number))
    return None if row is None else bytes(row[0])


def nodes_between(tx: Transaction, level: int, first: int, end: int) -> dict[int, bytes]:
    """Return the nodes of a level by number, from one up to but without another."""
    return {number: bytes(found) for number, found in tx.all(_NODES, (level, first, end))}


def leaves_after(tx: Transaction, number: int, limit: int) -> list[StoredLeaf]:
    """Return the leaves from a number on, in order."""
    return [_leaf(row) for row in tx.all(_LEAVES, (number, limit))]


def leaf_of_stream(tx: Transaction, place: tuple[int, int, bytes], size: int) -> StoredLeaf | None:
    """Return the newest leaf of a stream among the first ones of the tree."""
    row = tx.one(_OF_STREAM, (*place, size))
    return None if row is None else _leaf(row)


def _leaf(row: Sequence[Any]) -> StoredLeaf:
    number, tenant, category, stream, version, end = row
    return StoredLeaf(number, Leaf(tenant, category, bytes(stream), version, bytes(end)))


def changed_ends(tx: Transaction, after: Position | None) -> Iterator[tuple[Leaf, bytes | None]]:
    """Yield the ends of streams with events after a place, and the hash of the event there.

    Streams whose end is covered by a leaf are left out. Without a place these are all streams, a
    thousand in memory at a time; otherwise those that changed.
    """
    if after is None:
        place: tuple[Any, ...] = (-1, -1, b"")
        while rows := tx.all(_ALL_ENDS, (*place, _AT_ONCE)):
            yield from map(_end, rows)
            place = (*rows[-1][:2], bytes(rows[-1][2]))
        return
    if tx.ordering.single_writer:
        sql, given = _CHANGED_ON_SQLITE, (after.sequence,)
    else:
        sql, given = _CHANGED, tuple(after)  # type: ignore[assignment]
    yield from map(_end, tx.all(_CHANGED_ENDS.replace("CHANGED", sql), given))


def _end(row: Sequence[Any]) -> tuple[Leaf, bytes | None]:
    tenant, category, stream, version, end, found = row
    return Leaf(tenant, category, bytes(stream), version, bytes(end)), found


def last_safe_position(tx: Transaction, after: Position) -> Position:
    """Return the last position before which no event can appear any more.

    Raises:
        Refused: ``"distributed_schema"``; there is no order over all streams.
    """
    where, parameters = tx.ordering.after(tx, after)
    backwards = ", ".join(f"{column} DESC" for column in tx.ordering.order.split(", "))
    sql = f"SELECT epoch, xid, position FROM {{events}} WHERE {where} ORDER BY {backwards} LIMIT 1"
    row = tx.one(sql, parameters)
    return after if row is None else Position(*row)


def next_changed(
    tx: Transaction, tenant: int, after: tuple[int, bytes], size: int
) -> tuple[int, bytes] | None:
    """Return the next stream of a tenant whose end is not among the first leaves of the tree.

    ``after`` and the result are the number of a category and the id of a stream.
    """
    row = tx.one(_NEXT_CHANGED, (tenant, *after, size))
    return None if row is None else (int(row[0]), bytes(row[1]))


def add_leaves(tx: Transaction, first: int, leaves: Sequence[Leaf]) -> None:
    """Write leaves, numbered from ``first`` on."""
    tx.write(_ADD_LEAF, [(number, *leaf) for number, leaf in enumerate(leaves, first)])


def add_nodes(tx: Transaction, nodes: Sequence[tuple[tuple[int, int], bytes]]) -> None:
    """Write nodes that were completed."""
    tx.write(_ADD_NODE, [(*place, made) for place, made in nodes])


def add_head(tx: Transaction, head: StoredHead) -> None:
    """Write a head."""
    tx.write(_ADD_HEAD, [(*head[:-1], *head.place)])


def leaves_that_differ(tx: Transaction, tenant: int) -> Iterator[tuple[StoredLeaf, bytes | None]]:
    """Yield the leaves of a tenant whose event is missing or has another hash, and that hash."""
    for row in tx.all(_DIFFER, (tenant,)):
        yield _leaf(row[:6]), None if row[6] is None else bytes(row[6])
