"""Rows that wait for PostgreSQL, and the one statement that writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import BigInteger, Integer, LargeBinary, Table, Text

from eventstore.storage.postgres_ordering import PostgresOrdering
from eventstore.storage.statements import Delete, Insert, Statement
from eventstore.storage.tables import metadata_for

__all__ = ["ON_CITUS", "PLAIN", "ColumnByColumn", "Manner", "Row", "WaitingRows", "kinds_of"]

Row: TypeAlias = Sequence[Any]

TYPES: Final[dict[type[Any], str]] = {
    Integer: "int4",
    BigInteger: "int8",
    LargeBinary: "bytea",
    Text: "text",
}
TABLES: Final[dict[str, Table]] = {
    table.name: table for table in metadata_for(dialect="postgresql").sorted_tables
}
JOINED_MAX: Final = 1_000


class ColumnByColumn:
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
            kinds = kinds_of(statement)
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


def kinds_of(statement: Statement) -> list[str]:
    table = TABLES[statement.table]
    return [TYPES[type(table.c[name].type)] for name in statement.columns]


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
    batching: ColumnByColumn


class WaitingRows:
    """Rows that wait to be written, by statement; and the one statement that writes them all."""

    def __init__(self, batching: ColumnByColumn) -> None:
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
            if len(self._joined) >= JOINED_MAX:  # each number of rows has a text of its own
                self._joined.clear()
            joined = self._joined[texts] = f"WITH {named} {last}" if before else last
        return joined, parameters


PLAIN: Final = Manner("force_generic_plan", PostgresOrdering(), ColumnByColumn())
"""Planning each append anew would cost more than running it, and the plan is always the same: each
row by its key."""
ON_CITUS: Final = Manner("force_custom_plan", PostgresOrdering(tells=False), ColumnByColumn(few=16))
"""For Citus, which forwards statements to the node that has the schema. It routes a statement by
its values, so plans are made for them. A statement that writes rows from arrays into several tables
makes the commit two-phase; plain values do not, up to a few rows. A two-phase commit cannot
NOTIFY, so nothing does."""
