"""Write many rows with one statement on SQLite: its text goes to ``executemany``.

Measured against statements of up to 32 rows each, bound by the types of their values: those were
no faster, for one writer or for 64.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

from eventstore.storage.statements import Delete, Insert, Statement

__all__ = ["RowByRow"]

Row: TypeAlias = Sequence[Any]


class RowByRow:
    """Batching for ``executemany``: keeps the protocol ``storage.transaction.Batching``."""

    def text(self, statement: Statement, rows: Sequence[Row]) -> str:  # noqa: ARG002 (any number)
        return self.one(statement)

    @staticmethod
    @cache
    def one(statement: Statement) -> str:
        if isinstance(statement, Insert):
            return _insert(statement)
        where = " AND ".join(f"{name} = ?" for name in statement.key)
        if isinstance(statement, Delete):
            return f"DELETE FROM {{{statement.table}}} WHERE {where}"
        changes = ", ".join(f"{name} = ?" for name in statement.values)
        return f"UPDATE {{{statement.table}}} SET {changes} WHERE {where}"

    @staticmethod
    def parameters(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in rows]


def _insert(statement: Insert) -> str:
    places = ", ".join("?" * len(statement.columns))
    into = f"INSERT INTO {{{statement.table}}} ({', '.join(statement.columns)})"
    return f"{into} VALUES ({places}){statement.on_conflict}"
