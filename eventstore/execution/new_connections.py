"""Check a driver's connection as soon as it is made, before any statement runs on it.

SQLAlchemy asks a new server for its version first, and fails with a ``TypeError`` where the server
sends bytes for text. So a listener that runs before SQLAlchemy's own checks whether the database
can be used at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

from eventstore.execution.database import Database

__all__ = ["check_new", "checking_new"]


def check_new(
    engine: Engine, database: Database[Any, Any]
) -> Callable[[DBAPIConnection, object], None]:
    """Check each new connection of an engine from now on, and close a refused one."""

    def look(made: DBAPIConnection, _: object) -> None:  # an adapter, if the driver is async
        try:
            database.check_driver(getattr(made, "driver_connection", made))
        except BaseException:
            made.close()
            raise

    event.listen(engine, "connect", look, insert=True)
    return look


@contextmanager
def checking_new(engine: Engine, database: Database[Any, Any]) -> Iterator[None]:
    """Do the same on an engine of the application's, only inside the block."""
    look = check_new(engine, database)
    try:
        yield
    finally:
        event.remove(engine, "connect", look)
