"""Transactions on a connection of the ``sqlite3`` driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from eventstore.storage.ordering import Ordering
from eventstore.storage.sqlite_ordering import SqliteOrdering
from eventstore.storage.sqlite_rows import RowByRow, by_layout
from eventstore.storage.statements import Insert, Statement
from eventstore.storage.transaction import (
    Interned,
    Landmark,
    Naming,
)

if TYPE_CHECKING:
    from eventstore.storage.sqlite import SqliteDatabase

__all__ = [
    "BATCHING",
    "DATA_VERSION",
    "ORDERING",
    "DriverTransaction",
    "Row",
    "SqliteConnection",
    "WriterTransaction",
]

Row: TypeAlias = Sequence[Any]

ORDERING: Final = SqliteOrdering()
BATCHING: Final = RowByRow()
DATA_VERSION: Final = "PRAGMA data_version"


class SqliteConnection(sqlite3.Connection):
    """A connection of the store: its class can be exchanged where a child has inherited it."""

    __slots__ = ()


class DriverTransaction:
    """Runs on a plain ``sqlite3`` connection: a statement costs 2 µs, through SQLAlchemy 40."""

    def __init__(self, driver: sqlite3.Connection, naming: Naming, interned: Interned) -> None:
        self.driver = driver
        self._sql = naming.sql
        self.naming = naming
        self.interned = interned
        self.ordering: Ordering = ORDERING
        self.committed = False
        self.fresh: list[tuple[dict[Any, Any], Any, Any]] = []
        self.newest: Landmark | None = None
        self.cache: dict[str, dict[Any, Any]] = {}

    def begun(self) -> None:
        """Do nothing: no fact is kept from an earlier transaction."""

    def one(self, sql: str, parameters: Row = ()) -> Row | None:
        row: Row | None = self.driver.execute(self._sql(sql), parameters).fetchone()
        return row

    def all(self, sql: str, parameters: Row = ()) -> list[Any]:
        return self.driver.execute(self._sql(sql), parameters).fetchall()

    def run(self, sql: str, parameters: Row = ()) -> int:
        return self.driver.execute(self._sql(sql), parameters).rowcount

    def write(self, statement: Statement, rows: Sequence[Row]) -> None:
        """Write many rows in few calls of the driver."""
        if not isinstance(statement, Insert):
            self.driver.executemany(self._sql(BATCHING.one(statement)), rows)
            return
        for text, parameters in by_layout(statement, rows):
            self.driver.executemany(self._sql(text), parameters)

    def fill(self, statement: Insert, rows: Sequence[Row]) -> None:
        self.write(statement, rows)

    def flush(self) -> None:
        """Do nothing: no rows wait."""


class WriterTransaction(DriverTransaction):
    """The transactions of a store's one writing connection, one after another.

    Learned facts stay in ``cache`` until another connection writes (``data_version`` shows this),
    or its own transaction is not known to have committed. In a process that writes alone nothing is
    read twice; where several processes write one file, each starts afresh after another's commit.
    """

    _seen: int | None = None

    def __init__(
        self,
        driver: sqlite3.Connection,
        naming: Naming,
        interned: Interned,
        database: SqliteDatabase,
    ) -> None:
        super().__init__(driver, naming, interned)
        self._database = database

    def begun(self) -> None:
        """Note that the write lock was taken: check whether another connection wrote since."""
        self._database.file.check()
        (version,) = self.driver.execute(DATA_VERSION).fetchone()
        if version != self._seen or not self.committed:
            self.cache.clear()
            self.fresh.clear()
            self.newest = None
            self._seen = None
            self._database.recognise(self)
            self._seen = version
        self.committed = False
