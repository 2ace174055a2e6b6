"""Deciding and projecting for a tenant's store stream: threads that are removed for good.

A purge moves several streams at once, so it is one call of ``append_many`` with a request for each:
the forks, which get copies of what they inherit, and then the store's stream, which gets the
tombstone. All of them happen or, since a refusal is raised, none.

What must stay true: **nobody reads from a thread that is gone.** Whoever appends to a fork reads
its source without holding it. So a purge holds the heads of the thread, of its forks, of their
forks and so on, and looks again once it has them: a fork that was made meanwhile is one whose head
it does not hold, and then the purge is done again. Afterwards nobody can make another: that takes
the head of the thread, which is not there any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation.decide.common import check_expected_head, decided
from eventstore.conversation.decide.purging import check_purge
from eventstore.conversation.store_events import PurgeThread, ThreadPurged
from eventstore.conversation.tombstone import Tombstone, tombstone_value
from eventstore.conversing.threads import Guards
from eventstore.core import expectations, ids
from eventstore.core.events import Decided, Event, StreamKey
from eventstore.errors import ThreadNotFound
from eventstore.projections.forks import copied_forks, direct_forks, readers_of
from eventstore.projections.removal import remove_thread
from eventstore.projections.stored_thread import StoredThread
from eventstore.projections.tombstones import add_tombstones, find_tombstone
from eventstore.storage import read
from eventstore.storage.append import append_many
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.ordering import Place
from eventstore.storage.requests import Appended, AppendRequest, Decider, Failed, Log
from eventstore.storage.transaction import Transaction

__all__ = ["StoreDeciding", "purge_thread", "store_stream"]


def store_stream(tenant: str) -> StreamKey:
    """Return the one stream of a tenant for what belongs to no thread and no assistant."""
    return StreamKey(tenant, ids.STORE, ids.derived(ids.STORE, tenant))


class _Purge(NamedTuple):
    """What the request to the store's stream says besides its command."""

    guards: Guards | None
    readers: frozenset[bytes]
    """Threads that read from the purged one, as far as was known before their heads were taken."""


def purge_thread(tx: Transaction, log: Log, request: AppendRequest) -> Appended:
    """Purge a thread: ``request`` is the one to the store's stream. Its result is a tombstone.

    Raises:
        Whatever a request is refused for; the transaction must then be rolled back.
    """
    [command] = request.commands
    tenant = find_tenant(tx, request.stream.tenant)
    readers: frozenset[bytes] = frozenset()
    copying: list[AppendRequest] = []
    if tenant is not None:
        readers = readers_of(tx, tenant, command.thread_id)
        forks = direct_forks(tx, tenant, command.thread_id) if command.copying else []
        copying = [_copying(request, command.thread_id, fork) for fork in forks]
    purge = replace(request, options=_Purge(request.options, readers))
    outcomes = append_many(tx, [*copying, purge], log)
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            raise outcome.error
    tx.kept.clear()  # rows and heads of what is gone
    appended = [outcome for outcome in outcomes if isinstance(outcome, Appended)]
    positions = tuple(position for outcome in appended for position in outcome.positions)
    return replace(appended[-1], positions=positions)


def _copying(request: AppendRequest, source_id: bytes, fork: bytes) -> AppendRequest:
    """Return the request that lets a fork stand by itself."""
    return AppendRequest(
        StreamKey(request.stream.tenant, ids.THREAD, fork),
        (c.CopyPrefix(source_id=source_id),),
        metadata=request.metadata,
        actor=request.actor,
    )


class StoreDeciding:
    """Keeps ``storage.requests.Deciding`` for the category ``store``."""

    looks_elsewhere: frozenset[type[Any]] = frozenset({PurgeThread})

    def __init__(self, tx: Transaction, log: Log) -> None:
        self._tx = tx
        self._log = log
        self._deciders: dict[StreamKey, _StoreDecider] = {}

    def looks_at(self, request: AppendRequest) -> Iterable[StreamKey]:
        """The thread and all that read from it; the same before and after they were taken."""
        purge: _Purge = request.options
        for thread_id in (request.commands[0].thread_id, *purge.readers):
            yield StreamKey(request.stream.tenant, ids.THREAD, thread_id)

    def decider(self, stream: StreamKey) -> Decider:
        if stream not in self._deciders:
            self._deciders[stream] = _StoreDecider(self._tx, self._log, stream)
        return self._deciders[stream]

    def write(self) -> None:
        for decider in self._deciders.values():
            decider.write()


