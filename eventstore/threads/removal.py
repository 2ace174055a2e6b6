"""Remove a thread for good: all of its rows, then its stream."""

from __future__ import annotations

from eventstore.storage.ordering import Place
from eventstore.storage.purging import purge_stream
from eventstore.storage.transaction import Transaction
from eventstore.threads.indexes import clear_indexes
from eventstore.threads.leases import LEASES
from eventstore.threads.row_tables import ROW_TABLES
from eventstore.threads.run_chunks import RUN_CHUNKS
from eventstore.threads.snapshot_checks import SNAPSHOTS

__all__ = ["remove_thread"]


def remove_thread(tx: Transaction, place: Place) -> None:
    """Delete a thread's decision tables, leases, chunks, snapshots, index entries and events."""
    tenant, _, thread_id = place
    for table in ROW_TABLES.values():
        table.clear(tx, [(tenant, thread_id)])
    LEASES.clear(tx, [(tenant, thread_id)])
    RUN_CHUNKS.clear(tx, [(tenant, thread_id)])
    SNAPSHOTS.clear(tx, [(tenant, thread_id)])
    clear_indexes(tx, [(tenant, thread_id)])
    purge_stream(tx, place)
