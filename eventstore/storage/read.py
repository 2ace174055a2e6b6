"""Read one stream of the log, forwards or backwards, in pages and without server cursors.

It returns :class:`StoredEvent`, as the table holds it; :func:`as_event` decodes it into the typed
value that ``evolve`` folds. Long folds read through :mod:`~eventstore.storage.folding_pages`;
:mod:`~eventstore.storage.whole_store` reads everything in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from eventstore.core import codec
from eventstore.core.events import Event, Position, StreamKey
from eventstore.errors import BrokenChain
from eventstore.storage.blobs import EventKey, page_of_events
from eventstore.storage.gaps import missing, unbroken_pages
from eventstore.storage.log import Log
from eventstore.storage.ordering import Place
from eventstore.storage.shown import shown
from eventstore.storage.stream_heads import head_version, place_of
from eventstore.storage.transaction import Transaction

__all__ = [
    "COLUMNS",
    "CONTENT",
    "PAGE",
    "RECORDED_COLUMNS",
    "VERSION",
    "RecordedPage",
    "StoredEvent",
    "actor_of",
    "as_event",
    "event_at",
    "iterate_stream",
    "position_of",
    "read_page",
    "recorded_backwards",
    "recorded_in_stream",
    "stored_event",
    "version_at_time",
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

    @property
    def erased(self) -> bool:
        """Its content is gone: it was erased, or the key that it was sealed with is destroyed."""
        return self.content is None and (self.commitment or self.salt) is not None


COLUMNS: Final = (
    "epoch, xid, position, version, event_id, type, schema_version, recorded_at,"
    f" data, {shown()}, salt, commitment, subject, metadata, hash"
)
RECORDED_COLUMNS: Final = (
    "epoch, xid, position, version, event_id, type, schema_version, recorded_at,"
    f" data, {shown()}, subject, metadata, hash, category, stream"
)
"""The public columns of an event; each column that is not decoded saves time."""
VERSION: Final = 3
CONTENT: Final = 9
"""Indexes of columns, the same in both lists."""
_OF_STREAM = f"SELECT {COLUMNS} FROM {{events}} WHERE tenant = ? AND category = ? AND stream = ?"
_FORWARDS = f"{_OF_STREAM} AND version > ? AND version <= ? ORDER BY version LIMIT ?"
_BACKWARDS = f"{_OF_STREAM} AND version > ? AND version <= ? ORDER BY version DESC LIMIT ?"
_TIME = (
    "SELECT recorded_at FROM {events}"
    " WHERE tenant = ? AND category = ? AND stream = ? AND version = ?"
)

LAST = 2**62
PAGE = 500
"""Events read at a time when a whole stream is walked."""


def read_page(
    tx: Transaction, stream: StreamKey, *, after: int = 0, until: int = LAST, opened: bool = True
) -> list[StoredEvent]:
    """Return the next events with ``after < version <= until``; empty only if there are none.

    ``opened`` False: with their content as it is stored, for whoever hashes it.

    Raises:
        BrokenChain: the next event is missing.
    """
    bounds = {"after": after, "until": until, "limit": PAGE}
    pages = _pages(tx, stream, COLUMNS, **bounds, opened=opened)
    return [stored_event(stream, row) for row in next(pages, ())]


class RecordedPage(NamedTuple):
    """Public columns of one tenant's events, not decoded yet."""

    tenant: str
    categories: Mapping[int, str]
    """Names of the categories that occur, by their numbers."""
    rows: Sequence[Sequence[Any]]
    """``RECORDED_COLUMNS`` of each."""
    more: bool = False
    """True if others may follow; set only for pages of the whole store."""
    broken: BrokenChain | None = None
    """The error that ends the page early: the next event is missing."""


def recorded_in_stream(
    tx: Transaction, stream: StreamKey, *, after: int, limit: int
) -> RecordedPage:
    """Return the public columns of the events after a version; empty only if there are none.

    Raises:
        BrokenChain: the next event is missing.
    """
    pages = _pages(tx, stream, RECORDED_COLUMNS, after=after, until=LAST, limit=limit)
    return _recorded(stream, next(pages, ()))