class _StoreDecider:
    """Keeps ``storage.requests.Decider`` for one tenant's store stream."""

    def __init__(self, tx: Transaction, log: Log, stream: StreamKey) -> None:
        self._tx = tx
        self._log = log
        self._stream = stream
        self._purged: list[Event] = []

    def check(self, request: AppendRequest) -> None:
        """The guards are about the thread, and held where it is looked at."""

    def decide(self, request: AppendRequest, command: PurgeThread) -> Sequence[Decided]:
        purge: _Purge = request.options
        thread = self._thread(command.thread_id)
        view = StoredThread(self._tx, self._log, thread.tenant, thread.id)
        head = read.head_of(self._tx, thread)
        if view.thread is None or head is None:
            if find_tombstone(self._tx, thread) is None:
                raise ThreadNotFound(thread.text)
            return []
        expectations.check(command.expected_version, head.version, thread)
        if purge.guards is not None and purge.guards.expected_head is not None:
            check_expected_head(view, purge.guards.expected_head)
        tenant, _, _ = self._place(thread)
        forks = direct_forks(self._tx, tenant, thread.id)
        self._confirm_held(thread, readers_of(self._tx, tenant, thread.id) - purge.readers)
        self._confirm_held(thread, forks if command.copying else ())  # not copied: not known before
        check_purge(view, view.thread, forks)
        copied = tuple(copied_forks(self._tx, tenant, thread.id))
        data = ThreadPurged(thread.id, head.version, head.hash, copied)
        reason = None if purge.guards is None else purge.guards.reason
        return [decided(data, None if reason is None else e.Note(reason=reason))]

    def _thread(self, thread_id: bytes) -> StreamKey:
        return StreamKey(self._stream.tenant, ids.THREAD, thread_id)

    def _confirm_held(self, thread: StreamKey, others: Iterable[bytes]) -> None:
        """Begin again if there is a reader whose head was not taken: it was made meanwhile."""
        places = [self._place(thread._replace(id=other)) for other in others]
        if places:
            self._tx.ordering.confirm_absent(self._tx, places)

    def _place(self, thread: StreamKey) -> Place:
        tenant = find_tenant(self._tx, thread.tenant)
        category = find_category(self._tx, thread.category)
        assert tenant is not None  # noqa: S101 (the thread exists)
        assert category is not None  # noqa: S101
        return tenant, category, thread.id

    def evolve(self, event: Event) -> None:
        self._purged.append(event)

    def result(self, command: PurgeThread, events: Sequence[Event]) -> Tombstone:
        """Return the tombstone, also for a thread that was purged before."""
        if events:
            return tombstone_value(events[0])
        version = find_tombstone(self._tx, self._thread(command.thread_id))
        assert version is not None  # noqa: S101 (decided)
        return self._tombstone(version)

    def repeated(self, _: AppendRequest, __: object, first: int, ___: int) -> Tombstone:
        return self._tombstone(first)

    def _tombstone(self, version: int) -> Tombstone:
        stored = read.event_at(self._tx, self._stream, version)
        assert stored is not None  # noqa: S101 (a version of this stream)
        return tombstone_value(read.as_event(self._log, stored))

    def mark(self) -> int:
        return len(self._purged)

    def back_to(self, mark: int) -> None:
        del self._purged[mark:]

    def summary(self) -> None:
        """Nothing is kept beside the head."""

    def write(self) -> None:
        """Remove what was purged, and remember its id."""
        purged, self._purged = self._purged, []
        rows = []
        for event in purged:
            place = self._place(self._thread(event.data.thread_id))
            remove_thread(self._tx, place)
            rows.append((place[0], place[2], event.version))
        add_tombstones(self._tx, rows)
