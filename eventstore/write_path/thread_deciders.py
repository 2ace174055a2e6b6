"""Decide the commands that need more than their thread's own view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation.commands.erase_all import erase_all_found
from eventstore.conversation.commands.erasures import erase_found
from eventstore.conversation.commands.showing import unwritten
from eventstore.conversation.commands.steps import check_nothing_erased
from eventstore.conversation.rules import decide
from eventstore.core import ids
from eventstore.core.events import Decided, StreamKey
from eventstore.storage.traces import traces
from eventstore.threads import run_chunks
from eventstore.threads.tombstones import refuse_purged
from eventstore.write_path.assistant_streams import assistant_for_run
from eventstore.write_path.erasure_scope import Erasing, find_erasing
from eventstore.write_path.forking import decide_fork

if TYPE_CHECKING:
    from eventstore.write_path.thread_session import ThreadRequest, ThreadSession

__all__ = ["DECIDERS", "with_reason"]


def _create(session: ThreadSession, _: ThreadRequest, command: c.CreateThread) -> Sequence[Decided]:
    if command.named:
        refuse_purged(session.handler.tx, session.stream)
    return decide(session.view, command, session.handler.new_id)


def _fork(session: ThreadSession, _: ThreadRequest, command: c.ForkThread) -> Sequence[Decided]:
    handler, stream = session.handler, session.stream
    if command.named:
        refuse_purged(handler.tx, stream)
    source = handler.session(stream._replace(id=command.source_id)).view
    return decide_fork(handler.tx, handler.log, session.view, source, command)


def _run(session: ThreadSession, _: ThreadRequest, command: c.CreateRun) -> Sequence[Decided]:
    handler = session.handler
    if command.assistant_id is not None:
        command = assistant_for_run(handler.tx, handler.log, session.stream.tenant, command)
    return decide(session.view, command, handler.new_id)


def _start(session: ThreadSession, _: ThreadRequest, command: c.StartRun) -> Sequence[Decided]:
    session.lease_us = command.lease_us
    return decide(session.view, command, session.handler.new_id)


def _hold(session: ThreadSession, _: ThreadRequest, command: c.HoldRun) -> Sequence[Decided]:
    decided = decide(session.view, command, session.handler.new_id)
    session.view.leases[command.run_id] = session.handler.lease_of(command.lease_us)
    return decided


def _step(session: ThreadSession, _: ThreadRequest, command: c.StartStep) -> Sequence[Decided]:
    """Decide that a step begins, and check the other threads that hold messages it saw.

    Their heads are not locked. An erasure there locks this thread's head before it looks for
    steps, so either the erasure sees this step, or this step sees the erasure.
    """
    handler = session.handler
    decided = decide(session.view, command, handler.new_id)
    for source_id, version in command.sources:
        source = StreamKey(session.stream.tenant, ids.THREAD, source_id)
        since = traces(handler.tx, handler.log, source, after=version)
        check_nothing_erased(source.text, since)
    return decided


def _write_text(
    session: ThreadSession, request: ThreadRequest, command: c.WriteText
) -> Sequence[Decided]:
    """Decide a piece of text, and add it to the chunks: it is the only command of its request."""
    handler = session.handler
    subject = request.subject or session.owner_of_run(command)
    decided = decide(session.view, command, handler.log.environment.new_id)
    piece = unwritten(session.view, command)
    if piece:
        begins = command.offset + len(command.text) - len(piece)
        chunk = run_chunks.Chunk(command.message_id, begins, piece)
        run_chunks.add(handler.tx, session.stream, chunk, subject)
    return decided


def _erase(
    session: ThreadSession, request: ThreadRequest, command: c.EraseContent
) -> Sequence[Decided]:
    return erase_found(session.view, command, _erasing(session, request, command).found)


def _erase_all(
    session: ThreadSession, request: ThreadRequest, command: c.EraseAll
) -> Sequence[Decided]:
    return erase_all_found(session.view, command, _erasing(session, request, command).found)


def _erasing(
    session: ThreadSession, request: ThreadRequest, command: c.EraseContent | c.EraseAll
) -> Erasing:
    """Return the content to erase: found beforehand, or found now."""
    found = None if request.options is None else request.options.erasing
    if found is None:
        view = session.view
        found = find_erasing(session.handler.tx, view, command, view.traces())
    session.erasing = found
    return found


def with_reason(decided: Sequence[Decided], reason: str) -> list[Decided]:
    """Put the writer's reason into the content of each event."""
    return [
        replace(event, content=replace(event.content or e.Note(), reason=reason))  # type: ignore[type-var]
        for event in decided
    ]


DECIDERS: Final[Mapping[type[object], Callable[..., Sequence[Decided]]]] = {
    c.CreateThread: _create,
    c.ForkThread: _fork,
    c.CreateRun: _run,
    c.StartRun: _start,
    c.HoldRun: _hold,
    c.StartStep: _step,
    c.WriteText: _write_text,
    c.EraseContent: _erase,
    c.EraseAll: _erase_all,
}
"""Commands that need more than the current state of the thread, each with its preparation."""
