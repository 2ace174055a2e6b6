"""Kinds of columns: of a key, with a value, perhaps with one. Tables by thread and by stream."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.schema import SchemaItem

__all__ = ["given", "key", "maybe", "stream_table", "thread_table"]


def key(
    name: str, kind: type[Integer | BigInteger | LargeBinary | Text] = Integer
) -> Column[object]:
    """Return a column of the primary key."""
    return Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def given(
    name: str, kind: type[Integer | BigInteger | LargeBinary | Text | Boolean]
) -> Column[object]:
    """Return a column that always has a value."""
    return Column(name, kind, nullable=False)


def maybe(name: str, kind: type[Integer | BigInteger | LargeBinary | Text]) -> Column[object]:
    """Return a column that may have none."""
    return Column(name, kind, nullable=True)


def thread_table(
    name: str, metadata: MetaData, *rest: SchemaItem, with_rowid: bool = False
) -> None:
    """Add a table whose key begins with tenant and thread."""
    began = key("tenant"), key("thread", LargeBinary)
    Table(name, metadata, *began, *rest, sqlite_with_rowid=with_rowid)


def stream_table(name: str, metadata: MetaData, *rest: SchemaItem) -> None:
    """Add a table whose key begins with tenant, category and stream."""
    began = key("tenant"), key("category"), key("stream", LargeBinary)
    Table(name, metadata, *began, *rest, sqlite_with_rowid=False)
