"""Which threads an erasure concerns: the message's own, and the forks that show what it says.

Called by ``audit/erasure.py``. Forks are found from the source downwards, each one's head taken
before its forks are looked for. Whoever makes a fork takes the source's head, so none can appear
that was not seen.
"""

from __future__ import annotations

from collections.abc import Iterable

from eventstore.conversation.commands import EraseContent
from eventstore.conversation.decide.erasing import reach
from eventstore.conversing.threads import Guards
from eventstore.core.events import StreamKey
from eventstore.projections.forks import direct_forks
from eventstore.projections.rebuild import bring_up_to_date
from eventstore.projections.stored_thread import StoredThread
from eventstore.storage.erasing import hold
from eventstore.storage.interning import find_tenant
from eventstore.storage.requests import AppendRequest, Log
from eventstore.storage.transaction import Transaction

__all__ = ["in_every_thread"]


def in_every_thread(
    tx: Transaction, log: Log, request: AppendRequest, *, holding: bool = True
) -> list[AppendRequest]:
    """Return the request with one for each fork below its thread that inherits what it takes.

    The heads of all these threads are taken, unless nobody means to write (``holding``).
    """
    found: list[AppendRequest] = []
    waiting = [request]
    while waiting:
        one = waiting.pop(0)
        if holding:
            hold(tx, one.stream)
        view = _view(tx, log, one.stream, holding=holding)
        if view.thread is None and one is not request:
            continue  # purged since it was found, with all its forks
        found.append(one)
        tenant = find_tenant(tx, one.stream.tenant)
        if view.thread is None or tenant is None:
            continue  # deciding says so
        messages = reach(view, one.commands[0], view.traces()).messages
        for fork_id in direct_forks(tx, tenant, one.stream.id):
            fork = one.stream._replace(id=fork_id)
            inherited = _inherited(_view(tx, log, fork, holding=holding), messages)
            if inherited:
                waiting.append(_to_fork(request, fork, inherited))
    return found


def _inherited(view: StoredThread, messages: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(key for key in messages if _inherits(view, key))


def _inherits(view: StoredThread, message_id: bytes) -> bool:
    row = view.message(message_id)
    return row is not None and row.place is not None and row.place.hop > 0


def _to_fork(
    request: AppendRequest, fork: StreamKey, inherited: tuple[bytes, ...]
) -> AppendRequest:
    [command] = request.commands
    reason = None if request.options is None else request.options.reason
    source = request.stream.id
    return AppendRequest(
        fork,
        (EraseContent(targets=inherited, include=command.include, source_id=source),),
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