def recorded_backwards(
    tx: Transaction, stream: StreamKey, *, after: int, until: int, limit: int
) -> RecordedPage:
    """Return the events from a version on backwards, to the one right after ``after``.

    Raises:
        BrokenChain: the first of them is missing.
    """
    place = place_of(tx, stream)
    if place is None or until <= after:
        return _recorded(stream, ())
    sql = _BACKWARDS.replace(COLUMNS, RECORDED_COLUMNS)
    rows, _ = _rows(tx, sql, (*place, after, until, limit), place)
    count = next((n for n, row in enumerate(rows) if row[VERSION] != until - n), len(rows))
    if count == 0:
        raise missing(stream, until)
    return _recorded(stream, rows[:count])


def _recorded(stream: StreamKey, rows: Sequence[Any]) -> RecordedPage:
    return RecordedPage(stream.tenant, {row[-2]: stream.category for row in rows[:1]}, rows)


def position_of(columns: Sequence[Any]) -> Position:
    """Return the position of an event from ``RECORDED_COLUMNS`` or all columns."""
    return Position._make(columns[:3])


def _pages(
    tx: Transaction,
    stream: StreamKey,
    columns: str,
    *,
    after: int,
    until: int,
    limit: int,
    opened: bool = True,
) -> Iterator[Sequence[Any]]:
    place = place_of(tx, stream)
    if place is None:
        return iter(())
    sql = _FORWARDS.replace(COLUMNS, columns)

    def page(last: int) -> tuple[Sequence[Any], bool]:
        rows, cut = _rows(tx, sql, (*place, last, until, limit), place, opened=opened)
        return rows, cut or len(rows) == limit

    def head() -> int:
        return head_version(tx, stream)

    return unbroken_pages(stream, page, head, VERSION, after=after, until=until)


def _rows(
    tx: Transaction, sql: str, parameters: Sequence[Any], place: Place, *, opened: bool = True
) -> tuple[Sequence[Sequence[Any]], bool]:
    """Return rows of one stream with their contents, and whether those were too much."""

    def key(row: Sequence[Any]) -> EventKey:
        return *place, row[VERSION]

    return page_of_events(tx, sql, parameters, CONTENT, key, opened=opened)


def stored_event(stream: StreamKey, columns: Sequence[Any]) -> StoredEvent:
    """Return the event of a row that begins with the log's columns."""
    return StoredEvent(position_of(columns), stream, *columns[3:15])


def iterate_stream(tx: Transaction, stream: StreamKey) -> Iterator[StoredEvent]:
    """Yield every event of a stream in order, a page in memory at a time.

    Raises:
        BrokenChain: at an event that is missing.
    """
    for page in _pages(tx, stream, COLUMNS, after=0, until=LAST, limit=PAGE):
        for row in page:
            yield stored_event(stream, row)


def event_at(
    tx: Transaction, stream: StreamKey, version: int, *, opened: bool = True
) -> StoredEvent:
    """Return an event of a stream that must exist; ``opened`` as in :func:`read_page`.

    Raises:
        BrokenChain: it is missing.
    """
    place = place_of(tx, stream)
    if place is not None:
        asked = (*place, version - 1, version, 1)
        for row in _rows(tx, _FORWARDS, asked, place, opened=opened)[0]:
            return stored_event(stream, row)
    raise missing(stream, version)


def version_at_time(tx: Transaction, stream: StreamKey, moment_us: int) -> int:
    """Return the highest version recorded at or before a moment; 0 if there is none.

    ``recorded_at`` never decreases along a stream, so this is a binary search.

    Raises:
        BrokenChain: an event is missing.
    """
    place = place_of(tx, stream)
    low, high = 0, head_version(tx, stream)
    while low < high:
        middle = (low + high + 1) // 2
        row = tx.one(_TIME, (*(place or ()), middle))
        if row is None:
            raise missing(stream, middle)
        if row[0] <= moment_us:
            low = middle
        else:
            high = middle - 1
    return low


def actor_of(metadata: bytes | None) -> str | None:
    """Return the writer of an event from its metadata."""
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
    data, decoded = catalogue.decode(
        stored.stream,
        stored.version,
        stored.type,
        schema_version=stored.schema_version,
        data=stored.data,
        content=stored.content,
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
