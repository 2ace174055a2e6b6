"""Which threads an erasure concerns: the message's own, and those that show what it says.

Called by ``audit/erasure.py``. A fork that reads from its source is found from there: forks are
taken from the source downwards, each one's head before its forks are looked for. Whoever makes a
fork takes the source's head, so none can appear that was not seen.

A fork whose source was purged is found by its copies. The threads between it and the message's own
may be gone, and with them the way down; but a copy names the thread in which it was recorded. It is
looked for last, and again until there is no other, since a purge on the way may have made one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from eventstore.conversation.commands import EraseContent
from eventstore.conversation.decide.erasing import holds, reach
from eventstore.conversing.threads import Guards
from eventstore.core.events import StreamKey
from eventstore.projections.forks import all_forks, holders_of_copies
from eventstore.projections.rebuild import bring_up_to_date
from eventstore.projections.stored_thread import StoredThread
from eventstore.storage.erasing import hold
from eventstore.storage.interning import find_tenant
from eventstore.storage.requests import AppendRequest, Log
from eventstore.storage.transaction import Transaction

__all__ = ["Copied", "in_every_thread"]


class Copied(NamedTuple):
    """A copy of a message that stands by itself in another thread."""

    thread_id: bytes
    message_id: bytes


def in_every_thread(
    tx: Transaction, log: Log, request: AppendRequest, *, holding: bool = True
) -> tuple[list[AppendRequest], list[Copied]]:
    """Return the request with one for each fork that it concerns, and the copies it leaves.

    The heads of all these threads are taken, unless nobody means to write (``holding``).
    """
    concerned = _Concerned(tx, log, request, holding=holding)
    concerned.follow(request)
    while concerned.find_copies():
        pass
    return concerned.requests, list(concerned.left)


class _Concerned:
    """The requests found so far."""

    def __init__(self, tx: Transaction, log: Log, first: AppendRequest, *, holding: bool) -> None:
        self._holding = holding
        self._tx = tx
        self._log = log
        self._first = first
        self.requests: list[AppendRequest] = []
        self._reached: dict[bytes, bytes] = {}
        """Messages whose words go, and the thread in which each was recorded."""
        self.left: dict[Copied, None] = {}

    def follow(self, request: AppendRequest) -> None:
        """Add a request, and one for each fork below its thread that inherits what it takes."""
        waiting = [request]
        while waiting:
            one = waiting.pop(0)
            if self._holding:
                hold(self._tx, one.stream)
            view = self._view(one.stream)
            if view.thread is None and one is not self._first:
                continue  # purged since it was found; its forks have copies by now
            self.requests.append(one)
            tenant = find_tenant(self._tx, one.stream.tenant)
            if view.thread is None or tenant is None:
                continue  # deciding says so
            [command] = one.commands
            found = reach(view, command, view.traces()).messages
            self._remember(view, found)
            for fork_id in all_forks(self._tx, tenant, one.stream.id):
                inherited = self._inherited(one.stream._replace(id=fork_id), found)
                if inherited:
                    waiting.append(self._to_fork(one.stream._replace(id=fork_id), inherited))

    def _remember(self, view: StoredThread, messages: Iterable[bytes]) -> None:
        for message_id in messages:
            copies = view.copies_of(message_id)
            home = copies[0].thread_id if copies else view.thread_id
            self._reached.setdefault(message_id, home)

    def find_copies(self) -> bool:
        """Follow the threads that hold copies of what the first thread itself recorded.

        What is itself a copy there has other copies beside it, which are no less somebody's own:
        those are named and left, unless asked for.
        """
        [command] = self._first.commands
        tenant = find_tenant(self._tx, self._first.stream.tenant)
        known = {one.stream.id for one in self.requests}
        found: dict[bytes, list[bytes]] = {}
        self.left.clear()
        for message_id, home in self._reached.items() if tenant is not None else ():
            for thread_id in holders_of_copies(self._tx, tenant or 0, message_id):
                view = self._view(self._first.stream._replace(id=thread_id))
                copies = view.copies_of(message_id)
                if thread_id in known or not copies or copies[0].thread_id != home:
                    continue
                if home in known or "forks" in command.include:
                    found.setdefault(thread_id, []).append(message_id)
                elif holds(message_id, view.traces()):
                    self.left[Copied(thread_id, message_id)] = None
        for thread_id, messages in found.items():
            stream = self._first.stream._replace(id=thread_id)
            self.follow(self._to_fork(stream, tuple(messages)))
        return bool(found)

    def _inherited(self, fork: StreamKey, messages: Iterable[bytes]) -> tuple[bytes, ...]:
        view = self._view(fork)
        return tuple(key for key in messages if _inherits(view, key))

    def _to_fork(self, fork: StreamKey, inherited: tuple[bytes, ...]) -> AppendRequest:
        request = self._first
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

    def _view(self, stream: StreamKey) -> StoredThread:
        view = StoredThread(self._tx, self._log, stream.tenant, stream.id)
        row = view.thread if self._holding else None
        if row is not None and bring_up_to_date(self._tx, self._log, stream, row):
            view = StoredThread(self._tx, self._log, stream.tenant, stream.id)
        return view


def _inherits(view: StoredThread, message_id: bytes) -> bool:
    row = view.message(message_id)
    return row is not None and row.place is not None and row.place.hop > 0
