"""One kind of row in one table: writing it and reading it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction
from eventstore.threads.thread_table import ThreadTable

__all__ = ["RowTable", "Words", "join_calls", "split_calls"]

R = TypeVar("R")


class Words(NamedTuple, Generic[R]):
    """Functions that hide and show the words of a kind of row, by tenant and thread."""

    hidden: Callable[[Transaction, int, bytes, R], R]
    shown: Callable[[Transaction, int, bytes, R], R]


class RowTable(ThreadTable, Generic[R]):
    """A table of rows of one kind: ``tenant`` and ``thread`` first, then the row's own columns."""

    def __init__(
        self,
        kind: type[R],
        name: str,
        *,
        key: Sequence[str],
        values: Sequence[str],
        encode: Callable[[R], tuple[Any, ...]],
        decode: Callable[[Sequence[Any]], R],
        select: str | None = None,
        words: Words[R] | None = None,
    ) -> None:
        """Create it for a kind of row, whose key has the values of the columns ``key``.

        ``encode`` returns key and values, ``decode`` reads them, thread first.
        ``select`` reads the columns for ``decode`` if it needs more than the table's own. ``words``
        are hidden in a store with encryption.
        """
        super().__init__(name, (*key, *values), len(key))
        self.kind: Final = kind
        self.by_key: Final = " AND ".join(f"{column} = ?" for column in key)
        """SQL that selects a row of a thread."""
        self._words: Final = words
        self.encode = encode
        self.decode = decode
        self.columns: list[str] = ["thread", *key, *values]
        self._upsert = Insert(
            name,
            ("tenant", "thread", *key, *values),
            (*key, "tenant", "thread"),
            tuple(values),
        )
        self._select = select or (
            f"SELECT {', '.join(self.columns)} FROM {{{name}}} WHERE tenant = ? AND thread = ?"
        )

    def write(self, tx: Transaction, rows: Iterable[tuple[int, bytes, R]]) -> None:
        """Insert or replace rows, each with its tenant and thread."""
        encode, words = self.encode, self._words
        if words is not None:
            rows = [(one, thread, words.hidden(tx, one, thread, row)) for one, thread, row in rows]
        written = []
        for tenant, thread, row in rows:
            written.append((tenant, thread, *encode(row)))
        tx.write(self._upsert, written)

    def find(
        self,
        tx: Transaction,
        tenant: int,
        thread: bytes,
        where: str,
        parameters: Sequence[Any] = (),
        *,
        few: bool = False,
    ) -> list[R]:
        """Return the rows of a thread that satisfy ``where`` (SQL that follows ``AND``).

        ``few``: an index of some rows, led by the thread, contains them. Without the plus SQLite
        goes through all of a thread by the primary key instead.
        """
        select = self._select.replace(" tenant = ", " +tenant = ") if few else self._select
        found = tx.all(f"{select} AND {where}", (tenant, thread, *parameters))
        rows = [self.decode(row) for row in found]
        words = self._words
        return rows if words is None else [words.shown(tx, tenant, thread, row) for row in rows]

    def get(
        self,
        tx: Transaction,
        tenant: int,
        thread: bytes,
        where: str,
        parameters: Sequence[Any] = (),
    ) -> R | None:
        """Return the first row of a thread that satisfies ``where``."""
        row = tx.one(f"{self._select} AND {where}", (tenant, thread, *parameters))
        found = None if row is None else self.decode(row)
        if found is None or self._words is None:
            return found
        return self._words.shown(tx, tenant, thread, found)

    def all(self, tx: Transaction, tenant: int, thread: bytes) -> list[R]:
        """Return every row of a thread."""
        rows = [self.decode(row) for row in tx.all(self._select, (tenant, thread))]
        words = self._words
        return rows if words is None else [words.shown(tx, tenant, thread, row) for row in rows]


_BETWEEN: Final = "\x1f"
"""Separates call ids, which hold no control characters. NUL would end the text in a dump."""


def join_calls(calls: tuple[str, ...]) -> str | None:
    """Return call ids as one column, NULL for none."""
    return _BETWEEN.join(calls) if calls else None


def split_calls(column: str | None) -> tuple[str, ...]:
    """Return the call ids of a column."""
    return tuple(column.split(_BETWEEN)) if column else ()
