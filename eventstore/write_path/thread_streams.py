"""Decides and projects threads, within one transaction.

Each thread has one view for the whole batch: the tenth command sees the changes of the first nine,
and changed rows are written once at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from eventstore.conversation import commands as c
from eventstore.conversation.commands import THREAD_COMMANDS
from eventstore.conversation.rows import Row
from eventstore.core.events import StreamKey
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.indexes import ContentIndex
from eventstore.threads.leases import LeaseChanges, database_time, write_leases
from eventstore.threads.rebuild import bring_up_to_date
from eventstore.threads.row_tables import ROW_TABLES
from eventstore.threads.stored_thread import StoredThread
from eventstore.threads.thread_table import ThreadKey
from eventstore.write_path.heads import locked_head
from eventstore.write_path.requests import AppendRequest, NewId
from eventstore.write_path.thread_session import ThreadSession

__all__ = ["ThreadHandler"]


_KEPT = "views of threads"
_VIEWS_KEPT = 4_096
"""Number of threads whose rows the writer keeps between transactions, about 2 kB each."""


class ThreadHandler:
    """Implements ``CategoryHandler`` for the category ``thread``."""

    watching: frozenset[type[Any]] = frozenset(
        kind for kind, declared in THREAD_COMMANDS.items() if declared.watched is not None
    )
    """Commands that read more: a fork its source, a run its assistant, an erasure the log."""
    waking: frozenset[type[Any]] = frozenset({c.WriteText})

    def __init__(self, tx: Transaction, log: Log, new_id: NewId) -> None:
        self.tx: Final = tx
        self.log: Final = log
        self.new_id: Final = new_id
        self.index: ContentIndex | None = None
        """The entries to write; made with the first one."""
        self._now_us: int | None = None
        self._views: dict[StreamKey, StoredThread] = tx.cache.setdefault(_KEPT, {})
        self._sessions: dict[StreamKey, ThreadSession] = {}

    def watched(self, request: AppendRequest) -> Iterable[StreamKey]:
        tenant = request.stream.tenant
        for command in request.commands:
            watched = THREAD_COMMANDS[type(command)].watched
            for category, key in () if watched is None else watched(command):
                yield StreamKey(tenant, category, key)

    def session(self, stream: StreamKey) -> ThreadSession:
        session = self._sessions.get(stream)
        if session is None:
            view = self._views.get(stream) or self._view(stream)
            session = self._sessions[stream] = ThreadSession(self, stream, view)
        return session

    def _view(self, stream: StreamKey) -> StoredThread:
        """Return a new view of a thread of which no earlier transaction kept one."""
        begun = locked_head(self.tx, stream) is not None
        view = StoredThread(self.tx, self.log, stream.tenant, stream.id, begun=begun)
        row = view.thread
        if row is not None and bring_up_to_date(self.tx, self.log, stream, row):
            view = StoredThread(self.tx, self.log, stream.tenant, stream.id)
        if len(self._views) > _VIEWS_KEPT:
            self._views.clear()  # the sessions of this batch have theirs
        self._views[stream] = view
        return view

    def lease_of(self, lease_us: int) -> int:
        """Return the end of a lease that begins now, by the database's clock, which is read once.

        That costs a trip to a server, and only giving and moving a lease pays for it.
        """
        if self._now_us is None:
            self._now_us = database_time(self.tx)
        return self._now_us + lease_us

    def content_index(self) -> ContentIndex:
        """Return the index entries of the batch, to add some."""
        if self.index is None:
            self.index = ContentIndex()
        return self.index

    def write(self) -> None:
        sessions = self._sessions.values()
        by_kind: dict[type[Row], list[tuple[int, bytes, Row]]] = defaultdict(list)
        leases: list[tuple[ThreadKey, LeaseChanges]] = []
        for session in sessions:
            view = session.view
            for entry in view.take_changed():
                by_kind[type(entry[2])].append(entry)
            if view.leases:
                leases.append(view.take_leases())
        for kind, entries in by_kind.items():
            ROW_TABLES[kind].write(self.tx, entries)
        if leases:
            write_leases(self.tx, leases)
        if self.index is not None:
            self.index.write(self.tx)
        for session in sessions:
            if session.final:
                session.drop_chunks()
            if session.erased is not None:
                session.erase(session.erased)
        # They refer to this handler: left here, they would wait for the garbage collector.
        self._sessions.clear()
