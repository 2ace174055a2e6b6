"""One open transaction, as every function that touches the database sees it.

SQL is text with ``?`` parameters and ``{table}`` names, so that one text runs in two ways:

* :class:`DriverTransaction` on a plain ``sqlite3`` connection. This is the hot path: a statement
  costs 2 µs here and 40 µs through SQLAlchemy's ``Connection.execute``.
* :class:`CoreTransaction` on a SQLAlchemy ``Connection`` that the application owns, whatever its
  driver.

Neither begins, commits or rolls back; who opened the transaction does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, TypeAlias

from sqlalchemy import Connection

from eventstore.storage.tables import TABLES

__all__ = [
    "CoreTransaction",
    "DriverTransaction",
    "Interned",
    "Naming",
    "Transaction",
    "WriterTransaction",
    "remember",
]

Row: TypeAlias = Sequence[Any]


class Naming:
    """Turns ``{table}`` in SQL into the names of one store's tables."""

    def __init__(self, prefix: str = "", schema: str | None = None) -> None:
        self.prefix: Final = prefix
        self.schema: Final = schema
        dot = f'"{schema}".' if schema else ""
        self._names = {table: f'{dot}"{prefix}{table}"' for table in TABLES}
        self._texts: dict[str, str] = {}

    def sql(self, text: str) -> str:
        """Return ``text`` with this store's names in place; worked out once a text."""
        known = self._texts.get(text)
        if known is None:
            known = self._texts[text] = text.format_map(self._names)
        return known

    def plain(self, table: str) -> str:
        """Return a table's name without quotes or schema."""
        return f"{self.prefix}{table}"


class Interned:
    """Names of tenants and categories that are known to be committed, with their numbers."""

    def __init__(self) -> None:
        self.tenants: dict[str, int] = {}
        self.categories: dict[str, int] = {}


class Transaction(Protocol):
    """What storage and projections may do with a database."""

    interned: Interned
    naming: Naming
    fresh: list[tuple[dict[str, int], str, int]]
    """Names interned by this transaction, remembered once it has committed."""
    kept: dict[Any, Any]
    """What was learned by earlier transactions and still holds, because nobody else wrote since."""

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Any:  # noqa: ANN401 (a row)
        """Return the first row, or None."""

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return every row."""

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Execute one statement; return how many rows it changed."""

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute one statement for many rows of parameters."""


class DriverTransaction:
    """On a plain ``sqlite3`` connection."""

    def __init__(self, driver: sqlite3.Connection, naming: Naming, interned: Interned) -> None:
        self._driver = driver
        self._sql = naming.sql
        self.naming = naming
        self.interned = interned
        self.fresh: list[tuple[dict[str, int], str, int]] = []
        self.kept: dict[Any, Any] = {}

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Any:  # noqa: ANN401
        return self._driver.execute(self._sql(sql), parameters).fetchone()

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return self._driver.execute(self._sql(sql), parameters).fetchall()

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        return self._driver.execute(self._sql(sql), parameters).rowcount

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._driver.executemany(self._sql(sql), rows)


class CoreTransaction:
    """On a SQLAlchemy connection, sync or inside ``AsyncConnection.run_sync``."""

    def __init__(self, connection: Connection, naming: Naming, interned: Interned) -> None:
        self._connection = connection
        self._sql = naming.sql
        self.naming = naming
        self.interned = interned
        self.fresh: list[tuple[dict[str, int], str, int]] = []
        self.kept: dict[Any, Any] = {}

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Any:  # noqa: ANN401
        return self._connection.exec_driver_sql(self._sql(sql), tuple(parameters)).fetchone()

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        result = self._connection.exec_driver_sql(self._sql(sql), tuple(parameters))
        return list(result.fetchall())

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        return self._connection.exec_driver_sql(self._sql(sql), tuple(parameters)).rowcount

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        batch = [tuple(row) for row in rows]
        if batch:
            self._connection.exec_driver_sql(self._sql(sql), batch)


_DATA_VERSION = "PRAGMA data_version"


class WriterTransaction(DriverTransaction):
    """The transactions of the one connection that writes for a store, one after another.

    What it learned stays in :attr:`kept` until another connection writes (SQLite says so in
    ``data_version``) or a transaction of its own is rolled back. In a process that writes alone
    nothing is read twice; where several processes write one file, each starts afresh after
    another's commit.
    """

    _seen: int | None = None

    def begun(self) -> None:
        """Hear that the write lock was taken: look whether somebody else wrote since."""
        (version,) = self._driver.execute(_DATA_VERSION).fetchone()
        if version != self._seen:
            self._seen = version
            self.kept.clear()

    def rolled_back(self) -> None:
        """Hear that nothing of the transaction was kept by the database."""
        self.kept.clear()
        self.fresh.clear()


def remember(transaction: Transaction) -> None:
    """Keep what a transaction interned, now that it has committed."""
    for known, name, number in transaction.fresh:
        known[name] = number
    transaction.fresh.clear()
