"""Tables of rows that belong to threads: compare, drop and fill all rows of a thread at a time.

The rows here are tuples as the table has them: tenant and thread first, then the columns. Kinds of
rows with a class of their own are a :class:`~eventstore.threads.row_table.RowTable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from eventstore.storage.statements import Delete, Insert
from eventstore.storage.transaction import Transaction, only_row
from eventstore.threads.hidden_words import rows_as_stored

__all__ = ["Difference", "Row", "ThreadKey", "ThreadTable", "Wanted", "differences", "mend"]

ThreadKey: TypeAlias = tuple[int, bytes]
"""Number of the tenant, and the thread's id."""
Row: TypeAlias = tuple[Any, ...]
Wanted: TypeAlias = "tuple[ThreadTable, Sequence[Row]]"
"""A table, and the rows it should have for some threads."""


class ThreadTable:
    """A table whose key begins with ``tenant`` and ``thread``."""

    def __init__(self, name: str, columns: Sequence[str], key: int) -> None:
        """``columns`` follow tenant and thread; the first ``key`` of them identify a row."""
        every = ("tenant", "thread", *columns)
        self.name: Final = name
        self.every: Final = every
        """The names of all columns."""
        self.some_between: Final = (
            f"FROM {{{name}}} WHERE tenant = ? AND thread >= ? AND thread <= ?"
        )
        """SQL that follows SELECT, for the rows of every thread of a tenant from id to id."""
        self._between = f"SELECT {', '.join(every)} {self.some_between}"
        self.key: Final = 2 + key
        """Number of key columns, tenant and thread included."""
        one = " AND ".join(f"{column} = ?" for column in every[: self.key])
        self._one = f"SELECT {', '.join(every)} FROM {{{name}}} WHERE {one}"
        self._delete = Delete(name, ("tenant", "thread"))
        self._drop = Delete(name, every[: self.key])
        self._insert = Insert(name, every)

    def between(self, tx: Transaction, first: ThreadKey, last: ThreadKey) -> list[Row]:
        """Return the rows of every thread of a tenant from one id to another."""
        return [tuple(row) for row in tx.all(self._between, (*first, last[1]))]

    def row(self, tx: Transaction, key: Row) -> Row | None:
        """Return the row of a key, tenant and thread first."""
        found = tx.one(self._one, key)
        return None if found is None else tuple(found)

    def drop(self, tx: Transaction, rows: Sequence[Row]) -> None:
        """Delete rows."""
        tx.write(self._drop, [row[: self.key] for row in rows])

    def clear(self, tx: Transaction, threads: Sequence[ThreadKey]) -> None:
        """Delete every row of threads."""
        tx.write(self._delete, threads)

    def fill(self, tx: Transaction, rows: Sequence[Row]) -> None:
        """Insert rows, none of which exists."""
        tx.fill(self._insert, rows_as_stored(tx, self.name, rows))


class Difference(NamedTuple):
    """The differences between a table and its expected rows, for one thread or several."""

    table: ThreadTable
    gone: Sequence[Row]
    """Rows to delete, because they are superfluous or wrong."""
    missing: Sequence[Row]


def differences(
    tx: Transaction, threads: Sequence[ThreadKey], wanted: Sequence[Wanted]
) -> list[Difference]:
    """Compare tables with their expected rows for threads of one tenant, in order.

    Reading a row and finding it right costs the databases a fifth of dropping and writing it, and
    leaves no dead row behind.
    """
    looked_at = _without_empty(tx, threads, wanted)
    return [one for table, rows in looked_at if (one := _difference(tx, table, threads, rows))]


def mend(tx: Transaction, found: Sequence[Difference]) -> None:
    """Write the differences, and only those."""
    for one in found:
        one.table.drop(tx, one.gone)
    tx.flush()  # rows written below must not meet deleted ones in one statement
    for one in found:
        one.table.fill(tx, one.missing)


def _without_empty(
    tx: Transaction,
    threads: Sequence[ThreadKey],
    wanted: Sequence[Wanted],
) -> list[Wanted]:
    """Leave out tables that should be empty and are: most of them, with one query for all."""
    empty = [table for table, rows in wanted if not rows]
    if not empty:
        return list(wanted)
    asked = ", ".join([f"EXISTS (SELECT 1 {table.some_between})" for table in empty])
    bounds = (*threads[0], threads[-1][1])
    there = only_row(tx, f"SELECT {asked}", bounds * len(empty))
    kept = {table for table, some in zip(empty, there, strict=True) if some}
    return [(table, rows) for table, rows in wanted if rows or table in kept]


def _difference(
    tx: Transaction, table: ThreadTable, threads: Sequence[ThreadKey], wanted: Sequence[Row]
) -> Difference | None:
    asked = set(threads)
    stored = [row for row in table.between(tx, threads[0], threads[-1]) if row[:2] in asked]
    if set(stored) == set(wanted):
        return None
    hidden = rows_as_stored(tx, table.name, wanted)
    # A row from before encryption is as right as one from after: both are compared hidden.
    found = dict(zip(rows_as_stored(tx, table.name, stored), stored, strict=True))
    should = set(hidden)
    if found.keys() == should:
        return None
    gone = [row for one, row in found.items() if one not in should]
    return Difference(table, gone, [row for row in hidden if row not in found])
