"""Requests that wait for the shared writer, and how their callers are woken.

A thread sleeps on a lock, a task on a future of its own event loop. The writer settles each ticket
once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from threading import get_ident
from typing import Any, Final, Generic, Protocol, TypeVar

from eventstore.errors import OutcomeUnknown, StoreBusy

__all__ = [
    "LOOK_SECONDS",
    "Sleeper",
    "TaskTicket",
    "ThreadTicket",
    "interrupted",
    "queue_is_full",
    "same_again",
    "settle_rest",
    "settled",
    "wake_tasks",
]

Q = TypeVar("Q")
R = TypeVar("R")


LOOK_SECONDS: Final = 1.0
"""Longest wait before a waiting caller checks whether the leader, or the heir, is gone."""


class _Ticket(Protocol):
    """A request and its waiting caller."""

    request: Any
    settled: bool

    def settle(self, outcome: None, error: BaseException | None) -> None:
        """Set the outcome; the leader calls it once."""


class ThreadTicket(Generic[Q, R]):
    """A thread's ticket: the thread sleeps on a lock until it has its outcome or has to lead."""

    __slots__ = (
        *("_baton", "error", "following", "gone", "outcome", "request", "settled"),
        *("successor", "thread"),
    )

    def __init__(self, request: Q) -> None:
        self.request = request
        self.settled: bool = False
        self.gone = False
        """True once the holder waits no more: it has its outcome, or was interrupted."""
        self.thread: int = get_ident()
        self.successor: Any = None
        """The heir that the holder appointed, and may not have woken yet."""
        self.following: ThreadTicket[Q, R] | None = None
        """The next thread of the batch, which the holder wakes when it goes."""
        self.outcome: R | None = None
        self.error: BaseException | None = None
        self._baton = threading.Lock()
        self._baton.acquire()

    def settle(self, outcome: R | None, error: BaseException | None) -> None:
        self.outcome, self.error, self.settled = outcome, error, True
        try:  # as wake(), a call less for each append
            self._baton.release()
        except RuntimeError:
            return

    def wake(self) -> None:
        """Wake the holder: its ticket is settled, or it has to lead.

        A leader that is interrupted during the call repeats it; the holder sleeps no second time.
        """
        try:  # suppress() would be three calls for each append
            self._baton.release()
        except RuntimeError:
            return

    def wait(self) -> bool:
        """Sleep until woken; False after a while."""
        return self._baton.acquire(timeout=LOOK_SECONDS)


class Sleeper:
    """A waiting task, to be resumed in its own event loop."""

    __slots__ = ("future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self.future: asyncio.Future[None] = loop.create_future()

    def wake(self) -> None:
        """Resume the task; called in its loop."""
        if not self.future.done():
            self.future.set_result(None)


class TaskTicket(Sleeper, Generic[Q, R]):
    """A task's ticket."""

    __slots__ = ("error", "outcome", "request", "settled")

    gone = False
    """False for good: a task removes its own request from the queue."""

    def __init__(self, request: Q, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop  # as Sleeper does, a call less for each append
        self.future = loop.create_future()
        self.request: Q = request
        self.settled: bool = False
        self.outcome: R | None = None
        self.error: BaseException | None = None

    def settle(self, outcome: R | None, error: BaseException | None) -> None:
        self.outcome, self.error, self.settled = outcome, error, True


def interrupted() -> OutcomeUnknown:
    return OutcomeUnknown("the thread that was writing was interrupted")


def queue_is_full(queue_max: int) -> StoreBusy:
    """Return the error for a caller that waited in vain for room."""
    return StoreBusy(f"{queue_max} writes wait already and the database does not keep up")


def same_again(error: StoreBusy | OutcomeUnknown) -> StoreBusy | OutcomeUnknown:
    """Return an equal error for another caller: an error raised twice collects both tracebacks."""
    told = type(error)(error.problem)
    told.__cause__ = error.__cause__
    return told


def settle_rest(batch: Sequence[_Ticket], error: StoreBusy | OutcomeUnknown) -> None:
    """Settle every ticket of a batch that has no outcome yet."""
    for ticket in batch:
        if not ticket.settled:
            ticket.settle(None, same_again(error))
        elif isinstance(ticket, ThreadTicket):
            ticket.wake()  # its leader was interrupted, maybe before waking it


def wake_tasks(waiting: Sequence[object], here: asyncio.AbstractEventLoop | None = None) -> None:
    """Resume waiting tasks: one call into each event loop, however many tasks there are.

    ``here``: the event loop in whose thread this is called, if it is called in one.
    """
    by_loop: dict[asyncio.AbstractEventLoop, list[Sleeper]] = {}
    for one in waiting:
        if isinstance(one, Sleeper) and one.loop is here:
            one.wake()
        elif isinstance(one, Sleeper):
            by_loop.setdefault(one.loop, []).append(one)
    for loop, rooms in by_loop.items():
        try:
            loop.call_soon_threadsafe(_wake_all, rooms)
        except RuntimeError:  # the loop was closed with its tasks: nobody waits there any more
            continue


def _wake_all(waiting: Sequence[Sleeper]) -> None:
    for one in waiting:
        one.wake()


async def settled(ticket: TaskTicket[Any, Any]) -> None:
    """Wait until a taken request has its outcome, whatever else is cancelled meanwhile."""
    while not ticket.settled:
        ticket.future = ticket.loop.create_future()  # woken through the loop, so never too early
        try:
            await ticket.future
        except asyncio.CancelledError:
            continue
