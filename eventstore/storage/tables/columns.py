"""Kinds of columns: of a key, with a value, perhaps with one. Tables by thread and by stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.schema import SchemaItem

__all__ = ["Tables", "given", "key", "maybe"]


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


class Tables:
    """The tables of one store, to which more are added."""

    def __init__(self, metadata: MetaData, prefix: str) -> None:
        self.metadata: Final = metadata
        self._prefix: Final = prefix

    def add(self, name: str, *items: SchemaItem, rowid: bool = False) -> None:
        """Add a table; ``rowid``: with a number for each row on SQLite."""
        Table(f"{self._prefix}{name}", self.metadata, *items, sqlite_with_rowid=rowid)

    def of_thread(self, name: str, *items: SchemaItem, rowid: bool = False) -> None:
        """Add a table whose key begins with tenant and thread."""
        self.add(name, key("tenant"), key("thread", LargeBinary), *items, rowid=rowid)

    def of_stream(self, name: str, *items: SchemaItem, rowid: bool = False) -> None:
        """Add a table whose key begins with tenant, category and stream."""
        began = key("tenant"), key("category"), key("stream", LargeBinary)
        self.add(name, *began, *items, rowid=rowid)

    def index(
        self, name: str, columns: Sequence[str], *, unique: bool = False, where: str | None = None
    ) -> Index:
        """Return an index of a table, or of those of its rows for which ``where`` holds."""
        some = None if where is None else text(where)
        return Index(
            f"{self._prefix}{name}",
            *columns,
            unique=unique,
            sqlite_where=some,
            postgresql_where=some,
        )
