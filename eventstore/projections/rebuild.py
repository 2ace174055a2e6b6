"""Making the rows of threads what their events say.

A few threads a transaction, under the same locks as their appends; other threads go on. The events
are folded again, and what the tables hold otherwise is written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eventstore.conversation.rows import PROJECTION_VERSION, ThreadRow
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.errors import SchemaTooNew
from eventstore.projections.expected import Expected, expected_of_each
from eventstore.projections.indexes import ContentIndex
from eventstore.projections.kept_rows import ROW_TABLES
from eventstore.projections.thread_table import ThreadKey, ThreadTable, mend
from eventstore.projections.threads import mend_heads
from eventstore.storage.gaps import missing
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.requests import Log
from eventstore.storage.transaction import Transaction

__all__ = ["bring_up_to_date", "next_thread", "next_threads", "rebuild_threads"]


def rebuild_threads(tx: Transaction, log: Log, streams: Sequence[StreamKey]) -> list[int]:
    """Fold the events of threads again and mend their rows; return how many rows each has.

    ``streams`` are threads of one tenant, one after the other in the order of their ids.

    Their heads are taken first, as an append takes them: on PostgreSQL somebody might otherwise add
    to a thread between reading its events and mending its rows.

    Raises:
        BrokenChain: an event is missing, and nothing can be said of what the rows have to be.
    """
    if not streams:
        return []
    tenant = find_tenant(tx, streams[0].tenant) or 0
    category = find_category(tx, ids.THREAD) or 0
    threads = [(tenant, stream.id) for stream in streams]
    places = [(tenant, category, stream.id) for stream in streams]
    heads = tx.ordering.take(tx, places, 1, patient=True).rows
    index = ContentIndex()
    folded = dict(expected_of_each(tx, log, streams[0], streams[-1], index))
    for stream, place in zip(streams, places, strict=True):
        last = folded[stream].version if stream in folded else 0
        if place in heads and last < heads[place].version:
            raise missing(stream, last + 1)
    expected = {(tenant, stream.id): folded[stream] for stream in streams if stream in folded}
    mend(tx, threads, [*_rows(expected), *index.rows(tenant)])
    standing = {key: one.thread for key, one in expected.items() if one.thread is not None}
    mend_heads(tx, threads, {key: thread.head for key, thread in standing.items()})
    tx.flush()  # an append that goes on in this transaction must not meet what waits
    return [len(expected[thread].rows) if thread in expected else 0 for thread in threads]


def _rows(
    expected: dict[ThreadKey, Expected],
) -> list[tuple[ThreadTable, list[tuple[Any, ...]]]]:
    """Return the rows of threads by table, as the tables have them; of every table there is."""
    rows: dict[type[Any], list[tuple[Any, ...]]] = {kind: [] for kind in ROW_TABLES}
    for thread, one in expected.items():
        for (kind, _), row in one.rows.items():
            rows[kind].append((*thread, *ROW_TABLES[kind][0].encode(row)))
    return [(ROW_TABLES[kind][0], found) for kind, found in rows.items()]


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
"""What is done in one transaction: enough to share its commit, too little to hold up an append."""

_NEXT: Final = (
    "SELECT stream, version FROM {streams} WHERE tenant = ?"
    " AND category = (SELECT id FROM {categories} WHERE name = ?) AND stream > ?"
    " ORDER BY stream LIMIT ?"
)


def bring_up_to_date(tx: Transaction, log: Log, stream: StreamKey, row: ThreadRow) -> bool:
    """Rebuild a thread whose rows were written by an older version of the rules, before it is used.

    Returns whether it did. ``row`` is the thread's row as read in this transaction.

    Raises:
        SchemaTooNew: a newer version of the library keeps this thread's rows.
    """
    if row.projection_version > PROJECTION_VERSION:
        raise SchemaTooNew(f"rows {row.projection_version}", f"rows {PROJECTION_VERSION}")
    if row.projection_version == PROJECTION_VERSION:
        return False
    rebuild_threads(tx, log, [stream])
    return True
