"""Erasing a message's content, in its thread and in the forks that inherit it, in one transaction.

Called by ``operations/erasing.py`` with an open transaction. What goes is decided in
``conversation/decide/erasing.py``, once for each thread; each thread gets one ``ContentErased``,
and its content goes when that event is written (``conversing/threads.py``). The threads are
found (``privacy/concerned.py``), and the **certificate** is made: from the log, so that asking
again gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from eventstore.conversation.decide.erasing import Copy, reach, taken
from eventstore.conversation.decide.erasing import erase as decide_erasure
from eventstore.core import ids
from eventstore.core.events import Position, instant
from eventstore.core.values import Value
from eventstore.errors import BrokenChain
from eventstore.privacy.concerned import in_every_thread
from eventstore.privacy.remains import projections_behind
from eventstore.projections.stored_thread import StoredThread
from eventstore.storage import read
from eventstore.storage.append import append_many
from eventstore.storage.requests import Appended, AppendRequest, Failed, Log
from eventstore.storage.transaction import Transaction

__all__ = ["ContentCopy", "ErasedEvent", "Erasure", "Foreseen", "erase", "foresee"]


class ErasedEvent(Value):
    """An event that lost its content."""

    stream_id: str
    """Stream of the event."""
    version: int
    """Version of the event."""


class ContentCopy(Value):
    """Something that may hold a copy of the words, and was not erased."""

    kind: Literal["edit", "run"]
    """``"edit"``: a message made by editing or regenerating, or the one it was made from."""
    thread_id: str
    """Thread that holds it."""
    id: str
    """Id of the message or the run."""


class Erasure(Value):
    """The certificate of an erasure: what is gone, and what is not.

    It is made from the log, so erasing again gives it again, as things stand then.
    """

    thread_id: str
    """Thread of the message."""
    message_id: str
    """Message that was erased."""
    version: int
    """Version of the thread after the erasure."""
    erased_at: datetime
    """When content of the message was last erased."""
    actor: str | None
    """Opaque id of whoever asked for it."""
    erased: tuple[ErasedEvent, ...]
    """Every event whose content is gone, in the thread and in its forks."""
    copies: tuple[ContentCopy, ...]
    """What may hold the words, too: ``include=`` takes it along."""
    remains: tuple[str, ...] = ()
    """Where on disk the bytes may still stand; empty: they are gone from the database's files."""
    pending: bool = False
    """Some of that goes by itself or with time: erase the same message again to finish it."""


def erase(tx: Transaction, log: Log, request: AppendRequest) -> Appended:
    """Perform the request for an ``EraseContent``, in its thread and in the forks.

    Raises:
        ConversationStoreError: why it was turned away; then the transaction must be rolled back.
    """
    requests = in_every_thread(tx, log, request)
    positions: list[Position] = []
    outcomes = append_many(tx, requests, log)
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            raise outcome.error
        if isinstance(outcome, Appended):  # always: nobody was left waiting
            positions += outcome.positions
    return Appended(_certificate(tx, log, requests), 0, tuple(positions))


class Foreseen(NamedTuple):
    """What an erasure would do, as things stand."""

    events: tuple[ErasedEvent, ...]
    """Those that would lose their content."""
    copies: tuple[ContentCopy, ...]


def foresee(tx: Transaction, log: Log, request: AppendRequest) -> Foreseen:
    """Return what :func:`erase` would do, without doing it.

    Raises:
        ThreadNotFound, MessageNotFound, Refused: as an erasure would be refused.
    """
    first = StoredThread(tx, log, request.stream.tenant, request.stream.id)
    decide_erasure(first, request.commands[0], log.sources.new_id)
    events, copies = [], []
    for one in in_every_thread(tx, log, request, holding=False):
        view = StoredThread(tx, log, one.stream.tenant, one.stream.id)
        traces = view.traces()
        found = reach(view, one.commands[0], traces)
        events += [
            ErasedEvent(stream_id=one.stream.text, version=trace.version)
            for trace in taken(traces, found)
            if trace.has_content
        ]
        copies += _shown_copies(found.left)
    return Foreseen(tuple(events), tuple(dict.fromkeys(copies)))


# -- the certificate -------------------------------------------------------------------------------


def _certificate(tx: Transaction, log: Log, requests: Sequence[AppendRequest]) -> Erasure:
    erased, copies, last = [], [], []
    for request in requests:
        stream, [command] = request.stream, request.commands
        view = StoredThread(tx, log, stream.tenant, stream.id)
        traces = view.traces()
        found = reach(view, command, traces)
        gone: dict[int, int] = {}
        """By version of an event: the version of the one that says its content is gone."""
        for trace in traces:
            if trace.type == "ContentErased":
                gone.update(dict.fromkeys(trace.data.versions, trace.version))
        lost = [trace.version for trace in taken(traces, found) if trace.version in gone]
        erased += [ErasedEvent(stream_id=stream.text, version=version) for version in lost]
        copies += _shown_copies(found.left)
        if lost:
            last.append(read.event_at(tx, stream, max(gone[version] for version in lost)))
    source = requests[0].stream
    if not last:
        version = read.head_version(tx, source)
        raise BrokenChain(source.text, version, "content is missing that no event says is erased")
    newest = max(last, key=lambda event: event.position)
    own = next((event for event in last if event.stream == source), newest)
    behind = projections_behind(tx, newest.position)
    return Erasure(
        thread_id=source.text,
        message_id=ids.show(ids.MESSAGE, requests[0].commands[0].targets[0]),
        version=read.head_version(tx, source),
        erased_at=instant(own.recorded_at_us),
        actor=read.actor_of(own.metadata),
        erased=tuple(erased),
        copies=tuple(dict.fromkeys(copies)),
        remains=behind,
        pending=bool(behind),
    )


def _shown_copies(copies: Iterable[Copy]) -> list[ContentCopy]:
    return [
        ContentCopy(
            kind=copy.kind,
            thread_id=ids.show(ids.THREAD, copy.owner),
            id=ids.show(ids.MESSAGE if copy.kind == "edit" else ids.RUN, copy.id),
        )
        for copy in copies
    ]
