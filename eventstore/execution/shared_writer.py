"""Commits shared among waiting writers.

One transaction at a time writes to a database, and a durable commit waits for the disk. So the
first caller leads: it takes every waiting request, performs them in one transaction, and hands each
caller its own outcome. Requests that arrive during that commit wait together for the next one. The
batch is thus whatever queued meanwhile, and there is no timer.

A sync caller leads in its own thread, so a lone writer never changes threads; when it is done it
passes the lead to the first caller still waiting. One worker thread leads for requests from event
loops. It is woken at the end of the loop's turn, when every task that was ready has queued its own.

What must stay true:

* a request is performed at most once, and its caller gets exactly one outcome, also if the thread
  that performs it is interrupted;
* a thread leads while any request waits: a lead whose heir does not take it up (the heir was
  interrupted, or the loop that was to wake the worker stands still) is passed on again;
* a request that is withdrawn before a batch takes it is never performed; a taken one is awaited;
* only one thread leads at a time. If it is interrupted, even while it handles an earlier interrupt,
  the next leader or a waiting caller takes up its work: the lead is a lock, which is entered and
  left in C, where no interrupt strikes. All other fields only name the next leader, and may be
  wrong;
* if the database refuses a batch before committing, each half of it is tried separately, down to
  the requests that it refuses alone: only their callers get the error;
* after a commit whose outcome is unknown nothing is retried.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import attrgetter
from queue import SimpleQueue
from threading import get_ident
from typing import Final, Generic, TypeVar

from eventstore.errors import OutcomeUnknown, StoreBusy, StoreClosed
from eventstore.execution.retrying import halves, struck_while_committing
from eventstore.execution.tickets import (
    LOOK_SECONDS,
    Sleeper,
    TaskTicket,
    ThreadTicket,
    interrupted,
    queue_is_full,
    settle_rest,
    settled,
    wake_tasks,
)

__all__ = [
    "BATCH_MAX",
    "SharedWriter",
]

Q = TypeVar("Q")
R = TypeVar("R")

BATCH_MAX: Final = 1_000


class SharedWriter(Generic[Q, R]):
    """Takes requests from any thread and any event loop; performs them in order, in batches."""

    def __init__(
        self,
        perform: Callable[[Sequence[Q]], Sequence[R]],
        *,
        queue_max: int,
        patience_seconds: float,
    ) -> None:
        """Create it. ``perform`` runs one transaction and returns outcomes, or raises for all."""
        self._perform = perform
        self._queue_max = queue_max
        self._patience_seconds = patience_seconds
        self._mutex = threading.RLock()
        self._leading = threading.Lock()
        """The lead itself: the thread that performs a batch holds it, whatever the fields below
        say."""
        self._changed = threading.Condition(self._mutex)
        self._watched = False
        """True once anybody has waited for a change: to notify takes three calls for each append.
        """
        self._queue: deque[ThreadTicket[Q, R] | TaskTicket[Q, R]] = deque()
        self._led = False
        self._heir: object = None
        """The ticket whose turn it is to lead. A thread's ticket stays here until it has appointed
        another, so that it can find out, if it was interrupted, whether it still had to lead."""
        self._closed = False
        self._worker: threading.Thread | None = None
        self._wakes: SimpleQueue[None] = SimpleQueue()  # in C; a Semaphore is 25 calls
        self._waking: asyncio.AbstractEventLoop | None = None
        """The event loop that will wake the worker at the end of its turn."""
        self._waiting_for_room: list[Sleeper] = []

    # -- callers in threads --------------------------------------------------------------------

    def submit(self, request: Q) -> R:
        """Perform a request; return its outcome or raise the error of its batch.

        Raises:
            StoreBusy: the queue stayed full. StoreClosed: the store was closed.
        """
        ticket: ThreadTicket[Q, R] = ThreadTicket(request)
        queued = False
        try:
            with self._mutex:
                if self._closed or len(self._queue) >= self._queue_max:
                    self._await_room()
                self._queue.append(ticket)
                queued = True
                leads = not self._led or self._is_left_over()
                if leads:
                    self._heir = ticket  # first, so that nobody takes a lead without an owner
                    self._led = True
                if self._waking is not None:
                    self._hurry()
            while not ticket.settled:
                if not leads:
                    ticket.wait()  # for an outcome, for the lead, or to check the leader
                if not ticket.settled:
                    self._lead(ticket)
                leads = False
        except BaseException as error:  # KeyboardInterrupt, wherever it struck
            ticket.withdrawn = True  # at once, whatever strikes next
            taken = not self._leave(ticket) and queued
            if taken and isinstance(error, StoreBusy) and not isinstance(ticket.error, StoreBusy):
                raise struck_while_committing() from error  # raised by a signal handler's own call
            raise
        if ticket.error is not None:
            raise ticket.error
        return ticket.outcome  # type: ignore[return-value]

    def _is_left_over(self) -> bool:
        """Return whether this thread still appears as the leader after an interrupt."""
        return isinstance(self._heir, ThreadTicket) and self._heir.thread == get_ident()

    def _await_room(self) -> None:
        if len(self._queue) >= self._queue_max:
            deadline = time.monotonic() + self._patience_seconds
            self._watched = True
            while not self._closed and len(self._queue) >= self._queue_max:
                if not self._changed.wait(deadline - time.monotonic()):
                    raise queue_is_full(self._queue_max)
        if self._closed:
            raise StoreClosed

    def _leave(self, ticket: ThreadTicket[Q, R]) -> bool:
        """Withdraw the request of an interrupted thread; if it was to lead, another will.

        Return whether no batch had taken it yet.
        """
        with self._mutex:
            waits = ticket in self._queue
            if waits:
                self._queue.remove(ticket)
            if self._heir is ticket:
                self._appoint(ticket)
        self._pass_lead(ticket.successor)
        return waits

    # -- callers in event loops ----------------------------------------------------------------

    async def submit_async(self, request: Q) -> R:
        """Perform a request for a task.

        Cancelling a task while its request waits withdraws the request. Once a batch has taken it,
        its transaction cannot be stopped: the outcome is awaited, then the cancellation is raised.
        """
        loop = asyncio.get_running_loop()
        ticket: TaskTicket[Q, R] = TaskTicket(request, loop)
        if not self._queued(ticket):
            await self._queue_with_patience(ticket)
        try:
            await ticket.future
        except asyncio.CancelledError:
            if not self._withdrawn(ticket):
                await settled(ticket)
            raise
        if ticket.error is not None:
            raise ticket.error
        return ticket.outcome  # type: ignore[return-value]

    def _queued(self, ticket: TaskTicket[Q, R]) -> bool:
        """Queue a task's request if there is room, and make sure that somebody leads."""
        with self._mutex:
            if self._closed:
                raise StoreClosed
            if len(self._queue) >= self._queue_max:
                return False
            self._start_worker()
            if self._led:
                if self._waking is not ticket.loop:
                    self._hurry()
            else:
                ticket.loop.call_soon(self._turn_ended, ticket.loop)
                self._waking = ticket.loop
                self._led = True
            self._queue.append(ticket)
        return True

    def _turn_ended(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._mutex:
            if self._waking is loop:
                self._hurry()

    def _hurry(self) -> None:
        """Wake the worker now, if it was to be woken at the end of a loop's turn.

        Callers from elsewhere do this: that loop may have been stopped in this very turn.
        """
        if self._waking is not None:
            self._waking = None
            self._wakes.put(None)

    async def _queue_with_patience(self, ticket: TaskTicket[Q, R]) -> None:
        """Queue a request once there is room, without occupying a thread."""
        deadline = time.monotonic() + self._patience_seconds
        while not self._queued(ticket):
            room = Sleeper(ticket.loop)
            with self._mutex:
                if self._closed or len(self._queue) < self._queue_max:
                    continue
                self._waiting_for_room.append(room)
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await room.future
            except TimeoutError:
                raise queue_is_full(self._queue_max) from None

    def _withdrawn(self, ticket: TaskTicket[Q, R]) -> bool:
        """Withdraw a request that no batch has taken yet."""
        with self._mutex:
            if ticket in self._queue:
                self._queue.remove(ticket)
                return True
            return False

    # -- leading -------------------------------------------------------------------------------

    def _start_worker(self) -> None:
        """Start a worker to lead for tasks, if none runs. Called with the mutex held."""
        if self._worker is None:
            worker = threading.Thread(target=self._work, name="eventstore-writer", daemon=True)
            worker.start()
            self._worker = worker

    def _work(self) -> None:
        """Lead for tasks until the writer is closed."""
        while True:
            self._wakes.get()
            if self._worker is None:  # close() found nothing left to do; an empty queue may be led
                return
            with suppress(BaseException):  # its callers got the error; the others still wait
                self._lead(None)

    def _lead(self, ticket: ThreadTicket[Q, R] | None) -> None:
        """Perform one batch, pass the lead on, and wake the callers. The worker has no ticket."""
        batch: list[ThreadTicket[Q, R] | TaskTicket[Q, R]] = []
        try:
            with self._leading:
                if ticket is None or not ticket.settled:
                    self._take(batch, ticket)
                    self._serve(batch)
        except BaseException:
            settle_rest(batch, interrupted())
            raise
        finally:
            with self._mutex:
                heir = self._appoint(ticket)
                rooms, self._waiting_for_room = self._waiting_for_room, []
            if heir is not None:
                self._pass_lead(heir)
            if ticket is not None:
                ticket.successor = None
            if batch != [ticket]:
                wake_tasks(batch)
            if rooms:
                wake_tasks(rooms)

    def _take(
        self,
        batch: list[ThreadTicket[Q, R] | TaskTicket[Q, R]],
        ticket: ThreadTicket[Q, R] | None,
    ) -> None:
        """Take the requests of the next batch; the holder of the lead calls it."""
        with self._mutex:
            self._heir = ticket
            for _ in range(min(len(self._queue), BATCH_MAX)):
                one = self._queue.popleft()
                if not one.withdrawn:
                    batch.append(one)
            if ticket is not None and ticket not in batch and ticket not in self._queue:
                ticket.settle(None, interrupted())  # taken by a thread that is gone

    def _appoint(
        self, by: ThreadTicket[Q, R] | None
    ) -> ThreadTicket[Q, R] | TaskTicket[Q, R] | None:
        """Choose the next leader: the first ticket that waits. Called with the mutex held.

        The lead leaves ``by`` with the last line. If it is interrupted before, it appoints again;
        if after, it knows whom to wake.
        """
        if self._watched:
            self._changed.notify_all()
        heir = self._queue[0] if self._queue else None
        if by is not None:
            by.successor = heir
        self._led = heir is not None
        self._heir = heir
        return heir

    def _pass_lead(self, heir: ThreadTicket[Q, R] | TaskTicket[Q, R] | None) -> None:
        if isinstance(heir, ThreadTicket):
            heir.wake()
        elif heir is not None:
            self._wakes.put(None)

    def _serve(self, batch: Sequence[ThreadTicket[Q, R] | TaskTicket[Q, R]]) -> None:
        """Perform a batch and settle every ticket of it."""
        if not batch:
            return
        try:
            outcomes = self._perform(list(map(_request_of, batch)))
        except (StoreBusy, OutcomeUnknown) as error:
            settle_rest(batch, error)
        except Exception as error:  # noqa: BLE001 (whatever it is belongs to one of the callers)
            if len(batch) == 1:
                batch[0].settle(None, error)
            else:
                for half in halves(batch):
                    self._serve(half)
        else:
            for ticket, outcome in zip(batch, outcomes, strict=True):
                ticket.settle(outcome, None)

    # -- closing -------------------------------------------------------------------------------

    def close(self) -> None:
        """Accept no more requests, finish those that wait, and stop the worker. Idempotent."""
        with self._mutex:
            self._closed = True
            self._changed.notify_all()
            rooms, self._waiting_for_room = self._waiting_for_room, []
            self._hurry()
        wake_tasks(rooms)
        while self._is_busy():
            self._lead(None)
        worker, self._worker = self._worker, None
        if worker is not None:
            self._wakes.put(None)
            worker.join()

    def _is_busy(self) -> bool:
        """Wait until nobody leads and nothing waits; return True if the leader is gone."""
        with self._mutex:
            self._watched = True
            while self._queue or self._led:
                if self._is_left_over() or not self._changed.wait(LOOK_SECONDS):
                    return True
        return False


_request_of: Final = attrgetter("request")
