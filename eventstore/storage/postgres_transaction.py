"""Run transactions on a connection of psycopg or asyncpg, without SQLAlchemy.

The trip to the server is the cost on PostgreSQL. So rows to be written wait until something is
read, or the transaction is about to end, and then go in **one** statement: each table's insert or
update is a data-modifying CTE of it. (All of them see the same snapshot. So where two of them would
touch the same table in the same way, the first is executed before the second is added.) An append
is four trips, whatever it holds: begin, lock the heads and draw positions, write, commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from sqlalchemy.util import await_only

from eventstore.storage.ordering import Ordering
from eventstore.storage.postgres_connections import AsyncpgConnection
from eventstore.storage.postgres_rows import Manner, Row, WaitingRows, kinds_of
from eventstore.storage.statements import Insert, Statement
from eventstore.storage.transaction import Interned, Landmark, Naming

if TYPE_CHECKING:
    import psycopg  # an extra

__all__ = [
    "AsyncpgTransaction",
    "PostgresTransaction",
    "PsycopgTransaction",
]

D = TypeVar("D")

_COPIED_MIN: Final = 64
"""Below this number of rows, a COPY, which is a trip of its own, is not worth it."""


class PostgresTransaction(Generic[D]):
    """The common part of both drivers' transactions."""

    def __init__(
        self,
        driver: D,
        naming: Naming,
        interned: Interned,
        manner: Manner,
    ) -> None:
        self.ordering: Ordering = manner.ordering
        self.driver = driver
        self._sql = naming.sql
        self._waiting = WaitingRows(manner.batching)
        self.naming = naming
        self.interned = interned
        self.committed: bool = False
        self.fresh: list[tuple[dict[Any, Any], Any, Any]] = []
        self.newest: Landmark | None = None
        self.cache: dict[str, dict[Any, Any]] = {}

    def one(self, sql: str, parameters: Row = ()) -> Row | None:
        return next(iter(self.all(sql, parameters)), None)

    def all(self, sql: str, parameters: Row = ()) -> list[Any]:
        self.flush()
        return self._fetch(self._sql(sql), parameters)

    def run(self, sql: str, parameters: Row = ()) -> int:
        self.flush()
        return self._execute(self._sql(sql), parameters)

    def write(self, statement: Statement, rows: Sequence[Row]) -> None:
        if rows:
            if statement in self._waiting:
                self.flush()
            self._waiting.add(statement, rows)

    def fill(self, statement: Insert, rows: Sequence[Row]) -> None:
        """Copy the rows in, which spares the driver making arrays of them: 3 µs of 5 a row."""
        if len(rows) < _COPIED_MIN:
            self.write(statement, rows)
        else:
            self.flush()
            self._copy(statement, rows)

    def flush(self) -> None:
        """Write the rows that wait."""
        if self._waiting:
            sql, parameters = self._waiting.take()
            self._execute(self._sql(sql), parameters)

    def begun(self) -> None:
        """Note that a transaction has begun.

        Facts about a stream (``cache``) hold from one transaction to the next as long as the
        stream's head, which every append locks and reads, has not moved.
        """
        if not self.committed:
            self._waiting.clear()
            self.cache.clear()
            self.fresh.clear()
            self.newest = None
        self.committed = False

    def _fetch(self, sql: str, parameters: Row) -> list[Any]:
        raise NotImplementedError

    def _execute(self, sql: str, parameters: Row) -> int:
        raise NotImplementedError

    def _copy(self, statement: Insert, rows: Sequence[Row]) -> None:
        raise NotImplementedError


class PsycopgTransaction(PostgresTransaction["psycopg.Connection[Any]"]):
    """Runs on a psycopg connection."""

    def __init__(
        self,
        driver: psycopg.Connection[Any],
        naming: Naming,
        interned: Interned,
        manner: Manner,
    ) -> None:
        super().__init__(driver, naming, interned, manner)
        self._cursor = driver.cursor(binary=True)

    def _fetch(self, sql: str, parameters: Row) -> list[Any]:
        return list(self._cursor.execute(sql, parameters).fetchall())

    def _execute(self, sql: str, parameters: Row) -> int:
        return int(self._cursor.execute(sql, parameters).rowcount)

    def _copy(self, statement: Insert, rows: Sequence[Row]) -> None:
        columns = ", ".join(statement.columns)
        into = f"COPY {{{statement.table}}} ({columns}) FROM STDIN (FORMAT BINARY)"
        with self._cursor.copy(self._sql(into)) as copying:
            copying.set_types(kinds_of(statement))
            for row in rows:
                copying.write_row(row)


class AsyncpgTransaction(PostgresTransaction[AsyncpgConnection]):
    """Runs on an asyncpg connection, inside a greenlet that hands each await to the event loop."""

    def _fetch(self, sql: str, parameters: Row) -> list[Any]:
        rows: list[Any] = await_only(self.driver.fetch(sql, *parameters))
        return rows

    def _execute(self, sql: str, parameters: Row) -> int:
        status: str = await_only(self.driver.execute(sql, *parameters))
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    def _copy(self, statement: Insert, rows: Sequence[Row]) -> None:
        into, where = self.naming.plain(statement.table), self.naming.schema
        columns = statement.columns
        copied = self.driver.copy_records_to_table(
            into, records=rows, columns=columns, schema_name=where
        )
        await_only(copied)
