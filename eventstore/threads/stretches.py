"""Read much of a thread at once: a stretch of messages with events, or a thread with its end.

Everything else is read by key, a row at a time, which is enough for deciding. Here each function is
one statement, because a trip to a server costs more than the data it brings. It selects only needed
columns, because making a Python value of each is most of the cost of reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from eventstore.conversation.rows import MessageRow, SegmentRow, ThreadRow
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey
from eventstore.storage.blobs import EventKey, rows_of_events
from eventstore.storage.folding_pages import DECODED_COLUMNS, decoded_columns, event_decoder
from eventstore.storage.gaps import missing
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.ancestry import climbing
from eventstore.threads.message_rows import MESSAGES
from eventstore.threads.shape import SEGMENTS_MAX
from eventstore.threads.thread_rows import DECODED, STANDING, THREADS
from eventstore.threads.tree_tables import SEGMENTS

__all__ = ["Ending", "read_climbing", "read_ending", "read_everything", "read_stretch"]


def _columns(alias: str, columns: list[str]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)


_MESSAGES: Final = (
    f"SELECT {_columns('m', MESSAGES.columns)}, {decoded_columns('e')}"
    " FROM {messages} m LEFT JOIN {events} e ON e.tenant = m.tenant AND e.category = ?"
    " AND e.stream = m.thread AND e.version = coalesce(m.queued_version, m.version)"
    " WHERE m.tenant = ? AND m.thread = ? AND m.hop = 0"
)
_STRETCH: Final = f"{_MESSAGES} AND m.segment = ? AND m.depth BETWEEN ? AND ? ORDER BY m.depth"
_EVERYTHING: Final = (
    f"{_MESSAGES} AND (m.segment, m.depth) > (?, ?) ORDER BY m.segment, m.depth LIMIT ?"
)
_CLIMBING: Final = (
    climbing(
        "SELECT 0, 0, t.thread, CAST(0 AS BIGINT), CAST(0 AS INTEGER), CAST(? AS BIGINT),"
        " CAST(? AS BIGINT) FROM {threads} t WHERE t.tenant = ? AND t.thread = ?",
        until=" AND u.depth >= ?",
    )
    + f" SELECT {_columns('m', MESSAGES.columns)}, {decoded_columns('e')}, u.hop"
    " FROM up u CROSS JOIN {segments} g CROSS JOIN {messages} m LEFT JOIN {events} e"
    " ON e.tenant = m.tenant AND e.category = ? AND e.stream = m.thread"
    " AND e.version = coalesce(m.queued_version, m.version)"
    " WHERE u.forks = 0 AND u.depth >= ? AND g.tenant = ? AND g.thread = u.thread"
    " AND g.hop = 0 AND g.segment = u.segment AND m.tenant = g.tenant AND m.thread = g.thread"
    " AND m.hop = 0 AND m.segment = g.segment AND m.depth <= u.depth"
    " AND m.depth >= CASE WHEN g.parent_depth < ? THEN ? ELSE g.parent_depth + 1 END"
)
"""SQLite joins in the order in which tables are named here; it cannot know how few rows climb. Of
two lower limits of the depth it would look for one, and read every row up to the other."""
_MESSAGE: Final = len(MESSAGES.columns)
_VERSION: Final = _MESSAGE + DECODED_COLUMNS.index("version")
_CONTENT: Final = _MESSAGE + DECODED_COLUMNS.index("content")
_PAGE: Final = 1_000
"""Messages read at a time: 10,000 rows leave the processor's caches before they are used."""

_ENDING: Final = (
    f"SELECT {', '.join(DECODED)}, {_columns('m', MESSAGES.columns)},"
    f" {_columns('g', SEGMENTS.columns)},"
    " (SELECT count(*) FROM (SELECT 1 FROM {segments} c WHERE c.tenant = t.tenant"
    f" AND c.thread = t.thread LIMIT {SEGMENTS_MAX + 1}) AS few)"
    f" FROM {STANDING}"
    " LEFT JOIN {messages} m ON m.tenant = t.tenant AND m.thread = t.thread"
    " AND m.message = s.summary"
    " LEFT JOIN {segments} g ON g.tenant = m.tenant AND g.thread = m.thread"
    " AND g.hop = 0 AND m.hop = 0 AND g.segment = m.segment"
    " WHERE t.tenant = ? AND t.thread = ?"
)
_THREAD: Final = len(DECODED)


