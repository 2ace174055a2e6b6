"""Decide, project and answer the requests to one thread, within one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from msgspec.structs import replace

from eventstore.conversation import commands as c
from eventstore.conversation.commands import THREAD_COMMANDS
from eventstore.conversation.commands.checks import check_expected_head
from eventstore.conversation.present import thread_details
from eventstore.conversation.repeats import may_come_of
from eventstore.conversation.rows import Place
from eventstore.conversation.rules import decide, evolve
from eventstore.conversation.run_lifecycle import HELD, MOVES, MOVING
from eventstore.conversation.values import Message
from eventstore.core.codec import owner_of
from eventstore.core.events import NOBODY, Decided, Event, StreamKey
from eventstore.errors import IdempotencyConflict
from eventstore.storage.erasing import list_content
from eventstore.storage.interning import find_tenant
from eventstore.threads import run_chunks
from eventstore.threads.cached_rows import RowsSavepoint
from eventstore.threads.indexes import IndexSavepoint, forget_names
from eventstore.threads.past_thread import thread_at
from eventstore.threads.stored_thread import StoredThread
from eventstore.write_path.erasure_scope import Erasing
from eventstore.write_path.plain_messages import add_plain, decide_plain
from eventstore.write_path.requests import AppendRequest
from eventstore.write_path.retired_keys import check_key
from eventstore.write_path.thread_deciders import DECIDERS, with_reason

if TYPE_CHECKING:
    from eventstore.write_path.thread_streams import ThreadHandler

__all__ = ["Guards", "ThreadRequest", "ThreadSession"]


class Guards(NamedTuple):
    """The arguments of a write besides its commands."""

    expected_head: bytes | None = None
    reason: str | None = None
    erasing: Erasing | None = None
    """For an erasure: the content to erase, if it was found beforehand."""


ThreadRequest: TypeAlias = AppendRequest[c.Command, Guards]
"""A write to a thread."""

_BORN: Final = frozenset({"MessageAdded", "MessageRegenerated"})
"""Events that add a message which a run may have been writing."""
_RUN_BEGINS: Final = "RunQueued"


class _Savepoint(NamedTuple):
    """The changes of a request's first commands."""

    view: RowsSavepoint
    entries: IndexSavepoint | None
    erased: Event | None
    final: tuple[bytes, ...]


