"""Commits shared among waiting writers.

One transaction at a time writes to a database, and a durable commit waits for the disk. So the
first caller leads: it takes every waiting request, performs them in one transaction, and hands each
caller its own outcome. Requests that arrive during that commit wait together for the next one. The
batch is thus whatever queued meanwhile, and there is no timer.

A sync caller leads in its own thread, so a lone writer never changes threads. When it is done, the
threads whose requests it performed wake one another, and the last passes the lead to the first
caller that waits by then: as a rule all of them have come back with their next request.

One worker thread leads for requests from event loops. It is woken at the end of the loop's turn,
when every task that was ready has queued its own. If a single one did, and transactions are quick
at present, the loop performs it in its own thread: changing threads twice would take longer (see
:class:`~eventstore.execution.pace.Pace`).

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
import time
from typing import TypeVar

from eventstore.errors import StoreBusy, StoreClosed
from eventstore.execution.leading import Leader
from eventstore.execution.retrying import struck_while_committing
from eventstore.execution.tickets import (
    LOOK_SECONDS,
    Sleeper,
    TaskTicket,
    ThreadTicket,
    queue_is_full,
    settled,
    wake_tasks,
)

__all__ = ["SharedWriter"]

Q = TypeVar("Q")
R = TypeVar("R")


class SharedWriter(Leader[Q, R]):
    """Takes requests from any thread and any event loop; performs them in order, in batches."""

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
                    self._lead(ticket, [])
                leads = False
            ticket.gone = True
            if ticket.following is not None or self._heir is ticket:
                self._pass_on(ticket)
        except BaseException as error:  # KeyboardInterrupt, wherever it struck
            ticket.gone = True  # at once, whatever strikes next
            self._leave(ticket, error, queued=queued)
            raise
        if ticket.error is not None:
            raise ticket.error
        return ticket.outcome  # type: ignore[return-value]

    def _await_room(self) -> None:
        if len(self._queue) >= self._queue_max:
            deadline = time.monotonic() + self._patience_seconds
            self._watched = True
            while not self._closed and len(self._queue) >= self._queue_max:
                if not self._changed.wait(deadline - time.monotonic()):
                    raise queue_is_full(self._queue_max)
        if self._closed:
            raise StoreClosed

    def _leave(self, ticket: ThreadTicket[Q, R], error: BaseException, *, queued: bool) -> None:
        """Withdraw the request of an interrupted thread; if it was to lead, another will.

        Raises:
            OutcomeUnknown: a batch had taken it, and the error would say that nothing was written.
        """
        with self._mutex:
            waited = ticket in self._queue
            if waited:
                self._queue.remove(ticket)
        self._pass_on(ticket)
        if waited or not queued or isinstance(ticket.error, StoreBusy):
            return
        if isinstance(error, StoreBusy):  # raised by a signal handler's own call
            raise struck_while_committing() from error

    def _pass_on(self, ticket: ThreadTicket[Q, R]) -> None:
        """Wake the next thread of the batch; the last appoints the next leader and wakes it."""
        if ticket.following is not None:
            ticket.following.wake()
        if self._heir is ticket:
            with self._mutex:
                if self._heir is ticket:
                    self._appoint(ticket)
        self._pass_lead(ticket.successor)

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
            if self._worker is None:
                self._start_worker()
            if self._led:
                if self._waking is not ticket.loop or time.monotonic() > self._turns_until:
                    self._hurry()
            else:
                self._turns_until = time.monotonic() + LOOK_SECONDS
                ticket.loop.call_soon(self._turn_ended, ticket.loop)
                self._waking = ticket.loop
                self._led = True
            self._queue.append(ticket)
        return True

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
            self._lead(None, [])
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
