"""``store.projections.status``: how far each projection is, and why one stopped."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final, Literal

from eventstore.api.operations.catch_up_terms import changing
from eventstore.api.operations.operation import Read, Scope, Write
from eventstore.core.events import Position, instant
from eventstore.core.json_values import check_name
from eventstore.core.values import Value
from eventstore.read_models.catch_up.failing import Failure
from eventstore.read_models.catch_up.generations import (
    Generation,
    generations,
    unbegun,
)
from eventstore.read_models.catch_up.holding import retry as retry_failed
from eventstore.read_models.catch_up.pages import lag
from eventstore.storage.transaction import Transaction

__all__ = ["FailedEvent", "ProjectionStatus", "retry", "status"]


class FailedEvent(Value):
    """The event that a projection could not apply."""

    stream_id: str
    """Stream of the event."""
    version: int
    """Version of the event."""
    type: str
    """Kind of event."""


class ProjectionStatus(Value):
    """The state of one set of tables of a projection."""

    name: str
    """Name of the projection."""
    generation: int
    """Goes up with each rebuild, usually by one; 0 before the first tables are made."""
    version: int
    """Version of the rules that fill it."""
    active: bool
    """It is the one that is read; another one is being built beside it."""
    state: Literal["running", "idle", "failed"]
    """``"running"`` while a worker holds the lease, also one that waits for events."""
    position: Position
    """Everything up to here is in the tables."""
    lag_events: int
    """Events that are not in the tables yet."""
    lag_seconds: float
    """Age of the oldest event that is not in the tables."""
    holder: str | None
    """Worker that holds the lease, as far as this process knows. On SQLite it does not know at once
    that a worker died: the lease has to stand still for as long as the worker asked for."""
    renewed_at: datetime | None
    """The last sign of life of the holder; on SQLite by its own clock, which may be wrong."""
    failed: FailedEvent | None
    """It stands before this event, until ``retry()`` or a rebuild."""
    error: str | None
    """Error that stopped it; also where it could not make its tables."""


_UNTOLD: Final = Failure("", 0, "", "ask the store that is not bound to a tenant why it stopped")


def status(scope: Scope) -> Read[list[ProjectionStatus]]:
    """Return the state of each projection that is registered here or ran on this store.

    A store that is bound to a tenant learns how many of the tenant's own events are missing,
    and whether a projection stopped, but not where: that may be at another tenant's event.
    """
    now = scope.log.environment.clock()

    def look(tx: Transaction) -> list[ProjectionStatus]:
        known = [one for one in generations(tx) if one.status != "retired"]
        present = {one.name for one in known}
        new = [one for one in scope.registry.named(None) if one.name not in present]
        return [_status(tx, scope, one, now) for one in [*known, *map(unbegun, new)]]

    return Read(look)


def _status(tx: Transaction, scope: Scope, one: Generation, now_us: int) -> ProjectionStatus:
    missing = lag(tx, one.position, scope.tenant if scope.is_tenants else None)
    failure = one.failure
    if failure is not None and scope.is_tenants:
        failure = _UNTOLD
    held = None if scope.registry.watched.is_free(one) else one.holder
    oldest_us = now_us if missing.since_us is None else missing.since_us
    failed = None
    if failure is not None and failure.version > 0:
        failed = FailedEvent(
            stream_id=failure.stream_id, version=failure.version, type=failure.type
        )
    return ProjectionStatus(
        name=one.name,
        generation=one.generation,
        version=one.version,
        active=one.status == "active",
        state="failed" if failure else "running" if held else "idle",
        position=one.position,
        lag_events=missing.events,
        lag_seconds=max(now_us - oldest_us, 0) / 1_000_000,
        holder=held,
        renewed_at=None if held is None else instant(one.renewed_at_us),
        failed=failed,
        error=None if failure is None else failure.error,
    )


def retry(scope: Scope, name: str) -> Write[int]:
    """Let a projection go on that stopped, or is held; return how many sets of tables do.

    The event where it stopped, if there is one, stays unchanged: the worker that runs the
    projection applies it again, or creates the tables again. A worker that is alive and holds a
    lease loses it, writes nothing any more, and stands by; nobody has to wait for one that died.

    Args:
        name: Name of the projection.
    """
    del scope
    check_name(name, "name")
    return changing(partial(retry_failed, name=name))
