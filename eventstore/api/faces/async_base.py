"""The base of every resource of the async face: it runs operations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from eventstore.api.batches import Batch
from eventstore.api.faces.async_runner import AsyncRunner
from eventstore.api.faces.recorded import AsyncRecordedRun
from eventstore.api.faces.recorded_blocks import AsyncRecordedBlock
from eventstore.api.operations.catch_up import catching_up, running
from eventstore.api.operations.catch_up_terms import checked_terms
from eventstore.api.operations.projection_status import ProjectionStatus, status
from eventstore.api.operations.recording import Recording
from eventstore.api.operations.routine import PauseAsync, Routine, drive_async
from eventstore.read_models.catch_up.definition import Projection

__all__ = ["AsyncProjectionsBase", "AsyncResource"]

T = TypeVar("T")


class AsyncResource:
    """One attribute of a store."""

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner
        self._scope = runner.scope
        self._perform = runner.perform
        self._write = runner.write
        self._each = runner.each
        self._following = runner.following
        self._awaited = runner.awaited

    def _collecting(self, batch: Batch) -> AbstractAsyncContextManager[Batch]:
        return self._performed_at_the_end(batch)

    @asynccontextmanager
    async def _performed_at_the_end(self, batch: Batch) -> AsyncIterator[Batch]:
        yield batch
        made = batch.as_write()
        if made is not None:
            batch.settle(await self._perform(made))

    def _recorded(self, recording: Recording) -> AbstractAsyncContextManager[AsyncRecordedRun]:
        return AsyncRecordedBlock(recording, self._perform)


class AsyncProjectionsBase(AsyncResource):
    """Methods that run until stopped, or that keep something in this process."""

    def register(self, projection: Projection) -> None:
        """Make a projection known to this store, and to those bound to it.

        Args:
            projection: Replaces one of the same name.

        Raises:
            InvalidInput: it is malformed.
        """
        self._scope.registry.add(projection)

    async def run(
        self,
        *names: str,
        stop: asyncio.Event | None = None,
        lease_seconds: float = 30.0,
        batch_events_max: int = 200,
        poll_seconds: float = 1.0,
        holder: str | None = None,
    ) -> None:
        """Keep projections current, all or those named, until ``stop`` is set or it is cancelled.

        Several processes may do this. One at a time works on a projection, the others stand by.

        Args:
            names: Projections to run; all that are registered if none is named.
            stop: Ends the run when it is set.
            lease_seconds: How long a worker may be silent before another takes over.
            batch_events_max: Most events to apply in one transaction.
            poll_seconds: How long to wait without a hint before looking again, and until ``stop``
                is noticed.
            holder: Name of this worker in ``status()``; made up if left out.

        Raises:
            InvalidInput: an option is not allowed, or a projection is not registered.
        """
        terms = checked_terms(lease_seconds, batch_events_max, poll_seconds, holder)
        await self._drive(running(self._scope, names or None, terms), stop)

    async def catch_up(
        self,
        *names: str,
        lease_seconds: float = 30.0,
        batch_events_max: int = 200,
        poll_seconds: float = 1.0,
        holder: str | None = None,
    ) -> list[ProjectionStatus]:
        """Apply everything that is in the log now, to all projections or those named.

        A projection that cannot apply an event stops there, and its status says so.

        Args:
            names: Projections to run; all that are registered if none is named.
            lease_seconds: How long a worker may be silent before another takes over.
            batch_events_max: Most events to apply in one transaction.
            poll_seconds: How long to wait for another worker before looking again.
            holder: Name of this worker in ``status()``; made up if left out.

        Returns:
            The status of every projection.

        Raises:
            InvalidInput: an option is not allowed, or a projection is not registered.
        """
        terms = checked_terms(lease_seconds, batch_events_max, poll_seconds, holder)
        await self._drive(catching_up(self._scope, names or None, terms), None)
        return await self._perform(status(self._scope))

    async def _drive(self, routine: Routine[None], stop: asyncio.Event | None) -> None:
        await drive_async(routine, self._perform, PauseAsync(self._runner.changed, stop))
