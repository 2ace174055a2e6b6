"""Write many rows in few statements on SQLite.

On the store's own connections an insert takes up to 32 rows at once (:func:`in_few`); on an
application's engine the same statement goes to ``executemany`` (:class:`RowByRow`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import compress
from types import NoneType
from typing import Any, Final, NamedTuple, TypeAlias

from eventstore.storage.statements import Delete, Insert, Statement

__all__ = ["RowByRow", "in_few"]

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
            return _many_rows(statement, statement.columns, 1)
        where = " AND ".join(f"{name} = ?" for name in statement.key)
        if isinstance(statement, Delete):
            return f"DELETE FROM {{{statement.table}}} WHERE {where}"
        changes = ", ".join(f"{name} = ?" for name in statement.values)
        return f"UPDATE {{{statement.table}}} SET {changes} WHERE {where}"

    @staticmethod
    def parameters(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in rows]


def in_few(statement: Insert, rows: Sequence[Row]) -> list[tuple[str, list[Any]]]:
    """Return SQL and parameters that write rows: 32, 16, 8 … at once.

    Powers of two need few texts, so they stay prepared. Rows are grouped by the types of their
    values, so that their layout is looked up and not computed.
    """
    written: list[tuple[str, list[Any]]] = []
    alike: dict[tuple[type, ...], list[Row]] = {}
    for row in rows:
        alike.setdefault(tuple(map(type, row)), []).append(row)
    for kinds, some in alike.items():
        start, left = 0, len(some)
        while left:
            count = 1 << min(left, _ROWS_AT_ONCE).bit_length() - 1
            layout = _layout(statement, kinds, count)
            values: list[Any] = []
            for row in some[start : start + count]:
                values += compress(row, layout.filled)
            for place in layout.blobs:
                values[place] = bytearray(values[place])
            written.append((layout.text, values))
            start, left = start + count, left - count
    return written


class _Layout(NamedTuple):
    """The layout for writing rows whose values have the same types.

    Before it binds anything but an int, a float, a str or a bytearray, the driver looks for an
    adapter, which costs more than the binding: 0.4 µs for each value that is bytes or None. So
    columns without a value are left out, and bytes go as ``bytearray``.
    """

    text: str
    filled: tuple[bool, ...]
    """True for each column that has a value."""
    blobs: tuple[int, ...]
    """Indexes of bytes among the values of all rows."""


@cache
def _layout(statement: Insert, kinds: tuple[type, ...], count: int) -> _Layout:
    filled = tuple([kind is not NoneType for kind in kinds])
    columns = tuple(compress(statement.columns, filled))
    bound = [kind for kind in kinds if kind is not NoneType] * count
    blobs = tuple([place for place, kind in enumerate(bound) if kind is bytes])
    return _Layout(_many_rows(statement, columns, count), filled, blobs)


def _many_rows(statement: Insert, columns: Sequence[str], count: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    into = f"INSERT INTO {{{statement.table}}} ({', '.join(columns)}) VALUES "
    return into + ", ".join([row] * count) + statement.on_conflict
