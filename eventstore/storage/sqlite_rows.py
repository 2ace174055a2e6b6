"""Write many rows with few calls on SQLite: texts go to ``executemany``.

Before it binds anything but an int, a float, a str or a bytearray, the driver looks for an adapter.
That takes 3,400 instructions for each value that is bytes or None, and a message has nineteen: they
were a tenth of what it costs. So an insert names only the columns that have a value, and bytes go
as ``bytearray`` (:func:`by_layout`). An application's engine gets the rows as they are
(:class:`RowByRow`).

Rows are inserted one by one, ``OR FAIL``: a row that is refused was not written. With SQLite's
default, ABORT, each insert into a table that has a trigger begins a savepoint first, which takes
3,600 instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import itemgetter
from types import NoneType
from typing import Any, Final, NamedTuple, TypeAlias

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


def by_layout(statement: Insert, rows: Sequence[Row]) -> list[tuple[str, list[list[Any]]]]:
    """Return SQL and parameters for each run of rows whose values have the same types."""
    runs: list[tuple[str, list[list[Any]]]] = []
    before: tuple[type, ...] = ()
    bound: list[list[Any]] = []
    text, blobs, others = _NO_LAYOUT
    for row in rows:  # groupby() would be three calls for each row
        kinds = tuple(map(type, row))
        if kinds != before:
            text, blobs, others = _layout(statement, kinds)
            before, bound = kinds, []
            runs.append((text, bound))
        bound.append([*map(bytearray, blobs(row)), *others(row)])
    return runs


class _Layout(NamedTuple):
    """The layout for writing rows whose values have certain types: bytes first, no None."""

    text: str
    blobs: Callable[[Row], Iterable[Any]]
    """Returns the bytes of a row."""
    others: Callable[[Row], Iterable[Any]]
    """Returns its other values."""


@cache
def _layout(statement: Insert, kinds: tuple[type, ...]) -> _Layout:
    places = range(len(kinds))
    blobs = [place for place in places if kinds[place] is bytes]
    others = [place for place in places if kinds[place] not in (bytes, NoneType)]
    columns = [statement.columns[place] for place in (*blobs, *others)]
    return _Layout(_insert(statement, columns), _getter(blobs), _getter(others))


def _getter(places: Sequence[int]) -> Callable[[Row], Iterable[Any]]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda row: [row[place] for place in places]


_NO_LAYOUT: Final = _Layout("", _getter(()), _getter(()))


def _insert(statement: Insert, columns: Sequence[str]) -> str:
    places = ", ".join("?" * len(columns))
    into = f"INSERT OR FAIL INTO {{{statement.table}}} ({', '.join(columns)})"
    return f"{into} VALUES ({places}){statement.on_conflict}"
