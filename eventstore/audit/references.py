"""Check what the events of a stream say about other rows: anchors, erasures and tombstones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec import DecodeError

from eventstore.audit.findings import AuditFinding, finding, ranges
from eventstore.audit.stream_walk import Notable, StreamWalk
from eventstore.conversation.events import ContentErased, ThreadForked
from eventstore.conversation.store_events import ThreadPurged
from eventstore.core import codec, ids
from eventstore.core.events import EventData
from eventstore.errors import UndecodableEvent, UnknownEventType
from eventstore.storage.chain_pages import contents_that_stand, event_hash_at, stream_exists
from eventstore.storage.interning import find_category
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.tombstones import all_tombstones

__all__ = ["ALWAYS_NOTABLE", "NOTABLE", "Anchor", "anchor_of", "check_references"]


_ERASURE: Final = "ContentErased"

NOTABLE: Final = {
    ids.THREAD: frozenset({"ThreadForked", _ERASURE}),
    ids.STORE: frozenset({"ThreadPurged", _ERASURE}),
}
"""Types of events, by category, that say something about other rows."""
ALWAYS_NOTABLE: Final = frozenset({_ERASURE})
"""The same for every other category."""


class Anchor(NamedTuple):
    """The event that a fork was made from."""

    source: bytes
    version: int
    hash: bytes


def anchor_of(log: Log, walk: StreamWalk) -> Anchor | None:
    """Return the anchor of a fork; None for other streams, or if it cannot be read."""
    for one in walk.notable[:1]:
        if one.type == "ThreadForked":
            data = _decoded(log, walk, one)
            if isinstance(data, ThreadForked):
                return Anchor(data.source_id, data.source_version, data.source_hash)
    return None


def check_references(
    tx: Transaction, log: Log, category: tuple[int, int], walk: StreamWalk
) -> Iterator[AuditFinding]:
    """Yield what does not agree with the notable events of a stream."""
    stream = walk.stream
    for one in walk.notable:
        if _decoded(log, walk, one) is None and not walk.findings:
            message = f"the {one.type} cannot be read"
            yield finding(stream.text, one.version, "unreadable", message)
    yield from _erasures(tx, log, category, walk)
    if stream.category == ids.STORE:
        yield from _tombstones(tx, log, walk)
        return
    anchor = anchor_of(log, walk)
    if anchor is not None:
        yield from _anchored(tx, category, walk, anchor)


def _decoded(log: Log, walk: StreamWalk, one: Notable) -> EventData | None:
    """Return the data of a notable event; None if it cannot be read."""
    stream = walk.stream
    if stream.category not in log.catalogues:
        versions = _versions_of(one)
        return None if versions is None else ContentErased(versions)
    try:
        data, _ = log.catalogues[stream.category].decode(
            stream,
            one.version,
            one.type,
            schema_version=one.schema_version,
            data=one.data,
            content=None,
        )
    except (UnknownEventType, UndecodableEvent):
        return None
    known: EventData = data
    return known


def _versions_of(one: Notable) -> tuple[int, ...] | None:
    """Return the versions that an erasure in a stream of the application names; None if unclear."""
    try:
        return tuple(int(version) for version in codec.decode_any(one.data)["versions"])
    except (DecodeError, KeyError, TypeError, ValueError):
        return None


def _erasures(
    tx: Transaction, log: Log, category: tuple[int, int], walk: StreamWalk
) -> Iterator[AuditFinding]:
    stream, erased = walk.stream, dict[int, int]()
    for one in walk.notable:
        data = _decoded(log, walk, one)
        if isinstance(data, ContentErased):
            for version in data.versions:
                erased.setdefault(version, one.version)
    for first, last in ranges(version for version in walk.gone if version not in erased):
        events = "the event" if first == last else f"the events up to {last}"
        message = f"the content of {events} is gone, and no ContentErased says so"
        yield finding(stream.text, first, "content_gone", message)
    for version in contents_that_stand(tx, (*category, stream.id), sorted(erased)):
        message = f"its content is there, although version {erased[version]} says it was erased"
        yield finding(stream.text, version, "content_left", message)


def _anchored(
    tx: Transaction, category: tuple[int, int], walk: StreamWalk, anchor: Anchor
) -> Iterator[AuditFinding]:
    found = event_hash_at(tx, (*category, anchor.source), anchor.version)
    if found == anchor.hash:
        return
    source, fork = ids.show(ids.THREAD, anchor.source), walk.stream.text
    if found is None:
        message = f"the event is missing, and {fork} was forked from it"
        yield finding(source, anchor.version, "missing", message)
    else:
        message = f"{fork} was forked from it, and its hash was another one then"
        yield finding(source, anchor.version, "altered", message)


def _tombstones(tx: Transaction, log: Log, walk: StreamWalk) -> Iterator[AuditFinding]:
    """Compare a tenant's tombstones with the table of purged threads, and with what is there."""
    stream = walk.stream
    kept = all_tombstones(tx, stream.tenant)
    threads = find_category(tx, ids.THREAD)
    for one in walk.notable:
        data = _decoded(log, walk, one)
        if not isinstance(data, ThreadPurged):
            continue
        thread, name = data.thread_id, ids.show(ids.THREAD, data.thread_id)
        tenant, known = kept.tenant, kept.versions.pop(thread, None)
        if known != one.version:
            message = f"tombstones: the row of {name} is missing or names another event"
            yield finding(stream.text, one.version, "projection_differs", message, _BY_HAND)
        if threads is not None and stream_exists(tx, (tenant, threads, thread)):
            message = f"the thread was purged (version {one.version} of {stream.text}), and is here"
            yield finding(name, 1, "inserted", message)
    for thread, version in kept.versions.items():
        message = f"tombstones: a row for {ids.show(ids.THREAD, thread)} that no event made"
        yield finding(stream.text, version, "projection_differs", message, _BY_HAND)


_BY_HAND = (
    "Correct the row by hand: it stops the id of a purged thread from being used again. Nothing"
    " rebuilds it."
)
