"""Reading the log: one stream forwards or backwards, or everything in order; pages, never cursors.

What comes back is :class:`StoredEvent`, as the table holds it; :func:`as_event` decodes it into the
typed value that ``evolve`` folds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from eventstore.core import codec
from eventstore.core.events import Event, Position, StreamKey, Trace
from eventstore.storage.blobs import EventKey, rows_of_events
from eventstore.storage.interning import category_name, find_category, find_tenant, tenant_name
from eventstore.storage.ordering import Place
from eventstore.storage.requests import Log
from eventstore.storage.transaction import Transaction

__all__ = [
    "DECODED_COLUMNS",
    "NAMES_MAX",
    "RECORDED_COLUMNS",
    "Filter",
    "StoredEvent",
    "StreamHead",
    "actor_of",
    "as_event",
    "event_at",
    "event_decoder",
    "events_of_type",
    "head_of",
    "head_version",
    "iterate_stream",
    "position_of",
    "read_all",
    "read_stream",
    "recorded_in_all",
    "recorded_in_stream",
    "traces",
    "version_at_time",
    "version_of",
]


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """One row of the log."""

    position: Position
    stream: StreamKey
    version: int
    event_id: bytes
    type: str
    schema_version: int
    recorded_at_us: int
    data: bytes
    content: bytes | None
    salt: bytes | None
    commitment: bytes | None
    subject: bytes | None
    metadata: bytes | None
    hash: bytes


_COLUMNS = (
    "epoch, xid, position, version, event_id, type, schema_version, recorded_at,"
    " data, content, salt, commitment, subject, metadata, hash"
)
RECORDED_COLUMNS: Final = (
    "epoch, xid, position, version, event_id, type, schema_version, recorded_at,"
    " data, content, subject, metadata, hash"
)
"""What of an event people see; each column that is not made into a value is time saved."""
_RECORDED: Final = RECORDED_COLUMNS.count(",") + 1
_VERSION, _CONTENT = 3, 9
"""Where these stand among the columns, of either kind."""
_OF_STREAM = f"SELECT {_COLUMNS} FROM {{events}} WHERE tenant = ? AND category = ? AND stream = ?"
_FORWARDS = f"{_OF_STREAM} AND version > ? AND version <= ? ORDER BY version LIMIT ?"
_OF_TYPE = f"{_OF_STREAM} AND type = ? AND version > ? ORDER BY version LIMIT ?"
_BACKWARDS = f"{_OF_STREAM} AND version > ? AND version <= ? ORDER BY version DESC LIMIT ?"
_STORED: Final = _COLUMNS.count(",") + 1
_TRACES = (
    "SELECT version, type, schema_version, data, content IS NOT NULL FROM {events}"
    " WHERE tenant = ? AND category = ? AND stream = ? AND version > ? ORDER BY version"
)
_HEAD = "SELECT version FROM {streams} WHERE tenant = ? AND category = ? AND stream = ?"
_HEAD_HASH = _HEAD.replace("SELECT version", "SELECT version, hash")
_TIME = (
    "SELECT recorded_at FROM {events}"
    " WHERE tenant = ? AND category = ? AND stream = ? AND version = ?"
)

_LAST = 2**62
PAGE = 500
"""Events read at a time when a whole stream is walked."""


def _place(tx: Transaction, stream: StreamKey) -> Place | None:
    tenant = find_tenant(tx, stream.tenant)
    category = find_category(tx, stream.category)
    return None if tenant is None or category is None else (tenant, category, stream.id)


def head_version(tx: Transaction, stream: StreamKey) -> int:
    """Return a stream's version; 0 if it has no events."""
    place = _place(tx, stream)
    row = None if place is None else tx.one(_HEAD, place)
    return 0 if row is None else int(row[0])


class StreamHead(NamedTuple):
    """Where a stream ends."""

    version: int
    hash: bytes


def head_of(tx: Transaction, stream: StreamKey) -> StreamHead | None:
    """Return where a stream ends; None if it has no events."""
    place = _place(tx, stream)
    row = None if place is None else tx.one(_HEAD_HASH, place)
    return None if row is None else StreamHead(int(row[0]), bytes(row[1]))


def read_stream(
    tx: Transaction,
    stream: StreamKey,
    *,
    after: int = 0,
    until: int = _LAST,
    limit: int = PAGE,
    backwards: bool = False,
) -> list[StoredEvent]:
    """Return up to ``limit`` events with ``after < version <= until``, or ``backwards``."""
    sql = _BACKWARDS if backwards else _FORWARDS
    return [stored_event(stream, row) for row in _page(tx, stream, sql, (after, until, limit))]


