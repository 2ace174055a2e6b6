"""Leave snapshots of a long thread, so that no reader ever has all of its history to fold.

Whoever appends past a multiple of :data:`SPAN` events does it, after the commit, as a read. So no
transaction that writes is longer for it, and as each version is appended once, one writer does it
however many there are. What a reader then folds is bounded by :data:`SPAN` and the size of the
state.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from eventstore.conversation.rows import TouchRow
from eventstore.core.events import StreamKey
from eventstore.storage.log import Log
from eventstore.storage.stream_heads import place_of
from eventstore.storage.transaction import Transaction
from eventstore.threads.folding import fold_thread
from eventstore.threads.row_tables import ROW_TABLES
from eventstore.threads.stored_thread import StoredThread

__all__ = ["leave_snapshots", "passes"]

SPAN: Final = 4_096
"""Events of a thread after which a snapshot may be due. Most threads never have so many."""
ROWS_MAX: Final = 65_536
"""Rows of the largest state that a writer takes a snapshot of. The bytes of a larger one might be
too many to be kept (:data:`~eventstore.storage.snapshots.BYTES_MAX`), and it would be folded again
and again."""

_TABLES: Final = [table.name for kind, table in ROW_TABLES.items() if kind is not TouchRow]
_SOME: Final = "SELECT 1 FROM {%s} WHERE tenant = ? AND thread = ?"
_ROWS: Final = (
    f"SELECT count(*) FROM ({' UNION ALL '.join(_SOME % table for table in _TABLES)} LIMIT ?) few"
)


def passes(version: int, events: int) -> bool:
    """Return whether the last so many events up to a version pass a multiple of :data:`SPAN`."""
    return version % SPAN < events


def leave_snapshots(tx: Transaction, log: Log, stream: StreamKey, version: int) -> None:
    """Keep snapshots of a thread up to a version, if they are due.

    They are once there are :data:`SPAN` events since the last one, and twice as many as the state
    has rows. So taking them costs each event its share, and a thread whose events are nearly all
    messages has none. A state of more than :data:`ROWS_MAX` rows is left to readers.

    A snapshot holds no words. So none are read here: they may be many, and their keys far away.
    """
    place = place_of(tx, stream)
    if place is None:  # purged meanwhile
        return
    events = version - log.snapshots.last(tx, place, version)
    if events >= SPAN and not _has_more_rows(tx, log, stream, min(events // 2, ROWS_MAX)):
        fold_thread(tx, replace(log, words=False), stream.tenant, stream.id, until=version)


def _has_more_rows(tx: Transaction, log: Log, stream: StreamKey, most: int) -> bool:
    """Return whether the state of a thread has more rows than that, inherited messages included.

    The depth of the head answers for a long conversation, of which no rows need to be counted.
    """
    view = StoredThread(tx, log, stream.tenant, stream.id)
    thread = view.thread
    head = None if thread is None or thread.head is None else view.message(thread.head)
    depth = 0 if head is None or head.place is None else head.place.depth
    inherited = 0 if thread is None or thread.fork is None else thread.fork.place.depth
    left = most - inherited
    if depth > most or left < 0:
        return True
    row = tx.one(_ROWS, (*(view.tenant, stream.id) * len(_TABLES), left + 1))
    return row is not None and row[0] > left
