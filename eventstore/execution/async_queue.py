"""Commits shared among waiting tasks of one event loop, without a thread.

One task serves the queue while it holds requests. Requests that queue during one transaction are
the batch of the next, as in :class:`~eventstore.execution.shared_writer.SharedWriter`, and the same
rules must stay true.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from eventstore.errors import OutcomeUnknown, StoreBusy, StoreClosed
from eventstore.execution.leading import BATCH_MAX
from eventstore.execution.retrying import halves
from eventstore.execution.tickets import queue_is_full, same_again

__all__ = ["AsyncQueue"]

Q = TypeVar("Q")
R = TypeVar("R")


class _Entry(Generic[Q, R]):
    """A request, and the future that its task awaits."""

    __slots__ = ("future", "request")

    def __init__(self, request: Q) -> None:
        self.request = request
        self.future: asyncio.Future[R] = asyncio.get_running_loop().create_future()

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class AsyncQueue(Generic[Q, R]):
    """Takes requests from the tasks of one loop; performs them in order, in batches."""

    def __init__(
        self,
        perform: Callable[[Sequence[Q]], Awaitable[Sequence[R]]],
        *,
        queue_max: int,
        patience_seconds: float,
    ) -> None:
        """Create it. ``perform`` runs one transaction and returns outcomes, or raises for all."""
        self._perform: Final = perform
        self._queue_max: Final = queue_max
        self._patience_seconds: Final = patience_seconds
        self._closed = False
        self._queue: deque[_Entry[Q, R]] = deque()
        self._room = asyncio.Condition()
        self._server: asyncio.Task[None] | None = None

    async def submit(self, request: Q) -> R:
        """Perform a request; return its outcome or raise the error of its batch.

        Cancelling a task while its request waits withdraws the request. Once a batch includes the
        request, the task awaits the outcome first.

        Raises:
            StoreBusy: the queue stayed full. StoreClosed: the store was closed.
        """
        if self._closed:
            raise StoreClosed
        if len(self._queue) >= self._queue_max:
            await self._await_room()
        entry: _Entry[Q, R] = _Entry(request)
        self._queue.append(entry)
        self._serve_if_need_be()
        try:
            return await asyncio.shield(entry.future)
        except asyncio.CancelledError:
            if entry in self._queue:
                self._queue.remove(entry)
            else:
                await _settled(entry.future)
            raise

    async def _await_room(self) -> None:
        try:
            async with asyncio.timeout(self._patience_seconds), self._room:
                await self._room.wait_for(
                    lambda: self._closed or len(self._queue) < self._queue_max
                )
        except TimeoutError:
            raise queue_is_full(self._queue_max) from None
        if self._closed:
            raise StoreClosed

    def _serve_if_need_be(self) -> None:
        if self._server is None and self._queue:
            self._server = asyncio.create_task(self._serve())
            self._server.add_done_callback(self._served)

    def _served(self, _: asyncio.Task[None]) -> None:
        self._server = None
        self._serve_if_need_be()

    async def _serve(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
            try:
                await self._perform_all(batch)
            except BaseException:  # cancelled with everything else when the loop ends
                for entry in batch:
                    entry.fail(OutcomeUnknown("the task that was writing was cancelled"))
                raise
            async with self._room:
                self._room.notify_all()

    async def _perform_all(self, batch: Sequence[_Entry[Q, R]]) -> None:
        try:
            outcomes = await self._perform([entry.request for entry in batch])
        except (StoreBusy, OutcomeUnknown) as error:
            for entry in batch:
                entry.fail(same_again(error))
        except Exception as error:  # noqa: BLE001 (whatever it is belongs to one of the callers)
            if len(batch) == 1:
                batch[0].fail(error)
            else:
                for half in halves(batch):
                    await self._perform_all(half)
        else:
            for entry, outcome in zip(batch, outcomes, strict=True):
                entry.future.set_result(outcome)

    async def close(self) -> None:
        """Accept no more requests and finish those that wait."""
        self._closed = True
        async with self._room:
            self._room.notify_all()
        while self._server is not None:
            await asyncio.wait([self._server])


async def _settled(future: asyncio.Future[Any]) -> None:
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            continue
    future.exception()  # marks the exception as retrieved
