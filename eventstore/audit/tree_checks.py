"""Verify the tree over the log: its leaves against the events, its nodes, and signed heads.

The leaves are recomputed in order, a page at a time; in memory are the peaks of the tree so far.
Wherever a head was signed the root has to be its root. A head that was kept elsewhere is treated
like one of the stored heads, and shows what was done to the store as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from msgspec.structs import replace

from eventstore.audit import evidence_verifier as v
from eventstore.audit import merkle
from eventstore.audit.findings import AuditFinding, finding
from eventstore.audit.tree import leaf_bytes, public_id, tree_head
from eventstore.audit.tree_heads import TreeHead
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.errors import BrokenChain, UndecodableEvent
from eventstore.storage.interning import category_name, find_tenant
from eventstore.storage.log import Log
from eventstore.storage.read import as_event, event_at
from eventstore.storage.stream_heads import head_version
from eventstore.storage.traces import traces
from eventstore.storage.transaction import Transaction
from eventstore.storage.tree_log import (
    StoredHead,
    StoredLeaf,
    leaves_after,
    leaves_that_differ,
    nodes_between,
    stored_heads,
)
from eventstore.threads.tombstones import find_tombstone
from eventstore.write_path.store_streams import store_stream

__all__ = ["TREE", "Signed", "TreePlace", "check_leaves", "check_tree_page"]

TREE: Final = "tree"
"""Stands for a stream in findings about the tree; the version is a number of leaves."""
_AT_ONCE: Final = 1_000
_HEADS_MAX: Final = 1_000_000


class Signed(NamedTuple):
    """The head and key that a caller brings along."""

    head: TreeHead | None = None
    public_key: bytes | None = None


class TreePlace(NamedTuple):
    """The progress along the leaves."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()


# -- leaves against events -------------------------------------------------------------------------


def check_leaves(tx: Transaction, log: Log, tenant: str) -> Iterator[AuditFinding]:
    """Yield the ends of a tenant's streams that were signed and are not there any more."""
    number = find_tenant(tx, tenant)
    if number is None:
        return
    for stored, found in leaves_that_differ(tx, number):
        leaf = stored.leaf
        stream = StreamKey(tenant, category_name(tx, leaf.category), leaf.stream)
        if found is None and _was_purged(tx, log, stream, stored):
            continue
        if found is not None:
            message = f"its hash was another one when it was signed (leaf {stored.number})"
            yield finding(stream.text, leaf.version, "altered", message, _RECOMPUTED)
        else:
            gone = leaf.version > head_version(tx, stream)
            message = (
                f"the event is missing; it was there when it was signed (leaf {stored.number})"
            )
            yield finding(stream.text, leaf.version, "cut_off" if gone else "missing", message)


def _was_purged(tx: Transaction, log: Log, stream: StreamKey, stored: StoredLeaf) -> bool:
    """Return whether a tombstone of the stream reaches the leaf."""
    if stream.category != ids.THREAD:
        return _was_purged_with_others(tx, log, stream, stored)
    version = find_tombstone(tx, stream)
    if version is None:
        return False
    try:
        tomb = event_at(tx, store_stream(stream.tenant), version, opened=False)
        data = as_event(log, replace(tomb, content=None)).data
    except (BrokenChain, UndecodableEvent):
        return False
    leaf = stored.leaf
    if getattr(data, "thread_id", None) != stream.id:
        return False
    return bool(data.version > leaf.version or (data.version, data.hash) == leaf[-2:])


def _was_purged_with_others(
    tx: Transaction, log: Log, stream: StreamKey, stored: StoredLeaf
) -> bool:
    store, leaf = store_stream(stream.tenant), stored.leaf
    try:
        told = traces(tx, log, store)
    except (BrokenChain, UndecodableEvent):
        return False
    return any(
        (category, key) == (stream.category, stream.id)
        and (version > leaf.version or (version, last) == leaf[-2:])
        for one in told
        if one.type == "StreamsPurged"
        for category, key, version, last in one.data.streams
    )


# -- the tree itself -------------------------------------------------------------------------------


