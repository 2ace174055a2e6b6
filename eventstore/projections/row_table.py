"""One kind of row in one table: how it is written, and how it is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from eventstore.storage.statements import Delete, Insert
from eventstore.storage.transaction import Transaction

__all__ = ["RowTable", "join_calls", "split_calls"]

R = TypeVar("R")


class _Texts(NamedTuple):
    upsert: Insert
    select: str
    delete: Delete


class RowTable(Generic[R]):
    """A table of one thread's rows: ``tenant`` and ``thread`` first, then the row's own columns."""

    def __init__(
        self,
        name: str,
        *,
        key: Sequence[str],
        values: Sequence[str],
        encode: Callable[[R], tuple[Any, ...]],
        decode: Callable[[Sequence[Any]], R],
        select: str | None = None,
    ) -> None:
        """``encode`` returns key and values in order, ``decode`` takes them back, thread first.

        ``select`` reads what ``decode`` takes where that is more than the table's own columns.
        """
        self.name = name
        self.encode = encode
        self.decode = decode
        self.columns = ["thread", *key, *values]
        self._texts = self._made_texts(name, key, values)
        if select is not None:
            self._texts = self._texts._replace(select=select)

    @staticmethod
    def _made_texts(name: str, key: Sequence[str], values: Sequence[str]) -> _Texts:
        columns = ("tenant", "thread", *key, *values)
        return _Texts(
            Insert(name, columns, (*key, "tenant", "thread"), tuple(values)),
            f"SELECT {', '.join(['thread', *key, *values])} FROM {{{name}}}"
            " WHERE tenant = ? AND thread = ?",
            Delete(name, ("tenant", "thread")),
        )

    def write(self, tx: Transaction, rows: Iterable[tuple[int, bytes, R]]) -> None:
        """Insert or replace rows, each with its tenant and thread."""
        encode = self.encode
        tx.write(
            self._texts.upsert, [(tenant, thread, *encode(row)) for tenant, thread, row in rows]
        )

    def find(
        self,
        tx: Transaction,
        tenant: int,
        thread: bytes,
        where: str,
        parameters: Sequence[Any] = (),
    ) -> list[R]:
        """Return the rows of a thread that satisfy ``where`` (SQL that follows ``AND``)."""
        found = tx.all(f"{self._texts.select} AND {where}", (tenant, thread, *parameters))
        return [self.decode(row) for row in found]

    def get(
        self,
        tx: Transaction,
        tenant: int,
        thread: bytes,
        where: str,
        parameters: Sequence[Any] = (),
    ) -> R | None:
        """Return the first row of a thread that satisfies ``where``."""
        row = tx.one(f"{self._texts.select} AND {where}", (tenant, thread, *parameters))
        return None if row is None else self.decode(row)

    def all(self, tx: Transaction, tenant: int, thread: bytes) -> list[R]:
        """Return every row of a thread."""
        return [self.decode(row) for row in tx.all(self._texts.select, (tenant, thread))]

    def clear(self, tx: Transaction, threads: Sequence[tuple[int, bytes]]) -> None:
        """Delete every row of threads, each named by tenant and id."""
        tx.write(self._texts.delete, threads)


_BETWEEN: Final = "\x1f"
"""Between call ids, which hold no control characters. NUL would end the text in a dump."""


def join_calls(calls: tuple[str, ...]) -> str | None:
    """Return call ids as one column, NULL for none."""
    return _BETWEEN.join(calls) if calls else None


def split_calls(column: str | None) -> tuple[str, ...]:
    """Return the call ids of a column."""
    return tuple(column.split(_BETWEEN)) if column else ()
