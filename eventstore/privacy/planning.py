"""Plan an erasure: the threads it concerns, and the content to erase in each.

A plan needs a thread's whole log, which takes long in a long thread. So it is made without locks,
and later events are examined once the heads are locked: if they change the plan, planning continues
from there. Forks are found from the source downwards. Making a fork locks the source's head, so no
fork can appear unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from eventstore.conversation.commands import EraseAll, EraseContent
from eventstore.conversation.commands.checks import existing_thread
from eventstore.conversation.commands.erasable_content import Found
from eventstore.conversation.commands.erasures import check, concerns
from eventstore.core.events import StreamKey, Trace
from eventstore.storage.erasing import hold
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.forks import direct_forks
from eventstore.threads.rebuild import bring_up_to_date
from eventstore.threads.stored_thread import StoredThread
from eventstore.write_path.erasure_scope import Erasing, find_erasing
from eventstore.write_path.requests import AppendRequest
from eventstore.write_path.thread_session import Guards

__all__ = ["ErasureRequest", "Planned", "confirmed", "plan"]

ErasureRequest: TypeAlias = AppendRequest[EraseAll | EraseContent, Guards]
"""A write that erases content of a thread."""


class Planned(NamedTuple):
    """The content to erase in one thread."""

    request: ErasureRequest
    erasing: Erasing
    traces: Sequence[Trace]
    forks: frozenset[bytes]
    """All forks that were made from the thread by then."""


def plan(
    tx: Transaction,
    log: Log,
    request: ErasureRequest,
    *,
    before: Sequence[Planned] = (),
    holding: bool = False,
) -> list[Planned]:
    """Plan for the message's own thread, and for each fork that inherits erased content.

    ``before`` is an earlier plan for the same message. ``holding`` locks the heads of all these
    threads, so that the plan holds until the transaction ends.

    Raises:
        ThreadNotFound, MessageNotFound, Refused: as deciding would refuse it.
    """
    traces = {one.request.stream: one.traces for one in before}
    made: list[Planned] = []
    waiting = [request]
    while waiting:
        one = waiting.pop(0)
        if holding:
            hold(tx, one.stream)
        view = _view(tx, log, one.stream, holding=holding)
        [command] = one.commands
        if one is request:
            existing_thread(view) if isinstance(command, EraseAll) else check(view, command)
        if view.thread is None:
            continue  # purged since it was found, with all its forks
        planned = _planned(tx, view, one, traces.get(one.stream, ()))
        made.append(planned)
        for fork_id in direct_forks(tx, _tenant(tx, one.stream), one.stream.id):
            fork = one.stream._replace(id=fork_id)
            fork_view = _view(tx, log, fork, holding=holding)
            waiting += _in_fork(one, planned.erasing.found, fork, fork_view)
    return made


def confirmed(tx: Transaction, log: Log, planned: Sequence[Planned]) -> bool:
    """Lock the heads of the threads; return whether the plan is still complete.

    It reads only the few events written since the plan was made.
    """
    for one in planned:
        stream, (found, _, __) = one.request.stream, one.erasing
        hold(tx, stream)
        view = _view(tx, log, stream, holding=True)
        if view.thread is None:
            return False
        later = view.traces(after=found.version)
        if any(_changes(one.request, found, trace) for trace in later):
            return False
        if not one.forks.issuperset(direct_forks(tx, _tenant(tx, stream), stream.id)):
            return False
    return True


def _planned(
    tx: Transaction, view: StoredThread, request: ErasureRequest, before: Sequence[Trace]
) -> Planned:
    stream, [command] = request.stream, request.commands
    traces = [*before, *view.traces(after=len(before))]
    forks = direct_forks(tx, _tenant(tx, stream), stream.id)
    erasing = find_erasing(tx, view, command, traces)
    return Planned(request, erasing, traces, frozenset(forks))


def _tenant(tx: Transaction, stream: StreamKey) -> int:
    tenant = find_tenant(tx, stream.tenant)
    assert tenant is not None  # noqa: S101 (there is such a thread)
    return tenant


def _changes(request: ErasureRequest, found: Found, trace: Trace) -> bool:
    """Return whether a later event may change what is found."""
    return isinstance(request.commands[0], EraseAll) or concerns(found, trace)


def _in_fork(
    request: ErasureRequest, found: Found, fork: StreamKey, view: StoredThread
) -> list[ErasureRequest]:
    """Return the request to a fork, if it inherits something that is erased."""
    [command] = request.commands
    made: EraseAll | EraseContent
    if isinstance(command, EraseAll):
        made = EraseAll(
            subject_id=command.subject_id,
            targets=found.messages,
            seen=_seen_by(view, found),
            source_id=request.stream.id,
        )
        return [_to_fork(request, fork, made)]
    inherited = tuple(key for key in found.messages if _inherits(view, key))
    made = EraseContent(targets=inherited, include=command.include, source_id=request.stream.id)
    return [_to_fork(request, fork, made)] if inherited else []


def _seen_by(fork: StoredThread, found: Found) -> tuple[bytes, ...]:
    """Return the messages of which a fork shows a wording that its source loses."""
    row = fork.thread
    until = 0 if row is None or row.fork is None else row.fork.version
    return tuple(key for key, version in found.seen if version <= until)


def _inherits(view: StoredThread, message_id: bytes) -> bool:
    row = view.message(message_id)
    return row is not None and row.place is not None and row.place.hop > 0


def _to_fork(
    request: ErasureRequest, fork: StreamKey, command: EraseAll | EraseContent
) -> ErasureRequest:
    reason = None if request.options is None else request.options.reason
    return AppendRequest(
        fork,
        (command,),
        metadata=request.metadata,
        actor=request.actor,
        options=Guards(reason=reason),
    )


def _view(tx: Transaction, log: Log, stream: StreamKey, *, holding: bool) -> StoredThread:
    view = StoredThread(tx, log, stream.tenant, stream.id)
    row = view.thread if holding else None
    if row is not None and bring_up_to_date(tx, log, stream, row):
        view = StoredThread(tx, log, stream.tenant, stream.id)
    return view
