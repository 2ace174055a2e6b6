"""Fold a thread's events into the rows that its tables have to hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeAlias

from eventstore.conversation.draft import ThreadDraft
from eventstore.conversation.present import thread_details
from eventstore.conversation.rows import Row, ThreadRow
from eventstore.core.events import Event, StreamKey
from eventstore.storage.folding_pages import decoded_in_streams
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.beginnings import starting_state
from eventstore.threads.indexes import ContentIndex
from eventstore.threads.snapshot_checks import StoredSnapshots, threads_with_snapshots

__all__ = ["Expected", "expected_of_each", "expected_rows"]

_NAMING: Final = frozenset({"ThreadCreated", "ThreadUpdated"})
"""Events that say something of metadata even after they were erased: that there is none."""

Rows: TypeAlias = dict[tuple[type[Any], Any], Any]
"""Rows by their kind, and their key within their thread."""


class Expected:
    """The rows of one thread's events, as far as they were folded."""

    def __init__(
        self, stream: StreamKey, index: ContentIndex, snapshots: StoredSnapshots | None = None
    ) -> None:
        self.rows: Final[Rows] = {}
        self.stream: Final = stream
        self.index: Final = index
        """Receives every folded event."""
        self._snapshots: Final = snapshots
        self._draft: ThreadDraft | None = None

    @property
    def head(self) -> bytes | None:
        """The thread's head; None without events, or without messages."""
        return None if self.thread is None else self.thread.head

    @property
    def version(self) -> int:
        """The version of the last event."""
        return 0 if self.thread is None else self.thread.version

    @property
    def thread(self) -> ThreadRow | None:
        """The thread's own row; None without events."""
        return None if self._draft is None else self._draft.thread

    @property
    def wrong_snapshots(self) -> list[int]:
        """Versions whose snapshot is not the state there, if they are looked at."""
        return [] if self._snapshots is None else self._snapshots.wrong

    def take(self, tx: Transaction, log: Log, event: Event) -> list[Row]:
        """Fold one more event in; return the rows that it changes."""
        stream, index, draft = self.stream, self.index, self._draft
        if draft is None:
            start = starting_state(tx, log, stream.tenant, stream.id, event)
            draft = self._draft = ThreadDraft(start)
        changed = draft.take(event)
        if self._snapshots is not None:
            self._snapshots.see(tx, draft)
        for row in changed:
            kind = type(row)
            self.rows[kind, kind.key_of(row)] = row
        thread = draft.thread
        assert thread is not None  # noqa: S101 (its first event made it)
        if event.content is not None or event.type in _NAMING:
            index.see(stream, event, thread.created_position)
        if event.type == "ThreadForked":
            index.inherit(stream, thread_details(draft)[1], thread.created_position)
        return changed


def expected_rows(
    tx: Transaction,
    log: Log,
    stream: StreamKey,
    events: Iterable[Event],
    index: ContentIndex,
    *,
    snapshots: StoredSnapshots | None = None,
) -> Expected:
    """Fold all events of a thread, and pass each to ``index``, and each state to ``snapshots``."""
    expected = Expected(stream, index, snapshots)
    for event in events:
        expected.take(tx, log, event)
    return expected


def expected_of_each(
    tx: Transaction, log: Log, first: StreamKey, last: StreamKey
) -> Iterator[Expected]:
    """Do the same for every thread of a tenant in a range of ids."""
    tenant = find_tenant(tx, first.tenant) or 0
    patched = {*threads_with_snapshots(tx, (tenant, first.id), (tenant, last.id))}
    events = decoded_in_streams(tx, log, first, last)
    for stream, told in groupby(events, itemgetter(0)):
        kept = StoredSnapshots(tx, (tenant, stream.id)) if stream.id in patched else None
        of_thread = (event for _, event in told)
        yield expected_rows(tx, log, stream, of_thread, ContentIndex(), snapshots=kept)
