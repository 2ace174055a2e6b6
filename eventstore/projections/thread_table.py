"""A table of rows that belong to threads, all of one thread's at a time: compared, dropped, filled.

The rows here are tuples as the table has them: tenant and thread first, then the columns. Kinds of
rows with a class of their own are a :class:`~eventstore.projections.row_table.RowTable`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from eventstore.storage.statements import Delete, Insert
from eventstore.storage.transaction import Transaction

__all__ = ["ThreadKey", "ThreadTable", "Wanted", "mend"]

ThreadKey: TypeAlias = tuple[int, bytes]
"""Number of the tenant, and the thread's id."""
Row: TypeAlias = tuple[Any, ...]
Wanted: TypeAlias = "tuple[ThreadTable, Sequence[Row]]"
"""A table, and the rows it should have of some threads."""


class ThreadTable:
    """A table whose key begins with ``tenant`` and ``thread``."""

    def __init__(self, name: str, columns: Sequence[str]) -> None:
        """``columns`` are those behind tenant and thread."""
        every = ("tenant", "thread", *columns)
        self.name: Final = name
        self.some_between: Final = (
            f"FROM {{{name}}} WHERE tenant = ? AND thread >= ? AND thread <= ?"
        )
        """SQL that follows SELECT, for the rows of every thread of a tenant from id to id."""
        self._between = f"SELECT {', '.join(every)} {self.some_between}"
        self._delete = Delete(name, ("tenant", "thread"))
        self._insert = Insert(name, every)

    def between(self, tx: Transaction, first: ThreadKey, last: ThreadKey) -> list[Row]:
        """Return the rows of every thread of a tenant from one id to another."""
        return [tuple(row) for row in tx.all(self._between, (*first, last[1]))]

    def clear(self, tx: Transaction, threads: Sequence[ThreadKey]) -> None:
        """Delete every row of threads."""
        tx.write(self._delete, threads)

    def fill(self, tx: Transaction, rows: Sequence[Row]) -> None:
        """Insert rows, none of which is there."""
        tx.fill(self._insert, rows)


class _Strange(NamedTuple):
    table: ThreadTable
    threads: Collection[ThreadKey]
    rows: Sequence[Row]
    """What these threads should have."""


def mend(
    tx: Transaction,
    threads: Sequence[ThreadKey],
    wanted: Sequence[Wanted],
) -> set[ThreadKey]:
    """Let tables hold ``wanted`` of threads and nothing else; return where they did not.

    The threads are of one tenant and in order, each held by this transaction. To read a row and see
    that it is right costs the databases a fifth of dropping and writing it, and leaves no dead row
    behind; so a thread's rows in a table are written anew only where one of them differs.
    """
    looked_at = _without_empty(tx, threads, wanted)
    strange = [found for table, rows in looked_at if (found := _strange(tx, table, threads, rows))]
    for one in strange:
        one.table.clear(tx, list(one.threads))
    tx.flush()  # what is written below must not meet in one statement what goes
    for one in strange:
        one.table.fill(tx, one.rows)
    return {thread for one in strange for thread in one.threads}


def _without_empty(
    tx: Transaction,
    threads: Sequence[ThreadKey],
    wanted: Sequence[Wanted],
) -> list[Wanted]:
    """Leave out tables that should hold nothing and do: most of them, asked of all at once."""
    empty = [table for table, rows in wanted if not rows]
    if not empty:
        return list(wanted)
    asked = ", ".join([f"EXISTS (SELECT 1 {table.some_between})" for table in empty])
    bounds = (*threads[0], threads[-1][1])
    there = tx.one(f"SELECT {asked}", bounds * len(empty))
    kept = {table for table, some in zip(empty, there, strict=True) if some}
    return [(table, rows) for table, rows in wanted if rows or table in kept]


def _strange(
    tx: Transaction, table: ThreadTable, threads: Sequence[ThreadKey], wanted: Sequence[Row]
) -> _Strange | None:
    found = set(table.between(tx, threads[0], threads[-1]))
    differing = {row[:2] for row in found.symmetric_difference(wanted)}.intersection(threads)
    if not differing:
        return None
    return _Strange(table, differing, [row for row in wanted if row[:2] in differing])