class ThreadSession:
    """Implements ``StreamSession`` for one thread."""

    __slots__ = (
        *("erased", "erasing", "final", "handler", "lease_us", "plain", "stream", "value"),
        "view",
    )

    def __init__(self, handler: ThreadHandler, stream: StreamKey, view: StoredThread) -> None:
        self.view: Final = view
        self.handler: ThreadHandler = handler
        self.stream: StreamKey = stream
        self.lease_us: int = 0
        """Length of the lease that the present command asks for."""
        self.erasing: Erasing | None = None
        """The content that the present command erases."""
        self.erased: Event | None = None
        """The erasure whose content is to be erased once it is written."""
        self.final: tuple[bytes, ...] = ()
        """Messages that were being written and are in the log now."""
        self.plain: tuple[Decided, Place] | None = None
        """The present command's event and place, if it goes the way of ``plain_messages``."""
        self.value: Message | None = None
        """The message that it added."""

    def check(self, request: ThreadRequest) -> None:
        if request.options is not None and request.options.expected_head is not None:
            check_expected_head(self.view, request.options.expected_head)

    def decide(self, request: ThreadRequest, command: c.Command) -> Sequence[Decided]:
        self.plain = None
        if type(command) is c.CreateMessage and request.options is None and not request.fresh:
            self.plain = decide_plain(self.view, command, self.handler.new_id)
            if self.plain is not None:
                return self.plain[:1]
        if request.fresh:
            self.view.expect_fresh(request.fresh)
        decider = DECIDERS.get(type(command))
        decided: Sequence[Decided]
        if decider is None:
            decided = decide(self.view, command, self.handler.new_id)
        else:
            decided = decider(self, request, command)
        guards = request.options
        if guards is not None and guards.reason is not None:
            decided = with_reason(decided, guards.reason)
        for one in decided:  # a loop, since most messages are of no run
            if getattr(one.data, "run_id", None) is not None and one.type != _RUN_BEGINS:
                return [self._in_their_name(one, request.subject) for one in decided]
        return decided

    def _in_their_name(self, decided: Decided, given: bytes | None) -> Decided:
        """Return an event of a person's run as one in the person's name, unless it has another.

        So the key that is destroyed with the person has sealed it, too. Text that a run leaves
        unfinished is the run's, whoever ends it: the name that is given is for what they say.
        """
        if given is not None and not getattr(decided.data, "interrupted", False):
            return decided
        subject = decided.subject or self.owner_of_run(decided.data)
        if subject is None and given is not None:
            subject = NOBODY
        return decided if subject == decided.subject else replace(decided, subject=subject)

    def owner_of_run(self, about: object) -> bytes | None:
        """Return the person in whose name the run of a command, or of an event, was created."""
        run_id = getattr(about, "run_id", None)
        run = None if run_id is None else self.view.run(run_id)
        subject = None if run is None else run.subject
        if subject is not None and self.handler.log.codec.seals:
            check_key(self.handler.tx, owner_of(self.stream, subject))
        return subject

    def evolve(self, event: Event) -> None:
        if self.plain is not None:
            self.value = add_plain(self.view, event, self.plain[1])
            return
        view, handler = self.view, self.handler
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
            handler.content_index().see(self.stream, event, thread.created_position)
        if event.type == "ContentErased":
            self._forget(event, thread.created_position)
        if event.type == "ThreadForked":
            self._inherit(event, thread.created_position)

    def _inherit(self, event: Event, created_position: int) -> None:
        """Let a fork that has begun inherit what its source has in memory, and index it."""
        data, view, handler = event.data, self.view, self.handler
        source = handler.session(self.stream._replace(id=data.source_id)).view
        if source.thread is not None and source.thread.version == data.source_version:
            view.will_inherit(source, data.message_id)
        metadata = thread_details(view)[1]
        handler.content_index().inherit(self.stream, metadata, created_position)

    def _forget(self, event: Event, created_position: int) -> None:
        """Note that content is to be erased, and index the thread without its metadata."""
        self.erased = event
        if self.erasing is not None and self.erasing.found.renamed:
            metadata = thread_details(self.view)[1]
            self.handler.content_index().describe(self.stream, metadata, created_position)

    def _move_lease(self, event: Event) -> None:
        """Give or end the lease on a run that an event is about to move."""
        view, run_id = self.view, event.data.run_id
        before = view.run(run_id)
        assert before is not None  # noqa: S101 (the event moves it)
        if MOVES[before.status][event.type] not in HELD:
            if before.status in HELD:
                view.leases[run_id] = None
        elif event.type in {"RunStarted", "RunTakenOver"}:
            view.leases[run_id] = self.handler.lease_of(self.lease_us)

    def result(self, command: c.Command, events: Sequence[Event]) -> object:
        if self.plain is not None:
            return self.value
        return THREAD_COMMANDS[type(command)].result(self.view, command, events)

    def repeated(self, request: ThreadRequest, command: c.Command, first: int, last: int) -> object:
        """Rebuild the first result from the events, as of its version; no copy of it is stored.

        Raises:
            IdempotencyConflict: its digest was erased, and the events belong to another command.
        """
        past = thread_at(self.handler.tx, self.handler.log, self.stream, last)
        events = [past.event(version) for version in range(first, last + 1)]
        if not may_come_of(command, events):
            raise IdempotencyConflict(self.stream.text, request.key or "")
        return THREAD_COMMANDS[type(command)].result(past, command, events)

    def savepoint(self) -> _Savepoint:
        index = self.handler.index
        entries = None if index is None else index.savepoint()
        return _Savepoint(self.view.savepoint(), entries, self.erased, self.final)

    def rollback_to(self, savepoint: _Savepoint) -> None:
        view, entries, self.erased, self.final = savepoint
        self.view.rollback_to(view)
        index = self.handler.index
        if entries is None or index is None:
            self.handler.index = None
        else:
            index.rollback_to(entries)

    def summary(self) -> bytes | None:
        """Return the thread's head message, which is stored with the head of the stream."""
        thread = self.view.thread
        return None if thread is None else thread.head

    def drop_chunks(self) -> None:
        """Delete the chunks of messages that were appended, after the events were written."""
        run_chunks.drop(self.handler.tx, self.stream, self.final)
        self.final = ()

    def erase(self, erased: Event) -> None:
        """Erase the content that an event names, after the event was written."""
        erasing, tx = self.erasing, self.handler.tx
        assert erasing is not None  # noqa: S101 (it was decided on)
        list_content(tx, self.stream, erased.version, erased.data.versions, erasing.keys)
        tenant = find_tenant(tx, self.stream.tenant)
        assert tenant is not None  # noqa: S101 (the event interned it)
        forget_names(tx, tenant, self.stream.id, erasing.names)
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
