"""What running needs to know of a database, handed in by whoever opens the store.

Execution never imports the SQL: ``storage`` has one class a database that keeps this protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeAlias

from sqlalchemy import Connection

from eventstore.errors import StoreBusy, StoreUnavailable

__all__ = ["POSTPONED", "Database", "Left", "not_wiped"]

POSTPONED: Final = object()
"""The outcome of a request that was not looked at, because another transaction has its stream. It
is performed alone, on a connection of its own, so that those behind it need not wait."""


Left: TypeAlias = tuple[str, bool]
"""Where text that was overwritten may still stand, and whether trying again can help."""


def not_wiped(error: StoreUnavailable | StoreBusy) -> list[Left]:
    """Return what is left where wiping failed: told, not raised, for what it follows has happened.

    Its error would say that nothing was written.
    """
    code = getattr(error, "reason", "busy")
    return [(f"the write-ahead log, which could not be cut off ({code})", True)]


class Database(Protocol):
    """How one kind of database is prepared, begun, migrated, and how it fails."""

    begin_write: str
    begin_read: str
    postpones: bool
    """Whether a batch may leave requests :data:`POSTPONED`."""
    reads_snapshots: bool
    """Whether each reading transaction is one snapshot, since it is recognised there."""
    driver_errors: tuple[type[BaseException], ...]
    retried: tuple[type[BaseException], ...]
    """Translated errors after which the same transaction will succeed, since who won is done."""
    violated: tuple[type[BaseException], ...]
    """Translated errors that may be a lost race, or that one request will meet for ever."""

    def prepare(self, connection: Any) -> None:  # noqa: ANN401 (a driver's connection)
        """Set up a connection that we made."""

    def say(self, driver: Any, text: str) -> None:  # noqa: ANN401
        """Execute a statement that begins or ends a transaction."""

    def commit(self, driver: Any) -> bool:  # noqa: ANN401
        """Commit; return whether that is what the database did."""

    def committing(self, driver: Any) -> AbstractContextManager[None]:  # noqa: ANN401
        """Listen to what the database says of a commit that happens inside the block.

        Raises:
            OutcomeUnknown: it has committed, and warns that this may be lost.
        """

    def check_driver(self, driver: Any) -> None:  # noqa: ANN401
        """Refuse a driver's connection that was just made, if its database cannot be used."""

    def is_undone(self, tx: Any) -> bool:  # noqa: ANN401
        """Tell whether a transaction whose COMMIT failed is known to have left nothing."""

    def in_transaction(self, driver: Any) -> bool:  # noqa: ANN401
        """Ask a driver's connection whether a transaction is open."""

    def is_taken(self, driver: Any) -> bool:  # noqa: ANN401
        """Tell whether somebody began a transaction on a connection, as far as that tells."""

    def is_lost(self, driver: Any) -> bool:  # noqa: ANN401
        """Tell whether a driver's connection can never be used again."""

    def begin_on(self, connection: Connection, *, write: bool | None) -> None:
        """Begin on a SQLAlchemy connection; with None the caller says how."""

    def would_open(
        self, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> tuple[int, int] | None:
        """Return the device and inode of what the driver's ``connect()`` would open, if known."""

    def identity(self, pooled: Any) -> tuple[int, int] | None:  # noqa: ANN401
        """Return the device and inode of the file or socket under a connection of a pool."""

    def suits(self, connection: Connection) -> bool:
        """Tell whether a connection of the application's is of this database, with this driver."""

    def begin_within(self, connection: Connection) -> None:
        """Begin the application's own transaction, if it has not yet."""

    def check(self, connection: Connection) -> None:
        """Refuse a connection of the application's that is not safe."""

    def is_private(self, connection: Connection) -> bool:
        """Tell whether nobody but this connection can see its database, which ends with it."""

    def migrate(self, connection: Connection) -> None:
        """Bring the tables up to date."""

    def on_driver(self, driver: Any) -> Any:  # noqa: ANN401
        """Return the transaction that is open on a driver's connection."""

    def on_writer(self, driver: Any) -> Any:  # noqa: ANN401
        """Return the transactions of the writing connection, which are told that each has begun."""

    def on_connection(self, connection: Connection, *, remembers: bool = True) -> Any:  # noqa: ANN401
        """Return the transaction that is open on a SQLAlchemy connection."""

    def recognise(self, tx: Any) -> None:  # noqa: ANN401
        """Look, before anything else is read, whether a database is the one that is remembered.

        Raises:
            StoreUnavailable: ``"restored"``.
        """

    def watch(
        self,
        driver: Any,  # noqa: ANN401
        rest: Callable[[float | None, int | None], bool],
    ) -> Iterator[None]:
        """Yield whenever another connection may have committed, on a connection for this alone.

        ``rest`` waits that long, or until a file can be read; it says False at the end. The first
        thing is yielded at once: what was committed before is not known.
        """

    async def listen(self, driver: Any, heard: Callable[[], None]) -> None:  # noqa: ANN401
        """Do the same in a task, with an async driver; returns when the connection was lost."""

    def wipe(self, ask: Callable[[str], Any]) -> Sequence[Left]:
        """Leave nothing of what was overwritten and committed; return what is left, and where.

        ``ask`` executes a statement outside of any transaction and returns its first row.
        """

    def committed(self, tx: Any) -> None:  # noqa: ANN401
        """Hear that a transaction has committed."""

    def forget(self) -> None:
        """Drop what is remembered of the database: this is a forked child, or it went back."""

    def translated(self, error: BaseException, *, on_own_connection: bool = False) -> BaseException:
        """Return what the caller gets for an error before COMMIT was sent."""

    def translated_commit(self, error: BaseException, *, rolled_back: bool) -> BaseException:
        """Return what the caller gets when COMMIT itself failed."""
