"""Commits shared among waiting writers.

One transaction at a time writes to a database, and a durable commit waits for the disk. So whoever is
first leads: it takes every request that waits, performs them in one transaction, and hands each caller its
own outcome. Requests that arrive during that commit wait together for the next one: the batch is what
queued meanwhile, and there is no timer.

A sync caller leads in its own thread, so a lone writer never changes threads; when it is done it
passes the lead to the first caller still waiting. Requests from event loops are led by one worker
thread, which is woken at the end of the loop's turn, when every task that was ready has queued its own.

What must stay true:

* a request is performed at most once, and its caller hears exactly one outcome;
* a request that was withdrawn before it was taken is never performed; one that was taken is waited for;
* if the database itself refuses a batch before committing, each of its requests is tried alone;
* after a commit whose outcome is unknown nothing is tried again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from eventstore.errors import OutcomeUnknown, StoreBusy, StoreClosed

__all__ = ["SharedWriter"]

Q = TypeVar("Q")
R = TypeVar("R")

_BATCH_MAX = 1_000


class _Ticket(Protocol):
    """A request with somebody who waits for it."""

    request: Any

    def settle(self, outcome: Any, error: BaseException | None) -> None:  # noqa: ANN401
        """Hand over the outcome; called once, by the leader."""


class _ThreadTicket(Generic[Q, R]):
    """Held by a thread, which sleeps on a lock until it has its outcome or has to lead."""

    __slots__ = ("_baton", "error", "outcome", "request", "settled")

    def __init__(self, request: Q) -> None:
        self.request = request
        self.settled = False
        self.outcome: R | None = None
        self.error: BaseException | None = None
        self._baton = threading.Lock()
        self._baton.acquire()

    def settle(self, outcome: R | None, error: BaseException | None) -> None:
        self.outcome, self.error, self.settled = outcome, error, True
        self._baton.release()

    def promote(self) -> None:
        """Wake the holder to lead."""
        self._baton.release()

    def wait(self) -> None:
        """Sleep until settled or promoted."""
        self._baton.acquire()


class _TaskTicket(Generic[Q, R]):
    """Held by a task; settled in its own event loop."""

    __slots__ = ("error", "future", "loop", "outcome", "request", "settled")

    def __init__(self, request: Q, loop: asyncio.AbstractEventLoop) -> None:
        self.request = request
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self.settled = False
        self.outcome: R | None = None
        self.error: BaseException | None = None

    def settle(self, outcome: R | None, error: BaseException | None) -> None:
        self.outcome, self.error, self.settled = outcome, error, True

    def wake(self) -> None:
        """Resume the task; called in its loop."""
        if not self.future.done():
            self.future.set_result(None)


class SharedWriter(Generic[Q, R]):
    """Takes requests from any thread and any event loop; performs them in order, in batches."""

    def __init__(
        self,
        perform: Callable[[Sequence[Q]], Sequence[R]],
        *,
        queue_max: int,
        patience_seconds: float,
    ) -> None:
        """``perform`` runs one transaction and returns outcomes in order, or raises for all."""
        self._perform = perform
        self._queue_max = queue_max
        self._patience_seconds = patience_seconds
        self._mutex = threading.Lock()
        self._changed = threading.Condition(self._mutex)
        self._queue: deque[_ThreadTicket[Q, R] | _TaskTicket[Q, R]] = deque()
        self._led = False
        self._closed = False
        self._worker: threading.Thread | None = None
        self._wake_worker = threading.Semaphore(0)

    # -- callers in threads --------------------------------------------------------------------

    def submit(self, request: Q) -> R:
        """Perform a request; returns its outcome or raises what befell its batch.

        Raises:
            StoreBusy: the queue stayed full. StoreClosed: the store was closed.
        """
        ticket: _ThreadTicket[Q, R] = _ThreadTicket(request)
        with self._mutex:
            self._await_room()
            self._queue.append(ticket)
            leads, self._led = not self._led, True
        if not leads:
            ticket.wait()
        if not ticket.settled:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.outcome  # type: ignore[return-value]

    def _await_room(self) -> None:
        deadline = time.monotonic() + self._patience_seconds
        while not self._closed and len(self._queue) >= self._queue_max:
            if not self._changed.wait(deadline - time.monotonic()):
                raise _full(self._queue_max)
        if self._closed:
            raise StoreClosed

    # -- callers in event loops ----------------------------------------------------------------

    async def submit_async(self, request: Q) -> R:
        """Perform a request for a task.

        A task cancelled while its request waits withdraws it. Once the request was taken, its
        transaction cannot be stopped: the outcome is awaited, then the cancellation is raised.
        """
        loop = asyncio.get_running_loop()
        if len(self._queue) >= self._queue_max:
            await self._await_room_async()
        ticket: _TaskTicket[Q, R] = _TaskTicket(request, loop)
        with self._mutex:
            if self._closed:
                raise StoreClosed
            self._queue.append(ticket)
            leads, self._led = not self._led, True
        if leads:
            self._start_worker()
            loop.call_soon(self._wake_worker.release)
        try:
            await ticket.future
        except asyncio.CancelledError:
            if not self._withdrawn(ticket):
                await _settled(ticket)
            raise
        if ticket.error is not None:
            raise ticket.error
        return ticket.outcome  # type: ignore[return-value]

    async def _await_room_async(self) -> None:
        """Wait for room in a thread: rare, and only while the queue is full."""

        def wait() -> None:
            with self._mutex:
                self._await_room()

        await asyncio.to_thread(wait)

    def _withdrawn(self, ticket: _TaskTicket[Q, R]) -> bool:
        """Take back a request that nobody has taken yet."""
        with self._mutex:
            if ticket in self._queue:
                self._queue.remove(ticket)
                return True
            return False

    # -- leading -------------------------------------------------------------------------------

    def _start_worker(self) -> None:
        if self._worker is None:
            self._worker = threading.Thread(
                target=self._work, name="eventstore-writer", daemon=True
            )
            self._worker.start()

    def _work(self) -> None:
        """Lead for tasks until the writer is closed."""
        while True:
            self._wake_worker.acquire()
            if self._closed and not self._queue:
                return
            self._lead()

    def _lead(self) -> None:
        """Perform one batch, pass the lead on, and tell the callers."""
        with self._mutex:
            count = min(len(self._queue), _BATCH_MAX)
            batch = [self._queue.popleft() for _ in range(count)]
        try:
            self._serve(batch)
        finally:
            with self._mutex:
                heir = self._queue[0] if self._queue else None
                self._led = heir is not None
                self._changed.notify_all()
            self._pass_lead(heir)
            _wake_tasks(batch)

    def _pass_lead(self, heir: _ThreadTicket[Q, R] | _TaskTicket[Q, R] | None) -> None:
        if isinstance(heir, _ThreadTicket):
            heir.promote()
        elif heir is not None:
            self._start_worker()
            self._wake_worker.release()

    def _serve(self, batch: Sequence[_ThreadTicket[Q, R] | _TaskTicket[Q, R]]) -> None:
        """Perform a batch and settle every ticket of it."""
        if not batch:
            return
        try:
            outcomes = self._perform([ticket.request for ticket in batch])
        except (StoreBusy, OutcomeUnknown) as error:
            _settle_all(batch, error)
        except Exception as error:  # noqa: BLE001 (whatever it is belongs to one of the callers)
            if len(batch) == 1:
                batch[0].settle(None, error)
            else:
                for ticket in batch:
                    self._serve([ticket])
        except BaseException:
            _settle_all(batch, OutcomeUnknown("the thread that was writing was interrupted"))
            raise
        else:
            for ticket, outcome in zip(batch, outcomes, strict=True):
                ticket.settle(outcome, None)

    # -- closing -------------------------------------------------------------------------------

    def close(self) -> None:
        """Take no more requests, finish those that wait, and stop the worker. Idempotent."""
        with self._mutex:
            self._closed = True
            self._changed.notify_all()
            while self._queue or self._led:
                self._changed.wait()
        if self._worker is not None:
            self._wake_worker.release()
            self._worker.join()
            self._worker = None


def _full(queue_max: int) -> StoreBusy:
    return StoreBusy(f"{queue_max} writes wait already and the database does not keep up")


def _settle_all(batch: Sequence[_Ticket], error: BaseException) -> None:
    for ticket in batch:
        ticket.settle(None, error)


def _wake_tasks(batch: Sequence[object]) -> None:
    """Resume the tasks of a batch: one call into each event loop, however many they are."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_TaskTicket[Any, Any]]] = {}
    for ticket in batch:
        if isinstance(ticket, _TaskTicket):
            by_loop.setdefault(ticket.loop, []).append(ticket)
    for loop, tickets in by_loop.items():
        try:
            loop.call_soon_threadsafe(_wake_all, tickets)
        except RuntimeError:  # the loop was closed with its tasks: nobody waits there any more
            continue


def _wake_all(tickets: Sequence[_TaskTicket[Any, Any]]) -> None:
    for ticket in tickets:
        ticket.wake()


async def _settled(ticket: _TaskTicket[Any, Any]) -> None:
    """Wait until a taken request has its outcome, whatever else is cancelled meanwhile."""
    while not ticket.settled:
        ticket.future = ticket.loop.create_future()
        if ticket.settled:
            return
        try:
            await ticket.future
        except asyncio.CancelledError:
            continue
