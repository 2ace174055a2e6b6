"""``store.health()``: does the database answer, and what is it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from eventstore.storage.migrations import HEAD
from eventstore.storage.transaction import Transaction

__all__ = ["Health", "health"]


class Health(BaseModel):
    """An answer of the database."""

    model_config = ConfigDict(frozen=True)

    database: str
    """For example ``SQLite 3.45.1``."""
    schema_revision: str
    events: int
    """How far the log has come: the last position."""


def health(tx: Transaction) -> Health:
    """Ask."""
    (version,) = tx.one("SELECT sqlite_version()")
    (last,) = tx.one("SELECT coalesce(max(position), 0) FROM {events}")
    return Health(database=f"SQLite {version}", schema_revision=HEAD, events=last)
