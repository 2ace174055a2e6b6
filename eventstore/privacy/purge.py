"""Purge a thread, and record in its tombstone what remains of it."""

from __future__ import annotations

from msgspec.structs import replace

from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.privacy.remains import projections_behind
from eventstore.storage import read
from eventstore.storage.requests import Appended, AppendRequest, Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.tombstones import find_tombstone
from eventstore.write_path.store_streams import purge_thread

__all__ = ["purge"]


def purge(tx: Transaction, log: Log, request: AppendRequest) -> Appended:
    """Perform the request for a ``PurgeThread``, which goes to the store's stream.

    Raises:
        ConversationStoreError: why it was turned away; then the transaction must be rolled back.
    """
    purged = purge_thread(tx, log, request)
    thread = StreamKey(request.stream.tenant, ids.THREAD, request.commands[0].thread_id)
    version = find_tombstone(tx, thread)
    assert version is not None  # noqa: S101 (it was purged, now or before)
    event = read.event_at(tx, request.stream, version)
    behind = projections_behind(tx, event.position)
    said = {"remains": behind, "pending": bool(behind)}
    return replace(purged, result=purged.result.model_copy(update=said))