def recorded_in_stream(
    tx: Transaction, stream: StreamKey, *, after: int, until: int, limit: int, backwards: bool
) -> list[tuple[StreamKey, Sequence[Any]]]:
    """Return a page as :func:`read_stream` does, as the stream with ``RECORDED_COLUMNS``."""
    sql = (_BACKWARDS if backwards else _FORWARDS).replace(_COLUMNS, RECORDED_COLUMNS)
    return [(stream, row) for row in _page(tx, stream, sql, (after, until, limit))]


def position_of(columns: Sequence[Any]) -> Position:
    """Return where an event stands, of ``RECORDED_COLUMNS`` or all."""
    return Position._make(columns[:3])


def version_of(columns: Sequence[Any]) -> int:
    """Return the version of an event, of ``RECORDED_COLUMNS`` or all."""
    return columns[_VERSION]  # type: ignore[no-any-return]


def _page(
    tx: Transaction, stream: StreamKey, sql: str, bounds: tuple[int, int, int]
) -> Sequence[Any]:
    place = _place(tx, stream)
    return () if place is None else _rows(tx, sql, (*place, *bounds), place)


def _rows(
    tx: Transaction, sql: str, parameters: Sequence[Any], place: Place
) -> Sequence[Sequence[Any]]:
    """Return rows of one stream, their contents in them."""
    return rows_of_events(tx, sql, parameters, _CONTENT, lambda row: (*place, row[_VERSION]))


def stored_event(stream: StreamKey, columns: Sequence[Any]) -> StoredEvent:
    """Return the event of a row that begins with the log's columns."""
    return StoredEvent(position_of(columns), stream, *columns[3:15])


def iterate_stream(
    tx: Transaction, stream: StreamKey, *, after: int = 0, until: int = _LAST
) -> Iterator[StoredEvent]:
    """Yield every event of a stream in order, a page in memory at a time."""
    while True:
        page = read_stream(tx, stream, after=after, until=until)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].version


def events_of_type(tx: Transaction, stream: StreamKey, event_type: str) -> Iterator[StoredEvent]:
    """Yield the events of one type in a stream, in order, a page in memory at a time."""
    place, after = _place(tx, stream), 0
    while place is not None:
        rows = _rows(tx, _OF_TYPE, (*place, event_type, after, PAGE), place)
        page = [stored_event(stream, row) for row in rows]
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].version


def event_at(tx: Transaction, stream: StreamKey, version: int) -> StoredEvent | None:
    """Return one event of a stream."""
    return next(iter(read_stream(tx, stream, after=version - 1, until=version, limit=1)), None)


NAMES_MAX = 1_000
"""Most types, and most categories, of one filter: each is a parameter, and no database or driver
takes fewer than 32,766 of them in a statement."""


class Filter(NamedTuple):
    """Which events of the whole store; None is all of them."""

    tenant: str | None = None
    categories: Sequence[str] | None = None
    stream: StreamKey | None = None
    types: Sequence[str] | None = None


START = Position(0, 0, 0)
"""Before every event."""


def read_all(
    tx: Transaction, only: Filter, *, after: Position = START, limit: int = PAGE
) -> list[StoredEvent]:
    """Return the events after a position, in the store's order: those that are safe to show.

    On PostgreSQL events are held back while an older transaction still runs; see
    :mod:`~eventstore.storage.postgres_ordering`.

    Raises:
        Refused: the schema is distributed over nodes, so there is no such order.
    """
    found = _read_all(tx, only, _COLUMNS, after, limit)
    streams: dict[tuple[int, bytes, int], StreamKey] = {}
    return [
        stored_event(streams.get(row[_STORED:]) or _named(tx, streams, *row[_STORED:]), row)
        for row in found
    ]


def recorded_in_all(
    tx: Transaction, only: Filter, *, after: Position, limit: int
) -> list[tuple[StreamKey, Sequence[Any]]]:
    """Return a page as :func:`read_all` does: of each its stream, and ``RECORDED_COLUMNS``."""
    found = _read_all(tx, only, RECORDED_COLUMNS, after, limit)
    streams: dict[tuple[int, bytes, int], StreamKey] = {}
    return [
        (streams.get(row[_RECORDED:]) or _named(tx, streams, *row[_RECORDED:]), row)
        for row in found
    ]


