"""``store.tenants``: the tenants of a store."""

from __future__ import annotations

from datetime import datetime

from eventstore.api.operations.operation import Read, Scope
from eventstore.core.events import instant
from eventstore.core.values import Value
from eventstore.storage.tenant_sizes import tenant_sizes
from eventstore.storage.transaction import Transaction

__all__ = ["Tenant", "list_"]


class Tenant(Value):
    """A tenant, and its size."""

    name: str
    """The name; empty for the default tenant."""
    threads: int
    """Threads, deleted ones included."""
    streams: int
    """Threads, assistants, and every other stream."""
    events: int
    """Events in all streams."""
    last_event_at: datetime | None
    """Time of the newest event; None if none is left."""
    content_bytes: int | None
    """Stored bytes of all events; None if they were not measured."""


def list_(scope: Scope, *, measure: bool = False) -> Read[list[Tenant]]:
    """Return the tenants that ever wrote, in order of their names, with their sizes.

    A store that is bound to a tenant learns only of that one.

    Args:
        measure: Also add up the bytes of all events, which reads through them.
    """

    def look(tx: Transaction) -> list[Tenant]:
        found = tenant_sizes(tx, scope.tenant if scope.is_tenants else None, measure=measure)
        return [
            Tenant(
                name=one.name,
                threads=one.threads,
                streams=one.streams,
                events=one.events,
                last_event_at=None
                if one.last_event_at_us is None
                else instant(one.last_event_at_us),
                content_bytes=one.content_bytes,
            )
            for one in found
        ]

    return Read(look)
