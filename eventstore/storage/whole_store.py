"""Read the whole store in its order, or a filtered part, in pages and without server cursors.

It returns :class:`~eventstore.storage.read.StoredEvent` to followers of the log, or a
:class:`~eventstore.storage.read.RecordedPage` to show to people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from eventstore.core.events import Position, StreamKey
from eventstore.errors import BrokenChain, StoreUnavailable
from eventstore.storage.blobs import EventKey, page_of_events
from eventstore.storage.gaps import missing
from eventstore.storage.interning import category_name, find_category, find_tenant, tenant_name
from eventstore.storage.read import (
    COLUMNS,
    CONTENT,
    PAGE,
    RECORDED_COLUMNS,
    VERSION,
    RecordedPage,
    StoredEvent,
    stored_event,
)
from eventstore.storage.stream_heads import place_of
from eventstore.storage.transaction import Transaction

__all__ = [
    "NAMES_MAX",
    "START",
    "Filter",
    "StoredPage",
    "check_not_ahead",
    "read_all",
    "recorded_in_all",
]

_STORED: Final = 15
"""Number of columns of an event."""

NAMES_MAX = 1_000
"""Most types, and most categories, of one filter: each is a parameter, and no database or driver
takes fewer than 32,766 of them in a statement."""


class Filter(NamedTuple):
    """A filter on events of the whole store; None means all of them."""

    tenant: str | None = None
    categories: Sequence[str] | None = None
    stream: StreamKey | None = None
    types: Sequence[str] | None = None


START = Position(0, 0, 0)
"""Before every event."""


class StoredPage(NamedTuple):
    """Events in the order of the store, for followers of the log."""

    events: list[StoredEvent]
    more: bool
    """True if others may follow right after them."""
    broken: BrokenChain | None = None
    """The error that ends the page early: the predecessor of the next event is missing."""


def read_all(
    tx: Transaction, only: Filter, *, after: Position = START, limit: int = PAGE
) -> StoredPage:
    """Return the events after a position, in the store's order, that are safe to show.

    Each event is checked against the one before it in its stream, also one that the filter leaves
    out. Missing events at the end of a stream, or a whole missing stream, are not noticed here.

    On PostgreSQL events are held back while an older transaction still runs; see
    :mod:`~eventstore.storage.postgres_ordering`.

    Raises:
        Refused: the schema is distributed over nodes, so there is no such order.
    """
    columns = f"{COLUMNS}, category, stream, tenant, {_FOLLOWS}"
    found, more = _rows(tx, only, (columns, _key), after, limit)
    streams: dict[tuple[int, bytes, int], StreamKey] = {}
    events: list[StoredEvent] = []
    for row in found:
        place = row[_STORED:-1]
        stream = streams.get(place) or _named(tx, streams, *place)
        if not row[-1]:
            return StoredPage(events, False, missing(stream, row[VERSION] - 1))  # noqa: FBT003
        events.append(stored_event(stream, row))
    return StoredPage(events, more)


def check_not_ahead(tx: Transaction, place: Position, whose: str, remedy: str) -> None:
    """Check that a follower's position is not beyond the end of the log.

    The last event is never deleted: a purge appends its tombstone before.

    Raises:
        StoreUnavailable: ``"restored"``; the log went back behind the place.
    """
    backwards = ", ".join(f"{column} DESC" for column in tx.ordering.order.split(", "))
    row = tx.one(f"SELECT epoch, xid, position FROM {{events}} ORDER BY {backwards} LIMIT 1")
    end = START if row is None else Position(*row)
    if place > end:
        raise StoreUnavailable(
            "restored",
            f"{whose} had reached position {place}, but the log ends at {end}: an older backup was"
            " restored, or the position belongs to another store",
            remedy,
        )


_FOLLOWS: Final = (
    "version = 1 OR EXISTS (SELECT 1 FROM {events} before WHERE before.tenant = {events}.tenant"
    " AND before.category = {events}.category AND before.stream = {events}.stream"
    " AND before.version = {events}.version - 1)"
)
"""SQL: the previous event exists, in the same snapshot; a purge deletes a stream as a whole."""


def _key(row: Sequence[Any]) -> EventKey:
    category, stream, tenant, _ = row[-4:]
    return tenant, category, stream, row[VERSION]


def recorded_in_all(
    tx: Transaction, tenant_name: str, *, after: Position, limit: int
) -> RecordedPage:
    """Return a page of one tenant like :func:`read_all`, with public columns.

    An event is checked only against those of its stream on the same page, which costs nothing.
    """
    tenant = find_tenant(tx, tenant_name) or 0

    def key(row: Sequence[Any]) -> EventKey:
        return tenant, row[-2], row[-1], row[VERSION]

    rows, more = _rows(tx, Filter(tenant_name), (RECORDED_COLUMNS, key), after, limit)
    numbers = {row[-2] for row in rows}
    names = {one: category_name(tx, one) for one in numbers}
    last: dict[tuple[bytes, int], int] = {}
    for n, row in enumerate(rows):
        stream, version = (row[-1], row[-2]), row[VERSION]
        before = last.get(stream, 0 if after == START else version - 1)
        if before != version - 1:
            gap = missing(StreamKey(tenant_name, names[row[-2]], row[-1]), before + 1)
            return RecordedPage(tenant_name, names, rows[:n], broken=gap)
        last[stream] = version
    return RecordedPage(tenant_name, names, rows, more)


def _rows(
    tx: Transaction,
    only: Filter,
    what: tuple[str, Callable[[Sequence[Any]], EventKey]],
    after: Position,
    limit: int,
) -> tuple[Sequence[Any], bool]:
    """Return the events after a position: columns as in ``what``, with their keys."""
    columns, key = what
    where, parameters = tx.ordering.after(tx, after)
    selected = _selected(tx, only)
    if selected is None:
        return (), False
    sql = " AND ".join([f"SELECT {columns} FROM {{events}} WHERE {where}", *selected[0]])
    sql = f"{sql} ORDER BY {tx.ordering.order} LIMIT ?"
    rows, cut = page_of_events(tx, sql, (*parameters, *selected[1], limit), CONTENT, key)
    return rows, cut or len(rows) == limit


def _named(
    tx: Transaction,
    streams: dict[tuple[int, bytes, int], StreamKey],
    category: int,
    stream: bytes,
    tenant: int,
) -> StreamKey:
    """Return a stream's key, and cache it: many events of a page belong to one stream."""
    key = StreamKey(tenant_name(tx, tenant), category_name(tx, category), stream)
    streams[category, stream, tenant] = key
    return key


def _selected(tx: Transaction, only: Filter) -> tuple[list[str], list[Any]] | None:
    """Return conditions and their parameters; None if no event can satisfy them."""
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
        place = place_of(tx, only.stream)
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
