"""Apply one batch: move the checkpoint and apply the events, in one transaction or not at all.

An event that cannot be applied stops the projection there, until its rule is mended. A failure of
the database is temporary, and the batch is retried. ``failing`` distinguishes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from eventstore.core.events import Position, RecordedEvent
from eventstore.read_models.catch_up.definition import Definition
from eventstore.read_models.catch_up.failing import Failure, failure_at, passes
from eventstore.read_models.catch_up.generations import Generation
from eventstore.read_models.catch_up.holding import advance
from eventstore.read_models.catch_up.tables import WritableTables, follow
from eventstore.storage.transaction import Transaction

__all__ = ["Batch", "Poisoned", "TenantEvent"]

TenantEvent = tuple[str, RecordedEvent]
"""An event, and the tenant it belongs to."""


class Poisoned(Exception):
    """The event at ``index`` of a batch cannot be applied. Nothing of the batch was written."""

    def __init__(self, index: int, failure: Failure) -> None:
        super().__init__(failure.error)
        self.index = index
        self.failure = failure


class Batch:
    """Applies events to the tables of one generation; called with a transaction, maybe again."""

    def __init__(
        self,
        definition: Definition,
        held: Generation,
        events: Sequence[TenantEvent],
        end: Position,
        lease_us: int,
    ) -> None:
        self._definition = definition
        self._held = held
        self._events = events
        self._end = end
        self._lease_us = lease_us

    def __call__(self, tx: Transaction) -> None:
        """Move the checkpoint, then apply the events.

        Raises:
            LeaseLost: another worker took over.
            Poisoned: an event cannot be applied.
        """
        held = self._held
        advance(tx, held, self._end, self._lease_us)
        tables = WritableTables(tx, held.name, held.generation, held.tables, "")
        for index, (tenant, event) in enumerate(self._events):
            tables.tenant = tenant
            try:
                follow(self._definition.apply, tables, event)
            except Exception as error:
                if passes(error):
                    raise
                failure = failure_at(event.stream_id, event.version, event.type, error)
                raise Poisoned(index, failure) from error
