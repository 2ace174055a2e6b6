"""The base of every resource of the sync face: it runs operations."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from eventstore.api.batches import Batch
from eventstore.api.faces.recorded import RecordedRun
from eventstore.api.faces.recorded_blocks import RecordedBlock
from eventstore.api.faces.sync_runner import SyncRunner
from eventstore.api.operations.catch_up import catching_up, running
from eventstore.api.operations.catch_up_terms import checked_terms
from eventstore.api.operations.projection_status import ProjectionStatus, status
from eventstore.api.operations.recording import Recording
from eventstore.api.operations.routine import Pause, Routine, drive
from eventstore.read_models.catch_up.definition import Projection

__all__ = ["ProjectionsBase", "Resource"]

T = TypeVar("T")


class Resource:
    """One attribute of a store."""

    def __init__(self, runner: SyncRunner) -> None:
        self._runner = runner
        self._scope = runner.scope
        self._perform = runner.perform
        self._write = runner.write
        self._each = runner.each
        self._following = runner.following
        self._awaited = runner.awaited

    def _collecting(self, batch: Batch) -> AbstractContextManager[Batch]:
        return self._performed_at_the_end(batch)

    @contextmanager
    def _performed_at_the_end(self, batch: Batch) -> Iterator[Batch]:
        yield batch
        made = batch.as_write()
        if made is not None:
            batch.settle(self._perform(made))

    def _recorded(self, recording: Recording) -> AbstractContextManager[RecordedRun]:
        return RecordedBlock(recording, self._perform)


class ProjectionsBase(Resource):
    """Methods that run until stopped, or that keep something in this process."""

    def register(self, projection: Projection) -> None:
        """Make a projection known to this store, and to those bound to it.

        Args:
            projection: Replaces one of the same name.

        Raises:
            InvalidInput: it is malformed.
        """
        self._scope.registry.add(projection)

    def run(
        self,
        *names: str,
        stop: threading.Event | None = None,
        lease_seconds: float = 30.0,
        batch_events_max: int = 200,
        poll_seconds: float = 1.0,
        holder: str | None = None,
    ) -> None:
        """Keep projections current, all or those named, until ``stop`` is set; blocks.

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
        self._drive(running(self._scope, names or None, terms), stop)

    def catch_up(
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
        self._drive(catching_up(self._scope, names or None, terms), None)
        return self._perform(status(self._scope))

    def _drive(self, routine: Routine[None], stop: threading.Event | None) -> None:
        drive(routine, self._perform, Pause(self._runner.changed, stop))