def read_stretch(
    tx: Transaction, log: Log, stream: StreamKey, stretch: tuple[int, int, int]
) -> Iterator[tuple[MessageRow, Event]]:
    """Yield a thread's own messages of a segment at depths start..end, each with its event.

    Raises:
        BrokenChain: at a message whose event is missing.
    """
    decode_row = MESSAGES.decode
    decode_event = event_decoder(log, stream)
    segment, start, end = stretch
    for first in range(start, end + 1, _PAGE):
        where = (segment, first, min(first + _PAGE - 1, end))
        for columns in _page(tx, stream, _STRETCH, where):
            row = decode_row(columns[:_MESSAGE])
            if columns[_VERSION] is None:
                raise missing(stream, row.content_version)
            yield row, decode_event(columns[_MESSAGE:])


def read_everything(
    tx: Transaction, log: Log, stream: StreamKey
) -> Iterator[tuple[MessageRow, Event]]:
    """Yield all of a thread's own messages that have a place, each with its event.

    Raises:
        BrokenChain: at a message whose event is missing.
    """
    decode_event = event_decoder(log, stream)
    last, full = (0, 0), True
    while full:
        page = _page(tx, stream, _EVERYTHING, (*last, _PAGE))
        for columns in page:
            row = MESSAGES.decode(columns[:_MESSAGE])
            assert row.place is not None  # noqa: S101 (asked for)
            last = row.place[1:]
            if columns[_VERSION] is None:
                raise missing(stream, row.content_version)
            yield row, decode_event(columns[_MESSAGE:])
        full = len(page) == _PAGE


def _page(
    tx: Transaction, stream: StreamKey, sql: str, where: tuple[int, ...]
) -> Sequence[Sequence[Any]]:
    """Return rows of messages with their events' columns and contents, wherever these stand."""
    tenant, category = find_tenant(tx, stream.tenant), find_category(tx, ids.THREAD)
    if tenant is None or category is None:
        return ()

    def key(columns: Sequence[Any]) -> EventKey:
        return tenant, category, stream.id, columns[_VERSION]

    return rows_of_events(tx, sql, (category, tenant, stream.id, *where), _CONTENT, key)


def read_climbing(
    tx: Transaction, log: Log, stream: StreamKey, stretch: tuple[int, int, int]
) -> list[tuple[int, MessageRow, Event]]:
    """Return the path from a place of a thread upwards, each message with its event, oldest first.

    ``stretch`` is the place's segment, the depth to climb to, and its own depth. The climb
    continues through inherited messages; each message comes with the number of forks up to its
    thread.

    Raises:
        BrokenChain: at a message whose event is missing.
    """
    tenant, category = find_tenant(tx, stream.tenant), find_category(tx, ids.THREAD)
    if tenant is None or category is None:
        return []
    place = tenant, category
    segment, first, last = stretch

    def key(columns: Sequence[Any]) -> EventKey:
        return *place, columns[0], columns[_VERSION]

    start = (segment, last, tenant, stream.id, tenant, tenant, first)
    where = (*start, category, first, tenant, first, first)
    found = []
    for columns in rows_of_events(tx, _CLIMBING, where, _CONTENT, key):
        told, row = stream._replace(id=bytes(columns[0])), MESSAGES.decode(columns[:_MESSAGE])
        if columns[_VERSION] is None:
            raise missing(told, row.content_version)
        found.append((columns[-1], row, event_decoder(log, told)(columns[_MESSAGE:-1])))
    return sorted(found, key=_depth)


def _depth(found: tuple[int, MessageRow, Event]) -> int:
    place = found[1].place
    return 0 if place is None else place.depth


class Ending(NamedTuple):
    """A thread's row, and its end if that is one of its own messages."""

    thread: ThreadRow
    head: MessageRow | None
    segment: SegmentRow | None
    segments: int
    """Number of segments, counted up to ``SEGMENTS_MAX + 1``."""


def read_ending(tx: Transaction, tenant: int, thread_id: bytes) -> Ending | None:
    """Return a thread with its head and the head's segment, in one trip."""
    columns = tx.one(_ENDING, (tenant, thread_id))
    if columns is None:
        return None
    head, segment = columns[_THREAD : _THREAD + _MESSAGE], columns[_THREAD + _MESSAGE : -1]
    return Ending(
        THREADS.decode(columns[:_THREAD]),
        None if head[0] is None else MESSAGES.decode(head),
        None if segment[0] is None else SEGMENTS.decode(segment),
        columns[-1],
    )
