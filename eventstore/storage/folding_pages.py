"""Events as they are folded: decoded, with what folding looks at and no more.

Salt, commitment and hash, which only the chain needs, are not fetched. Nothing here keeps what it
has yielded: a page is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from eventstore.core.events import Event, StreamKey
from eventstore.storage.blobs import rows_of_events
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.read import PAGE, actor_of, place_of
from eventstore.storage.requests import Log
from eventstore.storage.transaction import Transaction

__all__ = ["DECODED_COLUMNS", "decoded_events", "decoded_in_streams", "event_decoder"]

DECODED_COLUMNS: Final = [
    "version",
    "type",
    "schema_version",
    "recorded_at",
    "position",
    "data",
    "content",
    "subject",
    "metadata",
]
"""What of an event it takes to decode it, in the order in which :func:`event_decoder` takes it."""


def event_decoder(log: Log, stream: StreamKey) -> Callable[[Sequence[Any]], Event]:
    """Return a function from the ``DECODED_COLUMNS`` of a stream's events to the events.

    What it raises is what :func:`~eventstore.storage.read.as_event` raises.
    """
    decode = log.catalogues[stream.category].decode
    unseal = log.content_codec.unseal

    def decoded(columns: Sequence[Any]) -> Event:
        version, kind, schema_version, recorded_at_us, position = columns[:5]
        data, content, subject, metadata = columns[5:]
        if content is not None:
            content = unseal(content, subject)
        facts, said = decode(
            stream, version, kind, schema_version=schema_version, data=data, content=content
        )
        actor = None if metadata is None else actor_of(metadata)
        return Event(kind, version, recorded_at_us, position, facts, said, actor, subject)

    return decoded


_LAST: Final = 2**62
_VERSION: Final = DECODED_COLUMNS.index("version")
_CONTENT: Final = DECODED_COLUMNS.index("content")
_COLUMNS: Final = ", ".join(DECODED_COLUMNS)
_OF_STREAM: Final = (
    f"SELECT {_COLUMNS} FROM {{events}} WHERE tenant = ? AND category = ? AND stream = ?"
    " AND version > ? AND version <= ? ORDER BY version LIMIT ?"
)
_OF_STREAMS: Final = (
    f"SELECT {_COLUMNS}, stream FROM {{events}} WHERE tenant = ? AND category = ?"
    " AND (stream, version) > (?, ?) AND stream <= ? ORDER BY stream, version LIMIT ?"
)


def decoded_events(
    tx: Transaction, log: Log, stream: StreamKey, *, after: int = 0, until: int = _LAST
) -> Iterator[Event]:
    """Yield the events of a stream with ``after < version <= until``, in order.

    Raises:
        UnknownEventType, UndecodableEvent: never skipped.
    """
    place = place_of(tx, stream)
    if place is None:
        return
    decode = event_decoder(log, stream)
    while True:
        page = rows_of_events(
            tx,
            _OF_STREAM,
            (*place, after, until, PAGE),
            _CONTENT,
            lambda row: (*place, row[_VERSION]),
        )
        for row in page:
            yield decode(row)
        if len(page) < PAGE:
            return
        after = page[-1][_VERSION]


def decoded_in_streams(
    tx: Transaction, log: Log, first: StreamKey, last: StreamKey
) -> Iterator[tuple[StreamKey, Event]]:
    """Yield the events of all streams from one to another by their ids, stream after stream.

    Many short streams cost one statement, where :func:`decoded_events` asks for each.

    Raises:
        UnknownEventType, UndecodableEvent: never skipped.
    """
    tenant, category = find_tenant(tx, first.tenant), find_category(tx, first.category)
    if tenant is None or category is None:
        return
    stream, version = first, 0
    decode = event_decoder(log, stream)
    while True:
        page = rows_of_events(
            tx,
            _OF_STREAMS,
            (tenant, category, stream.id, version, last.id, PAGE),
            _CONTENT,
            lambda row: (tenant, category, row[-1], row[_VERSION]),
        )
        for row in page:
            if row[-1] != stream.id:
                stream = first._replace(id=row[-1])
                decode = event_decoder(log, stream)
            yield stream, decode(row[:-1])
        if len(page) < PAGE:
            return
        version = page[-1][_VERSION]
