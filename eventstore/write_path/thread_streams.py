"""Decides and projects threads, within one transaction.

Each thread has one view for the whole batch: the tenth command sees the changes of the first nine,
and changed rows are written once at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from eventstore.conversation import commands as c
from eventstore.conversation.commands import THREAD_COMMANDS
from eventstore.conversation.commands.checks import check_expected_head
from eventstore.conversation.commands.erase_all import erase_all_found
from eventstore.conversation.commands.erasures import erase_found
from eventstore.conversation.decide import decide
from eventstore.conversation.evolve import evolve
from eventstore.conversation.present import thread_details
from eventstore.conversation.repeats import may_come_of
from eventstore.conversation.rows import Row
from eventstore.conversation.run_lifecycle import HELD, MOVES, MOVING
from eventstore.core.codec import owner_of
from eventstore.core.events import Decided, Event, StreamKey
from eventstore.errors import IdempotencyConflict
from eventstore.storage.erasing import list_content
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads import run_chunks
from eventstore.threads.cached_rows import RowsSavepoint
from eventstore.threads.indexes import ContentIndex, IndexSavepoint, forget_names
from eventstore.threads.leases import database_time, write_leases
from eventstore.threads.past_thread import thread_at
from eventstore.threads.rebuild import bring_up_to_date
from eventstore.threads.stored_thread import StoredThread
from eventstore.threads.writing_rows import write_rows
from eventstore.write_path.erasure_scope import Erasing, find_erasing
from eventstore.write_path.heads import locked_head
from eventstore.write_path.requests import AppendRequest, NewId
from eventstore.write_path.retired_keys import check_key
from eventstore.write_path.thread_deciders import DECIDERS, with_reason

__all__ = ["Guards", "ThreadCategory"]


class Guards(NamedTuple):
    """The arguments of a write besides its commands."""

    expected_head: bytes | None = None
    reason: str | None = None
    erasing: Erasing | None = None
    """For an erasure: the content to erase, if it was found beforehand."""


_NO_GUARDS = Guards()
_BORN: Final = frozenset({"MessageAdded", "MessageRegenerated"})
"""Events that add a message which a run may have been writing."""
_RUN_BEGINS: Final = "RunQueued"
_KEPT = "views of threads"
_VIEWS_KEPT = 4_096
"""Number of threads whose rows the writer keeps between transactions, about 2 kB each."""


class ThreadCategory:
    """Implements ``CategoryHandler`` for the category ``thread``."""

    looks_elsewhere: frozenset[type[Any]] = frozenset(
        kind for kind, declared in THREAD_COMMANDS.items() if declared.looks_at is not None
    )
    """Commands that read more: a fork its source, a run its assistant, an erasure the log."""
    tells: frozenset[type[Any]] = frozenset({c.WriteText})

    def __init__(self, tx: Transaction, log: Log, new_id: NewId) -> None:
        self.tx: Final = tx
        self.log: Final = log
        self.new_id: Final = new_id
        self.index: ContentIndex | None = None
        """The entries to write; made with the first one."""
        self.subject: bytes | None = None
        """Subject of the request that is decided, for text that stands beside the log."""
        self._now_us: int | None = None
        self._views: dict[StreamKey, StoredThread] = tx.cache.setdefault(_KEPT, {})
        self._sessions: dict[StreamKey, _ThreadSession] = {}

    def looks_at(self, request: AppendRequest) -> Iterable[StreamKey]:
        tenant = request.stream.tenant
        for command in request.commands:
            looks_at = THREAD_COMMANDS[type(command)].looks_at
            for category, key in () if looks_at is None else looks_at(command):
                yield StreamKey(tenant, category, key)

    def session(self, stream: StreamKey) -> _ThreadSession:
        session = self._sessions.get(stream)
        if session is None:
            session = self._sessions[stream] = _ThreadSession(self, stream, self._view(stream))
        return session

    def _view(self, stream: StreamKey) -> StoredThread:
        """Return the view that an earlier transaction kept of a thread, or a new one."""
        view = self._views.get(stream)
        if view is not None:
            view.close_books()
        else:
            begun = locked_head(self.tx, stream) is not None
            view = StoredThread(self.tx, self.log, stream.tenant, stream.id, begun=begun)
            row = view.thread
            if row is not None and bring_up_to_date(self.tx, self.log, stream, row):
                view = StoredThread(self.tx, self.log, stream.tenant, stream.id)
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
        rows: list[tuple[int, bytes, Row]] = []
        for session in sessions:
            rows += session.view.take_changed()
        write_rows(self.tx, rows)
        leases = [session.view.take_leases() for session in sessions if session.view.leases]
        if leases:
            write_leases(self.tx, leases)
        if self.index is not None:
            self.index.write(self.tx)
        for session in sessions:
            if session.final:
                session.drop_chunks()
            if session.erased is not None:
                session.erase(session.erased)
        if len(self._views) > _VIEWS_KEPT:
            self._views.clear()


class _Savepoint(NamedTuple):
    """The changes of a request's first commands."""

    view: RowsSavepoint
    entries: IndexSavepoint | None
    erased: Event | None
    final: tuple[bytes, ...]


