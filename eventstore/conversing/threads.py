"""Deciding and projecting for threads, within one transaction.

One view a thread for the whole batch: the tenth command sees what the first nine did, and changed
rows are written once at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation.decide import check_expected_head, decide
from eventstore.conversation.decide.copying import copy_prefix
from eventstore.conversation.evolve import evolve
from eventstore.conversation.present import thread_details
from eventstore.conversation.state import FoldedThread
from eventstore.conversing import results
from eventstore.conversing.assistants import assistant_for_run
from eventstore.conversing.forking import decide_fork
from eventstore.core import ids
from eventstore.core.events import Decided, Event, StreamKey
from eventstore.errors import IdempotencyConflict
from eventstore.projections.folding import fold_on, fold_thread
from eventstore.projections.indexes import ContentIndex, forget_messages
from eventstore.projections.rebuild import bring_up_to_date
from eventstore.projections.stored_thread import StoredThread, write_rows
from eventstore.projections.tombstones import refuse_purged
from eventstore.storage.append import AppendRequest, Log
from eventstore.storage.erasing import erase_content
from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction

__all__ = ["Guards", "ThreadDeciding"]


class Guards(NamedTuple):
    """What a write says besides its commands."""

    expected_head: bytes | None = None
    reason: str | None = None


_NO_GUARDS = Guards()
_KEPT = "views of threads"
_VIEWS_KEPT = 4_096
"""Threads whose rows the writer keeps from one transaction to the next, about 2 kB each."""


class ThreadDeciding:
    """Keeps ``storage.append.Deciding`` for the category ``thread``."""

    looks_elsewhere: frozenset[type[Any]] = frozenset(
        {c.ForkThread, c.CreateRun, c.CopyPrefix, c.EraseContent}
    )
    """A fork reads its source, a run its assistant, an erasure the log."""

    def __init__(self, tx: Transaction, log: Log) -> None:
        self._tx = tx
        self._log = log
        self._views: dict[StreamKey, StoredThread] = tx.kept.setdefault(_KEPT, {})
        self._written: dict[StreamKey, StoredThread] = {}
        self._index = ContentIndex()
        self._past: dict[StreamKey, FoldedThread] = {}
        self._own: set[StreamKey] = set()
        """Threads asked for in this transaction: what they know of their sources is of now. What
        was kept of a source from an earlier one does not hold: it may have been purged since."""
        self._erased: list[tuple[StreamKey, e.ContentErased]] = []

    def _view(self, stream: StreamKey) -> StoredThread:
        view = self._views.get(stream)
        if stream not in self._own:
            self._own.add(stream)
            view = None if view is None or view.looks_elsewhere else view
        if view is None:
            view = StoredThread(self._tx, self._log, stream.tenant, stream.id)
            row = view.thread
            if row is not None and bring_up_to_date(self._tx, self._log, stream, row):
                view = StoredThread(self._tx, self._log, stream.tenant, stream.id)
            self._views[stream] = view
        return view

    def looks_at(self, request: AppendRequest) -> Iterable[StreamKey]:
        tenant = request.stream.tenant
        for command in request.commands:
            if isinstance(command, (c.ForkThread, c.CopyPrefix)):
                yield StreamKey(tenant, ids.THREAD, command.source_id)
            elif isinstance(command, c.CreateRun) and command.assistant_id is not None:
                yield StreamKey(tenant, ids.ASSISTANT, command.assistant_id)

    def check(self, request: AppendRequest) -> None:
        if request.options is not None and request.options.expected_head is not None:
            check_expected_head(self._view(request.stream), request.options.expected_head)

    def decide(self, request: AppendRequest, command: c.Command) -> Sequence[Decided]:
        guards: Guards = request.options or _NO_GUARDS
        view = self._view(request.stream)
        if isinstance(command, (c.CreateThread, c.ForkThread)) and command.named:
            refuse_purged(self._tx, request.stream)
        if isinstance(command, c.ForkThread):
            decided = decide_fork(self._tx, self._log, request.stream.tenant, view, command)
        elif isinstance(command, c.CopyPrefix):
            view.prefetch_inherited()
            decided = copy_prefix(view, command)
        else:
            if isinstance(command, c.CreateRun) and command.assistant_id is not None:
                command = assistant_for_run(self._tx, self._log, request.stream.tenant, command)
            decided = decide(view, command, self._log.sources.new_id)
        return decided if guards.reason is None else _with_reason(decided, guards.reason)

    def evolve(self, request: AppendRequest, event: Event) -> None:
        stream = request.stream
        view = self._view(stream)
        view.put(event, evolve(view, event))
        self._written[stream] = view
        if event.content is not None:
            self._index.see(stream, event)
        if event.type == "ContentErased":
            self._erased.append((stream, event.data))
        if event.type == "ThreadForked" and view.thread is not None:
            self._index.inherit(stream, thread_details(view, view.thread)[1])

    def result(self, request: AppendRequest, command: c.Command, events: Sequence[Event]) -> Any:  # noqa: ANN401
        return results.of(self._view(request.stream), command, events)

    def repeated(self, request: AppendRequest, command: c.Command, first: int, last: int) -> Any:  # noqa: ANN401
        """Rebuild what the caller got first from the events up to then; never a stored copy.

        Raises:
            IdempotencyConflict: its digest was erased, and the events tell of another command.
        """
        stream = request.stream
        state = self._past.get(stream)
        if state is None or state.version != first - 1:  # else: the next command of a batch
            state = fold_thread(self._tx, self._log, stream.tenant, stream.id, until=first - 1)
        if first <= last:
            state = fold_on(self._tx, self._log, stream, state, until=last)
        self._past[stream] = state
        events = [state.event(version) for version in range(first, last + 1)]
        if not results.may_come_of(command, events):
            raise IdempotencyConflict(stream.text, request.key or "")
        return results.of(state, command, events)

    def mark(self, request: AppendRequest) -> Any:  # noqa: ANN401
        return self._view(request.stream).mark(), self._index.mark(), len(self._erased)

    def back_to(self, request: AppendRequest, mark: Any) -> None:  # noqa: ANN401
        view, index, erased = mark
        self._view(request.stream).back_to(view)
        self._index.back_to(index)
        del self._erased[erased:]

    def summary(self, stream: StreamKey) -> bytes | None:
        """Return the thread's head: it moves with every message, as the stream's does."""
        thread = self._view(stream).thread
        return None if thread is None else thread.head

    def write(self) -> None:
        rows = [row for view in self._written.values() for row in view.take_changed()]
        write_rows(self._tx, rows)
        self._written.clear()
        self._index.write(self._tx)
        for stream, erased in self._erased:
            self._erase(stream, erased)
        self._erased.clear()
        if len(self._views) > _VIEWS_KEPT:
            self._views.clear()

    def _erase(self, stream: StreamKey, erased: e.ContentErased) -> None:
        """Do what an event says, after it was written: no event says so and is wrong."""
        erase_content(self._tx, stream, erased.versions)
        tenant = find_tenant(self._tx, stream.tenant)
        assert tenant is not None  # noqa: S101 (the event interned it)
        forget_messages(self._tx, tenant, stream.id, (erased.message_id, *erased.also))


def _with_reason(decided: Sequence[Decided], reason: str) -> list[Decided]:
    """Put the writer's reason into the content of each event."""
    return [
        event._replace(content=replace(event.content or e.Note(), reason=reason))  # type: ignore[type-var]
        for event in decided
    ]
