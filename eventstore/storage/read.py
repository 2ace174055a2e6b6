"""Reading one stream of the log, forwards or backwards; pages, never cursors.

What comes back is :class:`StoredEvent`, as the table holds it; :func:`as_event` decodes it into the
typed value that ``evolve`` folds. Whoever folds much reads through
:mod:`~eventstore.storage.folding_pages`; everything in order is read by
:mod:`~eventstore.storage.whole_store`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from eventstore.core import codec
from eventstore.core.events import Event, Position, StreamKey, Trace
from eventstore.storage.blobs import rows_of_events
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.ordering import Place
from eventstore.storage.requests import Log
from eventstore.storage.transaction import Transaction

__all__ = [
    "COLUMNS",
    "CONTENT",
    "PAGE",
    "RECORDED_COLUMNS",
    "VERSION",
    "RecordedPage",
    "StoredEvent",
    "StreamHead",
    "actor_of",
    "as_event",
    "event_at",
    "head_of",
    "head_version",
    "iterate_stream",
    "place_of",
    "position_of",
    "read_stream",
    "recorded_in_stream",
    "stored_event",
    "traces",
    "traces_back",
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


COLUMNS: Final = (
    "epoch, xid, position, version, event_id, type, schema_version, recorded_at,"
    " data, content, salt, commitment, subject, metadata, hash"
)
RECORDED_COLUMNS: Final = (
    "epoch, xid, position, version, event_id, type, schema_version, recorded_at,"
    " data, content, subject, metadata, hash, category, stream"
)
"""What of an event people see; each column that is not made into a value is time saved."""
VERSION: Final = 3
CONTENT: Final = 9
"""Where these stand among the columns, of either kind."""
_OF_STREAM = f"SELECT {COLUMNS} FROM {{events}} WHERE tenant = ? AND category = ? AND stream = ?"
_FORWARDS = f"{_OF_STREAM} AND version > ? AND version <= ? ORDER BY version LIMIT ?"
_OF_TYPE = f"{_OF_STREAM} AND type = ? AND version > ? ORDER BY version LIMIT ?"
_BACKWARDS = f"{_OF_STREAM} AND version > ? AND version <= ? ORDER BY version DESC LIMIT ?"
_TRACES = (
    "SELECT version, type, schema_version, data, content IS NOT NULL FROM {events}"
    " WHERE tenant = ? AND category = ? AND stream = ? AND version > ? ORDER BY version"
)
_TRACES_BACK = (
    "SELECT version, type, schema_version, data, content IS NOT NULL FROM {events}"
    " WHERE tenant = ? AND category = ? AND stream = ? AND version <= ?"
    " ORDER BY version DESC LIMIT ?"
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


def place_of(tx: Transaction, stream: StreamKey) -> Place | None:
    """Return what a stream's rows are found by; None if its names are not known here."""
    tenant = find_tenant(tx, stream.tenant)
    category = find_category(tx, stream.category)
    return None if tenant is None or category is None else (tenant, category, stream.id)


def head_version(tx: Transaction, stream: StreamKey) -> int:
    """Return a stream's version; 0 if it has no events."""
    place = place_of(tx, stream)
    row = None if place is None else tx.one(_HEAD, place)
    return 0 if row is None else int(row[0])


class StreamHead(NamedTuple):
    """Where a stream ends."""

    version: int
    hash: bytes


def head_of(tx: Transaction, stream: StreamKey) -> StreamHead | None:
    """Return where a stream ends; None if it has no events."""
    place = place_of(tx, stream)
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


class RecordedPage(NamedTuple):
    """Events of one tenant as people see them, not decoded yet."""

    tenant: str
    categories: Mapping[int, str]
    """Names of the categories that occur, by their numbers."""
    rows: Sequence[Sequence[Any]]
    """``RECORDED_COLUMNS`` of each."""


def recorded_in_stream(
    tx: Transaction, stream: StreamKey, *, after: int, until: int, limit: int, backwards: bool
) -> RecordedPage:
    """Return a page as :func:`read_stream` does, as people see it."""
    sql = (_BACKWARDS if backwards else _FORWARDS).replace(COLUMNS, RECORDED_COLUMNS)
    rows = _page(tx, stream, sql, (after, until, limit))
    return RecordedPage(stream.tenant, {row[-2]: stream.category for row in rows[:1]}, rows)


def position_of(columns: Sequence[Any]) -> Position:
    """Return where an event stands, of ``RECORDED_COLUMNS`` or all."""
    return Position._make(columns[:3])


def version_of(columns: Sequence[Any]) -> int:
    """Return the version of an event, of ``RECORDED_COLUMNS`` or all."""
    return columns[VERSION]  # type: ignore[no-any-return]


def _page(
    tx: Transaction, stream: StreamKey, sql: str, bounds: tuple[int, int, int]
) -> Sequence[Any]:
    place = place_of(tx, stream)
    return () if place is None else _rows(tx, sql, (*place, *bounds), place)


def _rows(
    tx: Transaction, sql: str, parameters: Sequence[Any], place: Place
) -> Sequence[Sequence[Any]]:
    """Return rows of one stream, their contents in them."""
    return rows_of_events(tx, sql, parameters, CONTENT, lambda row: (*place, row[VERSION]))


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


def event_at(tx: Transaction, stream: StreamKey, version: int) -> StoredEvent | None:
    """Return one event of a stream."""
    return next(iter(read_stream(tx, stream, after=version - 1, until=version, limit=1)), None)


def traces(tx: Transaction, log: Log, stream: StreamKey, *, after: int = 0) -> list[Trace]:
    """Return the events of a stream of a built-in category, in order, without content.

    Raises:
        UnknownEventType, UndecodableEvent: never skipped.
    """
    place = place_of(tx, stream)
    rows = () if place is None else tx.all(_TRACES, (*place, after))
    return [_trace(log, stream, row) for row in rows]


def traces_back(tx: Transaction, log: Log, stream: StreamKey, *, until: int) -> Iterator[Trace]:
    """Yield the events of a stream from a version back, without content: few at first, then more.

    Raises:
        UnknownEventType, UndecodableEvent: never skipped.
    """
    place, size = place_of(tx, stream), _FIRST_BACK
    while place is not None and until > 0:
        rows = tx.all(_TRACES_BACK, (*place, until, size))
        for row in rows:
            yield _trace(log, stream, row)
        until = rows[-1][0] - 1 if len(rows) == size else 0
        size = min(size * 8, PAGE)


_FIRST_BACK = 4
"""Events that are read first by who looks back for something that is probably near."""


def _trace(log: Log, stream: StreamKey, row: Sequence[Any]) -> Trace:
    version, kind, schema_version, data, there = row
    catalogue = log.catalogues[stream.category]
    decoded, _ = catalogue.decode(
        stream, version, kind, schema_version=schema_version, data=data, content=None
    )
    return Trace(version, kind, decoded, bool(there))


def version_at_time(tx: Transaction, stream: StreamKey, moment_us: int) -> int:
    """Return the highest version recorded at or before a moment; 0 if there is none.

    ``recorded_at`` never decreases along a stream, so this is a binary search.
    """
    place = place_of(tx, stream)
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
