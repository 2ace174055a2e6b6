"""The table ``snapshots``, and its comparison with the events.

A row that is missing is no finding, since nothing depends on it. One that differs could show a past
that never was.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

import msgspec

from eventstore.conversation.draft import ThreadDraft
from eventstore.conversation.rows import PROJECTION_VERSION
from eventstore.conversation.snapshot import Snapshot, decoded_snapshot
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.storage.chain_pages import event_hash_at
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.interning import find_category
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.beginnings import starting_state
from eventstore.threads.thread_table import ThreadKey, ThreadTable

__all__ = ["SNAPSHOTS", "threads_with_snapshots", "wrong_snapshots"]

SNAPSHOTS: Final = ThreadTable("snapshots", ("version", "hash", "state"), 1)
_VERSIONS: Final = f"SELECT version {SNAPSHOTS.some_between}"
_THREADS: Final = f"SELECT DISTINCT thread {SNAPSHOTS.some_between} ORDER BY thread"


def threads_with_snapshots(tx: Transaction, first: ThreadKey, last: ThreadKey) -> list[bytes]:
    """Return the threads of a tenant from one id to another that have any, in order."""
    return [bytes(row[0]) for row in tx.all(_THREADS, (*first, last[1]))]


def wrong_snapshots(
    tx: Transaction, log: Log, stream: StreamKey, thread: ThreadKey
) -> Iterator[int]:
    """Yield the versions of a thread whose snapshot is not what the events give, in order."""
    stored = {int(row[0]) for row in tx.all(_VERSIONS, (*thread, thread[1]))}
    place = thread[0], find_category(tx, ids.THREAD) or 0, thread[1]
    draft: ThreadDraft | None = None
    for event in decoded_events(tx, log, stream, until=max(stored, default=0)):
        if draft is None:
            draft = ThreadDraft(starting_state(tx, log, stream.tenant, stream.id, event))
        draft.take(event)
        if event.version in stored:  # one is read at a time: they may be large
            stored.remove(event.version)
            row = SNAPSHOTS.row(tx, (*thread, event.version))
            stands = row is not None and event_hash_at(tx, place, event.version) == row[3]
            if row is None or not stands or not _holds(row[4], draft):
                yield event.version
    yield from sorted(stored)


def _holds(state: bytes, draft: ThreadDraft) -> bool:
    try:
        found = decoded_snapshot(state)
    except (zlib.error, msgspec.DecodeError, TypeError):
        return False
    if found.thread.projection_version != PROJECTION_VERSION:
        return True  # of another version of the library: it is never used
    return found == Snapshot.of(draft)
