"""Commits shared among waiting writers.

One transaction at a time writes to a database, and a durable commit waits for the disk. So the
first caller leads: it takes every waiting request, performs them in one transaction, and hands each
caller its own outcome. Requests that arrive during that commit wait together for the next one. The
batch is thus whatever queued meanwhile, and there is no timer.

A sync caller leads in its own thread, so a lone writer never changes threads; when it is done it
passes the lead to the first caller still waiting. One worker thread leads for requests from event
loops. It is woken at the end of the loop's turn, when every task that was ready has queued its own.
If a single one did, and transactions are quick at present, the loop performs it in its own thread:
changing threads twice would take longer (see :class:`~eventstore.execution.pace.Pace`).

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
from typing import Final, Generic, TypeAlias, TypeVar

from eventstore.errors import OutcomeUnknown, StoreBusy, StoreClosed
from eventstore.execution.pace import AtOnce, MustWait, Pace
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

_Ticket: TypeAlias = ThreadTicket[Q, R] | TaskTicket[Q, R]


class SharedWriter(Generic[Q, R]):
    """Takes requests from any thread and any event loop; performs them in order, in batches."""

    def __init__(
        self,
        perform: Callable[[Sequence[Q]], Sequence[R]],
        *,
        queue_max: int,
        patience_seconds: float,
        at_once: AtOnce[Q, R] | None = None,
    ) -> None:
        """Create it. ``perform`` runs one transaction and returns outcomes, or raises for all.

        With ``at_once`` an event loop may perform the request of a task that is alone.
        """
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
        self._queue: deque[_Ticket[Q, R]] = deque()
        self._led = False
        self._heir: object = None
        """The ticket whose turn it is to lead. A thread's ticket stays here until it has appointed
        another, so that it can find out, if it was interrupted, whether it still had to lead."""
        self._closed = False
        self._worker: threading.Thread | None = None
        self._wakes: SimpleQueue[None] = SimpleQueue()  # in C; a Semaphore is 25 calls
        self._waking: asyncio.AbstractEventLoop | None = None
        """The event loop that will wake the worker at the end of its turn, or lead itself."""
        self._turns_until = 0.0
        """The loop's time after which its turn must have been interrupted."""
        self._waiting_for_room: list[Sleeper] = []
        self._at_once = at_once
        self._pace = Pace()

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
                if self._waking is not ticket.loop or ticket.loop.time() > self._turns_until:
                    self._hurry()
            else:
                self._turns_until = ticket.loop.time() + LOOK_SECONDS
                ticket.loop.call_soon(self._turn_ended, ticket.loop)
                self._waking = ticket.loop
                self._led = True
            self._queue.append(ticket)
        return True

    def _turn_ended(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake the worker, or lead in the loop's own thread."""
        batch: list[_Ticket[Q, R]] = []
        try:
            with self._mutex:
                if self._waking is not loop:
                    return
                if not self._may_lead_at_once():
                    self._hurry()
                    return
                self._waking = None
            self._lead(None, batch, loop)
        except BaseException:  # KeyboardInterrupt, which stops the loop
            self._wakes.put(None)  # the worker takes up what is left
            settle_rest(batch, interrupted())
            wake_tasks(batch)
            raise

    def _may_lead_at_once(self) -> bool:
        """Return whether a single brief request waits, and transactions are quick."""
        at_once, queue = self._at_once, self._queue
        if at_once is None or len(queue) != 1 or not self._pace.quick:
            return False
        return at_once.is_brief(queue[0].request)

    def _hurry(self) -> None:
        """Wake the worker now, if it was to be woken at the end of a loop's turn.

        Callers from elsewhere do this: that loop may have been stopped in this very turn. So may
        one that was to lead itself; once too often does no harm.
        """
        if self._waking is not None or not self._leading.locked():
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
                self._lead(None, [])

    def _lead(
        self,
        ticket: ThreadTicket[Q, R] | None,
        batch: list[_Ticket[Q, R]],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Perform one batch, pass the lead on, and wake the callers.

        The worker has no ticket, and a ``loop`` that leads in its own thread has none, either.
        ``batch`` is empty, and shows what was taken if this is interrupted.
        """
        try:
            with self._leading:
                if ticket is None or not ticket.settled:
                    self._take(batch, ticket)
                    if ticket is not None:
                        self._serve(batch, self._perform)
                    elif loop is None or self._at_once is None:
                        self._serve_timed(batch, self._perform)
                    else:
                        self._serve_timed(batch, self._at_once.perform)
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
                wake_tasks(batch, loop)
            if rooms:
                wake_tasks(rooms)

    def _take(
        self,
        batch: list[_Ticket[Q, R]],
        ticket: ThreadTicket[Q, R] | None,
    ) -> None:
        """Take the requests of the next batch; the holder of the lead calls it."""
        with self._mutex:
            self._heir = ticket
            for _ in range(min(len(self._queue), BATCH_MAX)):
                one = self._queue[0]
                if not (one.withdrawn or one.settled):  # settled: an interrupt struck right here
                    batch.append(one)
                self._queue.popleft()
            if ticket is not None and ticket not in batch and ticket not in self._queue:
                ticket.settle(None, interrupted())  # taken by a thread that is gone

    def _appoint(self, by: ThreadTicket[Q, R] | None) -> _Ticket[Q, R] | None:
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

    def _pass_lead(self, heir: _Ticket[Q, R] | None) -> None:
        if isinstance(heir, ThreadTicket):
            heir.wake()
        elif heir is not None:
            self._wakes.put(None)

    def _serve_timed(
        self, batch: list[_Ticket[Q, R]], perform: Callable[[Sequence[Q]], Sequence[R]]
    ) -> None:
        """Serve a batch and note the time; if it would have to wait and may not, hand it on."""
        begun = time.perf_counter()
        try:
            self._serve(batch, perform)
        except MustWait:
            waiting = [one for one in batch if not one.settled]
            with self._mutex:  # in this order: an interrupt in between loses nothing
                self._queue.extendleft(reversed(waiting))
                batch[:] = [one for one in batch if one.settled]
        self._pace.note(time.perf_counter() - begun)

    def _serve(
        self, batch: Sequence[_Ticket[Q, R]], perform: Callable[[Sequence[Q]], Sequence[R]]
    ) -> None:
        """Perform a batch and settle every ticket of it.

        Raises:
            MustWait: nothing was written, and another leader has to do it.
        """
        if not batch:
            return
        try:
            outcomes = perform(list(map(_request_of, batch)))
        except (StoreBusy, OutcomeUnknown) as error:
            if perform != self._perform and isinstance(error, StoreBusy):
                raise MustWait from error
            settle_rest(batch, error)
        except Exception as error:  # noqa: BLE001 (whatever it is belongs to one of the callers)
            if len(batch) == 1:
                batch[0].settle(None, error)
            else:
                for half in halves(batch):
                    self._serve(half, perform)
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


_request_of: Final = attrgetter("request")
