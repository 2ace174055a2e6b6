"""Many rows in few statements, for SQLite.

On our own connections an insert takes up to 32 rows at once (:func:`in_few`); on an application's
engine the same statement goes to ``executemany`` (:class:`RowByRow`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

from eventstore.storage.statements import Delete, Insert, Statement, Update

__all__ = ["RowByRow", "as_insert", "in_few"]

Row: TypeAlias = Sequence[Any]

_ROWS_AT_ONCE: Final = 32
"""Rows that one statement takes at most: with 20 columns below the 999 parameters of old builds."""


class RowByRow:
    """Batching for ``executemany``: keeps the protocol ``storage.transaction.Batching``."""

    def text(self, statement: Statement, rows: Sequence[Row]) -> str:  # noqa: ARG002 (any number)
        return self.one(statement)

    @staticmethod
    @cache
    def one(statement: Statement) -> str:
        if isinstance(statement, Insert):
            return _many_rows(statement, tuple(range(len(statement.columns))), 1)
        where = " AND ".join(f"{name} = ?" for name in statement.key)
        if isinstance(statement, Delete):
            return f"DELETE FROM {{{statement.table}}} WHERE {where}"
        changes = ", ".join(f"{name} = ?" for name in statement.values)
        return f"UPDATE {{{statement.table}}} SET {changes} WHERE {where}"

    @staticmethod
    def parameters(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in rows]


@cache
def as_insert(statement: Statement) -> Insert | None:
    """Return what inserts, or replaces whole rows, as an insert; None for all else."""
    if isinstance(statement, Update) and statement.whole:
        return Insert(statement.table, statement.columns, statement.key, statement.values)
    return statement if isinstance(statement, Insert) else None


def in_few(statement: Insert, rows: Sequence[Row]) -> Iterator[tuple[str, list[Any]]]:
    """Yield SQL and parameters that write rows: 32, 16, 8 … at once.

    By powers of two there are few texts, so they stay prepared.
    """
    kept, rows = _without_empty(rows)
    start, left = 0, len(rows)
    while left:
        count = 1 << min(left, _ROWS_AT_ONCE).bit_length() - 1
        yield _many_rows(statement, kept, count), _bound(rows[start : start + count])
        start, left = start + count, left - count


@cache
def _many_rows(statement: Insert, kept: tuple[int, ...], count: int) -> str:
    columns = [statement.columns[place] for place in kept]
    row = f"({', '.join('?' * len(columns))})"
    into = f"INSERT INTO {{{statement.table}}} ({', '.join(columns)}) VALUES "
    return into + ", ".join([row] * count) + statement.on_conflict


def _without_empty(rows: Sequence[Row]) -> tuple[tuple[int, ...], Sequence[Row]]:
    """Return which columns have a value in any row, and the rows with those alone."""
    if len(rows) == 1:  # the usual case of a lone writer
        filled = [pair for pair in enumerate(rows[0]) if pair[1] is not None]
        kept, row = zip(*filled, strict=True)
        return kept, (row,)
    columns, nulls = list(zip(*rows, strict=True)), len(rows)
    kept = tuple([n for n, column in enumerate(columns) if column.count(None) < nulls])
    if len(kept) == len(columns):
        return kept, rows
    return kept, list(zip(*[columns[n] for n in kept], strict=True))


def _bound(rows: Sequence[Row]) -> list[Any]:
    """Return the parameters of rows, bytes as ``bytearray``.

    Before it binds anything but an int, a float, a str or a bytearray, the driver looks for an
    adapter, which costs more than the binding: 0.4 µs for each value that is bytes or None.
    """
    return [bytearray(value) if type(value) is bytes else value for row in rows for value in row]
