"""Write many rows with few calls on SQLite: texts go to ``executemany``.

Before it binds anything but an int, a float, a str or a bytearray, the driver looks for an adapter.
That takes a fifth of a microsecond for each value that is bytes or None; ten of them are nearly
half of the cost of a row of ``messages``. So an insert names only the columns that have a value,
and bytes go as ``bytearray`` (:func:`by_layout`). An application's engine gets the rows as they are
(:class:`RowByRow`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import compress, groupby
from types import NoneType
from typing import Any, NamedTuple, TypeAlias

from eventstore.storage.statements import Delete, Insert, Statement

__all__ = ["RowByRow", "by_layout"]

Row: TypeAlias = Sequence[Any]


class RowByRow:
    """Batching for ``executemany``: keeps the protocol ``storage.transaction.Batching``."""

    def text(self, statement: Statement, rows: Sequence[Row]) -> str:  # noqa: ARG002 (any number)
        return self.one(statement)

    @staticmethod
    @cache
    def one(statement: Statement) -> str:
        if isinstance(statement, Insert):
            return _insert(statement, statement.columns)
        where = " AND ".join(f"{name} = ?" for name in statement.key)
        if isinstance(statement, Delete):
            return f"DELETE FROM {{{statement.table}}} WHERE {where}"
        changes = ", ".join(f"{name} = ?" for name in statement.values)
        return f"UPDATE {{{statement.table}}} SET {changes} WHERE {where}"

    @staticmethod
    def parameters(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in rows]


def by_layout(statement: Insert, rows: Sequence[Row]) -> Iterator[tuple[str, list[list[Any]]]]:
    """Yield SQL and parameters for each run of rows whose values have the same types."""
    for kinds, some in groupby(rows, _kinds):
        layout = _layout(statement, kinds)
        yield layout.text, [_bound(layout, row) for row in some]


def _kinds(row: Row) -> tuple[type, ...]:
    return tuple(map(type, row))


def _bound(layout: _Layout, row: Row) -> list[Any]:
    values = list(compress(row, layout.filled))
    for place in layout.blobs:
        values[place] = bytearray(values[place])
    return values


class _Layout(NamedTuple):
    """The layout for writing rows whose values have certain types."""

    text: str
    filled: tuple[bool, ...]
    """True for each column that has a value."""
    blobs: tuple[int, ...]
    """Indexes of bytes among the values."""


@cache
def _layout(statement: Insert, kinds: tuple[type, ...]) -> _Layout:
    filled = tuple([kind is not NoneType for kind in kinds])
    left = [kind for kind in kinds if kind is not NoneType]
    blobs = tuple([place for place, kind in enumerate(left) if kind is bytes])
    return _Layout(_insert(statement, tuple(compress(statement.columns, filled))), filled, blobs)


def _insert(statement: Insert, columns: Sequence[str]) -> str:
    places = ", ".join("?" * len(columns))
    into = f"INSERT INTO {{{statement.table}}} ({', '.join(columns)})"
    return f"{into} VALUES ({places}){statement.on_conflict}"
