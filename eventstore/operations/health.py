"""``store.health()``: does the database answer, what is it, and who holds readers back."""

from __future__ import annotations

from datetime import UTC, datetime

from eventstore.core.values import Value
from eventstore.operations.operation import Read, Scope
from eventstore.storage.interning import find_tenant
from eventstore.storage.migrations import HEAD
from eventstore.storage.transaction import Transaction

__all__ = ["Health", "HorizonHolder", "health"]


class HorizonHolder(Value):
    """A transaction that keeps readers of the whole store from seeing the newest events."""

    pid: int | None
    """The server's process; None for a prepared transaction, which no process has."""
    prepared: str | None
    """The name (gid) of a transaction that was prepared for a two-phase commit and not ended."""
    transaction: str
    """Id of the transaction."""
    state: str | None
    """``idle in transaction``: somebody began and left it open. ``prepared``: see there."""
    application: str
    """``application_name`` of the connection."""
    since: datetime | None
    """When it began; None where the database user may not see what others do."""
    remedy: str
    """The SQL that ends it."""


class Health(Value):
    """An answer of the database."""

    database: str
    """For example ``SQLite 3.45.1``."""
    schema_revision: str
    """Revision of the tables."""
    events: int
    """How far the log has come: the last position.

    Where a store is asked that is bound to a tenant: how many events of the tenant's there are.
    """
    held_back_by: HorizonHolder | None = None
    """PostgreSQL: whose open transaction ``read_all`` and subscriptions wait for now."""


def health(scope: Scope) -> Read[Health]:
    """Ask the database whether it answers, and return how it is doing."""
    return Read(lambda tx: _asked(tx, scope))


def _asked(tx: Transaction, scope: Scope) -> Health:
    (version,) = tx.one(tx.ordering.version)
    holder = tx.ordering.holder(tx)
    return Health(
        database=version,
        schema_revision=HEAD,
        events=_events_of(tx, scope.tenant) if scope.is_tenants else tx.one(tx.ordering.last)[0],
        held_back_by=None
        if holder is None
        else HorizonHolder(
            pid=holder.pid,
            prepared=holder.prepared,
            transaction=holder.transaction,
            state=holder.state,
            application=holder.application,
            since=None
            if holder.since_seconds is None
            else datetime.fromtimestamp(holder.since_seconds, UTC),
            remedy=holder.remedy,
        ),
    )


def _events_of(tx: Transaction, tenant: str) -> int:
    """Return how many events a tenant has: versions have no gaps, so its heads say so."""
    number = find_tenant(tx, tenant)
    if number is None:
        return 0
    row = tx.one("SELECT coalesce(sum(version), 0) FROM {streams} WHERE tenant = ?", (number,))
    return int(row[0])
