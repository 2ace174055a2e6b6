"""Read decoded events for folding, with only the columns that folding needs.

Salt, commitment and hash, which only the chain needs, are not fetched. Nothing here keeps events
after yielding them: one page is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from eventstore.core.events import Event, StreamKey
from eventstore.storage.blobs import page_of_events, rows_of_events
from eventstore.storage.gaps import missing, unbroken_pages
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.log import Log
from eventstore.storage.read import PAGE, actor_of
from eventstore.storage.shown import shown, wordless
from eventstore.storage.stream_heads import head_version, place_of
from eventstore.storage.transaction import Transaction

__all__ = [
    "DECODED_COLUMNS",
    "decoded_columns",
    "decoded_events",
    "decoded_events_at",
    "decoded_in_streams",
    "event_decoder",
    "folding",
]

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
"""The columns needed to decode an event, in the order of :func:`event_decoder`."""


def decoded_columns(alias: str = "") -> str:
    """Return SQL that selects the ``DECODED_COLUMNS`` of a table of events."""
    of = f"{alias}." if alias else ""
    columns = [shown(f"{of}content") if one == "content" else of + one for one in DECODED_COLUMNS]
    return ", ".join(columns)


def folding(log: Log, sql: str) -> str:
    """Return a statement that reads ``decoded_columns`` with or without words, as ``log`` says."""
    return sql if log.words else wordless(sql)


def event_decoder(log: Log, stream: StreamKey) -> Callable[[Sequence[Any]], Event]:
    """Return a function from the ``DECODED_COLUMNS`` of a stream's events to the events.

    It raises the errors of :func:`~eventstore.storage.read.as_event`.
    """
    decode = log.catalogues[stream.category].decode

    def decoded(columns: Sequence[Any]) -> Event:
        version, kind, schema_version, at_us, position, data, content, subject, metadata = columns
        facts, said = decode(
            stream, version, kind, schema_version=schema_version, data=data, content=content
        )
        actor = None if metadata is None else actor_of(metadata)
        return Event(kind, version, at_us, position, facts, said, actor, subject)

    return decoded


_LAST: Final = 2**62
_VERSION: Final = DECODED_COLUMNS.index("version")
_CONTENT: Final = DECODED_COLUMNS.index("content")
_COLUMNS: Final = decoded_columns()
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
        BrokenChain: at an event that is missing.
    """
    place = place_of(tx, stream)
    if place is None:
        return
    decode, sql = event_decoder(log, stream), folding(log, _OF_STREAM)

    def page(last: int) -> tuple[Sequence[Any], bool]:
        rows, cut = page_of_events(
            tx,
            sql,
            (*place, last, until, PAGE),
            _CONTENT,
            lambda row: (*place, row[_VERSION]),
        )
        return rows, cut or len(rows) == PAGE

    def head() -> int:
        return head_version(tx, stream)

    for rows in unbroken_pages(stream, page, head, _VERSION, after=after, until=until):
        for row in rows:
            yield decode(row)


def decoded_in_streams(
    tx: Transaction, log: Log, first: StreamKey, last: StreamKey
) -> Iterator[tuple[StreamKey, Event]]:
    """Yield the events of all streams in a range of ids, stream after stream.

    Many short streams cost one statement, where :func:`decoded_events` needs one for each. The
    caller checks that each stream reaches the version of its head.

    Raises:
        UnknownEventType, UndecodableEvent: never skipped.
        BrokenChain: at an event that is missing before others.
    """
    tenant, category = find_tenant(tx, first.tenant), find_category(tx, first.category)
    if tenant is None or category is None:
        return
    stream, version = first, 0
    decode = event_decoder(log, stream)
    while True:
        page, cut = page_of_events(
            tx,
            _OF_STREAMS,
            (tenant, category, stream.id, version, last.id, PAGE),
            _CONTENT,
            lambda row: (tenant, category, row[-1], row[_VERSION]),
        )
        for row in page:
            if row[-1] != stream.id:
                stream, version = first._replace(id=row[-1]), 0
                decode = event_decoder(log, stream)
            version += 1
            if row[_VERSION] != version:
                raise missing(stream, version)
            yield stream, decode(row[:-1])
        if len(page) < PAGE and not cut:
            return


_AT: Final = "(tenant = ? AND category = ? AND stream = ? AND version = ?)"
_AT_ONCE: Final = 32


def decoded_events_at(
    tx: Transaction, log: Log, stream: StreamKey, keys: Sequence[tuple[bytes, int]]
) -> Iterator[tuple[bytes, Event]]:
    """Yield the existing events of streams like this one, each with its stream.

    ``keys`` are the id of a stream and a version each. The number of keys is a power of two, the
    last one repeated, so few texts are prepared.

    Raises:
        UnknownEventType, UndecodableEvent: never skipped.
    """
    tenant, category = find_tenant(tx, stream.tenant), find_category(tx, stream.category)
    if tenant is None or category is None:
        return
    place = tenant, category
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        asked = [*some, *[some[-1]] * ((1 << (len(some) - 1).bit_length()) - len(some))]
        where = " OR ".join([_AT] * len(asked))
        for row in rows_of_events(
            tx,
            folding(log, f"SELECT {_COLUMNS}, stream FROM {{events}} WHERE {where}"),
            [value for key in asked for value in (*place, *key)],
            _CONTENT,
            lambda row: (*place, row[-1], row[_VERSION]),
        ):
            found = bytes(row[-1])
            yield found, event_decoder(log, stream._replace(id=found))(row[:-1])