def check_tree_page(
    tx: Transaction, place: TreePlace, signed: Signed
) -> tuple[list[AuditFinding], TreePlace | None]:
    """Verify the next leaves; return the findings and the next place, None at the end."""
    found = leaves_after(tx, place.size, _AT_ONCE)
    findings = [*_counted(place.size, found)]
    if findings:
        return findings, None
    hashes = [merkle.leaf_hash(leaf_bytes(tx, one.leaf)) for one in found]
    made = dict(merkle.appended(place.peaks, place.size, hashes))
    end = place.size + len(found)
    findings += _nodes(tx, made, place.size, end)
    known = {**dict(zip(merkle.peaks_of(place.size), place.peaks, strict=True)), **made}
    last = len(found) < _AT_ONCE
    heads = _heads(tx, signed.head)
    for stored, head in heads:
        if place.size < head.size <= end or (head.size == 0 == place.size):
            root = merkle.root_of(lambda level, number: known[level, number], head.size)
            findings += _rooted(head, root.hex(), stored=stored is not None)
        elif last and head.size > end:
            findings.append(finding(TREE, end + 1, "cut_off", _short(head, end), _OLD))
        if stored is not None and place.size == 0:
            findings += _signature(head, signed.public_key)
    if last:
        findings += _at_the_end(end, [head for stored, head in heads if stored is not None])
        if signed.head is not None and signed.head.store_id != public_id(tx):
            findings.append(finding(TREE, signed.head.size, "altered", _OTHER_STORE, _OLD))
        return findings, None
    return findings, TreePlace(end, tuple(known[peak] for peak in merkle.peaks_of(end)))


def _heads(tx: Transaction, given: TreeHead | None) -> list[tuple[StoredHead | None, TreeHead]]:
    """Return every head to compare: the stored ones, and the one that was given."""
    heads: list[tuple[StoredHead | None, TreeHead]] = [
        (one, tree_head(tx, one)) for one in stored_heads(tx, _HEADS_MAX, _HEADS_MAX)
    ]
    return heads if given is None else [*heads, (None, given)]


def _counted(size: int, found: Sequence[StoredLeaf]) -> Iterator[AuditFinding]:
    """Yield the first leaf that is missing before others."""
    for number, one in enumerate(found, size):
        if one.number != number:
            yield finding(TREE, number + 1, "missing", f"leaf {number} is missing", _OLD)
            return


def _nodes(
    tx: Transaction, made: dict[merkle.Node, bytes], first: int, end: int
) -> Iterator[AuditFinding]:
    """Yield the stored nodes that are not what the leaves make."""
    for level in range(end.bit_length()):
        numbers = [number for at, number in made if at == level]
        if not numbers:
            break
        stored = nodes_between(tx, level, numbers[0], numbers[-1] + 1)
        for number in numbers:
            if stored.get(number) != made[level, number]:
                message = f"node {number} of level {level} is not what the leaves make"
                yield finding(TREE, max(first, number << level) + 1, "altered", message, _OLD)


def _rooted(head: TreeHead, root: str, *, stored: bool) -> Iterator[AuditFinding]:
    if root != head.root:
        which = "stored" if stored else "given"
        message = f"the first {head.size} leaves are not those of the {which} tree head"
        yield finding(TREE, head.size, "altered", message, _RECOMPUTED)


def _signature(head: TreeHead, public_key: bytes | None) -> Iterator[AuditFinding]:
    if public_key is None or head.key_id != v.key_id(public_key):
        return
    try:
        v.check_head(head.model_dump(), public_key)
    except v.Rejected:
        message = f"the signature of the tree head of {head.size} leaves does not hold"
        yield finding(TREE, head.size, "altered", message, _RECOMPUTED)


def _at_the_end(end: int, heads: Sequence[TreeHead]) -> Iterator[AuditFinding]:
    """Compare the last head with the leaves, and the heads with one another."""
    newest = heads[0].size if heads else 0
    if newest < end:
        yield finding(TREE, newest + 1, "inserted", "leaves that no tree head covers", _OLD)
    if any(after.size < before.size for after, before in pairwise(heads)):
        yield finding(TREE, newest, "reordered", "a later tree head has fewer leaves", _OLD)


def _short(head: TreeHead, end: int) -> str:
    return f"the tree ends with {end} leaves, and a tree head of {head.size} was signed"


_OLD: Final = (
    "An older copy of the database was put in its place, or its tables were changed by hand:"
    " compare it with a backup."
)
_RECOMPUTED: Final = (
    "The log was written anew since it was signed: compare it with a backup from before, and find"
    " out who could write to the database."
)
_OTHER_STORE: Final = "the tree head belongs to another store"
