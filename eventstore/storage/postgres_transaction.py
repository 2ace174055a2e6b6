"""Run transactions on a connection of psycopg or asyncpg, without SQLAlchemy.

The trip to the server is the cost on PostgreSQL. So rows to be written wait until something is
read, or the transaction is about to end, and then go in **one** statement: each table's insert or
update is a data-modifying CTE of it. (All of them see the same snapshot. So where two of them would
touch the same table in the same way, the first is executed before the second is added.) An append
is four trips, whatever it holds: begin, lock the heads and draw positions, write, commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import BigInteger, Integer, LargeBinary, Table, Text
from sqlalchemy.util import await_only

from eventstore.storage.ordering import Ordering
from eventstore.storage.postgres_connections import AsyncpgConnection
from eventstore.storage.postgres_ordering import PostgresOrdering
from eventstore.storage.statements import Delete, Insert, Statement
from eventstore.storage.tables import metadata_for
from eventstore.storage.transaction import Interned, Landmark, Naming

if TYPE_CHECKING:
    import psycopg  # an extra

__all__ = [
    "ON_CITUS",
    "PLAIN",
    "AsyncpgTransaction",
    "Manner",
    "PostgresTransaction",
    "PsycopgTransaction",
    "WaitingRows",
]

Row: TypeAlias = Sequence[Any]
D = TypeVar("D")

_COPIED_MIN: Final = 64
"""Below this number of rows, a COPY, which is a trip of its own, is not worth it."""
_TYPES: Final[dict[type[Any], str]] = {
    Integer: "int4",
    BigInteger: "int8",
    LargeBinary: "bytea",
    Text: "text",
}
_TABLES: Final[dict[str, Table]] = {
    table.name: table for table in metadata_for(dialect="postgresql").sorted_tables
}


class _ColumnByColumn:
    """Batching that sends whole columns: one statement, however many rows.

    A single row goes as plain values, which the server executes in half the time. So do up to
    ``few`` rows.
    """

    def __init__(self, *, few: int = 1) -> None:
        """Create it. ``few``: the most rows that go as plain values."""
        self._few = few
        self._texts: dict[tuple[Statement, int], str] = {}

    def text(self, statement: Statement, rows: Sequence[Row]) -> str:
        count = len(rows)
        form = (statement, count if count <= self._few else 0)
        known = self._texts.get(form)
        if known is None:
            kinds = _kinds(statement)
            if count == 1:
                known = _one_row(statement, kinds)
            elif form[1]:
                known = _rows_from(statement, _values(kinds, count))
            else:
                known = _rows_from(statement, _columns(kinds))
            self._texts[form] = known
        return known

    def parameters(self, rows: Sequence[Row]) -> Sequence[Any]:
        if len(rows) == 1:
            return tuple(rows[0])
        if len(rows) <= self._few:
            return tuple([value for row in rows for value in row])
        return tuple([list(column) for column in zip(*rows, strict=True)])


def _kinds(statement: Statement) -> list[str]:
    table = _TABLES[statement.table]
    return [_TYPES[type(table.c[name].type)] for name in statement.columns]


def _one_row(statement: Statement, kinds: Sequence[str]) -> str:
    into = f"{{{statement.table}}}"
    given = [f"?::{kind}" for kind in kinds]
    if isinstance(statement, Insert):
        columns, values = ", ".join(statement.columns), ", ".join(given)
        return f"INSERT INTO {into} ({columns}) VALUES ({values}){statement.on_conflict}"
    settled = [f"{name} = {value}" for name, value in zip(statement.columns, given, strict=True)]
    if isinstance(statement, Delete):
        return f"DELETE FROM {into} WHERE {' AND '.join(settled)}"
    count = len(statement.values)
    changes, where = ", ".join(settled[:count]), " AND ".join(settled[count:])
    return f"UPDATE {into} SET {changes} WHERE {where}"


def _columns(kinds: Sequence[str]) -> str:
    """Return rows that are sent column by column, as a table of FROM."""
    return f"unnest({', '.join(f'?::{kind}[]' for kind in kinds)})"


def _values(kinds: Sequence[str], count: int) -> str:
    """Return that many rows, value by value, as a table of FROM."""
    row = f"({', '.join(f'?::{kind}' for kind in kinds)})"
    return f"(VALUES {', '.join([row] * count)})"


def _rows_from(statement: Statement, given: str) -> str:
    into = f"{{{statement.table}}}"
    columns = ", ".join(statement.columns)
    given = f"{given} AS given ({columns})"
    if isinstance(statement, Insert):
        return f"INSERT INTO {into} ({columns}) SELECT * FROM {given}{statement.on_conflict}"
    where = " AND ".join(f"kept.{name} = given.{name}" for name in statement.key)
    if isinstance(statement, Delete):
        return f"DELETE FROM {into} kept USING {given} WHERE {where}"
    changes = ", ".join(f"{name} = given.{name}" for name in statement.values)
    return f"UPDATE {into} kept SET {changes} FROM {given} WHERE {where}"


class Manner(NamedTuple):
    """The way to execute statements on one kind of server."""

    plans: str
    """Value of ``plan_cache_mode`` for appends."""
    ordering: PostgresOrdering
    batching: _ColumnByColumn


PLAIN: Final = Manner("force_generic_plan", PostgresOrdering(), _ColumnByColumn())
"""Planning each append anew would cost more than running it, and the plan is always the same: each
row by its key."""
ON_CITUS: Final = Manner(
    "force_custom_plan", PostgresOrdering(tells=False), _ColumnByColumn(few=16)
)
"""For Citus, which forwards statements to the node that has the schema. It routes a statement by
its values, so plans are made for them. A statement that writes rows from arrays into several tables
makes the commit two-phase; plain values do not, up to a few rows. A two-phase commit cannot
NOTIFY, so nothing does."""

_JOINED_MAX: Final = 1_000


class WaitingRows:
    """Rows that wait to be written, by statement; and the one statement that writes them all."""

    def __init__(self, batching: _ColumnByColumn) -> None:
        self._batching = batching
        self._rows: dict[Statement, Sequence[Row]] = {}
        self._joined: dict[tuple[str, ...], str] = {}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def __contains__(self, statement: Statement) -> bool:
        return statement in self._rows

    def add(self, statement: Statement, rows: Sequence[Row]) -> None:
        """Add rows to those that wait."""
        self._rows[statement] = rows

    def clear(self) -> None:
        """Drop the waiting rows."""
        self._rows.clear()

    def take(self) -> tuple[str, list[Any]]:
        """Return SQL and parameters that write all waiting rows."""
        text, given = self._batching.text, self._batching.parameters
        texts = tuple([text(statement, rows) for statement, rows in self._rows.items()])
        parameters = [value for rows in self._rows.values() for value in given(rows)]
        self._rows.clear()
        joined = self._joined.get(texts)
        if joined is None:
            *before, last = texts
            named = ", ".join(f"w{n} AS ({text})" for n, text in enumerate(before))
            if len(self._joined) >= _JOINED_MAX:  # each number of rows has a text of its own
                self._joined.clear()
            joined = self._joined[texts] = f"WITH {named} {last}" if before else last
        return joined, parameters


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
        self.committed = False
        self.fresh: list[tuple[dict[Any, Any], Any, Any]] = []
        self.newest: Landmark | None = None
        self.cache: dict[str, dict[Any, Any]] = {}

    def one(self, sql: str, parameters: Row = ()) -> Any:  # noqa: ANN401
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
            copying.set_types(_kinds(statement))
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
