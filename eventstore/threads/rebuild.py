"""Rebuild the rows of threads from their events.

The events are folded again, and rows that differ are written anew. A requested rebuild compares
while other transactions go on and writes under the lock of appends, a slice at a time
(:mod:`~eventstore.threads.mending`). A thread whose rows have an older meaning is rebuilt at
once by the first append to it, and blocks other writers meanwhile.
"""

from __future__ import annotations

from typing import Final

from eventstore.conversation.rows import PROJECTION_VERSION, ThreadRow
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.errors import SchemaTooNew
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.expected import expected_rows
from eventstore.threads.indexes import ContentIndex
from eventstore.threads.mending_slices import rows_by_table
from eventstore.threads.snapshot_checks import SNAPSHOTS
from eventstore.threads.thread_rows import mend_heads
from eventstore.threads.thread_table import differences, mend

__all__ = ["bring_up_to_date", "next_thread", "next_threads", "rebuild_thread"]


def rebuild_thread(tx: Transaction, log: Log, stream: StreamKey) -> int:
    """Fold all events of a thread again and mend its rows at once; return how many it has.

    It locks the head first, as an append does: on PostgreSQL another transaction might otherwise
    append between the reading of the events and the mending of the rows. Other writers wait while
    it reads and folds.

    Raises:
        BrokenChain: an event is missing, so the right rows are unknown.
    """
    tenant = find_tenant(tx, stream.tenant) or 0
    thread = (tenant, stream.id)
    tx.ordering.take(tx, [(tenant, find_category(tx, ids.THREAD) or 0, stream.id)], 1, patient=True)
    expected = expected_rows(tx, log, stream, decoded_events(tx, log, stream), ContentIndex())
    mend(tx, differences(tx, [thread], rows_by_table(tenant, {thread: expected})))
    SNAPSHOTS.clear(tx, [thread])
    if expected.thread is not None:
        mend_heads(tx, [thread], {thread: expected.thread.head})
    tx.flush()  # an append that goes on in this transaction must not meet waiting rows
    return len(expected.rows)


def next_thread(tx: Transaction, tenant_name: str, after: bytes) -> bytes | None:
    """Return the thread whose id follows ``after``, by its stream, so lost rows are found too."""
    row = tx.one(_NEXT, (find_tenant(tx, tenant_name), ids.THREAD, after, 1))
    return None if row is None else bytes(row[0])


def next_threads(tx: Transaction, tenant_name: str, after: bytes) -> list[StreamKey]:
    """Return threads whose ids follow ``after``: as many as have few events together, or one."""
    tenant = find_tenant(tx, tenant_name)
    found: list[StreamKey] = []
    events = 0
    for stream, version in tx.all(_NEXT, (tenant, ids.THREAD, after, _THREADS_MAX)):
        events += version
        if found and events > _EVENTS_MAX:
            break
        found.append(StreamKey(tenant_name, ids.THREAD, bytes(stream)))
    return found


_THREADS_MAX: Final = 50
_EVENTS_MAX: Final = 2_000
"""Events compared at a time: enough for one query, few enough for memory."""

_NEXT: Final = (
    "SELECT stream, version FROM {streams} WHERE tenant = ?"
    " AND category = (SELECT id FROM {categories} WHERE name = ?) AND stream > ?"
    " ORDER BY stream LIMIT ?"
)


def bring_up_to_date(tx: Transaction, log: Log, stream: StreamKey, row: ThreadRow) -> bool:
    """Rebuild a thread whose rows were written by an older version of the rules, before it is used.

    Return whether it did. ``row`` is the thread's row as read in this transaction.

    Raises:
        SchemaTooNew: a newer version of the library keeps this thread's rows.
    """
    if row.projection_version > PROJECTION_VERSION:
        raise SchemaTooNew(f"rows {row.projection_version}", f"rows {PROJECTION_VERSION}")
    if row.projection_version == PROJECTION_VERSION:
        return False
    rebuild_thread(tx, log, stream)
    return True
