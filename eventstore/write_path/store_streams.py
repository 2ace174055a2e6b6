"""Decides and projects a tenant's store stream: purges threads for good.

A purge is one request to the store's stream. The stream gets a tombstone for each purged thread;
with forks, the tombstones of the forks come first, leaves before their sources.

What must stay true: **no transaction reads from a purged thread.** An append to a fork reads the
source without locking it. So a purge locks the heads of the thread and of all forks that it purges,
and then looks for forks again. If it finds one whose head it has not locked, that fork is new, and
the purge starts over. Afterwards no fork can be made: making one locks the head of the thread,
which no longer exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from eventstore.conversation import events as e
from eventstore.conversation.commands.checks import check_expected_head, decided
from eventstore.conversation.commands.purging import check_purge
from eventstore.conversation.store_events import (
    EraseSubject,
    EraseTenant,
    EraseVersions,
    KeyRotated,
    MarkVerified,
    PurgeStreams,
    PurgeThread,
    RotateKey,
    StreamsPurged,
    SubjectErased,
    TenantErased,
    TenantVerified,
    ThreadPurged,
    content_erased,
)
from eventstore.conversation.tombstone import Tombstone, tombstone_value
from eventstore.core import expectations, ids
from eventstore.core.events import Decided, Event, StreamKey
from eventstore.errors import ThreadNotFound
from eventstore.storage import read, stream_heads
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.log import Log
from eventstore.storage.ordering import Place
from eventstore.storage.purging import purge_stream
from eventstore.storage.transaction import Transaction
from eventstore.threads.forks import direct_forks, forks_below
from eventstore.threads.removal import remove_thread
from eventstore.threads.stored_thread import StoredThread
from eventstore.threads.tombstones import add_tombstones, find_tombstone
from eventstore.write_path.requests import AppendRequest, NewId, StreamSession
from eventstore.write_path.thread_session import Guards

__all__ = ["PurgeOptions", "StoreHandler", "store_stream"]

StoreCommand: TypeAlias = (
    PurgeThread
    | PurgeStreams
    | EraseSubject
    | EraseTenant
    | EraseVersions
    | RotateKey
    | MarkVerified
)

_DROP_ASSISTANT: Final = "DELETE FROM {assistants} WHERE tenant = ? AND assistant = ?"


def store_stream(tenant: str) -> StreamKey:
    """Return a tenant's stream for events that belong to no thread and no assistant."""
    return StreamKey(tenant, ids.STORE, ids.derived(ids.STORE, tenant))


def _recorded(request: AppendRequest, command: EraseSubject | EraseTenant) -> Decided:
    data: SubjectErased | TenantErased
    if isinstance(command, EraseSubject):
        data = SubjectErased(command.subject_id, command.streams, command.events)
    else:
        data = TenantErased(command.streams, command.purged)
    reason = getattr(request.options, "reason", None)
    return decided(data, None if reason is None else e.Note(reason=reason))


def _key_rotated(request: AppendRequest, command: RotateKey) -> Decided:
    data = KeyRotated(command.master, command.formers, command.keys)
    reason = getattr(request.options, "reason", None)
    return decided(data, None if reason is None else e.Note(reason=reason))


class PurgeOptions(NamedTuple):
    """The arguments of the request to the store's stream, besides its command."""

    guards: Guards | None
    along: frozenset[bytes]
    """Forks to purge with the thread, as found before their heads were locked."""


_StoreRequest: TypeAlias = AppendRequest[StoreCommand, PurgeOptions]
"""A write to a tenant's own stream; one that purges a thread has options."""


class StoreHandler:
    """Implements ``CategoryHandler`` for the category ``store``."""

    watching: frozenset[type[Any]] = frozenset({PurgeThread, PurgeStreams})
    waking: frozenset[type[Any]] = frozenset()

    def __init__(self, tx: Transaction, log: Log, _: NewId) -> None:
        self._tx = tx
        self._log = log
        self._sessions: dict[StreamKey, _StoreSession] = {}

    def watched(self, request: _StoreRequest) -> Iterable[StreamKey]:
        """Return the thread and the forks purged with it, the same before and after locking."""
        [command] = request.commands
        if isinstance(command, PurgeStreams):
            for category, key in command.streams:
                yield StreamKey(request.stream.tenant, category, key)
        if not isinstance(command, PurgeThread):
            return
        purge = request.options
        assert purge is not None  # noqa: S101 (see privacy.purge)
        for thread_id in (command.thread_id, *purge.along):
            yield StreamKey(request.stream.tenant, ids.THREAD, thread_id)

    def session(self, stream: StreamKey) -> StreamSession[Any, Any]:
        if stream not in self._sessions:
            self._sessions[stream] = _StoreSession(self._tx, self._log, stream)
        return self._sessions[stream]

    def write(self) -> None:
        for session in self._sessions.values():
            session.write()


