"""``store.health()``: whether the database answers, its version, and what holds readers back."""

from __future__ import annotations

from datetime import UTC, datetime

from eventstore.api.operations.operation import Read, Scope
from eventstore.core.values import Value
from eventstore.storage.interning import find_tenant
from eventstore.storage.migrations import HEAD
from eventstore.storage.transaction import Transaction, only_row

__all__ = ["Health", "HorizonHolder", "health"]


class HorizonHolder(Value):
    """A transaction that keeps readers of the whole store from seeing the newest events."""

    pid: int | None
    """The server's process; None for a prepared transaction, which no process has."""
    prepared: str | None
    """The name (gid) of a transaction that was prepared for a two-phase commit and not ended."""
    transaction: str
    """The id of the transaction."""
    state: str | None
    """``idle in transaction``: a client began it and left it open. ``prepared``: see there."""
    application: str
    """``application_name`` of the connection."""
    since: datetime | None
    """The time when it began; None where the database user may not see it."""
    remedy: str
    """The SQL that ends it."""


class Health(Value):
    """The answer of the database."""

    database: str
    """For example ``SQLite 3.45.1``."""
    schema_revision: str
    """Revision of the tables."""
    events: int
    """The end of the log: the last position.

    For a store that is bound to a tenant: the number of the tenant's events.
    """
    held_back_by: HorizonHolder | None = None
    """PostgreSQL: the open transaction that ``read_all`` and subscriptions wait for now."""


def health(scope: Scope) -> Read[Health]:
    """Ask the database whether it answers, and return how it is doing."""
    return Read(lambda tx: _asked(tx, scope))


def _asked(tx: Transaction, scope: Scope) -> Health:
    (version,) = only_row(tx, tx.ordering.version)
    holder = tx.ordering.holder(tx)
    if scope.is_tenants:
        events = _events_of(tx, scope.tenant)
    else:
        events = int(only_row(tx, tx.ordering.last)[0])
    return Health(
        database=version,
        schema_revision=HEAD,
        events=events,
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
    """Return the number of a tenant's events: versions have no gaps, so its heads give it."""
    number = find_tenant(tx, tenant)
    if number is None:
        return 0
    counted = "SELECT coalesce(sum(version), 0) FROM {streams} WHERE tenant = ?"
    return int(only_row(tx, counted, (number,))[0])
