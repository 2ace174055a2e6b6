"""Check the pool of an application's engine, and roll its connections back."""

from __future__ import annotations

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import Pool, StaticPool

from eventstore.errors import (
    InvalidInput,
)

__all__ = ["check_shared", "only_one_of", "roll_back"]


def roll_back(connection: Connection) -> None:
    """Roll back; close a connection that cannot, because a signal struck its driver."""
    try:
        connection.rollback()
    except DBAPIError:
        connection.invalidate()


def only_one_of(pool: Pool) -> object:
    """Return the one connection that a pool hands out to everybody, if it exists by now."""
    record = vars(pool).get("connection") if isinstance(pool, StaticPool) else None  # lazy
    return None if record is None else record.driver_connection


def check_shared(engine: Engine) -> None:
    """Refuse an engine that would show each thread, or each call, another empty database.

    Raises:
        InvalidInput: on ``engine``.
    """
    if not isinstance(engine.pool, StaticPool):
        raise InvalidInput(
            "engine",
            "is in memory, and each of its connections has a database of its own",
            "Make it with poolclass=StaticPool, or open the store at sqlite://.",
        )