class _StoreSession:
    """Implements ``StreamSession`` for one tenant's store stream."""

    def __init__(self, tx: Transaction, log: Log, stream: StreamKey) -> None:
        self._tx = tx
        self._log = log
        self._stream = stream
        self._purged: list[Event] = []

    def check(self, request: AppendRequest) -> None:
        """Check nothing here: the guards concern the thread and are checked when it is read."""

    def decide(self, request: AppendRequest, command: StoreCommand) -> Sequence[Decided]:
        if isinstance(command, PurgeThread):
            return self._purge(request, command)
        if isinstance(command, EraseVersions):
            return [content_erased(command)]
        if isinstance(command, PurgeStreams):
            return self._purge_streams(command)
        if isinstance(command, MarkVerified):
            data = TenantVerified(command.position, command.streams, command.digest)
            return [decided(data)]
        if isinstance(command, RotateKey):
            return [_key_rotated(request, command)]
        return [_recorded(request, command)]

    def _purge_streams(self, command: PurgeStreams) -> Sequence[Decided]:
        """Decide the tombstone of streams; those that are gone are left out."""
        found = []
        for category, key in command.streams:
            head = stream_heads.head_of(self._tx, StreamKey(self._stream.tenant, category, key))
            if head is not None:
                found.append((category, key, head.version, head.hash))
        return [decided(StreamsPurged(tuple(found)))] if found else []

    def _purge(self, request: _StoreRequest, command: PurgeThread) -> Sequence[Decided]:
        purge = request.options
        assert purge is not None  # noqa: S101 (see privacy.purge)
        thread = self._thread(command.thread_id)
        view = StoredThread(self._tx, self._log, thread.tenant, thread.id)
        head = stream_heads.head_of(self._tx, thread)
        if view.thread is None or head is None:
            if find_tombstone(self._tx, thread) is None:
                raise ThreadNotFound(thread.text)
            return []
        expectations.check(command.expected_version, head.version, thread)
        if purge.guards is not None and purge.guards.expected_head is not None:
            check_expected_head(view, purge.guards.expected_head)
        check_purge(view, view.thread, self._in_the_way(command), busy=command.busy)
        along = self._along(command, purge.along)
        reason = None if purge.guards is None else purge.guards.reason
        purged = partial(self._thread_purged, command, reason)
        events = [purged(thread._replace(id=fork)) for fork in reversed(along)]
        return [*events, purged(thread, tuple(along))]

    def _in_the_way(self, command: PurgeThread) -> Sequence[bytes]:
        tenant = self._place(self._thread(command.thread_id))[0]
        return () if command.with_forks else direct_forks(self._tx, tenant, command.thread_id)

    def _along(self, command: PurgeThread, known: frozenset[bytes]) -> list[bytes]:
        """Return the forks to purge with the thread, in the order in which they were forked.

        Starts over if the head of one is not locked: that fork was made meanwhile.
        """
        if not command.with_forks:
            return []
        tenant = self._place(self._thread(command.thread_id))[0]
        along = forks_below(self._tx, tenant, command.thread_id)
        new = [self._place(self._thread(one)) for one in along if one not in known]
        if new:
            self._tx.ordering.confirm_absent(self._tx, new)
        return along

    def _thread_purged(
        self,
        command: PurgeThread,
        reason: str | None,
        thread: StreamKey,
        along: tuple[bytes, ...] = (),
    ) -> Decided:
        view = StoredThread(self._tx, self._log, thread.tenant, thread.id)
        head = stream_heads.head_of(self._tx, thread)
        assert view.thread is not None  # noqa: S101 (its row was just found)
        assert head is not None  # noqa: S101
        check_purge(view, view.thread, (), busy=command.busy)
        data = ThreadPurged(thread.id, head.version, head.hash, along)
        return decided(data, None if reason is None else e.Note(reason=reason))

    def _thread(self, thread_id: bytes) -> StreamKey:
        return StreamKey(self._stream.tenant, ids.THREAD, thread_id)

    def _place(self, thread: StreamKey) -> Place:
        tenant = find_tenant(self._tx, thread.tenant)
        category = find_category(self._tx, thread.category)
        assert tenant is not None  # noqa: S101 (the thread exists)
        assert category is not None  # noqa: S101
        return tenant, category, thread.id

    def evolve(self, event: Event) -> None:
        if isinstance(event.data, ThreadPurged | StreamsPurged):
            self._purged.append(event)

    def result(self, command: StoreCommand, events: Sequence[Event]) -> Tombstone | None:
        """Return the tombstone; a thread that was purged before has one already."""
        if not isinstance(command, PurgeThread):
            return None
        if events:
            return tombstone_value(events[-1])
        version = find_tombstone(self._tx, self._thread(command.thread_id))
        assert version is not None  # noqa: S101 (decided)
        return self._tombstone(version)

    def repeated(self, _: AppendRequest, command: object, __: int, last: int) -> Tombstone | None:
        return None if not isinstance(command, PurgeThread) else self._tombstone(last)

    def _tombstone(self, version: int) -> Tombstone:
        stored = read.event_at(self._tx, self._stream, version)
        return tombstone_value(read.as_event(self._log, stored))

    def savepoint(self) -> int:
        return len(self._purged)

    def rollback_to(self, savepoint: int) -> None:
        del self._purged[savepoint:]

    def summary(self) -> None:
        """Return nothing: no summary is stored with the head."""

    def write(self) -> None:
        """Delete the purged threads, and remember their ids."""
        purged, self._purged = self._purged, []
        rows = []
        for event in purged:
            if isinstance(event.data, StreamsPurged):
                self._remove(event.data)
                continue
            place = self._place(self._thread(event.data.thread_id))
            remove_thread(self._tx, place)
            rows.append((place[0], place[2], event.version))
        add_tombstones(self._tx, rows)

    def _remove(self, data: StreamsPurged) -> None:
        for category, key, _, __ in data.streams:
            place = self._place(StreamKey(self._stream.tenant, category, key))
            if category == ids.ASSISTANT:
                self._tx.run(_DROP_ASSISTANT, (place[0], key))
            purge_stream(self._tx, place)
