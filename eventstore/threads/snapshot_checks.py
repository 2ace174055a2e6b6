"""The table ``snapshots``, and its comparison with the events.

A row that is missing is no finding, since nothing depends on it. One that differs could show a past
that never was.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from eventstore.conversation.draft import ThreadDraft
from eventstore.conversation.rows import PROJECTION_VERSION
from eventstore.conversation.snapshot import Snapshot, decoded_snapshot
from eventstore.core import ids
from eventstore.storage.chain_pages import event_hash_at
from eventstore.storage.interning import find_category
from eventstore.storage.transaction import Transaction
from eventstore.threads.thread_table import ThreadKey, ThreadTable

__all__ = ["SNAPSHOTS", "StoredSnapshots", "threads_with_snapshots"]

SNAPSHOTS: Final = ThreadTable("snapshots", ("version", "hash", "state"), 1)
_VERSIONS: Final = f"SELECT version {SNAPSHOTS.some_between}"
_THREADS: Final = f"SELECT DISTINCT thread {SNAPSHOTS.some_between} ORDER BY thread"


def threads_with_snapshots(tx: Transaction, first: ThreadKey, last: ThreadKey) -> list[bytes]:
    """Return the threads of a tenant from one id to another that have any, in order."""
    return [bytes(row[0]) for row in tx.all(_THREADS, (*first, last[1]))]


class StoredSnapshots:
    """The snapshots of one thread, held against its states while its events are folded."""

    def __init__(self, tx: Transaction, thread: ThreadKey) -> None:
        self._thread: Final = thread
        self._left = {int(row[0]) for row in tx.all(_VERSIONS, (*thread, thread[1]))}
        self._wrong: list[int] = []

    def see(self, tx: Transaction, draft: ThreadDraft) -> None:
        """Hold the snapshot of a version against the state there, if there is one."""
        if draft.version not in self._left:
            return
        self._left.remove(draft.version)
        tenant, thread = self._thread  # one is read at a time: they may be large
        row = SNAPSHOTS.row(tx, (tenant, thread, draft.version))
        place = tenant, find_category(tx, ids.THREAD) or 0, thread
        stands = row is not None and event_hash_at(tx, place, draft.version) == row[3]
        if row is None or not stands or not _holds(row[4], draft):
            self._wrong.append(draft.version)

    @property
    def wrong(self) -> list[int]:
        """Versions whose snapshot is not what the events give, or that have no event, in order."""
        return sorted([*self._wrong, *self._left])


def _holds(state: bytes, draft: ThreadDraft) -> bool:
    try:
        found = decoded_snapshot(state)
    except (zlib.error, msgspec.DecodeError, TypeError):
        return False
    if found.thread.projection_version != PROJECTION_VERSION:
        return True  # of another version of the library: it is never used
    return found == Snapshot.of(draft)
