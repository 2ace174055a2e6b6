"""Three kinds of columns: of a key, with a value, perhaps with a value."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, Text

__all__ = ["given", "key", "maybe"]


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
