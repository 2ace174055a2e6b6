"""What running needs to know of a database, handed in by whoever opens the store.

Execution never imports the SQL: ``storage`` has one class a database that keeps this protocol.
"""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import Connection

__all__ = ["Database"]


class Database(Protocol):
    """How one kind of database is prepared, begun, migrated, and how it fails."""

    begin_write: str
    begin_read: str

    def prepare(self, connection: Any) -> None:  # noqa: ANN401 (a driver's connection)
        """Set up a connection that we made."""

    def check(self, connection: Connection) -> None:
        """Refuse a connection of the application's that is not safe."""

    def migrate(self, connection: Connection) -> None:
        """Bring the tables up to date."""

    def on_driver(self, driver: Any) -> Any:  # noqa: ANN401
        """Return the transaction that is open on a driver's connection."""

    def on_writer(self, driver: Any) -> Any:  # noqa: ANN401
        """Return the transactions of the writing connection: with ``begun`` and ``rolled_back``."""

    def on_connection(self, connection: Connection, *, remembers: bool = True) -> Any:  # noqa: ANN401
        """Return the transaction that is open on a SQLAlchemy connection."""

    def committed(self, tx: Any) -> None:  # noqa: ANN401
        """Hear that a transaction has committed."""

    def forget(self) -> None:
        """Drop what is remembered of the database: this is a forked child."""

    def translated(self, error: BaseException, *, on_own_connection: bool = False) -> BaseException:
        """Return what the caller gets for an error before COMMIT was sent."""

    def translated_commit(self, error: BaseException, *, rolled_back: bool) -> BaseException:
        """Return what the caller gets when COMMIT itself failed."""
