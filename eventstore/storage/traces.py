"""Read the traces of a stream: its events without their content, newest or oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from eventstore.core.events import StreamKey, Trace
from eventstore.storage.gaps import missing, unbroken_pages
from eventstore.storage.log import Log
from eventstore.storage.ordering import Place
from eventstore.storage.read import LAST, PAGE
from eventstore.storage.stream_heads import head_version, place_of
from eventstore.storage.transaction import Transaction

__all__ = ["traces", "traces_back"]


_TRACES = (
    "SELECT version, type, schema_version, data, content IS NOT NULL, subject FROM {events}"
    " WHERE tenant = ? AND category = ? AND stream = ? AND version > ? ORDER BY version"
)


_TRACES_BACK = (
    "SELECT version, type, schema_version, data, content IS NOT NULL, subject FROM {events}"
    " WHERE tenant = ? AND category = ? AND stream = ? AND version <= ?"
    " ORDER BY version DESC LIMIT ?"
)


def traces(tx: Transaction, log: Log, stream: StreamKey, *, after: int = 0) -> list[Trace]:
    """Return the events of a stream of a built-in category, in order, without content.

    Raises:
        UnknownEventType, UndecodableEvent: never skipped.
        BrokenChain: an event is missing.
    """
    place = place_of(tx, stream)
    if place is None:
        return []
    rows = (row for page in _pages_of_traces(tx, stream, place, after) for row in page)
    return [_trace(log, stream, row) for row in rows]


def traces_back(tx: Transaction, log: Log, stream: StreamKey, *, until: int) -> Iterator[Trace]:
    """Yield the events of a stream backwards, without content: few at first, then more.

    Raises:
        UnknownEventType, UndecodableEvent: never skipped.
        BrokenChain: an event is missing.
    """
    place, size = place_of(tx, stream), _FIRST_BACK
    while place is not None and until > 0:
        rows = tx.all(_TRACES_BACK, (*place, until, size))
        for row in rows:
            if row[0] != until:
                break
            yield _trace(log, stream, row)
            until -= 1
        if until > 0 and (not rows or rows[-1][0] != until + 1):
            raise missing(stream, until)
        size = min(size * 8, PAGE)


_FIRST_BACK = 4
"""Events that are read first when looking back for an event that is probably near."""


def _trace(log: Log, stream: StreamKey, row: Sequence[Any]) -> Trace:
    version, kind, schema_version, data, there, subject = row
    catalogue = log.catalogues[stream.category]
    decoded, _ = catalogue.decode(
        stream, version, kind, schema_version=schema_version, data=data, content=None
    )
    return Trace(version, kind, decoded, bool(there), None if subject is None else bytes(subject))


def _pages_of_traces(
    tx: Transaction, stream: StreamKey, place: Place, after: int
) -> Iterator[Sequence[Any]]:
    return unbroken_pages(
        stream,
        lambda last: (tx.all(_TRACES, (*place, last)), False),
        lambda: head_version(tx, stream),
        0,
        after=after,
        until=LAST,
    )
