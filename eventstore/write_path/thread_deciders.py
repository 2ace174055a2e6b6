"""Decide the commands that need more than their thread's own view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation.commands.showing import unwritten
from eventstore.conversation.commands.steps import check_nothing_erased
from eventstore.conversation.decide import decide
from eventstore.core import ids
from eventstore.core.events import Decided, StreamKey
from eventstore.storage.traces import traces
from eventstore.threads import run_chunks
from eventstore.threads.stored_thread import StoredThread
from eventstore.threads.tombstones import refuse_purged
from eventstore.write_path.assistant_streams import assistant_for_run
from eventstore.write_path.forking import decide_fork

if TYPE_CHECKING:
    from eventstore.write_path.thread_streams import ThreadCategory

__all__ = ["DECIDERS", "with_reason"]


def _create(
    handler: ThreadCategory, stream: StreamKey, view: StoredThread, command: c.CreateThread
) -> Sequence[Decided]:
    if command.named:
        refuse_purged(handler.tx, stream)
    return decide(view, command, handler.new_id)


def _fork(
    handler: ThreadCategory, stream: StreamKey, view: StoredThread, command: c.ForkThread
) -> Sequence[Decided]:
    if command.named:
        refuse_purged(handler.tx, stream)
    source = handler.session(stream._replace(id=command.source_id)).view
    return decide_fork(handler.tx, handler.log, view, source, command)


def _run(
    handler: ThreadCategory, stream: StreamKey, view: StoredThread, command: c.CreateRun
) -> Sequence[Decided]:
    if command.assistant_id is not None:
        command = assistant_for_run(handler.tx, handler.log, stream.tenant, command)
    return decide(view, command, handler.new_id)


def _hold(
    handler: ThreadCategory, _: StreamKey, view: StoredThread, command: c.HoldRun
) -> Sequence[Decided]:
    decided = decide(view, command, handler.new_id)
    view.leases[command.run_id] = handler.lease_of(command.lease_us)
    return decided


def _step(
    handler: ThreadCategory, _: StreamKey, view: StoredThread, command: c.StartStep
) -> Sequence[Decided]:
    """Decide that a step begins, and check the other threads that hold messages it saw.

    Their heads are not locked. An erasure there locks this thread's head before it looks for
    steps, so either the erasure sees this step, or this step sees the erasure.
    """
    decided = decide(view, command, handler.new_id)
    for source_id, version in command.sources:
        source = StreamKey(view.tenant_name, ids.THREAD, source_id)
        since = traces(handler.tx, handler.log, source, after=version)
        check_nothing_erased(source.text, since)
    return decided


def _write_text(
    handler: ThreadCategory, stream: StreamKey, view: StoredThread, command: c.WriteText
) -> Sequence[Decided]:
    """Decide a piece of text, and add it to the chunks: it is the only command of its request."""
    decided = decide(view, command, handler.log.environment.new_id)
    piece = unwritten(view, command)
    if piece:
        begins = command.offset + len(command.text) - len(piece)
        chunk = run_chunks.Chunk(command.message_id, begins, piece)
        run_chunks.add(handler.tx, stream, chunk, handler.subject)
    return decided


def with_reason(decided: Sequence[Decided], reason: str) -> list[Decided]:
    """Put the writer's reason into the content of each event."""
    return [
        replace(event, content=replace(event.content or e.Note(), reason=reason))  # type: ignore[type-var]
        for event in decided
    ]


DECIDERS: Final[Mapping[type[c.Command], Callable[..., Sequence[Decided]]]] = {
    c.CreateThread: _create,
    c.ForkThread: _fork,
    c.CreateRun: _run,
    c.HoldRun: _hold,
    c.StartStep: _step,
    c.WriteText: _write_text,
}
"""Commands that need more than the current state of the thread, each with its preparation."""
