"""Run inside the application's open transaction, passed as ``connection=``.

The store's work is a savepoint of the application's transaction: it commits or rolls back with it,
and is never queued. Every executor calls this module, whatever the store itself runs on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.exc import (
    DBAPIError,
    InvalidRequestError,
    PendingRollbackError,
    ResourceClosedError,
)

from eventstore.errors import InvalidInput
from eventstore.execution import inherited
from eventstore.execution.database import Database, OpenTransaction
from eventstore.execution.signals import Signals

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection  # loads the ORM: see `connect`

__all__ = ["run_in_host_transaction", "run_in_host_transaction_async"]

T = TypeVar("T")
X = TypeVar("X", bound=OpenTransaction)


def run_in_host_transaction(
    connection: Connection, database: Database[Any, X], act: Callable[[X], T], changed: Signals
) -> T:
    """Run a function in a savepoint of the application's transaction.

    Names that it interned are not remembered: the application may still roll back. Followers are
    notified when the application commits.

    Raises:
        InvalidInput: ``connection`` is of another kind, of another database, or has no transaction.
        StoreBusy: another connection wrote since the transaction began.
        StoreUnavailable: ``"forked"``, it is the parent's, or on a file that the parent had open.
    """
    if not isinstance(connection, Connection):
        raise InvalidInput(
            "connection",
            f"expected a SQLAlchemy Connection, got {type(connection).__name__}",
            "Give the Connection of your own transaction; AsyncConnection for the async store.",
        )
    if not database.suits(connection):
        of = f"{connection.dialect.name} with {connection.dialect.driver}"
        raise InvalidInput(
            "connection",
            f"is of {of}, and the store runs on another database or driver",
            "Give one of an engine with the store's own database and driver.",
        )
    try:
        inherited.refuse_connection(connection, database)
        _check_begun_or_begins(connection, database)
        database.begin_within(connection)
        with _savepoint(connection):
            outcome = act(database.on_connection(connection, remembers=False))
    except ResourceClosedError as error:
        raise InvalidInput(
            "connection", "is closed", "Give one with an open transaction."
        ) from error
    except PendingRollbackError as error:
        raise InvalidInput(
            "connection", "was lost with its transaction", "Roll back, and begin again."
        ) from error
    except database.driver_errors as error:
        raise database.translated(error, on_own_connection=True) from error
    event.listen(connection, "commit", changed.tell_soon)  # registered only once
    return outcome


def _check_begun_or_begins(connection: Connection, database: Database[Any, Any]) -> None:
    """Check that a transaction is open, or that executing a statement begins one.

    Raises:
        InvalidInput: there is none, so the write would be lost without a COMMIT.
    """
    level = connection.get_execution_options().get("isolation_level") or getattr(
        connection.dialect, "_on_connect_isolation_level", None
    )
    driver = connection.connection.driver_connection
    if level == "AUTOCOMMIT" and not database.in_transaction(driver):
        raise InvalidInput(
            "connection",
            "is in AUTOCOMMIT, which has no transaction to join",
            "Begin one, or leave connection= out.",
        )


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    """Make everything inside happen as a whole or not at all.

    SQLAlchemy's own savepoint does not roll back if its release fails, and it hides the database's
    error if that ended the whole transaction.
    """
    connection.exec_driver_sql("SAVEPOINT eventstore")
    try:
        yield
        connection.exec_driver_sql("RELEASE SAVEPOINT eventstore")
    except BaseException:
        with suppress(DBAPIError, InvalidRequestError):  # the second once the connection is lost
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT eventstore")
            connection.exec_driver_sql("RELEASE SAVEPOINT eventstore")
        raise


async def run_in_host_transaction_async(
    connection: AsyncConnection, database: Database[Any, X], act: Callable[[X], T], changed: Signals
) -> T:
    """Do the same on an ``AsyncConnection``."""
    from sqlalchemy.ext.asyncio import AsyncConnection  # noqa: PLC0415 (see above)

    if not isinstance(connection, AsyncConnection):
        raise InvalidInput(
            "connection",
            f"expected a SQLAlchemy AsyncConnection, got {type(connection).__name__}",
            "Give the AsyncConnection of your own open transaction.",
        )
    return await connection.run_sync(run_in_host_transaction, database, act, changed)
