"""Describe writes of many rows, in a form that each database executes as one statement.

SQLite executes one prepared text for many rows; PostgreSQL takes whole columns as arrays. The data
is the same, so a statement names its table and columns and each database makes the text. The text
is looked up by the identity of the statement, not by its contents: hashing all those names for each
write takes longer than binding a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Delete", "Insert", "Statement", "Update"]


@dataclass(frozen=True, eq=False, slots=True)
class Insert:
    """Insert rows; where ``conflict`` names a key that exists, replace ``replaces``."""

    table: str
    columns: tuple[str, ...]
    conflict: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    """Empty with a ``conflict``: the row that exists stays."""

    @property
    def on_conflict(self) -> str:
        """The end of the statement."""
        if not self.conflict:
            return ""
        keys = ", ".join(self.conflict)
        if not self.replaces:
            return f" ON CONFLICT ({keys}) DO NOTHING"
        changed = ", ".join(f"{name} = excluded.{name}" for name in self.replaces)
        return f" ON CONFLICT ({keys}) DO UPDATE SET {changed}"


@dataclass(frozen=True, eq=False, slots=True)
class Update:
    """Set ``values`` of the rows that have ``key``; parameters come in that order."""

    table: str
    values: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of each row of parameters."""
        return (*self.values, *self.key)


@dataclass(frozen=True, eq=False, slots=True)
class Delete:
    """Delete the rows that have ``key``."""

    table: str
    key: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of each row of parameters."""
        return self.key


Statement: TypeAlias = Insert | Update | Delete