class _ThreadSession:
    """Implements ``StreamSession`` for one thread."""

    __slots__ = ("_erasing", "_handler", "_lease_us", "_stream", "erased", "final", "view")

    def __init__(self, handler: ThreadCategory, stream: StreamKey, view: StoredThread) -> None:
        self.view: Final = view
        self._handler = handler
        self._stream = stream
        self._lease_us = 0
        """Length of the lease that the present command asks for."""
        self._erasing: Erasing | None = None
        self.erased: Event | None = None
        """The erasure whose content is to be erased once it is written."""
        self.final: tuple[bytes, ...] = ()
        """Messages that were being written and are in the log now."""

    def check(self, request: AppendRequest) -> None:
        if request.options is not None and request.options.expected_head is not None:
            check_expected_head(self.view, request.options.expected_head)

    def decide(self, request: AppendRequest, command: c.Command) -> Sequence[Decided]:
        guards: Guards = request.options or _NO_GUARDS
        look = DECIDERS.get(type(command))
        if isinstance(command, c.StartRun):
            self._lease_us = command.lease_us
        if isinstance(command, c.EraseContent | c.EraseAll):
            self._erasing = guards.erasing or find_erasing(
                self._handler.tx, self.view, command, self.view.traces()
            )
            found = self._erasing.found
            decided: Sequence[Decided] = (
                erase_all_found(self.view, command, found)
                if isinstance(command, c.EraseAll)
                else erase_found(self.view, command, found)
            )
        elif look is None:
            decided = decide(self.view, command, self._handler.new_id)
        else:
            self._handler.subject = request.subject or self._owner_of_run(command)
            decided = look(self._handler, self._stream, self.view, command)
        if guards.reason is not None:
            decided = with_reason(decided, guards.reason)
        if request.subject is None:
            for one in decided:  # a loop, since most messages are of no run
                if getattr(one.data, "run_id", None) is not None and one.type != _RUN_BEGINS:
                    return [self._in_their_name(one) for one in decided]
        return decided

    def _in_their_name(self, decided: Decided) -> Decided:
        """Return an event of a person's run as one in the person's name, unless it has another.

        So the key that is destroyed with the person has sealed it, too.
        """
        subject = decided.subject or self._owner_of_run(decided.data)
        return decided if subject == decided.subject else replace(decided, subject=subject)

    def _owner_of_run(self, about: object) -> bytes | None:
        """Return the person in whose name the run of a command, or of an event, was created."""
        run_id = getattr(about, "run_id", None)
        run = None if run_id is None else self.view.run(run_id)
        subject = None if run is None else run.subject
        if subject is not None and self._handler.log.codec.seals:
            check_key(self._handler.tx, owner_of(self._stream, subject))
        return subject

    def evolve(self, event: Event) -> None:
        view, handler = self.view, self._handler
        rows = evolve(view, event)
        if event.type == "ContentErased" or getattr(event.data, "run_id", None) is not None:
            self.final += _ends_writing(view, event)
        if event.type in MOVING:
            self._move_lease(event)
        view.put(event, rows)
        thread = view.thread
        assert thread is not None  # noqa: S101 (its first event made it)
        content = event.content
        if content is not None and getattr(content, "external_id", content) is not None:
            handler.content_index().see(self._stream, event, thread.created_position)
        if event.type == "ContentErased":
            self._forget(event, thread.created_position)
        if event.type == "ThreadForked":
            inherited = thread_details(view)[1]
            handler.content_index().inherit(self._stream, inherited, thread.created_position)

    def _forget(self, event: Event, created_position: int) -> None:
        """Note that content is to be erased, and index the thread without its metadata."""
        self.erased = event
        if self._erasing is not None and self._erasing.found.renamed:
            metadata = thread_details(self.view)[1]
            self._handler.content_index().describe(self._stream, metadata, created_position)

    def _move_lease(self, event: Event) -> None:
        """Give or end the lease on a run that an event is about to move."""
        view, run_id = self.view, event.data.run_id
        before = view.run(run_id)
        assert before is not None  # noqa: S101 (the event moves it)
        if MOVES[before.status][event.type] not in HELD:
            if before.status in HELD:
                view.leases[run_id] = None
        elif event.type in {"RunStarted", "RunTakenOver"}:
            view.leases[run_id] = self._handler.lease_of(self._lease_us)

    def result(self, command: c.Command, events: Sequence[Event]) -> object:
        return THREAD_COMMANDS[type(command)].result(self.view, command, events)

    def repeated(self, request: AppendRequest, command: c.Command, first: int, last: int) -> object:
        """Rebuild the first result from the events, as of its version; no copy of it is stored.

        Raises:
            IdempotencyConflict: its digest was erased, and the events belong to another command.
        """
        past = thread_at(self._handler.tx, self._handler.log, self._stream, last)
        events = [past.event(version) for version in range(first, last + 1)]
        if not may_come_of(command, events):
            raise IdempotencyConflict(self._stream.text, request.key or "")
        return THREAD_COMMANDS[type(command)].result(past, command, events)

    def savepoint(self) -> _Savepoint:
        index = self._handler.index
        entries = None if index is None else index.savepoint()
        return _Savepoint(self.view.savepoint(), entries, self.erased, self.final)

    def rollback_to(self, savepoint: _Savepoint) -> None:
        view, entries, self.erased, self.final = savepoint
        self.view.rollback_to(view)
        index = self._handler.index
        if entries is None or index is None:
            self._handler.index = None
        else:
            index.rollback_to(entries)

    def summary(self) -> bytes | None:
        """Return the thread's head message, which is stored with the head of the stream."""
        thread = self.view.thread
        return None if thread is None else thread.head

    def drop_chunks(self) -> None:
        """Delete the chunks of messages that were appended, after the events were written."""
        run_chunks.drop(self._handler.tx, self._stream, self.final)
        self.final = ()

    def erase(self, erased: Event) -> None:
        """Erase the content that an event names, after the event was written."""
        erasing, tx = self._erasing, self._handler.tx
        assert erasing is not None  # noqa: S101 (it was decided on)
        list_content(tx, self._stream, erased.version, erased.data.versions, erasing.keys)
        tenant = find_tenant(tx, self._stream.tenant)
        assert tenant is not None  # noqa: S101 (the event interned it)
        forget_names(tx, tenant, self._stream.id, erasing.names)
        self.erased = None


def _ends_writing(view: StoredThread, event: Event) -> tuple[bytes, ...]:
    """Return the messages whose shown text an event makes superfluous, or erases."""
    data = event.data
    if event.type == "ContentErased":
        runs = [view.run(run_id) for run_id in data.run_ids]
        return tuple(run.writing for run in runs if run is not None and run.writing is not None)
    run_id = getattr(data, "run_id", None) if event.type in _BORN else None
    run = None if run_id is None else view.run(run_id)
    ended = run is not None and run.writing == data.message_id
    return (data.message_id,) if ended else ()