def _read_all(
    tx: Transaction, only: Filter, columns: str, after: Position, limit: int
) -> Sequence[Any]:
    """Return columns of the events after a position, then category, stream and tenant."""
    where, parameters = tx.ordering.after(tx, after)
    selected = _selected(tx, only)
    if selected is None:
        return ()
    sql = " AND ".join(
        [f"SELECT {columns}, category, stream, tenant FROM {{events}} WHERE {where}", *selected[0]]
    )
    sql = f"{sql} ORDER BY {tx.ordering.order} LIMIT ?"
    return rows_of_events(tx, sql, (*parameters, *selected[1], limit), _CONTENT, _key)


def _key(row: Sequence[Any]) -> EventKey:
    category, stream, tenant = row[-3:]
    return tenant, category, stream, row[_VERSION]


def _named(
    tx: Transaction,
    streams: dict[tuple[int, bytes, int], StreamKey],
    category: int,
    stream: bytes,
    tenant: int,
) -> StreamKey:
    """Return a stream's key, and remember it: many events of a page belong to one stream."""
    key = StreamKey(tenant_name(tx, tenant), category_name(tx, category), stream)
    streams[category, stream, tenant] = key
    return key


def _selected(tx: Transaction, only: Filter) -> tuple[list[str], list[Any]] | None:
    """Return conditions and their parameters; None if nothing can satisfy them."""
    conditions: list[str] = []
    parameters: list[Any] = []
    if only.tenant is not None:
        tenant = find_tenant(tx, only.tenant)
        if tenant is None:
            return None
        # "+ 0" keeps the index of the order in use: that of streams would sort the whole tenant.
        conditions.append("tenant = ?" if only.stream else "tenant + 0 = ?")
        parameters.append(tenant)
    if only.stream is not None:
        place = _place(tx, only.stream)
        if place is None:
            return None
        conditions.append("category = ? AND stream = ?")
        parameters += place[1:]
    if only.categories is not None:
        numbers = [find_category(tx, name) for name in only.categories]
        known = [number for number in numbers if number is not None]
        if not known:
            return None
        conditions.append(f"category + 0 IN ({', '.join('?' * len(known))})")
        parameters += known
    if only.types is not None:
        conditions.append(f"type IN ({', '.join('?' * len(only.types))})")
        parameters += only.types
    return conditions, parameters


def traces(tx: Transaction, log: Log, stream: StreamKey, *, after: int = 0) -> list[Trace]:
    """Return the events of a stream of a built-in category, in order, without content.

    Raises:
        UnknownEventType, UndecodableEvent: never skipped.
    """
    place = _place(tx, stream)
    if place is None:
        return []
    catalogue, found = log.catalogues[stream.category], []
    for version, kind, schema_version, data, there in tx.all(_TRACES, (*place, after)):
        decoded, _ = catalogue.decode(
            stream, version, kind, schema_version=schema_version, data=data, content=None
        )
        found.append(Trace(version, kind, decoded, bool(there)))
    return found


def version_at_time(tx: Transaction, stream: StreamKey, moment_us: int) -> int:
    """Return the highest version recorded at or before a moment; 0 if there is none.

    ``recorded_at`` never decreases along a stream, so this is a binary search.
    """
    place = _place(tx, stream)
    low, high = 0, head_version(tx, stream)
    while low < high:
        middle = (low + high + 1) // 2
        if tx.one(_TIME, (*(place or ()), middle))[0] <= moment_us:
            low = middle
        else:
            high = middle - 1
    return low


def actor_of(metadata: bytes | None) -> str | None:
    """Return who wrote an event, as its metadata says."""
    if metadata is None:
        return None
    actor: str | None = codec.decode_any(metadata).get("actor")
    return actor


def as_event(log: Log, stored: StoredEvent) -> Event:
    """Decode a stored event of a built-in category.

    Raises:
        UnknownEventType, UndecodableEvent: never skipped.
    """
    catalogue = log.catalogues[stored.stream.category]
    content = stored.content
    if content is not None:
        content = log.content_codec.unseal(content, stored.subject)
    data, decoded = catalogue.decode(
        stored.stream,
        stored.version,
        stored.type,
        schema_version=stored.schema_version,
        data=stored.data,
        content=content,
    )
    return Event(
        stored.type,
        stored.version,
        stored.recorded_at_us,
        stored.position.sequence,
        data,
        decoded,
        actor_of(stored.metadata),
        stored.subject,
    )


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

    What it raises is what :func:`as_event` raises.
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
