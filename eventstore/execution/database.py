"""The protocol through which execution uses a database; the opener of the store passes it in.

Execution never imports the SQL: ``storage`` has one class for each database that keeps this
protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection
from sqlalchemy.pool import PoolProxiedConnection

from eventstore.errors import StoreBusy, StoreUnavailable

__all__ = ["POSTPONED", "Database", "Left", "OpenTransaction", "Postponed", "not_wiped"]


class Postponed:
    """The outcome of a request that was skipped, because another transaction locks its stream.

    It is performed alone on a separate connection, so that the requests behind it need not wait.
    """

    __slots__ = ()


POSTPONED: Final = Postponed()


Left: TypeAlias = tuple[str, bool]
"""A place on disk that may still hold overwritten text, and whether a retry can help."""


def not_wiped(error: StoreUnavailable | StoreBusy) -> list[Left]:
    """Return the remaining places after wiping failed; do not raise: the write committed.

    An error would claim that nothing was written.
    """
    code = getattr(error, "reason", "busy")
    return [(f"the write-ahead log, which could not be cut off ({code})", True)]


class OpenTransaction(Protocol):
    """A database's transactions on one connection; execution hands them on and looks at nothing."""

    def begun(self) -> None:
        """Note that one has begun."""


D_contra = TypeVar("D_contra", contravariant=True)
"""A driver's connection."""
X = TypeVar("X", bound=OpenTransaction)


class Database(Protocol[D_contra, X]):
    """Prepares, begins, migrates and translates errors for one kind of database."""

    begin_write: str
    begin_read: str
    postpones: bool
    """True if a batch may leave requests :data:`POSTPONED`."""
    reads_snapshots: bool
    """True if each reading transaction is one snapshot, since the database is recognised there."""
    driver_errors: tuple[type[BaseException], ...]
    retried: tuple[type[BaseException], ...]
    """Translated errors after which the same transaction will succeed, since the winner is done."""
    violated: tuple[type[BaseException], ...]
    """Translated errors that mean a lost race, or a request that fails every time."""

    def prepare(self, connection: D_contra) -> None:
        """Set up a new connection of the store."""

    def say(self, driver: D_contra, text: str) -> None:
        """Execute a statement that begins or ends a transaction."""

    def begin(self, driver: D_contra, text: str, *, patient: bool = True) -> None:
        """Begin a transaction, after ending one that a failed rollback left open.

        Not ``patient``: where another process holds the write lock, fail at once.
        """

    def commit(self, driver: D_contra) -> bool:
        """Commit; return whether the database committed."""

    def committing(self, driver: D_contra) -> AbstractContextManager[None]:
        """Collect the database's warnings about a commit that happens inside the block.

        Raises:
            OutcomeUnknown: it has committed, and warns that this may be lost.
        """

    def check_driver(self, driver: D_contra) -> None:
        """Refuse a driver's new connection if its database cannot be used."""

    def is_undone(self, tx: X) -> bool:
        """Return whether a transaction whose COMMIT failed is known to have left nothing."""

    def in_transaction(self, driver: D_contra) -> bool:
        """Return whether a driver's connection has an open transaction."""

    def is_taken(self, driver: D_contra) -> bool:
        """Return whether a transaction was begun on a connection, as far as the driver knows."""

    def is_lost(self, driver: D_contra) -> bool:
        """Return whether a driver's connection can never be used again."""

    def begin_on(self, connection: Connection, *, write: bool | None) -> None:
        """Begin on a SQLAlchemy connection; with None the application chose the mode."""

    def would_open(
        self, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return the device and inode that the driver's ``connect()`` would open, if known."""

    def identity(self, pooled: PoolProxiedConnection) -> tuple[int, int] | None:
        """Return the device and inode of the file or socket under a pool's connection."""

    def suits(self, connection: Connection) -> bool:
        """Return whether an application's connection has this database and this driver."""

    def begin_within(self, connection: Connection) -> None:
        """Begin the application's own transaction, if it has not begun yet."""

    def check(self, connection: Connection) -> None:
        """Refuse an application's connection that is not safe."""

    def is_private(self, connection: Connection) -> bool:
        """Return whether only this connection can see its database, which ends with it."""

    def migrate(self, connection: Connection) -> None:
        """Migrate the tables to the current schema."""

    def on_driver(self, driver: D_contra) -> X:
        """Return the open transaction of a driver's connection."""

    def on_writer(self, driver: D_contra) -> X:
        """Return the writing connection's transactions; they are notified when each begins."""

    def on_connection(self, connection: Connection, *, remembers: bool = True) -> X:
        """Return the open transaction of a SQLAlchemy connection."""

    def recognise(self, tx: X) -> None:
        """Check, before anything else is read, that the database is the remembered one.

        Raises:
            StoreUnavailable: ``"restored"``.
        """

    def watch(
        self,
        driver: D_contra,
        rest: Callable[[float | None, int | None], bool],
    ) -> Iterator[None]:
        """Yield whenever another connection may have committed, using a dedicated connection.

        ``rest`` waits for the given time, or until a file is readable; it returns False at the end.
        The first yield comes at once, because earlier commits are unknown.
        """

    async def listen(self, driver: D_contra, heard: Callable[[], None]) -> None:
        """Do the same in a task with an async driver; return when the connection is lost."""

    def wipe(self, ask: Callable[[str], Any]) -> Sequence[Left]:
        """Wipe bytes that were overwritten and committed; return the places that still hold some.

        ``ask`` executes a statement outside of any transaction and returns its first row.
        """

    def committed(self, tx: X) -> None:
        """Note that a transaction has committed."""

    def forget(self) -> None:
        """Drop the caches of the database: this is a forked child, or the database was restored."""

    def translated(self, error: BaseException, *, on_own_connection: bool = False) -> BaseException:
        """Return the error that the caller gets for an error before COMMIT was sent."""

    def translated_commit(self, error: BaseException, *, rolled_back: bool) -> BaseException:
        """Return the error that the caller gets when COMMIT itself failed."""
