"""``store.health()``: does the database answer, what is it, and who holds readers back."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from eventstore.storage.migrations import HEAD
from eventstore.storage.transaction import Transaction

__all__ = ["Health", "HorizonHolder", "health"]


class HorizonHolder(BaseModel):
    """A transaction that keeps readers of the whole store from seeing the newest events."""

    model_config = ConfigDict(frozen=True)

    pid: int
    """The server's process: ``SELECT pg_terminate_backend(pid)`` ends it."""
    transaction: str
    state: str | None
    """``idle in transaction``: somebody began and left it open."""
    application: str
    since: datetime | None
    """None where the database user may not see what others do."""


class Health(BaseModel):
    """An answer of the database."""

    model_config = ConfigDict(frozen=True)

    database: str
    """For example ``SQLite 3.45.1``."""
    schema_revision: str
    events: int
    """How far the log has come: the last position."""
    held_back_by: HorizonHolder | None = None
    """PostgreSQL: whose open transaction ``read_all`` and subscriptions wait for now."""


def health(tx: Transaction) -> Health:
    """Ask."""
    (version,) = tx.one(tx.ordering.version)
    (last,) = tx.one(tx.ordering.last)
    holder = tx.ordering.holder(tx)
    return Health(
        database=version,
        schema_revision=HEAD,
        events=last,
        held_back_by=None
        if holder is None
        else HorizonHolder(
            pid=holder.pid,
            transaction=holder.transaction,
            state=holder.state,
            application=holder.application,
            since=None
            if holder.since_seconds is None
            else datetime.fromtimestamp(holder.since_seconds, UTC),
        ),
    )
